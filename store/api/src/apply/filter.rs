//! Blocks of the search filter, which a search makes from a snapshot and nobody waits for.
//!
//! In:  a block's rows.
//! Out: the rows put, if the block follows those that are there.
//!
//! Invariants: blocks leave no gap and do not overlap, so that a search finds each by its key alone; a block ends at or
//! below UIDNEXT, so that no message comes into its range any more.

use super::draft::Draft;
use super::sweep::Sweep;
use crate::search::block::{next, row_key};
use crate::{Error, Outcome, Table, key, search};
use ringpost_types::{AccountId, MailboxId, Uid};

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
