//! A batch of writes in one transaction.
//!
//! In:  writes, in order. Out: what came of each, durable on return; or the error for which none of them stands.
//!
//! Invariant: a write that fails fails alone. One that LMDB cannot take, for a damaged page or a row that is none, spoils
//! the transaction: it is given up and made again without that write, or, where it is a mail to several accounts or to some
//! and the queue, without those that the damage concerns. What fails for all (no room, an I/O error) is the error of the whole.

use crate::env::Opened;
use crate::rows::Trouble;
use ringpost_api::apply::{self, Edits, Terms};
use ringpost_api::item::Item;
use ringpost_api::write::{Deliver, Target};
use ringpost_api::{Changed, Error, Outcome, Snapshot, Write, read};
use ringpost_types::{AccountId, MailboxId};
use std::collections::BTreeMap;

/// What came of a batch.
#[derive(Default)]
pub(crate) struct Applied {
    /// One for each write.
    pub outcomes: Vec<Result<Outcome, Error>>,
    /// Each mailbox once, with its latest MODSEQ.
    pub changed: Vec<Changed>,
    /// Octets of mail that nobody refers to any more.
    pub freed_octets: u64,
    /// What an operator should know.
    pub lines: Vec<String>,
}

impl Applied {
    fn clear(&mut self) {
        self.outcomes.clear();
        self.changed.clear();
        self.lines.clear();
        self.freed_octets = 0;
    }
}

/// Applies and commits. `edits` is room to work in.
pub(crate) fn commit<'w>(
    opened: &Opened,
    writes: impl Iterator<Item = &'w Write> + Clone,
    terms: Terms<'_>,
    edits: &mut Edits,
) -> Result<Applied, Error> {
    let mut applied = Applied::default();
    let mut spoilers: BTreeMap<usize, Spoiler> = BTreeMap::new();
    'again: loop {
        applied.clear();
        let mut rows = opened.write()?;
        for (number, write) in writes.clone().enumerate() {
            let spoiler = spoilers.get(&number);
            let part = match spoiler {
                None => write,
                Some(Spoiler::Part { part, .. }) => part,
                Some(Spoiler::Whole(error)) => {
                    refused(write, error, &mut applied);
                    continue;
                }
            };
            let outcome = apply::apply(&mut rows, part, terms, edits);
            if let (Write::Deliver(deliver), Ok(Ok(Outcome::Done))) = (part, &outcome) {
                changed_before(&rows, deliver, edits);
            }
            match (rows.trouble(), outcome) {
                (Trouble::None, Ok(outcome)) => {
                    if let Some(Spoiler::Part { missed, queue, .. }) = spoiler {
                        edits.missed.extend_from_slice(missed);
                        tell_unqueued(write, queue.as_ref(), &mut applied.lines);
                    }
                    note(write, outcome, edits, &mut applied);
                }
                (Trouble::Write, outcome) => {
                    drop(rows);
                    let error = outcome.and_then(|outcome| outcome.map(drop)).err();
                    let error = error.unwrap_or(Error::Damaged("index: a damaged page".into()));
                    let again = match spoiler {
                        None => Spoiler::of(opened, write, error, terms, edits)?,
                        Some(_) => Spoiler::Whole(error),
                    };
                    spoilers.insert(number, again);
                    continue 'again;
                }
                (_, Err(error)) => return Err(error),
                (Trouble::Failed, Ok(outcome)) => {
                    return Err(outcome.err().unwrap_or(Error::Io("index".into())));
                }
            }
        }
        rows.commit()?;
        once_each(&mut applied.changed);
        return Ok(applied);
    }
}

/// A write that spoilt the transaction, and what can be done of it.
#[allow(clippy::large_enum_variant)] // There is hardly ever one.
enum Spoiler {
    /// Nothing.
    Whole(Error),
    /// A mail without those accounts whose rows are damaged, and without its items where those of the queue are. Nobody
    /// waits for one that goes to several.
    Part {
        part: Write,
        missed: Vec<(AccountId, Error)>,
        queue: Option<Error>,
    },
}

impl Spoiler {
    /// Tries a mail on each of its accounts alone, and on the queue, in transactions that are given up.
    fn of(
        opened: &Opened,
        write: &Write,
        error: Error,
        terms: Terms<'_>,
        edits: &mut Edits,
    ) -> Result<Self, Error> {
        let Write::Deliver(deliver) = write else {
            return Ok(Spoiler::Whole(error));
        };
        let mut alone = |targets: &[Target], items: &[Item]| -> Result<Option<Error>, Error> {
            let part = Write::Deliver(Deliver {
                targets: targets.to_vec(),
                items: items.to_vec(),
                ..deliver.clone()
            });
            let mut rows = opened.write()?;
            let outcome = apply::apply(&mut rows, &part, terms, edits);
            Ok(match rows.trouble() {
                Trouble::None => None,
                _ => {
                    let own = outcome.and_then(|outcome| outcome.map(drop)).err();
                    Some(own.unwrap_or(error.clone()))
                }
            })
        };
        let mut part = Deliver {
            targets: Vec::new(),
            ..deliver.clone()
        };
        let mut missed = Vec::new();
        for target in &deliver.targets {
            match alone(std::slice::from_ref(target), &[])? {
                None => part.targets.push(target.clone()),
                Some(error) => missed.push((target.account, error)),
            }
        }
        let queue = match deliver.items.is_empty() {
            true => None,
            false => alone(&[], &deliver.items)?,
        };
        if queue.is_some() {
            part.items.clear();
        }
        let is_nothing = part.targets.is_empty() && part.items.is_empty();
        let is_whole = missed.is_empty() && queue.is_none();
        Ok(match is_nothing || is_whole {
            true => Spoiler::Whole(error),
            false => Spoiler::Part {
                part: Write::Deliver(part),
                missed,
                queue,
            },
        })
    }
}

fn note(write: &Write, outcome: Result<Outcome, Error>, edits: &Edits, applied: &mut Applied) {
    tell_missed(write, &outcome, edits, &mut applied.lines);
    applied.outcomes.push(outcome);
    applied.changed.extend_from_slice(&edits.changed);
    let freed = edits.freed.iter().map(|freed| freed.octets);
    applied.freed_octets += freed.sum::<u64>();
}

/// A mail that is there already: the commit that brought it was told as failed, and nobody heard of it.
fn changed_before(rows: &dyn Snapshot, deliver: &Deliver, edits: &mut Edits) {
    for target in &deliver.targets {
        let inbox = MailboxId::INBOX;
        let row = |id| read::mailbox(rows, target.account, id).ok().flatten();
        let found = row(target.mailbox).map(|row| (target.mailbox, row));
        let found = found.or_else(|| row(inbox).map(|row| (inbox, row)));
        edits.changed.extend(found.map(|(mailbox, row)| Changed {
            account: target.account,
            mailbox,
            modseq: row.highest_modseq,
        }));
    }
}

/// The write that would spoil the others.
fn refused(write: &Write, error: &Error, applied: &mut Applied) {
    let outcome = Err(error.clone());
    tell_missed(write, &outcome, &Edits::default(), &mut applied.lines);
    applied.outcomes.push(outcome);
}

/// Tells which accounts an accepted mail did not reach, and why: nobody else hears of it.
fn tell_missed(
    write: &Write,
    outcome: &Result<Outcome, Error>,
    edits: &Edits,
    lines: &mut Vec<String>,
) {
    let Write::Deliver(deliver) = write else {
        return;
    };
    let place = place(deliver);
    for (account, error) in &edits.missed {
        lines.push(format!(
            "an accepted mail did not reach account {account}: {error}; it is kept {place}"
        ));
    }
    match outcome {
        // An APPEND whose mailbox is gone, or full, is answered, and that is all.
        Ok(_) | Err(Error::NoMailbox | Error::NoAccount | Error::Quota) => {}
        Err(error) => lines.push(format!(
            "a mail was not put into the index: {error}; it is kept {place}"
        )),
    }
}

/// Tells that an accepted mail is not on its way to those elsewhere, and why.
fn tell_unqueued(write: &Write, error: Option<&Error>, lines: &mut Vec<String>) {
    if let (Write::Deliver(deliver), Some(error)) = (write, error) {
        let place = place(deliver);
        lines.push(format!(
            "an accepted mail is not in the queue: {error}; it is kept {place}"
        ));
    }
}

fn place(deliver: &Deliver) -> String {
    let Deliver {
        blob,
        segment,
        offset,
        ..
    } = deliver;
    let log = blob.log();
    format!("at octet {offset} of segment {segment} of log {log}")
}

/// Each mailbox once, with its latest MODSEQ.
fn once_each(changed: &mut Vec<Changed>) {
    changed.sort_unstable_by_key(|c| (c.account, c.mailbox, std::cmp::Reverse(c.modseq)));
    changed.dedup_by_key(|c| (c.account, c.mailbox));
}
