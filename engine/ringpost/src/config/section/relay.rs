//! `[[relay]]`: smart hosts that rules name.

use crate::config::build::Build;
use crate::config::key::{Key, key};
use crate::config::nearest::nearest;
use crate::config::read::{Place, Reader, Said, Value};
use ringpost_directory::rules::{Route, RouteTls};
use ringpost_types::Domain;
use std::net::IpAddr;

pub const KEYS: &[Key] = &[
    key("", "relay", "tables, each begun with [[relay]]"),
    key(
        "relay",
        "name",
        "a word for rules to name such as \"provider\"",
    ),
    key(
        "relay",
        "host",
        "a name or an address such as \"smtp.example.net\"",
    ),
    key("relay", "port", "a number from 1 to 65535"),
    key(
        "relay",
        "tls",
        "\"none\", \"may\", \"encrypt\" or \"verify\"",
    ),
    key("relay", "user", "who logs in there"),
    key(
        "relay",
        "password_file",
        "a file with the password in its first line",
    ),
];

/// What was said of one relay.
#[derive(Clone, Debug)]
pub struct Draft {
    place: Place,
    name: Option<Said<String>>,
    host: Option<Said<String>>,
    port: Option<Said<u64>>,
    tls: Option<Said<String>>,
    user: Option<Said<String>>,
    password_file: Option<Said<String>>,
}

/// Reads all of them.
pub fn read(reader: &mut Reader, value: Value<'_, '_>, drafts: &mut Vec<Draft>) {
    const AT: &str = "relay";
    *drafts = reader.tables(AT, value, |reader, place, table| {
        let mut draft = Draft {
            place,
            name: None,
            host: None,
            port: None,
            tls: None,
            user: None,
            password_file: None,
        };
        for (name, value) in reader.known(AT, table) {
            match name {
                "name" => draft.name = reader.string(AT, name, value),
                "host" => draft.host = reader.string(AT, name, value),
                "port" => draft.port = reader.number(AT, name, value),
                "tls" => draft.tls = reader.string(AT, name, value),
                "user" => draft.user = reader.string(AT, name, value),
                _ => draft.password_file = reader.string(AT, name, value),
            }
        }
        draft
    });
}

/// The smart hosts.
pub fn build(build: &mut Build<'_>, drafts: Vec<Draft>) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let (Some(name), Some(host)) = (&draft.name, &draft.host) else {
            build.problem(&draft.place, "[[relay]] needs name and host".to_owned());
            continue;
        };
        if name.value.is_empty() || name.value == "mx" {
            build.expected("relay", "name", name);
        }
        if routes.iter().any(|route| *route.name == *name.value) {
            build.wrong(name, format!("relay {} is here twice", name.value));
            continue;
        }
        let address: Option<IpAddr> = host.value.parse().ok();
        let named = Domain::parse(&host.value).ok();
        let host_name = match (address, named) {
            (Some(ip), _) => ip.to_string(),
            (None, Some(name)) if !name.is_literal() => name.to_string(),
            _ => {
                build.expected("relay", "host", host);
                continue;
            }
        };
        let login = login(build, &draft);
        let port = match &draft.port {
            None if login.is_some() => 587,
            None => 25,
            Some(said) => u16::try_from(said.value).unwrap_or_else(|_| {
                build.wrong(said, format!("port is {}; expected 1 to 65535", said.value));
                0
            }),
        };
        let usual = match login {
            Some(_) => RouteTls::Verify,
            None => RouteTls::May,
        };
        let tls = match &draft.tls {
            Some(said) => tls(build, said).unwrap_or(usual),
            None => usual,
        };
        let here = address.is_some_and(|ip| ip.is_loopback());
        if let (Some(said), RouteTls::None | RouteTls::May, Some(_), false) =
            (&draft.tls, tls, &login, here)
        {
            let what = "the password could cross the network in clear; expected tls \"verify\" or \"encrypt\"";
            build.wrong(said, what.to_owned());
        }
        routes.push(Route {
            name: name.value.as_str().into(),
            host: host_name.into(),
            port,
            tls,
            login,
        });
    }
    routes
}

fn login(build: &mut Build<'_>, draft: &Draft) -> Option<(Box<str>, std::path::PathBuf)> {
    match (&draft.user, &draft.password_file) {
        (Some(user), Some(file)) => {
            let path = build.relative(&file.value);
            build.belongs(path.clone());
            Some((user.value.as_str().into(), path))
        }
        (None, None) => None,
        (Some(said), None) | (None, Some(said)) => {
            let what = "user and password_file go together: one is missing";
            build.wrong(said, what.to_owned());
            None
        }
    }
}

fn tls(build: &mut Build<'_>, said: &Said<String>) -> Option<RouteTls> {
    Some(match said.value.as_str() {
        "none" => RouteTls::None,
        "may" => RouteTls::May,
        "encrypt" => RouteTls::Encrypt,
        "verify" => RouteTls::Verify,
        _ => {
            build.expected("relay", "tls", said);
            return None;
        }
    })
}

/// Checks that `name` is the name of one of `routes`.
pub fn known(build: &mut Build<'_>, routes: &[Route], name: &Said<String>) {
    if routes.iter().any(|route| *route.name == *name.value) {
        return;
    }
    let word = &name.value;
    let what = match nearest(word, routes.iter().map(|route| &*route.name)) {
        Some(near) => format!("unknown relay {word:?}; did you mean {near:?}?"),
        None => format!("unknown relay {word:?}; expected the name of a [[relay]]"),
    };
    build.wrong(name, what);
}
