//! Which messages are the damaged mails: whoever has them is to be told.
//!
//! In:  names of mails, and what is wrong with each. Out: a finding for each, with the first message that is it.

use super::{FINDINGS_MAX, Finding, Report};
use crate::open::Lmdb;
use ringpost_api::row::MESSAGE_OCTETS;
use ringpost_api::table::MessageRow;
use ringpost_api::{Error, Snapshot, Store, Table, read};
use ringpost_types::{AccountId, BlobId, MailboxId, Uid};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

const REMEDY: &str = "take it from a backup with ringpost restore, then expunge this one; all other mail is as it was";

/// Rows that one snapshot is looked at for.
const PAGE_ROWS: usize = 8_192;

/// Damaged mails: what is wrong with each; bounded.
#[derive(Debug, Default)]
pub(super) struct Damaged {
    mails: BTreeMap<BlobId, String>,
    /// Those of files that are not there, which are told of as a whole.
    left_out: BTreeSet<BlobId>,
    more: u64,
}

impl Damaged {
    /// One more.
    pub fn add(&mut self, blob: BlobId, what: String) {
        if self.left_out.contains(&blob) || self.mails.contains_key(&blob) {
            return;
        }
        match self.mails.len() < FINDINGS_MAX {
            true => _ = self.mails.insert(blob, what),
            false => self.more += 1,
        }
    }

    /// Is told of with its file.
    pub fn leave_out(&mut self, blob: BlobId) {
        if self.left_out.len() < FINDINGS_MAX {
            self.left_out.insert(blob);
        }
    }

    /// All of them.
    pub fn names(&self) -> impl Iterator<Item = BlobId> {
        self.mails.keys().copied()
    }
}

/// One message that is a damaged mail, and how many more are.
struct Message {
    account: AccountId,
    mailbox: MailboxId,
    uid: Uid,
    more: u64,
}

/// Looks for their messages, and tells.
pub(super) fn tell(store: &Lmdb, damaged: Damaged, report: &mut Report) -> Result<(), Error> {
    report.more += damaged.more;
    if damaged.mails.is_empty() {
        return Ok(());
    }
    let mut messages: BTreeMap<BlobId, Message> = BTreeMap::new();
    let mut from = Some(Vec::new());
    while let Some(first) = from.take() {
        let mut seen = 0;
        let snapshot = store.snapshot()?;
        snapshot.scan(Table::Message, &[], &first, &mut |key, value| {
            if seen == PAGE_ROWS {
                from = Some(key.to_vec());
                return ControlFlow::Break(());
            }
            seen += 1;
            let (Ok(row), Ok(key)) = (MessageRow::read(value), <[u8; 12]>::try_from(key)) else {
                return ControlFlow::Continue(());
            };
            debug_assert_eq!(value.len(), MESSAGE_OCTETS);
            if damaged.mails.contains_key(&row.blob) {
                let number = |at: usize| {
                    u32::from_be_bytes([key[at], key[at + 1], key[at + 2], key[at + 3]])
                };
                let message = messages.entry(row.blob).or_insert(Message {
                    account: AccountId(number(0)),
                    mailbox: MailboxId(number(4)),
                    uid: Uid(number(8)),
                    more: 0,
                });
                message.more += 1;
            }
            ControlFlow::Continue(())
        })?;
    }
    let snapshot = store.snapshot()?;
    for (blob, what) in damaged.mails {
        let place = match messages.get(&blob) {
            Some(message) => named(&*snapshot, blob, message),
            None => format!("mail {blob}"),
        };
        report.tell(Finding {
            what,
            place,
            remedy: REMEDY.to_owned(),
        });
    }
    Ok(())
}

fn named(snapshot: &dyn Snapshot, blob: BlobId, message: &Message) -> String {
    let Message {
        account,
        mailbox,
        uid,
        more,
    } = message;
    let owner = read::account(snapshot, *account).ok().flatten();
    let owner = owner.map_or_else(|| format!("account {account}"), |row| row.name.to_owned());
    let name = read::mailbox(snapshot, *account, *mailbox).ok().flatten();
    let name = name.map_or_else(|| mailbox.to_string(), |row| row.name.to_owned());
    let others = match more {
        0 | 1 => String::new(),
        more => format!(" and {} others", more - 1),
    };
    format!("mail {blob}: {owner}, mailbox {name:?}, UID {uid}{others}")
}
