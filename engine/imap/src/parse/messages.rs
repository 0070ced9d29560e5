//! Commands about messages but FETCH and SEARCH: STORE, COPY, MOVE, UID EXPUNGE; and flags and sets.

use crate::command::{Command, FlagChange, Numbers, Store, Transfer};
use crate::cursor::{Cursor, Result};
use crate::flag::{self, Flags};
use crate::sequence::SequenceSet;
use bumpalo::collections::Vec as List;

/// sequence-set = (seq-number / seq-range) *("," sequence-set)
pub(super) fn set<'c>(cursor: &mut Cursor<'c>) -> Result<SequenceSet<'c>> {
    let mut ranges = List::new_in(cursor.arena);
    let mut star: Option<u32> = None;
    loop {
        let first = number_or_star(cursor)?;
        let last = match cursor.take(b':') {
            true => number_or_star(cursor)?,
            false => first,
        };
        match (first, last) {
            (Some(first), Some(last)) => ranges.push((first.min(last), first.max(last))),
            (Some(low), None) | (None, Some(low)) => star = Some(star.map_or(low, |s| s.min(low))),
            (None, None) => star = star.or(Some(u32::MAX)),
        }
        if !cursor.take(b',') {
            return Ok(SequenceSet::new(ranges.into_bump_slice_mut(), star));
        }
    }
}

/// seq-number = nz-number / "*"
fn number_or_star(cursor: &mut Cursor<'_>) -> Result<Option<u32>> {
    match cursor.take(b'*') {
        true => Ok(None),
        false => cursor.nz_number().map(Some),
    }
}

/// copy = "COPY" SP sequence-set SP mailbox
pub(super) fn transfer<'c>(cursor: &mut Cursor<'c>, numbers: Numbers) -> Result<Transfer<'c>> {
    cursor.space()?;
    let set = set(cursor)?;
    cursor.space()?;
    let mailbox = cursor.mailbox()?;
    Ok(Transfer {
        numbers,
        set,
        mailbox,
    })
}

/// "UID" SP "EXPUNGE" SP sequence-set. RFC 4315 §4.
pub(super) fn uid_expunge<'c>(cursor: &mut Cursor<'c>) -> Result<Command<'c>> {
    cursor.space()?;
    Ok(Command::UidExpunge(set(cursor)?))
}

/// store = "STORE" SP sequence-set [SP "(" "UNCHANGEDSINCE" SP mod-sequence ")"] SP store-att-flags
/// store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
pub(super) fn store<'c>(cursor: &mut Cursor<'c>, numbers: Numbers) -> Result<Command<'c>> {
    cursor.space()?;
    let set = set(cursor)?;
    cursor.space()?;
    let mut unchanged_since = None;
    if cursor.take_word("(UNCHANGEDSINCE ") {
        unchanged_since = Some(cursor.number64()?);
        cursor.expect(b')', "expected a closing parenthesis")?;
        cursor.space()?;
    }
    let change = match cursor.peek() {
        Some(b'+') => FlagChange::Add,
        Some(b'-') => FlagChange::Remove,
        _ => FlagChange::Replace,
    };
    if change != FlagChange::Replace {
        cursor.take(if change == FlagChange::Add {
            b'+'
        } else {
            b'-'
        });
    }
    if !cursor.take_word("FLAGS") {
        return Err("expected FLAGS");
    }
    let silent = cursor.take_word(".SILENT");
    cursor.space()?;
    let flags = match cursor.peek() {
        Some(b'(') => flag_list(cursor)?,
        _ => bare_flags(cursor)?,
    };
    Ok(Command::Store(Store {
        numbers,
        set,
        change,
        silent,
        flags,
        unchanged_since,
    }))
}

/// flag-list = "(" [flag *(SP flag)] ")"
pub(super) fn flag_list<'c>(cursor: &mut Cursor<'c>) -> Result<Flags<'c>> {
    let mut system = 0;
    let mut keywords = List::new_in(cursor.arena);
    cursor.parenthesized(|cursor| flag(cursor, &mut system, &mut keywords))?;
    Ok(Flags {
        system,
        keywords: keywords.into_bump_slice(),
    })
}

/// flag *(SP flag)
fn bare_flags<'c>(cursor: &mut Cursor<'c>) -> Result<Flags<'c>> {
    let mut system = 0;
    let mut keywords = List::new_in(cursor.arena);
    flag(cursor, &mut system, &mut keywords)?;
    while cursor.take(b' ') {
        flag(cursor, &mut system, &mut keywords)?;
    }
    Ok(Flags {
        system,
        keywords: keywords.into_bump_slice(),
    })
}

/// flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword
fn flag<'c>(
    cursor: &mut Cursor<'c>,
    system: &mut u32,
    keywords: &mut List<'c, &'c str>,
) -> Result<()> {
    if !cursor.take(b'\\') {
        keywords.push(cursor.atom()?);
        return Ok(());
    }
    let name = cursor.atom()?;
    let known = flag::TABLE
        .iter()
        .find(|(_, known)| known[1..].eq_ignore_ascii_case(name));
    match known {
        Some((flag::RECENT, _)) => Err("\\Recent cannot be set"),
        Some((bit, _)) => {
            *system |= bit;
            Ok(())
        }
        None => Err("unknown system flag"),
    }
}
