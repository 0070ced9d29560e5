//! Where an address leads and who may send as it.
//!
//! In:  an address, a snapshot of the store, the local domains in force.
//! Out: [`Recipient`]; accounts each once, the nearest first.
//!
//! | the address | leads to |
//! |---|---|
//! | of a domain that is not ours | [`Recipient::Remote`] |
//! | known exactly | its account, or what its alias leads to, aliases of aliases included |
//! | `local+tag`, not known exactly | as `local`: subaddress. RFC 5233 §1 |
//! | `postmaster` of a local domain, not known | the configured address, else the domain's first account |
//! | anything else | [`Recipient::NoSuchUser`] |
//!
//! Invariants: an alias is followed once in one resolution, so a circle ends; a resolution looks at no more than
//! [`ADDRESSES_MAX`] targets, and one that would is an error, never a mail with some recipients left out.

use crate::domains::Domains;
use ringpost_api::row::{AddressRow, AddressTarget};
use ringpost_api::{Error, Snapshot, read};
use ringpost_types::{AccountId, Address, Domain};
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock};

/// Addresses and accounts behind one recipient. Aliases are made by the operator, not by strangers; this ends mistakes.
pub const ADDRESSES_MAX: usize = 1_000;

/// Accounts looked at to find a domain's first one, so that mail to postmaster of an empty domain stays cheap.
const POSTMASTER_SCAN_MAX: usize = 1_000;

/// Where a recipient's address leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// To these accounts, each once, at least one.
    Local(Vec<AccountId>),
    /// The domain is ours, the user is not there. 550 5.1.1.
    NoSuchUser,
    /// The domain is not ours. Relaying is for those who are logged in: 550 5.7.1 for others.
    Remote,
    /// An alias of ours that leads, wholly or in part, to another host. Needs an outbound queue: 451 4.3.2 without
    /// one, for whoever asks.
    Forward,
}

/// An account as far as login and the command line need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Its primary address.
    pub name: String,
    /// Argon2id PHC string; empty: no password works.
    pub secret: String,
    /// Whether login is refused.
    pub disabled: bool,
}

/// The directory. Shared by all shards; a reload swaps the domains.
#[derive(Debug, Default)]
pub struct Directory {
    domains: RwLock<Arc<Domains>>,
}

impl Directory {
    /// A directory of these local domains.
    pub fn new(domains: Domains) -> Self {
        Directory {
            domains: RwLock::new(Arc::new(domains)),
        }
    }

    /// The local domains in force.
    pub fn domains(&self) -> Arc<Domains> {
        let domains = self.domains.read();
        domains.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts other local domains in force, for everything asked from now on.
    pub fn replace(&self, domains: Domains) {
        let mut held = self.domains.write().unwrap_or_else(PoisonError::into_inner);
        *held = Arc::new(domains);
    }

    /// Whether mail for `domain` ends here.
    pub fn is_local(&self, domain: &Domain) -> bool {
        self.domains().is_local(domain)
    }

    /// Where `address` leads.
    pub fn recipient(
        &self,
        snapshot: &dyn Snapshot,
        address: &Address,
    ) -> Result<Recipient, Error> {
        let domains = self.domains();
        if !domains.is_local(address.domain()) {
            return Ok(Recipient::Remote);
        }
        let found = resolve(snapshot, &domains, address)?;
        if found != Recipient::NoSuchUser || !is_postmaster(address) {
            return Ok(found);
        }
        postmaster(snapshot, &domains, address.domain())
    }

    /// Where `<postmaster>` without a domain leads: to the postmaster of the first domain. RFC 5321 §4.5.1.
    pub fn postmaster(&self, snapshot: &dyn Snapshot) -> Result<Recipient, Error> {
        let Some(name) = self.domains().first().map(|first| first.name.clone()) else {
            return Ok(Recipient::NoSuchUser);
        };
        match Address::from_parts("postmaster", name) {
            Ok(address) => self.recipient(snapshot, &address),
            Err(_) => Ok(Recipient::NoSuchUser),
        }
    }

    /// The account whose primary address is `name`, in any case.
    pub fn account(&self, snapshot: &dyn Snapshot, name: &str) -> Result<Option<Account>, Error> {
        account(snapshot, name)
    }

    /// Whether `account` may use `address` as reverse-path or author: mail to it reaches the account.
    pub fn may_send_as(
        &self,
        snapshot: &dyn Snapshot,
        account: AccountId,
        address: &Address,
    ) -> Result<bool, Error> {
        Ok(match self.recipient(snapshot, address)? {
            Recipient::Local(accounts) => accounts.contains(&account),
            _ => false,
        })
    }
}

/// The account whose primary address is `name`, in any case.
pub fn account(snapshot: &dyn Snapshot, name: &str) -> Result<Option<Account>, Error> {
    let Some(key) = key_of(name) else {
        return Ok(None);
    };
    let found = read::account_by_address(snapshot, &key)?;
    Ok(found.map(|(id, row)| Account {
        id,
        name: row.name.to_owned(),
        secret: row.secret.to_owned(),
        disabled: row.disabled,
    }))
}

/// The key under which the store knows the address written `name`.
fn key_of(name: &str) -> Option<String> {
    Address::parse(name).ok().map(|address| address.key())
}

fn is_postmaster(address: &Address) -> bool {
    address.local().eq_ignore_ascii_case("postmaster")
}

/// The address without its subaddress. RFC 5233 §1.
fn without_subaddress(address: &Address) -> Option<Address> {
    let (user, _) = address.local().split_once('+')?;
    Address::from_parts(user, address.domain().clone()).ok()
}

/// What the store says of `address`, or of it without its subaddress.
fn row<'t>(
    snapshot: &'t (dyn Snapshot + 't),
    address: &Address,
) -> Result<Option<AddressRow<'t>>, Error> {
    if let Some(row) = read::address(snapshot, &address.key())? {
        return Ok(Some(row));
    }
    match without_subaddress(address) {
        Some(plain) => read::address(snapshot, &plain.key()),
        None => Ok(None),
    }
}

/// Follows `address`, which is local, to its accounts: level by level, so the nearest come first.
fn resolve(
    snapshot: &dyn Snapshot,
    domains: &Domains,
    address: &Address,
) -> Result<Recipient, Error> {
    let mut accounts = Vec::new();
    let mut seen = HashSet::from([address.key()]);
    let mut addresses = vec![address.clone()];
    let mut next = 0;
    while next < addresses.len() {
        let Some(row) = row(snapshot, &addresses[next])? else {
            next += 1;
            continue;
        };
        next += 1;
        for target in row.targets() {
            match target {
                AddressTarget::Account(id) if accounts.contains(&id) => {}
                AddressTarget::Account(id) => accounts.push(id),
                AddressTarget::Address(text) => {
                    let Ok(address) = Address::parse(text) else {
                        return Err(Error::Damaged(format!("alias target {text:?}")));
                    };
                    if !domains.is_local(address.domain()) {
                        return Ok(Recipient::Forward);
                    }
                    if seen.insert(address.key()) {
                        addresses.push(address);
                    }
                }
            }
            if addresses.len() + accounts.len() > ADDRESSES_MAX {
                return Err(Error::Limit("alias addresses"));
            }
        }
    }
    Ok(match accounts.is_empty() {
        true => Recipient::NoSuchUser,
        false => Recipient::Local(accounts),
    })
}

/// The configured address of `domain`, else its first account, else the host's first account.
fn postmaster(
    snapshot: &dyn Snapshot,
    domains: &Domains,
    domain: &Domain,
) -> Result<Recipient, Error> {
    if let Some(address) = domains.find(domain).and_then(|d| d.postmaster.as_ref()) {
        let found = resolve(snapshot, domains, address)?;
        if found != Recipient::NoSuchUser {
            return Ok(found);
        }
    }
    let (mut of_domain, mut of_host, mut looked) = (None, None, 0);
    read::accounts(snapshot, |id, row| {
        of_host = of_host.or(Some(id));
        looked += 1;
        if Address::parse(row.name).is_ok_and(|name| name.domain() == domain) {
            of_domain = Some(id);
        }
        match of_domain.is_some() || looked == POSTMASTER_SCAN_MAX {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    Ok(match of_domain.or(of_host) {
        Some(id) => Recipient::Local(vec![id]),
        None => Recipient::NoSuchUser,
    })
}
