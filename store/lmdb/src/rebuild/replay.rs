//! What the logs tell, put into a new index: deliveries, moved mails, space.
//!
//! ```text
//! log 0  ---.
//! log 1  ---+--- the oldest next, by INTERNALDATE ---> its mailboxes ---> table rows
//! moved  ---'                                          the account is gone: left out
//!                                                      nobody knows of it: recovered-<id>, without a password
//!                                                      the mailbox is gone: mailbox Recovered of its account
//! ```
//! In:  every record of every log, from the first segment on. Out: rows, and what is said of each account.
//!
//! A mail that moved has two records for as long as its first one was not punched out. Whichever comes first brings it into
//! its mailboxes; the second frees the place that is not the newer one.

use super::salvage::Known;
use super::{Account, DAMAGES_MAX, Rebuilt, Told, at, failed};
use crate::env::{Change, Env};
use crate::open::{OpenError, recover_failed};
use crate::tidy::{self, Place};
use ringpost_api::apply::{self, Edits, Rows, Terms};
use ringpost_api::item::{Item, State};
use ringpost_api::table::Stretch;
use ringpost_api::write::{Deliver, Missing, Position, Target};
use ringpost_api::{Error, Outcome, Snapshot, Table, Write, key, read};
use ringpost_log::record::{Entry, Moved};
use ringpost_log::recover::{Damage, Found, Recovery};
use ringpost_log::segment::{self, HEAD_OCTETS, Holds};
use ringpost_types::{AccountId, BlobId, MailboxId, Uid};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// Records of one transaction.
const RECORDS_MAX: usize = 4_000;
/// Octets of their digests, texts and prefixes, about.
const OCTETS_MAX: usize = 16 * 1024 * 1024;
/// Where mail goes whose mailbox is gone.
const RECOVERED: &str = "Recovered";

/// A log and the record that is its next one.
struct Source {
    log: u16,
    recovery: Recovery,
    next: Option<Entry>,
}

struct Replay<'r> {
    data: &'r Path,
    domain: &'r str,
    known: Known,
    terms: Terms<'r>,
    rebuilt: &'r mut Rebuilt,
    edits: Edits,
    accounts: BTreeMap<AccountId, Owner>,
    /// Octets of each segment that records or damage take: the rest is zero.
    taken: BTreeMap<Place, u64>,
    /// The highest sequence that each log has given to a mail.
    sequences: BTreeMap<u16, u64>,
    done: u64,
    total: u64,
}

/// An account that mail came for.
#[derive(Clone, Default)]
struct Owner {
    /// None: it was removed.
    account: Option<Account>,
    recovered: Option<MailboxId>,
}

/// Replays all logs into `env`.
pub(super) fn replay(
    env: &Env,
    data: &Path,
    domain: &str,
    known: Known,
    terms: Terms<'_>,
    rebuilt: &mut Rebuilt,
    told: Told<'_>,
) -> Result<(), OpenError> {
    let failed = failed(data);
    let files = tidy::files(data).map_err(at(data))?;
    let mut replay = Replay {
        data,
        domain,
        known,
        terms,
        rebuilt,
        edits: Edits::default(),
        accounts: BTreeMap::new(),
        taken: BTreeMap::new(),
        sequences: BTreeMap::new(),
        done: 0,
        total: files
            .iter()
            .map(|(&place, &holds)| tidy::allocated(data, place, holds))
            .sum(),
    };
    let mut sources = Vec::new();
    for log in segment::logs(data).map_err(at(data))? {
        let recovery = Recovery::open(data, log, Position::default()).map_err(recover_failed)?;
        let mut source = Source {
            log,
            recovery,
            next: None,
        };
        replay.advance(&mut source)?;
        sources.push(source);
    }
    let opened = env.opened().map_err(&failed)?;
    loop {
        let mut rows = opened.write().map_err(&failed)?;
        let (mut records, mut octets) = (0, 0);
        while records < RECORDS_MAX && octets < OCTETS_MAX {
            let oldest = sources
                .iter_mut()
                .filter(|source| source.next.is_some())
                .min_by_key(|source| source.next.as_ref().map(date));
            let Some(source) = oldest else { break };
            let Some(entry) = source.next.take() else {
                break;
            };
            octets += weight(&entry);
            records += 1;
            replay
                .entry(&mut rows, source.log, entry)
                .map_err(&failed)?;
            replay.advance(source)?;
        }
        if records == 0 {
            replay.finish(&mut rows, &files)?;
        }
        rows.commit().map_err(&failed)?;
        if told(replay.done.min(replay.total), replay.total).is_break() {
            return Err(failed(Error::Closed));
        }
        if records == 0 {
            break;
        }
    }
    let accounts = replay.accounts.into_values();
    let mut accounts: Vec<Account> = accounts.filter_map(|owner| owner.account).collect();
    accounts.retain(|account| account.messages > 0 || account.made);
    rebuilt.messages = accounts.iter().map(|account| account.messages).sum();
    rebuilt.accounts = accounts;
    Ok(())
}

/// When its mail came in, as far as its record tells.
fn date(entry: &Entry) -> u64 {
    let targets = match entry {
        Entry::Deliver(deliver) => &deliver.targets,
        Entry::Relocate(moved) => &moved.targets,
    };
    let items = match entry {
        Entry::Deliver(deliver) => &deliver.items,
        Entry::Relocate(moved) => &moved.items,
    };
    let local = targets.first().map(|target| target.internal_date);
    let leaves = || items.first().map(|item| item.head.created / 1_000);
    local.or_else(leaves).unwrap_or(0)
}

/// Octets that it brings into the index.
fn weight(entry: &Entry) -> usize {
    let (targets, digest, text) = match entry {
        Entry::Deliver(deliver) => (&deliver.targets, &deliver.digest, &deliver.text),
        Entry::Relocate(moved) => (&moved.targets, &moved.digest, &moved.text),
    };
    let prefixes = targets.iter().map(|target| target.prefix.len() + 100);
    digest.len() + text.len() + prefixes.sum::<usize>()
}

impl Replay<'_> {
    /// The next record of a log; damage on the way is told.
    fn advance(&mut self, source: &mut Source) -> Result<(), OpenError> {
        while source.next.is_none() {
            match source.recovery.step().map_err(recover_failed)? {
                Some(Found::Record(entry)) => {
                    let record = entry.place().record;
                    *self.taken.entry((source.log, record.segment)).or_default() += record.octets;
                    self.done += record.octets;
                    source.next = Some(entry);
                }
                Some(Found::Damage(damage)) => self.damage(source.log, damage)?,
                None => break,
            }
        }
        Ok(())
    }

    /// A stretch that is no record: what was punched out is zero, and no damage.
    fn damage(&mut self, log: u16, damage: Damage) -> Result<(), OpenError> {
        let Damage {
            segment,
            offset,
            octets,
        } = damage;
        let path = segment::path(self.data, log, segment);
        let zero = File::open(&path).and_then(|file| tidy::is_zero(&file, offset, offset + octets));
        if zero.map_err(at(&path))? {
            return Ok(());
        }
        *self.taken.entry((log, segment)).or_default() += octets;
        let line = format!("{octets} octets from {offset} of segment {segment} of log {log}");
        match self.rebuilt.damages.len() < DAMAGES_MAX {
            true => self.rebuilt.damages.push(line),
            false => self.rebuilt.more_damages += 1,
        }
        Ok(())
    }

    fn entry(&mut self, rows: &mut Change<'_>, log: u16, entry: Entry) -> Result<(), Error> {
        let blob = entry.blob();
        let highest = self.sequences.entry(blob.log()).or_default();
        *highest = (*highest).max(blob.sequence());
        let known = read::blob(&*rows, blob)?.is_some();
        match entry {
            Entry::Deliver(mut deliver) => {
                // Its moved copy came first: this place is free.
                match known {
                    true => {
                        deliver.targets.clear();
                        deliver.items.clear();
                    }
                    false => {
                        self.address(rows, &mut deliver.targets)?;
                        deliver.items = self.items(blob, deliver.items);
                    }
                }
                self.deliver(rows, deliver)
            }
            Entry::Relocate(moved) => {
                debug_assert_eq!(moved.relocate.log, log);
                if !known {
                    self.moved(rows, &moved)?;
                }
                self.apply(rows, &Write::Relocate(moved.relocate)).map(drop)
            }
        }
    }

    /// A moved mail whose first record is gone, or comes later: into its mailboxes, as if it had come in now.
    fn moved(&mut self, rows: &mut Change<'_>, moved: &Moved) -> Result<(), Error> {
        let blob = moved.relocate.blob;
        let applied = key::log(blob.log());
        let before = rows.get(Table::Applied, &applied)?.map(<[u8]>::to_vec);
        let position = read::applied(&*rows, blob.log())?;
        let mut targets = moved.targets.clone();
        self.address(rows, &mut targets)?;
        let items = self.items(blob, moved.items.clone());
        let deliver = Deliver {
            blob,
            segment: moved.relocate.record.segment,
            offset: 0,
            octets: moved.octets,
            // At no place yet: the relocation that follows frees nothing.
            stored: 0,
            encoding: moved.relocate.encoding,
            record: Stretch {
                segment: moved.relocate.record.segment,
                ..Stretch::default()
            },
            checksum: moved.relocate.checksum,
            digest: moved.digest.clone(),
            text: moved.text.clone(),
            targets,
            items,
            next: Position {
                sequence: position.sequence + 1,
                ..position
            },
        };
        self.deliver(rows, deliver)?;
        // How far its own log is applied is its own records' to say.
        match before {
            Some(before) => rows.put(Table::Applied, &applied, &before),
            None => rows.delete(Table::Applied, &applied),
        }
    }

    /// Of the items that a mail came with, those that come back.
    fn items(&mut self, blob: BlobId, items: Vec<Item>) -> Vec<Item> {
        let items = self.known.items.of(blob, items);
        self.rebuilt.items += items.len() as u64;
        let held = items.iter().filter(|item| item.head.state == State::Held);
        self.rebuilt.held += held.count() as u64;
        items
    }

    fn deliver(&mut self, rows: &mut Change<'_>, deliver: Deliver) -> Result<(), Error> {
        let leaves = !deliver.items.is_empty();
        let outcome = self.apply(rows, &Write::Deliver(deliver))?;
        let Ok(Outcome::Delivered(placed)) = outcome else {
            return Ok(());
        };
        let placed = placed.iter().filter(|placed| placed.uid != Uid(0));
        let mut any = leaves;
        for place in placed {
            any = true;
            let owner = self.accounts.entry(place.account).or_default();
            if let Some(account) = &mut owner.account {
                account.messages += 1;
            }
        }
        self.rebuilt.mails += u64::from(any);
        Ok(())
    }

    fn apply(
        &mut self,
        rows: &mut Change<'_>,
        write: &Write,
    ) -> Result<Result<Outcome, Error>, Error> {
        apply::apply(rows, write, self.terms, &mut self.edits)
    }

    /// Leads every target somewhere; those of accounts that are gone are left out.
    fn address(&mut self, rows: &mut Change<'_>, targets: &mut Vec<Target>) -> Result<(), Error> {
        let had = targets.len();
        let mut led = Vec::with_capacity(had);
        for mut target in targets.drain(..) {
            if !self.owner(rows, target.account)? {
                continue;
            }
            if read::mailbox(&*rows, target.account, target.mailbox)?.is_none() {
                target.mailbox = self.recovered(rows, target.account)?;
            }
            // Nobody waits for an answer: what was accepted is kept.
            target.missing = Missing::Inbox;
            led.push(target);
        }
        *targets = led;
        self.rebuilt.dropped += u64::from(had > 0 && targets.is_empty());
        Ok(())
    }

    /// Sees to an account; whether there is one.
    fn owner(&mut self, rows: &mut Change<'_>, id: AccountId) -> Result<bool, Error> {
        if let Some(owner) = self.accounts.get(&id) {
            return Ok(owner.account.is_some());
        }
        let known = read::account(&*rows, id)?.map(|row| row.name.to_owned());
        let account = match known {
            Some(name) => Some(Account {
                id: id.0,
                name,
                made: false,
                messages: 0,
            }),
            // It was there once, and was removed.
            None if id.0 < self.known.next_account => None,
            None => Some(self.make(rows, id)?),
        };
        let there = account.is_some();
        let owner = Owner {
            account,
            recovered: None,
        };
        self.accounts.insert(id, owner);
        Ok(there)
    }

    /// Makes an account of this very id. It has no password, so nobody can log in.
    fn make(&mut self, rows: &mut Change<'_>, id: AccountId) -> Result<Account, Error> {
        let next = read::number(&*rows, "next_account")?;
        rows.put(Table::Setting, b"next_account", &id.0.to_le_bytes())?;
        let name = (0..)
            .map(|number| match number {
                0 => format!("recovered-{id}@{}", self.domain),
                number => format!("recovered-{id}-{number}@{}", self.domain),
            })
            .find(|name| read::address(&*rows, name).is_ok_and(|row| row.is_none()));
        let name = name.ok_or(Error::Exists)?;
        let create = Write::AccountCreate {
            name: name.clone(),
            secret: String::new(),
            scram: None,
        };
        self.apply(rows, &create)??;
        let next = next.max(id.0.saturating_add(1));
        rows.put(Table::Setting, b"next_account", &next.to_le_bytes())?;
        Ok(Account {
            id: id.0,
            name,
            made: true,
            messages: 0,
        })
    }

    /// The mailbox for mail whose own is gone.
    fn recovered(&mut self, rows: &mut Change<'_>, account: AccountId) -> Result<MailboxId, Error> {
        if let Some(id) = self
            .accounts
            .get(&account)
            .and_then(|owner| owner.recovered)
        {
            return Ok(id);
        }
        let id = match read::mailbox_id(&*rows, account, RECOVERED)? {
            Some(id) => id,
            None => {
                let create = Write::MailboxCreate {
                    account,
                    name: RECOVERED.to_owned(),
                    special: 0,
                };
                match self.apply(rows, &create)?? {
                    Outcome::Mailbox(id) => id,
                    _ => MailboxId::INBOX,
                }
            }
        };
        self.accounts.entry(account).or_default().recovered = Some(id);
        Ok(id)
    }

    /// Where logs go on, and what of their segments is zero.
    fn finish(
        &mut self,
        rows: &mut Change<'_>,
        files: &BTreeMap<Place, Holds>,
    ) -> Result<(), OpenError> {
        let failed = failed(self.data);
        let mut logs: BTreeMap<u16, Position> = std::mem::take(&mut self.known.applied);
        for &(log, _) in files.keys() {
            logs.entry(log).or_default();
        }
        for (log, old) in logs {
            let mut position = read::applied(&*rows, log).map_err(&failed)?;
            if position == Position::default() {
                position = old;
            }
            // What is damaged in front of where the log went on is no torn tail: the next start is not to cut it off.
            let path = segment::path(self.data, log, old.segment);
            if (old.segment, old.offset) > (position.segment, position.offset)
                && path.metadata().is_ok_and(|found| old.offset <= found.len())
            {
                let offset = match position.segment == old.segment {
                    true => position.offset.max(HEAD_OCTETS),
                    false => HEAD_OCTETS,
                };
                let damage = Damage {
                    segment: old.segment,
                    offset,
                    octets: old.offset.saturating_sub(offset),
                };
                self.damage(log, damage)?;
                (position.segment, position.offset) = (old.segment, old.offset);
            }
            // A number that was given once names one mail for ever, also one that is not in its log any more.
            let given = self.sequences.get(&log).map_or(0, |&highest| highest + 1);
            position.sequence = position.sequence.max(old.sequence).max(given);
            if position.sequence > 0 {
                rows.put(Table::Applied, &key::log(log), &position.encode())
                    .map_err(&failed)?;
            }
            let closed = files.iter().filter(|((of, number), holds)| {
                *of == log && *number < position.segment && **holds == Holds::Records
            });
            for (&(_, number), _) in closed {
                let path = segment::path(self.data, log, number);
                let octets = path.metadata().map_err(at(&path))?.len();
                let taken = self.taken.get(&(log, number)).copied().unwrap_or(0);
                let zero = octets.saturating_sub(HEAD_OCTETS).saturating_sub(taken);
                if zero > 0 {
                    let mut row = read::segment(&*rows, log, number).map_err(&failed)?;
                    row.dead_octets += zero;
                    row.dead_records += 1;
                    rows.put(Table::Segment, &key::segment(log, number), &row.encode())
                        .map_err(&failed)?;
                }
            }
        }
        Ok(())
    }
}
