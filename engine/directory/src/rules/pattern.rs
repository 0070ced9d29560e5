//! A list of names to compare addresses and domains with: hashed, never scanned.
//!
//! | written | in `sender`, `recipient`, `authenticated` | in `domain`, `helo` |
//! |---|---|---|
//! | `alice@example.org` | this address, with a subaddress too where the domain is ours | – |
//! | `@example.org` | every address of the domain | – |
//! | `example.org` | – | the domain |
//! | `.example.org` | every address of a domain below it | every domain below it |
//! | `local` | every address of a local domain | every local domain |
//! | `<>` | the empty reverse-path | – |
//! | `*` | every address, not `<>` | every domain |
//!
//! An address is looked up under each of its keys ([`Subject`]): itself, itself without subaddresses, `@domain`, and
//! `.parent` for each parent of its domain. A domain literal has no parents; one of ours is looked up as it is written and
//! as the domain that it stands for, or a rule would be passed by with another spelling of the same mailbox.

use crate::domains::Domains;
use ringpost_types::{Address, Domain, address};
use std::collections::HashSet;

/// A list of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    keys: HashSet<Box<str>>,
    local: bool,
    null: bool,
    any: bool,
}

/// What a list is for: it decides what may be written in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Addresses and `<>`.
    Sender,
    /// Addresses.
    Address,
    /// Domains.
    Domain,
}

impl Names {
    /// Takes one more item; `None` where it is nothing that the kind may have.
    pub fn add(&mut self, kind: Kind, text: &str) -> Option<()> {
        let key = match (kind, text) {
            (_, "local") => {
                self.local = true;
                return Some(());
            }
            (_, "*") => {
                self.any = true;
                return Some(());
            }
            (Kind::Sender, "<>") => {
                self.null = true;
                return Some(());
            }
            (_, text) if text.starts_with('.') => format!(".{}", name(&text[1..])?),
            (Kind::Domain, text) => format!("@{}", Domain::parse(text).ok()?),
            (Kind::Sender | Kind::Address, text) => address::key(text).ok()?,
        };
        self.keys.insert(key.into());
        Some(())
    }

    /// Whether the list holds it.
    pub fn holds(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Null => self.null,
            Subject::Unknown => self.any,
            Subject::Named(named) => {
                self.any
                    || self.local && named.local
                    || !self.keys.is_empty() && named.keys().any(|key| self.keys.contains(key))
            }
        }
    }

    /// Whether the list has the address itself, and not only a wider word that holds it.
    pub(super) fn names(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Named(named) => named.exact.iter().any(|key| self.keys.contains(&**key)),
            Subject::Null | Subject::Unknown => false,
        }
    }

    /// The keys of which one must be the subject's for the list to hold it; `None`: there are others too.
    pub(super) fn keys(&self) -> Option<impl Iterator<Item = &str>> {
        let alone = !self.any && !self.local && !self.null;
        alone.then(|| self.keys.iter().map(|key| &**key))
    }
}

/// A name, not a literal.
fn name(text: &str) -> Option<Domain> {
    Domain::parse(text).ok().filter(|name| !name.is_literal())
}

/// What lists are asked about.
pub enum Subject {
    /// `<>`.
    Null,
    /// Text that is no name: a HELO of nonsense.
    Unknown,
    /// An address or a domain.
    Named(Named),
}

/// An address, or a domain as `@domain`, in the forms under which lists may have it.
pub struct Named {
    /// Its key, then the keys without subaddresses; of a literal of ours these in the domain it stands for, then the same
    /// as it is written.
    exact: Vec<String>,
    local: bool,
}

impl Subject {
    /// A reverse-path or recipient.
    pub fn address(domains: &Domains, address: Option<&Address>) -> Self {
        let Some(address) = address else {
            return Subject::Null;
        };
        let key = address.key();
        let Some(domain) = domains.find(address.domain()) else {
            return Subject::Named(Named {
                exact: vec![key],
                local: false,
            });
        };
        let local = &key[..key.len() - address.domain().as_str().len() - 1];
        let users = |name: &Domain| {
            let users = domain.users(local).map(|user| format!("{user}@{name}"));
            users.collect::<Vec<_>>()
        };
        let mut exact = users(&domain.name);
        if address.domain().is_literal() {
            exact.insert(0, format!("{local}@{}", domain.name));
            exact.push(key.clone());
            exact.extend(users(address.domain()));
        } else {
            exact.insert(0, key);
        }
        Subject::Named(Named { exact, local: true })
    }

    /// What a peer calls itself, or any text that should be a domain.
    pub fn domain(domains: &Domains, text: &str) -> Self {
        match Domain::parse(text) {
            Ok(domain) => {
                let mut exact = vec![format!("@{domain}")];
                let ours = domains.find(&domain);
                if let Some(ours) = ours.filter(|_| domain.is_literal()) {
                    exact.insert(0, format!("@{}", ours.name));
                }
                Subject::Named(Named {
                    exact,
                    local: ours.is_some(),
                })
            }
            Err(_) => Subject::Unknown,
        }
    }
}

impl Named {
    /// Whether the domain is ours.
    pub fn is_local(&self) -> bool {
        self.local
    }

    /// Every key it may stand under in a list.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let exact = self.exact.iter().map(String::as_str);
        let (first, last) = (&*self.exact[0], &*self.exact[self.exact.len() - 1]);
        let domain = at_domain(first);
        // As a literal of ours is written.
        let literal = Some(at_domain(last)).filter(|literal| *literal != domain);
        let parents = match domain.starts_with("@[") {
            true => "",
            false => &domain[1..],
        };
        let parents = parents
            .match_indices('.')
            .map(move |(at, _)| &parents[at..]);
        exact.chain([domain]).chain(literal).chain(parents)
    }
}

/// `@domain` of a key. A domain has no @, so the last one is the address's.
fn at_domain(key: &str) -> &str {
    &key[key.rfind('@').unwrap_or(0)..]
}
