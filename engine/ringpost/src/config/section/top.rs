//! The keys before the first table.

use crate::config::build::Build;
use crate::config::key::{Key, key};
use crate::config::read::{Reader, Said, Value};
use crate::config::section::listener::SOCKET_PATH_OCTETS_MAX;
use ringpost_types::Domain;
use std::path::PathBuf;

pub const KEYS: &[Key] = &[
    key("", "hostname", "a host name such as \"mx.example.org\""),
    key("", "data_dir", "a folder such as \"data\""),
];

/// What was said.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    hostname: Option<Said<String>>,
    data_dir: Option<Said<String>>,
}

/// Reads one key.
pub fn read(reader: &mut Reader, name: &str, value: Value<'_, '_>, draft: &mut Draft) {
    match name {
        "hostname" => draft.hostname = reader.string("", name, value),
        _ => draft.data_dir = reader.string("", name, value),
    }
}

/// What the server calls itself.
pub fn hostname(build: &mut Build<'_>, draft: &Draft) -> String {
    let Some(said) = &draft.hostname else {
        build.missing("hostname is missing; expected hostname = \"mx.example.org\"".to_owned());
        return String::new();
    };
    match Domain::parse(&said.value) {
        Ok(name) if name.as_str().is_ascii() && !name.is_literal() => name.to_string(),
        _ => {
            build.expected("", "hostname", said);
            String::new()
        }
    }
}

/// Where the data is.
pub fn data_dir(build: &mut Build<'_>, draft: &Draft) -> PathBuf {
    match &draft.data_dir {
        Some(said) if !said.value.is_empty() => {
            let data_dir = build.relative(&said.value);
            let socket = crate::control::socket(&data_dir);
            if socket.as_os_str().len() > SOCKET_PATH_OCTETS_MAX {
                let what = format!(
                    "the control socket's path {} is over {SOCKET_PATH_OCTETS_MAX} octets, more than the kernel takes; choose a shorter data_dir",
                    socket.display()
                );
                build.wrong(said, what);
            }
            data_dir
        }
        Some(said) => {
            build.expected("", "data_dir", said);
            PathBuf::new()
        }
        None => {
            build.missing("data_dir is missing; expected data_dir = \"data\"".to_owned());
            PathBuf::new()
        }
    }
}
