//! `ringpost rebuild`: the index made anew from the logs.

use super::exit::Failure;
use super::{Named, print, progress};
use crate::control::client;
use crate::control::operation::Progress;
use clap::Args;
use ringpost_lmdb::OpenError;
use ringpost_lmdb::rebuild::{self, OldIndex, Rebuilt};
use std::fmt::Write as _;

/// Make the index anew from the logs
///
/// Makes it from the logs, which hold every mail as it was delivered, for when the index is lost or damaged. The
/// server must not run. Accounts, passwords, aliases and mailboxes are taken over from the old index as far as it can be
/// read; accounts that nobody knows the name of are made as recovered-ID@DOMAIN and may not log in until they are given a
/// password. Lost are flags set after delivery, moves, copies and expunges: mail is where it was delivered, unread, and mail
/// that was expunged lately comes back. Mail of a mailbox that is gone is put into mailbox Recovered. The old index stays
/// beside the new one as index.before-rebuild-N; a backup, where there is one, keeps more: see ringpost restore.
#[derive(Args)]
pub struct Rebuild {
    /// Do not look into the old index: where reading it ends the command
    #[arg(long)]
    ignore_old_index: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    named: Named,
}

impl Rebuild {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        let config = self.named.open()?;
        let domain = config.domains.first().map(|domain| domain.name.to_string());
        let domain = domain.ok_or_else(|| Failure::not_well("the configuration has no domain"))?;
        let old_index = match self.ignore_old_index {
            true => OldIndex::Ignore,
            false => OldIndex::Read,
        };
        if !config.data_dir.is_dir() {
            return Err(Failure::unreachable(format!(
                "data_dir {} is not there",
                config.data_dir.display()
            )));
        }
        let mut bar = progress::Bar::new(self.json);
        let rebuilt = rebuild::rebuild(
            &config.data_dir,
            &domain,
            old_index,
            &client::options(&config),
            &mut |done, total| bar.tell(Progress::octets(done, total)),
        );
        bar.end();
        let rebuilt = rebuilt.map_err(|error| match error {
            OpenError::Damaged { .. } | OpenError::Newer { .. } => Failure::not_well(error),
            error => Failure::unreachable(error),
        })?;
        if self.json {
            print(&super::json(&rebuilt));
            return Ok(());
        }
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = tell(&rebuilt, &mut text);
        print(&text);
        Ok(())
    }
}

fn tell(rebuilt: &Rebuilt, text: &mut String) -> std::fmt::Result {
    for account in &rebuilt.accounts {
        let made = match account.made {
            true => {
                "; made, nobody knows its name or password: ringpost account passwd lets it log in"
            }
            false => "",
        };
        writeln!(
            text,
            "{}: {} messages as they were delivered; later flags, moves, copies and expunges are lost{made}",
            account.name, account.messages
        )?;
    }
    for why in &rebuilt.unread {
        writeln!(text, "not taken over: {why}")?;
    }
    for damage in &rebuilt.damages {
        writeln!(
            text,
            "damaged: {damage}; mails in it are lost unless a backup has them"
        )?;
    }
    if rebuilt.more_damages > 0 {
        writeln!(text, "and {} more", rebuilt.more_damages)?;
    }
    writeln!(
        text,
        "{} mails in {} messages; {} left out, of accounts that were removed; expunged mail whose space was not given back yet is among them",
        rebuilt.mails, rebuilt.messages, rebuilt.dropped
    )?;
    if rebuilt.items > 0 {
        writeln!(text, "{} items of the queue came back", rebuilt.items)?;
    }
    if rebuilt.held > 0 {
        writeln!(
            text,
            "{} of them are held, for nobody knows whether they were sent: look with ringpost queue list --held, then release or drop them",
            rebuilt.held
        )?;
    }
    match &rebuilt.old_index {
        Some(name) => writeln!(
            text,
            "the old index is kept as {name}; remove it when all is well"
        ),
        None => Ok(()),
    }
}
