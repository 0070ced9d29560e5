//! SEARCH and UID SEARCH. RFC 3501 §6.4.4; ESEARCH: RFC 4731.
//!
//! Goes along the message table in rounds. What the row and the digest decide is decided there; what needs the octets
//! is put aside and read, a few messages at a time, after the snapshot is closed.

use crate::criterion::{Criterion, Message, Readable};
use crate::mail::{self, Mail};
use crate::outcome::{Answer, Done, Refusal};
use crate::section::Run;
use crate::session::Session;
use crate::view::{Progress, View};
use crate::walk::Walk;
use ringpost_api::{Error, Snapshot, read};
use ringpost_imap::command::{Numbers, Search, SearchReturns};
use ringpost_imap::data::{self, Esearch};
use ringpost_imap::{Code, SearchKey};
use ringpost_message::digest::Kind;
use ringpost_message::{Digest, Span, header, text, word};
use std::ops::{ControlFlow, Range};

/// Messages judged in one round by a few keys: a digest takes about a microsecond.
const ROWS: usize = 1_024;
/// So many keys are a few.
const KEYS: usize = 16;
/// Messages put aside in one round.
const MAILS: usize = 16;
/// Octets of one header or part that are looked at.
const PART_OCTETS_MAX: u64 = 8 << 20;

/// SEARCH.
pub(super) async fn run(session: &mut Session, tag: &str, search: &Search<'_>) -> Answer {
    if !search.charset.is_none_or(is_known) {
        return Err(Refusal::No(
            Some(Code::BadCharset),
            "US-ASCII and UTF-8 are known.",
        ));
    }
    let criterion = prepare(session, search)?;
    let keys = criterion.keys();
    if keys.texts as u64 > session.context.limits.imap_search_texts_max {
        return Err(Refusal::No(Some(Code::Limit), "Too many texts."));
    }
    let rows = (ROWS * KEYS / keys.all.max(KEYS)).max(1);
    let places = range(session.selected()?, &search.key);
    let mut walk = Walk::new(places);
    let mut found = Vec::new();
    while round(session, &criterion, rows, &mut walk, &mut found).await? == Progress::More {
        session.breathe().await?;
    }
    tell(session, tag, search, &found)?;
    Ok(Done::plain("SEARCH completed."))
}

/// Texts are compared as UTF-8, of which US-ASCII is a part.
fn is_known(charset: &[u8]) -> bool {
    charset.eq_ignore_ascii_case(b"US-ASCII") || charset.eq_ignore_ascii_case(b"UTF-8")
}

fn prepare<'c>(session: &mut Session, search: &Search<'c>) -> Result<Criterion<'c>, Refusal> {
    let view = session
        .view
        .as_deref()
        .ok_or(Refusal::Bad("Select a mailbox first."))?;
    let snapshot = session.context.store.snapshot()?;
    let row = read::mailbox(&*snapshot, view.account, view.mailbox)?.ok_or(Refusal::NO_MAILBOX)?;
    let keywords: Vec<String> = row.keywords().map(String::from).collect();
    Ok(Criterion::new(&search.key, &keywords))
}

/// The places that can fit: a set of numbers that must hold anyway makes the walk short.
fn range(view: &View, key: &SearchKey<'_>) -> Vec<Range<usize>> {
    let all = || std::iter::once(0..view.uids().len()).collect();
    match key {
        SearchKey::Uid(set) => view.places(set, Numbers::Uid).unwrap_or_else(all),
        SearchKey::Sequence(set) => view.places(set, Numbers::Sequence).unwrap_or_else(all),
        SearchKey::And(keys) => {
            let set =
                |key: &&SearchKey<'_>| matches!(key, SearchKey::Uid(_) | SearchKey::Sequence(_));
            keys.iter()
                .find(set)
                .map_or_else(all, |key| range(view, key))
        }
        _ => all(),
    }
}

/// One round of at most `rows` messages; found ones as places, in order.
async fn round(
    session: &mut Session,
    criterion: &Criterion<'_>,
    rows: usize,
    walk: &mut Walk,
    found: &mut Vec<u32>,
) -> Result<Progress, Refusal> {
    let before = found.len();
    let (progress, aside) = judge(session, criterion, rows, walk, found)?;
    for mail in &aside {
        let octets = readable(session, mail, criterion.needs_body()).await?;
        let digest = mail.digest()?;
        let view = session.selected()?;
        let message = Message {
            view,
            place: mail.place,
            uid: mail.uid,
            row: &mail.row,
            digest: Some(&digest),
            octets: Some(&octets),
        };
        if criterion.judge(&message) == Some(true) {
            found.push(mail.place as u32);
        }
    }
    if !aside.is_empty() {
        found[before..].sort_unstable();
    }
    Ok(progress)
}

/// What the row and the digest decide; and the messages they do not.
fn judge(
    session: &mut Session,
    criterion: &Criterion<'_>,
    rows: usize,
    walk: &mut Walk,
    found: &mut Vec<u32>,
) -> Result<(Progress, Vec<Mail>), Refusal> {
    let view = session
        .view
        .as_deref()
        .ok_or(Refusal::Bad("Select a mailbox first."))?;
    let snapshot = session.context.store.snapshot()?;
    let snapshot: &dyn Snapshot = &*snapshot;
    let mailbox = (view.account, view.mailbox);
    let (mut aside, mut count, mut failed) = (Vec::new(), 0, None);
    let progress = walk.round(view, snapshot, |place, uid, row| {
        let message = Message {
            view,
            place,
            uid,
            row,
            digest: None,
            octets: None,
        };
        let verdict = match criterion.judge(&message) {
            Some(fits) => Ok(Some(fits)),
            None => digest(snapshot, row.blob).map(|digest| {
                criterion.judge(&Message {
                    digest: Some(&digest),
                    ..message
                })
            }),
        };
        match verdict {
            Ok(Some(true)) => found.push(place as u32),
            Ok(Some(false)) => {}
            Ok(None) => match Mail::open(snapshot, mailbox, place, uid, row) {
                Ok(mail) => aside.push(mail),
                Err(error) => failed = Some(error),
            },
            Err(error) => failed = Some(error),
        }
        count += 1;
        match failed.is_none() && count < rows && aside.len() < MAILS {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok((progress, aside)),
    }
}

fn digest<'t>(
    snapshot: &'t (dyn Snapshot + 't),
    blob: ringpost_types::BlobId,
) -> Result<Digest<'t>, Error> {
    let octets = read::digest(snapshot, blob)?;
    let digest = octets.and_then(|octets| Digest::read(octets).ok());
    digest.ok_or_else(|| Error::Damaged(format!("digest of blob {blob}")))
}

/// Reads a message and decodes what a person would read of it: header fields; and with `body` the text parts and the
/// headers of inner messages. Attachments are not text.
async fn readable(session: &Session, mail: &Mail, body: bool) -> Result<Readable, Refusal> {
    let digest = mail.digest()?;
    let mut readable = Readable::default();
    let octets = gather(session, mail, digest.header(), true).await?;
    let fields = header::fields(&octets);
    readable.fields = fields
        .map(|field| (field.name.to_vec(), word::decode(field.value)))
        .collect();
    if !body {
        return Ok(readable);
    }
    for index in 0..digest.parts() {
        let Some(part) = digest.part(index) else {
            break;
        };
        if part.kind == Kind::Leaf && part.is_text() {
            let octets = gather(session, mail, part.body, false).await?;
            readable
                .texts
                .push(text::decode(&octets, part.encoding, part.charset()).into_owned());
        }
        if let Some(nested) = digest.nested(index) {
            let octets = gather(session, mail, nested.header, false).await?;
            readable.texts.push(word::decode(&octets));
        }
    }
    Ok(readable)
}

async fn gather(
    session: &Session,
    mail: &Mail,
    span: Span,
    prefix: bool,
) -> Result<Vec<u8>, Refusal> {
    let run = Run {
        prefix,
        shared: span.start as u64..span.end as u64,
    };
    let octets = mail.gather(session, &run, PART_OCTETS_MAX).await;
    octets.map_err(|error| mail::unreadable(session, mail, &error))
}

/// SEARCH or ESEARCH, in the numbers asked for.
fn tell(
    session: &mut Session,
    tag: &str,
    search: &Search<'_>,
    places: &[u32],
) -> Result<(), Refusal> {
    let view = session
        .view
        .as_deref()
        .ok_or(Refusal::Bad("Select a mailbox first."))?;
    let uids = view.uids();
    let numbers: Vec<u32> = match search.numbers {
        Numbers::Sequence => places.iter().map(|place| place + 1).collect(),
        Numbers::Uid => places.iter().map(|&place| uids[place as usize]).collect(),
    };
    let out = session.connection.output();
    let Some(returns) = search.returns else {
        data::search(out, numbers);
        return Ok(());
    };
    let SearchReturns {
        min,
        max,
        all,
        count,
    } = returns;
    let answer = Esearch {
        tag,
        uid: search.numbers == Numbers::Uid,
        min: numbers.first().copied().filter(|_| min),
        max: numbers.last().copied().filter(|_| max),
        all: all.then_some(&numbers[..]),
        count: count.then_some(numbers.len() as u32),
    };
    data::esearch(out, &answer);
    Ok(())
}
