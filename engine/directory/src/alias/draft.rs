//! Aliases to be put, over those that are there: what each may lead to, and what comes of it.
//!
//! In:  names and targets, one by one. Out: keys and rows of the store, or a [`Refusal`]; then, of all of them together,
//! whether one comes back to itself or stands for too many.

use super::{Alias, Report};
use super::{key, normal, owned, refused, rows, shown, wire};
use crate::account::Refusal;
use crate::directory::account;
use crate::domains::Domains;
use crate::resolve::{ADDRESSES_MAX, is_role};
use ringpost_api::row::AddressRow;
use ringpost_api::write::AliasTarget;
use ringpost_api::{Error, Snapshot, read};
use ringpost_types::{Address, Domain};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Aliases to be put, over those that are there.
pub(super) struct Draft<'d> {
    snapshot: &'d dyn Snapshot,
    domains: &'d Domains,
    /// By key.
    pub new: BTreeMap<String, Vec<AliasTarget>>,
}

impl<'d> Draft<'d> {
    pub fn new(snapshot: &'d dyn Snapshot, domains: &'d Domains) -> Self {
        Draft {
            snapshot,
            domains,
            new: BTreeMap::new(),
        }
    }

    /// The key of an alias that may be put.
    pub fn name(&self, name: &str) -> Result<String, Refusal> {
        let key = key(name)?;
        let domain = match name.strip_prefix('@') {
            Some(domain) => Domain::parse(domain).map_err(|why| refused(name, why))?,
            None => normal(name)?.domain().clone(),
        };
        // A literal stands for a domain, whose aliases are its own.
        if !self.domains.is_local(&domain) || domain.is_literal() {
            return Err(Refusal::NotLocal(name.to_owned()));
        }
        match read::account_by_address(self.snapshot, &key)? {
            Some(_) => Err(Refusal::IsAccount(name.to_owned())),
            None => Ok(key),
        }
    }

    /// A target as the store has it: of ours folded, of others as it was written.
    pub fn target(&self, text: &str) -> Result<AliasTarget, Refusal> {
        let address = normal(text)?;
        if !self.domains.is_local(address.domain()) {
            return Ok(AliasTarget::Address(address.to_string()));
        }
        if !self.is_there(&address)? {
            return Err(Refusal::NoTarget(address.to_string()));
        }
        match account(self.snapshot, text)? {
            Some(account) => Ok(AliasTarget::Account(account.id)),
            None => Ok(AliasTarget::Address(address.folded().to_string())),
        }
    }

    /// An account, and not what an alias of its name would be.
    pub fn account(&self, text: &str) -> Result<AliasTarget, Refusal> {
        normal(text)?;
        match account(self.snapshot, text)? {
            Some(account) => Ok(AliasTarget::Account(account.id)),
            None => Err(Refusal::NoAccount(text.to_owned())),
        }
    }

    /// What stands under one key, old or new.
    fn row(&self, key: &str) -> Result<Option<Vec<AliasTarget>>, Error> {
        if let Some(leads) = self.new.get(key) {
            return Ok(Some(leads.clone()));
        }
        let row = read::address(self.snapshot, key)?;
        Ok(row.map(|row: AddressRow<'_>| row.targets().map(owned).collect()))
    }

    /// The key under which an address of ours is found by its own name.
    fn named(&self, address: &Address) -> Result<Option<String>, Error> {
        let Some(domain) = self.domains.find(address.domain()) else {
            return Ok(None);
        };
        let folded = address.folded();
        let names = std::iter::once(folded.local()).chain(domain.users(folded.local()));
        for name in names {
            let key = format!("{name}@{}", domain.name);
            if self.row(&key)?.is_some() {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// Whether mail to a target would arrive; of other hosts nothing is known.
    pub fn is_there(&self, address: &Address) -> Result<bool, Error> {
        if !self.domains.is_local(address.domain()) || is_role(address) {
            return Ok(true);
        }
        Ok(self.named(address)?.is_some())
    }

    /// The key under which an address is found at all, as [`crate::resolve`] does.
    fn found(&self, address: &Address) -> Result<Option<String>, Error> {
        let Some(domain) = self.domains.find(address.domain()) else {
            return Ok(None);
        };
        if let Some(key) = self.named(address)? {
            return Ok(Some(key));
        }
        if let (Some(to), true) = (&domain.postmaster, is_role(address)) {
            return self.named(to);
        }
        let key = format!("@{}", domain.name);
        Ok(self.row(&key)?.map(|_| key))
    }

    /// Whether the alias `key` neither comes back to itself nor stands for too many. What counts is what
    /// [`crate::resolve`] counts, or more: mail to what was put never meets that bound.
    pub fn check(&self, key: &str) -> Result<(), Refusal> {
        // Each key with the one that led to it.
        let mut way: Vec<(String, usize)> = vec![(key.to_owned(), 0)];
        let mut seen = HashSet::from([key.to_owned()]);
        let mut counted = HashSet::from([key.to_owned()]);
        let mut at = 0;
        while at < way.len() {
            let row = self.row(&way[at].0)?;
            for lead in row.into_iter().flatten() {
                let to = match lead {
                    AliasTarget::Address(text) => Address::parse(&text)
                        .map_err(|_| Error::Damaged(format!("alias target {text:?}")))?,
                    AliasTarget::Account(id) => {
                        counted.insert(id.0.to_string());
                        continue;
                    }
                };
                if !self.domains.is_local(to.domain()) {
                    counted.insert(to.to_string());
                    continue;
                }
                counted.insert(to.key());
                counted.extend(self.role_of(&to));
                let Some(next) = self.found(&to)? else {
                    continue;
                };
                if next == key {
                    return Err(Refusal::Circle(circle(&way, at)));
                }
                if seen.insert(next.clone()) {
                    way.push((next, at));
                }
            }
            at += 1;
            if counted.len() > ADDRESSES_MAX {
                return Err(Refusal::TooMany(key.to_owned()));
            }
        }
        Ok(())
    }

    /// What may stand in the place of postmaster and abuse: an address of the configuration, or the first account.
    fn role_of(&self, address: &Address) -> Option<String> {
        let domain = self.domains.find(address.domain())?;
        let to = domain.postmaster.as_ref().map(Address::key);
        is_role(address).then(|| to.unwrap_or_default())
    }

    /// Whether what is put makes another alias stand for too many that did not before.
    pub fn check_others(&self) -> Result<(), Refusal> {
        let before = Draft::new(self.snapshot, self.domains);
        for name in self.above()? {
            match self.check(&name) {
                Err(Refusal::TooMany(_)) if before.check(&name).is_ok() => {
                    return Err(Refusal::TooMany(name));
                }
                Err(Refusal::Store(error)) => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// The aliases there are that lead to what is put, by others or at once.
    fn above(&self) -> Result<Vec<String>, Error> {
        let mut from: HashMap<String, Vec<String>> = HashMap::new();
        for (name, leads) in rows(self.snapshot)? {
            for lead in leads {
                if let AliasTarget::Address(text) = lead
                    && let Ok(to) = Address::parse(&text)
                    && let Some(next) = self.found(&to)?
                {
                    from.entry(next).or_default().push(name.clone());
                }
            }
        }
        let mut above = Vec::new();
        let mut below: Vec<String> = self.new.keys().cloned().collect();
        while let Some(key) = below.pop() {
            // Each is taken out as it is met, so that a circle ends.
            for name in from.remove(&key).unwrap_or_default() {
                above.push(name.clone());
                below.push(name);
            }
        }
        above.sort_unstable();
        above.dedup();
        Ok(above)
    }

    pub fn writes(&self) -> Vec<(String, Vec<AliasTarget>)> {
        let aliases = self.new.iter();
        aliases
            .map(|(key, leads)| (wire(key), leads.clone()))
            .collect()
    }

    pub fn report(&self) -> Result<Report, Error> {
        let mut report = Report::default();
        for (key, leads) in &self.new {
            let row = read::address(self.snapshot, key)?;
            let before = row.map(|row| row.targets().map(owned).collect::<Vec<_>>());
            if before.as_ref() == Some(leads) {
                report.unchanged += 1;
                continue;
            }
            let mut targets = Vec::with_capacity(leads.len());
            for lead in leads {
                targets.extend(shown(self.snapshot, lead)?);
            }
            let name = key.clone();
            let list = match before {
                Some(_) => &mut report.replaced,
                None => &mut report.added,
            };
            list.push(Alias { name, targets });
        }
        Ok(report)
    }
}

/// The names on the way to `last` and back to the first.
fn circle(way: &[(String, usize)], last: usize) -> Vec<String> {
    let (mut names, mut at) = (vec![way[0].0.clone()], last);
    while at != 0 {
        names.push(way[at].0.clone());
        at = way[at].1;
    }
    names.push(way[0].0.clone());
    names.reverse();
    names
}
