//! Accounts and the addresses that lead to them.
//!
//! In:  names and addresses from the command line or the admin service.
//! Out: rows of the tables account, address and credential, and the mailboxes of an account.
//!
//! Invariants: the address that an account is named by leads to it as long as it exists; an id is never given
//! out again.

use super::draft::{Account, Draft};
use super::sweep::{self, Sweep};
use super::{ALIAS_TARGETS_MAX, ALIASES_MAX, credentials, mailboxes};
use crate::credential::Scram;
use crate::row::{AddressRow, AddressTarget};
use crate::table::{Place, special};
use crate::write::AliasTarget;
use crate::{Error, Outcome, Table, key, read};
use ringpost_types::{AccountId, Address, MailboxId, ModSeq, address};
use std::ops::ControlFlow;

/// What a new account has. RFC 6154 §2.
pub(super) const MAILBOXES: [(&str, u32); 6] = [
    ("INBOX", 0),
    ("Drafts", special::DRAFTS),
    ("Sent", special::SENT),
    ("Junk", special::JUNK),
    ("Trash", special::TRASH),
    ("Archive", special::ARCHIVE),
];

pub(super) fn create(
    draft: &mut Draft<'_>,
    name: &str,
    secret: &str,
    scram: Option<&Scram>,
) -> Result<Outcome, Error> {
    let key = address_key(name)?;
    secret_fits(secret)?;
    if read::address(draft.rows, &key)?.is_some() {
        return Err(Error::Exists);
    }
    let id = AccountId(read::number(draft.rows, "next_account")?.max(1));
    let next = id.0.checked_add(1).ok_or(Error::Limit("account id"))?;
    draft
        .edits
        .put(Table::Setting, b"next_account", &next.to_le_bytes());
    put_address(draft, &key, &[AliasTarget::Account(id)]);
    let account = Account {
        next_mailbox: MailboxId::INBOX,
        mailboxes: 0,
        octets: 0,
        messages: 0,
        quota_octets: 0,
        quota_messages: 0,
        vanished: 0,
        trimmed: Place::default(),
        noted: 0,
        disabled: false,
        secret: secret.to_owned(),
        name: name.to_owned(),
        modseq: ModSeq(0),
        stamped: false,
        removed: false,
    };
    draft.add_account(id, account);
    credentials::main(draft, id, scram)?;
    for (name, bits) in MAILBOXES {
        mailboxes::add(draft, id, name, bits | special::SUBSCRIBED)?;
    }
    Ok(Outcome::Account(id))
}

/// Its names are gone at once, its messages by and by; nobody can see them.
pub(super) fn remove(draft: &mut Draft<'_>, id: AccountId) -> Result<Outcome, Error> {
    draft.account(id)?;
    let mut owned = Vec::new();
    let Draft { rows, edits, .. } = draft;
    read::mailboxes(*rows, id, |name, mailbox| {
        edits.delete(Table::MailboxName, &key::mailbox_name(id, name));
        owned.extend(mailbox.map(|(mailbox, _)| mailbox));
        ControlFlow::Continue(())
    })?;
    let mut sweep = Sweep::new();
    for &mailbox in &owned {
        draft.touch(id, mailbox)?;
        draft.remove_mailbox(id, mailbox)?;
        sweep.begin(draft, id, mailbox)?;
    }
    sweep.begin(draft, id, sweep::CHANGES)?;
    drop_addresses(draft, id)?;
    credentials::drop_all(draft, id)?;
    draft.account(id)?.removed = true;
    Ok(Outcome::Done)
}

/// Takes the account out of every address; an address that led only to it goes.
fn drop_addresses(draft: &mut Draft<'_>, id: AccountId) -> Result<(), Error> {
    let mut left = Vec::new();
    read::addresses(draft.rows, |address, row| {
        if row
            .targets()
            .any(|target| target == AddressTarget::Account(id))
        {
            let others = row
                .targets()
                .filter(|target| *target != AddressTarget::Account(id));
            left.push((address.to_owned(), others.map(owned).collect::<Vec<_>>()));
        }
        ControlFlow::Continue(())
    })?;
    for (address, targets) in left {
        if targets.is_empty() {
            draft.edits.delete(Table::Address, address.as_bytes());
        } else {
            put_address(draft, &address, &targets);
        }
    }
    Ok(())
}

fn owned(target: AddressTarget<'_>) -> AliasTarget {
    match target {
        AddressTarget::Account(account) => AliasTarget::Account(account),
        AddressTarget::Address(address) => AliasTarget::Address(address.to_owned()),
    }
}

pub(super) fn secret(
    draft: &mut Draft<'_>,
    id: AccountId,
    secret: &str,
    scram: Option<&Scram>,
) -> Result<Outcome, Error> {
    secret_fits(secret)?;
    draft.account(id)?.secret = secret.to_owned();
    credentials::main(draft, id, scram)?;
    Ok(Outcome::Done)
}

pub(super) fn quota(
    draft: &mut Draft<'_>,
    id: AccountId,
    octets: u64,
    messages: u32,
) -> Result<Outcome, Error> {
    let account = draft.account(id)?;
    (account.quota_octets, account.quota_messages) = (octets, messages);
    Ok(Outcome::Done)
}

pub(super) fn disable(
    draft: &mut Draft<'_>,
    id: AccountId,
    disabled: bool,
) -> Result<Outcome, Error> {
    draft.account(id)?.disabled = disabled;
    Ok(Outcome::Done)
}

pub(super) fn alias_put(
    draft: &mut Draft<'_>,
    address: &str,
    targets: &[AliasTarget],
) -> Result<Outcome, Error> {
    let key = address_key(address)?;
    if read::account_by_address(draft.rows, &key)?.is_some() {
        return Err(Error::Cannot("that is the address of an account"));
    }
    if targets.is_empty() {
        return Err(Error::Cannot("an alias leads somewhere"));
    }
    if targets.len() > ALIAS_TARGETS_MAX {
        return Err(Error::Limit("alias targets"));
    }
    let mut checked = Vec::with_capacity(targets.len());
    for target in targets {
        checked.push(match target {
            AliasTarget::Account(account) => {
                read::account(draft.rows, *account)?.ok_or(Error::NoAccount)?;
                target.clone()
            }
            AliasTarget::Address(address) => AliasTarget::Address(target_text(address)?),
        });
    }
    put_address(draft, &key, &checked);
    Ok(Outcome::Done)
}

pub(super) fn aliases_put(
    draft: &mut Draft<'_>,
    aliases: &[(String, Vec<AliasTarget>)],
) -> Result<Outcome, Error> {
    if aliases.len() > ALIASES_MAX {
        return Err(Error::Limit("aliases of one write"));
    }
    for (address, targets) in aliases {
        alias_put(draft, address, targets)?;
    }
    Ok(Outcome::Done)
}

pub(super) fn alias_remove(draft: &mut Draft<'_>, address: &str) -> Result<Outcome, Error> {
    let key = address_key(address)?;
    if read::address(draft.rows, &key)?.is_none() {
        return Err(Error::Cannot("no such alias"));
    }
    if read::account_by_address(draft.rows, &key)?.is_some() {
        return Err(Error::Cannot("that is the address of an account"));
    }
    draft.edits.delete(Table::Address, key.as_bytes());
    Ok(Outcome::Done)
}

fn put_address(draft: &mut Draft<'_>, key: &str, targets: &[AliasTarget]) {
    draft.edits.put_with(Table::Address, key.as_bytes(), |out| {
        AddressRow::encode(targets, out)
    });
}

/// The key of an address or of `@domain`: at most 64 + 1 + 255 octets, unless lower case is longer than upper.
fn address_key(text: &str) -> Result<String, Error> {
    let key = address::key(text).map_err(|_| Error::Cannot("that is not an address"))?;
    if key.len() > key::OCTETS_MAX {
        return Err(Error::Cannot("that address is too long"));
    }
    Ok(key)
}

/// The address an alias leads to, in the case in which it was given: another host may tell a from A. RFC 5321 §2.4.
fn target_text(text: &str) -> Result<String, Error> {
    match Address::parse(text) {
        Ok(address) => Ok(address.to_string()),
        Err(_) => Err(Error::Cannot("that is not an address")),
    }
}

fn secret_fits(secret: &str) -> Result<(), Error> {
    match u16::try_from(secret.len()) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::Cannot("a password hash has at most 65,535 octets")),
    }
}
