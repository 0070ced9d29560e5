//! `ringpost export maildir|mbox`: mail of accounts into files.

use super::exit::Failure;
use super::import::{absolute, passing};
use super::{Named, print, progress};
use crate::control::client;
use crate::control::operation::{Operation, Teller, World};
use clap::{Args, Subcommand};
use ringpost_migration::export::{self, Order, Place, Report};
use ringpost_migration::mbox::Dialect;
use ringpost_migration::source::Format;
use serde_json::Value;
use std::path::PathBuf;

/// Export mail with flags, keywords, dates and folders.
///
/// Works while the server runs and while it does not. Into a directory that an export has written before, only what is new
/// is written, and nothing is ever removed there; so a run that was ended goes on with the same command.
/// A running server writes the files itself: its user must be allowed to.
#[derive(Subcommand)]
pub enum Export {
    /// Write Maildirs (Maildir++), as Dovecot and Courier read them
    ///
    /// A mail that is there already gets the flags it has now. Keywords are written to dovecot-keywords, 26 of a mailbox at
    /// most; UIDs and UIDVALIDITY to dovecot-uidlist; subscriptions to subscriptions.
    Maildir(One),
    /// Write one mbox file (mboxrd) for each mailbox: Sent.mbox, Lists/rust.mbox
    ///
    /// Flags are in X-Keywords, X-Status and Status, dates in the From_ lines. Later runs append; flags of mails that
    /// are there stay as they were. Importing such a file gives back the same mails, octet for octet.
    Mbox(One),
}

/// What both formats take.
#[derive(Args)]
pub struct One {
    /// The directory to write to; made if it is not there
    #[arg(value_name = "DIR")]
    target: PathBuf,
    /// One account, into DIR itself; without this, all accounts, each into DIR/NAME@DOMAIN
    #[arg(long, value_name = "NAME@DOMAIN")]
    account: Option<String>,
    /// One mailbox; without this, all
    #[arg(long, value_name = "MAILBOX")]
    mailbox: Option<String>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    named: Named,
}

impl Export {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        match self {
            Export::Maildir(one) => one.run(Format::Maildir),
            Export::Mbox(one) => one.run(Format::Mbox(Dialect::Mboxrd)),
        }
    }
}

impl One {
    fn run(self, format: Format) -> Result<(), Failure> {
        let config = self.named.open()?;
        let order = Order {
            account: self.account,
            mailbox: self.mailbox,
            format,
            target: absolute(&self.target)?,
        };
        let mut bar = progress::Bar::new(self.json);
        let report = client::operate(&config, Operation::Export(order), &mut |told| {
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
                "one thing could not be exported; it is named above",
            )),
            many => Err(Failure::not_well(format!(
                "{many} things could not be exported; they are named above"
            ))),
        }
    }
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for mailbox in &report.mailboxes {
        let mut line = format!("{:>8} mails exported", mailbox.exported);
        for (count, what) in [
            (mailbox.known, "there already"),
            (mailbox.updated, "of them with other flags now"),
            (mailbox.failed, "failed"),
        ] {
            if count > 0 {
                line += &format!(", {count} {what}");
            }
        }
        text += &format!(
            "{} {}: {line}  {}\n",
            mailbox.account, mailbox.mailbox, mailbox.target
        );
    }
    let mails: u64 = report
        .mailboxes
        .iter()
        .map(|mailbox| mailbox.exported)
        .sum();
    text + &format!("{mails} mails exported\n")
}

/// Exports from `world`'s store.
pub fn perform(world: &World, order: &Order, tell: Teller<'_>) -> Result<Value, Failure> {
    let place = Place {
        store: &*world.store,
        data: &world.config.data_dir,
    };
    let report = export::run(&place, order, &mut passing(tell))?;
    serde_json::to_value(report).map_err(Failure::unreachable)
}
