//! Keys of main passwords, and app passwords.
//!
//! In:  hashes and keys, as `sasl` derived them.
//! Out: rows of table credential.
//!
//! Invariants: keys of the main password are those of the secret in the account row, or are not there; an app password's id
//! is never given out again; two of one account have different names.

use super::USED_EVERY;
use super::draft::Draft;
use crate::credential::{APP, CredentialRow, MAIN, NAME_OCTETS_MAX, Scram, scope};
use crate::{Error, Outcome, Table, key, read};
use ringpost_types::AccountId;
use std::ops::ControlFlow;

const TOO_LONG: Error = Error::Cannot("a salt has at most 255 octets, a password hash 65,535");

/// The main password's keys, with the secret that they belong to.
pub(super) fn main(
    draft: &mut Draft<'_>,
    account: AccountId,
    scram: Option<&Scram>,
) -> Result<(), Error> {
    let key = key::credential(account, MAIN, 0);
    let Some(scram) = scram else {
        if draft.rows.get(Table::Credential, &key)?.is_some() {
            draft.edits.delete(Table::Credential, &key);
        }
        return Ok(());
    };
    let row = CredentialRow {
        created: draft.terms.now,
        scopes: scope::ALL,
        scram: Some(scram.row()),
        ..CredentialRow::default()
    };
    put(draft, &key, &row)
}

/// Keys for an account that has none, where they are those of its password still.
pub(super) fn keys(
    draft: &mut Draft<'_>,
    account: AccountId,
    secret: &str,
    scram: &Scram,
) -> Result<Outcome, Error> {
    let is_current = read::account(draft.rows, account)?.is_some_and(|row| row.secret == secret);
    if is_current && read::main_keys(draft.rows, account)?.is_none() {
        main(draft, account, Some(scram))?;
    }
    Ok(Outcome::Done)
}

fn put(draft: &mut Draft<'_>, key: &[u8], row: &CredentialRow<'_>) -> Result<(), Error> {
    let mut fits = None;
    draft
        .edits
        .put_with(Table::Credential, key, |out| fits = row.encode(out));
    fits.ok_or(TOO_LONG)
}

pub(super) fn add(
    draft: &mut Draft<'_>,
    account: AccountId,
    name: &str,
    scopes: u32,
    secret: &str,
    scram: Option<&Scram>,
) -> Result<Outcome, Error> {
    draft.account(account)?;
    if name.is_empty() || name.len() > NAME_OCTETS_MAX || name.chars().any(char::is_control) {
        let why = "the name of an app password has 1 to 255 octets and no control characters";
        return Err(Error::Cannot(why));
    }
    if scopes == 0 || scopes & !scope::ALL != 0 {
        return Err(Error::Cannot(
            "an app password opens something, and something known",
        ));
    }
    let (mut count, mut taken) = (0, false);
    read::app_passwords(draft.rows, account, |_, row| {
        count += 1;
        taken |= row.name == name;
        ControlFlow::Continue(())
    })?;
    if taken {
        return Err(Error::Exists);
    }
    if count >= draft.terms.limits.account_app_passwords_max {
        return Err(Error::Limit("account_app_passwords_max"));
    }
    let id = read::number(draft.rows, "next_credential")?.max(1);
    let next = id.checked_add(1).ok_or(Error::Limit("credential id"))?;
    draft
        .edits
        .put(Table::Setting, b"next_credential", &next.to_le_bytes());
    let row = CredentialRow {
        created: draft.terms.now,
        used: 0,
        scopes,
        secret,
        name,
        scram: scram.map(Scram::row),
    };
    put(draft, &key::credential(account, APP, id), &row)?;
    Ok(Outcome::Credential(id))
}

pub(super) fn remove(draft: &mut Draft<'_>, account: AccountId, id: u32) -> Result<Outcome, Error> {
    draft.account(account)?;
    let key = key::credential(account, APP, id);
    if draft.rows.get(Table::Credential, &key)?.is_none() {
        return Err(Error::Cannot("no such app password"));
    }
    draft.edits.delete(Table::Credential, &key);
    Ok(Outcome::Done)
}

pub(super) fn used(draft: &mut Draft<'_>, account: AccountId, id: u32) -> Result<Outcome, Error> {
    let now = draft.terms.now;
    let Some(row) = read::app_password(draft.rows, account, id)? else {
        return Ok(Outcome::Done);
    };
    // A clock that was set back is not waited for.
    if (row.used..row.used.saturating_add(USED_EVERY)).contains(&now) {
        return Ok(Outcome::Done);
    }
    let row = CredentialRow { used: now, ..row };
    put(draft, &key::credential(account, APP, id), &row)?;
    Ok(Outcome::Done)
}

/// Those of an account that goes: at most one more than limit `account_app_passwords_max`.
pub(super) fn drop_all(draft: &mut Draft<'_>, account: AccountId) -> Result<(), Error> {
    let Draft { rows, edits, .. } = draft;
    rows.scan(
        Table::Credential,
        &key::account(account),
        &[],
        &mut |key, _| {
            edits.delete(Table::Credential, key);
            ControlFlow::Continue(())
        },
    )
}
