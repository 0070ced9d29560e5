//! Mail of accounts into Maildirs, or files of mbox.
//!
//! In:  an [`Order`]. Out: a [`Report`]; the mail in files, with flags, keywords and dates.
//!
//! ```text
//! snapshot: a page of rows -> closed -> each mail: octets out of the log, file -> next page
//! ```
//! Into a directory that an export has written before, only what is new is written; what happened to it meanwhile is not
//! lost: nothing is ever removed.
//!
//! Invariants: a snapshot lives for one page, and no file is written meanwhile; one mail is held at a time. Names on disk are
//! made by [`crate::name`]: no mailbox's name leads out of the directory.
//!
//! Reading order: here what both formats share; `to_maildir`, `to_mbox`.

mod to_maildir;
mod to_mbox;

use crate::error::Error;
use crate::marks::Marks;
use crate::source::Format;
use crate::{Tell, Told, Trouble, mailboxes, name};
use ringpost_api::table::{BlobRow, MessageRow, flag};
use ringpost_api::{Store, read};
use ringpost_log::{Blocking, LogError, Reader, file};
use ringpost_types::{AccountId, BlobId, MailboxId, Uid};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Rows of one page.
const PAGE_ROWS: usize = 500;
/// A mail may move to another place in the logs between the look at its row and that at its octets, so often.
const TRIES: usize = 3;

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// One account's address; without, all accounts, each below a directory of its name.
    pub account: Option<String>,
    /// One mailbox; without, all.
    pub mailbox: Option<String>,
    /// How it is to be written.
    pub format: Format,
    /// Where to. Made if it is not there.
    pub target: PathBuf,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Each mailbox, by account and name.
    pub mailboxes: Vec<MailboxReport>,
    /// What could not be written.
    pub troubles: u64,
}

/// What came of one mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxReport {
    /// Whose.
    pub account: String,
    /// Which.
    pub mailbox: String,
    /// Its directory or file.
    pub target: String,
    /// Mails that were written.
    pub exported: u64,
    /// Their octets, as the store counts them.
    pub octets: u64,
    /// Mails that were there already.
    pub known: u64,
    /// Of those, mails whose flags were brought up to date.
    pub updated: u64,
    /// Mails that could not be written.
    pub failed: u64,
}

/// Where mail comes from.
pub struct Place<'p> {
    /// The store.
    pub store: &'p dyn Store,
    /// Its data directory.
    pub data: &'p Path,
}

/// A mailbox as it was when its export began.
#[derive(Clone, Debug)]
struct Mailbox {
    account: AccountId,
    id: MailboxId,
    name: String,
    uidvalidity: u32,
    uidnext: Uid,
    /// In the order of the bits of a message row.
    keywords: Vec<String>,
    messages: u64,
    subscribed: bool,
}

/// A message's row, and what stands in front of the shared mail.
struct Row {
    uid: Uid,
    blob: BlobId,
    place: BlobRow,
    marks: Marks,
    prefix: Vec<u8>,
}

/// Exports.
pub fn run(place: &Place<'_>, order: &Order, tell: Tell<'_>) -> Result<Report, Error> {
    let accounts = accounts(place.store, order)?;
    let mut listed = Vec::new();
    for (account, directory) in accounts {
        let mailboxes = list(place.store, account.0, order)?;
        listed.push((account, directory, mailboxes));
    }
    let all = listed.iter().flat_map(|(_, _, mailboxes)| mailboxes);
    let total = all.map(|mailbox| mailbox.messages).sum();
    if let (Some(wanted), 0) = (
        &order.mailbox,
        listed.iter().map(|(_, _, m)| m.len()).sum::<usize>(),
    ) {
        return Err(Error::Asked(format!("there is no mailbox {wanted}")));
    }
    let mut run = Run {
        place,
        reader: Reader::new(Blocking, place.data),
        report: Report::default(),
        done: 0,
        total,
        tell,
    };
    for ((_, name), directory, mailboxes) in &listed {
        make(directory)?;
        for mailbox in mailboxes {
            let begun = MailboxReport {
                account: name.clone(),
                mailbox: mailbox.name.clone(),
                ..MailboxReport::default()
            };
            run.report.mailboxes.push(begun);
            match order.format {
                Format::Maildir => to_maildir::mailbox(&mut run, directory, mailbox)?,
                Format::Mbox(_) => to_mbox::mailbox(&mut run, directory, mailbox)?,
            }
        }
        if order.format == Format::Maildir && order.mailbox.is_none() {
            to_maildir::subscriptions(directory, mailboxes)?;
        }
        sync(directory)?;
    }
    Ok(run.report)
}

/// The accounts that are wanted, each with its directory.
#[allow(clippy::type_complexity)] // A pair of pairs, taken apart at once.
fn accounts(
    store: &dyn Store,
    order: &Order,
) -> Result<Vec<((AccountId, String), PathBuf)>, Error> {
    if let Some(wanted) = &order.account {
        let id = mailboxes::account(store, wanted)?;
        return Ok(vec![((id, wanted.clone()), order.target.clone())]);
    }
    let mut accounts = Vec::new();
    read::accounts(&*store.snapshot()?, |id, row| {
        accounts.push((id, row.name.to_owned()));
        ControlFlow::Continue(())
    })?;
    let named = accounts.into_iter().map(|(id, name)| {
        let directory = order.target.join(name::escape(&name, ""));
        ((id, name), directory)
    });
    Ok(named.collect())
}

/// The mailboxes that are wanted, by name.
fn list(store: &dyn Store, account: AccountId, order: &Order) -> Result<Vec<Mailbox>, Error> {
    let wanted = order.mailbox.as_deref().map(ringpost_api::name::canonical);
    let mut mailboxes = Vec::new();
    read::mailboxes(&*store.snapshot()?, account, |name, found| {
        if let Some((id, row)) = found
            && wanted.as_deref().is_none_or(|wanted| wanted == name)
        {
            mailboxes.push(Mailbox {
                account,
                id,
                name: name.to_owned(),
                uidvalidity: row.uidvalidity,
                uidnext: row.uidnext,
                keywords: row.keywords().map(str::to_owned).collect(),
                messages: row.messages.into(),
                subscribed: row.special & ringpost_api::table::special::SUBSCRIBED != 0,
            });
        }
        ControlFlow::Continue(())
    })?;
    Ok(mailboxes)
}

struct Run<'r> {
    place: &'r Place<'r>,
    reader: Reader<Blocking>,
    report: Report,
    done: u64,
    total: u64,
    tell: Tell<'r>,
}

impl Run<'_> {
    /// The report of the mailbox that is under way.
    fn mailbox(&mut self) -> &mut MailboxReport {
        self.report
            .mailboxes
            .last_mut()
            .expect("each mailbox begins with its report")
    }

    /// The messages from `from` on, one page of them.
    fn page(&self, mailbox: &Mailbox, from: Uid) -> Result<Vec<Row>, Error> {
        let snapshot = self.place.store.snapshot()?;
        let mut found = Vec::with_capacity(PAGE_ROWS);
        read::messages(&*snapshot, mailbox.account, mailbox.id, from, |uid, row| {
            found.push((uid, row));
            match found.len() < PAGE_ROWS {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        let mut page = Vec::with_capacity(found.len());
        for (uid, row) in found {
            let prefix = match row.prefix_octets {
                0 => Vec::new(),
                _ => read::prefix(&*snapshot, mailbox.account, mailbox.id, uid)?.to_vec(),
            };
            let damaged = || ringpost_api::Error::Damaged(format!("blob {} has no row", row.blob));
            page.push(Row {
                uid,
                blob: row.blob,
                place: read::blob(&*snapshot, row.blob)?.ok_or_else(damaged)?,
                marks: marks(&row, &mailbox.keywords),
                prefix,
            });
        }
        Ok(page)
    }

    /// A message's octets, as a client would get them; `None`: it was expunged meanwhile.
    fn mail(&self, row: Row) -> Result<Option<(Marks, Vec<u8>)>, Error> {
        let mut place = row.place;
        let mut tries = 0;
        let shared = loop {
            let failed = match file::now(self.reader.whole(&place)) {
                Ok(shared) => break shared,
                Err(error) => error,
            };
            tries += 1;
            match read::blob(&*self.place.store.snapshot()?, row.blob)? {
                None => return Ok(None),
                Some(now) if tries < TRIES && now != place => place = now,
                Some(_) => return Err(failed.into()),
            }
        };
        let mut mail = row.prefix;
        match mail.is_empty() {
            true => mail = shared,
            false => mail.extend_from_slice(&shared),
        }
        Ok(Some((row.marks, mail)))
    }

    /// Counts one message, however it went; a failure of its own is told, one of the disk or the store ends the run.
    fn count(&mut self, uid: Uid, done: Result<Done, Error>) -> Result<(), Error> {
        self.done += 1;
        let report = self.mailbox();
        match done {
            Ok(Done::Written(octets)) => {
                report.exported += 1;
                report.octets += octets;
            }
            Ok(Done::Known) => report.known += 1,
            Ok(Done::Updated) => {
                report.known += 1;
                report.updated += 1;
            }
            Ok(Done::Gone) => {}
            Err(Error::Log(error @ (LogError::Damaged | LogError::Moved | LogError::Io(_)))) => {
                report.failed += 1;
                let path = format!("{}/{}, UID {uid}", report.account, report.mailbox);
                let reason = error.to_string();
                self.trouble(Trouble { path, reason })?;
            }
            Err(error) => return Err(error),
        }
        let (done, total) = (self.done, self.total.max(self.done));
        let unit = "mails";
        match (self.tell)(Told::Progress { done, total, unit }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Ended),
        }
    }

    fn trouble(&mut self, trouble: Trouble) -> Result<(), Error> {
        self.report.troubles += 1;
        match (self.tell)(Told::Trouble(trouble)) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Ended),
        }
    }

    /// A mailbox whose name no file can have.
    fn unnamed(&mut self) -> Result<(), Error> {
        let report = self.mailbox();
        let path = format!("{}/{}", report.account, report.mailbox);
        let reason = "its name is too long for a file".to_owned();
        self.trouble(Trouble { path, reason })
    }
}

/// What became of one message.
enum Done {
    Written(u64),
    Known,
    Updated,
    Gone,
}

fn marks(row: &MessageRow, keywords: &[String]) -> Marks {
    let set = keywords.iter().enumerate().take(64);
    let set = set.filter(|(bit, _)| row.keywords & 1 << bit != 0);
    Marks {
        flags: row.flags & flag::ALL,
        keywords: set.map(|(_, keyword)| keyword.clone()).collect(),
        date: Some(row.internal_date),
    }
}

/// Makes a directory for its owner alone, and the ones above it.
fn make(directory: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(Error::at(directory))
}

/// Makes all that was written below `directory` durable.
fn sync(directory: &Path) -> Result<(), Error> {
    let synced = fs::File::open(directory)
        .and_then(|directory| rustix::fs::syncfs(directory).map_err(io::Error::from));
    synced.map_err(Error::at(directory))
}

/// Makes a new file, in place of what a killed run has left there; never through a symbolic link.
fn create(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

/// Replaces a small file as a whole.
fn replace(path: &Path, octets: &[u8]) -> Result<(), Error> {
    use std::io::Write;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.new"));
    let written = create(&beside)
        .and_then(|mut file| file.write_all(octets))
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(Error::at(path))
}
