//! `[[domain]]`: what this host is the end of.

use crate::config::build::Build;
use crate::config::key::{Key, key};
use crate::config::read::{Place, Reader, Said, Value};
use crate::config::{Bind, Listener, Protocol, is_local};
use ringpost_directory::LocalDomain;
use ringpost_directory::resolve::is_role;
use ringpost_types::{Address, Domain};
use std::collections::HashSet;
use std::net::IpAddr;

pub const KEYS: &[Key] = &[
    key("", "domain", "tables, each begun with [[domain]]"),
    key("domain", "name", "a domain such as \"example.org\""),
    key(
        "domain",
        "postmaster",
        "an address of a local domain such as \"alice@example.org\"",
    ),
    key(
        "domain",
        "subaddress",
        "the characters that begin a subaddress such as \"+\" or \"+-\"; \"\" for none",
    ),
    key(
        "domain",
        "literals",
        "addresses of this host that stand for the domain such as [\"192.0.2.1\"]",
    ),
    key(
        "domain",
        "traps",
        "addresses of the domain that nobody uses such as [\"fred@example.org\"]",
    ),
];

/// What was said of one domain.
#[derive(Clone, Debug)]
pub struct Draft {
    place: Place,
    name: Option<Said<String>>,
    postmaster: Option<Said<String>>,
    subaddress: Option<Said<String>>,
    literals: Vec<Said<String>>,
    traps: Vec<Said<String>>,
}

/// Reads all of them.
pub fn read(reader: &mut Reader, value: Value<'_, '_>, drafts: &mut Vec<Draft>) {
    const AT: &str = "domain";
    *drafts = reader.tables(AT, value, |reader, place, table| {
        let mut draft = Draft {
            place,
            name: None,
            postmaster: None,
            subaddress: None,
            literals: Vec::new(),
            traps: Vec::new(),
        };
        for (name, value) in reader.known(AT, table) {
            match name {
                "name" => draft.name = reader.string(AT, name, value),
                "postmaster" => draft.postmaster = reader.string(AT, name, value),
                "subaddress" => draft.subaddress = reader.string(AT, name, value),
                "literals" => draft.literals = reader.strings(AT, name, value),
                _ => draft.traps = reader.strings(AT, name, value),
            }
        }
        draft
    });
}

/// The local domains, at least one.
pub fn build(build: &mut Build<'_>, drafts: Vec<Draft>) -> Vec<LocalDomain> {
    if drafts.is_empty() {
        build.missing("no domain; expected at least one [[domain]] with its name".to_owned());
    }
    let mut domains = Vec::with_capacity(drafts.len());
    let mut names: HashSet<Domain> = HashSet::with_capacity(drafts.len());
    let mut postmasters = Vec::new();
    for draft in drafts {
        let Some(said) = draft.name else {
            let what = "[[domain]] without a name; expected name = \"example.org\"";
            build.problem(&draft.place, what.to_owned());
            continue;
        };
        let name = match Domain::parse(&said.value) {
            Ok(name) if !name.is_literal() => name,
            _ => {
                build.expected("domain", "name", &said);
                continue;
            }
        };
        if !names.insert(name.clone()) {
            build.wrong(&said, format!("domain {name} is here twice"));
            continue;
        }
        let mut domain = LocalDomain::new(name);
        if let Some(said) = draft.postmaster {
            match Address::parse(&said.value) {
                Ok(address) => {
                    postmasters.push((said, address.clone()));
                    domain.postmaster = Some(address);
                }
                Err(_) => build.expected("domain", "postmaster", &said),
            }
        }
        if let Some(said) = draft.subaddress {
            subaddress(build, &said, &mut domain);
        }
        for said in &draft.literals {
            let ip: Option<IpAddr> = said.value.parse().ok();
            let ip = ip.map(|ip| ip.to_canonical());
            match ip {
                Some(ip) if names.insert(Domain::of_ip(ip)) => domain.literals.push(ip),
                Some(ip) => build.wrong(said, format!("{ip} stands for a domain already")),
                None => build.expected("domain", "literals", said),
            }
        }
        for said in &draft.traps {
            match Address::parse(&said.value) {
                Ok(trap) if is_role(&trap) => {
                    let what = "everybody may write to postmaster and abuse: they are no traps";
                    build.wrong(said, what.to_owned());
                }
                Ok(trap) if *trap.domain() == domain.name => domain.traps.push(trap),
                _ => build.expected("domain", "traps", said),
            }
        }
        domains.push(domain);
    }
    for (said, address) in postmasters {
        if !names.contains(address.domain()) {
            build.expected("domain", "postmaster", &said);
        }
    }
    domains
}

/// Addresses at which other hosts find this one stand for the first domain, where the file gives them to none.
/// RFC 5321 §4.1.3.
pub fn own(domains: &mut [LocalDomain], listeners: &[Listener]) {
    for listener in listeners {
        let Bind::Tcp(address) = &listener.bind else {
            continue;
        };
        let ip = address.ip().to_canonical();
        if listener.protocol != Protocol::Smtp || is_local(&listener.bind) || ip.is_unspecified() {
            continue;
        }
        let given = domains.iter().any(|domain| domain.literals.contains(&ip));
        if let (false, Some(first)) = (given, domains.first_mut()) {
            first.literals.push(ip);
        }
    }
}

/// Characters that no name has and that end no address: RFC 5322 §3.2.3 allows them in an atom.
fn subaddress(build: &mut Build<'_>, said: &Said<String>, domain: &mut LocalDomain) {
    let inside = |c: char| "!#$%&'*+-/=?^_`{|}~".contains(c);
    match said.value.chars().all(inside) {
        true => domain.subaddress = said.value.as_str().into(),
        false => build.expected("domain", "subaddress", said),
    }
}
