//! What a mailbox or an account leaves behind: its rows go by and by, so that a million messages are no stall for others.
//!
//! In:  a mailbox whose row is gone, or table sweep, which names those whose rows were too many for one write.
//! Out: their rows gone, [`ROWS`] with each write; what is left has a row in table sweep.
//!
//! Invariant: nobody sees a mailbox without its row, and no id is given out again; the mails of messages not yet swept are
//! still referred to, and counted so.

use super::draft::Draft;
use crate::{Error, Outcome, Table, key, read};
use ringpost_types::{AccountId, MailboxId, Uid};
use std::ops::ControlFlow;

/// Stands for no mailbox in table sweep: the change rows of an account. Behind all its mailboxes.
pub(super) const CHANGES: MailboxId = MailboxId(u32::MAX);

/// Messages, or rows of another table, that one write deletes.
const ROWS: usize = 1_000;
/// Rows of table sweep that one write looks at.
const MAILBOXES: usize = 256;

/// How much one write may still delete.
pub(super) struct Sweep {
    left: usize,
}

impl Sweep {
    pub fn new() -> Self {
        Sweep { left: ROWS }
    }

    /// Deletes what a mailbox that was just removed leaves behind, or notes that it is to be.
    pub fn begin(
        &mut self,
        draft: &mut Draft<'_>,
        account: AccountId,
        id: MailboxId,
    ) -> Result<(), Error> {
        if !self.delete(draft, account, id)? {
            let key = key::mailbox(account, id);
            draft.edits.put(Table::Sweep, &key, &[]);
        }
        Ok(())
    }

    /// Deletes rows; whether that was all.
    fn delete(
        &mut self,
        draft: &mut Draft<'_>,
        account: AccountId,
        id: MailboxId,
    ) -> Result<bool, Error> {
        if id == CHANGES {
            return self.delete_within(draft, Table::Change, &key::account(account));
        }
        let mut messages = Vec::new();
        read::messages(draft.rows, account, id, Uid(0), |uid, row| {
            if self.left == 0 {
                return ControlFlow::Break(());
            }
            self.left -= 1;
            messages.push((uid, row));
            ControlFlow::Continue(())
        })?;
        for (uid, row) in messages {
            draft.erase_message(account, id, uid, &row)?;
        }
        self.delete_within(draft, Table::Filter, &key::mailbox(account, id))
    }

    pub fn delete_within(
        &mut self,
        draft: &mut Draft<'_>,
        table: Table,
        within: &[u8],
    ) -> Result<bool, Error> {
        let Draft { rows, edits, .. } = draft;
        rows.scan(table, within, &[], &mut |key, _| {
            if self.left == 0 {
                return ControlFlow::Break(());
            }
            self.left -= 1;
            edits.delete(table, key);
            ControlFlow::Continue(())
        })?;
        // One that was used up to the last row may have left nothing: the next write finds that out.
        Ok(self.left > 0)
    }
}

/// [`crate::Write::Sweep`].
pub(super) fn sweep(draft: &mut Draft<'_>) -> Result<Outcome, Error> {
    let mut waiting = Vec::new();
    read::scan(draft.rows, Table::Sweep, &[], &[], |key, _| {
        let account = AccountId(key::u32_at(Table::Sweep, key, 0)?);
        waiting.push((account, MailboxId(key::u32_at(Table::Sweep, key, 4)?)));
        Ok(match waiting.len() < MAILBOXES {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        })
    })?;
    let (mut sweep, mut done) = (Sweep::new(), 0);
    for &(account, id) in &waiting {
        if !sweep.delete(draft, account, id)? {
            break;
        }
        draft.edits.delete(Table::Sweep, &key::mailbox(account, id));
        done += 1;
    }
    Ok(Outcome::Swept {
        more: done < waiting.len() || done == MAILBOXES,
    })
}
