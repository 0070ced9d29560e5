//! The names of an account as a tree: what LIST and LSUB choose from.
//!
//! In:  a snapshot. Out: every name with what hangs below it, in the order of octets.
//!
//! A name may be there without a mailbox: because it is subscribed only, or because a mailbox below it exists and
//! the one above was deleted. RFC 3501 §6.3.4, §6.3.9.

use ringpost_api::table::special;
use ringpost_api::{Error, Snapshot, read};
use ringpost_imap::mailbox::DELIMITER;
use ringpost_types::{AccountId, MailboxId};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// What is known of a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its mailbox, if there is one.
    pub mailbox: Option<MailboxId>,
    /// Bits of the row, uses and subscription.
    pub special: u32,
    /// A mailbox is below it, at any depth.
    pub children: bool,
    /// A subscribed name is below it, at any depth.
    pub subscribed_below: bool,
}

impl Entry {
    pub(crate) fn is_subscribed(&self) -> bool {
        self.special & special::SUBSCRIBED != 0
    }
}

/// Reads all names. Their number is bounded by `account_mailboxes_max`.
pub(crate) fn read(
    snapshot: &dyn Snapshot,
    account: AccountId,
) -> Result<BTreeMap<String, Entry>, Error> {
    let mut tree = BTreeMap::<String, Entry>::new();
    read::mailboxes(snapshot, account, |name, found| {
        let (mailbox, special) = match found {
            Some((id, row)) => (Some(id), row.special),
            None => (None, special::SUBSCRIBED),
        };
        let entry = tree.entry(name.to_owned()).or_default();
        (entry.mailbox, entry.special) = (mailbox, special);
        let (exists, subscribed) = (mailbox.is_some(), entry.is_subscribed());
        for (above, _) in name.match_indices(char::from(DELIMITER)) {
            let above = tree.entry(name[..above].to_owned()).or_default();
            above.children |= exists;
            above.subscribed_below |= subscribed;
        }
        ControlFlow::Continue(())
    })?;
    Ok(tree)
}
