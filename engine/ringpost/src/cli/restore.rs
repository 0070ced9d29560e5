//! `ringpost restore`: a generation of a backup becomes a folder that `ringpost serve` takes.

use super::exit::Failure;
use super::{backup as kept, print, progress};
use crate::control::client::make_private;
use crate::control::operation::Progress;
use crate::{config, setup};
use clap::Args;
use ringpost_lmdb::backup::{self, Manifest};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Brings configuration, keys, index and mails back into a new folder, every octet compared with its checksum. Nothing that
/// is there is touched: look at what came back with `ringpost verify`, then serve it.
#[derive(Args)]
pub struct Restore {
    /// The directory of the backup
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Which generation; the last one, if not given
    #[arg(long, value_name = "N")]
    generation: Option<u32>,
    /// The folder to restore into; made, or empty
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Restore {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        let manifest = backup::manifest(&self.from, self.generation)?;
        if fs::read_dir(&self.to).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Failure::not_well(format!(
                "{}: not empty; restore to a new folder",
                self.to.display()
            )));
        }
        make_private(&self.to).map_err(unreachable(&self.to))?;
        let (data, notes) = self.configuration(&manifest)?;
        let mut bar = progress::Bar::new(self.json);
        let generation = Some(manifest.generation);
        backup::restore(&self.from, generation, &data, &mut |done, total| {
            bar.tell(Progress::octets(done, total))
        })?;
        bar.end();
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
    fn configuration(&self, manifest: &Manifest) -> Result<(PathBuf, Vec<String>), Failure> {
        let file = self.to.join(kept::CONFIGURATION);
        let mut notes = Vec::new();
        let mut data = self.to.join("data");
        if !has(manifest, kept::CONFIGURATION) {
            return Ok((data, notes));
        }
        let text = backup::restore::file(&self.from, manifest, kept::CONFIGURATION)?;
        setup::write_new(&file, &text, 0o600)?;
        let read = std::str::from_utf8(&text).map_err(Failure::not_well)?;
        let config = config::load(&file, read, &[])?;
        if within(&config.data_dir, &self.to) {
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
            if !within(wanted, &self.to) {
                path = self.to.join("tls").join(name);
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
