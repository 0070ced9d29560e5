//! From the header fields of one part to its texts in the digest.
//!
//! In:  spans of the fields that matter, gathered while the header went by. Out: [`Body`], what the part's body is to the
//! scanner; and the part's description and envelope among the digest's [`Texts`].

use crate::digest::write::Texts;
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
    /// With its boundary; whether it is multipart/digest.
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

impl Fields {
    /// Keeps `value` if the field called `name` matters.
    pub fn add(&mut self, name: &[u8], value: Span) {
        let Some(slot) = slot(name) else { return };
        if LISTS.contains(&slot) || self.span(slot).is_none() {
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
    fn value<'m>(&self, message: &'m [u8], slot: Slot) -> Option<Cow<'m, [u8]>> {
        let value = self.span(slot)?.of(message).trim_ascii();
        (!value.is_empty()).then(|| header::unfolded(value))
    }

    /// Decides what the body is and writes the description.
    pub fn describe(
        &self,
        message: &[u8],
        default: Fallback,
        room: Room,
        texts: &mut Texts,
        faults: &mut Faults,
    ) -> Body {
        let content = self.value(message, Slot::ContentType);
        let encoding = self.value(message, Slot::ContentEncoding);
        let encoding = encoding.as_deref().map(first_token);
        let parsed = content.as_deref().and_then(parameter::media_type);
        if content.is_some() && parsed.is_none() {
            faults.add(Faults::BAD_TYPE); // RFC 2045 §5.2: read as text/plain.
        }
        let is_message = match &parsed {
            None => content.is_none() && default == Fallback::Message,
            Some((media_type, subtype, _)) => {
                media_type.eq_ignore_ascii_case(b"message")
                    && (subtype.eq_ignore_ascii_case(b"rfc822")
                        || subtype.eq_ignore_ascii_case(b"global"))
            }
        };
        let is_multipart = parsed
            .as_ref()
            .is_some_and(|(media_type, ..)| media_type.eq_ignore_ascii_case(b"multipart"));
        let boundary = parsed
            .as_ref()
            .filter(|_| is_multipart)
            .and_then(|(.., parameters)| parameter::boundary(parameters.clone()));

        let mut shown = Shown::AsWritten;
        let mut body = Body::Leaf;
        match (is_message, is_multipart, room) {
            (true, _, _) if is_encoded(encoding) => {
                faults.add(Faults::ENCODED_MESSAGE);
                shown = Shown::Opaque;
            }
            (true, _, Room::Open) => body = Body::Message,
            (_, true, Room::Open) => match boundary {
                Some(boundary) => {
                    let digest = parsed
                        .as_ref()
                        .is_some_and(|(_, subtype, _)| subtype.eq_ignore_ascii_case(b"digest"));
                    let default = if digest {
                        Fallback::Message
                    } else {
                        Fallback::Text
                    };
                    body = Body::Multipart(boundary, default);
                }
                None => {
                    faults.add(Faults::NO_BOUNDARY);
                    shown = Shown::Default;
                }
            },
            (true, _, Room::Closed(fault)) | (_, true, Room::Closed(fault)) => {
                faults.add(fault);
                shown = Shown::Opaque;
            }
            _ => {}
        }

        match (shown, &parsed) {
            (Shown::Opaque, _) => write_opaque(texts),
            (Shown::AsWritten, Some((media_type, subtype, parameters))) => {
                texts.text(Some(media_type));
                texts.text(Some(subtype));
                write_parameters(texts, parameters.clone());
            }
            (Shown::AsWritten, None) if is_message => write_type(texts, b"message", b"rfc822"),
            _ => write_default(texts),
        }
        self.describe_rest(message, encoding, texts);
        body
    }

    /// Everything behind the type.
    fn describe_rest(&self, message: &[u8], encoding: Option<&[u8]>, texts: &mut Texts) {
        texts.text(self.value(message, Slot::ContentId).as_deref());
        texts.text(self.value(message, Slot::ContentDescription).as_deref());
        texts.text(encoding);
        texts.text(self.value(message, Slot::ContentMd5).as_deref());
        let disposition = self.value(message, Slot::ContentDisposition);
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
        let languages = self.value(message, Slot::ContentLanguage);
        let languages = languages.as_deref().unwrap_or_default();
        let tags = languages.split(|octet| *octet == b',').map(first_token);
        texts.groups(tags.filter(|tag| !tag.is_empty()).map(|tag| [tag]));
        texts.text(self.value(message, Slot::ContentLocation).as_deref());
    }

    /// Writes the envelope. RFC 9051 §7.5.2.
    pub fn envelope(&self, message: &[u8], texts: &mut Texts) {
        for slot in [Slot::Date, Slot::Subject, Slot::InReplyTo, Slot::MessageId] {
            texts.text(self.value(message, slot).as_deref());
        }
        for slot in LISTS {
            let mut list = texts.address_list();
            for (_, span) in self.0.iter().filter(|(known, _)| *known == slot) {
                let value = header::unfolded(span.of(message));
                address::parse(&value, &mut |item| list.add(item));
            }
            texts.addresses(&list);
        }
    }
}

/// Which type BODYSTRUCTURE tells.
enum Shown {
    AsWritten,
    /// text/plain: there is no telling what it is. RFC 2045 §5.2.
    Default,
    /// application/octet-stream: IMAP has no form for a multipart without parts or a message without envelope.
    Opaque,
}

/// A part of which nothing is known: text/plain, and nothing more.
pub(crate) fn plain(texts: &mut Texts) {
    write_default(texts);
    Fields::default().describe_rest(&[], None, texts);
}

/// A part that is not looked into.
pub(crate) fn opaque(texts: &mut Texts) {
    write_opaque(texts);
    Fields::default().describe_rest(&[], None, texts);
}

fn write_default(texts: &mut Texts) {
    texts.text(None);
    texts.text(None);
    texts.groups::<2>(std::iter::empty());
}

fn write_opaque(texts: &mut Texts) {
    write_type(texts, b"application", b"octet-stream");
}

fn write_type(texts: &mut Texts, media_type: &[u8], subtype: &[u8]) {
    texts.text(Some(media_type));
    texts.text(Some(subtype));
    texts.groups::<2>(std::iter::empty());
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
