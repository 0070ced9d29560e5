//! Every key of `ringpost.toml`. Reading, messages and the hint for a mistyped key are made from this table;
//! the keys of `[limits]` are those of [`ringpost_types::limit::TABLE`].

use ringpost_types::limit;

/// One key.
pub struct Key {
    /// The table it stands in; empty: the top.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What a value looks like, for messages.
    pub expected: &'static str,
}

const fn key(section: &'static str, name: &'static str, expected: &'static str) -> Key {
    Key {
        section,
        name,
        expected,
    }
}

/// The keys, in the order in which the file is usually written.
pub const TABLE: &[Key] = &[
    key("", "hostname", "a host name such as \"mx.example.org\""),
    key("", "data_dir", "a folder such as \"data\""),
    key("", "domain", "tables, each begun with [[domain]]"),
    key("", "listener", "tables, each begun with [[listener]]"),
    key("", "tls", "a table, begun with [tls]"),
    key("", "runtime", "a table, begun with [runtime]"),
    key("", "dns", "a table, begun with [dns]"),
    key("", "store", "a table, begun with [store]"),
    key("", "limits", "a table, begun with [limits]"),
    key("domain", "name", "a domain such as \"example.org\""),
    key(
        "domain",
        "postmaster",
        "an address of a local domain such as \"alice@example.org\"",
    ),
    key(
        "listener",
        "protocol",
        "\"smtp\", \"submission\", \"lmtp\" or \"imap\"",
    ),
    key(
        "listener",
        "bind",
        "\"address:port\" such as \"[::]:25\", or \"unix:PATH\"",
    ),
    key(
        "listener",
        "tls",
        "\"none\", \"starttls\", \"required\" or \"implicit\"",
    ),
    key("tls", "certificate", "a PEM file such as \"tls/cert.pem\""),
    key("tls", "key", "a PEM file such as \"tls/key.pem\""),
    key("runtime", "shards", "\"auto\" or a number from 1 to 256"),
    key(
        "dns",
        "upstream",
        "a list of \"address:port\" such as [\"127.0.0.1:53\"]",
    ),
    key(
        "store",
        "map_octets",
        "what the index may grow to, from 1073741824 to 17592186044416 octets",
    ),
    key(
        "store",
        "compress",
        "true or false: whether mails that shrink are stored packed",
    ),
];

/// Protocols that the configuration knows and this version does not speak.
pub const PROTOCOLS_TO_COME: &[&str] = &["managesieve", "milter", "admin"];

/// Shards at most: each has a log, and its number stands in every blob id.
pub const SHARDS_MAX: u16 = 256;

/// What is expected under `name` in `section`; `None`: there is no such key.
pub fn expected(section: &str, name: &str) -> Option<&'static str> {
    if section == "limits" {
        let limit = limit::TABLE.iter().find(|limit| limit.name == name);
        return limit.map(|_| "a whole number, 1 or more");
    }
    let found = TABLE
        .iter()
        .find(|key| key.section == section && key.name == name);
    found.map(|key| key.expected)
}

/// The names of all keys in `section`.
pub fn names(section: &str) -> Vec<&'static str> {
    if section == "limits" {
        return limit::TABLE.iter().map(|limit| limit.name).collect();
    }
    let keys = TABLE.iter().filter(|key| key.section == section);
    keys.map(|key| key.name).collect()
}

/// The tables that have a key called `name`.
pub fn sections_with(name: &str) -> Vec<&'static str> {
    let limits = limit::TABLE.iter().any(|limit| limit.name == name);
    let keys = TABLE.iter().filter(|key| key.name == name);
    let sections = keys.map(|key| key.section);
    sections.chain(limits.then_some("limits")).collect()
}
