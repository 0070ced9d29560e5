//! `[runtime]`: the machine.

use crate::config::build::Build;
use crate::config::key::{Key, key};
use crate::config::read::{Reader, Said, Value};
use toml::de::DeValue;

pub const KEYS: &[Key] = &[
    key("", "runtime", "a table, begun with [runtime]"),
    key("runtime", "shards", "\"auto\" or a number from 1 to 256"),
];

/// Shards at most: each has a log, and its number stands in every blob id.
pub const SHARDS_MAX: u16 = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shards {
    Auto,
    Number(u64),
}

/// What was said.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    shards: Option<Said<Shards>>,
}

/// Reads the table.
pub fn read(reader: &mut Reader, value: Value<'_, '_>, draft: &mut Draft) {
    reader.table("runtime", value, |reader, name, value| {
        let shards = match value.get_ref() {
            DeValue::String(text) if text == "auto" => Some(Shards::Auto),
            DeValue::Integer(_) => {
                let number = reader.number("runtime", name, value);
                number.map(|said| Shards::Number(said.value))
            }
            _ => {
                reader.mistyped("runtime", name, value);
                None
            }
        };
        draft.shards = shards.map(|shards| reader.said(shards, value));
    });
}

/// Shard threads; `None`: as many as the process may use CPUs.
pub fn shards(build: &mut Build<'_>, draft: Draft) -> Option<u16> {
    let said = draft.shards?;
    let Shards::Number(number) = said.value else {
        return None;
    };
    match u16::try_from(number) {
        Ok(number) if number <= SHARDS_MAX => Some(number),
        _ => {
            let what = format!("shards is {number}; expected 1 to {SHARDS_MAX}");
            build.wrong(&said, what);
            None
        }
    }
}
