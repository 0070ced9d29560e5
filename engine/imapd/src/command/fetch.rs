//! FETCH and UID FETCH. RFC 3501 §6.4.5.
//!
//! | items | what it costs |
//! |---|---|
//! | FLAGS, UID, INTERNALDATE, RFC822.SIZE, MODSEQ | one walk along the message table |
//! | ENVELOPE, BODY, BODYSTRUCTURE | and a digest for each message |
//! | sections | and reads of the mail, in pieces |
//!
//! Works in rounds: a snapshot, some output, no snapshot, flush. The first two kinds are written straight out of the
//! snapshot ([`rows`]); for sections a round copies what it needs to know of a few messages and reads them after it
//! has closed the snapshot ([`mails`]).

use crate::mail::{self, Mail};
use crate::outcome::{Answer, Done, End, Refusal};
use crate::section::{self, Place, Run};
use crate::session::{OUTPUT_OCTETS, Session};
use crate::structure;
use crate::view::{Access, Progress, named};
use crate::walk::Walk;
use ringpost_api::table::{MessageRow, flag};
use ringpost_api::write::{FlagChange, StoreFlags};
use ringpost_api::{Error, Outcome, Write, read};
use ringpost_imap::command::{Fetch, FetchItem, Numbers, Section};
use ringpost_imap::structure::Form;
use ringpost_imap::write::nstring;
use ringpost_imap::{Code, data};
use ringpost_log::LogError;
use ringpost_message::{Digest, header};
use ringpost_types::Uid;
use std::ops::ControlFlow;

/// Messages whose sections are read after one snapshot.
const MAILS: usize = 32;
/// Octets of a header that fields are chosen from.
const HEADER_OCTETS_MAX: u64 = 1 << 20;
/// Messages of one round, where little is written for each.
const ROWS: u32 = 8_192;

/// FETCH.
pub(super) async fn run(session: &mut Session, fetch: &Fetch<'_>) -> Answer {
    let view = session.selected()?;
    let places = view
        .places(&fetch.set, fetch.numbers)
        .ok_or(Refusal::Bad("There is no message of that number."))?;
    let plan = Plan::of(fetch, view.access);
    let mut walk = Walk::new(places);
    match plan.sections {
        false => rows(session, &plan, &mut walk).await?,
        true => mails(session, &plan, &mut walk).await?,
    }
    // RFC 2180 §4.1.2, RFC 5530 §3. A UID that is not there is no error: RFC 3501 §6.4.8.
    if walk.missing > 0 && fetch.numbers == Numbers::Sequence {
        let text = "Some of the messages are gone.";
        return Err(Refusal::No(Some(Code::ExpungeIssued), text));
    }
    Ok(Done::plain("FETCH completed."))
}

/// What is to be done for each message.
struct Plan<'c> {
    items: &'c [FetchItem<'c>],
    /// UID comes though nobody asked for it. RFC 3501 §6.4.8.
    uid: bool,
    digest: bool,
    sections: bool,
    /// Reading sets `\Seen`.
    sees: bool,
}

impl<'c> Plan<'c> {
    fn of(fetch: &Fetch<'c>, access: Access) -> Self {
        let items = fetch.items;
        let has = |wanted: fn(&FetchItem<'_>) -> bool| items.iter().any(wanted);
        Plan {
            items,
            uid: fetch.numbers == Numbers::Uid && !items.contains(&FetchItem::Uid),
            digest: has(|item| {
                matches!(
                    item,
                    FetchItem::Envelope | FetchItem::Body | FetchItem::BodyStructure
                )
            }),
            sections: has(|item| item.section().is_some()),
            sees: access == Access::ReadWrite
                && has(|item| item.section().is_some_and(|section| !section.peek)),
        }
    }
}

/// Items that need no octet of the mail.
async fn rows(session: &mut Session, plan: &Plan<'_>, walk: &mut Walk) -> Result<(), Refusal> {
    loop {
        let progress = rows_round(session, plan, walk)?;
        if progress == Progress::Done {
            return Ok(());
        }
        session.breathe().await?;
    }
}

fn rows_round(
    session: &mut Session,
    plan: &Plan<'_>,
    walk: &mut Walk,
) -> Result<Progress, Refusal> {
    let Some(view) = session.view.as_deref_mut() else {
        return Ok(Progress::Done);
    };
    let snapshot = session.context.store.snapshot()?;
    let row = read::mailbox(&*snapshot, view.account, view.mailbox)?.ok_or(Refusal::NO_MAILBOX)?;
    let keywords: Vec<&str> = row.keywords().collect();
    let out = session.connection.output();
    view.announce(&keywords, out);
    let view = &*view;
    let (mut count, mut failed) = (0, None);
    let progress = walk.round(view, &*snapshot, |place, uid, row| {
        data::fetch(out, place as u32 + 1);
        let facts = Facts {
            uid,
            flags: view.flags(uid, row),
            row,
            keywords: &keywords,
        };
        if plan.uid {
            data::item_uid(out, uid);
        }
        if plan.digest {
            let octets = read::digest(&*snapshot, row.blob);
            if let Err(error) = described(out, plan, &facts, octets) {
                failed = Some(error);
                return ControlFlow::Break(());
            }
        } else {
            plan.items.iter().for_each(|item| facts.write(out, item));
        }
        data::fetch_end(out);
        count += 1;
        match out.len() < OUTPUT_OCTETS && count < ROWS {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    match failed {
        None => Ok(progress),
        Some(error) => Err(error.into()),
    }
}

/// The items of one message, its digest at hand. On an error the line it has begun is taken back.
fn described(
    out: &mut Vec<u8>,
    plan: &Plan<'_>,
    facts: &Facts<'_>,
    octets: Result<Option<&[u8]>, Error>,
) -> Result<(), Error> {
    let damaged = || Error::Damaged(format!("digest of blob {}", facts.row.blob));
    let digest = octets.and_then(|octets| {
        octets
            .and_then(|octets| Digest::read(octets).ok())
            .ok_or_else(damaged)
    });
    let digest = match digest {
        Ok(digest) => digest,
        Err(error) => {
            let start = memchr::memrchr(b'\n', out).map_or(0, |at| at + 1);
            out.truncate(start);
            return Err(error);
        }
    };
    for item in plan.items {
        facts.write(out, item);
        describe(out, item, &digest);
    }
    Ok(())
}

/// What a row says of a message.
struct Facts<'t> {
    uid: u32,
    flags: u32,
    row: &'t MessageRow,
    keywords: &'t [&'t str],
}

impl Facts<'_> {
    /// Writes an item that the row answers.
    #[inline]
    fn write(&self, out: &mut Vec<u8>, item: &FetchItem<'_>) {
        match item {
            FetchItem::Flags => {
                data::item_flags(out, self.flags, named(self.keywords, self.row.keywords));
            }
            FetchItem::Uid => data::item_uid(out, self.uid),
            FetchItem::InternalDate => data::item_internal_date(out, self.row.internal_date),
            FetchItem::Size => data::item_size(out, self.row.octets.into()),
            FetchItem::ModSeq => data::item_modseq(out, self.row.modseq),
            _ => {}
        }
    }
}

/// Writes an item that the digest answers.
fn describe(out: &mut Vec<u8>, item: &FetchItem<'_>, digest: &Digest<'_>) {
    match item {
        FetchItem::Envelope => {
            data::item(out, "ENVELOPE");
            structure::envelope(out, &digest.envelope());
        }
        FetchItem::Body => {
            data::item(out, "BODY");
            structure::body(out, Form::Body, digest);
        }
        FetchItem::BodyStructure => {
            data::item(out, "BODYSTRUCTURE");
            structure::body(out, Form::BodyStructure, digest);
        }
        _ => {}
    }
}

/// Items that read the mail.
async fn mails(session: &mut Session, plan: &Plan<'_>, walk: &mut Walk) -> Result<(), Refusal> {
    loop {
        let (progress, mut mails, keywords) = mails_round(session, walk)?;
        let seen = match plan.sees {
            true => see(session, &mut mails).await?,
            false => Vec::new(),
        };
        let keywords: Vec<&str> = keywords.iter().map(String::as_str).collect();
        for mail in &mails {
            let flags = seen.binary_search(&Uid(mail.uid)).is_ok();
            answer(session, plan, mail, &keywords, flags).await?;
            session.breathe_if_full().await?;
        }
        if progress == Progress::Done {
            return Ok(());
        }
    }
}

/// A round: how far the walk came, the messages, the mailbox's keywords.
type Round = (Progress, Vec<Mail>, Vec<String>);

fn mails_round(session: &mut Session, walk: &mut Walk) -> Result<Round, Refusal> {
    let Some(view) = session.view.as_deref_mut() else {
        return Ok((Progress::Done, Vec::new(), Vec::new()));
    };
    let snapshot = session.context.store.snapshot()?;
    let row = read::mailbox(&*snapshot, view.account, view.mailbox)?.ok_or(Refusal::NO_MAILBOX)?;
    let keywords: Vec<&str> = row.keywords().collect();
    view.announce(&keywords, session.connection.output());
    let mailbox = (view.account, view.mailbox);
    let (mut mails, mut failed) = (Vec::new(), None);
    let progress = walk.round(view, &*snapshot, |place, uid, row| {
        match Mail::open(&*snapshot, mailbox, place, uid, row) {
            Ok(mail) => mails.push(mail),
            Err(error) => failed = Some(error),
        }
        match failed.is_none() && mails.len() < MAILS {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok((
            progress,
            mails,
            keywords.into_iter().map(String::from).collect(),
        )),
    }
}

/// Sets `\Seen` where it is missing, durably, before the first octet is shown. Which it was set on, ascending.
async fn see(session: &mut Session, mails: &mut [Mail]) -> Result<Vec<Uid>, Refusal> {
    let unseen = mails.iter().filter(|mail| mail.row.flags & flag::SEEN == 0);
    let uids: Vec<Uid> = unseen.map(|mail| Uid(mail.uid)).collect();
    if uids.is_empty() {
        return Ok(uids);
    }
    let view = session.selected()?;
    let write = Write::Store(StoreFlags {
        account: view.account,
        mailbox: view.mailbox,
        uids: uids.clone(),
        change: FlagChange::Add,
        flags: flag::SEEN,
        keywords: Vec::new(),
        unchanged_since: None,
    });
    if let Outcome::Stored { modseq, .. } = session.submit(write).await? {
        session.selected()?.made(modseq, uids.clone());
    }
    for mail in mails {
        mail.row.flags |= flag::SEEN;
    }
    Ok(uids)
}

/// The FETCH response of one message; `flags`: with FLAGS, asked for or not, because they changed. What is written is
/// sent item by item: one command may ask for thousands of sections.
async fn answer(
    session: &mut Session,
    plan: &Plan<'_>,
    mail: &Mail,
    keywords: &[&str],
    flags: bool,
) -> Result<(), Refusal> {
    let digest = mail.digest()?;
    let facts = Facts {
        uid: mail.uid,
        flags: session.selected()?.flags(mail.uid, &mail.row),
        row: &mail.row,
        keywords,
    };
    let mut header = first_header(session, plan, mail, &digest).await?;
    data::fetch(session.out(), mail.place as u32 + 1);
    if plan.uid {
        data::item_uid(session.out(), mail.uid);
    }
    for item in plan.items {
        let out = session.out();
        facts.write(out, item);
        describe(out, item, &digest);
        let Some(section) = item.section() else {
            continue;
        };
        name(out, item, &section);
        match section::find(&section, &digest) {
            Place::Nowhere => nstring(out, None),
            Place::Run(run) => mail.stream(session, &run, section.partial).await?,
            Place::Fields {
                header: run,
                names,
                take,
            } => {
                if header.as_ref().is_none_or(|known| known.run != run) {
                    let read = Header::read(session, mail, run).await;
                    // The response has begun: there is no way back.
                    header = Some(read.map_err(|error| {
                        mail::unreadable(session, mail, &error);
                        End::Lost
                    })?);
                }
                let octets = header.as_ref().map_or(&[][..], |header| &header.octets);
                fields(session.out(), octets, names, take, section.partial);
                if octets.len() >= OUTPUT_OCTETS {
                    session.breathe().await?;
                }
            }
        }
        session.breathe_if_full().await?;
    }
    if flags && !plan.items.contains(&FetchItem::Flags) {
        facts.write(session.out(), &FetchItem::Flags);
    }
    data::fetch_end(session.out());
    Ok(())
}

/// A header that fields are chosen from. Only the last one is kept: sections mostly choose from the same.
struct Header {
    run: Run,
    octets: Vec<u8>,
}

impl Header {
    async fn read(session: &Session, mail: &Mail, run: Run) -> Result<Self, LogError> {
        let octets = mail.gather(session, &run, HEADER_OCTETS_MAX).await?;
        Ok(Header { run, octets })
    }
}

/// The first header that will be needed, read before the response begins: a mail that cannot be read is NO then.
async fn first_header(
    session: &Session,
    plan: &Plan<'_>,
    mail: &Mail,
    digest: &Digest<'_>,
) -> Result<Option<Header>, Refusal> {
    let mut sections = plan.items.iter().filter_map(FetchItem::section);
    let first = sections.find_map(|section| match section::find(&section, digest) {
        Place::Fields { header, .. } => Some(header),
        _ => None,
    });
    let Some(run) = first else {
        return Ok(None);
    };
    let header = Header::read(session, mail, run).await;
    let header = header.map_err(|error| mail::unreadable(session, mail, &error))?;
    Ok(Some(header))
}

/// Fields chosen from a header, as a literal. RFC 3501 §6.4.5: the delimiting blank line is always there.
fn fields(
    out: &mut Vec<u8>,
    header: &[u8],
    names: &[&[u8]],
    take: header::Take,
    partial: Option<(u64, u64)>,
) {
    let mut fields = Vec::new();
    header::select(header, names, take, &mut fields);
    fields.extend_from_slice(b"\r\n");
    let (first, count) = section::cut(fields.len() as u64, partial);
    data::content_header(out, count);
    out.extend_from_slice(&fields[first as usize..(first + count) as usize]);
}

fn name(out: &mut Vec<u8>, item: &FetchItem<'_>, section: &Section<'_>) {
    match item {
        FetchItem::Rfc822 => data::item(out, "RFC822"),
        FetchItem::Rfc822Header => data::item(out, "RFC822.HEADER"),
        FetchItem::Rfc822Text => data::item(out, "RFC822.TEXT"),
        _ => data::item_section(out, section),
    }
}
