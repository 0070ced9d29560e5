//! Every key of `ringpost.toml`, found by its table and name. Reading, messages and the hint for a mistyped key are
//! made from the lists of the rooms in [`section`]; the keys of `[limits]` are those of
//! [`ringpost_types::limit::TABLE`].

use super::section;
use ringpost_types::limit;

/// One key.
pub struct Key {
    /// The table it stands in, `auth.oauth` for a table within a table; empty: the top.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What a value looks like, for messages.
    pub expected: &'static str,
}

/// A line of a room's list.
pub const fn key(section: &'static str, name: &'static str, expected: &'static str) -> Key {
    Key {
        section,
        name,
        expected,
    }
}

/// The keys, in the order in which the file is usually written.
fn all() -> impl Iterator<Item = &'static Key> {
    section::KEYS.iter().copied().flatten()
}

/// What is expected under `name` in `section`; `None`: there is no such key.
pub fn expected(section: &str, name: &str) -> Option<&'static str> {
    if section == "limits" {
        let limit = limit::TABLE.iter().find(|limit| limit.name == name);
        return limit.map(|_| "a whole number, 1 or more");
    }
    let found = all().find(|key| key.section == section && key.name == name);
    found.map(|key| key.expected)
}

/// The names of all keys in `section`.
pub fn names(section: &str) -> Vec<&'static str> {
    if section == "limits" {
        return limit::TABLE.iter().map(|limit| limit.name).collect();
    }
    let keys = all().filter(|key| key.section == section);
    keys.map(|key| key.name).collect()
}

/// The tables that have a key called `name`.
pub fn sections_with(name: &str) -> Vec<&'static str> {
    let limits = limit::TABLE.iter().any(|limit| limit.name == name);
    let sections = all().filter(|key| key.name == name).map(|key| key.section);
    sections.chain(limits.then_some("limits")).collect()
}
