//! Commands about the session: ID, AUTHENTICATE, LOGIN, ENABLE.

use crate::command::Command;
use crate::cursor::{Cursor, Result};
use bumpalo::collections::Vec as List;

/// Pairs of one ID. RFC 2971 §3.3.
const ID_PAIRS_MAX: usize = 30;

/// id = "ID" SP ("(" *(string SP nstring) ")" / nil)
pub(super) fn id<'c>(cursor: &mut Cursor<'c>) -> Result<Command<'c>> {
    cursor.space()?;
    let mut pairs = List::new_in(cursor.arena);
    if cursor.take_word("NIL") {
        return Ok(Command::Id(&[]));
    }
    cursor.parenthesized(|cursor| {
        let field = cursor.string()?;
        cursor.space()?;
        pairs.push((field, cursor.nstring()?));
        (pairs.len() <= ID_PAIRS_MAX)
            .then_some(())
            .ok_or("too many fields")
    })?;
    Ok(Command::Id(pairs.into_bump_slice()))
}

/// authenticate = "AUTHENTICATE" SP auth-type [SP (base64 / "=")]. RFC 4959 §3.
pub(super) fn authenticate<'c>(cursor: &mut Cursor<'c>) -> Result<Command<'c>> {
    cursor.space()?;
    let mechanism = cursor.atom()?;
    let initial = match cursor.take(b' ') {
        true => Some(cursor.atom()?.as_bytes()),
        false => None,
    };
    Ok(Command::Authenticate { mechanism, initial })
}

/// login = "LOGIN" SP userid SP password
pub(super) fn login<'c>(cursor: &mut Cursor<'c>) -> Result<Command<'c>> {
    cursor.space()?;
    let user = cursor.astring()?;
    cursor.space()?;
    let password = cursor.astring()?;
    Ok(Command::Login { user, password })
}

/// enable = "ENABLE" 1*(SP capability). RFC 5161 §4.
pub(super) fn enable<'c>(cursor: &mut Cursor<'c>) -> Result<Command<'c>> {
    let mut names = List::new_in(cursor.arena);
    cursor.space()?;
    names.push(cursor.atom()?);
    while cursor.take(b' ') {
        names.push(cursor.atom()?);
    }
    Ok(Command::Enable(names.into_bump_slice()))
}
