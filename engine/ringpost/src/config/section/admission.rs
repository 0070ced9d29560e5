//! `[admission]`: who is not counted at the door. How much everybody else may do is in `[limits]`.

use crate::config::build::Build;
use crate::config::key::{Key, key};
use crate::config::read::{Reader, Said, Value};
use ringpost_types::Cidr;

pub const KEYS: &[Key] = &[
    key("", "admission", "a table, begun with [admission]"),
    key(
        "admission",
        "exempt",
        "a list of networks that are not counted or banned such as [\"192.0.2.0/24\"]",
    ),
];

/// What was said.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    exempt: Vec<Said<String>>,
}

/// Reads the table.
pub fn read(reader: &mut Reader, value: Value<'_, '_>, draft: &mut Draft) {
    reader.table("admission", value, |reader, name, value| {
        draft.exempt = reader.strings("admission", name, value);
    });
}

/// Who is exempt, beside loopback.
pub fn build(build: &mut Build<'_>, draft: Draft) -> Vec<Cidr> {
    build.networks("admission", "exempt", &draft.exempt)
}
