//! `[dns]`: whom to ask.

use crate::config::build::Build;
use crate::config::key::{Key, key};
use crate::config::read::{Reader, Said, Value};
use std::net::SocketAddr;

pub const KEYS: &[Key] = &[
    key("", "dns", "a table, begun with [dns]"),
    key(
        "dns",
        "upstream",
        "a list of \"address:port\" such as [\"127.0.0.1:53\"]",
    ),
];

/// What was said.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    upstream: Vec<Said<String>>,
}

/// Reads the table.
pub fn read(reader: &mut Reader, value: Value<'_, '_>, draft: &mut Draft) {
    reader.table("dns", value, |reader, name, value| {
        draft.upstream = reader.strings("dns", name, value);
    });
}

/// Name servers; empty: the system's.
pub fn upstream(build: &mut Build<'_>, draft: Draft) -> Vec<SocketAddr> {
    let mut servers = Vec::with_capacity(draft.upstream.len());
    for said in draft.upstream {
        match said.value.parse() {
            Ok(address) => servers.push(address),
            Err(_) => build.expected("dns", "upstream", &said),
        }
    }
    servers
}
