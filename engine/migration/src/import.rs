//! Mail of another server into an account.
//!
//! In:  an [`Order`]. Out: a [`Report`]; what could not be read is told on the way, and the run goes on.
//!
//! ```text
//! reader thread: folder -> mailbox; mail -> CRLF, digest -> batch ---.   one batch waits at most
//! this thread:   journal, log, index <-------------------------------'
//! ```
//! Invariants: a mail that was imported is not imported again, whatever ended the run before: [`crate::journal`].
//! Three batches are held at most, each [`BATCH_OCTETS`] and a mail long.

use crate::error::Error;
use crate::journal::KEYS_MAX;
use crate::mailboxes::{self, Mailboxes, Naming};
use crate::operations::{self, Mail, Writer};
use crate::source::{self, Folder, Format, Item, Source, Terms};
use crate::{Tell, Told, Trouble};
use ringpost_api::Store;
use ringpost_message::{Digest, Scanner, date};
use ringpost_types::limit::Limits;
use ringpost_types::{AccountId, MailboxId};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::mem;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Octets of a batch; a larger mail is a batch of its own.
const BATCH_OCTETS: usize = 8 * 1024 * 1024;
/// How often it is asked whether to go on, while nothing comes.
const LOOK: Duration = Duration::from_millis(100);

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The account's address.
    pub account: String,
    /// Where the mail is.
    pub source: PathBuf,
    /// How it is kept there.
    pub format: Format,
    /// Names of mailboxes.
    pub naming: Naming,
    /// Whether mails that were imported before are imported once more.
    pub again: bool,
    /// Only tell what would be done.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The account's address.
    pub account: String,
    /// Each folder, in the order of the source.
    pub folders: Vec<FolderReport>,
    /// Mails and folders that could not be read.
    pub troubles: u64,
    /// Nothing was changed.
    pub dry_run: bool,
}

/// What came of one folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderReport {
    /// Its directory or file.
    pub source: String,
    /// The mailbox it went into.
    pub mailbox: String,
    /// Mails that were imported; in a dry run, that would be.
    pub imported: u64,
    /// Their octets.
    pub octets: u64,
    /// Mails that were imported before.
    pub known: u64,
    /// Mails that their program had thrown away.
    pub gone: u64,
    /// Mails that could not be read.
    pub failed: u64,
}

/// Where mail goes.
pub struct Place<'p> {
    /// The store, which nobody else imports into meanwhile.
    pub store: &'p dyn Store,
    /// Its data directory.
    pub data: &'p Path,
    /// What mails are bound by.
    pub limits: &'p Limits,
    /// Whether mails are stored packed.
    pub compress: bool,
}

/// Imports.
pub fn run(place: &Place<'_>, order: &Order, tell: Tell<'_>) -> Result<Report, Error> {
    let account = mailboxes::account(place.store, &order.account)?;
    if let Some(into) = &order.naming.into {
        ringpost_api::name::check(into, place.limits)
            .map_err(|why| Error::Asked(format!("no mailbox can be called {into:?}: {why}")))?;
    }
    let mut troubles = Vec::new();
    let owner = order.account.split('@').next().unwrap_or_default();
    let source = Source::open(&order.source, order.format, owner, &mut troubles)?;
    let writer = match order.dry_run {
        true => None,
        false => Some(Writer::open(place, account)?),
    };
    let mut run = Run {
        account,
        writer,
        report: Report {
            account: order.account.clone(),
            dry_run: order.dry_run,
            ..Report::default()
        },
        done: 0,
        total: source.total(),
        unit: order.format.unit(),
        tell,
    };
    for trouble in troubles {
        run.trouble(trouble)?;
    }
    run.whole(place, order, &source)?;
    Ok(run.report)
}

/// From the reader.
enum Step {
    /// A folder begins.
    Folder(FolderReport),
    /// Mails of the folder that began last, and how far in the whole source they end.
    Batch(Batch),
    Trouble(Trouble),
    /// All has been read, or the store failed.
    End(Result<(), Error>),
}

#[derive(Default)]
struct Batch {
    mails: Vec<Mail>,
    octets: usize,
    /// Mails and octets of a dry run, and what else was counted.
    counts: FolderReport,
    at: u64,
}

struct Run<'r> {
    account: AccountId,
    writer: Option<Writer<'r>>,
    report: Report,
    done: u64,
    total: u64,
    unit: &'static str,
    tell: Tell<'r>,
}

impl Run<'_> {
    fn whole(&mut self, place: &Place<'_>, order: &Order, source: &Source) -> Result<(), Error> {
        let done = match &mut self.writer {
            _ if order.again => HashSet::new(),
            Some(writer) => writer.take_done(),
            None => operations::done(place.store, place.data, self.account)?,
        };
        let wanted = AtomicBool::new(true);
        let (steps, come) = mpsc::sync_channel(1);
        let reader = Reader {
            mailboxes: Mailboxes::new(place.store, self.account, &order.naming, place.limits),
            source,
            limits: place.limits,
            done,
            dry_run: order.dry_run,
            wanted: &wanted,
            steps,
        };
        std::thread::scope(|scope| {
            scope.spawn(move || reader.run());
            let taken = self.take(&come);
            // A reader that waits with a step finds nobody there any more.
            wanted.store(false, Ordering::Relaxed);
            drop(come);
            taken
        })?;
        match self.writer.take() {
            Some(writer) => {
                let (done, total, unit) = (self.done, self.total, self.unit);
                writer.finish(|| (self.tell)(Told::Progress { done, total, unit }))
            }
            None => Ok(()),
        }
    }

    fn take(&mut self, come: &mpsc::Receiver<Step>) -> Result<(), Error> {
        loop {
            match come.recv_timeout(LOOK) {
                Ok(Step::Folder(folder)) => self.report.folders.push(folder),
                Ok(Step::Batch(batch)) => self.batch(batch)?,
                Ok(Step::Trouble(trouble)) => self.trouble(trouble)?,
                Ok(Step::End(ended)) => return ended,
                Err(RecvTimeoutError::Timeout) => {}
                // It has panicked, and told so.
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Ended),
            }
            self.progress()?;
        }
    }

    fn batch(&mut self, batch: Batch) -> Result<(), Error> {
        let (done, total, unit) = (self.done, self.total, self.unit);
        if let Some(writer) = self.writer.as_mut().filter(|_| !batch.mails.is_empty()) {
            let tell = &mut self.tell;
            writer.write(batch.mails, || tell(Told::Progress { done, total, unit }))?;
        }
        self.done = batch.at;
        if let Some(folder) = self.report.folders.last_mut() {
            folder.imported += batch.counts.imported;
            folder.octets += batch.counts.octets;
            folder.known += batch.counts.known;
            folder.gone += batch.counts.gone;
            folder.failed += batch.counts.failed;
        }
        Ok(())
    }

    fn trouble(&mut self, trouble: Trouble) -> Result<(), Error> {
        self.report.troubles += 1;
        match (self.tell)(Told::Trouble(trouble)) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Ended),
        }
    }

    fn progress(&mut self) -> Result<(), Error> {
        let (done, total, unit) = (self.done, self.total, self.unit);
        match (self.tell)(Told::Progress { done, total, unit }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Ended),
        }
    }
}

/// Reads the source, on a thread of its own.
struct Reader<'r> {
    mailboxes: Mailboxes<'r>,
    source: &'r Source,
    limits: &'r Limits,
    done: HashSet<u128>,
    dry_run: bool,
    wanted: &'r AtomicBool,
    steps: SyncSender<Step>,
}

impl Reader<'_> {
    fn run(mut self) {
        let ended = self.folders();
        // Nobody may be there to hear it any more.
        let _ = self.steps.send(Step::End(ended));
    }

    fn folders(&mut self) -> Result<(), Error> {
        let source = self.source;
        let mut before = 0;
        for folder in &source.folders {
            match self.folder(folder, before) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Ok(()),
                // A name that can be none, too many mailboxes: that folder alone is left out.
                Err(Error::Store(
                    error @ (ringpost_api::Error::Cannot(_) | ringpost_api::Error::Limit(_)),
                )) => {
                    let trouble = Trouble::new(&folder.path, error);
                    if self.steps.send(Step::Trouble(trouble)).is_err() {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error),
            }
            before += folder.total;
        }
        match self.dry_run {
            true => Ok(()),
            false => self.mailboxes.subscribe(source.subscriptions.as_deref()),
        }
    }

    fn folder(&mut self, folder: &Folder, before: u64) -> Result<ControlFlow<()>, Error> {
        let name = self.mailboxes.name(&folder.levels)?;
        let mailbox = match self.dry_run {
            true => MailboxId(0),
            false => self.mailboxes.open(&name, &folder.levels)?,
        };
        let begun = FolderReport {
            source: folder.path.display().to_string(),
            mailbox: name,
            ..FolderReport::default()
        };
        if self.steps.send(Step::Folder(begun)).is_err() {
            return Ok(ControlFlow::Break(()));
        }
        let terms = Terms {
            done: &self.done,
            octets_max: usize::try_from(self.limits.message_octets_max).unwrap_or(usize::MAX),
        };
        let mut batch = Batch::default();
        let read = self.source.read(folder, terms, &mut |item, at| {
            batch.at = before + at;
            match item {
                Item::Known => batch.counts.known += 1,
                Item::Gone => batch.counts.gone += 1,
                Item::Trouble(trouble) => {
                    batch.counts.failed += 1;
                    if self.steps.send(Step::Trouble(trouble)).is_err() {
                        return ControlFlow::Break(());
                    }
                }
                Item::Mail(mail) => {
                    batch.counts.imported += 1;
                    batch.counts.octets += mail.octets.len() as u64;
                    batch.octets += mail.octets.len();
                    if !self.dry_run {
                        batch.mails.push(prepare(mail, mailbox, self.limits));
                    }
                }
            }
            let counts = &batch.counts;
            let counted = counts.imported + counts.known + counts.gone + counts.failed;
            let full = counted >= KEYS_MAX as u64 || batch.octets >= BATCH_OCTETS;
            if full && self.steps.send(Step::Batch(mem::take(&mut batch))).is_err() {
                return ControlFlow::Break(());
            }
            match self.wanted.load(Ordering::Relaxed) {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        batch.at = before + folder.total;
        match read {
            ControlFlow::Continue(()) if self.steps.send(Step::Batch(batch)).is_ok() => {
                Ok(ControlFlow::Continue(()))
            }
            _ => Ok(ControlFlow::Break(())),
        }
    }
}

/// A mail as the log takes it. One without a date of its coming has that of its Date field, or now.
fn prepare(mail: source::Mail, mailbox: MailboxId, limits: &Limits) -> Mail {
    let digest = Scanner::scan(limits, &mail.octets);
    let date = mail.marks.date.unwrap_or_else(|| {
        let written = Digest::read(&digest)
            .ok()
            .and_then(|digest| date::parse(digest.envelope().date?));
        match written {
            Some(moment) => u64::try_from(moment.unix).unwrap_or(0),
            None => now(),
        }
    });
    Mail {
        key: mail.key,
        mailbox,
        flags: mail.marks.flags,
        keywords: mail.marks.keywords,
        date,
        digest,
        octets: mail.octets,
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
