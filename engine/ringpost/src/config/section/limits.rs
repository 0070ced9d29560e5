//! `[limits]`: the table of [`ringpost_types::limit`], some of its defaults overridden.

use crate::config::build::Build;
use crate::config::key::{Key, key};
use crate::config::read::{Reader, Said, Value};
use ringpost_types::limit::Limits;

pub const KEYS: &[Key] = &[key("", "limits", "a table, begun with [limits]")];

/// What was said.
#[derive(Clone, Debug, Default)]
pub struct Draft(Vec<Said<(String, u64)>>);

/// Reads the table.
pub fn read(reader: &mut Reader, value: Value<'_, '_>, draft: &mut Draft) {
    reader.table("limits", value, |reader, name, value| {
        if let Some(number) = reader.number("limits", name, value) {
            let limit = (name.to_owned(), number.value);
            draft.0.push(reader.said(limit, value));
        }
    });
}

/// The limits in force.
pub fn build(build: &mut Build<'_>, draft: Draft) -> Limits {
    let mut limits = Limits::default();
    for said in draft.0 {
        let (name, value) = &said.value;
        // A mail's length stands in 32 bits of its rows.
        if name.ends_with("_octets_max") && *value > u64::from(u32::MAX) / 2 {
            let what = format!("{name} is {value}; expected at most {}", u32::MAX / 2);
            build.wrong(&said, what);
            continue;
        }
        limits
            .set(name, *value)
            .expect("the reader lets only known limits through");
    }
    limits
}
