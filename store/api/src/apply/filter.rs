//! What searches leave for the next ones, made from a snapshot: blocks of the filter, and text rows that were missing.
//!
//! In:  a block's rows, or one text row.
//! Out: the rows put, if the block follows those that are there, or if the mail is there and its text row is not.
//!
//! Invariants: blocks leave no gap and do not overlap, so that a search finds each by its key alone; a block ends at or
//! below UIDNEXT, so that no message comes into its range any more.

use super::draft::Draft;
use super::sweep::Sweep;
use crate::search::block::{next, row_key};
use crate::{Error, Outcome, Table, key, search, text};
use ringpost_types::{AccountId, BlobId, MailboxId, Uid};

/// [`crate::Write::Text`].
pub(super) fn text(draft: &mut Draft<'_>, blob: BlobId, row: &[u8]) -> Result<Outcome, Error> {
    let key = key::blob(blob);
    let is_there = draft.rows.get(Table::Blob, &key)?.is_some();
    if is_there && draft.rows.get(Table::Text, &key)?.is_none() {
        text::put(draft.edits, blob, row);
    }
    Ok(Outcome::Done)
}

/// [`crate::Write::Filter`].
pub(super) fn put(
    draft: &mut Draft<'_>,
    account: AccountId,
    id: MailboxId,
    first: Uid,
    rows: &[Vec<u8>],
) -> Result<Outcome, Error> {
    draft.account(account)?;
    let uidnext = draft.mailbox(account, id)?.uidnext;
    let ends = rows.first().and_then(|head| next(head));
    if rows.len() > usize::from(u16::MAX) || ends.is_none_or(|next| next <= first || next > uidnext)
    {
        return Err(Error::Cannot(
            "a block of the filter ends within what is there",
        ));
    }
    if search::end(draft.rows, account, id)? == first {
        for (number, row) in (0..).zip(rows) {
            let key = row_key(account, id, first, number);
            draft.edits.put(Table::Filter, &key, row);
        }
    }
    Ok(Outcome::Done)
}

/// [`crate::Write::Unfilter`]. In the order of keys a block's head goes first, and without it the rest is not looked at.
pub(super) fn drop(
    draft: &mut Draft<'_>,
    account: AccountId,
    id: MailboxId,
) -> Result<Outcome, Error> {
    draft.account(account)?;
    draft.mailbox(account, id)?;
    let done = Sweep::new().delete_within(draft, Table::Filter, &key::mailbox(account, id))?;
    Ok(Outcome::Swept { more: !done })
}
