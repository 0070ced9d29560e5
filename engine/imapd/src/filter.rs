//! The filter in front of SEARCH: which messages are worth a look; and its making.
//!
//! In:  what a search asks (`api::search::Query`). Out: places in the view, a bounded round at a time.
//!
//! Making a block takes some tens of milliseconds of work: the search that finds messages without one is answered first,
//! and a task of the shard makes the blocks in rounds, a commit for each. Only SEARCH pays, and only the first.

use crate::context::Context;
use crate::outcome::Refusal;
use crate::session::Session;
use ringpost_api::search::build::Builder;
use ringpost_api::search::{self, Query, Round, SLOTS};
use ringpost_api::text::{self, Scratch};
use ringpost_api::{Error, Outcome, Write, read};
use ringpost_message::searchable;
use ringpost_runtime::time;
use ringpost_types::{AccountId, MailboxId, Uid};
use std::ops::{ControlFlow, Range};
use std::rc::Rc;

/// Blocks asked in one round: some ten microseconds each.
const BLOCKS: usize = 32;
/// Messages that are sooner looked at than sought in the filter.
const MESSAGES_MIN: usize = 64;
/// Messages and octets of text taken into a block in one round: about a millisecond.
const ROWS: usize = 256;
const OCTETS: usize = 128 * 1024;
/// Blocks being made on one shard, each with some 20 MiB.
const BUILDERS_MAX: usize = 2;

/// What the filter of a mailbox needs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Upkeep {
    Nothing,
    /// So many blocks from this UID on.
    Grow(Uid, usize),
    /// Most of what it lists is gone.
    Shrink,
}

/// The part of `places` that may fit `query`; and what is to be done when the search is answered.
pub(crate) async fn places(
    session: &mut Session,
    query: &Query,
    places: Vec<Range<usize>>,
) -> Result<(Vec<Range<usize>>, Upkeep), Refusal> {
    let count: usize = places.iter().map(ExactSizeIterator::len).sum();
    if query.is_all() || count < MESSAGES_MIN {
        return Ok((places, Upkeep::Nothing));
    }
    let view = session.selected()?;
    let mailbox = (view.account, view.mailbox);
    let (mut found, mut from, mut slots) = (Vec::new(), Uid(1), 0);
    let end = loop {
        let snapshot = session.snapshot()?;
        let asked = search::candidates(&*snapshot, mailbox, query, from, BLOCKS, &mut found);
        drop(snapshot);
        let (round, seen) = asked?;
        slots += seen;
        match round {
            Round::More(next) => from = next,
            Round::Done(end) => break end,
        }
        session.breathe().await?;
    };
    let view = session.selected()?;
    let uids = view.uids();
    let listed = uids.partition_point(|&uid| uid < end.0);
    let upkeep = match (uids.len() - listed) / SLOTS {
        0 if slots > 2 * uids.len() + 2 * SLOTS => Upkeep::Shrink,
        0 => Upkeep::Nothing,
        blocks => Upkeep::Grow(end, blocks),
    };
    let mut left = Places::default();
    let mut at = 0;
    for uid in found {
        // Where nearly all may fit, the next one is the next one.
        if uids[at..listed].first().is_some_and(|&known| known < uid.0) {
            at += uids[at..listed].partition_point(|&known| known < uid.0);
        }
        if uids[at..listed].first() == Some(&uid.0) {
            left.add(at..at + 1);
            at += 1;
        }
    }
    left.add(listed..uids.len());
    Ok((both(&places, &left.0), upkeep))
}

/// Ranges, ascending and apart.
#[derive(Default)]
struct Places(Vec<Range<usize>>);

impl Places {
    /// A range behind those there are.
    fn add(&mut self, range: Range<usize>) {
        match self.0.last_mut() {
            _ if range.is_empty() => {}
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.0.push(range),
        }
    }
}

/// What two lists of ranges, each ascending and apart, have in common.
fn both(one: &[Range<usize>], other: &[Range<usize>]) -> Vec<Range<usize>> {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    let mut common = Places::default();
    while let (Some(a), Some(b)) = (one.peek(), other.peek()) {
        let (start, end) = (a.start.max(b.start), a.end.min(b.end));
        common.add(start..end.max(start));
        match a.end < b.end {
            true => one.next(),
            false => other.next(),
        };
    }
    common.0
}

/// Has a task of the shard do what the filter needs. Behind the search: text rows that it left are listed.
pub(crate) fn keep_up(context: &Rc<Context>, mailbox: (AccountId, MailboxId), upkeep: Upkeep) {
    match upkeep {
        Upkeep::Nothing => {}
        Upkeep::Grow(from, blocks) => grow(context, mailbox, from, blocks),
        Upkeep::Shrink => shrink(context, mailbox),
    }
}

/// Has blocks made, `blocks` of them if the store still has so many messages.
fn grow(context: &Rc<Context>, mailbox: (AccountId, MailboxId), from: Uid, blocks: usize) {
    in_background(context, mailbox, async move |context| {
        let mut first = from;
        for _ in 0..blocks {
            let Some(builder) = build(context, mailbox, first).await? else {
                break;
            };
            first = builder.next();
            let (account, mailbox) = mailbox;
            let write = Write::Filter {
                account,
                mailbox,
                first: builder.first(),
                rows: builder.rows(),
            };
            context.shard.tickets.submit(&*context.store, write).await?;
        }
        Ok(())
    });
}

/// Has the filter dropped: most of what it lists is gone. A later search has it made anew.
fn shrink(context: &Rc<Context>, (account, mailbox): (AccountId, MailboxId)) {
    in_background(context, (account, mailbox), async move |context| {
        loop {
            let write = Write::Unfilter { account, mailbox };
            let dropped = context.shard.tickets.submit(&*context.store, write).await?;
            if dropped != (Outcome::Swept { more: true }) {
                return Ok(());
            }
        }
    });
}

/// Runs `work` as a task of the shard, unless the mailbox is being worked on already, or as many as may be are.
fn in_background(
    context: &Rc<Context>,
    mailbox: (AccountId, MailboxId),
    work: impl AsyncFnOnce(&Rc<Context>) -> Result<(), Error> + 'static,
) {
    let mut filtering = context.filtering.borrow_mut();
    if filtering.len() >= BUILDERS_MAX || filtering.contains(&mailbox) {
        return;
    }
    filtering.push(mailbox);
    drop(filtering);
    let context = context.clone();
    ringpost_runtime::spawn(async move {
        // A mailbox that went meanwhile, or a store that is full: the next search tries again.
        let _ = work(&context).await;
        context
            .filtering
            .borrow_mut()
            .retain(|known| *known != mailbox);
    });
}

/// A block of the messages from `first` on, packed; `None` where there are too few of them, or the server drains.
async fn build(
    context: &Rc<Context>,
    mailbox: (AccountId, MailboxId),
    first: Uid,
) -> Result<Option<Builder>, Error> {
    let mut builder = Builder::new(first);
    let mut buffers = Buffers::default();
    while !builder.is_full() {
        if context.shard.draining() || !gather(context, mailbox, &mut builder, &mut buffers)? {
            return Ok(None);
        }
        time::turn().await;
    }
    while !builder.pack() {
        time::turn().await;
    }
    Ok(Some(builder))
}

#[derive(Default)]
struct Buffers {
    row: Scratch,
    prefix: Vec<u8>,
}

/// Takes some messages into the block; whether there were any.
fn gather(
    context: &Rc<Context>,
    (account, mailbox): (AccountId, MailboxId),
    builder: &mut Builder,
    buffers: &mut Buffers,
) -> Result<bool, Error> {
    let snapshot = context.store.snapshot()?;
    let snapshot = &*snapshot;
    let (mut rows, mut octets, mut failed) = (0, 0, None);
    let from = builder.next();
    read::messages(snapshot, account, mailbox, from, |uid, row| {
        let Buffers {
            row: scratch,
            prefix,
        } = &mut *buffers;
        prefix.clear();
        let own = match row.prefix_octets {
            0 => Ok(()),
            _ => read::prefix(snapshot, account, mailbox, uid)
                .map(|octets| searchable::fields_into(octets, prefix)),
        };
        match own.and_then(|()| text::read(snapshot, row.blob, scratch)) {
            Ok(text) => {
                octets += text.map_or(0, |text| text.all().len()) + prefix.len();
                builder.add(uid, text.map(|text| [text.all(), &prefix[..]]));
            }
            // What cannot be read is looked at, and then told.
            Err(Error::Damaged(_)) => builder.add(uid, None),
            Err(error) => failed = Some(error),
        }
        rows += 1;
        match failed.is_none() && rows < ROWS && octets < OCTETS && !builder.is_full() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    failed.map_or(Ok(rows > 0), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_in_common() {
        /// Two lists, and what they have in common.
        type Case<'r> = (&'r [Range<usize>], &'r [Range<usize>], &'r [Range<usize>]);
        #[allow(clippy::single_range_in_vec_init)] // Lists of ranges is what they are.
        let cases: &[Case<'_>] = &[
            (&[], &[0..9], &[]),
            (&[0..9], &[0..9], &[0..9]),
            (&[0..5], &[5..9], &[]),
            (&[0..5, 7..9], &[1..2, 4..8], &[1..2, 4..5, 7..8]),
            (&[3..4], &[0..9], &[3..4]),
            (&[0..9], &[1..2, 2..3, 8..12], &[1..3, 8..9]),
        ];
        for (one, other, common) in cases {
            assert_eq!(both(one, other), *common, "{one:?} {other:?}");
            assert_eq!(both(other, one), *common, "{other:?} {one:?}");
        }
    }
}
