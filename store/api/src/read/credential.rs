//! Keys and app passwords of an account, as a snapshot shows them.
//!
//! In:  a snapshot, an account.
//! Out: rows that borrow from the snapshot. Whether the account may log in at all is in its own row.

use crate::credential::{APP, CredentialRow, MAIN, ScramRow};
use crate::{Error, Snapshot, Table, key, read};
use ringpost_types::AccountId;
use std::ops::ControlFlow;

/// SCRAM keys of the main password; none where they were not given with it.
pub fn main_keys<'t>(
    snapshot: &'t (dyn Snapshot + 't),
    account: AccountId,
) -> Result<Option<ScramRow<'t>>, Error> {
    let key = key::credential(account, MAIN, 0);
    let row = snapshot.get(Table::Credential, &key)?;
    Ok(row
        .map(CredentialRow::read)
        .transpose()?
        .and_then(|row| row.scram))
}

/// One app password of an account.
pub fn app_password<'t>(
    snapshot: &'t (dyn Snapshot + 't),
    account: AccountId,
    id: u32,
) -> Result<Option<CredentialRow<'t>>, Error> {
    let key = key::credential(account, APP, id);
    snapshot
        .get(Table::Credential, &key)?
        .map(CredentialRow::read)
        .transpose()
}

/// The app passwords of an account, oldest first.
pub fn app_passwords(
    snapshot: &dyn Snapshot,
    account: AccountId,
    mut visit: impl FnMut(u32, CredentialRow<'_>) -> ControlFlow<()>,
) -> Result<(), Error> {
    let within = &key::credential(account, APP, 0)[..5];
    read::scan(snapshot, Table::Credential, within, &[], |key, value| {
        let id = key::u32_at(Table::Credential, key, 5)?;
        Ok(visit(id, CredentialRow::read(value)?))
    })
}
