//! From the header fields of one part to its texts in the digest.
//!
//! In:  spans of the fields that matter, gathered while the header went by. Out: [`Body`], what the part's body is to the
//! scanner; and the part's description and envelope among the digest's [`Texts`].

use crate::digest::write::Texts;
use crate::span::Window;
use crate::{Faults, Span, address, header, parameter};
use std::borrow::Cow;

/// Fields that ENVELOPE and BODYSTRUCTURE are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    ContentType,
    ContentEncoding,
    ContentId,
    ContentDescription,
    ContentMd5,
    ContentDisposition,
    ContentLanguage,
    ContentLocation,
    Date,
    Subject,
    InReplyTo,
    MessageId,
    From,
    Sender,
    ReplyTo,
    To,
    Cc,
    Bcc,
}

/// Address fields in the order of the digest. They may repeat, RFC 5322 §4.5.3; the others count once, the first.
const LISTS: [Slot; 6] = [
    Slot::From,
    Slot::Sender,
    Slot::ReplyTo,
    Slot::To,
    Slot::Cc,
    Slot::Bcc,
];

/// Length of the longest name below.
const NAME_OCTETS_MAX: usize = 25;

fn slot(name: &[u8]) -> Option<Slot> {
    let mut folded = [0; NAME_OCTETS_MAX];
    let folded = folded.get_mut(..name.len())?;
    folded.copy_from_slice(name);
    folded.make_ascii_lowercase();
    Some(match &*folded {
        b"content-type" => Slot::ContentType,
        b"content-transfer-encoding" => Slot::ContentEncoding,
        b"content-id" => Slot::ContentId,
        b"content-description" => Slot::ContentDescription,
        b"content-md5" => Slot::ContentMd5,
        b"content-disposition" => Slot::ContentDisposition,
        b"content-language" => Slot::ContentLanguage,
        b"content-location" => Slot::ContentLocation,
        b"date" => Slot::Date,
        b"subject" => Slot::Subject,
        b"in-reply-to" => Slot::InReplyTo,
        b"message-id" => Slot::MessageId,
        b"from" => Slot::From,
        b"sender" => Slot::Sender,
        b"reply-to" => Slot::ReplyTo,
        b"to" => Slot::To,
        b"cc" => Slot::Cc,
        b"bcc" => Slot::Bcc,
        _ => return None,
    })
}

/// What the header of one part has said so far.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(Slot, Span)>);

/// Fields that matter in most headers.
const USUAL_FIELDS: usize = 16;

/// What a part has when its Content-Type is missing. RFC 2045 §5.2, RFC 2046 §5.1.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fallback {
    Text,
    Message,
}

/// What the scanner does with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Leaf,
    /// With its boundary, and what its parts are when they do not say.
    Multipart(Vec<u8>, Fallback),
    Message,
}

/// Whether the part may have parts of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Open,
    /// A limit is reached; this fault tells which.
    Closed(Faults),
}

impl Room {
    fn fault(self) -> Faults {
        match self {
            Room::Open => Faults::default(),
            Room::Closed(fault) => fault,
        }
    }
}

impl Fields {
    /// Keeps `value` if the field called `name` matters.
    pub fn add(&mut self, name: &[u8], value: Span) {
        let Some(slot) = slot(name) else { return };
        if LISTS.contains(&slot) || self.span(slot).is_none() {
            if self.0.capacity() == 0 {
                self.0.reserve(USUAL_FIELDS);
            }
            self.0.push((slot, value));
        }
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn span(&self, slot: Slot) -> Option<Span> {
        let found = self.0.iter().find(|(known, _)| *known == slot);
        found.map(|(_, span)| *span)
    }

    /// The unfolded value; `None` where the field is missing or empty.
    fn value<'m>(&self, window: Window<'m>, slot: Slot) -> Option<Cow<'m, [u8]>> {
        let value = window.of(self.span(slot)?).trim_ascii();
        (!value.is_empty()).then(|| header::unfolded(value))
    }

    /// Whether there is a Date that says something.
    pub fn has_date(&self, window: Window<'_>) -> bool {
        self.says(window, Slot::Date)
    }

    /// Whether there is a Message-ID that says something.
    pub fn has_message_id(&self, window: Window<'_>) -> bool {
        self.says(window, Slot::MessageId)
    }

    fn says(&self, window: Window<'_>, slot: Slot) -> bool {
        let value = self.span(slot).map(|span| window.of(span));
        value.is_some_and(|value| !value.trim_ascii().is_empty())
    }

    /// Decides what the body is and writes the description.
    pub fn describe(
        &self,
        window: Window<'_>,
        fallback: Fallback,
        room: Room,
        texts: &mut Texts,
        faults: &mut Faults,
    ) -> Body {
        let value = self.value(window, Slot::ContentType);
        let encoding = self.value(window, Slot::ContentEncoding);
        let encoding = encoding.as_deref().map(first_token);
        let content = match value.as_deref().map(parameter::media_type) {
            Some(Some((media_type, subtype, parameters))) => Content {
                media_type,
                subtype,
                parameters: Some(parameters),
            },
            Some(None) => {
                faults.add(Faults::BAD_TYPE);
                Content::TEXT // RFC 2045 §5.2.
            }
            None if fallback == Fallback::Message => Content::MESSAGE, // RFC 2046 §5.1.5.
            None => Content::TEXT,
        };
        let (body, shown) = match content.nature() {
            Nature::Other => (Body::Leaf, Shown::AsWritten),
            _ if room != Room::Open => {
                faults.add(room.fault());
                (Body::Leaf, Shown::Opaque)
            }
            Nature::Message if is_encoded(encoding) => {
                faults.add(Faults::ENCODED_MESSAGE);
                (Body::Leaf, Shown::Opaque)
            }
            Nature::Message => (Body::Message, Shown::AsWritten),
            Nature::Multipart => match content.multipart() {
                Some(body) => (body, Shown::AsWritten),
                None => {
                    faults.add(Faults::NO_BOUNDARY);
                    (Body::Leaf, Shown::Default)
                }
            },
        };
        match shown {
            Shown::AsWritten => content.write(texts),
            Shown::Default => Content::TEXT.write(texts),
            Shown::Opaque => Content::OPAQUE.write(texts),
        }
        self.describe_rest(window, encoding, texts);
        body
    }

    /// Everything behind the type.
    fn describe_rest(&self, window: Window<'_>, encoding: Option<&[u8]>, texts: &mut Texts) {
        texts.text(self.value(window, Slot::ContentId).as_deref());
        texts.text(self.value(window, Slot::ContentDescription).as_deref());
        texts.text(encoding);
        texts.text(self.value(window, Slot::ContentMd5).as_deref());
        let disposition = self.value(window, Slot::ContentDisposition);
        match disposition.as_deref().and_then(parameter::disposition) {
            Some((disposition, parameters)) => {
                texts.text(Some(disposition));
                write_parameters(texts, parameters);
            }
            None => {
                texts.text(None);
                texts.groups::<2>(std::iter::empty());
            }
        }
        let languages = self.value(window, Slot::ContentLanguage);
        let languages = languages.as_deref().unwrap_or_default();
        let tags = languages.split(|octet| *octet == b',').map(first_token);
        texts.groups(tags.filter(|tag| !tag.is_empty()).map(|tag| [tag]));
        texts.text(self.value(window, Slot::ContentLocation).as_deref());
    }

    /// Writes the envelope. RFC 9051 §7.5.2.
    pub fn envelope(&self, window: Window<'_>, texts: &mut Texts) {
        for slot in [Slot::Date, Slot::Subject, Slot::InReplyTo, Slot::MessageId] {
            texts.text(self.value(window, slot).as_deref());
        }
        for slot in LISTS {
            let mut list = texts.address_list();
            for (_, span) in self.0.iter().filter(|(known, _)| *known == slot) {
                let value = header::unfolded(window.of(*span));
                address::parse(&value, &mut |item| list.add(item));
            }
            texts.addresses(&list);
        }
    }
}

/// A Content-Type, or what stands for a missing one.
struct Content<'v> {
    /// Empty: told as absent, which the digest's reader takes for text/plain.
    media_type: &'v [u8],
    subtype: &'v [u8],
    parameters: Option<parameter::Parameters<'v>>,
}

/// What a Content-Type means for the tree.
enum Nature {
    Message,
    Multipart,
    Other,
}

/// Which type BODYSTRUCTURE tells.
enum Shown {
    AsWritten,
    /// text/plain: there is no telling what it is. RFC 2045 §5.2.
    Default,
    /// application/octet-stream: IMAP has no form for a multipart without parts or a message without envelope.
    Opaque,
}

impl<'v> Content<'v> {
    const TEXT: Content<'static> = Content::fixed(b"", b"");
    const MESSAGE: Content<'static> = Content::fixed(b"message", b"rfc822");
    const OPAQUE: Content<'static> = Content::fixed(b"application", b"octet-stream");

    const fn fixed(media_type: &'v [u8], subtype: &'v [u8]) -> Self {
        Content {
            media_type,
            subtype,
            parameters: None,
        }
    }

    fn nature(&self) -> Nature {
        let subtype = |known: &[u8]| self.subtype.eq_ignore_ascii_case(known);
        if self.media_type.eq_ignore_ascii_case(b"multipart") {
            Nature::Multipart
        } else if self.media_type.eq_ignore_ascii_case(b"message")
            && (subtype(b"rfc822") || subtype(b"global"))
        {
            Nature::Message
        } else {
            Nature::Other
        }
    }

    /// `None` where it has no boundary that could be looked for.
    fn multipart(&self) -> Option<Body> {
        let boundary = parameter::boundary(self.parameters.clone()?)?;
        let fallback = match self.subtype.eq_ignore_ascii_case(b"digest") {
            true => Fallback::Message, // RFC 2046 §5.1.5.
            false => Fallback::Text,
        };
        Some(Body::Multipart(boundary, fallback))
    }

    fn write(&self, texts: &mut Texts) {
        let written = |text: &'v [u8]| Some(text).filter(|text| !text.is_empty());
        texts.short(written(self.media_type));
        texts.short(written(self.subtype));
        match &self.parameters {
            Some(parameters) => write_parameters(texts, parameters.clone()),
            None => texts.groups::<2>(std::iter::empty()),
        }
    }
}

/// A part of which nothing is known: text/plain, and nothing more.
pub(crate) fn plain(texts: &mut Texts) {
    Content::TEXT.write(texts);
    Fields::default().describe_rest(Window::new(&[], 0), None, texts);
}

/// A part that is not looked into.
pub(crate) fn opaque(texts: &mut Texts) {
    Content::OPAQUE.write(texts);
    Fields::default().describe_rest(Window::new(&[], 0), None, texts);
}

fn write_parameters(texts: &mut Texts, parameters: parameter::Parameters<'_>) {
    let all: Vec<_> = parameters.collect();
    texts.groups(all.iter().map(|(name, value)| [*name, &**value]));
}

/// Octets up to white space, `;` or a comment.
fn first_token(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    let end = value
        .iter()
        .position(|octet| octet.is_ascii_whitespace() || matches!(octet, b';' | b'('));
    &value[..end.unwrap_or(value.len())]
}

/// Whether a message under `encoding` is not its own octets. RFC 2046 §5.2.1 forbids that; it comes all the same.
fn is_encoded(encoding: Option<&[u8]>) -> bool {
    encoding.is_some_and(|encoding| {
        encoding.eq_ignore_ascii_case(b"base64")
            || encoding.eq_ignore_ascii_case(b"quoted-printable")
    })
}
