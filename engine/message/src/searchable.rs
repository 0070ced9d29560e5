//! What SEARCH looks through: the one definition of a mail's searchable text, folded by [`crate::fold`].
//!
//! In:  a digest, and the octets of the spans it names, in chunks of any size.
//! Out: folded UTF-8. [`of`] makes all of it for a text row; a search that has no row reads the pieces one by one. Both
//! go through [`Reader`], so both find the same.
//!
//! | section | what | counts for |
//! |---|---|---|
//! | header | the mail's header fields, `name: value` CRLF each | TEXT, HEADER |
//! | inner | MIME headers of its parts, likewise | TEXT |
//! | body | text parts, transfer encoding and charset undone, HTML as it is seen; headers of messages inside | TEXT, BODY |
//!
//! Values are unfolded and RFC 2047 words decoded, so that a field is one line. Behind each piece stands a NUL, which no
//! key of SEARCH may hold (RFC 3501 §9): nothing is found across two pieces. Attachments that are no text are not
//! searched, as in every server.
//!
//! Invariant: how the octets are cut into chunks does not show. Memory is bounded by a few [`LINE_OCTETS_MAX`], but
//! for a header, which is held as a whole; time is linear.

use crate::digest::{Address, Addresses, Envelope, Kind, Part};
use crate::html::Html;
use crate::{Digest, Span, fold, header, word};
use encoding_rs::{Decoder, Encoding, UTF_8, WINDOWS_1252};
use ringpost_scan::{ascii, base64, quoted};

/// Of one header so many octets are read.
pub const HEADER_OCTETS_MAX: usize = 8 << 20;
/// A line of quoted-printable that is longer is cut here, whatever the chunks are.
const LINE_OCTETS_MAX: usize = 64 * 1024;
/// So many octets tell whether text without a charset is UTF-8.
const GUESS_OCTETS: usize = 64 * 1024;
/// Octets read before a bound is looked at.
const CHUNK_OCTETS: usize = 64 * 1024;

/// Where a piece counts; see the head of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// The mail's own header.
    Header,
    /// Headers of its parts.
    Inner,
    /// Texts, and headers of messages inside.
    Body,
}

/// A stretch of a mail that has searchable text.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'d> {
    /// Where it counts.
    pub section: Section,
    /// Where it is in the mail.
    pub span: Span,
    kind: Content<'d>,
}

#[derive(Clone, Copy, Debug)]
enum Content<'d> {
    Fields,
    Text {
        encoding: &'d [u8],
        charset: Option<&'d [u8]>,
        html: bool,
    },
}

/// The pieces of a mail, section by section.
pub fn pieces<'d>(digest: &Digest<'d>) -> impl Iterator<Item = Piece<'d>> + use<'d> {
    let digest = *digest;
    let fields = |section, span| Piece {
        section,
        span,
        kind: Content::Fields,
    };
    let own = std::iter::once(fields(Section::Header, digest.header()));
    let parts = move || (0..digest.parts()).map_while(move |index| digest.part(index));
    // Of two parts in a row the first tells what the header of the second is: that of a message, or of a part.
    let of_message = |parts: (Part<'d>, Part<'d>)| (parts.0.kind == Kind::Message, parts.1);
    let below = move || parts().zip(parts().skip(1)).map(of_message);
    let inner = below().filter(|(of_message, _)| !of_message);
    let inner = inner.map(move |(_, part)| fields(Section::Inner, part.header));
    let headers = below().filter(|(of_message, _)| *of_message);
    let headers = headers.map(move |(_, part)| fields(Section::Body, part.header));
    let texts = parts().filter(|part| part.kind == Kind::Leaf && part.is_text());
    let texts = texts.map(|part| Piece {
        section: Section::Body,
        span: part.body,
        kind: Content::Text {
            encoding: part.encoding,
            charset: part.charset(),
            html: part.subtype.eq_ignore_ascii_case(b"html"),
        },
    });
    own.chain(inner).chain(headers).chain(texts)
}

/// Reads pieces, one after the other: [`Reader::begin`], [`Reader::feed`] for each chunk, [`Reader::finish`]. Its
/// buffers are kept from piece to piece.
#[derive(Default)]
pub struct Reader {
    /// `None`: header fields, which wait in `held`.
    text: Option<Text>,
    /// Octets that wait for those behind them.
    held: Vec<u8>,
    decoded: Vec<u8>,
    readable: String,
    visible: String,
}

/// How a text part is read.
struct Text {
    transfer: Transfer,
    charset: Charset,
    html: Option<Html>,
}

enum Transfer {
    Identity,
    Base64(base64::Group),
    Quoted,
}

enum Charset {
    /// What has come so far is too little to tell.
    Guess(Vec<u8>),
    Known(Decoder),
}

impl Reader {
    /// The next piece.
    pub fn begin(&mut self, piece: &Piece<'_>) {
        self.held.clear();
        self.text = match piece.kind {
            Content::Fields => None,
            Content::Text {
                encoding,
                charset,
                html,
            } => Some(Text {
                transfer: Transfer::of(encoding),
                charset: Charset::of(charset),
                html: html.then(Html::default),
            }),
        };
    }

    /// The piece's next octets: appends what they make to `out`, folded.
    pub fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let Some(text) = &mut self.text else {
            let room = HEADER_OCTETS_MAX.saturating_sub(self.held.len());
            self.held
                .extend_from_slice(&octets[..octets.len().min(room)]);
            return;
        };
        match &mut text.transfer {
            Transfer::Identity => {
                text.charset.decode(octets, Last::No, &mut self.readable);
                self.give(out);
            }
            Transfer::Base64(group) => {
                self.decoded.clear();
                base64::decode_piece(group, octets, &mut self.decoded);
                text.charset
                    .decode(&self.decoded, Last::No, &mut self.readable);
                self.give(out);
            }
            Transfer::Quoted if self.held.is_empty() => {
                let used = self.lines(octets, out);
                self.held.extend_from_slice(&octets[used..]);
            }
            Transfer::Quoted => {
                self.held.extend_from_slice(octets);
                let mut held = std::mem::take(&mut self.held);
                let used = self.lines(&held, out);
                held.drain(..used);
                self.held = held;
            }
        }
    }

    /// The piece ends here.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let Some(text) = &mut self.text else {
            fields_into(&self.held, out);
            self.held.clear();
            out.push(0);
            return;
        };
        self.decoded.clear();
        match &mut text.transfer {
            Transfer::Identity => {}
            Transfer::Base64(group) => group.end(&mut self.decoded),
            Transfer::Quoted => quoted::decode_into(&self.held, &mut self.decoded),
        }
        text.charset
            .decode(&self.decoded, Last::Yes, &mut self.readable);
        self.give(out);
        if let Some(Text {
            html: Some(html), ..
        }) = &mut self.text
        {
            html.finish(&mut self.visible);
            fold::fold_into(&self.visible, out);
            self.visible.clear();
        }
        self.held.clear();
        out.push(0);
    }

    /// Decodes whole lines of quoted-printable; octets used. What is left is shorter than [`LINE_OCTETS_MAX`].
    fn lines(&mut self, octets: &[u8], out: &mut Vec<u8>) -> usize {
        let mut used = 0;
        loop {
            let rest = &octets[used..];
            let window = &rest[..rest.len().min(LINE_OCTETS_MAX)];
            let whole = match memchr::memrchr(b'\n', window) {
                Some(at) => at + 1,
                None if window.len() == LINE_OCTETS_MAX => LINE_OCTETS_MAX,
                None => return used,
            };
            self.decoded.clear();
            quoted::decode_into(&window[..whole], &mut self.decoded);
            if let Some(text) = &mut self.text {
                text.charset
                    .decode(&self.decoded, Last::No, &mut self.readable);
            }
            self.give(out);
            used += whole;
        }
    }

    /// Hands on what is readable.
    fn give(&mut self, out: &mut Vec<u8>) {
        match &mut self.text {
            Some(Text {
                html: Some(html), ..
            }) => {
                html.feed(&self.readable, &mut self.visible);
                fold::fold_into(&self.visible, out);
                self.visible.clear();
            }
            _ => fold::fold_into(&self.readable, out),
        }
        self.readable.clear();
    }
}

impl Transfer {
    /// RFC 2045 §6. One that is not known leaves the octets as they are.
    fn of(encoding: &[u8]) -> Self {
        if encoding.eq_ignore_ascii_case(b"base64") {
            Transfer::Base64(base64::Group::default())
        } else if encoding.eq_ignore_ascii_case(b"quoted-printable") {
            Transfer::Quoted
        } else {
            Transfer::Identity
        }
    }
}

/// Whether more octets follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    No,
    Yes,
}

impl Charset {
    /// As [`crate::text::charset_decode`]: what is missing, not known or claims ASCII is looked at.
    fn of(label: Option<&[u8]>) -> Self {
        match label.and_then(Encoding::for_label) {
            Some(encoding) if encoding != WINDOWS_1252 => Charset::known(encoding),
            _ => Charset::Guess(Vec::new()),
        }
    }

    fn known(encoding: &'static Encoding) -> Self {
        Charset::Known(encoding.new_decoder_without_bom_handling())
    }

    /// Appends what `octets` say to `out`.
    fn decode(&mut self, octets: &[u8], last: Last, out: &mut String) {
        let Charset::Guess(held) = self else {
            return self.decode_known(octets, last, out);
        };
        held.extend_from_slice(octets);
        if held.len() < GUESS_OCTETS && last == Last::No {
            return;
        }
        let held = std::mem::take(held);
        *self = Charset::known(guess(&held[..held.len().min(GUESS_OCTETS)]));
        self.decode_known(&held, last, out);
    }

    fn decode_known(&mut self, octets: &[u8], last: Last, out: &mut String) {
        let Charset::Known(decoder) = self else {
            return;
        };
        let room = decoder.max_utf8_buffer_length(octets.len());
        out.reserve(room.unwrap_or(octets.len()));
        let (_, used, _) = decoder.decode_to_string(octets, out, last == Last::Yes);
        debug_assert_eq!(used, octets.len(), "there is room for all of it");
    }
}

/// UTF-8 if it is that, a character cut off at the end or not; else windows-1252, which every octet fits.
fn guess(octets: &[u8]) -> &'static Encoding {
    match std::str::from_utf8(octets) {
        Ok(_) => UTF_8,
        Err(error) if error.error_len().is_none() && octets.len() == GUESS_OCTETS => UTF_8,
        Err(_) => WINDOWS_1252,
    }
}

/// Appends the fields of a header, each as `name: value` CRLF, folded. Also for a recipient's prefix.
pub fn fields_into(octets: &[u8], out: &mut Vec<u8>) {
    for field in header::fields(octets) {
        ascii::fold_into(field.name, out);
        out.extend_from_slice(b": ");
        value_into(field.value, out);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends a field's value: unfolded, decoded, in one line, folded.
fn value_into(value: &[u8], out: &mut Vec<u8>) {
    if value.is_ascii() && word::opening(value).is_none() {
        let start = out.len();
        header::unfold_into(value, out);
        return ascii::fold(&mut out[start..]);
    }
    let mut decoded = word::decode(value);
    if decoded.contains(is_line_end) {
        decoded = decoded.replace(is_line_end, " ");
    }
    fold::fold_into(&decoded, out);
}

/// What an encoded word may hold and a line may not.
fn is_line_end(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\0')
}

/// All of a mail's searchable text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Searchable {
    /// What the envelope's keys (SUBJECT, FROM and so on) look at and `header` does not show letter by letter, such as
    /// a quoted name without its quotes. Not searched: it is there so that a filter made of all sections passes over no
    /// mail that such a key would find.
    pub keys: Vec<u8>,
    /// The sections, one behind the other, each piece with a NUL behind it.
    pub text: Vec<u8>,
    /// Where in `text` the section inner begins.
    pub inner: usize,
    /// Where in `text` the section body begins.
    pub body: usize,
}

/// The searchable text of a mail whose `octets` are at hand; `None` where it has more than `octets_max`.
pub fn of(digest: &Digest<'_>, octets: &[u8], octets_max: usize) -> Option<Searchable> {
    let mut reader = Reader::default();
    let mut text = Vec::new();
    let (mut inner, mut body) = (None, None);
    for piece in pieces(digest) {
        match piece.section {
            Section::Header => {}
            Section::Inner => _ = inner.get_or_insert(text.len()),
            Section::Body => _ = body.get_or_insert(text.len()),
        }
        let span = piece.span.of(octets);
        match piece.kind {
            // A header is not copied to be read as a whole.
            Content::Fields => {
                fields_into(&span[..span.len().min(HEADER_OCTETS_MAX)], &mut text);
                text.push(0);
            }
            Content::Text { .. } => {
                reader.begin(&piece);
                for chunk in span.chunks(CHUNK_OCTETS) {
                    reader.feed(chunk, &mut text);
                    if text.len() > octets_max {
                        return None;
                    }
                }
                reader.finish(&mut text);
            }
        }
        if text.len() > octets_max {
            return None;
        }
    }
    let body = body.unwrap_or(text.len());
    let inner = inner.unwrap_or(body);
    let keys = keys(&digest.envelope(), &text[..inner]);
    (keys.len() + text.len() <= octets_max).then_some(Searchable {
        keys,
        text,
        inner,
        body,
    })
}

/// [`Searchable::keys`] of a mail whose section header is `shown`.
pub fn keys(envelope: &Envelope<'_>, shown: &[u8]) -> Vec<u8> {
    let mut keys = Vec::new();
    let mut folded = Vec::new();
    let mut add = |text: &str| {
        folded.clear();
        fold::fold_into(text, &mut folded);
        if memchr::memmem::find(shown, &folded).is_none() {
            keys.extend_from_slice(&folded);
            keys.push(0);
        }
    };
    let values = [envelope.subject, envelope.message_id, envelope.in_reply_to];
    for value in values.into_iter().flatten() {
        add(&word::decode(value));
    }
    for list in [envelope.from, envelope.to, envelope.cc, envelope.bcc] {
        if !list.is_empty() {
            add(&addresses(list));
        }
    }
    keys
}

/// An address list as a reader sees it, and as FROM, TO, CC and BCC look at it: `Name <local@domain>, ...`.
pub fn addresses(list: Addresses<'_>) -> String {
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

#[cfg(test)]
mod tests;
