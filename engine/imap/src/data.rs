//! Data responses about mailboxes and messages. RFC 3501 §7.2 to §7.4.
//!
//! A FETCH answer is framed by [`fetch`] and [`fetch_end`]; the items in between each write their own leading
//! space but the first. FLAGS of a whole mailbox is what clients ask for most, so these write bytes, not formats.

use crate::command::{Section, SectionText, StatusItems};
use crate::flag;
use crate::write::{astring, literal_header, mailbox, number, set};
use ringpost_types::ModSeq;

/// `* 23 EXISTS` CRLF.
pub fn exists(out: &mut Vec<u8>, messages: u32) {
    numbered(out, messages, b" EXISTS\r\n");
}

/// `* 5 RECENT` CRLF.
pub fn recent(out: &mut Vec<u8>, messages: u32) {
    numbered(out, messages, b" RECENT\r\n");
}

/// `* 44 EXPUNGE` CRLF.
pub fn expunge(out: &mut Vec<u8>, sequence: u32) {
    numbered(out, sequence, b" EXPUNGE\r\n");
}

fn numbered(out: &mut Vec<u8>, value: u32, rest: &[u8]) {
    out.extend_from_slice(b"* ");
    number(out, value.into());
    out.extend_from_slice(rest);
}

/// `(\Seen $Junk)`: bits of [`flag`], then keywords.
pub fn flag_list<'k>(out: &mut Vec<u8>, system: u32, keywords: impl IntoIterator<Item = &'k str>) {
    out.push(b'(');
    let start = out.len();
    flag_names(out, system);
    for keyword in keywords {
        if out.len() > start {
            out.push(b' ');
        }
        out.extend_from_slice(keyword.as_bytes());
    }
    out.push(b')');
}

/// Names of system flags, space-separated.
#[inline]
pub(crate) fn flag_names(out: &mut Vec<u8>, system: u32) {
    out.extend_from_slice(NAMES[(system & 0x3f) as usize].as_bytes());
}

/// All 64 sets of system flags, written out when the program is built.
static NAMES: [Names; 64] = {
    let mut table = [Names {
        octets: [0; 54],
        length: 0,
    }; 64];
    let mut bits = 0;
    while bits < 64 {
        let mut names = Names {
            octets: [0; 54],
            length: 0,
        };
        let mut each = 0;
        while each < flag::TABLE.len() {
            if bits & flag::TABLE[each].0 as usize != 0 {
                if names.length > 0 {
                    names = names.with(b' ');
                }
                let name = flag::TABLE[each].1.as_bytes();
                let mut at = 0;
                while at < name.len() {
                    names = names.with(name[at]);
                    at += 1;
                }
            }
            each += 1;
        }
        table[bits] = names;
        bits += 1;
    }
    table
};

#[derive(Clone, Copy)]
struct Names {
    octets: [u8; 54],
    length: u8,
}

impl Names {
    const fn with(mut self, octet: u8) -> Self {
        self.octets[self.length as usize] = octet;
        self.length += 1;
        self
    }

    fn as_bytes(&self) -> &[u8] {
        &self.octets[..self.length as usize]
    }
}

/// `* FLAGS (...)` CRLF: the flags that apply to the mailbox.
pub fn flags<'k>(out: &mut Vec<u8>, system: u32, keywords: impl IntoIterator<Item = &'k str>) {
    out.extend_from_slice(b"* FLAGS ");
    flag_list(out, system, keywords);
    out.extend_from_slice(b"\r\n");
}

/// `* CAPABILITY ...` CRLF; names separated by spaces.
pub fn capability(out: &mut Vec<u8>, names: &str) {
    line(out, &[b"* CAPABILITY ", names.as_bytes(), b"\r\n"]);
}

/// `* ENABLED ...` CRLF. RFC 5161 §3.2.
pub fn enabled<'n>(out: &mut Vec<u8>, names: impl IntoIterator<Item = &'n str>) {
    out.extend_from_slice(b"* ENABLED");
    for name in names {
        line(out, &[b" ", name.as_bytes()]);
    }
    out.extend_from_slice(b"\r\n");
}

fn line(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    for piece in pieces {
        out.extend_from_slice(piece);
    }
}

/// One mailbox of LIST or LSUB.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'r> {
    /// `LIST` or `LSUB`.
    pub response: &'static str,
    /// `\HasChildren` and its like, with their backslash.
    pub attributes: &'r [&'r str],
    /// `None`: a flat name, NIL.
    pub delimiter: Option<u8>,
    /// In UTF-8.
    pub mailbox: &'r str,
    /// CHILDINFO, as in RECURSIVEMATCH of SUBSCRIBED. RFC 5258 §4.
    pub child_subscribed: bool,
}

/// `* LIST (\HasNoChildren) "/" INBOX` CRLF. RFC 3501 §7.2.2, RFC 5258 §4.
pub fn list(out: &mut Vec<u8>, listed: Listed<'_>) {
    line(out, &[b"* ", listed.response.as_bytes(), b" ("]);
    for (at, attribute) in listed.attributes.iter().enumerate() {
        line(
            out,
            &[if at > 0 { b" " } else { b"" }, attribute.as_bytes()],
        );
    }
    match listed.delimiter {
        Some(delimiter) => line(out, &[b") \"", &[delimiter], b"\" "]),
        None => out.extend_from_slice(b") NIL "),
    }
    mailbox(out, listed.mailbox);
    if listed.child_subscribed {
        out.extend_from_slice(b" (\"CHILDINFO\" (\"SUBSCRIBED\"))");
    }
    out.extend_from_slice(b"\r\n");
}

/// `* STATUS INBOX (MESSAGES 1 ...)` CRLF; `value` is asked for each item of `items`, which are single ones.
pub fn status(
    out: &mut Vec<u8>,
    name: &str,
    items: StatusItems,
    mut value: impl FnMut(StatusItems) -> u64,
) {
    out.extend_from_slice(b"* STATUS ");
    mailbox(out, name);
    out.extend_from_slice(b" (");
    let asked = StatusItems::TABLE
        .iter()
        .filter(|(item, _)| items.contains(*item));
    for (at, (item, name)) in asked.enumerate() {
        line(
            out,
            &[if at > 0 { b" " } else { b"" }, name.as_bytes(), b" "],
        );
        number(out, value(*item));
    }
    out.extend_from_slice(b")\r\n");
}

/// `* SEARCH 2 84 882` CRLF. RFC 3501 §7.2.5.
pub fn search(out: &mut Vec<u8>, numbers: impl IntoIterator<Item = u32>) {
    out.extend_from_slice(b"* SEARCH");
    for found in numbers {
        out.push(b' ');
        number(out, found.into());
    }
    out.extend_from_slice(b"\r\n");
}

/// What an ESEARCH answer says. RFC 4731 §3.1: MIN, MAX and ALL are left out where nothing was found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Esearch<'r> {
    pub tag: &'r str,
    pub uid: bool,
    pub min: Option<u32>,
    pub max: Option<u32>,
    /// Ascending.
    pub all: Option<&'r [u32]>,
    pub count: Option<u32>,
}

/// `* ESEARCH (TAG "a") UID COUNT 2 ALL 1:2` CRLF. RFC 4731 §3.1.
pub fn esearch(out: &mut Vec<u8>, answer: &Esearch<'_>) {
    line(out, &[b"* ESEARCH (TAG \"", answer.tag.as_bytes(), b"\")"]);
    if answer.uid {
        out.extend_from_slice(b" UID");
    }
    let numbers = [
        (" MIN ", answer.min),
        (" MAX ", answer.max),
        (" COUNT ", answer.count),
    ];
    for (name, value) in numbers {
        if let Some(value) = value {
            out.extend_from_slice(name.as_bytes());
            number(out, value.into());
        }
    }
    if let Some(all) = answer.all.filter(|all| !all.is_empty()) {
        out.extend_from_slice(b" ALL ");
        set(out, all.iter().copied());
    }
    out.extend_from_slice(b"\r\n");
}

/// `* 12 FETCH (`.
#[inline]
pub fn fetch(out: &mut Vec<u8>, sequence: u32) {
    out.extend_from_slice(b"* ");
    number(out, sequence.into());
    out.extend_from_slice(b" FETCH (");
}

/// `)` CRLF.
#[inline]
pub fn fetch_end(out: &mut Vec<u8>) {
    out.extend_from_slice(b")\r\n");
}

/// The space before an item that is not the first.
#[inline]
fn apart(out: &mut Vec<u8>) {
    if out.last() != Some(&b'(') {
        out.push(b' ');
    }
}

/// `FLAGS (...)`.
#[inline]
pub fn item_flags<'k>(out: &mut Vec<u8>, system: u32, keywords: impl IntoIterator<Item = &'k str>) {
    apart(out);
    out.extend_from_slice(b"FLAGS ");
    flag_list(out, system, keywords);
}

/// `UID 7`.
#[inline]
pub fn item_uid(out: &mut Vec<u8>, uid: u32) {
    apart(out);
    out.extend_from_slice(b"UID ");
    number(out, uid.into());
}

/// `RFC822.SIZE 7`.
#[inline]
pub fn item_size(out: &mut Vec<u8>, octets: u64) {
    apart(out);
    out.extend_from_slice(b"RFC822.SIZE ");
    number(out, octets);
}

/// `INTERNALDATE "17-Jul-1996 02:44:25 +0000"`, from seconds since 1970 UTC.
#[inline]
pub fn item_internal_date(out: &mut Vec<u8>, seconds: u64) {
    apart(out);
    out.extend_from_slice(b"INTERNALDATE ");
    crate::date::write(out, seconds);
}

/// `MODSEQ (7)`. RFC 7162 §3.1.4.
#[inline]
pub fn item_modseq(out: &mut Vec<u8>, modseq: ModSeq) {
    apart(out);
    out.extend_from_slice(b"MODSEQ (");
    number(out, modseq.0);
    out.push(b')');
}

/// `NAME `: what follows is the item's value. For ENVELOPE, BODY and BODYSTRUCTURE, and for RFC822 and its like.
#[inline]
pub fn item(out: &mut Vec<u8>, name: &str) {
    apart(out);
    out.extend_from_slice(name.as_bytes());
    out.push(b' ');
}

/// `BODY[1.MIME]<0> `: what follows is the section's octets. RFC 3501 §7.4.2: PEEK is not echoed, and of a partial
/// only where it begins.
pub fn item_section(out: &mut Vec<u8>, section: &Section<'_>) {
    apart(out);
    out.extend_from_slice(b"BODY[");
    for (at, part) in section.part.iter().enumerate() {
        if at > 0 {
            out.push(b'.');
        }
        number(out, (*part).into());
    }
    if !section.part.is_empty() && section.text != SectionText::Whole {
        out.push(b'.');
    }
    match section.text {
        SectionText::Whole => {}
        SectionText::Header => out.extend_from_slice(b"HEADER"),
        SectionText::HeaderFields(names) => field_names(out, "HEADER.FIELDS (", names),
        SectionText::HeaderFieldsNot(names) => field_names(out, "HEADER.FIELDS.NOT (", names),
        SectionText::Text => out.extend_from_slice(b"TEXT"),
        SectionText::Mime => out.extend_from_slice(b"MIME"),
    }
    out.push(b']');
    if let Some((first, _)) = section.partial {
        out.push(b'<');
        number(out, first);
        out.push(b'>');
    }
    out.push(b' ');
}

fn field_names(out: &mut Vec<u8>, keyword: &str, names: &[&[u8]]) {
    out.extend_from_slice(keyword.as_bytes());
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        astring(out, name);
    }
    out.push(b')');
}

/// `{n}` CRLF: what follows is the content of a section, streamed or whole.
pub fn content_header(out: &mut Vec<u8>, octets: u64) {
    literal_header(out, octets);
}

#[cfg(test)]
#[path = "data/tests.rs"]
mod tests;
