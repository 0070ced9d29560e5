//! The outbound queue: items come with a mail, are held, released, dropped.
//!
//! In:  items of a delivery; ids that an operator names.
//! Out: rows of the tables queue and due; references of mails.
//!
//! Invariants: an item has one row in table due while it is not held, and none while it is; it counts as one reference
//! of its mail. Items that are gone are passed over: who names them looked some time ago.

use super::ITEMS_MAX;
use super::draft::Draft;
use crate::item::{Head, Item, State};
use crate::{Error, Outcome, Table, key, read};
use ringpost_types::{BlobId, ItemId};
use std::ops::ControlFlow;

/// A new item of the mail `blob`, whose references are the caller's to count.
pub(super) fn put(draft: &mut Draft<'_>, blob: BlobId, item: &Item) -> Result<(), Error> {
    let id = draft.item()?;
    let item = Item {
        head: Head { blob, ..item.head },
        ..item.clone()
    };
    put_row(draft, id, &item)
}

fn put_row(draft: &mut Draft<'_>, id: ItemId, item: &Item) -> Result<(), Error> {
    let mut fits = None;
    draft
        .edits
        .put_with(Table::Queue, &key::item(id), |out| fits = item.encode(out));
    fits.ok_or(Error::Cannot(
        "an item of the queue is too long, or for nobody",
    ))?;
    if item.head.state != State::Held {
        let due = key::due(item.head.due, id);
        draft.edits.put(Table::Due, &due, &[]);
    }
    Ok(())
}

fn bounded(items: &[ItemId]) -> Result<(), Error> {
    match items.len() <= ITEMS_MAX {
        true => Ok(()),
        false => Err(Error::Limit("items of one write")),
    }
}

/// Does something to each of those that are there, once; those to which it was done.
fn each(
    draft: &mut Draft<'_>,
    items: &[ItemId],
    mut change: impl FnMut(&mut Draft<'_>, ItemId, Item) -> Result<bool, Error>,
) -> Result<Outcome, Error> {
    bounded(items)?;
    let mut done = Vec::with_capacity(items.len());
    for &id in items {
        if done.contains(&id) {
            continue;
        }
        let Some(row) = read::item(draft.rows, id)? else {
            continue;
        };
        let item = row.to_item();
        if change(draft, id, item)? {
            done.push(id);
        }
    }
    Ok(Outcome::Items(done))
}

/// One that is held already is held for the new reason.
pub(super) fn hold(draft: &mut Draft<'_>, items: &[ItemId], why: &str) -> Result<Outcome, Error> {
    each(draft, items, |draft, id, mut item| {
        let due = key::due(item.head.due, id);
        draft.edits.delete(Table::Due, &due);
        item.head.state = State::Held;
        why.clone_into(&mut item.why);
        put_row(draft, id, &item)?;
        Ok(true)
    })
}

/// One that is not held is left as it is.
pub(super) fn release(draft: &mut Draft<'_>, items: &[ItemId]) -> Result<Outcome, Error> {
    each(draft, items, |draft, id, mut item| {
        if item.head.state != State::Held {
            return Ok(false);
        }
        item.head.state = match item.head.attempts {
            0 => State::Queued,
            _ => State::Deferred,
        };
        item.why.clear();
        put_row(draft, id, &item)?;
        Ok(true)
    })
}

pub(super) fn drop(draft: &mut Draft<'_>, items: &[ItemId]) -> Result<Outcome, Error> {
    bounded(items)?;
    let mut gone = Vec::with_capacity(items.len());
    for &id in items {
        if gone.contains(&id) {
            continue;
        }
        let head = match read::item(draft.rows, id) {
            Ok(None) => continue,
            Ok(Some(row)) => Some(row.head),
            Err(Error::Damaged(_)) => None,
            Err(error) => return Err(error),
        };
        draft.edits.delete(Table::Queue, &key::item(id));
        match head {
            Some(head) => {
                draft.edits.delete(Table::Due, &key::due(head.due, id));
                draft.release_blob(head.blob)?;
            }
            // Its mail stays, for nobody knows which it was.
            None => forget_due(draft, id)?,
        }
        gone.push(id);
    }
    Ok(Outcome::Items(gone))
}

/// Looks through all of table due.
#[cold]
fn forget_due(draft: &mut Draft<'_>, item: ItemId) -> Result<(), Error> {
    let Draft { rows, edits, .. } = draft;
    read::due(*rows, (0, ItemId(0)), |ms, id| match id == item {
        true => {
            edits.delete(Table::Due, &key::due(ms, id));
            ControlFlow::Break(())
        }
        false => ControlFlow::Continue(()),
    })
}
