//! A mailbox as a folder of a Maildir (Maildir++ layout).
//!
//! A mail is written into `tmp` and renamed into `cur`; its name says its date, its UIDVALIDITY and its UID, so that the next
//! export knows it again. One that is there gets other flags by another name. A file whose length is not what its name
//! says was being written when the machine failed, and is written again.

use super::{Done, Mailbox, Row, Run, create, make, replace};
use crate::error::Error;
use crate::maildir::file::{self, KEYWORDS_MAX, Name};
use crate::maildir::list;
use crate::{Trouble, line, name};
use ringpost_types::Uid;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File, FileTimes};
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// Files that are there, by the unique part of their names.
type There = HashMap<Vec<u8>, OsString>;

struct Folder {
    path: PathBuf,
    there: There,
    keywords: Vec<String>,
    order: Order,
    /// A keyword had no letter, which is told once.
    left_off: bool,
}

pub(super) fn mailbox(run: &mut Run<'_>, root: &Path, mailbox: &Mailbox) -> Result<(), Error> {
    let Some(path) = directory(root, &mailbox.name) else {
        return run.unnamed();
    };
    run.mailbox().target = path.display().to_string();
    for part in ["cur", "new", "tmp"] {
        make(&path.join(part))?;
    }
    if path != root {
        // Courier looks for it, and others do not mind.
        let mark = path.join("maildirfolder");
        create(&mark).map_err(Error::at(&mark))?;
    }
    let mut folder = Folder {
        there: there(&path.join("cur"))?,
        keywords: keywords(&path, mailbox)?,
        order: Order::begin(&path, mailbox)?,
        path,
        left_off: false,
    };
    let mut from = Uid(1);
    loop {
        let page = run.page(mailbox, from)?;
        let Some(last) = page.last().map(|row| row.uid) else {
            break;
        };
        for row in page {
            let uid = row.uid;
            let done = folder.put(run, mailbox, row);
            run.count(uid, done)?;
        }
        match last.0.checked_add(1) {
            Some(next) => from = Uid(next),
            None => break,
        }
    }
    folder.order.end()?;
    if folder.left_off {
        let reason = "more than 26 keywords: those without a letter are left off";
        run.trouble(Trouble::new(&folder.path, reason))?;
    }
    Ok(())
}

impl Folder {
    fn put(&mut self, run: &Run<'_>, mailbox: &Mailbox, row: Row) -> Result<Done, Error> {
        let date = row.marks.date.unwrap_or(0);
        let unique = file::unique(date, mailbox.uidvalidity, row.uid);
        let (info, left_off) = file::letters(&row.marks, &self.keywords);
        self.left_off |= left_off;
        let cur = self.path.join("cur");
        if let Some(old) = self.there.get(unique.as_bytes())
            && is_whole(&cur, old)
        {
            let base = Name::read(old.as_bytes()).map_or(old.as_bytes(), |name| name.base);
            let now = [base, b":", info.as_bytes()].concat();
            self.order.put(row.uid, base)?;
            if now == old.as_bytes() {
                return Ok(Done::Known);
            }
            let now = cur.join(std::ffi::OsStr::from_bytes(&now));
            fs::rename(cur.join(old), &now).map_err(Error::at(&now))?;
            return Ok(Done::Updated);
        }
        let uid = row.uid;
        let Some((_, mail)) = run.mail(row)? else {
            return Ok(Done::Gone);
        };
        let octets = line::to_lf(&mail);
        let base = format!("{unique},S={},W={}", octets.len(), mail.len());
        let tmp = self.path.join("tmp").join(&base);
        write(&tmp, &octets, date).map_err(Error::at(&tmp))?;
        let path = cur.join(format!("{base}:{info}"));
        fs::rename(&tmp, &path).map_err(Error::at(&path))?;
        self.order.put(uid, base.as_bytes())?;
        if let Some(old) = self.there.remove(unique.as_bytes())
            && cur.join(&old) != path
        {
            // What was not whole.
            fs::remove_file(cur.join(&old)).map_err(Error::at(&path))?;
        }
        Ok(Done::Written(mail.len() as u64))
    }
}

/// The folder's list of UIDs, written beside and renamed at the end: Dovecot goes on with our UIDs and UIDVALIDITY, and
/// an import with our order. One that Dovecot has made its own is left alone.
struct Order {
    path: PathBuf,
    beside: PathBuf,
    lines: Option<BufWriter<File>>,
}

impl Order {
    fn begin(folder: &Path, mailbox: &Mailbox) -> Result<Self, Error> {
        let path = folder.join(list::ORDER);
        let beside = folder.join(format!(".{}.new", list::ORDER));
        let mut lines = None;
        if !list::is_dovecots_own(&path).map_err(Error::at(&path))? {
            let mut file = BufWriter::new(create(&beside).map_err(Error::at(&beside))?);
            writeln!(file, "3 V{} N{}", mailbox.uidvalidity, mailbox.uidnext.0)
                .map_err(Error::at(&beside))?;
            lines = Some(file);
        }
        Ok(Order {
            path,
            beside,
            lines,
        })
    }

    fn put(&mut self, uid: Uid, base: &[u8]) -> Result<(), Error> {
        let Some(lines) = &mut self.lines else {
            return Ok(());
        };
        let line = [format!("{} :", uid.0).as_bytes(), base, b"\n"].concat();
        lines.write_all(&line).map_err(Error::at(&self.beside))
    }

    fn end(self) -> Result<(), Error> {
        let Some(mut lines) = self.lines else {
            return Ok(());
        };
        let renamed = lines
            .flush()
            .and_then(|()| fs::rename(&self.beside, &self.path));
        renamed.map_err(Error::at(&self.path))
    }
}

fn write(path: &Path, octets: &[u8], date: u64) -> io::Result<()> {
    let mut file = create(path)?;
    file.write_all(octets)?;
    // A date beyond what the file system knows is not worth a mail.
    match UNIX_EPOCH.checked_add(Duration::from_secs(date)) {
        Some(came) => file.set_times(FileTimes::new().set_modified(came).set_accessed(came)),
        None => Ok(()),
    }
}

/// Whether the file is as long as its name says.
fn is_whole(cur: &Path, name: &OsString) -> bool {
    let said = Name::read(name.as_bytes()).and_then(|name| name.size());
    let metadata = fs::symlink_metadata(cur.join(name));
    metadata.is_ok_and(|metadata| metadata.is_file() && Some(metadata.len()) == said)
}

fn there(cur: &Path) -> Result<There, Error> {
    let mut there = There::new();
    for entry in fs::read_dir(cur).map_err(Error::at(cur))? {
        let name = entry.map_err(Error::at(cur))?.file_name();
        if let Some(read) = Name::read(name.as_bytes()) {
            there.insert(read.unique().to_vec(), name);
        }
    }
    Ok(there)
}

/// The folder's keywords in the order of their letters: those it has, and behind them those of the mailbox.
fn keywords(folder: &Path, mailbox: &Mailbox) -> Result<Vec<String>, Error> {
    let path = folder.join(list::KEYWORDS);
    let mut keywords = list::keywords(folder).map_err(Error::at(&path))?;
    let before = list::write_keywords(&keywords);
    for keyword in &mailbox.keywords {
        let known = |each: &String| each.eq_ignore_ascii_case(keyword);
        let lettered = keyword.eq_ignore_ascii_case(crate::marks::FORWARDED);
        if lettered || keywords.iter().any(known) {
            continue;
        }
        match keywords.iter().position(String::is_empty) {
            Some(free) => keywords[free].clone_from(keyword),
            None if keywords.len() < KEYWORDS_MAX => keywords.push(keyword.clone()),
            None => {}
        }
    }
    let after = list::write_keywords(&keywords);
    if after != before {
        replace(&path, after.as_bytes())?;
    }
    Ok(keywords)
}

/// Where a mailbox's folder is; `None`: its name is too long.
fn directory(root: &Path, mailbox: &str) -> Option<PathBuf> {
    if mailbox == "INBOX" {
        return Some(root.to_owned());
    }
    // All levels in one name: modified UTF-7, or all in UTF-8 where that is too long.
    let wire: Option<Vec<String>> = mailbox
        .split('/')
        .map(|level| name::to_disk(level, "."))
        .collect();
    let plain = mailbox.split('/').map(|level| name::escape(level, ".&"));
    let names = [
        wire.map(|levels| levels.join(".")),
        Some(plain.collect::<Vec<_>>().join(".")),
    ];
    let mut names = names.into_iter().flatten().map(|name| format!(".{name}"));
    names
        .find(|name| name.len() <= name::FILE_OCTETS_MAX)
        .map(|name| root.join(name))
}

pub(super) fn subscriptions(root: &Path, mailboxes: &[Mailbox]) -> Result<(), Error> {
    let subscribed = mailboxes.iter().filter(|mailbox| mailbox.subscribed);
    let lines: String = subscribed
        .filter_map(|mailbox| list::write_subscription(&mailbox.name))
        .collect();
    replace(&root.join(list::SUBSCRIPTIONS), lines.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_stay_below() {
        let cases = [
            ("INBOX", "/x"),
            ("Sent", "/x/.Sent"),
            ("A/b.c", "/x/.A.b\\2ec"),
            ("../../etc", "/x/.\\2e\\2e.\\2e\\2e.etc"),
            ("Entwürfe", "/x/.Entw&APw-rfe"),
        ];
        for (name, path) in cases {
            let found = directory(Path::new("/x"), name);
            assert_eq!(found.as_deref(), Some(Path::new(path)), "{name}");
        }
        let long = "ü".repeat(120);
        let found = directory(Path::new("/x"), &long).expect("short enough in UTF-8");
        assert_eq!(found, Path::new("/x").join(format!(".{long}")));
        assert_eq!(directory(Path::new("/x"), &"x".repeat(255)), None);
    }
}
