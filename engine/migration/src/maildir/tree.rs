//! The folders of a Maildir, and the mails of a folder in their order.
//!
//! In:  the root. Out: [`Folder`]s, INBOX first, then by name; for each, [`Entry`]s.
//!
//! Invariants: at most [`FOLDERS_MAX`] folders, [`DEPTH_MAX`] levels deep. What is left out for a reason that its owner
//! should know is told as a [`Trouble`].

use super::file::Name;
use super::list;
use crate::Trouble;
use crate::name;
use std::ffi::OsString;
use std::fs::{self, FileType};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Folders of one Maildir at most.
pub const FOLDERS_MAX: usize = 100_000;
/// Directories in directories at most.
const DEPTH_MAX: usize = 32;
/// The directories that make a folder.
const PARTS: [&str; 3] = ["cur", "new", "tmp"];

/// A folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its name, by levels; `INBOX` for the root.
    pub levels: Vec<String>,
    /// Where `cur` and `new` are.
    pub path: PathBuf,
}

/// A mail's file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its place in the folder's order; the highest number where none is kept.
    pub order: u32,
    /// Its name.
    pub name: OsString,
    /// `cur` or `new`.
    pub part: &'static str,
}

/// All folders below `root`.
pub fn folders(root: &Path, troubles: &mut Vec<Trouble>) -> io::Result<Vec<Folder>> {
    let mut found = Vec::new();
    if is_folder(root)? {
        found.push(Folder {
            levels: vec!["INBOX".to_owned()],
            path: root.to_owned(),
        });
    }
    walk(root, &[], &mut found, troubles)?;
    Ok(found)
}

/// One directory, in the order of its names.
fn walk(
    directory: &Path,
    above: &[String],
    found: &mut Vec<Folder>,
    troubles: &mut Vec<Trouble>,
) -> io::Result<()> {
    for (name, kind) in listing(directory)? {
        let path = directory.join(&name);
        if PARTS.iter().any(|part| name == *part) {
            continue;
        }
        if kind.is_symlink() && path.is_dir() {
            troubles.push(Trouble::new(
                &path,
                "a symbolic link, which is not followed",
            ));
        }
        if !kind.is_dir() {
            continue;
        }
        if above.len() == DEPTH_MAX || found.len() == FOLDERS_MAX {
            troubles.push(Trouble::new(&path, "too many folders, or too deep"));
            continue;
        }
        let folder = is_folder(&path).unwrap_or_else(|error| {
            troubles.push(Trouble::new(&path, error));
            false
        });
        let mut levels = above.to_vec();
        match name.as_bytes().strip_prefix(b".") {
            Some(name) => {
                // Directories of other programs begin with a dot too.
                if above.is_empty() && !name.is_empty() && folder {
                    let each = name.split(|&octet| octet == b'.');
                    levels.extend(each.map(name::from_disk));
                    found.push(Folder { levels, path });
                }
            }
            None => {
                levels.push(name::from_disk(name.as_bytes()));
                if folder {
                    found.push(Folder {
                        levels: levels.clone(),
                        path: path.clone(),
                    });
                }
                // One that cannot be listed is told, and the others are read.
                if let Err(error) = walk(&path, &levels, found, troubles) {
                    troubles.push(Trouble::new(&path, error));
                }
            }
        }
    }
    Ok(())
}

/// Whether the directory is a folder of mails.
pub fn is_folder(path: &Path) -> io::Result<bool> {
    for part in ["cur", "new"] {
        match fs::symlink_metadata(path.join(part)) {
            Ok(metadata) if metadata.is_dir() => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// The names in a directory, in the order of their octets.
fn listing(directory: &Path) -> io::Result<Vec<(OsString, FileType)>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        names.push((entry.file_name(), entry.file_type()?));
    }
    names.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(names)
}

/// The mails of a folder: as its list of UIDs has them, then the others by name, which begins with the time they came.
pub fn mails(folder: &Path, troubles: &mut Vec<Trouble>) -> io::Result<Vec<Entry>> {
    let order = list::order(folder)?;
    let mut entries = Vec::new();
    for part in ["cur", "new"] {
        let directory = folder.join(part);
        if fs::symlink_metadata(&directory).is_ok_and(|metadata| metadata.is_symlink()) {
            troubles.push(Trouble::new(
                &directory,
                "a symbolic link, which is not followed",
            ));
            continue;
        }
        let names = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            names => names?,
        };
        for entry in names {
            let name = entry?.file_name();
            if let Some(read) = Name::read(name.as_bytes()) {
                let order = order.get(read.unique()).copied().unwrap_or(u32::MAX);
                entries.push(Entry { order, name, part });
            }
        }
    }
    entries.sort_unstable();
    Ok(entries)
}

/// Where a mail is now whose flags were changed, and with them its name, since it was listed.
pub fn renamed(folder: &Path, entry: &Entry) -> io::Result<Option<Entry>> {
    let wanted = Name::read(entry.name.as_bytes()).map(|name| name.base);
    let now = mails(folder, &mut Vec::new())?.into_iter();
    let mut same = now.filter(|other| Name::read(other.name.as_bytes()).map(|n| n.base) == wanted);
    Ok(same.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(root: &Path, folders: &[&str]) {
        for folder in folders {
            fs::create_dir_all(root.join(folder)).expect("the scratch directory can be written");
        }
    }

    fn names(root: &Path, troubles: &mut Vec<Trouble>) -> Vec<String> {
        let found = folders(root, troubles).expect("readable");
        found.iter().map(|folder| folder.levels.join("|")).collect()
    }

    #[test]
    fn both_layouts() {
        let root = tempfile::tempdir().expect("a scratch directory");
        make(
            root.path(),
            &[
                "cur",
                "new",
                "tmp",
                ".Sent/cur",
                ".Archive.2020/new",
                ".Entw&APw-rfe/cur",
                ".other-program/x",
                "..hidden/cur",
                "Lists/cur",
                "Lists/rust/cur",
                "Lists/cur/cur",
                "parent/child/cur",
                "INBOX/cur",
            ],
        );
        let mut troubles = Vec::new();
        assert_eq!(
            names(root.path(), &mut troubles),
            [
                "INBOX",
                "|hidden",
                "Archive|2020",
                "Entwürfe",
                "Sent",
                "INBOX",
                "Lists",
                "Lists|rust",
                "parent|child"
            ]
        );
        assert!(troubles.is_empty(), "{troubles:?}");
    }

    #[test]
    fn links_are_told_and_not_followed() {
        let root = tempfile::tempdir().expect("a scratch directory");
        let other = tempfile::tempdir().expect("a scratch directory");
        make(root.path(), &["cur", ".A/new"]);
        make(other.path(), &["cur"]);
        fs::write(other.path().join("cur/1.a:2,"), "secret").expect("written");
        let link = |to: &str, at: &str| {
            let made = std::os::unix::fs::symlink(other.path().join(to), root.path().join(at));
            made.expect("linked");
        };
        link("", ".B");
        link("cur", ".A/cur");
        link("cur/1.a:2,", "cur/1.b:2,");
        let mut troubles = Vec::new();
        assert_eq!(names(root.path(), &mut troubles), ["INBOX", "A"]);
        assert_eq!(troubles.len(), 1);
        let inside = mails(&root.path().join(".A"), &mut troubles).expect("readable");
        assert!(inside.is_empty() && troubles.len() == 2);
        let inbox = mails(root.path(), &mut troubles).expect("readable");
        let path = root.path().join("cur").join(&inbox[0].name);
        let error = super::super::open_regular(&path).expect_err("a link");
        assert!(error.to_string().contains("symbolic link"), "{error}");
    }

    #[test]
    fn mails_in_their_order() {
        let root = tempfile::tempdir().expect("a scratch directory");
        make(root.path(), &["cur", "new", "tmp"]);
        for name in [
            "cur/3.c:2,S",
            "cur/1.a:2,",
            "new/2.b",
            "cur/.x",
            "new/4.d",
            "tmp/5.e",
        ] {
            fs::write(root.path().join(name), "").expect("written");
        }
        fs::write(
            root.path().join("dovecot-uidlist"),
            "3 V1 N3 G0\n1 :3.c\n2 :4.d\n",
        )
        .expect("written");
        let entries = mails(root.path(), &mut Vec::new()).expect("readable");
        let order: Vec<_> = entries
            .iter()
            .map(|entry| entry.name.to_str().expect("ASCII"))
            .collect();
        assert_eq!(order, ["3.c:2,S", "4.d", "1.a:2,", "2.b"]);
        fs::rename(
            root.path().join("cur/1.a:2,"),
            root.path().join("cur/1.a:2,R"),
        )
        .expect("there");
        let now = renamed(root.path(), &entries[2]).expect("readable");
        assert_eq!(now.expect("found").name, "1.a:2,R");
    }
}
