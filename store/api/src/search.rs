//! Which messages of a mailbox can hold what a search looks for: the filter in front of SEARCH TEXT.
//!
//! In:  a [`Query`], made of folded texts; a snapshot.
//! Out: UIDs, ascending, of messages that may match; never fewer than do. Whoever asks looks at those alone.
//!
//! What a text contains it contains with all its trigrams: stretches of three octets of folded UTF-8. Messages stand in
//! blocks of up to [`SLOTS`], by UID; a block lists for each trigram the slots that have it ([`block`]). A query reads one
//! such list for each trigram and block and keeps what all of them have. A text shorter than three octets has no trigram,
//! and every message is looked at.
//!
//! A block is made once and stays ([`build`]): a UID's text never changes, and one that is expunged or moved is a UID that
//! nobody finds any more. Nothing is made when mail arrives. The first search that finds a block's worth of messages
//! behind the last block has one made, for its successors; those not in a block yet, 1,023 at most, are looked at one by
//! one. A mailbox that nobody searches costs nothing.
//!
//! Measured with 100,000 messages of 3 KiB (mean, exponential lengths, Zipf words of four scripts, ids as headers have
//! them) in LMDB, cached, one core; medians of words that are in 2 to 5 messages, and of one that is in none and whose
//! three trigrams are in many:
//!
//! | | octets of index for each message | look-up | left of a rare word | of `toria` |
//! |---|---|---|---|---|
//! | a row of 4,096 bits for each message, one hash | 685 | 19 ms | 153 | 2,384 |
//! | bit slices of 1,024 messages, 4,096 rows, one hash | 534 | 0.8 ms | 153 | 2,384 |
//! | the same, 4,096 rows, two hashes | 534 | 0.9 ms | 91 | 8,055 |
//! | the same, 8,192 rows, one hash | 1,069 | 0.9 ms | 46 | 1,816 |
//! | the same, 8,192 rows, two hashes | 1,069 | 1.0 ms | 10 | 3,024 |
//! | lists of slots in blocks of 1,024 (kept) | 1,175 | 1.2 ms | 5 | 59 |
//!
//! All of a search as `bench/benches/search.rs` makes it, messages in no block included: 0.9 ms of CPU for a word that is in
//! none, 1.1 ms where its parts are common; what is in most messages, or has less than three octets, 80 to 100 ms, which is
//! 3 GB/s of text. Making a block takes 48 ms.
//!
//! A message left over costs a microsecond or two, and a long one more: bits of a size fit for the mean are all set in a
//! long text, which is then looked at for every query. Lists do not care how long a text is.

pub mod block;
pub mod build;

use crate::{Error, Snapshot, Table};
use block::{Bits, Block};
use ringpost_types::{AccountId, MailboxId, Uid};

/// Messages of one block at most.
pub const SLOTS: usize = 1_024;
/// Trigrams of one text that are asked for; more would not find fewer.
const TRIGRAMS_MAX: usize = 24;

/// What a message has to contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Anything: the filter knows nothing about it.
    All,
    /// Each of these, as [`mixed`].
    Trigrams(Vec<u32>),
    /// What all of them ask for.
    And(Vec<Query>),
    /// What one of them asks for.
    Or(Vec<Query>),
}

impl Query {
    /// `folded` somewhere in a message's text.
    pub fn contains(folded: &[u8]) -> Query {
        let count = folded.len().saturating_sub(2);
        // Of a long text some that lie apart.
        let step = count.div_ceil(TRIGRAMS_MAX).max(1);
        let mut trigrams: Vec<u32> = folded.windows(3).step_by(step).map(mixed).collect();
        trigrams.sort_unstable();
        trigrams.dedup();
        match trigrams.is_empty() {
            true => Query::All,
            false => Query::Trigrams(trigrams),
        }
    }

    /// What all of `queries` ask for.
    pub fn and(queries: impl IntoIterator<Item = Query>) -> Query {
        let mut left: Vec<Query> = queries.into_iter().collect();
        left.retain(|query| !query.is_all());
        match left.len() {
            0 => Query::All,
            1 => left.remove(0),
            _ => Query::And(left),
        }
    }

    /// What one of `queries` asks for.
    pub fn or(queries: impl IntoIterator<Item = Query>) -> Query {
        let queries: Vec<Query> = queries.into_iter().collect();
        match queries.iter().any(Query::is_all) {
            true => Query::All,
            false => Query::Or(queries),
        }
    }

    /// Whether the filter can say nothing.
    pub fn is_all(&self) -> bool {
        *self == Query::All
    }

    fn slots(&self, block: &Block<'_>) -> Result<Bits, Error> {
        let mut left = block.everyone();
        match self {
            Query::All => {}
            Query::Trigrams(trigrams) => {
                for &trigram in trigrams {
                    left.and(&block.slots(trigram)?);
                    if left.is_empty() {
                        break;
                    }
                }
                left.or(&block.unlisted());
            }
            Query::And(queries) => {
                for query in queries {
                    left.and(&query.slots(block)?);
                    if left.is_empty() {
                        break;
                    }
                }
            }
            Query::Or(queries) => {
                left = Bits::default();
                for query in queries {
                    left.or(&query.slots(block)?);
                }
            }
        }
        Ok(left)
    }
}

/// Three octets as a number of 24 bits, mixed so that all such numbers are about equally common. One to one.
#[inline]
pub fn mixed(trigram: &[u8]) -> u32 {
    let number = u32::from_be_bytes([0, trigram[0], trigram[1], trigram[2]]);
    // An odd factor permutes the numbers below 2^24; the high half is mixed into the low one in between.
    let number = number.wrapping_mul(0x9e_37b1) & 0xff_ffff;
    (number ^ number >> 12).wrapping_mul(0x85_ebcb) & 0xff_ffff
}

/// How far a round of [`candidates`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Blocks go on at this UID: the next round's `from`.
    More(Uid),
    /// There are no more blocks: any message from this UID on may match.
    Done(Uid),
}

/// Looks through blocks from the one that begins at `from` on, the first at UID 1, at most `blocks` of them. UIDs that may
/// match are appended to `found`; some may be gone. Returns how far it came, and how many slots it saw.
pub fn candidates(
    snapshot: &dyn Snapshot,
    (account, mailbox): (AccountId, MailboxId),
    query: &Query,
    from: Uid,
    blocks: usize,
    found: &mut Vec<Uid>,
) -> Result<(Round, usize), Error> {
    let mut next = from;
    let mut slots = 0;
    for _ in 0..blocks {
        let Some(block) = Block::open(snapshot, account, mailbox, next)? else {
            return Ok((Round::Done(next), slots));
        };
        let left = query.slots(&block)?;
        if !left.is_empty() {
            found.extend(
                block
                    .uids()
                    .enumerate()
                    .filter(|(slot, _)| left.has(*slot))
                    .map(|(_, uid)| uid),
            );
        }
        slots += block.len();
        next = block.next();
    }
    Ok((Round::More(next), slots))
}

/// The first UID that is in no block.
pub fn end(snapshot: &dyn Snapshot, account: AccountId, mailbox: MailboxId) -> Result<Uid, Error> {
    let mut next = Uid(1);
    while let Some(block) = Block::open(snapshot, account, mailbox, next)? {
        next = block.next();
    }
    Ok(next)
}

#[cold]
fn damaged(what: &str) -> Error {
    Error::Damaged(format!("table {}: {what}", Table::Filter.name()))
}
