//! Where an address leads.
//!
//! In:  an address, a snapshot of the store, the local domains in force. Out: [`Found`], and for people a [`Trail`].
//!
//! | the address | leads to |
//! |---|---|
//! | of a domain that is not ours | [`Found::Remote`] |
//! | known exactly | its account, or what its alias leads to, aliases of aliases included |
//! | `local+tag`, not known exactly | as `local`: subaddress, longest name first. RFC 5233 §1 |
//! | `postmaster` and `abuse`, not known | the address that the domain's configuration names |
//! | any other of a domain with an alias `@domain` | as that alias: catch-all |
//! | `postmaster` and `abuse` that still lead nowhere | the domain's first account, else the host's; one that is disabled only where all are. RFC 5321 §4.5.1, RFC 2142 §5 |
//! | anything else | [`Found::NoSuchUser`] |
//!
//! An address literal of ours is first turned into the domain it stands for.
//!
//! Invariants: an alias is followed once in one resolution, so a circle ends; a resolution looks at no more than
//! [`ADDRESSES_MAX`] targets, and one that would is an error, never a mail with some recipients left out; accounts and
//! remote addresses are each there once, the nearest first.

use crate::domains::{Domains, LocalDomain};
use ringpost_api::row::{AddressRow, AddressTarget};
use ringpost_api::{Error, Snapshot, read};
use ringpost_types::{AccountId, Address};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Addresses and accounts behind one recipient. Aliases are made by the operator, not by strangers; this ends mistakes.
pub const ADDRESSES_MAX: usize = 1_000;

/// Accounts looked at to find a domain's first one, so that mail to postmaster of an empty domain stays cheap.
const POSTMASTER_SCAN_MAX: usize = 1_000;

/// Addresses that every domain has, whoever reads them. RFC 5321 §4.5.1, RFC 2142 §4 and §5.
const ROLES: [&str; 2] = ["postmaster", "abuse"];

/// Where an address leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// To accounts here, to addresses of other hosts, or to both; never to neither.
    Local(Targets),
    /// The domain is ours, the user is not there. 550 5.1.1.
    NoSuchUser,
    /// The domain is not ours.
    Remote,
}

/// What is behind an address of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// Accounts here.
    pub accounts: Vec<AccountId>,
    /// Addresses of other hosts, as the alias has them: they need the outbound queue.
    pub remote: Vec<Address>,
    /// Whether a catch-all was on the way: then the address is nobody's own.
    pub caught: bool,
}

impl Targets {
    fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.remote.is_empty()
    }
}

/// How an address was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// As it stands.
    Exact,
    /// Without its subaddress.
    Subaddress,
    /// `postmaster` or `abuse`, by the configuration.
    Role,
    /// By `@domain`.
    CatchAll,
    /// `postmaster` or `abuse`, since somebody must read it.
    FirstAccount,
    /// Not at all.
    Nothing,
}

/// One step on the way, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The address asked for.
    pub from: String,
    /// How it was found.
    pub how: How,
    /// Where it leads: addresses and the names of accounts.
    pub to: Vec<String>,
}

/// The way from an address to all of its targets.
pub type Trail = Vec<Hop>;

/// Follows `address`, level by level, so that the nearest come first. The trail is written where one is given.
pub fn resolve(
    snapshot: &dyn Snapshot,
    domains: &Domains,
    address: &Address,
    mut trail: Option<&mut Trail>,
) -> Result<Found, Error> {
    let Some(domain) = domains.find(address.domain()) else {
        return Ok(Found::Remote);
    };
    let mut targets = Targets::default();
    let mut seen = HashSet::from([address.key()]);
    let mut addresses = vec![address.clone()];
    let mut next = 0;
    while next < addresses.len() {
        let asked = addresses[next].clone();
        next += 1;
        let (how, leads) = lookup(snapshot, domains, &asked)?;
        if let Some(trail) = &mut trail {
            trail.push(hop(snapshot, &asked, how, &leads)?);
        }
        targets.caught |= how == How::CatchAll;
        for target in leads {
            match target {
                Lead::Account(id) if targets.accounts.contains(&id) => {}
                Lead::Account(id) => targets.accounts.push(id),
                Lead::Address(to) if domains.is_local(to.domain()) => {
                    if seen.insert(to.key()) {
                        addresses.push(to);
                    }
                }
                Lead::Address(to) => {
                    if seen.insert(to.to_string()) {
                        targets.remote.push(to);
                    }
                }
            }
            if addresses.len() + targets.accounts.len() + targets.remote.len() > ADDRESSES_MAX {
                return Err(Error::Limit("alias addresses"));
            }
        }
    }
    let role = addresses.iter().find(|address| is_role(address));
    if let (true, Some(role)) = (targets.is_empty(), role) {
        let domain = domains.find(role.domain()).unwrap_or(domain);
        let first = first_account(snapshot, domain)?;
        if let Some(trail) = &mut trail {
            let leads: Vec<_> = first.map(Lead::Account).into_iter().collect();
            trail.push(hop(snapshot, role, How::FirstAccount, &leads)?);
        }
        targets.accounts.extend(first);
    }
    Ok(match targets.is_empty() {
        true => Found::NoSuchUser,
        false => Found::Local(targets),
    })
}

/// What one look-up gives.
enum Lead {
    Account(AccountId),
    Address(Address),
}

/// One step from `address`, which is local.
fn lookup(
    snapshot: &dyn Snapshot,
    domains: &Domains,
    address: &Address,
) -> Result<(How, Vec<Lead>), Error> {
    let Some(domain) = domains.find(address.domain()) else {
        return Ok((How::Nothing, Vec::new()));
    };
    if let Some((how, row)) = named(snapshot, domain, address)? {
        return Ok((how, leads(row)?));
    }
    if let (Some(to), true) = (&domain.postmaster, is_role(address)) {
        return Ok((How::Role, vec![Lead::Address(to.clone())]));
    }
    if let Some(row) = read::address(snapshot, &format!("@{}", domain.name))? {
        return Ok((How::CatchAll, leads(row)?));
    }
    let first = match is_role(address) {
        true => first_account(snapshot, domain)?,
        false => None,
    };
    Ok(match first {
        Some(account) => (How::FirstAccount, vec![Lead::Account(account)]),
        None => (How::Nothing, Vec::new()),
    })
}

/// What the store says of `address` itself, or of it without its subaddress.
pub(crate) fn named<'t>(
    snapshot: &'t (dyn Snapshot + 't),
    domain: &LocalDomain,
    address: &Address,
) -> Result<Option<(How, AddressRow<'t>)>, Error> {
    let key = address.key();
    let local = &key[..key.len() - address.domain().as_str().len() - 1];
    let exact = format!("{local}@{}", domain.name);
    if let Some(row) = read::address(snapshot, &exact)? {
        return Ok(Some((How::Exact, row)));
    }
    for user in domain.users(local) {
        if let Some(row) = read::address(snapshot, &format!("{user}@{}", domain.name))? {
            return Ok(Some((How::Subaddress, row)));
        }
    }
    Ok(None)
}

fn leads(row: AddressRow<'_>) -> Result<Vec<Lead>, Error> {
    row.targets().map(lead).collect()
}

fn lead(target: AddressTarget<'_>) -> Result<Lead, Error> {
    match target {
        AddressTarget::Account(id) => Ok(Lead::Account(id)),
        AddressTarget::Address(text) => match Address::parse(text) {
            Ok(address) => Ok(Lead::Address(address)),
            Err(_) => Err(Error::Damaged(format!("alias target {text:?}"))),
        },
    }
}

/// Whether the address is one that every domain has.
pub fn is_role(address: &Address) -> bool {
    let mut roles = ROLES.iter();
    roles.any(|role| address.local().eq_ignore_ascii_case(role))
}

/// The first account of `domain`, else of the host: of those that somebody may log in to, else of all.
fn first_account(
    snapshot: &dyn Snapshot,
    domain: &LocalDomain,
) -> Result<Option<AccountId>, Error> {
    let (mut of_domain, mut of_host, mut of_any, mut looked) = (None, None, None, 0);
    read::accounts(snapshot, |id, row| {
        looked += 1;
        of_any = of_any.or(Some(id));
        if !row.disabled {
            of_host = of_host.or(Some(id));
            let name = Address::parse(row.name);
            let is_here = name.is_ok_and(|name| name.domain() == &domain.name);
            of_domain = is_here.then_some(id);
        }
        match of_domain.is_some() || looked == POSTMASTER_SCAN_MAX {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    Ok(of_domain.or(of_host).or(of_any))
}

fn hop(snapshot: &dyn Snapshot, from: &Address, how: How, leads: &[Lead]) -> Result<Hop, Error> {
    let mut to = Vec::with_capacity(leads.len());
    for lead in leads {
        to.push(match lead {
            Lead::Address(address) => address.to_string(),
            Lead::Account(id) => match read::account(snapshot, *id)? {
                Some(row) => format!("account {}", row.name),
                None => format!("account {} that is gone", id.0),
            },
        });
    }
    Ok(Hop {
        from: from.to_string(),
        how,
        to,
    })
}
