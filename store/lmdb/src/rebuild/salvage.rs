//! What an old index still tells and the logs do not: accounts, secrets, quotas, addresses, mailboxes.
//!
//! In:  an index that may be damaged, opened to be read alone.
//! Out: rows in the new one, their counters at zero; what could not be read, and why.
//!
//! Invariants: a row that cannot be read is left out and told; a table that breaks off is taken over as far as it goes. What
//! is taken over hangs together: each account has its address and INBOX, each mailbox its name, each name once.

use super::kept::{self, Items};
use heed::types::Bytes;
use heed::{CommitOrAbort, EnvFlags, EnvOpenOptions, WithoutTls};
use ringpost_api::apply::Rows;
use ringpost_api::row::{AddressRow, AddressTarget};
use ringpost_api::table::{AccountRow, MailboxRow, Place, VERSION};
use ringpost_api::write::{AliasTarget, Position};
use ringpost_api::{Error, Table, key};
use ringpost_types::{AccountId, Address, MailboxId, ModSeq, Uid, address};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What is told of rows that were left out, of each table at most.
const TOLD_MAX: usize = 10;

/// What is known from the old index.
#[derive(Default)]
pub(super) struct Known {
    /// Why it does not tell everything; empty: it does.
    pub unread: Vec<String>,
    /// Ids from here on were never given out; 0: nobody knows which were.
    pub next_account: u32,
    /// How far the logs were applied: their numbers are not given again.
    pub applied: BTreeMap<u16, Position>,
    /// The queue.
    pub items: Items,
}

impl Known {
    /// Nothing, and why.
    pub fn nothing(why: &str) -> Self {
        Known {
            unread: vec![why.to_owned()],
            ..Known::default()
        }
    }
}

pub(super) struct Old {
    env: heed::Env<WithoutTls>,
}

/// An account that is taken over.
struct Owner {
    modseq: ModSeq,
    next_mailbox: MailboxId,
    mailboxes: u32,
    inbox: bool,
}

/// Takes over what can be. An error is the new index's; `now` is where new UIDVALIDITYs begin.
pub(super) fn take_over(
    index: &Path,
    map_octets: usize,
    now: u64,
    rows: &mut dyn Rows,
) -> Result<Known, Error> {
    let old = match Old::open(index, map_octets) {
        Ok(old) => old,
        Err(why) => return Ok(Known::nothing(&why)),
    };
    let mut known = Known::default();
    let settings = old.settings(&mut known);
    let version = settings.get("version").copied().unwrap_or(0);
    // What came after version 2 are tables that it had not.
    if !(2..=VERSION).contains(&version) {
        let why = format!("the old index has version {version} of the schema, not {VERSION}");
        return Ok(Known::nothing(&why));
    }
    old.applied(&mut known);
    let accounts = old.accounts(&mut known);
    let last = settings.get("uidvalidity").copied().unwrap_or(0);
    let mut taking = Taking {
        rows,
        owners: BTreeMap::new(),
        // RFC 9051 §2.3.1.1: above every one that was given out.
        uidvalidity: u32::try_from(now).unwrap_or(u32::MAX - 1).max(last),
    };
    for (&id, row) in &accounts {
        taking.owners.insert(
            id,
            Owner {
                modseq: row.modseq,
                next_mailbox: MailboxId(row.next_mailbox.0.max(MailboxId::INBOX.0 + 1)),
                mailboxes: 0,
                inbox: false,
            },
        );
    }
    taking.mailboxes(&old, &mut known)?;
    taking.inboxes()?;
    taking.names(&old, &mut known)?;
    taking.accounts(&accounts)?;
    taking.addresses(&old, &accounts, &mut known)?;
    let highest = accounts.keys().next_back().map_or(0, |id| id.0);
    let next = settings
        .get("next_account")
        .copied()
        .unwrap_or(0)
        .max(highest + 1);
    // Which accounts were removed is known only where those that were not are all known.
    known.next_account = match known.unread.is_empty() {
        true => next,
        false => 0,
    };
    let uidvalidity = taking.uidvalidity;
    kept::take_over(&old, &mut known, |id| accounts.contains_key(&id), rows)?;
    rows.put(Table::Setting, b"next_account", &next.to_le_bytes())?;
    rows.put(Table::Setting, b"uidvalidity", &uidvalidity.to_le_bytes())?;
    Ok(known)
}

/// An account row, owned.
struct OldAccount {
    modseq: ModSeq,
    next_mailbox: MailboxId,
    quota_octets: u64,
    quota_messages: u32,
    disabled: bool,
    secret: String,
    name: String,
}

impl Old {
    fn open(index: &Path, map_octets: usize) -> Result<Self, String> {
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options
            .map_size(map_octets)
            .max_dbs(Table::ALL.len() as u32);
        // SAFETY: the data directory's lock keeps other processes out, and nothing in this one writes to the files. Of the
        // flags only the one that forbids writing is set.
        let opened = unsafe {
            options.flags(EnvFlags::READ_ONLY);
            options.open(index)
        };
        match opened {
            Ok(env) => Ok(Old { env }),
            Err(error) => Err(format!("the old index cannot be opened: {error}")),
        }
    }

    /// Shows the rows of a table as far as they go; what is in the way is told.
    pub fn rows(
        &self,
        table: Table,
        known: &mut Known,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), String>,
    ) {
        let mut told = 0;
        let mut read = || -> heed::Result<()> {
            let opened = self.env.open_databases_and_commit(
                self.env.read_txn()?,
                |opener, txn| -> heed::Result<CommitOrAbort<_, ()>> {
                    let rows = opener.open_database::<Bytes, Bytes>(txn, Some(table.name()))?;
                    Ok(CommitOrAbort::Commit(rows))
                },
            )?;
            let Some(rows) = opened.unwrap_commit() else {
                return Ok(());
            };
            let txn = self.env.read_txn()?;
            for row in rows.iter(&txn)? {
                let (key, value) = row?;
                if let Err(why) = visit(key, value)
                    && told < TOLD_MAX
                {
                    told += 1;
                    let table = table.name();
                    known.unread.push(format!("table {table}: {why}"));
                }
            }
            Ok(())
        };
        if let Err(error) = read() {
            let table = table.name();
            known
                .unread
                .push(format!("table {table} breaks off: {error}"));
        }
    }

    fn settings(&self, known: &mut Known) -> BTreeMap<String, u32> {
        let mut settings = BTreeMap::new();
        self.rows(Table::Setting, known, |key, value| {
            if let (Ok(name), Ok(octets)) = (std::str::from_utf8(key), value.try_into()) {
                settings.insert(name.to_owned(), u32::from_le_bytes(octets));
            }
            Ok(())
        });
        settings
    }

    fn applied(&self, known: &mut Known) {
        let mut applied = BTreeMap::new();
        self.rows(Table::Applied, known, |key, value| {
            let log = key.try_into().map_err(|_| "a key is not two octets")?;
            let position = Position::read(value).map_err(|error| error.to_string())?;
            applied.insert(u16::from_be_bytes(log), position);
            Ok(())
        });
        known.applied = applied;
    }

    fn accounts(&self, known: &mut Known) -> BTreeMap<AccountId, OldAccount> {
        let mut accounts = BTreeMap::new();
        let mut names = BTreeSet::new();
        self.rows(Table::Account, known, |key, value| {
            let id = AccountId(u32::from_be_bytes(
                key.try_into().map_err(|_| "a key is not four octets")?,
            ));
            let row = AccountRow::read(value).map_err(|error| format!("account {id}: {error}"))?;
            let name = Address::parse(row.name)
                .map_err(|_| format!("account {id}: its name is no address"))?;
            if !names.insert(name.key()) {
                return Err(format!("account {id}: another has its name"));
            }
            accounts.insert(
                id,
                OldAccount {
                    modseq: row.modseq,
                    next_mailbox: row.next_mailbox,
                    quota_octets: row.quota_octets,
                    quota_messages: row.quota_messages,
                    disabled: row.disabled,
                    secret: row.secret.to_owned(),
                    name: row.name.to_owned(),
                },
            );
            Ok(())
        });
        accounts
    }
}

struct Taking<'r> {
    rows: &'r mut dyn Rows,
    owners: BTreeMap<AccountId, Owner>,
    /// The last one given.
    uidvalidity: u32,
}

impl Taking<'_> {
    fn mailboxes(&mut self, old: &Old, known: &mut Known) -> Result<(), Error> {
        let mut failed = None;
        old.rows(Table::Mailbox, known, |key, value| {
            let key: [u8; 8] = key.try_into().map_err(|_| "a key is not eight octets")?;
            let number =
                |at: usize| u32::from_be_bytes([key[at], key[at + 1], key[at + 2], key[at + 3]]);
            let (account, id) = (AccountId(number(0)), MailboxId(number(4)));
            let row = MailboxRow::read(value)
                .map_err(|error| format!("account {account}, mailbox {id}: {error}"))?;
            match self.mailbox(account, id, &row) {
                Ok(true) => Ok(()),
                // Of an account that is gone, or could not be read, which is told already.
                Ok(false) => Ok(()),
                Err(error) => {
                    failed = Some(error);
                    Ok(())
                }
            }
        });
        failed.map_or(Ok(()), Err)
    }

    /// Puts a mailbox, empty; whether there is an account for it and its name is free.
    fn mailbox(
        &mut self,
        account: AccountId,
        id: MailboxId,
        row: &MailboxRow<'_>,
    ) -> Result<bool, Error> {
        let name = key::mailbox_name(account, row.name);
        let Some(owner) = self.owners.get_mut(&account) else {
            return Ok(false);
        };
        if name.len() > key::OCTETS_MAX || self.rows.get(Table::MailboxName, &name)?.is_some() {
            return Ok(false);
        }
        self.uidvalidity = self.uidvalidity.saturating_add(1);
        owner.mailboxes += 1;
        owner.inbox |= id == MailboxId::INBOX;
        owner.next_mailbox = owner.next_mailbox.max(MailboxId(id.0.saturating_add(1)));
        let empty = MailboxRow {
            uidvalidity: self.uidvalidity,
            uidnext: Uid(1),
            highest_modseq: owner.modseq,
            messages: 0,
            unseen: 0,
            deleted: 0,
            recent_from: Uid(1),
            octets: 0,
            trimmed: owner.modseq,
            ..row.clone()
        };
        let mut value = Vec::new();
        empty.encode(&mut value);
        self.rows
            .put(Table::Mailbox, &key::mailbox(account, id), &value)?;
        self.rows
            .put(Table::MailboxName, &name, &id.0.to_le_bytes())?;
        Ok(true)
    }

    /// Every account has an INBOX.
    fn inboxes(&mut self) -> Result<(), Error> {
        let without = self.owners.iter().filter(|(_, owner)| !owner.inbox);
        let without: Vec<AccountId> = without.map(|(&id, _)| id).collect();
        for account in without {
            let row = MailboxRow {
                uidvalidity: 0,
                uidnext: Uid(1),
                highest_modseq: ModSeq(0),
                messages: 0,
                unseen: 0,
                deleted: 0,
                recent_from: Uid(1),
                octets: 0,
                special: ringpost_api::table::special::SUBSCRIBED,
                trimmed: ModSeq(0),
                keyword_octets: b"",
                name: "INBOX",
            };
            self.mailbox(account, MailboxId::INBOX, &row)?;
        }
        Ok(())
    }

    /// Names that are only subscribed.
    fn names(&mut self, old: &Old, known: &mut Known) -> Result<(), Error> {
        let mut failed = None;
        old.rows(Table::MailboxName, known, |key, value| {
            let owner = key.first_chunk::<4>().ok_or("a key is too short")?;
            let account = AccountId(u32::from_be_bytes(*owner));
            if !value.is_empty() || !self.owners.contains_key(&account) {
                return Ok(());
            }
            let put = match self.rows.get(Table::MailboxName, key) {
                Ok(None) => self.rows.put(Table::MailboxName, key, &[]),
                known => known.map(drop),
            };
            failed = failed.take().or(put.err());
            Ok(())
        });
        failed.map_or(Ok(()), Err)
    }

    /// Nothing of what happened before is known: whoever knew something is to compare all.
    fn accounts(&mut self, accounts: &BTreeMap<AccountId, OldAccount>) -> Result<(), Error> {
        for (&id, row) in accounts {
            let Some(owner) = self.owners.get(&id) else {
                continue;
            };
            let new = AccountRow {
                next_mailbox: owner.next_mailbox,
                mailboxes: owner.mailboxes,
                modseq: row.modseq,
                octets: 0,
                messages: 0,
                quota_octets: row.quota_octets,
                quota_messages: row.quota_messages,
                vanished: 0,
                trimmed: Place::end_of(row.modseq),
                disabled: row.disabled,
                secret: &row.secret,
                name: &row.name,
            };
            let mut value = Vec::new();
            new.encode(&mut value);
            self.rows.put(Table::Account, &key::account(id), &value)?;
        }
        Ok(())
    }

    /// Aliases, as far as they lead to something that is there; and each account's own address.
    fn addresses(
        &mut self,
        old: &Old,
        accounts: &BTreeMap<AccountId, OldAccount>,
        known: &mut Known,
    ) -> Result<(), Error> {
        let mut failed = None;
        old.rows(Table::Address, known, |key, value| {
            let row = AddressRow::read(value).map_err(|error| error.to_string())?;
            let targets: Vec<AliasTarget> = row
                .targets()
                .filter_map(|target| match target {
                    AddressTarget::Account(id) if accounts.contains_key(&id) => {
                        Some(AliasTarget::Account(id))
                    }
                    AddressTarget::Account(_) => None,
                    AddressTarget::Address(address) => Some(AliasTarget::Address(address.into())),
                })
                .collect();
            // Version 2 wrote some keys otherwise; one that is as it should be stays as it is.
            let new = std::str::from_utf8(key).map(address::key);
            let key = match &new {
                Ok(Ok(new)) => new.as_bytes(),
                _ => key,
            };
            if !targets.is_empty() {
                failed = failed.take().or(self.address(key, &targets).err());
            }
            Ok(())
        });
        for (&id, row) in accounts {
            let Ok(address) = Address::parse(&row.name) else {
                continue;
            };
            let key = address.key();
            if self.rows.get(Table::Address, key.as_bytes())?.is_none() {
                self.address(key.as_bytes(), &[AliasTarget::Account(id)])?;
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn address(&mut self, key: &[u8], targets: &[AliasTarget]) -> Result<(), Error> {
        let mut value = Vec::new();
        AddressRow::encode(targets, &mut value);
        self.rows.put(Table::Address, key, &value)
    }
}
