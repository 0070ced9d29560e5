//! `ringpost import maildir|mbox`: mail of another server into an account.

use super::exit::Failure;
use super::{Named, print, progress};
use crate::control::client;
use crate::control::operation::{Operation, Progress, Teller, World};
use clap::{Args, Subcommand};
use ringpost_migration::import::{Order, Place, Report};
use ringpost_migration::mailboxes::Naming;
use ringpost_migration::mbox::Dialect;
use ringpost_migration::source::Format;
use ringpost_migration::{Error, Told, import};
use serde_json::Value;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often progress is told, at most.
const EVERY: Duration = Duration::from_millis(100);

/// Import mail with flags, keywords, dates and folders.
///
/// Works while the server runs and while it does not. It may be ended and begun again at any time: what was imported is
/// remembered, so the same command goes on, and a later run brings what has come since. A mail counts as the same by the
/// place of its folder and its name (mbox: by the place of its file and its octets); a source that was moved is another one.
/// Mails that cannot be read are named on standard error, the others are imported, and the exit code is 1.
/// A running server reads the files itself: its user must be allowed to.
#[derive(Subcommand)]
pub enum Import {
    /// Import a Maildir: Maildir++ (.Sent, .Lists.rust) or directories in directories
    ///
    /// Keywords come from dovecot-keywords, the order from dovecot-uidlist or courierimapuiddb, subscriptions from
    /// subscriptions, dates from the files' times. Symbolic links are not followed, and are named.
    Maildir(One),
    /// Import a file of mbox, or all in a directory and the directories in it (mutt, Thunderbird, Apple Mail)
    ///
    /// A single file goes into a mailbox of its name; mbox, inbox and the account's own name are INBOX. Flags come from
    /// Status, X-Status, X-Keywords and X-Mozilla-Status, dates from the From_ lines; these fields, the From_ lines and
    /// their quoting are taken off again, everything else stays as it is.
    Mbox {
        /// How From_ lines in mails are quoted: guess, mboxrd, mboxo, mboxcl2
        #[arg(long, default_value = "guess", value_parser = dialect)]
        dialect: Dialect,
        #[command(flatten)]
        one: One,
    },
}

/// What both formats take.
#[derive(Args)]
pub struct One {
    /// The Maildir, the mbox file or the directory of files
    #[arg(value_name = "PATH")]
    source: PathBuf,
    /// The account to import into
    #[arg(long, value_name = "NAME@DOMAIN")]
    account: String,
    /// Put everything below this mailbox; INBOX itself goes into it
    #[arg(long, value_name = "MAILBOX")]
    into: Option<String>,
    /// Keep names such as Spam or Sent Items, in place of the account's mailboxes for these uses
    #[arg(long)]
    keep_names: bool,
    /// Import also what was imported before
    #[arg(long)]
    again: bool,
    /// Only tell what would be imported
    #[arg(long)]
    dry_run: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    named: Named,
}

fn dialect(name: &str) -> Result<Dialect, String> {
    let known = Dialect::ALL.map(|(_, name)| name).join(", ");
    Dialect::named(name).ok_or_else(|| format!("one of {known}"))
}

impl Import {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        match self {
            Import::Maildir(one) => one.run(Format::Maildir),
            Import::Mbox { dialect, one } => one.run(Format::Mbox(dialect)),
        }
    }
}

impl One {
    fn run(self, format: Format) -> Result<(), Failure> {
        let config = self.named.open()?;
        let order = Order {
            account: self.account,
            source: absolute(&self.source)?,
            format,
            naming: Naming {
                into: self.into,
                keep: self.keep_names,
            },
            again: self.again,
            dry_run: self.dry_run,
        };
        let mut bar = progress::Bar::new(self.json);
        let report = client::operate(&config, Operation::Import(order), &mut |told| {
            bar.tell(told)
        });
        bar.end();
        let report = report?;
        if self.json {
            print(&super::json(&report));
        }
        let report: Report = serde_json::from_value(report).map_err(Failure::unreachable)?;
        if !self.json {
            print(&text(&report));
        }
        match report.troubles {
            0 => Ok(()),
            1 => Err(Failure::not_well(
                "one thing could not be imported; it is named above",
            )),
            many => Err(Failure::not_well(format!(
                "{many} things could not be imported; they are named above"
            ))),
        }
    }
}

fn text(report: &Report) -> String {
    let names = report
        .folders
        .iter()
        .map(|folder| folder.mailbox.chars().count());
    let wide = names.max().unwrap_or(0);
    let verb = if report.dry_run {
        "to import"
    } else {
        "imported"
    };
    let mut text = String::new();
    for folder in &report.folders {
        let mut line = format!(
            "{:wide$}  {:>8} mails {verb}, {:>12} octets",
            folder.mailbox, folder.imported, folder.octets
        );
        for (count, what) in [
            (folder.known, "imported before"),
            (folder.gone, "thrown away"),
            (folder.failed, "failed"),
        ] {
            if count > 0 {
                line += &format!(", {count} {what}");
            }
        }
        text += &format!("{line}  {}\n", folder.source);
    }
    let mails: u64 = report.folders.iter().map(|folder| folder.imported).sum();
    text + &format!("{}: {mails} mails {verb}\n", report.account)
}

/// Imports into `world`'s store.
pub fn perform(world: &World, order: &Order, tell: Teller<'_>) -> Result<Value, Failure> {
    let place = Place {
        store: &*world.store,
        data: &world.config.data_dir,
        limits: &world.config.limits,
        compress: world.config.compress,
    };
    let report = import::run(&place, order, &mut passing(tell))?;
    serde_json::to_value(report).map_err(Failure::unreachable)
}

/// Passes on what a migration tells: every trouble, and progress now and then.
pub fn passing(tell: Teller<'_>) -> impl FnMut(Told) -> ControlFlow<()> {
    let mut last: Option<Instant> = None;
    move |told| match told {
        Told::Trouble(trouble) => tell(Progress::note(trouble.to_string())),
        Told::Progress { done, total, unit } => {
            let due = last.is_none_or(|last| last.elapsed() >= EVERY) || done == total;
            if !due {
                return ControlFlow::Continue(());
            }
            last = Some(Instant::now());
            tell(Progress::of(done, total, unit))
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error.into(),
            Error::Log(_) => Failure::unreachable(error),
            Error::Asked(_) | Error::Io(..) | Error::Ended => Failure::not_well(error),
        }
    }
}

/// As [`std::path::absolute`], for the other process that will open it.
pub fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(Failure::usage)
}
