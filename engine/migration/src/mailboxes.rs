//! The mailboxes that folders go into: found, made, subscribed.
//!
//! In:  names of folders by levels. Out: mailbox ids of one account.
//!
//! A folder whose name says what it is for (Sent Items, Spam) goes into the account's mailbox of that use, unless names
//! are to be kept; a mailbox that is made under such a name gets the use if no other has it. RFC 6154 §2.

use crate::error::Error;
use crate::name;
use crate::operations::perform;
use ringpost_api::table::special;
use ringpost_api::write::Write;
use ringpost_api::{Outcome, Store, read};
use ringpost_types::limit::Limits;
use ringpost_types::{AccountId, Address, MailboxId};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// How names of folders become names of mailboxes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Naming {
    /// The mailbox below which all go.
    pub into: Option<String>,
    /// Whether a folder keeps its name although the account has a mailbox for its use.
    pub keep: bool,
}

/// Mailboxes of one account.
pub struct Mailboxes<'s> {
    store: &'s dyn Store,
    account: AccountId,
    naming: &'s Naming,
    limits: &'s Limits,
    /// Names that were made, in order.
    made: Vec<String>,
}

/// The account of that address.
pub fn account(store: &dyn Store, name: &str) -> Result<AccountId, Error> {
    let address = Address::parse(name)
        .map_err(|why| Error::Asked(format!("{name:?} is not an address: {why}")))?;
    let snapshot = store.snapshot()?;
    match read::account_by_address(&*snapshot, &address.key())? {
        Some((id, _)) => Ok(id),
        None => Err(Error::Asked(format!("there is no account {name}"))),
    }
}

impl<'s> Mailboxes<'s> {
    /// Those of `account`.
    pub fn new(
        store: &'s dyn Store,
        account: AccountId,
        naming: &'s Naming,
        limits: &'s Limits,
    ) -> Self {
        Mailboxes {
            store,
            account,
            naming,
            limits,
            made: Vec::new(),
        }
    }

    /// The name of the mailbox that a folder goes into.
    pub fn name(&self, levels: &[String]) -> Result<String, Error> {
        let plain = name::mailbox(levels, self.naming.into.as_deref());
        if let Some(bit) = self.r#use(levels)
            && let Some(other) = self.with_use(bit)?
        {
            return Ok(other);
        }
        Ok(ringpost_api::name::check(&plain, self.limits)?)
    }

    /// What the folder is for, where that decides.
    fn r#use(&self, levels: &[String]) -> Option<u32> {
        match levels {
            [level] if self.naming.into.is_none() && !self.naming.keep => name::r#use(level),
            _ => None,
        }
    }

    /// The name of the account's mailbox with this use.
    fn with_use(&self, bit: u32) -> Result<Option<String>, Error> {
        let snapshot = self.store.snapshot()?;
        let mut found = None;
        read::mailboxes(&*snapshot, self.account, |name, mailbox| match mailbox {
            Some((_, row)) if row.special & bit != 0 => {
                found = Some(name.to_owned());
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        })?;
        Ok(found)
    }

    /// The mailbox of a name that [`Mailboxes::name`] gave; made where it is missing.
    pub fn open(&mut self, name: &str, levels: &[String]) -> Result<MailboxId, Error> {
        let there = |store: &dyn Store| read::mailbox_id(&*store.snapshot()?, self.account, name);
        if let Some(id) = there(self.store)? {
            return Ok(id);
        }
        let create = Write::MailboxCreate {
            account: self.account,
            name: name.to_owned(),
            special: self.r#use(levels).unwrap_or(0),
        };
        match perform(self.store, create) {
            Ok(Outcome::Mailbox(id)) => {
                self.made.push(name.to_owned());
                Ok(id)
            }
            // A session was quicker.
            Err(ringpost_api::Error::Exists) => {
                there(self.store)?.ok_or(Error::Store(ringpost_api::Error::NoMailbox))
            }
            Err(error) => Err(error.into()),
            Ok(other) => Err(Error::Asked(format!("making {name} came to {other:?}"))),
        }
    }

    /// Subscribes those of `wanted` that are there; without such a list, what was made.
    pub fn subscribe(&self, wanted: Option<&[Vec<String>]>) -> Result<(), Error> {
        let names = match wanted {
            None => self.made.clone(),
            // A name that can be none is subscribed nowhere.
            Some(list) => list.iter().flat_map(|levels| self.name(levels)).collect(),
        };
        for name in names {
            let missing = {
                let snapshot = self.store.snapshot()?;
                let found = read::mailbox_by_name(&*snapshot, self.account, &name)?;
                found.is_some_and(|(_, row)| row.special & special::SUBSCRIBED == 0)
            };
            if missing {
                let account = self.account;
                let write = Write::Subscribe {
                    account,
                    name,
                    on: true,
                };
                perform(self.store, write)?;
            }
        }
        Ok(())
    }
}
