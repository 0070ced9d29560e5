//! What only the machine can tell of a configuration: whether its files are there and fit each other.
//!
//! In:  a [`Config`]. Out: all [`Problems`], or the notes an operator should read.

use super::problem::{Problem, Problems};
use super::{Config, TlsMode};
use ringpost_runtime::tls::{TlsFiles, TlsServer};
use std::fs;
use std::path::Path;

/// Looks at the files that the configuration names. Changes nothing.
pub fn check(config: &Config) -> Result<Vec<String>, Problems> {
    let mut problems = Vec::new();
    let mut notes = Vec::new();
    match fs::metadata(&config.data_dir) {
        Ok(data) if !data.is_dir() => problems.push(Problem::of_file(
            &config.data_dir,
            "data_dir is a file; expected a folder".to_owned(),
        )),
        Ok(_) => {
            if let Err(error) = fs::read_dir(&config.data_dir) {
                problems.push(Problem::of_file(
                    &config.data_dir,
                    format!("data_dir cannot be read: {error}; run as the user that owns it"),
                ));
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => notes.push(format!(
            "data_dir {} is not there yet; it is made at the first start",
            config.data_dir.display()
        )),
        Err(error) => problems.push(Problem::of_file(
            &config.data_dir,
            format!("data_dir cannot be read: {error}; run as the user that owns it"),
        )),
    }
    if needs_certificate(config) {
        match certificate(config) {
            Ok(_) => notes.extend(certificate_notes(&config.tls.certificate, &config.hostname)),
            Err(problem) => problems.push(problem),
        }
    }
    match problems.is_empty() {
        true => Ok(notes),
        false => Err(Problems(problems)),
    }
}

/// Whether any listener speaks TLS.
pub fn needs_certificate(config: &Config) -> bool {
    let mut listeners = config.listeners.iter();
    listeners.any(|listener| listener.tls != TlsMode::None)
}

/// Loads certificate and key.
pub fn certificate(config: &Config) -> Result<TlsServer, Problem> {
    for (key, file) in [
        ("certificate", &config.tls.certificate),
        ("key", &config.tls.key),
    ] {
        if let Err(error) = fs::File::open(file) {
            return Err(Problem::of_file(
                file,
                format!(
                    "[tls] {key} cannot be read: {error}; name the PEM file in {}, or let \"ringpost init\" make one",
                    config.file.display()
                ),
            ));
        }
    }
    let files = TlsFiles {
        certificate: config.tls.certificate.clone(),
        key: config.tls.key.clone(),
        client_ca: config.auth.client_ca.clone(),
    };
    TlsServer::from_files(&files).map_err(|error| {
        Problem::of_file(
            &config.tls.certificate,
            format!("[tls] in {}: {error}", config.file.display()),
        )
    })
}

/// What an operator should know of a certificate that works.
fn certificate_notes(file: &Path, hostname: &str) -> Vec<String> {
    let mut notes = Vec::new();
    let Ok(octets) = fs::read(file) else {
        return notes;
    };
    let Ok((_, pem)) = x509_parser::pem::parse_x509_pem(&octets) else {
        return notes;
    };
    let Ok(certificate) = pem.parse_x509() else {
        return notes;
    };
    let file = file.display();
    let validity = certificate.validity();
    if validity.time_to_expiration().is_none() {
        notes.push(format!(
            "{file}: not valid today, it is from {} to {}; clients will refuse it",
            validity.not_before, validity.not_after
        ));
    }
    let names = certificate.subject_alternative_name().ok().flatten();
    let names: Vec<String> = names
        .iter()
        .flat_map(|names| &names.value.general_names)
        .filter_map(|name| match name {
            x509_parser::extensions::GeneralName::DNSName(name) => Some(name.to_lowercase()),
            _ => None,
        })
        .collect();
    if !names.iter().any(|name| covers(name, hostname)) {
        notes.push(format!(
            "{file}: does not name {hostname}; clients will warn"
        ));
    }
    notes
}

/// Whether a certificate's name stands for `host`. RFC 9525 §6.3: a wildcard is the whole left-most label.
fn covers(name: &str, host: &str) -> bool {
    match (name.strip_prefix("*."), host.split_once('.')) {
        (Some(rest), Some((_, parent))) => rest == parent,
        (Some(_), None) => false,
        (None, _) => name == host,
    }
}
