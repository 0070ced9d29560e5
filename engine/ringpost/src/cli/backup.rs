//! `ringpost backup`: take a generation, list the generations, verify one.

use super::exit::Failure;
use super::{Named, print, progress};
use crate::config::Config;
use crate::control::client;
use crate::control::operation::{Operation, Progress, Teller, World};
use clap::Args;
use ringpost_lmdb::backup::{self, BackupError};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the configuration is within a backup.
pub const CONFIGURATION: &str = "ringpost.toml";
/// The certificate.
pub const CERTIFICATE: &str = "cert.pem";
/// Its key.
pub const KEY: &str = "key.pem";
/// What was imported: without it an import after a restore would bring mails twice.
pub const JOURNAL: &str = "import.journal";

/// Take a generation of a backup, list them, verify one
///
/// Without `--list` or `--verify`: one more generation, with configuration and keys. Only what is new since the last
/// generation is copied. It may run while the server does.
#[derive(Args)]
pub struct Backup {
    /// The directory of the backup: on another disk, for this user alone
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// List the generations that are there
    #[arg(long, conflicts_with = "verify")]
    list: bool,
    /// Read a generation and compare every octet with its checksum
    #[arg(long)]
    verify: bool,
    /// Which generation to verify; the last one, if not given
    #[arg(long, value_name = "N", requires = "verify")]
    generation: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    named: Named,
}

/// One generation of a list.
#[derive(Serialize)]
struct Line {
    generation: u32,
    unix: u64,
    octets: u64,
    schema: u32,
}

impl Backup {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        if self.list {
            return self.list();
        }
        if self.verify {
            return self.verify();
        }
        let to = std::path::absolute(&self.to).map_err(Failure::usage)?;
        let mut bar = progress::Bar::new(self.json);
        let config = self.named.open()?;
        let report = client::operate(&config, Operation::Backup { to }, &mut |done| {
            bar.tell(done)
        })?;
        bar.end();
        if self.json {
            print(&super::json(&report));
        } else {
            let number = |key| report.get(key).and_then(Value::as_u64).unwrap_or(0);
            print(&format!(
                "generation {}: {} octets, {} of them new\n",
                number("generation"),
                number("octets"),
                number("new_octets")
            ));
        }
        Ok(())
    }

    fn list(&self) -> Result<(), Failure> {
        let mut lines = Vec::new();
        for generation in backup::generations(&self.to)? {
            let manifest = backup::manifest(&self.to, Some(generation))?;
            lines.push(Line {
                generation,
                unix: manifest.unix,
                octets: manifest.octets(),
                schema: manifest.schema,
            });
        }
        if self.json {
            print(&super::json(&lines));
            return Ok(());
        }
        for line in &lines {
            let time = jiff::Timestamp::from_second(line.unix as i64);
            let time = time.map_or_else(|_| line.unix.to_string(), |time| time.to_string());
            print(&format!(
                "{:>6}  {time}  {:>15} octets\n",
                line.generation, line.octets
            ));
        }
        Ok(())
    }

    fn verify(&self) -> Result<(), Failure> {
        let mut bar = progress::Bar::new(self.json);
        let found = backup::verify(&self.to, self.generation, &mut |done, total| {
            bar.tell(Progress::octets(done, total))
        })?;
        bar.end();
        let found: Vec<String> = found.iter().map(BackupError::to_string).collect();
        if self.json {
            print(&super::json(&json!({ "found": found })));
        }
        match found.is_empty() {
            true if self.json => Ok(()),
            true => {
                print("the backup is whole\n");
                Ok(())
            }
            false => Err(Failure::not_well(found.join("\n"))),
        }
    }
}

/// Takes a generation of `world`'s store.
pub fn perform(world: &World, to: &Path, tell: Teller<'_>) -> Result<Value, Failure> {
    let config = &world.config;
    let clock = SystemTime::now().duration_since(UNIX_EPOCH);
    let taken = backup::take(
        &world.store,
        &config.data_dir,
        to,
        clock.map_or(0, |since| since.as_secs()),
        &files(config),
        &mut |done, total| tell(Progress::octets(done, total)),
    )?;
    Ok(json!({
        "generation": taken.generation,
        "octets": taken.octets,
        "new_octets": taken.new_octets,
    }))
}

/// What belongs to a configuration; a server without TLS has no certificate.
fn files(config: &Config) -> Vec<(String, PathBuf)> {
    let all = [
        (CONFIGURATION, config.file.clone()),
        (CERTIFICATE, config.tls.certificate.clone()),
        (KEY, config.tls.key.clone()),
        (JOURNAL, ringpost_migration::journal::path(&config.data_dir)),
    ];
    let there = all.into_iter().filter(|(_, path)| path.is_file());
    there.map(|(name, path)| (name.to_owned(), path)).collect()
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Store(error) => error.into(),
            BackupError::Io(..) => Failure::unreachable(error),
            _ => Failure::not_well(error),
        }
    }
}
