//! `ringpost verify`: is everything there, and does it hang together.

use super::exit::Failure;
use super::{Named, print, progress};
use crate::control::client;
use crate::control::operation::{Operation, Progress, Teller, World};
use clap::Args;
use ringpost_api::Error;
use ringpost_lmdb::verify::{self, Depth, Report};
use serde_json::Value;

/// Compare everything in the store with everything else, and say what is wrong
///
/// Counts every counter again, looks every row's neighbours up, reads every mail in the logs and compares its checksum.
/// Says what is wrong and what to do about it, and ends with 1 when anything is. It may run while the server does, and
/// changes nothing; without a server it opens the store as the server would.
#[derive(Args)]
pub struct Verify {
    /// Leave the octets of the mails out: tables and files alone
    #[arg(long)]
    quick: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    named: Named,
}

impl Verify {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        let config = self.named.open()?;
        let mut bar = progress::Bar::new(self.json);
        let operation = Operation::Verify { quick: self.quick };
        let told = client::operate(&config, operation, &mut |done| bar.tell(done));
        bar.end();
        let told = told?;
        let report: Report = serde_json::from_value(told.clone()).map_err(Failure::unreachable)?;
        match self.json {
            true => print(&super::json(&told)),
            false => print(&text(&report)),
        }
        match report.findings.len() as u64 + report.more {
            0 => Ok(()),
            1 => Err(Failure::not_well("one thing is wrong")),
            count => Err(Failure::not_well(format!("{count} things are wrong"))),
        }
    }
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        text.push_str(&format!(
            "{}: {}\n    {}\n",
            finding.place, finding.what, finding.remedy
        ));
    }
    if report.more > 0 {
        text.push_str(&format!("and {} more\n", report.more));
    }
    let Report {
        accounts,
        mailboxes,
        messages,
        mails,
        segments,
        octets,
        ..
    } = report;
    text.push_str(&format!(
        "{accounts} accounts, {mailboxes} mailboxes, {messages} messages, {mails} mails, {segments} segments, \
         {octets} octets read\n"
    ));
    text
}

/// Looks at `world`'s store.
pub fn perform(world: &World, quick: bool, tell: Teller<'_>) -> Result<Value, Failure> {
    let depth = match quick {
        true => Depth::Quick,
        false => Depth::Full,
    };
    let mut ended = false;
    let report = verify::verify(&world.store, depth, &mut |done, total| {
        let flow = tell(Progress::octets(done, total));
        ended |= flow.is_break();
        flow
    });
    match report {
        Err(Error::Closed) if ended => Err(Failure::not_well("ended before it was done")),
        report => serde_json::to_value(report?).map_err(Failure::unreachable),
    }
}
