//! Aliases: the writes and look-ups of the command line.
//!
//! In:  names as an operator types them, or a table of another server. Out: a [`Write`] for the store, rows to
//! print, or every [`Refusal`].
//!
//! An alias leads to accounts, to other aliases, to addresses of other hosts, in any mixture; `@domain` is the alias of
//! whatever in the domain has no address of its own. A target of a local domain must be there: an account, an alias, one
//! of them with a subaddress, `postmaster` or `abuse`. What a catch-all would take is not enough, it may be a misspelling.
//!
//! Invariants: no alias is put that leads back to itself, that stands in the place of an account's own address, or that
//! stands for more than [`ADDRESSES_MAX`](crate::resolve::ADDRESSES_MAX); of a table all aliases are put, or none.

mod draft;

use crate::account::Refusal;
use crate::alias_file::{Entry, Fault, Target};
use crate::domains::Domains;
use draft::Draft;
use ringpost_api::row::AddressTarget;
use ringpost_api::write::AliasTarget;
use ringpost_api::{Error, Snapshot, Write, read};
use ringpost_types::address::{self, AddressError, LOCAL_OCTETS_MAX};
use ringpost_types::{Address, Domain};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// One alias, for a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The key of its address.
    pub name: String,
    /// Addresses it leads to.
    pub targets: Vec<String>,
}

/// What an import would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Aliases that were not there.
    pub added: Vec<Alias>,
    /// Aliases that led elsewhere.
    pub replaced: Vec<Alias>,
    /// How many lead there already.
    pub unchanged: usize,
}

/// An alias that leads to `targets`, in place of what it led to.
pub fn put(
    snapshot: &dyn Snapshot,
    domains: &Domains,
    name: &str,
    targets: &[String],
) -> Result<Write, Refusal> {
    let mut draft = Draft::new(snapshot, domains);
    let key = draft.name(name)?;
    let mut leads = Vec::with_capacity(targets.len());
    for target in targets {
        let lead = draft.target(target)?;
        if !leads.contains(&lead) {
            leads.push(lead);
        }
    }
    draft.new.insert(key.clone(), leads);
    draft.check(&key)?;
    draft.check_others()?;
    let mut aliases = draft.writes();
    let (address, targets) = aliases.remove(0);
    Ok(Write::AliasPut { address, targets })
}

/// The aliases of another server's table; names without a domain are of `domain`.
pub fn import(
    snapshot: &dyn Snapshot,
    domains: &Domains,
    domain: &Domain,
    entries: &[Entry],
) -> Result<(Write, Report), Vec<Fault>> {
    let mut draft = Draft::new(snapshot, domains);
    let mut faults = Vec::new();
    let mut told = |line: usize, refusal: Refusal| {
        let what = refusal.to_string();
        faults.push(Fault { line, what });
    };
    let mut lines = HashMap::new();
    // The names first: an alias may lead to one that comes later.
    for entry in entries {
        match draft.name(&qualified(&entry.name, domain)) {
            Ok(key) if lines.contains_key(&key) => told(entry.line, Refusal::Twice(key)),
            Ok(key) => {
                draft.new.insert(key.clone(), Vec::new());
                lines.insert(key, entry);
            }
            Err(refusal) => told(entry.line, refusal),
        }
    }
    for (key, entry) in &lines {
        let mut leads = Vec::with_capacity(entry.targets.len());
        for target in &entry.targets {
            let lead = match target {
                Target::Name(name) => draft.target(&qualified(name, domain)),
                Target::Account(name) => draft.account(&qualified(name, domain)),
            };
            match lead {
                Ok(lead) if leads.contains(&lead) => {}
                Ok(lead) => leads.push(lead),
                Err(refusal) => told(entry.line, refusal),
            }
        }
        draft.new.insert(key.clone(), leads);
    }
    for (key, entry) in &lines {
        if let Err(refusal) = draft.check(key) {
            told(entry.line, refusal);
        }
    }
    // No line of the table is at fault alone.
    if let (true, Err(refusal)) = (faults.is_empty(), draft.check_others()) {
        let what = refusal.to_string();
        faults.push(Fault { line: 0, what });
    }
    if !faults.is_empty() {
        faults.sort_by_key(|fault| fault.line);
        return Err(faults);
    }
    let report = draft.report().map_err(|error| {
        let what = error.to_string();
        vec![Fault { line: 0, what }]
    })?;
    let aliases = draft.writes();
    Ok((Write::AliasesPut { aliases }, report))
}

/// Away with an alias.
pub fn remove(snapshot: &dyn Snapshot, name: &str) -> Result<Write, Refusal> {
    let key = key(name)?;
    if read::account_by_address(snapshot, &key)?.is_some() {
        return Err(Refusal::IsAccount(name.to_owned()));
    }
    match read::address(snapshot, &key)? {
        Some(_) => Ok(Write::AliasRemove {
            address: wire(&key),
        }),
        None => Err(Refusal::NoAlias(name.to_owned())),
    }
}

/// Every alias, by address; the primary addresses of accounts are none.
pub fn list(snapshot: &dyn Snapshot) -> Result<Vec<Alias>, Refusal> {
    let mut aliases = Vec::new();
    for (name, leads) in rows(snapshot)? {
        let mut targets = Vec::with_capacity(leads.len());
        for target in &leads {
            targets.extend(shown(snapshot, target)?);
        }
        aliases.push(Alias { name, targets });
    }
    Ok(aliases)
}

/// What is wrong with the aliases there are, since accounts and domains come and go: circles, named, and targets
/// that lead nowhere.
pub fn faults(snapshot: &dyn Snapshot, domains: &Domains) -> Result<Vec<Refusal>, Error> {
    let draft = Draft::new(snapshot, domains);
    let mut faults = Vec::new();
    for (name, leads) in rows(snapshot)? {
        match draft.check(&name) {
            Ok(()) => {}
            Err(Refusal::Store(error)) => return Err(error),
            // Each on a circle finds it; the first of them tells.
            Err(Refusal::Circle(names)) if names.iter().min() != Some(&name) => {}
            Err(refusal) => faults.push(refusal),
        }
        for lead in leads {
            if let AliasTarget::Address(text) = lead
                && let Ok(address) = Address::parse(&text)
                && !draft.is_there(&address)?
            {
                faults.push(Refusal::Dangling(name.clone(), text));
            }
        }
    }
    Ok(faults)
}

/// The rows that are aliases.
fn rows(snapshot: &dyn Snapshot) -> Result<Vec<(String, Vec<AliasTarget>)>, Error> {
    let mut rows = Vec::new();
    read::addresses(snapshot, |name, row| {
        rows.push((name.to_owned(), row.targets().map(owned).collect()));
        ControlFlow::Continue(())
    })?;
    let mut aliases = Vec::with_capacity(rows.len());
    for (name, leads) in rows {
        if read::account_by_address(snapshot, &name)?.is_none() {
            aliases.push((name, leads));
        }
    }
    Ok(aliases)
}

fn key(name: &str) -> Result<String, Refusal> {
    address::key(name).map_err(|why| refused(name, why))
}

fn refused(name: &str, why: AddressError) -> Refusal {
    Refusal::Address(name.to_owned(), why)
}

/// An address in normal form: what is typed here is what others will see.
fn normal(text: &str) -> Result<Address, Refusal> {
    let address = Address::parse(text).map_err(|why| refused(text, why))?;
    // Lower case can be longer than upper, and it is what the store has.
    if address.folded().local().len() > LOCAL_OCTETS_MAX {
        return Err(refused(text, AddressError::LocalTooLong));
    }
    match address.normal() {
        None => Ok(address),
        Some(normal) => Err(Refusal::NotNormal(text.to_owned(), normal.to_string())),
    }
}

/// A key as an address that can be read again.
fn wire(key: &str) -> String {
    let Some((local, domain)) = key.rsplit_once('@') else {
        return key.to_owned();
    };
    let domain = Domain::parse(domain);
    match domain.and_then(|domain| Address::from_parts(local, domain)) {
        Ok(address) => address.to_string(),
        Err(_) => key.to_owned(),
    }
}

/// A name of a table as an address: names without a domain are of `domain`, and quoted where that needs it.
fn qualified(name: &str, domain: &Domain) -> String {
    if name.contains('@') {
        return name.to_owned();
    }
    match Address::from_parts(name, domain.clone()) {
        Ok(address) => address.to_string(),
        Err(_) => format!("{name}@{domain}"),
    }
}

fn owned(target: AddressTarget<'_>) -> AliasTarget {
    match target {
        AddressTarget::Account(id) => AliasTarget::Account(id),
        AddressTarget::Address(text) => AliasTarget::Address(text.to_owned()),
    }
}

/// A target for people; `None`: an account that is gone.
fn shown(snapshot: &dyn Snapshot, target: &AliasTarget) -> Result<Option<String>, Error> {
    match target {
        AliasTarget::Address(text) => Ok(Some(text.clone())),
        AliasTarget::Account(id) => {
            let row = read::account(snapshot, *id)?;
            Ok(row.map(|row| row.name.to_owned()))
        }
    }
}
