//! Counts again what rows say of other rows, in one snapshot of a store of any size.
//!
//! In:  a snapshot.
//! Out: a [`Finding`] for each thing that is not as counting gives it, as it is come by; what was looked at.
//!
//! ```text
//! accounts ---> mailboxes ---> messages ---> their change rows and prefixes    what an account owns, and its counters
//!          '--> names     '--> sweep
//! change, prefix, message, mailbox, mailbox_name, filter                       rows that nobody owns
//! blobs, a window at a time: all messages and items that point into it are counted    references, digest, text, octets
//! credentials, items of the queue and when they are due, what ages and when
//! segments and free stretches, addresses, numbers that are given out
//! ```
//! Invariants: a row that cannot be read is a finding, and the next one is looked at; only the engine's own errors end
//! a check. Memory is 24 octets for each blob of a window, a million of them, and the keywords and names of one mailbox, whatever the store holds.

mod kept;
mod mails;
mod owned;

use crate::{Error, Snapshot, Table, key, read};
use ringpost_types::{AccountId, BlobId, ItemId, MailboxId, Uid};
use std::fmt;
use std::ops::ControlFlow::Continue;

/// Something that is not as it ought to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Of what.
    pub subject: Subject,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Account(AccountId),
    Mailbox(AccountId, MailboxId),
    Message(AccountId, MailboxId, Uid),
    Blob(BlobId),
    Item(ItemId),
    Segment {
        log: u16,
        segment: u32,
    },
    Address(String),
    Setting(&'static str),
    /// A row that tells of nothing known, and its key.
    Row(Table, Vec<u8>),
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// A counter says one number, and counting gives another.
    Counts {
        what: &'static str,
        says: u64,
        is: u64,
    },
    /// It refers to this, or cannot be without, and this is not there.
    Missing(&'static str),
    /// Nobody refers to it.
    Stray,
    /// Its rows contradict each other: in what.
    Contradicts(&'static str),
    /// Its row cannot be read: why.
    Damaged(String),
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub accounts: u64,
    pub mailboxes: u64,
    pub messages: u64,
    pub blobs: u64,
    /// Of the queue.
    pub items: u64,
    /// Octets of all mails, each once.
    pub octets: u64,
    pub findings: u64,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Subject::Account(account) => write!(f, "account {account}: "),
            Subject::Mailbox(account, mailbox) => {
                write!(f, "account {account}, mailbox {mailbox}: ")
            }
            Subject::Message(account, mailbox, uid) => {
                write!(f, "account {account}, mailbox {mailbox}, UID {uid}: ")
            }
            Subject::Blob(blob) => write!(f, "mail {blob}: "),
            Subject::Item(item) => write!(f, "queue item {item}: "),
            Subject::Segment { log, segment } => write!(f, "log {log}, segment {segment}: "),
            Subject::Address(address) => write!(f, "address {address}: "),
            Subject::Setting(name) => write!(f, "setting {name}: "),
            Subject::Row(table, key) => {
                write!(f, "table {}, key ", table.name())?;
                key.iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
                f.write_str(": ")
            }
        }?;
        match &self.wrong {
            Wrong::Counts { what, says, is } => write!(f, "{what} says {says}, counted {is}"),
            Wrong::Missing(what) => write!(f, "{what} is missing"),
            Wrong::Stray => f.write_str("nobody refers to it"),
            Wrong::Contradicts(what) => write!(f, "{what}"),
            Wrong::Damaged(why) => write!(f, "cannot be read: {why}"),
        }
    }
}

/// Goes through all of a store. An error is the engine's; damage is a finding.
pub fn check(snapshot: &dyn Snapshot, found: &mut dyn FnMut(Finding)) -> Result<Checked, Error> {
    let mut check = Check {
        rows: snapshot,
        found,
        told: Checked::default(),
        last_account: AccountId(0),
        last_uidvalidity: 0,
    };
    check.accounts()?;
    check.numbers()?;
    check.addresses()?;
    check.strays()?;
    check.credentials()?;
    check.queue()?;
    check.aging()?;
    check.blobs()?;
    check.space()?;
    Ok(check.told)
}

struct Check<'c> {
    rows: &'c dyn Snapshot,
    found: &'c mut dyn FnMut(Finding),
    told: Checked,
    last_account: AccountId,
    last_uidvalidity: u32,
}

impl Check<'_> {
    fn tell(&mut self, subject: Subject, wrong: Wrong) {
        self.told.findings += 1;
        (self.found)(Finding { subject, wrong });
    }

    fn expect(&mut self, subject: Subject, what: &'static str, says: u64, is: u64) {
        if says != is {
            self.tell(subject, Wrong::Counts { what, says, is });
        }
    }

    /// What was read; damage is told, as of `subject`.
    fn sound<T>(&mut self, read: Result<T, Error>, subject: Subject) -> Result<Option<T>, Error> {
        match read {
            Ok(row) => Ok(Some(row)),
            Err(Error::Damaged(why)) => {
                self.tell(subject, Wrong::Damaged(why));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Shows every row within `within`. A key that is too short for its table is told of by the caller's look at it.
    fn each(
        &mut self,
        table: Table,
        within: &[u8],
        mut visit: impl FnMut(&mut Self, &[u8], &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let rows = self.rows;
        read::scan(rows, table, within, &[], |key, value| {
            if key.len() > key::OCTETS_MAX {
                let subject = Subject::Row(table, key.to_vec());
                self.tell(subject, Wrong::Contradicts("the key is too long"));
            }
            match visit(self, key, value) {
                Err(Error::Damaged(why)) => {
                    self.tell(Subject::Row(table, key.to_vec()), Wrong::Damaged(why));
                    Ok(Continue(()))
                }
                visited => visited.map(Continue),
            }
        })
    }
}
