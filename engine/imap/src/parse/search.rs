//! SEARCH: return options, charset, and the tree of keys. RFC 3501 §6.4.4, §9 `search`; RFC 4731 §5.
//!
//! Each level of parentheses, NOT and OR counts as nesting: it is a level of this code's recursion, and of
//! everyone's who walks the tree.

use crate::command::{Command, Numbers, Search, SearchKey, SearchReturns};
use crate::cursor::{Cursor, Result};
use crate::date;
use crate::flag;
use bumpalo::collections::Vec as List;

/// search = "SEARCH" [SP "RETURN" SP "(" ... ")"] [SP "CHARSET" SP astring] 1*(SP search-key)
pub(super) fn command<'c>(cursor: &mut Cursor<'c>, numbers: Numbers) -> Result<Command<'c>> {
    let mut returns = None;
    if cursor.take_word(" RETURN ") {
        let mut asked = SearchReturns::default();
        cursor.parenthesized(|cursor| return_option(cursor, &mut asked))?;
        // RFC 4731 §3.1: an empty list means ALL.
        asked.all |= asked == SearchReturns::default();
        returns = Some(asked);
    }
    let mut charset = None;
    if cursor.take_word(" CHARSET ") {
        charset = Some(cursor.astring()?);
    }
    cursor.space()?;
    let key = keys(cursor, |cursor| !cursor.take(b' '))?;
    Ok(Command::Search(Search {
        numbers,
        charset,
        returns,
        key,
    }))
}

fn return_option(cursor: &mut Cursor<'_>, returns: &mut SearchReturns) -> Result<()> {
    match &cursor.word().to_ascii_uppercase()[..] {
        "MIN" => returns.min = true,
        "MAX" => returns.max = true,
        "ALL" => returns.all = true,
        "COUNT" => returns.count = true,
        _ => return Err("unknown return option"),
    }
    Ok(())
}

/// One key or several until `last` says so; several must all hold.
fn keys<'c>(
    cursor: &mut Cursor<'c>,
    last: impl Fn(&mut Cursor<'c>) -> bool,
) -> Result<SearchKey<'c>> {
    let first = key(cursor)?;
    if last(cursor) {
        return Ok(first);
    }
    let mut all = List::new_in(cursor.arena);
    all.push(first);
    loop {
        all.push(key(cursor)?);
        if last(cursor) {
            return Ok(SearchKey::And(all.into_bump_slice()));
        }
    }
}

/// search-key
fn key<'c>(cursor: &mut Cursor<'c>) -> Result<SearchKey<'c>> {
    match cursor.peek() {
        Some(b'(') => cursor.nested(|cursor| {
            cursor.take(b'(');
            let key = keys(cursor, |cursor| !cursor.take(b' '))?;
            cursor.expect(b')', "expected a closing parenthesis")?;
            Ok(key)
        }),
        Some(b'*' | b'0'..=b'9') => Ok(SearchKey::Sequence(super::messages::set(cursor)?)),
        _ => {
            let name = cursor.word();
            named(cursor, name)
        }
    }
}

/// Keys that are a flag, and whether it must be there.
const FLAGS: [(&str, u32, bool); 10] = [
    ("ANSWERED", flag::ANSWERED, true),
    ("DELETED", flag::DELETED, true),
    ("DRAFT", flag::DRAFT, true),
    ("FLAGGED", flag::FLAGGED, true),
    ("SEEN", flag::SEEN, true),
    ("UNANSWERED", flag::ANSWERED, false),
    ("UNDELETED", flag::DELETED, false),
    ("UNDRAFT", flag::DRAFT, false),
    ("UNFLAGGED", flag::FLAGGED, false),
    ("UNSEEN", flag::SEEN, false),
];

/// A key that begins with its name. The tables above and below are small; a tree of keys is parsed once.
fn named<'c>(cursor: &mut Cursor<'c>, name: &'c str) -> Result<SearchKey<'c>> {
    if let Some((_, bit, there)) = FLAGS
        .iter()
        .find(|(known, ..)| known.eq_ignore_ascii_case(name))
    {
        let key = SearchKey::Flag(*bit);
        return Ok(if *there { key } else { not(cursor, key) });
    }
    let mut upper = [0u8; 12];
    let Some(upper) = upper.get_mut(..name.len()) else {
        return Err("unknown search key");
    };
    upper.copy_from_slice(name.as_bytes());
    upper.make_ascii_uppercase();
    Ok(match &*upper {
        b"ALL" => SearchKey::All,
        b"RECENT" => SearchKey::Recent,
        b"OLD" => not(cursor, SearchKey::Recent),
        b"NEW" => {
            let unseen = not(cursor, SearchKey::Flag(flag::SEEN));
            SearchKey::And(cursor.arena.alloc_slice_copy(&[SearchKey::Recent, unseen]))
        }
        b"BCC" | b"CC" | b"FROM" | b"SUBJECT" | b"TO" => SearchKey::Header {
            field: name.as_bytes(),
            text: text(cursor)?,
        },
        b"HEADER" => SearchKey::Header {
            field: text(cursor)?,
            text: text(cursor)?,
        },
        b"BODY" => SearchKey::Body(text(cursor)?),
        b"TEXT" => SearchKey::Text(text(cursor)?),
        b"KEYWORD" => SearchKey::Keyword(keyword(cursor)?),
        b"UNKEYWORD" => {
            let keyword = SearchKey::Keyword(keyword(cursor)?);
            not(cursor, keyword)
        }
        b"LARGER" => SearchKey::Larger(number(cursor)?),
        b"SMALLER" => SearchKey::Smaller(number(cursor)?),
        b"MODSEQ" => SearchKey::ModSeq(number(cursor)?),
        b"BEFORE" => SearchKey::Before(day(cursor)?),
        b"ON" => SearchKey::On(day(cursor)?),
        b"SINCE" => SearchKey::Since(day(cursor)?),
        b"SENTBEFORE" => SearchKey::SentBefore(day(cursor)?),
        b"SENTON" => SearchKey::SentOn(day(cursor)?),
        b"SENTSINCE" => SearchKey::SentSince(day(cursor)?),
        b"UID" => {
            cursor.space()?;
            SearchKey::Uid(super::messages::set(cursor)?)
        }
        b"NOT" => {
            let key = cursor.nested(spaced)?;
            not(cursor, key)
        }
        b"OR" => {
            let one = cursor.nested(spaced)?;
            let other = cursor.nested(spaced)?;
            SearchKey::Or(cursor.arena.alloc(one), cursor.arena.alloc(other))
        }
        _ => return Err("unknown search key"),
    })
}

fn not<'c>(cursor: &Cursor<'c>, key: SearchKey<'c>) -> SearchKey<'c> {
    SearchKey::Not(cursor.arena.alloc(key))
}

/// SP search-key
fn spaced<'c>(cursor: &mut Cursor<'c>) -> Result<SearchKey<'c>> {
    cursor.space()?;
    key(cursor)
}

/// SP astring
fn text<'c>(cursor: &mut Cursor<'c>) -> Result<&'c [u8]> {
    cursor.space()?;
    cursor.astring()
}

/// SP flag-keyword
fn keyword<'c>(cursor: &mut Cursor<'c>) -> Result<&'c str> {
    cursor.space()?;
    cursor.atom()
}

fn number(cursor: &mut Cursor<'_>) -> Result<u64> {
    cursor.space()?;
    cursor.number64()
}

/// SP date; date = date-text / DQUOTE date-text DQUOTE
fn day(cursor: &mut Cursor<'_>) -> Result<i32> {
    let text = text(cursor)?;
    date::parse_day(text).ok_or("not a date")
}
