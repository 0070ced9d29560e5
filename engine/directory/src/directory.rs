//! What all shards ask: where an address leads, who may send as it, what the rules say.
//!
//! In:  an address, a snapshot of the store. Out: [`Found`] as [`mod@crate::resolve`] draws it; the domains and the
//! [`Rules`] in force, which a reload swaps together.

use crate::domains::Domains;
use crate::resolve::{Found, Trail, resolve};
use crate::rules::Rules;
use ringpost_api::{Error, Snapshot, read};
use ringpost_types::{AccountId, Address, Domain};
use std::sync::{Arc, PoisonError, RwLock};

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

/// The directory. Shared by all shards; a reload swaps domains and rules.
#[derive(Debug, Default)]
pub struct Directory {
    rules: RwLock<Arc<Rules>>,
}

impl Directory {
    /// A directory of these rules and their domains, or of domains without rules.
    pub fn new(rules: impl Into<Rules>) -> Self {
        Directory {
            rules: RwLock::new(Arc::new(rules.into())),
        }
    }

    /// The rules in force.
    pub fn rules(&self) -> Arc<Rules> {
        let rules = self.rules.read();
        rules.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The local domains in force.
    pub fn domains(&self) -> Arc<Domains> {
        self.rules().domains().clone()
    }

    /// Puts other rules and domains in force, for everything asked from now on.
    pub fn replace(&self, rules: impl Into<Rules>) {
        let mut held = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        *held = Arc::new(rules.into());
    }

    /// Whether mail for `domain` ends here.
    pub fn is_local(&self, domain: &Domain) -> bool {
        self.rules().domains().is_local(domain)
    }

    /// Where `address` leads: accounts, other hosts, or both.
    pub fn resolve(&self, snapshot: &dyn Snapshot, address: &Address) -> Result<Found, Error> {
        resolve(snapshot, self.rules().domains(), address, None)
    }

    /// The same with the way there, for people.
    pub fn trace(
        &self,
        snapshot: &dyn Snapshot,
        address: &Address,
    ) -> Result<(Found, Trail), Error> {
        let mut trail = Trail::new();
        let found = resolve(snapshot, self.rules().domains(), address, Some(&mut trail))?;
        Ok((found, trail))
    }

    /// What `<postmaster>` without a domain means: the postmaster of the first domain. RFC 5321 §4.5.1.
    pub fn postmaster_address(&self) -> Option<Address> {
        let rules = self.rules();
        let first = rules.domains().first()?;
        Address::from_parts("postmaster", first.name.clone()).ok()
    }

    /// The account whose primary address is `name`, in any case.
    pub fn account(&self, snapshot: &dyn Snapshot, name: &str) -> Result<Option<Account>, Error> {
        account(snapshot, name)
    }

    /// Whether `account` may use `address` as reverse-path or author: mail to it reaches the account. What a
    /// catch-all catches belongs to the account only where nobody else gets it.
    pub fn may_send_as(
        &self,
        snapshot: &dyn Snapshot,
        account: AccountId,
        address: &Address,
    ) -> Result<bool, Error> {
        Ok(match self.resolve(snapshot, address)? {
            Found::Local(targets) if targets.caught => {
                targets.accounts == [account] && targets.remote.is_empty()
            }
            Found::Local(targets) => targets.accounts.contains(&account),
            Found::NoSuchUser | Found::Remote => false,
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
