//! `[tls]`: certificate and key.

use crate::config::build::Build;
use crate::config::key::{Key, key};
use crate::config::read::{Reader, Said, Value};
use std::path::PathBuf;

pub const KEYS: &[Key] = &[
    key("", "tls", "a table, begun with [tls]"),
    key("tls", "certificate", "a PEM file such as \"tls/cert.pem\""),
    key("tls", "key", "a PEM file such as \"tls/key.pem\""),
];

/// What was said.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    certificate: Option<Said<String>>,
    key: Option<Said<String>>,
}

/// `[tls]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain, PEM.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

/// Reads the table.
pub fn read(reader: &mut Reader, value: Value<'_, '_>, draft: &mut Draft) {
    reader.table("tls", value, |reader, name, value| match name {
        "certificate" => draft.certificate = reader.string("tls", name, value),
        _ => draft.key = reader.string("tls", name, value),
    });
}

/// Where the files are.
pub fn build(build: &mut Build<'_>, draft: Draft) -> TlsFiles {
    let path = |said: Option<Said<String>>, default: &str| {
        build.relative(said.as_ref().map_or(default, |said| &said.value))
    };
    TlsFiles {
        certificate: path(draft.certificate, "tls/cert.pem"),
        key: path(draft.key, "tls/key.pem"),
    }
}
