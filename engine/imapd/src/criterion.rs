//! Search keys made ready: numbers checked against the view, keywords as bits, texts folded; and the judgement.
//!
//! In:  a search tree; then for each message as much of it as is at hand. Out: yes, no, or "read more".
//!
//! | at hand | answers |
//! |---|---|
//! | the row | flags, keywords, UIDs, numbers, sizes, INTERNALDATE, MODSEQ |
//! | and the digest | Date, Subject, From, To, Cc, Bcc, Message-ID, In-Reply-To |
//! | and the octets | other header fields, BODY, TEXT |
//!
//! RFC 3501 §6.4.4. A text is a substring in any case: ASCII by the scan kernel, other letters by Unicode's simple
//! lower case.

use crate::view::View;
use ringpost_api::table::MessageRow;
use ringpost_imap::{SearchKey, SequenceSet};
use ringpost_message::digest::{Address, Addresses};
use ringpost_message::{Digest, date, word};
use ringpost_scan::search::Needle;
use std::cell::OnceCell;

const DAY_SECONDS: u64 = 86_400;

/// A text to look for.
#[derive(Debug)]
pub(crate) struct Text {
    needle: Needle,
    /// In lower case, where it is not ASCII.
    wide: Option<String>,
    /// Nothing to look for: asks whether there is something to look in.
    empty: bool,
}

impl Text {
    pub(crate) fn new(text: &[u8]) -> Self {
        Text {
            needle: Needle::new(text),
            wide: (!text.is_ascii()).then(|| String::from_utf8_lossy(text).to_lowercase()),
            empty: text.is_empty(),
        }
    }

    pub(crate) fn is_in(&self, hay: &str) -> bool {
        self.is_in_either(hay, || hay.to_lowercase())
    }

    /// As [`Text::is_in`], with the hay in lower case at hand or made when it is needed.
    fn is_in_either<L: AsRef<str>>(&self, hay: &str, lower: impl FnOnce() -> L) -> bool {
        match &self.wide {
            _ if self.empty => true,
            None => self.needle.is_in(hay.as_bytes()),
            Some(wide) => lower().as_ref().contains(wide),
        }
    }
}

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
        let again = |key: &SearchKey<'c>| Criterion::new(key, keywords);
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
            SearchKey::Header { field, text } => Criterion::Header(field, Text::new(text)),
            SearchKey::Body(text) => Criterion::Body(Text::new(text)),
            SearchKey::Text(text) => Criterion::Text(Text::new(text)),
            SearchKey::ModSeq(modseq) => Criterion::ModSeq(modseq),
            SearchKey::Not(key) => Criterion::Not(Box::new(again(key))),
            SearchKey::Or(one, other) => Criterion::Or(Box::new([again(one), again(other)])),
            SearchKey::And(keys) => Criterion::And(keys.iter().map(again).collect()),
        }
    }

    /// Whether it asks for more of the octets than header fields.
    pub(crate) fn needs_body(&self) -> bool {
        match self {
            Criterion::Body(_) | Criterion::Text(_) => true,
            Criterion::Not(key) => key.needs_body(),
            Criterion::Or(keys) => keys.iter().any(Criterion::needs_body),
            Criterion::And(keys) => keys.iter().any(Criterion::needs_body),
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
            Criterion::Body(text) => message.octets?.body(text),
            Criterion::Text(text) => {
                let octets = message.octets?;
                octets.any_field(text) || octets.body(text)
            }
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

/// What of the octets is read and readable.
#[derive(Debug, Default)]
pub(crate) struct Readable {
    /// Names and values of header fields, values decoded.
    pub fields: Vec<(Vec<u8>, String)>,
    /// Texts of the body, parts and inner headers, decoded.
    pub texts: Vec<String>,
    /// The same in lower case, once a text that is not ASCII was looked for.
    pub lower: OnceCell<Vec<String>>,
}

impl Readable {
    fn body(&self, text: &Text) -> bool {
        let lower = || self.texts.iter().map(|part| part.to_lowercase()).collect();
        let mut parts = self.texts.iter().enumerate();
        parts.any(|(at, part)| text.is_in_either(part, || &self.lower.get_or_init(lower)[at]))
    }

    fn field(&self, name: &[u8], text: &Text) -> bool {
        let named = self
            .fields
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.into_iter().any(|(_, value)| text.is_in(value))
    }

    fn any_field(&self, text: &Text) -> bool {
        let within = |(name, value): &(Vec<u8>, String)| {
            text.is_in(value) || text.is_in(&String::from_utf8_lossy(name))
        };
        self.fields.iter().any(within)
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
    pub octets: Option<&'t Readable>,
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
        if let Some(octets) = self.octets {
            return Some(octets.field(field, text));
        }
        let envelope = self.digest?.envelope();
        let value = |value: Option<&[u8]>| {
            Some(value.is_some_and(|value| text.is_in(&word::decode(value))))
        };
        let list = |list: Addresses<'_>| Some(!list.is_empty() && text.is_in(&readable(list)));
        // Sender and Reply-To are not among them: the digest has From in their place where they are missing.
        match () {
            _ if field.eq_ignore_ascii_case(b"subject") => value(envelope.subject),
            _ if field.eq_ignore_ascii_case(b"from") => list(envelope.from),
            _ if field.eq_ignore_ascii_case(b"to") => list(envelope.to),
            _ if field.eq_ignore_ascii_case(b"cc") => list(envelope.cc),
            _ if field.eq_ignore_ascii_case(b"bcc") => list(envelope.bcc),
            _ if field.eq_ignore_ascii_case(b"message-id") => value(envelope.message_id),
            _ if field.eq_ignore_ascii_case(b"in-reply-to") => value(envelope.in_reply_to),
            _ => None,
        }
    }
}

/// An address list as a reader sees it: `Name <local@domain>, ...`.
fn readable(list: Addresses<'_>) -> String {
    let mut text = String::new();
    for address in list {
        if !text.is_empty() {
            text.push_str(", ");
        }
        match address {
            Address::Mailbox {
                name,
                mailbox,
                host,
                ..
            } => {
                if let Some(name) = name {
                    text.push_str(&word::decode(name));
                    text.push(' ');
                }
                text.push('<');
                text.push_str(&String::from_utf8_lossy(mailbox));
                if !host.is_empty() {
                    text.push('@');
                    text.push_str(&String::from_utf8_lossy(host));
                }
                text.push('>');
            }
            Address::GroupStart(name) => {
                text.push_str(&word::decode(name));
                text.push(':');
            }
            Address::GroupEnd => text.push(';'),
        }
    }
    text
}
