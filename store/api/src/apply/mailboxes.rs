//! Mailboxes of an account: make, remove, rename, subscribe.
//!
//! In:  names as the client gave them, decoded to UTF-8.
//! Out: rows of the tables mailbox and mailbox_name, and of all messages that go with a mailbox.
//!
//! Invariants: INBOX always exists. A name is in table mailbox_name while a mailbox has it or someone subscribes to it:
//! a subscription outlives its mailbox. RFC 9051 §6.3.7, RFC 3501 §6.3.9.

use super::accounts;
use super::draft::{Draft, Mailbox};
use super::messages;
use super::sweep::Sweep;
use crate::table::{MessageRow, special};
use crate::{Error, Outcome, Table, key, name, read};
use ringpost_types::{AccountId, MailboxId, Uid};
use std::ops::ControlFlow;

/// CREATE, with the levels above that are missing. RFC 9051 §6.3.4.
pub(super) fn create(
    draft: &mut Draft<'_>,
    account: AccountId,
    name: &str,
    special: u32,
) -> Result<Outcome, Error> {
    draft.account(account)?;
    let name = name::check(name, draft.terms.limits)?;
    if read::mailbox_id(draft.rows, account, &name)?.is_some() {
        return Err(Error::Exists);
    }
    create_above(draft, account, &name)?;
    let id = add(draft, account, &name, special & !special::SUBSCRIBED)?;
    Ok(Outcome::Mailbox(id))
}

fn create_above(draft: &mut Draft<'_>, account: AccountId, name: &str) -> Result<(), Error> {
    for above in name::above(name) {
        if read::mailbox_id(draft.rows, account, above)?.is_none() {
            add(draft, account, above, 0)?;
        }
    }
    Ok(())
}

/// Adds an empty mailbox under a name that is free. It is subscribed if the name was.
pub(super) fn add(
    draft: &mut Draft<'_>,
    account: AccountId,
    name: &str,
    special: u32,
) -> Result<MailboxId, Error> {
    let subscribed = subscription(draft, account, name)?;
    let uidvalidity = draft.uidvalidity()?;
    // What every account has is not refused.
    let most = draft.terms.limits.account_mailboxes_max;
    let most = most.max(accounts::MAILBOXES.len() as u64);
    let owner = draft.account(account)?;
    if u64::from(owner.mailboxes) >= most {
        return Err(Error::Limit("account_mailboxes_max"));
    }
    let id = owner.next_mailbox;
    owner.next_mailbox.0 = id.0.checked_add(1).ok_or(Error::Limit("mailbox id"))?;
    owner.mailboxes += 1;
    draft.add_mailbox(
        account,
        id,
        Mailbox::new(name, uidvalidity, special | subscribed),
    );
    put_name(draft, account, name, Some(id));
    draft.touch_mailbox(account, id)?;
    Ok(id)
}

/// The bit of a mailbox that takes this name: set where the name was subscribed before the write.
fn subscription(draft: &Draft<'_>, account: AccountId, name: &str) -> Result<u32, Error> {
    match draft
        .rows
        .get(Table::MailboxName, &key::mailbox_name(account, name))?
    {
        None => Ok(0),
        Some(value) => match read::named(value)? {
            None => Ok(special::SUBSCRIBED),
            // On its way to another name itself.
            Some(id) => {
                let row = read::mailbox(draft.rows, account, id)?.ok_or(Error::NoMailbox)?;
                Ok(row.special & special::SUBSCRIBED)
            }
        },
    }
}

fn put_name(draft: &mut Draft<'_>, account: AccountId, name: &str, id: Option<MailboxId>) {
    let key = key::mailbox_name(account, name);
    match id {
        Some(id) => draft
            .edits
            .put(Table::MailboxName, &key, &id.0.to_le_bytes()),
        None => draft.edits.put(Table::MailboxName, &key, &[]),
    }
}

/// Takes a name away from its mailbox; a subscription to it stays.
fn drop_name(draft: &mut Draft<'_>, account: AccountId, name: &str, bits: u32) {
    if bits & special::SUBSCRIBED != 0 {
        put_name(draft, account, name, None);
    } else {
        draft
            .edits
            .delete(Table::MailboxName, &key::mailbox_name(account, name));
    }
}

/// DELETE. Mailboxes below it stay, and LIST shows the name above them as \NonExistent. RFC 9051 §6.3.5.
pub(super) fn delete(
    draft: &mut Draft<'_>,
    account: AccountId,
    name: &str,
) -> Result<Outcome, Error> {
    draft.account(account)?;
    let id = read::mailbox_id(draft.rows, account, name)?.ok_or(Error::NoMailbox)?;
    if id == MailboxId::INBOX {
        return Err(Error::Cannot("INBOX cannot be deleted"));
    }
    draft.touch_mailbox(account, id)?;
    let mailbox = draft.mailbox(account, id)?;
    let (bits, name) = (mailbox.special, mailbox.name.clone());
    draft.remove_mailbox(account, id)?;
    drop_name(draft, account, &name, bits);
    Sweep::new().begin(draft, account, id)?;
    Ok(Outcome::Done)
}

fn all(
    draft: &Draft<'_>,
    account: AccountId,
    id: MailboxId,
) -> Result<Vec<(Uid, MessageRow)>, Error> {
    let mut messages = Vec::new();
    read::messages(draft.rows, account, id, Uid(0), |uid, row| {
        messages.push((uid, row));
        ControlFlow::Continue(())
    })?;
    Ok(messages)
}

/// What clients keep of any mailbox is not to be trusted any more.
pub(super) fn revalidate(draft: &mut Draft<'_>, account: AccountId) -> Result<Outcome, Error> {
    draft.account(account)?;
    let mut all = Vec::new();
    read::mailboxes(draft.rows, account, |_, mailbox| {
        all.extend(mailbox.map(|(id, _)| id));
        ControlFlow::Continue(())
    })?;
    for id in all {
        let uidvalidity = draft.uidvalidity()?;
        draft.mailbox(account, id)?.uidvalidity = uidvalidity;
        draft.touch_mailbox(account, id)?;
    }
    Ok(Outcome::Done)
}

/// RENAME, of INBOX too. RFC 9051 §6.3.6.
pub(super) fn rename(
    draft: &mut Draft<'_>,
    account: AccountId,
    from: &str,
    to: &str,
) -> Result<Outcome, Error> {
    draft.account(account)?;
    let from = name::canonical(from);
    let to = name::check(to, draft.terms.limits)?;
    if read::mailbox_id(draft.rows, account, &to)?.is_some() {
        return Err(Error::Exists);
    }
    if from == "INBOX" {
        return rename_inbox(draft, account, &to);
    }
    let below = format!("{from}{}", name::SEPARATOR);
    if to.starts_with(&below) {
        return Err(Error::Cannot("a mailbox cannot be put below itself"));
    }
    let moves = moves(draft, account, &from, &below, &to)?;
    if moves.is_empty() {
        return Err(Error::NoMailbox);
    }
    // Old names go before new ones come: `a/b` may become `a`, and `a/b/b` then `a/b`.
    for (id, _) in &moves {
        let mailbox = draft.mailbox(account, *id)?;
        let bits = mailbox.special;
        mailbox.special &= !special::SUBSCRIBED;
        let old = std::mem::take(&mut mailbox.name);
        drop_name(draft, account, &old, bits);
    }
    create_above(draft, account, &to)?;
    for (id, new) in moves {
        let subscribed = subscription(draft, account, &new)?;
        let mailbox = draft.mailbox(account, id)?;
        mailbox.special |= subscribed;
        mailbox.name.clone_from(&new);
        put_name(draft, account, &new, Some(id));
        draft.touch_mailbox(account, id)?;
    }
    Ok(Outcome::Done)
}

/// The mailboxes that a rename moves, and their new names.
fn moves(
    draft: &Draft<'_>,
    account: AccountId,
    from: &str,
    below: &str,
    to: &str,
) -> Result<Vec<(MailboxId, String)>, Error> {
    let moved = |name: &str| name == from || name.starts_with(below);
    let (mut moves, mut names) = (Vec::new(), Vec::new());
    read::mailboxes(draft.rows, account, |name, mailbox| {
        match mailbox {
            Some((id, _)) if moved(name) => {
                moves.push((id, format!("{to}{}", &name[from.len()..])));
            }
            Some(_) => names.push(name.to_owned()),
            None => {}
        }
        ControlFlow::Continue(())
    })?;
    for (_, new) in &moves {
        // A longer name must still be a name.
        name::check(new, draft.terms.limits)?;
        if names.binary_search(new).is_ok() {
            return Err(Error::Exists);
        }
    }
    Ok(moves)
}

/// INBOX's messages go into a new mailbox; INBOX stays, empty, and what is below it stays where it is.
fn rename_inbox(draft: &mut Draft<'_>, account: AccountId, to: &str) -> Result<Outcome, Error> {
    let messages = draft.mailbox(account, MailboxId::INBOX)?.messages;
    messages::copy_fits(draft, messages as usize)?;
    create_above(draft, account, to)?;
    let target = add(draft, account, to, 0)?;
    let keywords = draft.mailbox(account, MailboxId::INBOX)?.keywords.clone();
    draft.mailbox(account, target)?.keywords = keywords;
    for (uid, row) in &all(draft, account, MailboxId::INBOX)? {
        messages::copy(draft, account, MailboxId::INBOX, *uid, row, target)?;
        draft.remove_message(account, MailboxId::INBOX, *uid, row)?;
    }
    Ok(Outcome::Done)
}

/// SUBSCRIBE and UNSUBSCRIBE. A name that is not there may be subscribed too. RFC 9051 §6.3.7, §6.3.8.
pub(super) fn subscribe(
    draft: &mut Draft<'_>,
    account: AccountId,
    name: &str,
    on: bool,
) -> Result<Outcome, Error> {
    draft.account(account)?;
    if let Some(id) = read::mailbox_id(draft.rows, account, name)? {
        let mailbox = draft.mailbox(account, id)?;
        let bit = if on { special::SUBSCRIBED } else { 0 };
        if mailbox.special & special::SUBSCRIBED != bit {
            mailbox.special = mailbox.special & !special::SUBSCRIBED | bit;
            draft.touch_mailbox(account, id)?;
        }
    } else if on {
        put_name(
            draft,
            account,
            &name::check(name, draft.terms.limits)?,
            None,
        );
    } else if name.len() <= name::OCTETS_MAX {
        let key = key::mailbox_name(account, &name::canonical(name));
        draft.edits.delete(Table::MailboxName, &key);
    }
    Ok(Outcome::Done)
}
