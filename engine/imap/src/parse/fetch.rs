//! FETCH: macros, items and sections. RFC 3501 §6.4.5, §9 `fetch`.

use crate::command::{Command, Fetch, FetchItem, Numbers, Section, SectionText};
use crate::cursor::{Cursor, Result};
use bumpalo::collections::Vec as List;

const FAST: [FetchItem<'static>; 3] = [FetchItem::Flags, FetchItem::InternalDate, FetchItem::Size];
const ALL: [FetchItem<'static>; 4] = [
    FetchItem::Flags,
    FetchItem::InternalDate,
    FetchItem::Size,
    FetchItem::Envelope,
];
const FULL: [FetchItem<'static>; 5] = [
    FetchItem::Flags,
    FetchItem::InternalDate,
    FetchItem::Size,
    FetchItem::Envelope,
    FetchItem::Body,
];

/// fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")
pub(super) fn command<'c>(cursor: &mut Cursor<'c>, numbers: Numbers) -> Result<Command<'c>> {
    cursor.space()?;
    let set = super::messages::set(cursor)?;
    cursor.space()?;
    let mut items = List::new_in(cursor.arena);
    if cursor.peek() == Some(b'(') {
        let mut seen = 0;
        cursor.parenthesized(|cursor| {
            let name = cursor.word();
            let item = item(cursor, name)?;
            if is_new(&item, &mut seen) {
                items.push(item);
            }
            Ok(())
        })?;
    } else {
        let name = cursor.word();
        match macro_items(name) {
            Some(several) => items.extend_from_slice_copy(several),
            None => items.push(item(cursor, name)?),
        }
    }
    if items.is_empty() {
        return Err("expected an item to fetch");
    }
    Ok(Command::Fetch(Fetch {
        numbers,
        set,
        items: items.into_bump_slice(),
    }))
}

/// Whether `item` is to be answered: those of [`FULL`] and their like once, however often they are asked for, as one
/// answer to one of them may be a thousand times as long as its name.
fn is_new(item: &FetchItem<'_>, seen: &mut u32) -> bool {
    const MORE: [FetchItem<'static>; 3] =
        [FetchItem::BodyStructure, FetchItem::Uid, FetchItem::ModSeq];
    let Some(place) = FULL.iter().chain(&MORE).position(|known| known == item) else {
        return true;
    };
    let bit = 1 << place;
    let new = *seen & bit == 0;
    *seen |= bit;
    new
}

/// A macro stands alone, not in parentheses. RFC 3501 §6.4.5.
fn macro_items(name: &str) -> Option<&'static [FetchItem<'static>]> {
    let table: [(&str, &[FetchItem<'static>]); 3] =
        [("ALL", &ALL), ("FAST", &FAST), ("FULL", &FULL)];
    let known = table
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map(|(_, items)| *items)
}

/// Items that are a name and nothing else.
const NAMED: [(&str, FetchItem<'static>); 10] = [
    ("FLAGS", FetchItem::Flags),
    ("UID", FetchItem::Uid),
    ("INTERNALDATE", FetchItem::InternalDate),
    ("RFC822.SIZE", FetchItem::Size),
    ("ENVELOPE", FetchItem::Envelope),
    ("BODYSTRUCTURE", FetchItem::BodyStructure),
    ("MODSEQ", FetchItem::ModSeq),
    ("RFC822", FetchItem::Rfc822),
    ("RFC822.HEADER", FetchItem::Rfc822Header),
    ("RFC822.TEXT", FetchItem::Rfc822Text),
];

/// fetch-att, behind its name.
fn item<'c>(cursor: &mut Cursor<'c>, name: &str) -> Result<FetchItem<'c>> {
    if let Some((_, item)) = NAMED
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
    {
        return Ok(*item);
    }
    let peek = match name {
        _ if name.eq_ignore_ascii_case("BODY") => false,
        _ if name.eq_ignore_ascii_case("BODY.PEEK") => true,
        _ => return Err("unknown item to fetch"),
    };
    if !peek && cursor.peek() != Some(b'[') {
        return Ok(FetchItem::Body);
    }
    section(cursor, peek).map(FetchItem::Section)
}

/// section ["<" number "." nz-number ">"]
/// section = "[" [section-msgtext / (section-part ["." section-text])] "]"
fn section<'c>(cursor: &mut Cursor<'c>, peek: bool) -> Result<Section<'c>> {
    cursor.expect(b'[', "expected a section")?;
    let mut part = List::new_in(cursor.arena);
    let mut text = SectionText::Whole;
    while cursor.peek() != Some(b']') {
        if cursor.peek().is_some_and(|octet| octet.is_ascii_digit()) {
            part.push(cursor.nz_number()?);
            if !cursor.take(b'.') {
                break;
            }
            if cursor.peek() == Some(b']') {
                return Err("expected a part or a section");
            }
        } else {
            text = section_text(cursor, !part.is_empty())?;
            break;
        }
    }
    cursor.expect(b']', "expected a closing bracket")?;
    let partial = match cursor.peek() {
        Some(b'<') => Some(partial(cursor)?),
        _ => None,
    };
    Ok(Section {
        part: part.into_bump_slice(),
        text,
        partial,
        peek,
    })
}

/// section-text = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT" / "MIME"
fn section_text<'c>(cursor: &mut Cursor<'c>, in_part: bool) -> Result<SectionText<'c>> {
    let name = cursor.word();
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    Ok(match () {
        _ if is("HEADER") => SectionText::Header,
        _ if is("TEXT") => SectionText::Text,
        _ if is("MIME") && in_part => SectionText::Mime,
        _ if is("HEADER.FIELDS") => SectionText::HeaderFields(header_list(cursor)?),
        _ if is("HEADER.FIELDS.NOT") => SectionText::HeaderFieldsNot(header_list(cursor)?),
        _ => return Err("unknown section"),
    })
}

/// SP "(" header-fld-name *(SP header-fld-name) ")"
fn header_list<'c>(cursor: &mut Cursor<'c>) -> Result<&'c [&'c [u8]]> {
    cursor.space()?;
    let mut names = List::new_in(cursor.arena);
    cursor.parenthesized(|cursor| {
        names.push(cursor.astring()?);
        Ok(())
    })?;
    match names.is_empty() {
        true => Err("expected a header field name"),
        false => Ok(names.into_bump_slice()),
    }
}

/// "<" number "." nz-number ">"
fn partial(cursor: &mut Cursor<'_>) -> Result<(u64, u64)> {
    cursor.expect(b'<', "expected a partial range")?;
    let first = cursor.number64()?;
    cursor.expect(b'.', "expected a partial range")?;
    let octets = cursor.number64()?;
    cursor.expect(b'>', "expected a partial range")?;
    match octets {
        0 => Err("a partial range has at least one octet"),
        _ => Ok((first, octets)),
    }
}
