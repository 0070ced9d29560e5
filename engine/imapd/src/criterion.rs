//! Search keys made ready: numbers checked against the view, keywords as bits, texts folded; and the judgement.
//!
//! In:  a search tree; then for each message as much of it as is at hand. Out: yes, no, or "read more".
//!
//! | at hand | answers |
//! |---|---|
//! | the row | flags, keywords, UIDs, numbers, sizes, INTERNALDATE, MODSEQ |
//! | and the digest | Date, Subject, From, To, Cc, Bcc, Message-ID, In-Reply-To |
//! | and the texts | other header fields, BODY, TEXT |
//!
//! RFC 3501 §6.4.4. A text is a substring in any case: both are folded (`message::fold`).

use crate::texts::{Text, Texts};
use crate::view::View;
use ringpost_api::search::Query;
use ringpost_api::table::MessageRow;
use ringpost_imap::{SearchKey, SequenceSet};
use ringpost_message::digest::Addresses;
use ringpost_message::{Digest, date, searchable, word};

const DAY_SECONDS: u64 = 86_400;

/// A search tree, made ready.
#[derive(Debug)]
pub(crate) enum Criterion<'c> {
    Constant(bool),
    Flag(u32),
    Keyword(u64),
    Recent,
    Sequence(SequenceSet<'c>),
    Uid(SequenceSet<'c>),
    Larger(u64),
    Smaller(u64),
    /// INTERNALDATE's day is below, is, is not below.
    Before(i64),
    On(i64),
    Since(i64),
    SentBefore(i64),
    SentOn(i64),
    SentSince(i64),
    Header(&'c [u8], Text),
    Body(Text),
    Text(Text),
    ModSeq(u64),
    Not(Box<Criterion<'c>>),
    Or(Box<[Criterion<'c>; 2]>),
    And(Vec<Criterion<'c>>),
}

impl<'c> Criterion<'c> {
    /// Makes a tree ready; its depth is bounded by `imap_nesting_max`. `keywords` are the mailbox's.
    pub(crate) fn new(key: &SearchKey<'c>, keywords: &[String]) -> Self {
        Criterion::numbered(key, keywords, &mut 0)
    }

    /// As [`Criterion::new`]; texts get the numbers from `next` on, in the order of the tree.
    fn numbered(key: &SearchKey<'c>, keywords: &[String], next: &mut usize) -> Self {
        let mut text = |text: &[u8]| {
            *next += 1;
            Text::new(text, *next - 1)
        };
        match *key {
            SearchKey::All => Criterion::Constant(true),
            SearchKey::Flag(bits) => Criterion::Flag(bits),
            SearchKey::Keyword(name) => {
                match keywords
                    .iter()
                    .position(|known| known.eq_ignore_ascii_case(name))
                {
                    Some(bit) => Criterion::Keyword(1 << bit),
                    None => Criterion::Constant(false),
                }
            }
            SearchKey::Recent => Criterion::Recent,
            SearchKey::Sequence(set) => Criterion::Sequence(set),
            SearchKey::Uid(set) => Criterion::Uid(set),
            SearchKey::Larger(octets) => Criterion::Larger(octets),
            SearchKey::Smaller(octets) => Criterion::Smaller(octets),
            SearchKey::Before(day) => Criterion::Before(day.into()),
            SearchKey::On(day) => Criterion::On(day.into()),
            SearchKey::Since(day) => Criterion::Since(day.into()),
            SearchKey::SentBefore(day) => Criterion::SentBefore(day.into()),
            SearchKey::SentOn(day) => Criterion::SentOn(day.into()),
            SearchKey::SentSince(day) => Criterion::SentSince(day.into()),
            SearchKey::Header {
                field,
                text: wanted,
            } => Criterion::Header(field, text(wanted)),
            SearchKey::Body(wanted) => Criterion::Body(text(wanted)),
            SearchKey::Text(wanted) => Criterion::Text(text(wanted)),
            SearchKey::ModSeq(modseq) => Criterion::ModSeq(modseq),
            SearchKey::Not(key) => {
                Criterion::Not(Box::new(Criterion::numbered(key, keywords, next)))
            }
            SearchKey::Or(one, other) => Criterion::Or(Box::new(
                [one, other].map(|key| Criterion::numbered(key, keywords, next)),
            )),
            SearchKey::And(keys) => {
                let keys = keys.iter();
                Criterion::And(
                    keys.map(|key| Criterion::numbered(key, keywords, next))
                        .collect(),
                )
            }
        }
    }

    /// What the filter is asked: no message that fits is passed over, for what a key finds is in the texts that the
    /// filter is made of.
    pub(crate) fn query(&self) -> Query {
        match self {
            Criterion::Header(_, text) | Criterion::Body(text) | Criterion::Text(text) => {
                text.query()
            }
            Criterion::Or(keys) => Query::or(keys.iter().map(Criterion::query)),
            Criterion::And(keys) => Query::and(keys.iter().map(Criterion::query)),
            _ => Query::All,
        }
    }

    /// Its texts, in the order of their numbers.
    pub(crate) fn texts<'t>(&'t self, found: &mut Vec<&'t Criterion<'c>>) {
        match self {
            Criterion::Header(..) | Criterion::Body(_) | Criterion::Text(_) => found.push(self),
            Criterion::Not(key) => key.texts(found),
            Criterion::Or(keys) => keys.iter().for_each(|key| key.texts(found)),
            Criterion::And(keys) => keys.iter().for_each(|key| key.texts(found)),
            _ => {}
        }
    }

    /// Whether it asks for what the digest has.
    pub(crate) fn needs_digest(&self) -> bool {
        match self {
            Criterion::Header(..)
            | Criterion::SentBefore(_)
            | Criterion::SentOn(_)
            | Criterion::SentSince(_) => true,
            Criterion::Not(key) => key.needs_digest(),
            Criterion::Or(keys) => keys.iter().any(Criterion::needs_digest),
            Criterion::And(keys) => keys.iter().any(Criterion::needs_digest),
            _ => false,
        }
    }

    /// How many keys the tree has, and how many of them look for a text.
    pub(crate) fn keys(&self) -> Keys {
        let one = |texts| Keys { all: 1, texts };
        match self {
            Criterion::Header(..) | Criterion::Body(_) | Criterion::Text(_) => one(1),
            Criterion::Not(key) => key.keys().and(one(0)),
            Criterion::Or(keys) => keys.iter().map(Self::keys).fold(one(0), Keys::and),
            Criterion::And(keys) => keys.iter().map(Self::keys).fold(one(0), Keys::and),
            _ => one(0),
        }
    }

    /// Whether a message fits; `None`: more of it has to be at hand.
    pub(crate) fn judge(&self, message: &Message<'_>) -> Option<bool> {
        let row = message.row;
        let day = (row.internal_date / DAY_SECONDS) as i64;
        Some(match self {
            Criterion::Constant(fits) => *fits,
            Criterion::Flag(bits) => row.flags & bits == *bits,
            Criterion::Keyword(bit) => row.keywords & bit != 0,
            Criterion::Recent => message.view.is_recent(message.uid),
            Criterion::Sequence(set) => {
                set.contains(message.place as u32 + 1, message.view.messages())
            }
            Criterion::Uid(set) => set.contains(
                message.uid,
                message.view.uids().last().copied().unwrap_or(0),
            ),
            Criterion::Larger(octets) => u64::from(row.octets) > *octets,
            Criterion::Smaller(octets) => u64::from(row.octets) < *octets,
            Criterion::Before(wanted) => day < *wanted,
            Criterion::On(wanted) => day == *wanted,
            Criterion::Since(wanted) => day >= *wanted,
            Criterion::SentBefore(wanted) => message.sent()?.is_some_and(|day| day < *wanted),
            Criterion::SentOn(wanted) => message.sent()?.is_some_and(|day| day == *wanted),
            Criterion::SentSince(wanted) => message.sent()?.is_some_and(|day| day >= *wanted),
            Criterion::Header(field, text) => message.header(field, text)?,
            Criterion::Body(text) => message.texts?.body(text),
            Criterion::Text(text) => message.texts?.anywhere(text),
            // RFC 7162 §3.1.5: at least this.
            Criterion::ModSeq(modseq) => row.modseq.0 >= *modseq,
            Criterion::Not(key) => !key.judge(message)?,
            Criterion::Or(keys) => match keys.each_ref().map(|key| key.judge(message)) {
                [Some(true), _] | [_, Some(true)] => true,
                [one, other] => one? || other?,
            },
            Criterion::And(keys) => {
                let mut known = true;
                for key in keys {
                    match key.judge(message) {
                        Some(false) => return Some(false),
                        Some(true) => {}
                        None => known = false,
                    }
                }
                return known.then_some(true);
            }
        })
    }
}

/// What a tree costs to judge by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    pub all: usize,
    /// Of them, those that look for a text.
    pub texts: usize,
}

impl Keys {
    fn and(self, other: Keys) -> Keys {
        Keys {
            all: self.all + other.all,
            texts: self.texts + other.texts,
        }
    }
}

/// As much of a message as is at hand.
#[derive(Clone, Copy)]
pub(crate) struct Message<'t> {
    pub view: &'t View,
    pub place: usize,
    pub uid: u32,
    pub row: &'t MessageRow,
    pub digest: Option<&'t Digest<'t>>,
    pub texts: Option<&'t Texts<'t>>,
}

impl Message<'_> {
    /// The day of the Date field; the inner `None`: no date in it.
    fn sent(&self) -> Option<Option<i64>> {
        let envelope = self.digest?.envelope();
        Some(
            envelope
                .date
                .and_then(date::parse)
                .map(|date| date.day_number()),
        )
    }

    /// Whether a header field contains a text.
    fn header(&self, field: &[u8], text: &Text) -> Option<bool> {
        let envelope = self.digest?.envelope();
        let value = |value: Option<&[u8]>| {
            Some(value.is_some_and(|value| text.is_in(&word::decode(value))))
        };
        let list = |list: Addresses<'_>| {
            Some(!list.is_empty() && text.is_in(&searchable::addresses(list)))
        };
        // Sender and Reply-To are not among them: the digest has From in their place where they are missing.
        match () {
            _ if field.eq_ignore_ascii_case(b"subject") => value(envelope.subject),
            _ if field.eq_ignore_ascii_case(b"from") => list(envelope.from),
            _ if field.eq_ignore_ascii_case(b"to") => list(envelope.to),
            _ if field.eq_ignore_ascii_case(b"cc") => list(envelope.cc),
            _ if field.eq_ignore_ascii_case(b"bcc") => list(envelope.bcc),
            _ if field.eq_ignore_ascii_case(b"message-id") => value(envelope.message_id),
            _ if field.eq_ignore_ascii_case(b"in-reply-to") => value(envelope.in_reply_to),
            _ => self.texts.map(|texts| texts.field(field, text)),
        }
    }
}
