//! `ringpost trace`: what became of one mail or one connection.
//!
//! In:  a trace id, as it stands in a `250`, in a refusal, in a `Received` field or in a line of the log.
//! Out: the session's transcript, where it was refused or failed; the mail, and whose mailboxes have it; its items in the
//! queue.
//!
//! The store has no index by trace: the id tells shard and second, so the mails that came to that shard from that second on
//! are looked at, the nearest first, until one has the id in the `Received` field that we wrote. Bounded by
//! [`LATER_MAX`] and [`READS_MAX`].

use super::exit::Failure;
use super::{Named, print, progress};
use crate::control::client;
use crate::control::operation::{Operation, Progress, Teller, World};
use clap::Args;
use ringpost_api::item::{Fate, Kind, State};
use ringpost_api::{Error, Snapshot, Store as _, read};
use ringpost_log::Reader;
use ringpost_log::file::{Blocking, now};
use ringpost_message::header;
use ringpost_types::{AccountId, BlobId, ItemId, MailboxId, TraceId, Uid};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Write as _;
use std::ops::ControlFlow;

/// How much later than its id a mail may have been complete, in seconds: a large one on a slow line takes hours.
const LATER_MAX: u64 = 86_400;
/// Mails looked at.
const READS_MAX: usize = 200_000;
/// Our own `Received` is within the first octets of a mail.
const HEAD_OCTETS: u64 = 1_024;
/// Mails between two words on how far it is.
const STEP: usize = 1_000;

/// Show what became of one mail or connection
///
/// Every reply to an accepted mail, every refusal, every Received field of ours and every line of the log has a trace id.
/// Of a session that was refused or failed the transcript is shown, as long as it is kept; of a mail, in which mailboxes it
/// is now and what of it waits in the queue. What was only told on standard error is not in the store:
/// "journalctl -u ringpost | grep ID" shows it. Ends with 1 when nothing is known.
#[derive(Args)]
pub struct Trace {
    /// The id, 16 hexadecimal digits
    #[arg(value_name = "ID", value_parser = id)]
    id: TraceId,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    named: Named,
}

fn id(text: &str) -> Result<TraceId, String> {
    TraceId::parse(text)
        .ok_or_else(|| "expected 16 hexadecimal digits such as 00006b05136e0007".to_owned())
}

/// All that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub trace: String,
    /// When it was given, in seconds since 1970 UTC.
    pub given: u64,
    pub shard: u16,
    pub session: Option<Session>,
    pub mail: Option<Mail>,
    pub queue: Vec<Queued>,
    /// Whether every mail was looked at that it could be.
    pub complete: bool,
}

/// A session that was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// In seconds since 1970 UTC.
    pub ended: u64,
    pub transcript: String,
}

/// A mail in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    pub blob: String,
    pub octets: u64,
    /// In seconds since 1970 UTC.
    pub accepted: u64,
    pub copies: Vec<Copy>,
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    pub account: String,
    pub mailbox: String,
    pub uid: u32,
}

/// An item of the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    pub item: u64,
    pub kind: String,
    pub state: String,
    /// In milliseconds since 1970 UTC.
    pub due: u64,
    pub recipients: Vec<To>,
}

/// One recipient of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct To {
    pub address: String,
    pub fate: String,
    pub reply: String,
}

impl Trace {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        let config = self.named.open()?;
        let mut bar = progress::Bar::new(self.json);
        let operation = Operation::Trace { id: self.id.0 };
        let told = client::operate(&config, operation, &mut |done| bar.tell(done));
        bar.end();
        let told = told?;
        let report: Report = serde_json::from_value(told.clone()).map_err(Failure::unreachable)?;
        match self.json {
            true => print(&super::json(&told)),
            false => print(&text(&report)),
        }
        match report.is_known() {
            true => Ok(()),
            false => Err(Failure::not_well(format!(
                "nothing is stored of {}; \"journalctl -u ringpost | grep {}\" may have lines of it",
                report.trace, report.trace
            ))),
        }
    }
}

impl Report {
    fn is_known(&self) -> bool {
        self.session.is_some() || self.mail.is_some() || !self.queue.is_empty()
    }
}

/// For people.
fn text(report: &Report) -> String {
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = write_text(report, &mut text);
    text
}

fn write_text(report: &Report, out: &mut String) -> std::fmt::Result {
    let Report { trace, shard, .. } = report;
    writeln!(out, "{trace}  given {} on shard {shard}", at(report.given))?;
    if let Some(session) = &report.session {
        writeln!(out, "session, ended {}:", at(session.ended))?;
        for line in session.transcript.lines() {
            writeln!(out, "    {line}")?;
        }
    }
    if let Some(mail) = &report.mail {
        let (octets, accepted) = (mail.octets, at(mail.accepted));
        writeln!(out, "mail of {octets} octets, accepted {accepted}, in:")?;
        for Copy {
            account,
            mailbox,
            uid,
        } in &mail.copies
        {
            writeln!(out, "    {account}  {mailbox}  UID {uid}")?;
        }
    }
    for item in &report.queue {
        let (number, kind, state) = (item.item, &item.kind, &item.state);
        let due = at(item.due / 1_000);
        writeln!(out, "queue item {number}, {kind}, {state}, due {due}:")?;
        for To {
            address,
            fate,
            reply,
        } in &item.recipients
        {
            writeln!(out, "    {address}  {fate}  {reply}")?;
        }
    }
    if !report.complete {
        writeln!(
            out,
            "more mails came in that time than were looked at: it may be among the others"
        )?;
    }
    Ok(())
}

fn at(unix: u64) -> String {
    let time = i64::try_from(unix).ok().map(jiff::Timestamp::from_second);
    match time {
        Some(Ok(time)) => time.to_string(),
        _ => format!("{unix} s after 1970"),
    }
}

/// Looks everywhere.
pub fn perform(world: &World, id: u64, tell: Teller<'_>) -> Result<Value, Failure> {
    let trace = TraceId(id);
    let session = {
        let snapshot = world.store.snapshot()?;
        let found = read::transcript(&*snapshot, trace)?;
        found.map(|(ended, transcript)| Session { ended, transcript })
    };
    let queue = queue(&*world.store.snapshot()?, trace)?;
    let (candidates, complete) = candidates(world, trace)?;
    let mail = find(world, trace, &candidates, tell)?;
    let report = Report {
        trace: trace.to_string(),
        given: trace.unix(),
        shard: trace.shard(),
        session,
        complete: complete || mail.is_some(),
        mail,
        queue,
    };
    serde_json::to_value(report).map_err(Failure::unreachable)
}

/// A message that may be the mail.
struct Candidate {
    date: u64,
    blob: BlobId,
    account: AccountId,
    mailbox: MailboxId,
    uid: Uid,
}

/// Messages that came to the trace's shard at its time or later, the earliest first; whether these are all.
fn candidates(world: &World, trace: TraceId) -> Result<(Vec<Candidate>, bool), Failure> {
    let dates = trace.unix()..=trace.unix().saturating_add(LATER_MAX);
    let mut found = Vec::new();
    let mut accounts = Vec::new();
    read::accounts(&*world.store.snapshot()?, |id, _| {
        accounts.push(id);
        ControlFlow::Continue(())
    })?;
    for account in accounts {
        // One snapshot for each: none is held for long.
        let snapshot = world.store.snapshot()?;
        let mut mailboxes = Vec::new();
        read::mailboxes(&*snapshot, account, |_, mailbox| {
            mailboxes.extend(mailbox.map(|(id, _)| id));
            ControlFlow::Continue(())
        })?;
        for mailbox in mailboxes {
            read::messages(&*snapshot, account, mailbox, Uid(1), |uid, row| {
                if row.blob.log() == trace.shard() && dates.contains(&row.internal_date) {
                    found.push(Candidate {
                        date: row.internal_date,
                        blob: row.blob,
                        account,
                        mailbox,
                        uid,
                    });
                }
                ControlFlow::Continue(())
            })?;
        }
    }
    found.sort_by_key(|candidate| (candidate.date, candidate.blob));
    let complete = found.len() <= READS_MAX;
    found.truncate(READS_MAX);
    Ok((found, complete))
}

/// The mail among them, if it is there, with all its copies.
fn find(
    world: &World,
    trace: TraceId,
    candidates: &[Candidate],
    tell: Teller<'_>,
) -> Result<Option<Mail>, Failure> {
    let reader = Reader::new(Blocking, &world.config.data_dir);
    let mark = format!("\tid {trace}");
    let mut head = Vec::new();
    for (at, candidate) in candidates.iter().enumerate() {
        if at % STEP == 0
            && tell(Progress::of(at as u64, candidates.len() as u64, "mails")).is_break()
        {
            return Err(Failure::not_well("ended before it was done"));
        }
        let Some(row) = read::blob(&*world.store.snapshot()?, candidate.blob)? else {
            continue;
        };
        // A mail that moves just now is one of another time.
        let Ok(octets) = now(reader.read(&row, 0..HEAD_OCTETS, head)) else {
            head = Vec::new();
            continue;
        };
        head = octets;
        if !holds(&head, mark.as_bytes()) {
            continue;
        }
        let copies = candidates[at..].iter();
        let copies = copies
            .take_while(|other| other.blob == candidate.blob)
            .map(|copy| place(&*world.store.snapshot()?, copy));
        return Ok(Some(Mail {
            blob: candidate.blob.to_string(),
            octets: row.octets,
            accepted: candidate.date,
            copies: copies.collect::<Result<_, _>>()?,
        }));
    }
    Ok(None)
}

/// Whether the first Received field of a mail, our own, has the mark. What a rule said stands above it.
fn holds(head: &[u8], mark: &[u8]) -> bool {
    let received = header::fields(head).find(|field| field.name.eq_ignore_ascii_case(b"received"));
    received.is_some_and(|field| {
        let mut places = field.value.windows(mark.len());
        places.any(|octets| octets == mark)
    })
}

fn place(snapshot: &dyn Snapshot, copy: &Candidate) -> Result<Copy, Error> {
    let account = read::account(snapshot, copy.account)?;
    let mut mailbox = String::new();
    read::mailboxes(snapshot, copy.account, |name, found| {
        match found.is_some_and(|(id, _)| id == copy.mailbox) {
            true => {
                name.clone_into(&mut mailbox);
                ControlFlow::Break(())
            }
            false => ControlFlow::Continue(()),
        }
    })?;
    Ok(Copy {
        account: account.map_or_else(String::new, |row| row.name.to_owned()),
        mailbox,
        uid: copy.uid.0,
    })
}

fn queue(snapshot: &dyn Snapshot, trace: TraceId) -> Result<Vec<Queued>, Error> {
    let mut found = Vec::new();
    read::items(snapshot, ItemId(1), |id, row| {
        if row.head.trace == trace {
            let recipients = row.recipients().map(|to| To {
                address: to.address.to_owned(),
                fate: fate(to.fate).to_owned(),
                reply: to.reply.to_owned(),
            });
            let kind = match row.head.kind {
                Kind::Mail => "mail",
                Kind::Notice => "notice to the sender",
            };
            let state = match row.head.state {
                State::Queued => "queued",
                State::Deferred => "deferred",
                State::Held => "held",
            };
            found.push(Queued {
                item: id.0,
                kind: kind.to_owned(),
                state: state.to_owned(),
                due: row.head.due,
                recipients: recipients.collect(),
            });
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn fate(fate: Fate) -> &'static str {
    match fate {
        Fate::Waiting => "waiting",
        Fate::Relayed => "relayed",
        Fate::Delivered => "delivered",
        Fate::Failed => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_counts_in_our_own_field_alone() {
        let mark = b"\tid 00006b05136e0007";
        let ours =
            b"Received: from x\r\n\tby y\r\n\tid 00006b05136e0007;\r\n\tThu\r\nSubject: x\r\n";
        assert!(holds(ours, mark));
        let theirs =
            b"Received: from x\r\n\tid 00006b05136e0008;\r\nX: y\r\n\tid 00006b05136e0007\r\n";
        assert!(!holds(theirs, mark));
        assert!(!holds(b"", mark));
    }

    #[test]
    fn for_people() {
        let report = Report {
            trace: "00006b05136e0007".to_owned(),
            given: 1_795_471_704,
            shard: 0,
            session: Some(Session {
                ended: 1_795_471_705,
                transcript: "C: EHLO x\nS: 250 y\n".to_owned(),
            }),
            mail: Some(Mail {
                blob: "0000000000000001".to_owned(),
                octets: 300,
                accepted: 1_795_471_704,
                copies: vec![Copy {
                    account: "alice@example.org".to_owned(),
                    mailbox: "INBOX".to_owned(),
                    uid: 7,
                }],
            }),
            queue: Vec::new(),
            complete: true,
        };
        assert_eq!(
            text(&report),
            "00006b05136e0007  given 2026-11-23T22:08:24Z on shard 0\n\
             session, ended 2026-11-23T22:08:25Z:\n    C: EHLO x\n    S: 250 y\n\
             mail of 300 octets, accepted 2026-11-23T22:08:24Z, in:\n    alice@example.org  INBOX  UID 7\n"
        );
    }
}
