//! What SEARCH compares: texts to look for, and the texts of a message they are looked for in.
//!
//! In:  the octets of a key; a message's text row, or the mail itself where it has none.
//! Out: yes or no. The two ways find the same: the row was made by the reader that reads the mail here
//! (`message::searchable`). A mail that had to be read gets its row then, if its text is not too long for one: it came
//! before there were rows, or was too large to be in memory when it arrived.

use crate::criterion::Criterion;
use crate::mail::{self, Mail};
use crate::outcome::Refusal;
use crate::session::Session;
use memchr::memmem::Finder;
use ringpost_api::search::Query;
use ringpost_api::text;
use ringpost_log::LogError;
use ringpost_message::searchable::{self, Reader, Section};
use ringpost_message::{Digest, Span, fold};

/// A text to look for.
#[derive(Debug)]
pub(crate) struct Text {
    finder: Finder<'static>,
    /// Its place among the texts of the search.
    number: usize,
}

impl Text {
    pub(crate) fn new(text: &[u8], number: usize) -> Self {
        let folded = fold::fold(&String::from_utf8_lossy(text));
        Text {
            finder: Finder::new(folded.as_bytes()).into_owned(),
            number,
        }
    }

    /// Whether it is in a text that is not folded.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.is_in_folded(fold::fold(text).as_bytes())
    }

    fn is_in_folded(&self, folded: &[u8]) -> bool {
        self.finder.find(folded).is_some()
    }

    /// Whether it is in the value of a field called `name`, in lines as `message::searchable` makes them.
    fn is_in_field(&self, name: &[u8], lines: &[u8]) -> bool {
        lines.split(|octet| *octet == b'\n').any(|line| {
            let named = line.split_at_checked(name.len());
            let named = named.filter(|(known, _)| known.eq_ignore_ascii_case(name));
            let value = named.and_then(|(_, rest)| rest.strip_prefix(b": "));
            value.is_some_and(|value| self.is_in_folded(value.strip_suffix(b"\r").unwrap_or(value)))
        })
    }

    pub(crate) fn query(&self) -> Query {
        Query::contains(self.finder.needle())
    }
}

/// The texts of a message.
#[derive(Debug)]
pub(crate) enum Texts<'t> {
    /// At hand.
    Row {
        text: text::Text<'t>,
        /// The recipient's own fields, as lines.
        prefix: &'t [u8],
    },
    /// Read: for each text of the search, by number, whether it was found where its key looks.
    Read(&'t [bool]),
}

impl Texts<'_> {
    /// The recipient's mail is its own fields and then the shared mail: TEXT looks through both.
    pub(crate) fn anywhere(&self, text: &Text) -> bool {
        match self {
            Texts::Row { text: row, prefix } => {
                text.is_in_folded(row.text()) || text.is_in_folded(prefix)
            }
            Texts::Read(found) => found[text.number],
        }
    }

    pub(crate) fn body(&self, text: &Text) -> bool {
        match self {
            Texts::Row { text: row, .. } => text.is_in_folded(row.body()),
            Texts::Read(found) => found[text.number],
        }
    }

    pub(crate) fn field(&self, name: &[u8], text: &Text) -> bool {
        match self {
            Texts::Row { text: row, prefix } => {
                text.is_in_field(name, prefix) || text.is_in_field(name, row.header())
            }
            Texts::Read(found) => found[text.number],
        }
    }
}

/// What came of reading a mail.
pub(crate) struct Read {
    /// For each text of the search, by number, whether it was found.
    pub found: Vec<bool>,
    /// The text row that the mail lacks; empty where it has too much text for one.
    pub row: Vec<u8>,
}

/// Reads a mail without a text row and looks for the texts of `criterion`, each where its key looks. In pieces: of a body
/// with more text than a row takes no more is held than a piece and the longest text.
pub(crate) async fn read(
    session: &Session,
    mail: &Mail,
    criterion: &Criterion<'_>,
) -> Result<Read, Refusal> {
    let mut keys = Vec::new();
    criterion.texts(&mut keys);
    let octets_max = session.context.limits.message_text_octets_max;
    let mut search = Search {
        found: vec![false; keys.len()],
        keys,
        text: Vec::new(),
        row: Some(Row::new(octets_max)),
    };
    searchable::fields_into(&mail.prefix, &mut search.text);
    search.look(Section::Header);
    search.text.clear();
    let digest = mail.digest()?;
    let mut reader = Reader::default();
    for piece in searchable::pieces(&digest) {
        if piece.section > Section::Header && search.is_over() {
            break;
        }
        reader.begin(&piece);
        // A header is looked at as a whole.
        let looks_early = piece.section > Section::Header;
        let read = each(session, mail, piece.span, |octets| {
            let known = search.text.len();
            reader.feed(octets, &mut search.text);
            search.keep(piece.section, known);
            if looks_early {
                search.look(piece.section);
                search.forget();
            }
            !looks_early || !search.is_over()
        });
        read.await
            .map_err(|error| mail::unreadable(session, mail, &error))?;
        let known = search.text.len();
        reader.finish(&mut search.text);
        search.keep(piece.section, known);
        search.look(piece.section);
        search.text.clear();
    }
    let row = search.row.map(|row| row.encode(&digest));
    Ok(Read {
        found: search.found,
        row: row.unwrap_or_default(),
    })
}

/// A text row in the making.
struct Row {
    octets_max: usize,
    text: Vec<u8>,
    inner: Option<usize>,
    body: Option<usize>,
}

impl Row {
    fn new(octets_max: u64) -> Self {
        Row {
            octets_max: usize::try_from(octets_max).unwrap_or(usize::MAX),
            text: Vec::new(),
            inner: None,
            body: None,
        }
    }

    /// Takes more of a section; whether a row has room for it.
    fn add(&mut self, section: Section, text: &[u8]) -> bool {
        let start = self.text.len();
        match section {
            Section::Header => {}
            Section::Inner => _ = self.inner.get_or_insert(start),
            Section::Body => _ = self.body.get_or_insert(start),
        }
        self.text.extend_from_slice(text);
        self.text.len() <= self.octets_max
    }

    /// As `message::searchable::of` and delivery make it.
    fn encode(self, digest: &Digest<'_>) -> Vec<u8> {
        let body = self.body.unwrap_or(self.text.len());
        let inner = self.inner.unwrap_or(body);
        let keys = searchable::keys(&digest.envelope(), &self.text[..inner]);
        match keys.len() + self.text.len() <= self.octets_max {
            true => text::encode(&keys, &self.text, inner, body),
            false => Vec::new(),
        }
    }
}

/// A search in one mail.
struct Search<'s> {
    keys: Vec<&'s Criterion<'s>>,
    found: Vec<bool>,
    /// Folded text that was not forgotten yet.
    text: Vec<u8>,
    /// All of it, as long as a row takes it.
    row: Option<Row>,
}

impl Search<'_> {
    /// Looks for what is not found yet.
    fn look(&mut self, section: Section) {
        for (key, found) in self.keys.iter().zip(&mut self.found) {
            *found = *found
                || match key {
                    Criterion::Header(name, text) => {
                        section == Section::Header && text.is_in_field(name, &self.text)
                    }
                    Criterion::Body(text) => {
                        section == Section::Body && text.is_in_folded(&self.text)
                    }
                    Criterion::Text(text) => text.is_in_folded(&self.text),
                    _ => false,
                };
        }
    }

    /// Keeps for the row what is new behind `known` octets.
    fn keep(&mut self, section: Section, known: usize) {
        let text = &self.text[known..];
        if self.row.as_mut().is_some_and(|row| !row.add(section, text)) {
            self.row = None;
        }
    }

    /// Forgets all but what a text that goes on may begin with.
    fn forget(&mut self) {
        let needle = |key: &&Criterion<'_>| match key {
            Criterion::Body(text) | Criterion::Text(text) => text.finder.needle().len(),
            _ => 0,
        };
        let longest = self.keys.iter().map(needle).max().unwrap_or(0);
        let known = self.text.len().saturating_sub(longest.saturating_sub(1));
        self.text.drain(..known);
    }

    /// Whether the rest need not be read: everything behind the header is decided, and no row can be made.
    fn is_over(&self) -> bool {
        if self.row.is_some() {
            return false;
        }
        let open = |(key, found): (&&Criterion<'_>, &bool)| {
            !found && matches!(key, Criterion::Body(_) | Criterion::Text(_))
        };
        !self.keys.iter().zip(&self.found).any(open)
    }
}

/// Shows the octets of a span piece by piece until `visit` says no.
async fn each(
    session: &Session,
    mail: &Mail,
    span: Span,
    mut visit: impl FnMut(&[u8]) -> bool,
) -> Result<(), LogError> {
    let (mut at, end) = (span.start as u64, span.end as u64);
    let mut piece = Vec::new();
    while at < end {
        piece = mail.piece(session, at..end, piece).await?;
        if piece.is_empty() {
            return Err(LogError::Damaged);
        }
        at += piece.len() as u64;
        if !visit(&piece) {
            break;
        }
    }
    Ok(())
}
