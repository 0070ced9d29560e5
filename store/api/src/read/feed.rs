//! The change feed of an account: what happened, in the order in which it did, as far as it is remembered.
//!
//! In:  a snapshot, and how much one knows: a MODSEQ, or a place in the feed.
//! Out: changes behind it; or that some of them are forgotten. RFC 7162 §3.2.5.

use crate::table::{ChangeKind, Place};
use crate::{Error, Snapshot, Table, key, read};
use ringpost_types::{AccountId, MailboxId, ModSeq, Uid};
use std::ops::ControlFlow;

/// One row of table change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// When, where, and which message; UID 0 where the mailbox itself changed.
    pub place: Place,
    /// What. A message that still exists has one row, its newest: one that came and then changed its flags shows
    /// as [`ChangeKind::Flags`], so it is the UID, at or above the UIDNEXT one knew, that tells a new message.
    pub kind: ChangeKind,
}

/// Whether the change feed still knows all that happened behind a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a feed that was trimmed does not tell everything"]
pub enum Since {
    /// It does.
    Known,
    /// Some of it is forgotten: whoever asks is to compare all rows. RFC 7162 §3.2.5.2.
    Trimmed,
}

/// Whether all that happened behind `after` can be told: in `mailbox`, or without one in the whole account.
pub fn since(
    snapshot: &dyn Snapshot,
    account: AccountId,
    mailbox: Option<MailboxId>,
    after: Place,
) -> Result<Since, Error> {
    let trimmed = match mailbox {
        // What is forgotten of a mailbox is known by its MODSEQ alone: any message of it may have been the one.
        Some(id) => match read::mailbox(snapshot, account, id)?.ok_or(Error::NoMailbox)? {
            row if row.trimmed == ModSeq(0) => Place::default(),
            row => Place {
                modseq: row.trimmed,
                mailbox: id,
                uid: Uid(u32::MAX),
            },
        },
        None => {
            read::account(snapshot, account)?
                .ok_or(Error::NoAccount)?
                .trimmed
        }
    };
    Ok(match after < trimmed {
        true => Since::Trimmed,
        false => Since::Known,
    })
}

/// What is left of the change feed of an account behind `after`, ascending. Ask [`since`] first whether that is all.
pub fn changes(
    snapshot: &dyn Snapshot,
    account: AccountId,
    after: Place,
    mut visit: impl FnMut(Change) -> ControlFlow<()>,
) -> Result<(), Error> {
    let within = key::account(account);
    let from = key::change(account, after);
    read::scan(snapshot, Table::Change, &within, &from, |key, value| {
        let place = key::place(key)?;
        if place <= after {
            return Ok(ControlFlow::Continue(()));
        }
        let kind = kind(value)?;
        Ok(visit(Change { place, kind }))
    })
}

/// What changed in an account after `after`, ascending by modseq, mailbox and UID; with `mailbox`, there alone. Nothing
/// is shown where that would not be all. RFC 7162 §3.2.5.
pub fn changes_since(
    snapshot: &dyn Snapshot,
    account: AccountId,
    after: ModSeq,
    mailbox: Option<MailboxId>,
    mut visit: impl FnMut(Change) -> ControlFlow<()>,
) -> Result<Since, Error> {
    let after = Place::end_of(after);
    if since(snapshot, account, mailbox, after)? == Since::Trimmed {
        return Ok(Since::Trimmed);
    }
    changes(snapshot, account, after, |change| {
        match mailbox.is_none_or(|wanted| wanted == change.place.mailbox) {
            true => visit(change),
            false => ControlFlow::Continue(()),
        }
    })?;
    Ok(Since::Known)
}

/// UIDs that left a mailbox after `after`, in the order in which they left. Nothing is shown where that would not be
/// all: then every UID that the client knows and [`read::messages`] does not show has left. RFC 7162 §3.2.5.1, §3.2.10.
pub fn vanished_since(
    snapshot: &dyn Snapshot,
    account: AccountId,
    mailbox: MailboxId,
    after: ModSeq,
    mut visit: impl FnMut(Uid) -> ControlFlow<()>,
) -> Result<Since, Error> {
    changes_since(
        snapshot,
        account,
        after,
        Some(mailbox),
        |change| match change.kind {
            ChangeKind::Vanished => visit(change.place.uid),
            _ => ControlFlow::Continue(()),
        },
    )
}

/// The value of a row of table change.
pub(crate) fn kind(value: &[u8]) -> Result<ChangeKind, Error> {
    match value {
        [1] => Ok(ChangeKind::Added),
        [2] => Ok(ChangeKind::Flags),
        [3] => Ok(ChangeKind::Vanished),
        [4] => Ok(ChangeKind::Mailbox),
        _ => Err(Error::Damaged("table change: no such kind".into())),
    }
}
