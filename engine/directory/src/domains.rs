//! The domains this host is the end of, as the configuration names them.

use ringpost_types::{Address, Domain};
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

/// Where a subaddress begins when a domain does not say. RFC 5233 §1.
pub const SUBADDRESS: &str = "+";

/// One `[[domain]]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalDomain {
    /// Its name.
    pub name: Domain,
    /// Where mail for its postmaster and abuse goes when there is no such account or alias. RFC 5321 §4.5.1, RFC 2142.
    pub postmaster: Option<Address>,
    /// Characters of which each begins a subaddress; empty: there are none.
    pub subaddress: Box<str>,
    /// Addresses of this host that stand for the domain: `alice@[192.0.2.1]`. RFC 5321 §4.1.3.
    pub literals: Vec<IpAddr>,
    /// Addresses that nobody uses and nobody was given: who writes to one has found it where harvesters look.
    pub traps: Vec<Address>,
}

impl LocalDomain {
    /// A domain with nothing said but its name.
    pub fn new(name: Domain) -> Self {
        LocalDomain {
            name,
            postmaster: None,
            subaddress: SUBADDRESS.into(),
            literals: Vec::new(),
            traps: Vec::new(),
        }
    }

    /// What may stand before the subaddress of `local`, the longest first: of `a+b+c`, `a+b` and `a`.
    pub fn users<'l>(&self, local: &'l str) -> impl Iterator<Item = &'l str> + use<'_, 'l> {
        let begins = |c: char| self.subaddress.contains(c);
        let cuts = local.char_indices().rev();
        cuts.filter(move |&(at, c)| at > 0 && begins(c))
            .map(|(at, _)| &local[..at])
    }
}

/// All local domains, in the order of the configuration. Never changed in place: a reload makes a new one.
#[derive(Clone, Debug, Default)]
pub struct Domains {
    list: Vec<LocalDomain>,
    /// By name and by literal.
    place: HashMap<Domain, usize>,
    traps: HashSet<String>,
}

impl Domains {
    /// Of two entries with one name or literal the later stands.
    pub fn new(list: Vec<LocalDomain>) -> Self {
        let mut place = HashMap::with_capacity(list.len());
        for (at, domain) in list.iter().enumerate() {
            place.insert(domain.name.clone(), at);
            let literals = domain.literals.iter();
            place.extend(literals.map(|&ip| (Domain::of_ip(ip.to_canonical()), at)));
        }
        let traps = list.iter().flat_map(|domain| &domain.traps);
        Domains {
            traps: traps.map(Address::key).collect(),
            list,
            place,
        }
    }

    /// Whether mail for `domain` ends here.
    pub fn is_local(&self, domain: &Domain) -> bool {
        self.place.contains_key(domain)
    }

    /// What the configuration says of `domain`, or of the domain that this literal stands for.
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

    /// Whether `address` is a trap, with a subaddress or without.
    pub fn is_trap(&self, address: &Address) -> bool {
        if self.traps.is_empty() {
            return false;
        }
        let Some(domain) = self.find(address.domain()) else {
            return false;
        };
        let folded = address.folded();
        let mut names = std::iter::once(folded.local()).chain(domain.users(folded.local()));
        names.any(|name| self.traps.contains(&format!("{name}@{}", domain.name)))
    }
}
