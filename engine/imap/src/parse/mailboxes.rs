//! Commands about mailboxes: CREATE, RENAME, LIST, LSUB, STATUS, and those with a name alone.

use crate::command::{Command, List as ListCommand, Returns, Selection, SpecialUse, StatusItems};
use crate::cursor::{Cursor, Fault, Result};
use bumpalo::collections::Vec as List;

/// SP mailbox
pub(super) fn one<'c>(cursor: &mut Cursor<'c>) -> Result<&'c str> {
    cursor.space()?;
    cursor.mailbox()
}

/// create = "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]. RFC 6154 §6.
pub(super) fn create<'c>(cursor: &mut Cursor<'c>) -> Result<Command<'c>> {
    let mailbox = one(cursor)?;
    let mut special = List::new_in(cursor.arena);
    if cursor.take(b' ') {
        cursor.parenthesized(|cursor| {
            if !cursor.take_word("USE ") {
                return Err("unknown parameter of CREATE");
            }
            cursor.parenthesized(|cursor| {
                special.push(special_use(cursor)?);
                (special.len() <= SpecialUse::ALL.len())
                    .then_some(())
                    .ok_or("too many uses")
            })
        })?;
    }
    Ok(Command::Create {
        // A trailing delimiter only says that names below it will follow. RFC 3501 §6.3.3.
        mailbox: mailbox.strip_suffix('/').unwrap_or(mailbox),
        special: special.into_bump_slice(),
    })
}

/// use-attr = "\All" / "\Archive" / ...
fn special_use(cursor: &mut Cursor<'_>) -> Result<SpecialUse> {
    cursor.expect(b'\\', "expected a special use")?;
    let name = cursor.atom()?;
    let known = SpecialUse::ALL
        .iter()
        .find(|(_, known)| known[1..].eq_ignore_ascii_case(name));
    known
        .map(|(special, _)| *special)
        .ok_or("unknown special use")
}

/// rename = "RENAME" SP mailbox SP mailbox
pub(super) fn rename<'c>(cursor: &mut Cursor<'c>) -> Result<Command<'c>> {
    let from = one(cursor)?;
    let to = one(cursor)?;
    Ok(Command::Rename { from, to })
}

/// lsub = "LSUB" SP mailbox SP list-mailbox
pub(super) fn lsub<'c>(cursor: &mut Cursor<'c>) -> Result<Command<'c>> {
    let reference = reference(cursor)?;
    cursor.space()?;
    let pattern = cursor.list_mailbox()?;
    Ok(Command::Lsub { reference, pattern })
}

/// list = "LIST" [SP "(" list-select-opts ")"] SP mailbox SP mbox-or-pat [SP "RETURN" SP "(" return-opts ")"].
/// RFC 5258 §6.
pub(super) fn list<'c>(cursor: &mut Cursor<'c>) -> Result<Command<'c>> {
    let mut selection = Selection::default();
    let mut returns = Returns::default();
    let mut extended = false;
    cursor.space()?;
    if cursor.peek() == Some(b'(') {
        extended = true;
        cursor.parenthesized(|cursor| selection_option(cursor, &mut selection))?;
        // It says how to select by the others. RFC 5258 §3.1.
        if selection.recursive_match && !selection.subscribed && !selection.special_use {
            return Err("RECURSIVEMATCH needs another selection option");
        }
        cursor.space()?;
    }
    let reference = cursor.mailbox()?;
    cursor.space()?;
    let mut patterns = List::new_in(cursor.arena);
    if cursor.peek() == Some(b'(') {
        extended = true;
        cursor.parenthesized(|cursor| {
            patterns.push(cursor.list_mailbox()?);
            Ok(())
        })?;
        if patterns.is_empty() {
            return Err("expected a pattern");
        }
    } else {
        patterns.push(cursor.list_mailbox()?);
    }
    if cursor.take_word(" RETURN ") {
        extended = true;
        cursor.parenthesized(|cursor| return_option(cursor, &mut returns))?;
    }
    Ok(Command::List(ListCommand {
        reference,
        patterns: patterns.into_bump_slice(),
        selection,
        returns,
        extended,
    }))
}

fn reference<'c>(cursor: &mut Cursor<'c>) -> Result<&'c str> {
    cursor.space()?;
    cursor.mailbox()
}

fn selection_option(cursor: &mut Cursor<'_>, selection: &mut Selection) -> Result<()> {
    match &cursor.word().to_ascii_uppercase()[..] {
        "SUBSCRIBED" => selection.subscribed = true,
        "REMOTE" => selection.remote = true,
        "RECURSIVEMATCH" => selection.recursive_match = true,
        "SPECIAL-USE" => selection.special_use = true,
        _ => return Err("unknown selection option"),
    }
    Ok(())
}

fn return_option(cursor: &mut Cursor<'_>, returns: &mut Returns) -> Result<()> {
    match &cursor.word().to_ascii_uppercase()[..] {
        "SUBSCRIBED" => returns.subscribed = true,
        "CHILDREN" => returns.children = true,
        "SPECIAL-USE" => returns.special_use = true,
        "STATUS" => {
            cursor.space()?;
            returns.status = Some(status_items(cursor)?);
        }
        _ => return Err("unknown return option"),
    }
    Ok(())
}

/// status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"
pub(super) fn status<'c>(cursor: &mut Cursor<'c>) -> Result<Command<'c>> {
    let mailbox = one(cursor)?;
    cursor.space()?;
    let items = status_items(cursor)?;
    Ok(Command::Status { mailbox, items })
}

fn status_items(cursor: &mut Cursor<'_>) -> Result<StatusItems> {
    const FAULT: Fault = "unknown status item";
    let mut items = StatusItems::default();
    cursor.parenthesized(|cursor| {
        let name = cursor.word();
        let known = StatusItems::TABLE
            .iter()
            .find(|(_, known)| known.eq_ignore_ascii_case(name));
        items.0 |= known.ok_or(FAULT)?.0.0;
        Ok(())
    })?;
    (items != StatusItems::default())
        .then_some(items)
        .ok_or(FAULT)
}
