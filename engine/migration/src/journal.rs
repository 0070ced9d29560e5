//! What was imported, remembered beside the store: `DATA/import.journal`.
//!
//! ```text
//! block:  0 magic u32   4 kind u8   5 zero   8 account u32   12 count u32   16 first sequence u64
//!        24 checksum u64: XXH3-64 of octets 0..24 and of what follows
//!        32 kind 1, a batch:  count times: key u128, checksum u64 (XXH3-64 of the mail)
//!           kind 2, its end:  count times: key u128, those of the batch that were not imported after all
//! ```
//! Little-endian. In: keys of mails, which their source makes. Out: which keys are done.
//!
//! Exactly once, whatever is killed when:
//! - a batch is in the journal, durable, before its records go into the log; its first record's sequence is known by then.
//! - a batch is over when another block stands behind it: the log has taken it, but for the keys in its end.
//! - the last batch, if it has no end, was under way: what of it is in the store is seen from the store itself, by the
//!   checksum of the mail under each sequence. A mail of it that was expunged before anyone looked comes again.
//! - a batch whose sequence the log never came to was not imported: also where a store from an earlier backup
//!   stands beside this journal.
//! - a torn block was being written: nothing of its batch is in the log.

use ringpost_types::AccountId;
use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3Default;

const MAGIC: u32 = u32::from_le_bytes(*b"rimp");
const HEAD_OCTETS: usize = 32;
const BATCH: u8 = 1;
const END: u8 = 2;
/// Keys of one block at most.
pub const KEYS_MAX: usize = 1_000;

/// Where the journal of a data directory is.
pub fn path(data: &Path) -> PathBuf {
    data.join("import.journal")
}

/// A mail of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Names it in its source.
    pub key: u128,
    /// XXH3-64 of its octets.
    pub checksum: u64,
}

/// The journal, open.
pub struct Journal {
    file: File,
    /// Keys of the account that are done.
    done: HashSet<u128>,
}

/// A batch that has no end.
struct Open {
    account: AccountId,
    first: u64,
    entries: Vec<Entry>,
}

struct Block {
    kind: u8,
    account: AccountId,
    first: u64,
    body: Vec<u8>,
}

impl Journal {
    /// Opens the journal of `data`, for imports into `account`. The log goes on at `sequence`; `stored` tells which
    /// sequences from one number up to another the store has a mail under, with its checksum.
    pub fn open(
        data: &Path,
        account: AccountId,
        sequence: u64,
        stored: impl FnOnce(u64, u64) -> io::Result<HashMap<u64, u64>>,
    ) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.mode(0o600).open(path(data))?;
        let mut journal = Journal {
            file,
            done: HashSet::new(),
        };
        if let Some(open) = journal.read(account, sequence)? {
            let end = open.first + open.entries.len() as u64;
            let stored = stored(open.first, end)?;
            let undone = (open.first..).zip(&open.entries);
            let undone = undone.filter(|(at, entry)| stored.get(at) != Some(&entry.checksum));
            let undone: Vec<u128> = undone.map(|(_, entry)| entry.key).collect();
            journal.end(open.account, &undone)?;
        }
        // The name, where it is new.
        File::open(data)?.sync_all()?;
        Ok(journal)
    }

    /// Whether the mail of this key was imported.
    pub fn is_done(&self, key: u128) -> bool {
        self.done.contains(&key)
    }

    /// The keys that are done, for one that asks from elsewhere.
    pub fn take_done(&mut self) -> HashSet<u128> {
        std::mem::take(&mut self.done)
    }

    /// Reads all blocks, and cuts off what does not count; the batch that was under way.
    fn read(&mut self, account: AccountId, sequence: u64) -> io::Result<Option<Open>> {
        let mut reader = BufReader::with_capacity(256 * 1_024, &self.file);
        let (mut at, mut open) = (0, None);
        while let Some(block) = read_block(&mut reader)? {
            match block.kind {
                BATCH if block.first >= sequence => break,
                BATCH => {
                    let entries: Vec<Entry> = block
                        .body
                        .chunks_exact(24)
                        .map(|octets| Entry {
                            key: key_at(octets),
                            checksum: u64_at(octets, 16),
                        })
                        .collect();
                    if block.account == account {
                        self.done.extend(entries.iter().map(|entry| entry.key));
                    }
                    open = Some(Open {
                        account: block.account,
                        first: block.first,
                        entries,
                    });
                }
                _ => {
                    open = None;
                    if block.account == account {
                        let keys = block.body.chunks_exact(16).map(key_at);
                        keys.for_each(|key| {
                            self.done.remove(&key);
                        });
                    }
                }
            }
            at += (HEAD_OCTETS + block.body.len()) as u64;
        }
        self.file.set_len(at)?;
        self.file.seek(SeekFrom::Start(at))?;
        Ok(open)
    }

    /// A batch whose records are about to go into the log, the first under `first`. Durable on return.
    pub fn begin(&mut self, account: AccountId, first: u64, entries: &[Entry]) -> io::Result<()> {
        let mut body = Vec::with_capacity(entries.len() * 24);
        for entry in entries {
            body.extend_from_slice(&entry.key.to_le_bytes());
            body.extend_from_slice(&entry.checksum.to_le_bytes());
        }
        self.write(BATCH, account, first, entries.len(), &body)
    }

    /// The last batch is in the log, but for the mails of these keys. Durable on return.
    pub fn end(&mut self, account: AccountId, undone: &[u128]) -> io::Result<()> {
        for key in undone {
            self.done.remove(key);
        }
        let body: Vec<u8> = undone.iter().flat_map(|key| key.to_le_bytes()).collect();
        self.write(END, account, 0, undone.len(), &body)
    }

    fn write(
        &mut self,
        kind: u8,
        account: AccountId,
        first: u64,
        count: usize,
        body: &[u8],
    ) -> io::Result<()> {
        assert!(count <= KEYS_MAX);
        let mut block = Vec::with_capacity(HEAD_OCTETS + body.len());
        block.extend_from_slice(&MAGIC.to_le_bytes());
        block.extend_from_slice(&[kind, 0, 0, 0]);
        block.extend_from_slice(&account.0.to_le_bytes());
        block.extend_from_slice(&(count as u32).to_le_bytes());
        block.extend_from_slice(&first.to_le_bytes());
        let checksum = checksum(&block, body);
        block.extend_from_slice(&checksum.to_le_bytes());
        block.extend_from_slice(body);
        self.file.write_all(&block)?;
        self.file.sync_data()
    }
}

/// The next block; `None` at the end, or where the octets are none.
fn read_block(reader: &mut impl Read) -> io::Result<Option<Block>> {
    let mut head = [0; HEAD_OCTETS];
    if !fill(reader, &mut head)? || u32_at(&head, 0) != MAGIC {
        return Ok(None);
    }
    let count = u32_at(&head, 12) as usize;
    let each = match head[4] {
        BATCH => 24,
        END => 16,
        _ => return Ok(None),
    };
    if count > KEYS_MAX {
        return Ok(None);
    }
    let mut body = vec![0; count * each];
    if !fill(reader, &mut body)? || u64_at(&head, 24) != checksum(&head[..24], &body) {
        return Ok(None);
    }
    Ok(Some(Block {
        kind: head[4],
        account: AccountId(u32_at(&head, 8)),
        first: u64_at(&head, 16),
        body,
    }))
}

/// Reads all of `octets`; whether there were as many.
fn fill(reader: &mut impl Read, octets: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(octets) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn checksum(head: &[u8], body: &[u8]) -> u64 {
    let mut hash = Xxh3Default::new();
    hash.update(head);
    hash.update(body);
    hash.digest()
}

fn u32_at(octets: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| octets[at + i]))
}

fn u64_at(octets: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| octets[at + i]))
}

fn key_at(octets: &[u8]) -> u128 {
    u128::from_le_bytes(std::array::from_fn(|i| octets[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: AccountId = AccountId(1);
    const BOB: AccountId = AccountId(2);

    fn entries(keys: std::ops::Range<u128>) -> Vec<Entry> {
        let each = keys.map(|key| Entry {
            key,
            checksum: key as u64 * 10,
        });
        each.collect()
    }

    fn done(data: &Path, account: AccountId, sequence: u64, stored: &[(u64, u64)]) -> Vec<u128> {
        let stored = stored.iter().copied().collect();
        let mut journal =
            Journal::open(data, account, sequence, |_, _| Ok(stored)).expect("writable");
        let mut keys: Vec<u128> = journal.take_done().into_iter().collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn batches_count_as_far_as_the_store_has_them() {
        let scratch = tempfile::tempdir().expect("a scratch directory");
        let data = scratch.path();
        let mut journal =
            Journal::open(data, ALICE, 1, |_, _| unreachable!("empty")).expect("writable");
        journal.begin(ALICE, 100, &entries(0..3)).expect("written");
        journal.begin(BOB, 103, &entries(50..52)).expect("written");
        journal.begin(ALICE, 105, &entries(3..6)).expect("written");
        drop(journal);
        // The last one was under way: two of its mails are there, and under the third's number another one.
        let stored = [(105, 30), (106, 50), (107, 50)];
        assert_eq!(done(data, ALICE, 108, &stored), [0, 1, 2, 3, 5]);
        // That is remembered, whatever becomes of those mails.
        assert_eq!(done(data, ALICE, 107, &[]), [0, 1, 2, 3, 5]);
        assert_eq!(done(data, BOB, 107, &[]), [50, 51]);
        // An earlier store: the log has not come so far.
        assert_eq!(done(data, ALICE, 104, &[(104, 510)]), [0, 1, 2]);
        assert_eq!(done(data, BOB, 104, &[]), [51]);
        assert_eq!(done(data, ALICE, 1, &[]), [0u128; 0]);
    }

    #[test]
    fn an_ended_batch_is_not_looked_for() {
        let scratch = tempfile::tempdir().expect("a scratch directory");
        let data = scratch.path();
        let mut journal = Journal::open(data, ALICE, 1, |_, _| unreachable!()).expect("writable");
        journal.begin(ALICE, 1, &entries(0..3)).expect("written");
        journal.end(ALICE, &[1]).expect("written");
        drop(journal);
        let mut journal = Journal::open(data, ALICE, 4, |_, _| unreachable!()).expect("readable");
        assert!(journal.is_done(0) && !journal.is_done(1) && journal.is_done(2));
        journal.begin(ALICE, 4, &entries(1..2)).expect("written");
        drop(journal);
        assert_eq!(done(data, ALICE, 5, &[(4, 10)]), [0, 1, 2]);
    }

    /// Cut at every octet, and damaged at every octet: what stands before counts, and nothing else.
    #[test]
    fn torn_and_damaged() {
        let scratch = tempfile::tempdir().expect("a scratch directory");
        let data = scratch.path();
        let mut journal = Journal::open(data, ALICE, 1, |_, _| unreachable!()).expect("writable");
        journal.begin(ALICE, 1, &entries(0..2)).expect("written");
        journal.end(ALICE, &[]).expect("written");
        journal.begin(ALICE, 3, &entries(2..4)).expect("written");
        drop(journal);
        let whole = std::fs::read(path(data)).expect("readable");
        let first = HEAD_OCTETS + 48;
        for at in 0..whole.len() {
            let expected: &[u128] = if at < first { &[] } else { &[0, 1] };
            std::fs::write(path(data), &whole[..at]).expect("writable");
            let all = &[(1, 0), (2, 10)];
            assert_eq!(done(data, ALICE, 9, all), expected, "cut at {at}");
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            std::fs::write(path(data), &damaged).expect("writable");
            assert_eq!(done(data, ALICE, 9, all), expected, "damaged at {at}");
        }
    }
}
