//! `[store]`: the index and the logs.

use crate::config::build::Build;
use crate::config::key::{self, Key, key};
use crate::config::read::{Reader, Said, Value};

pub const KEYS: &[Key] = &[
    key("", "store", "a table, begun with [store]"),
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

/// What `map_octets` may be: enough to begin with, and what a process has addresses for.
const MAP_OCTETS: std::ops::RangeInclusive<u64> = 1 << 30..=1 << 44;

/// What was said.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    map_octets: Option<Said<u64>>,
    compress: Option<Said<bool>>,
}

/// Reads the table.
pub fn read(reader: &mut Reader, value: Value<'_, '_>, draft: &mut Draft) {
    reader.table("store", value, |reader, name, value| match name {
        "map_octets" => draft.map_octets = reader.number("store", name, value),
        _ => draft.compress = reader.truth("store", name, value),
    });
}

/// Octets the index may grow to; `None`: as the store thinks best.
pub fn map_octets(build: &mut Build<'_>, draft: &Draft) -> Option<usize> {
    let said = draft.map_octets.as_ref()?;
    if !MAP_OCTETS.contains(&said.value) {
        let expected = key::expected("store", "map_octets").unwrap_or_default();
        let what = format!("map_octets is {}; expected {expected}", said.value);
        build.wrong(said, what);
        return None;
    }
    // Whole pages, also where those have 64 KiB.
    Some(said.value as usize & !0xffff)
}

/// Whether mails that shrink are stored packed.
pub fn compress(draft: &Draft) -> bool {
    draft.compress.as_ref().is_some_and(|said| said.value)
}
