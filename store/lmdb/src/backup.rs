//! Backup of a whole store: hot, consistent, incremental, verifiable; and back.
//!
//! ```text
//! <backup>/log-<n>/<segment>.seg      segments, shared by all generations: they only grow, as those of the store do; and
//! <backup>/log-<n>/<segment>.mail     large mails, which never change
//! <backup>/generation-<g>/manifest.json   written last: without it the generation does not count
//! <backup>/generation-<g>/<index>.pages   pieces of the index that changed since the generation before
//! <backup>/generation-<g>/<index>.map     for each piece of the index: where it is, and its checksum
//! <backup>/generation-<g>/files/<name>    what the caller adds: configuration, keys
//! ```
//! Reading order: [`Manifest`], [`mod@take`] (a generation is made), `pages` (the index, piece by piece), [`mod@restore`]
//! (verified, and brought back), [`past`] (looked into).
//!
//! How it hangs together: the index is copied first, as of one snapshot; then each log as far as the index has applied it by
//! then. What is in front of an applied position never changes, so a copied stretch is never copied again, and the
//! index of a generation finds every mail it names. A store that opens a restored directory replays what lies between, as
//! after any crash. While a backup is made no space is given back.
//!
//! Invariant: a run that is killed, or fails, leaves the generations before it as they were.

mod pages;
pub mod past;
pub mod restore;
pub mod take;

use ringpost_log::segment::{self, Holds};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

pub use past::Past;
pub use restore::{restore, verify};
pub use take::take;

/// Version of this layout.
const FORMAT: u32 = 1;
/// Octets read and written at once.
const PIECE_OCTETS: usize = 1024 * 1024;

/// What one generation holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the layout.
    pub format: u32,
    /// 1 and up.
    pub generation: u32,
    /// When it was begun, seconds since 1970 UTC.
    pub unix: u64,
    /// The version of the schema its index has.
    pub schema: u32,
    /// The environments of the index.
    pub indexes: Vec<IndexPart>,
    /// The segments of all logs.
    pub segments: Vec<SegmentPart>,
    /// What the caller added.
    pub files: Vec<FilePart>,
}

/// One environment of the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexPart {
    /// Its directory below the data directory.
    pub directory: String,
    /// Length of its data file.
    pub octets: u64,
    /// XXH3-64 of the map.
    pub map_checksum: u64,
}

/// One segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentPart {
    /// Its log.
    pub log: u16,
    /// Its number.
    pub segment: u32,
    /// What it holds.
    pub kind: Kind,
    /// How much of it belongs to this generation.
    pub octets: u64,
    /// XXH3-64 of that.
    pub checksum: u64,
}

/// What a segment in a backup holds: `ringpost_log::segment::Holds`, of which a part is a mail here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Records.
    Records,
    /// A large mail.
    Mail,
    /// Nothing: its number is not to be given again.
    Gone,
}

impl SegmentPart {
    /// Its file below `folder`: a backup's or a data directory.
    fn path(&self, folder: &Path) -> PathBuf {
        let holds = match self.kind {
            Kind::Records => Holds::Records,
            Kind::Mail => Holds::Mail,
            Kind::Gone => Holds::Gone,
        };
        segment::file(folder, self.log, self.segment, holds)
    }
}

/// One file that the caller added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePart {
    /// Its name.
    pub name: String,
    /// Its length.
    pub octets: u64,
    /// XXH3-64 of it.
    pub checksum: u64,
}

/// Why a backup was not made, or is not whole.
#[derive(Debug)]
pub enum BackupError {
    /// The file system failed at this path.
    Io(PathBuf, io::Error),
    /// The store failed.
    Store(ringpost_api::Error),
    /// There is no such generation, or none at all.
    NoGeneration(PathBuf),
    /// It was made by a later version of Ringpost.
    Newer(PathBuf),
    /// The directory has the backup of another store, or of a later state of this one.
    Foreign(PathBuf),
    /// Octets are not what they were.
    Damaged(PathBuf, &'static str),
    /// The directory to restore to has something in it.
    NotEmpty(PathBuf),
    /// It has another version's schema, or several partitions: a look into it needs it brought back whole.
    NeedsWhole(PathBuf),
    /// The operator asked it to end.
    Ended,
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackupError::Io(path, error) => write!(f, "{}: {error}", path.display()),
            BackupError::Store(error) => error.fmt(f),
            BackupError::NoGeneration(path) => {
                write!(
                    f,
                    "{}: no whole generation of a backup there",
                    path.display()
                )
            }
            BackupError::Newer(path) => write!(
                f,
                "{}: made by a later version of ringpost; use that version or a later one",
                path.display()
            ),
            BackupError::Foreign(path) => write!(
                f,
                "{}: not the same segment as the store's: this directory holds the backup of another store, or of \
                 a later state of this one; back up to an empty directory",
                path.display()
            ),
            BackupError::Damaged(path, what) => {
                write!(f, "{}: damaged: {what}", path.display())
            }
            BackupError::NotEmpty(path) => {
                write!(
                    f,
                    "{}: not empty; restore to a new directory",
                    path.display()
                )
            }
            BackupError::NeedsWhole(path) => write!(
                f,
                "{}: of another version, or with partitions; restore all of it with --to, and take the mailbox \
                 from there by export and import",
                path.display()
            ),
            BackupError::Ended => f.write_str("ended before it was done"),
        }
    }
}

impl std::error::Error for BackupError {}

impl From<ringpost_api::Error> for BackupError {
    fn from(error: ringpost_api::Error) -> Self {
        BackupError::Store(error)
    }
}

/// How many octets of how many are done; a break ends it.
pub type Told<'t> = &'t mut dyn FnMut(u64, u64) -> std::ops::ControlFlow<()>;

/// The whole generations of a backup, ascending.
pub fn generations(backup: &Path) -> Result<Vec<u32>, BackupError> {
    let mut found = Vec::new();
    let listed = match fs::read_dir(backup) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        listed => listed.map_err(at(backup))?,
    };
    for entry in listed {
        let entry = entry.map_err(at(backup))?;
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix("generation-"));
        let number = number.and_then(|number| number.parse::<u32>().ok());
        found.extend(number.filter(|_| entry.path().join(MANIFEST).is_file()));
    }
    found.sort_unstable();
    Ok(found)
}

/// The manifest of a generation; without a number, of the last whole one.
pub fn manifest(backup: &Path, generation: Option<u32>) -> Result<Manifest, BackupError> {
    let last = match generation {
        Some(generation) => Some(generation),
        None => generations(backup)?.pop(),
    };
    let generation = last.ok_or_else(|| BackupError::NoGeneration(backup.to_owned()))?;
    let path = folder(backup, generation).join(MANIFEST);
    let text = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(BackupError::NoGeneration(path));
        }
        text => text.map_err(at(&path))?,
    };
    /// What every version of the layout begins with.
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let damaged = |_| BackupError::Damaged(path.clone(), "not a manifest");
    let Format { format } = serde_json::from_slice(&text).map_err(damaged)?;
    if format > FORMAT {
        return Err(BackupError::Newer(path));
    }
    serde_json::from_slice(&text).map_err(damaged)
}

const MANIFEST: &str = "manifest.json";

/// Where a generation is.
fn folder(backup: &Path, generation: u32) -> PathBuf {
    backup.join(format!("generation-{generation:06}"))
}

fn at(path: &Path) -> impl Fn(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |error| BackupError::Io(path.clone(), error)
}

/// Makes a directory for its owner alone, and the ones above it.
fn make(folder: &Path) -> Result<(), BackupError> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(folder).map_err(at(folder))
}

/// Opens a file to write, for its owner alone.
fn create(path: &Path) -> Result<fs::File, BackupError> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    options.open(path).map_err(at(path))
}

/// Makes the names in a directory durable.
fn sync_folder(folder: &Path) -> Result<(), BackupError> {
    let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(at(folder))
}
