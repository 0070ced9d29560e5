//! The writes and look-ups of the command line: accounts by their addresses.
//!
//! In:  names as an operator types them. Out: [`Write`] values for the store, or rows to print. A password comes
//! as its hash ([`crate::secret::hash`]), never in clear.

use crate::directory::account;
use crate::domains::Domains;
use crate::resolve::ADDRESSES_MAX;
use ringpost_api::credential::Scram;
use ringpost_api::{Error, Snapshot, Write, read};
use ringpost_sasl::prep;
use ringpost_types::{AccountId, Address, address::AddressError};
use std::fmt;
use std::ops::ControlFlow;

/// Why a change cannot be asked of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not an address.
    Address(String, AddressError),
    /// The address is of a domain that the configuration does not have.
    NotLocal(String),
    /// An account or alias has that address already.
    Taken(String),
    /// No account of that name.
    NoAccount(String),
    /// No alias of that name.
    NoAlias(String),
    /// The target is neither an account nor an alias here.
    NoTarget(String),
    /// The primary address of an account is not an alias.
    IsAccount(String),
    /// The alias leads back to itself, by these.
    Circle(Vec<String>),
    /// A table has the alias twice.
    Twice(String),
    /// An alias that leads to an address of ours that is not there.
    Dangling(String, String),
    /// The alias stands for more addresses than a mail may have.
    TooMany(String),
    /// An address that is written in another form than the one it is read in.
    NotNormal(String, String),
    /// Not a name for an app password.
    AppName(String),
    /// The account has no app password of that name.
    NoAppPassword(String),
    /// The store did not answer.
    Store(Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Address(text, why) => write!(f, "{text:?} is not an address: {why}"),
            Refusal::NotLocal(name) => write!(
                f,
                "{name} is not of a local domain; add its domain to the configuration as [[domain]]"
            ),
            Refusal::Taken(name) => write!(f, "{name} exists already"),
            Refusal::NoAccount(name) => write!(f, "there is no account {name}"),
            Refusal::NoAlias(name) => write!(f, "there is no alias {name}"),
            Refusal::NoTarget(name) => write!(f, "{name} is neither an account nor an alias here"),
            Refusal::IsAccount(name) => {
                write!(f, "{name} is the address of an account, not an alias")
            }
            Refusal::Circle(names) => {
                write!(f, "an alias leads back to itself: {}", names.join(" -> "))
            }
            Refusal::Twice(name) => write!(f, "{name} is here twice"),
            Refusal::Dangling(name, target) => {
                write!(f, "alias {name} leads to {target}, which is not there")
            }
            Refusal::TooMany(name) => {
                write!(f, "{name} stands for more than {ADDRESSES_MAX} addresses")
            }
            Refusal::NotNormal(name, normal) => {
                write!(f, "{name} is not in normal form (NFC); write {normal}")
            }
            Refusal::AppName(name) => write!(f, "{name:?} is no name for an app password"),
            Refusal::NoAppPassword(name) => write!(f, "there is no app password {name}"),
            Refusal::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Store(error)
    }
}

/// One account, for a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its number.
    pub id: AccountId,
    /// Its primary address.
    pub name: String,
    /// Mailboxes now.
    pub mailboxes: u32,
    /// Octets of its messages.
    pub octets: u64,
    /// Its messages.
    pub messages: u32,
    /// Octets it may have; 0: no bound.
    pub quota_octets: u64,
    /// Messages it may have; 0: no bound.
    pub quota_messages: u32,
    /// Whether login is refused.
    pub disabled: bool,
}

/// One app password, for a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedAppPassword {
    /// As its owner calls it.
    pub name: String,
    /// What it opens, bits of [`ringpost_api::credential::scope`].
    pub scopes: u32,
    /// Seconds since 1970 UTC.
    pub created: u64,
    /// Seconds since 1970 UTC, to within minutes; 0: never.
    pub used: u64,
}

/// A new account.
pub fn create(
    snapshot: &dyn Snapshot,
    domains: &Domains,
    name: &str,
    secret: String,
    scram: Option<Scram>,
) -> Result<Write, Refusal> {
    let address = local(domains, name)?;
    if let Some(normal) = address.normal() {
        return Err(Refusal::NotNormal(name.to_owned(), normal.to_string()));
    }
    if read::address(snapshot, &address.key())?.is_some() {
        return Err(Refusal::Taken(address.to_string()));
    }
    Ok(Write::AccountCreate {
        name: address.to_string(),
        secret,
        scram,
    })
}

/// Another password for an account.
pub fn change_secret(
    snapshot: &dyn Snapshot,
    name: &str,
    secret: String,
    scram: Option<Scram>,
) -> Result<Write, Refusal> {
    let account = find(snapshot, name)?;
    Ok(Write::AccountSecret {
        account,
        secret,
        scram,
    })
}

/// Other bounds for an account; those that are not given stay. 0: no bound.
pub fn change_quota(
    snapshot: &dyn Snapshot,
    name: &str,
    octets: Option<u64>,
    messages: Option<u32>,
) -> Result<Write, Refusal> {
    let account = find(snapshot, name)?;
    let row = read::account(snapshot, account)?;
    let row = row.ok_or_else(|| Refusal::NoAccount(name.to_owned()))?;
    Ok(Write::Quota {
        account,
        octets: octets.unwrap_or(row.quota_octets),
        messages: messages.unwrap_or(row.quota_messages),
    })
}

/// Refuses logins of an account, or lets them in again.
pub fn disable(snapshot: &dyn Snapshot, name: &str, disabled: bool) -> Result<Write, Refusal> {
    let account = find(snapshot, name)?;
    Ok(Write::AccountDisable { account, disabled })
}

/// One more password for an account, for one program of its owner. Its name is kept as SASLprep makes it, for SCRAM
/// tells it with the account's.
pub fn add_app_password(
    snapshot: &dyn Snapshot,
    account: &str,
    name: &str,
    scopes: u32,
    secret: String,
    scram: Option<Scram>,
) -> Result<Write, Refusal> {
    let account = find(snapshot, account)?;
    let name = prep::name(name).ok_or_else(|| Refusal::AppName(name.to_owned()))?;
    if app_password(snapshot, account, &name)?.is_some() {
        return Err(Refusal::Taken(name.into_owned()));
    }
    Ok(Write::CredentialAdd {
        account,
        name: name.into_owned(),
        scopes,
        secret,
        scram,
    })
}

/// Away with an app password.
pub fn remove_app_password(
    snapshot: &dyn Snapshot,
    account: &str,
    name: &str,
) -> Result<Write, Refusal> {
    let account = find(snapshot, account)?;
    let kept = prep::name(name).unwrap_or_default();
    match app_password(snapshot, account, &kept)? {
        Some(id) => Ok(Write::CredentialRemove { account, id }),
        None => Err(Refusal::NoAppPassword(name.to_owned())),
    }
}

/// The app passwords of an account, oldest first.
pub fn list_app_passwords(
    snapshot: &dyn Snapshot,
    account: &str,
) -> Result<Vec<ListedAppPassword>, Refusal> {
    let account = find(snapshot, account)?;
    let mut listed = Vec::new();
    read::app_passwords(snapshot, account, |_, row| {
        listed.push(ListedAppPassword {
            name: row.name.to_owned(),
            scopes: row.scopes,
            created: row.created,
            used: row.used,
        });
        ControlFlow::Continue(())
    })?;
    Ok(listed)
}

fn app_password(
    snapshot: &dyn Snapshot,
    account: AccountId,
    name: &str,
) -> Result<Option<u32>, Error> {
    let mut found = None;
    read::app_passwords(snapshot, account, |id, row| {
        found = found.or((row.name == name).then_some(id));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Away with an account and its mail.
pub fn remove(snapshot: &dyn Snapshot, name: &str) -> Result<Write, Refusal> {
    let account = find(snapshot, name)?;
    Ok(Write::AccountRemove { account })
}

/// Every account, in the order in which they were made.
pub fn list(snapshot: &dyn Snapshot) -> Result<Vec<Listed>, Refusal> {
    let mut accounts = Vec::new();
    read::accounts(snapshot, |id, row| {
        accounts.push(Listed {
            id,
            name: row.name.to_owned(),
            mailboxes: row.mailboxes,
            octets: row.octets,
            messages: row.messages,
            quota_octets: row.quota_octets,
            quota_messages: row.quota_messages,
            disabled: row.disabled,
        });
        ControlFlow::Continue(())
    })?;
    Ok(accounts)
}

fn parse(name: &str) -> Result<Address, Refusal> {
    Address::parse(name).map_err(|why| Refusal::Address(name.to_owned(), why))
}

fn local(domains: &Domains, name: &str) -> Result<Address, Refusal> {
    let address = parse(name)?;
    // A literal stands for a domain, whose accounts are its own.
    match domains.is_local(address.domain()) && !address.domain().is_literal() {
        true => Ok(address),
        false => Err(Refusal::NotLocal(address.to_string())),
    }
}

fn find(snapshot: &dyn Snapshot, name: &str) -> Result<AccountId, Refusal> {
    parse(name)?;
    match account(snapshot, name)? {
        Some(account) => Ok(account.id),
        None => Err(Refusal::NoAccount(name.to_owned())),
    }
}
