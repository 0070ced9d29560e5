//! Where mail comes from: a Maildir or files of mbox as one list of folders, and the mails of a folder, one at a time.
//!
//! In:  a path. Out: [`Folder`]s; for each, its mails in order, as [`Item`]s.
//!
//! A mail's key names it in its source, so that it is known again: in a Maildir by the place of its folder and its unique
//! name, whatever its flags have become; in an mbox file by the file's place and its octets (and how many equal ones stood
//! in front of it), whatever was cut out of the file.
//!
//! Invariant: one mail is held at a time. What concerns one mail or folder is told and passed over.

use crate::error::Error;
use crate::maildir::{self, file, list, tree};
use crate::marks::Marks;
use crate::mbox::{self, Dialect};
use crate::{Trouble, line};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One directory, one file for each mail.
    Maildir,
    /// One file for each folder.
    Mbox(Dialect),
}

impl Format {
    /// What progress is counted in.
    pub fn unit(self) -> &'static str {
        match self {
            Format::Maildir => "mails",
            Format::Mbox(_) => "octets",
        }
    }
}

/// A folder of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its name, by levels.
    pub levels: Vec<String>,
    /// Its directory, or its file.
    pub path: PathBuf,
    /// Mails, or octets of the file.
    pub total: u64,
}

/// A source, listed.
#[derive(Clone, Debug)]
pub struct Source {
    /// What it is.
    pub format: Format,
    /// Its folders.
    pub folders: Vec<Folder>,
    /// The subscribed ones, by levels, if it tells.
    pub subscriptions: Option<Vec<Vec<String>>>,
}

/// One mail, or why there is none.
#[derive(Debug)]
pub enum Item {
    /// A mail that is not known.
    Mail(Mail),
    /// It was imported before.
    Known,
    /// Its program has thrown it away already.
    Gone,
    /// It cannot be read.
    Trouble(Trouble),
}

/// A mail as the store keeps it.
#[derive(Debug)]
pub struct Mail {
    /// Names it in its source.
    pub key: u128,
    /// Its octets, CRLF at the ends of its lines.
    pub octets: Vec<u8>,
    /// Flags, keywords, and the date it came if that is known.
    pub marks: Marks,
}

/// What is true of all mails of an import.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'t> {
    /// Keys that are known.
    pub done: &'t HashSet<u128>,
    /// Larger mails are told and passed over.
    pub octets_max: usize,
}

/// Is shown each mail, and how far in its folder its end is; a break ends the reading.
pub type Visitor<'v> = &'v mut dyn FnMut(Item, u64) -> ControlFlow<()>;

impl Source {
    /// Lists what is at `path`. `owner`: a file of that name is somebody's INBOX.
    pub fn open(
        path: &Path,
        format: Format,
        owner: &str,
        troubles: &mut Vec<Trouble>,
    ) -> Result<Self, Error> {
        // What the operator names may be a link; what stands in it may not.
        let root = fs::canonicalize(path).map_err(Error::at(path))?;
        match format {
            Format::Maildir => Self::maildir(&root, troubles),
            Format::Mbox(_) => Self::mbox(&root, format, owner, troubles),
        }
    }

    fn maildir(root: &Path, troubles: &mut Vec<Trouble>) -> Result<Self, Error> {
        let inside = root.join("Maildir");
        let is_folder = |path: &Path| tree::is_folder(path).map_err(Error::at(path));
        if !is_folder(root)? && is_folder(&inside)? {
            let (root, inside) = (root.display(), inside.display());
            let why = format!("{root} is no Maildir, but {inside} is one");
            return Err(Error::Asked(why));
        }
        let mut folders = Vec::new();
        for folder in tree::folders(root, troubles).map_err(Error::at(root))? {
            // What is told of it is told when it is read.
            let mails = tree::mails(&folder.path, &mut Vec::new());
            folders.push(Folder {
                levels: folder.levels,
                total: mails.map_or(0, |mails| mails.len() as u64),
                path: folder.path,
            });
        }
        if folders.is_empty() {
            let why = "is no Maildir: it has no folder with cur or new";
            return Err(Error::Asked(format!("{} {why}", root.display())));
        }
        let subscriptions = list::subscriptions(root).unwrap_or_else(|error| {
            troubles.push(Trouble::new(&root.join(list::SUBSCRIPTIONS), error));
            None
        });
        Ok(Source {
            format: Format::Maildir,
            folders,
            subscriptions,
        })
    }

    fn mbox(
        root: &Path,
        format: Format,
        owner: &str,
        troubles: &mut Vec<Trouble>,
    ) -> Result<Self, Error> {
        let found = match root.is_dir() {
            true => mbox::tree::folders(root, troubles).map_err(Error::at(root))?,
            false => vec![mbox::tree::one(root, owner)],
        };
        let mut folders = Vec::new();
        for mbox::tree::Folder { levels, path } in found {
            let metadata = fs::symlink_metadata(&path).map_err(Error::at(&path))?;
            folders.push(Folder {
                levels,
                total: metadata.len(),
                path,
            });
        }
        Ok(Source {
            format,
            folders,
            subscriptions: None,
        })
    }

    /// Mails or octets of all folders.
    pub fn total(&self) -> u64 {
        self.folders.iter().map(|folder| folder.total).sum()
    }

    /// Shows the mails of one folder, in order.
    pub fn read(&self, folder: &Folder, terms: Terms<'_>, visit: Visitor<'_>) -> ControlFlow<()> {
        let read = match self.format {
            Format::Maildir => read_maildir(&folder.path, terms, visit),
            Format::Mbox(dialect) => read_mbox(&folder.path, dialect, terms, visit),
        };
        read.unwrap_or_else(|error| {
            visit(
                Item::Trouble(Trouble::new(&folder.path, error)),
                folder.total,
            )
        })
    }
}

fn read_maildir(
    folder: &Path,
    terms: Terms<'_>,
    visit: Visitor<'_>,
) -> io::Result<ControlFlow<()>> {
    let mut troubles = Vec::new();
    let keywords = list::keywords(folder).unwrap_or_else(|error| {
        troubles.push(Trouble::new(&folder.join(list::KEYWORDS), error));
        Vec::new()
    });
    let entries = tree::mails(folder, &mut troubles)?;
    for trouble in troubles {
        if visit(Item::Trouble(trouble), 0).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    for (at, entry) in entries.iter().enumerate() {
        let item = match one_of_maildir(folder, entry, &keywords, terms) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match tree::renamed(folder, entry)? {
                    Some(now) => one_of_maildir(folder, &now, &keywords, terms),
                    None => Ok(Item::Gone),
                }
            }
            item => item,
        };
        let item = item.unwrap_or_else(|error| {
            let path = folder.join(entry.part).join(&entry.name);
            Item::Trouble(Trouble::new(&path, error))
        });
        if visit(item, at as u64 + 1).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn one_of_maildir(
    folder: &Path,
    entry: &tree::Entry,
    keywords: &[String],
    terms: Terms<'_>,
) -> io::Result<Item> {
    let Some(name) = file::Name::read(entry.name.as_bytes()) else {
        return Ok(Item::Gone);
    };
    let key = key(b"maildir", folder, name.unique());
    if terms.done.contains(&key) {
        return Ok(Item::Known);
    }
    let path = folder.join(entry.part).join(&entry.name);
    let opened = maildir::open_regular(&path)?;
    let metadata = opened.metadata()?;
    if metadata.len() > terms.octets_max as u64 {
        return Err(too_large());
    }
    let mut octets = Vec::with_capacity(metadata.len() as usize + 1);
    // It may grow meanwhile, but not beyond.
    opened
        .take(terms.octets_max as u64 + 1)
        .read_to_end(&mut octets)?;
    if name.size().is_some_and(|size| size != octets.len() as u64) && is_packed(&octets) {
        return Err(io::Error::other(
            "it is compressed; uncompress it, or let its server export it",
        ));
    }
    let octets = line::to_crlf(octets);
    if octets.len() > terms.octets_max {
        return Err(too_large());
    }
    let mut marks = name.marks(keywords);
    let came = metadata.modified()?.duration_since(UNIX_EPOCH);
    marks.date = Some(came.map_or(0, |since| since.as_secs()));
    Ok(Item::Mail(Mail { key, octets, marks }))
}

/// Whether the octets begin as those of gzip, bzip2, xz, zstd or LZ4, as Dovecot writes them.
fn is_packed(octets: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 6] = [
        b"\x1f\x8b",
        b"BZh",
        b"\xfd7zXZ",
        b"\x28\xb5\x2f\xfd",
        b"Dovecot-LZ4",
        b"\x04\x22\x4d\x18",
    ];
    BEGINNINGS.iter().any(|begin| octets.starts_with(begin))
}

fn too_large() -> io::Error {
    io::Error::other("larger than limit message_octets_max")
}

fn read_mbox(
    path: &Path,
    dialect: Dialect,
    terms: Terms<'_>,
    visit: Visitor<'_>,
) -> io::Result<ControlFlow<()>> {
    let opened = maildir::open_regular(path)?;
    let mut mails = mbox::read::Mails::new(opened, dialect, terms.octets_max);
    let mut equal = HashMap::<u128, u32>::new();
    while let Some(found) = mails.step()? {
        let item = match found.mail {
            _ if found.told.gone => Item::Gone,
            Some(octets) if octets.len() <= terms.octets_max => {
                let mail = xxh3_128(&octets);
                let number = equal.entry(mail).or_default();
                *number += 1;
                let name = [&mail.to_le_bytes()[..], &number.to_le_bytes()].concat();
                let key = key(b"mbox", path, &name);
                let marks = found.told.marks;
                match terms.done.contains(&key) {
                    true => Item::Known,
                    false => Item::Mail(Mail { key, octets, marks }),
                }
            }
            _ => Item::Trouble(Trouble {
                path: format!("{}, octet {}", path.display(), found.at),
                reason: too_large().to_string(),
            }),
        };
        if visit(item, mails.position()).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn key(format: &[u8], folder: &Path, name: &[u8]) -> u128 {
    let mut hash = Xxh3Default::new();
    for part in [format, folder.as_os_str().as_bytes(), name] {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.digest128()
}
