//! A client that sleeps: it knows a mailbox as it was, asks what changed since, and must come to know it as it is.
//!
//! In:  snapshots of a store, now and then.
//! Out: a panic where what the change feed told is not all that happened.

use crate::read::{self, Since};
use crate::table::ChangeKind;
use crate::{Error, Snapshot};
use ringpost_types::{AccountId, MailboxId, ModSeq, Uid};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

type Messages = BTreeMap<Uid, (u32, u64)>;

/// What it knows: UIDs with their flags and keywords, as of a MODSEQ.
pub struct Client {
    account: AccountId,
    mailbox: MailboxId,
    modseq: ModSeq,
    messages: Messages,
}

impl Client {
    /// One that knows nothing yet.
    pub fn new(account: AccountId, mailbox: MailboxId) -> Self {
        Client {
            account,
            mailbox,
            modseq: ModSeq(0),
            messages: Messages::new(),
        }
    }

    /// Asks what changed; whether the feed could tell. Of a mailbox that is gone it forgets everything.
    pub fn sync(&mut self, snapshot: &dyn Snapshot) -> Since {
        let Client {
            account, mailbox, ..
        } = *self;
        let row = read::mailbox(snapshot, account, mailbox).expect("readable");
        let Some(row) = row else {
            *self = Client::new(account, mailbox);
            return Since::Known;
        };
        let messages = &mut self.messages;
        let told = read::changes_since(snapshot, account, self.modseq, Some(mailbox), |change| {
            let uid = change.place.uid;
            match change.kind {
                ChangeKind::Added | ChangeKind::Flags => {
                    let row = read::message(snapshot, account, mailbox, uid).expect("readable");
                    let row = row.expect("a message that is told of");
                    messages.insert(uid, (row.flags, row.keywords));
                }
                ChangeKind::Vanished => drop(messages.remove(&uid)),
                ChangeKind::Mailbox => {}
            }
            ControlFlow::Continue(())
        });
        let told = told.expect("readable");
        let all = all(snapshot, account, mailbox).expect("readable");
        match told {
            Since::Known => assert_eq!(self.messages, all, "what was told is what happened"),
            Since::Trimmed => {
                assert!(row.trimmed > self.modseq, "it could have been told");
                self.messages = all;
            }
        }
        self.modseq = row.highest_modseq;
        told
    }
}

fn all(snapshot: &dyn Snapshot, account: AccountId, mailbox: MailboxId) -> Result<Messages, Error> {
    let mut all = Messages::new();
    read::messages(snapshot, account, mailbox, Uid(0), |uid, row| {
        all.insert(uid, (row.flags, row.keywords));
        ControlFlow::Continue(())
    })?;
    Ok(all)
}
