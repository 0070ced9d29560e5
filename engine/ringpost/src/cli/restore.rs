//! `ringpost restore`: a generation of a backup becomes a folder that `ringpost serve` takes; or one mailbox of it a new
//! mailbox of the store as it is now.

use super::exit::Failure;
use super::import::passing;
use super::{Named, backup as kept, print, progress};
use crate::control::client::{self, make_private};
use crate::control::operation::{Operation, Progress, Teller, World};
use crate::{config, setup};
use clap::Args;
use ringpost_api::apply::ITEMS_MAX;
use ringpost_api::table::BlobRow;
use ringpost_api::{Snapshot, Store, Write, read};
use ringpost_lmdb::Lmdb;
use ringpost_lmdb::backup::{self, Manifest};
use ringpost_log::LogError;
use ringpost_migration::import::Place;
use ringpost_migration::operations::perform as perform_write;
use ringpost_migration::past;
use ringpost_types::ItemId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Component, Path, PathBuf};

/// Bring a backup back, all of it or one mailbox
///
/// With `--to`: brings configuration, keys, index and mails back into a new folder, every octet compared with its checksum.
/// Nothing that is there is touched: look at what came back with `ringpost verify`, then serve it.
///
/// With `--account`, `--mailbox` and `--into`: brings one mailbox as it was back into a new mailbox of the account, with flags,
/// keywords and dates, while the server runs or not.
#[derive(Args)]
pub struct Restore {
    /// The directory of the backup
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Which generation; the last one, if not given
    #[arg(long, value_name = "N")]
    generation: Option<u32>,
    /// The folder to restore into; made, or empty
    #[arg(long, value_name = "DIR", required_unless_present = "account")]
    to: Option<PathBuf>,
    /// Keep the UIDs that clients know: for a store that moves, of which nothing was used after the generation
    #[arg(long, requires = "to")]
    same_uids: bool,
    /// The account whose mailbox is wanted
    #[arg(long, value_name = "NAME@DOMAIN", conflicts_with = "to", requires_all = ["mailbox", "into"])]
    account: Option<String>,
    /// The mailbox as it was called then
    #[arg(long, requires = "account")]
    mailbox: Option<String>,
    /// The name of the new mailbox
    #[arg(long, value_name = "MAILBOX", requires = "account")]
    into: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    named: Named,
}

/// One mailbox of a backup, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    from: PathBuf,
    generation: Option<u32>,
    account: String,
    mailbox: String,
    into: String,
}

impl Restore {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        match (
            self.to.clone(),
            self.account.clone(),
            self.mailbox.clone(),
            self.into.clone(),
        ) {
            (Some(to), ..) => self.whole(&to),
            (None, Some(account), Some(mailbox), Some(into)) => self.mailbox(Mailbox {
                from: std::path::absolute(&self.from).map_err(Failure::usage)?,
                generation: self.generation,
                account,
                mailbox,
                into,
            }),
            // Clap has asked for the others.
            _ => Err(Failure::usage("--account needs --mailbox and --into")),
        }
    }

    fn mailbox(&self, wanted: Mailbox) -> Result<(), Failure> {
        let mut bar = progress::Bar::new(self.json);
        let config = self.named.open()?;
        let operation = Operation::RestoreMailbox(wanted);
        let report = client::operate(&config, operation, &mut |done| bar.tell(done))?;
        bar.end();
        let number = |key| report.get(key).and_then(Value::as_u64).unwrap_or(0);
        match self.json {
            true => print(&super::json(&report)),
            false => print(&format!(
                "{} mails, {} octets restored\n",
                number("mails"),
                number("octets")
            )),
        }
        match number("failed") {
            0 => Ok(()),
            failed => Err(Failure::not_well(format!(
                "{failed} mails could not be read"
            ))),
        }
    }

    fn whole(&self, to: &Path) -> Result<(), Failure> {
        let manifest = backup::manifest(&self.from, self.generation)?;
        if fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Failure::not_well(format!(
                "{}: not empty; restore to a new folder",
                to.display()
            )));
        }
        make_private(to).map_err(unreachable(to))?;
        let (data, mut notes) = self.configuration(&manifest, to)?;
        let mut bar = progress::Bar::new(self.json);
        let generation = Some(manifest.generation);
        backup::restore(&self.from, generation, &data, &mut |done, total| {
            bar.tell(Progress::octets(done, total))
        })?;
        bar.end();
        if !self.same_uids {
            notes.extend(renew(&data)?);
        }
        if has(&manifest, kept::JOURNAL) {
            let journal = backup::restore::file(&self.from, &manifest, kept::JOURNAL)?;
            setup::write_new(&ringpost_migration::journal::path(&data), &journal, 0o600)?;
        }
        if self.json {
            print(&super::json(&serde_json::json!({
                "generation": manifest.generation,
                "unix": manifest.unix,
                "data_dir": data,
                "notes": notes,
            })));
            return Ok(());
        }
        print(&format!(
            "generation {} restored to {}\n{}",
            manifest.generation,
            data.display(),
            notes
                .iter()
                .map(|note| format!("{note}\n"))
                .collect::<String>()
        ));
        Ok(())
    }

    /// Puts configuration, certificate and key where the configuration looks for them, as long as that is within the folder;
    /// where its data go, and what the operator has to know.
    fn configuration(
        &self,
        manifest: &Manifest,
        to: &Path,
    ) -> Result<(PathBuf, Vec<String>), Failure> {
        let file = to.join(kept::CONFIGURATION);
        let mut notes = Vec::new();
        let mut data = to.join("data");
        if !has(manifest, kept::CONFIGURATION) {
            return Ok((data, notes));
        }
        let text = backup::restore::file(&self.from, manifest, kept::CONFIGURATION)?;
        setup::write_new(&file, &text, 0o600)?;
        let read = std::str::from_utf8(&text).map_err(Failure::not_well)?;
        let config = config::load(&file, read, &[])?;
        if within(&config.data_dir, to) {
            data = config.data_dir.clone();
        } else {
            notes.push(format!(
                "data_dir in {} is {}: move {} there, or change it",
                file.display(),
                config.data_dir.display(),
                data.display()
            ));
        }
        for (name, wanted) in [
            (kept::CERTIFICATE, &config.tls.certificate),
            (kept::KEY, &config.tls.key),
        ] {
            if !has(manifest, name) {
                continue;
            }
            let octets = backup::restore::file(&self.from, manifest, name)?;
            let mut path = wanted.clone();
            if !within(wanted, to) {
                path = to.join("tls").join(name);
                notes.push(format!(
                    "{} looks for {}: it is in {} now",
                    file.display(),
                    wanted.display(),
                    path.display()
                ));
            }
            if let Some(folder) = path.parent() {
                make_private(folder).map_err(unreachable(folder))?;
            }
            setup::write_new(&path, &octets, 0o600)?;
        }
        Ok((data, notes))
    }
}

/// Clients know UIDs that were given after the generation, and the store will give them again: every mailbox gets a new
/// UIDVALIDITY, and clients look at everything anew. RFC 9051 §2.3.1.1. And what was in the queue was sent since, most
/// likely: it is held. What the operator has to know.
fn renew(data: &Path) -> Result<Option<String>, Failure> {
    let options = ringpost_lmdb::Options {
        alarm: super::tell,
        ..Default::default()
    };
    let store = Lmdb::open(data, options).map_err(Failure::unreachable)?;
    let mut accounts = Vec::new();
    read::accounts(&*store.snapshot()?, |id, _| {
        accounts.push(id);
        ControlFlow::Continue(())
    })?;
    for account in accounts {
        perform_write(&*store, Write::Revalidate { account })?;
    }
    let mut items = Vec::new();
    read::due(&*store.snapshot()?, (0, ItemId(0)), |_, id| {
        items.push(id);
        ControlFlow::Continue(())
    })?;
    for some in items.chunks(ITEMS_MAX) {
        let hold = Write::QueueHold {
            items: some.to_vec(),
            why: "restored from a backup: it may have been sent since".to_owned(),
        };
        perform_write(&*store, hold)?;
    }
    store.close();
    Ok((!items.is_empty()).then(|| {
        let count = items.len();
        format!(
            "{count} items of the queue are held, for they may have been sent since: look with ringpost queue list --held, then \
             release or drop them"
        )
    }))
}

/// Brings one mailbox back. The index of the generation stands in the data directory meanwhile.
pub fn perform(world: &World, wanted: &Mailbox, tell: Teller<'_>) -> Result<Value, Failure> {
    let config = &world.config;
    let scratch = tempfile::Builder::new()
        .prefix("restore-")
        .tempdir_in(&config.data_dir);
    let scratch = scratch.map_err(unreachable(&config.data_dir))?;
    let past = backup::Past::open(&wanted.from, wanted.generation, scratch.path())?;
    let place = Place {
        store: &*world.store,
        data: &config.data_dir,
        limits: &config.limits,
        compress: config.compress,
    };
    let order = past::Order {
        account: wanted.account.clone(),
        mailbox: wanted.mailbox.clone(),
        into: wanted.into.clone(),
    };
    let report = past::run(&place, &Then(past), &order, &mut passing(tell))?;
    serde_json::to_value(report).map_err(Failure::unreachable)
}

/// A generation as the past of a mailbox.
struct Then(backup::Past);

impl past::Past for Then {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, ringpost_migration::Error> {
        let asked =
            |error: backup::BackupError| ringpost_migration::Error::Asked(error.to_string());
        self.0.snapshot().map_err(asked)
    }

    fn mail(&self, blob: &BlobRow) -> Result<Vec<u8>, LogError> {
        self.0.mail(blob)
    }
}

fn unreachable(path: &Path) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure::unreachable(format!("{}: {error}", path.display()))
}

fn has(manifest: &Manifest, name: &str) -> bool {
    manifest.files.iter().any(|part| part.name == name)
}

/// Whether `path` is below `folder` and does not climb out of it again.
fn within(path: &Path, folder: &Path) -> bool {
    path.strip_prefix(folder).is_ok_and(|below| {
        below
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
    })
}
