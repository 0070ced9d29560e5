//! Takes records of a digest apart. Nothing here panics; what runs past the end is `None`.

use super::{Digest, Kind, VERSION};
use crate::{Faults, Span};

/// A place in digest octets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor<'d>(pub &'d [u8]);

impl<'d> Cursor<'d> {
    pub fn octet(&mut self) -> Option<u8> {
        let (&octet, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(octet)
    }

    /// LEB128, at most 63 bits.
    pub fn integer(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let octet = self.octet()?;
            value |= u64::from(octet & 0x7f) << shift;
            if octet < 0x80 {
                return Some(value);
            }
        }
        None
    }

    pub fn size(&mut self) -> Option<usize> {
        self.integer()?.try_into().ok()
    }

    pub fn take(&mut self, octets: usize) -> Option<&'d [u8]> {
        let (taken, rest) = self.0.split_at_checked(octets)?;
        self.0 = rest;
        Some(taken)
    }

    /// The outer `None`: damaged; the inner: absent.
    pub fn text(&mut self) -> Option<Option<&'d [u8]>> {
        match self.size()? {
            0 => Some(None),
            octets => self.take(octets - 1).map(Some),
        }
    }

    /// A count and that many groups of `each` texts, checked, as a slice of their own.
    fn texts(&mut self, each: usize) -> Option<(&'d [u8], usize)> {
        let count = self.size()?;
        let before = self.0;
        for _ in 0..count.checked_mul(each)? {
            self.text()??;
        }
        Some((&before[..before.len() - self.0.len()], count))
    }

    fn addresses(&mut self) -> Option<Addresses<'d>> {
        let octets = self.size()?;
        let list = Addresses(Cursor(self.take(octets)?));
        let mut check = list.0;
        while !check.0.is_empty() {
            address(&mut check)?;
        }
        Some(list)
    }
}

/// Head and table; the records are not looked at yet.
pub(super) fn head(octets: &[u8]) -> Option<Digest<'_>> {
    let mut cursor = Cursor(octets);
    if cursor.octet()? != VERSION {
        return None;
    }
    let flags = cursor.octet()?;
    let faults = Faults(cursor.integer()?.try_into().ok()?);
    let octets = cursor.integer()?;
    let lines = cursor.integer()?;
    let received = cursor.integer()?.try_into().ok()?;
    let parts = cursor.size()?;
    let table = cursor.take(parts.checked_mul(4)?)?;
    Some(Digest {
        flags,
        faults,
        octets,
        lines,
        received,
        table,
        records: cursor.0,
    })
}

/// One node of the tree, with everything BODYSTRUCTURE says of it. RFC 9051 §7.5.2.
#[derive(Clone, Copy, Debug)]
pub struct Part<'d> {
    /// Its place in the digest: parents before their children, children in order.
    pub index: usize,
    /// What it is.
    pub kind: Kind,
    /// How many parts are below it, at any depth.
    pub descendants: usize,
    /// Its MIME header with the empty line behind it: `[n.MIME]`.
    pub header: Span,
    /// Its body as it stands, still encoded: `[n]`.
    pub body: Span,
    /// Line ends (LF) in the body.
    pub lines: u64,
    /// As written; `TEXT` where the mail says nothing. RFC 2045 §5.2.
    pub media_type: &'d [u8],
    /// As written; `PLAIN` where the mail says nothing.
    pub subtype: &'d [u8],
    /// Of Content-Type.
    pub parameters: Parameters<'d>,
    /// Content-ID.
    pub id: Option<&'d [u8]>,
    /// Content-Description.
    pub description: Option<&'d [u8]>,
    /// Content-Transfer-Encoding; `7BIT` where the mail says nothing. RFC 2045 §6.1.
    pub encoding: &'d [u8],
    /// Content-MD5.
    pub md5: Option<&'d [u8]>,
    /// Content-Disposition without its parameters.
    pub disposition: Option<&'d [u8]>,
    /// Of Content-Disposition.
    pub disposition_parameters: Parameters<'d>,
    /// Content-Language, one text for each tag.
    pub languages: Texts<'d>,
    /// Content-Location.
    pub location: Option<&'d [u8]>,
}

impl<'d> Part<'d> {
    /// Whether Content-Type is `media_type`/`subtype`, in any case.
    pub fn is(&self, media_type: &str, subtype: &str) -> bool {
        self.media_type.eq_ignore_ascii_case(media_type.as_bytes())
            && self.subtype.eq_ignore_ascii_case(subtype.as_bytes())
    }

    /// Whether Content-Type is text of any kind.
    pub fn is_text(&self) -> bool {
        self.media_type.eq_ignore_ascii_case(b"text")
    }

    /// The charset parameter.
    pub fn charset(&self) -> Option<&'d [u8]> {
        self.parameters.value("charset")
    }
}

const KIND: u8 = 3;
pub(super) const HAS_ENVELOPE: u8 = 4;

impl<'d> Digest<'d> {
    /// Part `index`.
    pub fn part(&self, index: usize) -> Option<Part<'d>> {
        part(&mut self.record(index)?, index).map(|(part, _)| part)
    }

    pub(super) fn record(&self, index: usize) -> Option<Cursor<'d>> {
        let entry = self.table.chunks_exact(4).nth(index)?;
        let at = u32::from_le_bytes(entry.try_into().expect("chunks of four"));
        self.records.get(at as usize..).map(Cursor)
    }

    /// The envelope that stands with part `index`, which is then the body of a message.
    pub(super) fn envelope_at(&self, index: usize) -> Option<Envelope<'d>> {
        let mut cursor = self.record(index)?;
        let (_, flags) = part(&mut cursor, index)?;
        if flags & HAS_ENVELOPE == 0 {
            return None;
        }
        envelope(&mut cursor)
    }
}

/// Reads one record up to its envelope; also its first octet.
pub(super) fn part<'d>(cursor: &mut Cursor<'d>, index: usize) -> Option<(Part<'d>, u8)> {
    let flags = cursor.octet()?;
    let kind = match flags & KIND {
        0 => Kind::Leaf,
        1 => Kind::Multipart,
        2 => Kind::Message,
        _ => return None,
    };
    let descendants = cursor.size()?;
    let start = cursor.size()?;
    let middle = start.checked_add(cursor.size()?)?;
    let end = middle.checked_add(cursor.size()?)?;
    let lines = cursor.integer()?;
    let media_type = cursor.text()?;
    let subtype = cursor.text()?;
    let parameters = Parameters::read(cursor)?;
    let part = Part {
        index,
        kind,
        descendants,
        header: Span::new(start, middle),
        body: Span::new(middle, end),
        lines,
        media_type: media_type.unwrap_or(b"TEXT"),
        subtype: subtype.unwrap_or(b"PLAIN"),
        parameters: match media_type {
            Some(_) => parameters,
            None => Parameters::DEFAULT,
        },
        id: cursor.text()?,
        description: cursor.text()?,
        encoding: cursor.text()?.unwrap_or(b"7BIT"),
        md5: cursor.text()?,
        disposition: cursor.text()?,
        disposition_parameters: Parameters::read(cursor)?,
        languages: Texts::read(cursor)?,
        location: cursor.text()?,
    };
    Some((part, flags))
}

/// Parameters of a Content-Type or Content-Disposition, in order, RFC 2231 forms as they were written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parameters<'d> {
    rest: Cursor<'d>,
    count: usize,
}

impl<'d> Parameters<'d> {
    /// What a part without Content-Type has. RFC 2045 §5.2.
    const DEFAULT: Parameters<'static> = Parameters {
        rest: Cursor(b"\x08charset\x09us-ascii"),
        count: 1,
    };

    fn read(cursor: &mut Cursor<'d>) -> Option<Self> {
        let (octets, count) = cursor.texts(2)?;
        Some(Parameters {
            rest: Cursor(octets),
            count,
        })
    }

    /// The value of the first parameter called `name`, in any case.
    pub fn value(&self, name: &str) -> Option<&'d [u8]> {
        self.into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl<'d> Iterator for Parameters<'d> {
    /// Name and value.
    type Item = (&'d [u8], &'d [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        Some((self.rest.text()??, self.rest.text()??))
    }
}

/// A list of texts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Texts<'d> {
    rest: Cursor<'d>,
    count: usize,
}

impl<'d> Texts<'d> {
    fn read(cursor: &mut Cursor<'d>) -> Option<Self> {
        let (octets, count) = cursor.texts(1)?;
        Some(Texts {
            rest: Cursor(octets),
            count,
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl<'d> Iterator for Texts<'d> {
    type Item = &'d [u8];

    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        self.rest.text()?
    }
}

/// What ENVELOPE says of a message. Values are unfolded and otherwise as they stand in the mail: RFC 2047 words are
/// not decoded. RFC 9051 §7.5.2.
#[derive(Clone, Copy, Debug, Default)]
pub struct Envelope<'d> {
    /// Date.
    pub date: Option<&'d [u8]>,
    /// Subject.
    pub subject: Option<&'d [u8]>,
    /// In-Reply-To.
    pub in_reply_to: Option<&'d [u8]>,
    /// Message-ID.
    pub message_id: Option<&'d [u8]>,
    /// From.
    pub from: Addresses<'d>,
    /// Sender; the addresses of From where the mail has none.
    pub sender: Addresses<'d>,
    /// Reply-To; the addresses of From where the mail has none.
    pub reply_to: Addresses<'d>,
    /// To.
    pub to: Addresses<'d>,
    /// Cc.
    pub cc: Addresses<'d>,
    /// Bcc.
    pub bcc: Addresses<'d>,
}

pub(super) fn envelope<'d>(cursor: &mut Cursor<'d>) -> Option<Envelope<'d>> {
    let mut envelope = Envelope {
        date: cursor.text()?,
        subject: cursor.text()?,
        in_reply_to: cursor.text()?,
        message_id: cursor.text()?,
        from: cursor.addresses()?,
        sender: cursor.addresses()?,
        reply_to: cursor.addresses()?,
        to: cursor.addresses()?,
        cc: cursor.addresses()?,
        bcc: cursor.addresses()?,
    };
    // RFC 9051 §7.5.2: an absent Sender or Reply-To is told as From.
    for list in [&mut envelope.sender, &mut envelope.reply_to] {
        if list.is_empty() {
            *list = envelope.from;
        }
    }
    Some(envelope)
}

/// An address list, as ENVELOPE wants it. An iterator of [`Address`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Addresses<'d>(Cursor<'d>);

impl Addresses<'_> {
    /// Whether there is none: NIL in ENVELOPE.
    pub fn is_empty(&self) -> bool {
        self.0.0.is_empty()
    }
}

/// One element of an address list. RFC 9051 §7.5.2: a group is told by its start and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address<'d> {
    /// One mailbox.
    Mailbox {
        /// Display name, quoting undone, RFC 2047 words as they are.
        name: Option<&'d [u8]>,
        /// The source route that RFC 5322 §4.4 still allows: `adl`.
        route: Option<&'d [u8]>,
        /// The local part, quoting undone.
        mailbox: &'d [u8],
        /// The domain; empty where the mail has none.
        host: &'d [u8],
    },
    /// `name:` opens: (NIL NIL name NIL).
    GroupStart(&'d [u8]),
    /// `;` closes: (NIL NIL NIL NIL).
    GroupEnd,
}

fn address<'d>(cursor: &mut Cursor<'d>) -> Option<Address<'d>> {
    match cursor.octet()? {
        kind @ (0 | 3) => Some(Address::Mailbox {
            route: if kind == 3 { cursor.text()? } else { None },
            name: cursor.text()?,
            mailbox: cursor.text()??,
            host: cursor.text()??,
        }),
        1 => Some(Address::GroupStart(cursor.text()??)),
        2 => Some(Address::GroupEnd),
        _ => None,
    }
}

impl<'d> Iterator for Addresses<'d> {
    type Item = Address<'d>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_empty() {
            return None;
        }
        address(&mut self.0)
    }
}
