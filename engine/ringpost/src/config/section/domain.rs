//! `[[domain]]`: what this host is the end of.

use crate::config::build::Build;
use crate::config::key::{Key, key};
use crate::config::read::{Place, Reader, Said, Value};
use ringpost_directory::LocalDomain;
use ringpost_types::{Address, Domain};

pub const KEYS: &[Key] = &[
    key("", "domain", "tables, each begun with [[domain]]"),
    key("domain", "name", "a domain such as \"example.org\""),
    key(
        "domain",
        "postmaster",
        "an address of a local domain such as \"alice@example.org\"",
    ),
];

/// What was said of one domain.
#[derive(Clone, Debug)]
pub struct Draft {
    place: Place,
    name: Option<Said<String>>,
    postmaster: Option<Said<String>>,
}

/// Reads all of them.
pub fn read(reader: &mut Reader, value: Value<'_, '_>, drafts: &mut Vec<Draft>) {
    *drafts = reader.tables("domain", value, |reader, place, table| {
        let mut draft = Draft {
            place,
            name: None,
            postmaster: None,
        };
        for (name, value) in reader.known("domain", table) {
            match name {
                "name" => draft.name = reader.string("domain", name, value),
                _ => draft.postmaster = reader.string("domain", name, value),
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
    let mut domains: Vec<LocalDomain> = Vec::with_capacity(drafts.len());
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
        if domains.iter().any(|domain| domain.name == name) {
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
        domains.push(domain);
    }
    for (said, address) in postmasters {
        if !domains
            .iter()
            .any(|domain| &domain.name == address.domain())
        {
            build.expected("domain", "postmaster", &said);
        }
    }
    domains
}
