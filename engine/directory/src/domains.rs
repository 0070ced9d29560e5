//! The domains this host is the end of, as the configuration names them.

use ringpost_types::{Address, Domain};
use std::collections::HashMap;

/// One `[[domain]]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalDomain {
    /// Its name.
    pub name: Domain,
    /// Where mail for its postmaster goes when no such account or alias exists. RFC 5321 §4.5.1.
    pub postmaster: Option<Address>,
}

impl LocalDomain {
    /// A domain with nothing said but its name.
    pub fn new(name: Domain) -> Self {
        LocalDomain {
            name,
            postmaster: None,
        }
    }
}

/// All local domains, in the order of the configuration. Never changed in place: a reload makes a new one.
#[derive(Clone, Debug, Default)]
pub struct Domains {
    list: Vec<LocalDomain>,
    place: HashMap<Domain, usize>,
}

impl Domains {
    /// Of two entries with one name the later stands.
    pub fn new(list: Vec<LocalDomain>) -> Self {
        let place = list
            .iter()
            .enumerate()
            .map(|(at, domain)| (domain.name.clone(), at))
            .collect();
        Domains { list, place }
    }

    /// Whether mail for `domain` ends here.
    pub fn is_local(&self, domain: &Domain) -> bool {
        self.place.contains_key(domain)
    }

    /// What the configuration says of `domain`.
    pub fn find(&self, domain: &Domain) -> Option<&LocalDomain> {
        self.place.get(domain).map(|&at| &self.list[at])
    }

    /// The domain that `<postmaster>` without a domain means: the first. RFC 5321 §4.5.1.
    pub fn first(&self) -> Option<&LocalDomain> {
        self.list.first()
    }

    /// In the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &LocalDomain> {
        self.list.iter()
    }
}
