//! SEARCH and UID SEARCH. RFC 3501 §6.4.4; ESEARCH: RFC 4731.
//!
//! Asks the filter which messages are worth a look, then goes along those in rounds. What the row, the digest and the text
//! row decide is decided there; a message without a text row is put aside and read after the snapshot is closed.

use crate::criterion::{Criterion, Message};
use crate::filter;
use crate::mail::Mail;
use crate::outcome::{Answer, Done, Refusal};
use crate::session::Session;
use crate::texts::{self, Texts};
use crate::view::{Progress, View};
use crate::walk::Walk;
use ringpost_api::text::{self, Scratch};
use ringpost_api::{Error, Snapshot, Write, read};
use ringpost_imap::command::{Numbers, Search, SearchReturns};
use ringpost_imap::data::{self, Esearch};
use ringpost_imap::{Code, SearchKey};
use ringpost_message::{Digest, searchable};
use std::ops::{ControlFlow, Range};

/// Messages judged in one round by a few keys: a digest takes about a microsecond.
const ROWS: usize = 1_024;
/// So many keys are a few.
const KEYS: usize = 16;
/// Messages put aside in one round.
const MAILS: usize = 16;
/// Octets of text rows looked through in one round, once for each text: a millisecond at 2 GB/s.
const TEXT_OCTETS: usize = 2 << 20;

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
    let (places, upkeep) = filter::places(session, &criterion.query(), places).await?;
    let mut walk = Walk::new(places);
    let mut found = Vec::new();
    let mut judge = Judge {
        criterion,
        rows,
        octets_max: TEXT_OCTETS / keys.texts.max(1),
        scratch: Scratch::default(),
        prefix: Vec::new(),
    };
    while round(session, &mut judge, &mut walk, &mut found).await? == Progress::More {
        session.breathe().await?;
    }
    tell(session, tag, search, &found)?;
    let view = session.selected()?;
    let mailbox = (view.account, view.mailbox);
    filter::keep_up(&session.context, mailbox, upkeep);
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

/// What a search goes along with.
struct Judge<'c> {
    criterion: Criterion<'c>,
    /// Messages of one round.
    rows: usize,
    /// Octets of text rows of one round.
    octets_max: usize,
    scratch: Scratch,
    prefix: Vec<u8>,
}

/// One round; found ones as places, in order.
async fn round(
    session: &mut Session,
    judge: &mut Judge<'_>,
    walk: &mut Walk,
    found: &mut Vec<u32>,
) -> Result<Progress, Refusal> {
    let before = found.len();
    let (progress, aside) = judge.walk(session, walk, found)?;
    let mut rows = Vec::new();
    for mail in &aside {
        let texts::Read { found: texts, row } =
            texts::read(session, mail, &judge.criterion).await?;
        if !row.is_empty() {
            let blob = mail.row.blob;
            rows.push(Write::Text { blob, row });
        }
        let digest = mail.digest()?;
        let view = session.selected()?;
        let message = Message {
            view,
            place: mail.place,
            uid: mail.uid,
            row: &mail.row,
            digest: Some(&digest),
            texts: Some(&Texts::Read(&texts)),
        };
        if judge.criterion.judge(&message) == Some(true) {
            found.push(mail.place as u32);
        }
    }
    if !aside.is_empty() {
        found[before..].sort_unstable();
    }
    leave(session, rows).await;
    Ok(progress)
}

/// Leaves text rows for the next search, in one commit. A store that is full keeps none, and this search has its answer
/// all the same.
async fn leave(session: &Session, mut rows: Vec<Write>) {
    if let Some(last) = rows.pop() {
        for row in rows {
            session.context.store.submit(row, None);
        }
        let _ = session.submit(last).await;
    }
}

impl Judge<'_> {
    /// What the index decides; and the messages it does not.
    fn walk(
        &mut self,
        session: &mut Session,
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
        let (mut aside, mut count, mut octets, mut failed) = (Vec::new(), 0, 0, None);
        let progress = walk.round(view, snapshot, |place, uid, row| {
            let message = Message {
                view,
                place,
                uid,
                row,
                digest: None,
                texts: None,
            };
            let verdict = match self.criterion.judge(&message) {
                Some(fits) => Ok(Some(fits)),
                None => self.look(snapshot, &message, &mut octets),
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
            let goes_on = count < self.rows && aside.len() < MAILS && octets < self.octets_max;
            match failed.is_none() && goes_on {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        match failed {
            Some(error) => Err(error.into()),
            None => Ok((progress, aside)),
        }
    }

    /// Judges by the digest, and then by the text row, whose octets are counted. `None`: the mail is to be read.
    fn look(
        &mut self,
        snapshot: &dyn Snapshot,
        message: &Message<'_>,
        octets: &mut usize,
    ) -> Result<Option<bool>, Error> {
        let blob = message.row.blob;
        // Keys that ask for texts alone need no digest.
        let digest = match self.criterion.needs_digest() {
            true => Some(digest(snapshot, blob)?),
            false => None,
        };
        let message = Message {
            digest: digest.as_ref(),
            ..*message
        };
        if digest.is_some()
            && let Some(fits) = self.criterion.judge(&message)
        {
            return Ok(Some(fits));
        }
        let Some(text) = text::read(snapshot, blob, &mut self.scratch)? else {
            return Ok(None);
        };
        *octets += text.all().len();
        self.prefix.clear();
        if message.row.prefix_octets > 0 {
            let view = message.view;
            let uid = ringpost_types::Uid(message.uid);
            let prefix = read::prefix(snapshot, view.account, view.mailbox, uid)?;
            searchable::fields_into(prefix, &mut self.prefix);
        }
        let texts = Texts::Row {
            text,
            prefix: &self.prefix,
        };
        let message = Message {
            texts: Some(&texts),
            ..message
        };
        Ok(self.criterion.judge(&message))
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
