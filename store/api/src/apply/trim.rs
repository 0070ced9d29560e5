//! The change feed forgets: rows of what left, oldest first, so that an account that lives for years does not grow for ever.
//!
//! In:  accounts whose rows that no message keeps are more than limit `account_vanished_max`, or a [`crate::Write::Trim`].
//! Out: those rows gone; the place up to which they are, in the account's row and, as a MODSEQ, in each mailbox's.
//!
//! Invariants: whoever knew less than what is forgotten can tell, and compares all rows ([`read::since`]). The walk begins
//! where the last one ended and passes over rows of messages that are there: each is passed once, and one write looks at a
//! bounded number of rows.

use super::draft::Draft;
use crate::table::{ChangeKind, Place};
use crate::{Error, Outcome, Table, key, read};
use ringpost_types::{AccountId, MailboxId, ModSeq};
use std::ops::ControlFlow;

/// Rows that a write looks at besides two for each row it adds.
const ROWS: usize = 256;
/// Rows that a [`crate::Write::Trim`] looks at.
const ROWS_ASKED: usize = 10_000;

/// Trims the accounts that this write takes, or that are already, above the limit.
pub(super) fn keep_bounded(draft: &mut Draft<'_>) -> Result<(), Error> {
    let most = u32::try_from(draft.terms.limits.account_vanished_max).unwrap_or(u32::MAX);
    let accounts = draft.accounts();
    let accounts = accounts.filter(|(_, account)| !account.removed && account.noted > 0);
    let over: Vec<_> = accounts
        .filter(|(_, account)| account.vanished > most)
        .map(|(id, account)| (id, account.vanished - most, account.noted as usize))
        .collect();
    for (id, rows, noted) in over {
        let bounds = Bounds {
            upto: Place::end_of(ModSeq(u64::MAX)),
            forgotten: rows as usize,
            looked_at: ROWS + 2 * noted,
        };
        forget(draft, id, bounds)?;
    }
    Ok(())
}

/// [`crate::Write::Trim`].
pub(super) fn trim(draft: &mut Draft<'_>, id: AccountId, upto: ModSeq) -> Result<Outcome, Error> {
    draft.account(id)?;
    let bounds = Bounds {
        upto: Place::end_of(upto),
        forgotten: usize::MAX,
        looked_at: ROWS_ASKED,
    };
    let more = forget(draft, id, bounds)?;
    Ok(Outcome::Trimmed { more })
}

/// How much is forgotten.
struct Bounds {
    upto: Place,
    forgotten: usize,
    looked_at: usize,
}

/// Forgets; whether there is more within `bounds.upto`.
fn forget(draft: &mut Draft<'_>, id: AccountId, bounds: Bounds) -> Result<bool, Error> {
    let mut at = draft.account(id)?.trimmed;
    let (mut gone, mut looked_at, mut more) = (Vec::new(), 0, false);
    read::changes(draft.rows, id, at, |change| {
        if change.place > bounds.upto {
            return ControlFlow::Break(());
        }
        more = gone.len() == bounds.forgotten || looked_at == bounds.looked_at;
        if more {
            return ControlFlow::Break(());
        }
        looked_at += 1;
        at = change.place;
        if matches!(change.kind, ChangeKind::Vanished | ChangeKind::Mailbox) {
            gone.push(change.place);
        }
        ControlFlow::Continue(())
    })?;
    let account = draft.account(id)?;
    account.trimmed = at;
    account.vanished = account.vanished.saturating_sub(gone.len() as u32);
    for place in gone {
        draft.edits.delete(Table::Change, &key::change(id, place));
        told(draft, id, place.mailbox, place.modseq)?;
    }
    Ok(more)
}

/// The mailbox, if it is there, knows what is forgotten of it.
fn told(draft: &mut Draft<'_>, id: AccountId, at: MailboxId, modseq: ModSeq) -> Result<(), Error> {
    match draft.mailbox(id, at) {
        Ok(mailbox) => mailbox.trimmed = mailbox.trimmed.max(modseq),
        Err(Error::NoMailbox) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}
