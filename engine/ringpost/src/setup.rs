//! What `init` and `demo` lay out on disk: the configuration file, a self-signed certificate, the data folder.
//!
//! Invariants: nothing that is there is overwritten; the key is for the server's user alone from the first octet.

use crate::cli::exit::Failure;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, date_time_ymd};
use ringpost_types::Domain;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Years that a self-signed certificate is good for.
const CERTIFICATE_YEARS: i32 = 10;

/// One `[[listener]]` to write.
pub struct ListenerLine {
    pub protocol: &'static str,
    pub bind: String,
    pub tls: &'static str,
}

/// The text of a `ringpost.toml`.
pub fn configuration(
    head: &str,
    hostname: &Domain,
    domains: &[Domain],
    listeners: &[ListenerLine],
) -> String {
    let mut text = String::new();
    for line in head.lines() {
        let _ = writeln!(text, "# {line}");
    }
    let _ = writeln!(text, "hostname = \"{hostname}\"");
    text.push_str("data_dir = \"data\"\n");
    for domain in domains {
        let _ = write!(text, "\n[[domain]]\nname = \"{domain}\"\n");
    }
    for ListenerLine {
        protocol,
        bind,
        tls,
    } in listeners
    {
        let _ = write!(
            text,
            "\n[[listener]]\nprotocol = \"{protocol}\"\nbind = \"{bind}\"\ntls = \"{tls}\"\n"
        );
    }
    text.push_str("\n[tls]\ncertificate = \"tls/cert.pem\"\nkey = \"tls/key.pem\"\n");
    text
}

/// Writes a new file; one that is there is a failure. `mode`: who may read it.
pub fn write_new(path: &Path, octets: &[u8], mode: u32) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(octets)?;
        file.sync_all()
    });
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::not_well(format!(
            "{} is there already; nothing is overwritten",
            path.display()
        )),
        _ => Failure::not_well(format!("{} cannot be written: {error}", path.display())),
    })
}

/// Makes a self-signed P-256 certificate for `names`: chain and key in PEM.
pub fn self_signed(names: &[&str]) -> Result<(String, String), Failure> {
    let failed = |error| Failure::unreachable(format!("the certificate cannot be made: {error}"));
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let mut params = CertificateParams::new(names.clone()).map_err(failed)?;
    let today = jiff::tz::TimeZone::UTC
        .to_datetime(jiff::Timestamp::now())
        .date();
    let (year, month) = (i32::from(today.year()), today.month() as u8);
    // From the first of the month, so that a clock some days behind takes it too.
    params.not_before = date_time_ymd(year, month, 1);
    params.not_after = date_time_ymd(year + CERTIFICATE_YEARS, month, 1);
    params.distinguished_name.remove(DnType::CommonName);
    if let Some(name) = names.first() {
        params
            .distinguished_name
            .push(DnType::CommonName, name.as_str());
    }
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// Lays out `dir`: tls/cert.pem, tls/key.pem, data/ and, last, ringpost.toml.
pub fn lay_out(dir: &Path, configuration: &str, names: &[&str]) -> Result<(), Failure> {
    for file in ["ringpost.toml", "tls/cert.pem", "tls/key.pem"] {
        let path = dir.join(file);
        if path.symlink_metadata().is_ok() {
            return Err(Failure::not_well(format!(
                "{} is there already; nothing is overwritten",
                path.display()
            )));
        }
    }
    for folder in [dir.to_owned(), dir.join("tls"), dir.join("data")] {
        crate::control::client::make_private(&folder).map_err(|error| {
            Failure::not_well(format!("{} cannot be made: {error}", folder.display()))
        })?;
    }
    let (certificate, key) = self_signed(names)?;
    write_new(&dir.join("tls/key.pem"), key.as_bytes(), 0o600)?;
    write_new(&dir.join("tls/cert.pem"), certificate.as_bytes(), 0o644)?;
    write_new(&dir.join("ringpost.toml"), configuration.as_bytes(), 0o644)
}
