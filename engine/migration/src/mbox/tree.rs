//! Files of mails: one, or all in a directory and the directories in it, as mail programs lay them out.
//!
//! ```text
//! Sent.mbox, Sent, Sent.mbx        Sent
//! A/B.mbox, A.sbd/B                A/B (ours; Thunderbird's)
//! A.mbox/mbox                      A (Apple's)
//! mbox, Inbox                      INBOX
//! ```
//! In:  a path. Out: [`Folder`]s by name. Files that mail programs keep beside them are passed over.
//!
//! Invariants: a symbolic link is never followed, and told; at most [`FOLDERS_MAX`] folders, [`DEPTH_MAX`] levels deep.

use crate::Trouble;
use crate::name::{self, FILE_OCTETS_MAX};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Folders of one directory at most.
pub const FOLDERS_MAX: usize = 100_000;
/// Directories in directories at most.
const DEPTH_MAX: usize = 32;

/// What our files end with.
const SUFFIX: &str = ".mbox";
const SUFFIXES: [&[u8]; 2] = [b".mbox", b".mbx"];
/// Directories of Thunderbird.
const BELOW: [&[u8]; 2] = [b".sbd", b".mbox"];
/// Ends of names of files that hold no mail.
const OTHERS: [&[u8]; 8] = [
    b".msf", b".lock", b".dat", b".html", b".json", b".sqlite", b".plist", b".state",
];

/// A folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its name, by levels.
    pub levels: Vec<String>,
    /// The file.
    pub path: PathBuf,
}

/// The folder of one file; `owner` is what a file of the host's mail spool is called.
pub fn one(path: &Path, owner: &str) -> Folder {
    let name = path.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
    let mut level = level(name, &SUFFIXES);
    if matches!(&*level.to_lowercase(), "mbox" | "inbox") || level == owner {
        level = "INBOX".to_owned();
    }
    Folder {
        levels: vec![level],
        path: path.to_owned(),
    }
}

/// All folders below the directory `root`.
pub fn folders(root: &Path, troubles: &mut Vec<Trouble>) -> io::Result<Vec<Folder>> {
    let mut found = Vec::new();
    walk(root, &[], &mut found, troubles)?;
    Ok(found)
}

fn walk(
    directory: &Path,
    above: &[String],
    found: &mut Vec<Folder>,
    troubles: &mut Vec<Trouble>,
) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        names.push((entry.file_name(), entry.file_type()?));
    }
    names.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (file, kind) in names {
        let octets = file.as_bytes();
        let path = directory.join(&file);
        let is_other = OTHERS.iter().any(|end| octets.ends_with(end));
        if octets.starts_with(b".") || (is_other && !kind.is_dir()) {
            continue;
        }
        let trouble = match kind {
            kind if kind.is_symlink() => Some("a symbolic link, which is not followed"),
            _ if above.len() >= DEPTH_MAX || found.len() >= FOLDERS_MAX => {
                Some("too many folders, or too deep")
            }
            _ => None,
        };
        if let Some(why) = trouble {
            troubles.push(Trouble::new(&path, why));
            continue;
        }
        let mut levels = above.to_vec();
        if kind.is_dir() {
            levels.push(level(octets, &BELOW));
            // One that cannot be listed is told, and the others are read.
            if let Err(error) = walk(&path, &levels, found, troubles) {
                troubles.push(Trouble::new(&path, error));
            }
        } else if kind.is_file() {
            match octets {
                b"mbox" if above.is_empty() => levels.push("INBOX".to_owned()),
                b"mbox" => {}
                _ => levels.push(level(octets, &SUFFIXES)),
            }
            if levels.len() == 1 && levels[0].eq_ignore_ascii_case("INBOX") {
                levels[0].make_ascii_uppercase();
            }
            found.push(Folder { levels, path });
        }
    }
    Ok(())
}

fn level(name: &[u8], suffixes: &[&[u8]]) -> String {
    let short = suffixes.iter().find_map(|end| name.strip_suffix(*end));
    name::from_disk(short.filter(|short| !short.is_empty()).unwrap_or(name))
}

/// Where a mailbox's file lies below the directory of an export; `None`: a level of its name is too long.
pub fn path(mailbox: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    let mut levels = mailbox.split('/').peekable();
    while let Some(level) = levels.next() {
        let mut name = name::escape(level, "&");
        if levels.peek().is_none() {
            name += SUFFIX;
        } else if let Some(end) = BELOW.iter().find(|end| name.as_bytes().ends_with(end)) {
            // A directory whose name would be read as another one's.
            let dot = name.len() - end.len();
            name.replace_range(dot..=dot, "\\2e");
        }
        if name.len() > FILE_OCTETS_MAX {
            return None;
        }
        path.push(name);
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts() {
        let root = tempfile::tempdir().expect("a scratch directory");
        let files = [
            "Inbox",
            "Inbox.msf",
            "Sent.mbox",
            "Archives.sbd/2020",
            "Apple.mbox/mbox",
            "A/B.mbox",
            "A.mbox",
            ".hidden",
            "mbox",
        ];
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().expect("below the root")).expect("made");
            fs::write(path, "").expect("written");
        }
        std::os::unix::fs::symlink("/etc/passwd", root.path().join("link")).expect("linked");
        let mut troubles = Vec::new();
        let found = folders(root.path(), &mut troubles).expect("readable");
        let names: Vec<_> = found.iter().map(|folder| folder.levels.join("|")).collect();
        assert_eq!(
            names,
            [
                "A|B",
                "A",
                "Apple",
                "Archives|2020",
                "INBOX",
                "Sent",
                "INBOX"
            ]
        );
        assert_eq!(troubles.len(), 1);
        let single = |name: &str| one(Path::new(name), "alice").levels.join("|");
        assert_eq!(single("/var/mail/alice"), "INBOX");
        assert_eq!(single("old/2019.mbox"), "2019");
        assert_eq!(single("INBOX"), "INBOX");
    }

    #[test]
    fn paths_come_back_and_stay_below() {
        let root = tempfile::tempdir().expect("a scratch directory");
        let mut mailboxes = [
            "INBOX",
            "A",
            "A/B",
            "A.mbox/B",
            "A.sbd/B",
            "../../x",
            "./.",
            "a\\b/R&D",
            "ü/日本",
            "mbox",
        ];
        for mailbox in mailboxes {
            let path = path(mailbox).expect("short");
            assert!(
                path.components()
                    .all(|part| matches!(part, std::path::Component::Normal(_)))
            );
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("below the root")).expect("made");
            fs::write(path, "").expect("written");
        }
        let found = folders(root.path(), &mut Vec::new()).expect("readable");
        let mut names: Vec<_> = found.iter().map(|folder| folder.levels.join("/")).collect();
        names.sort();
        mailboxes.sort();
        assert_eq!(names, mailboxes);
        assert_eq!(path(&"x".repeat(251)), None);
    }
}
