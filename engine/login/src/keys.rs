//! SCRAM keys of a name. Of one that nobody has, keys that look like anybody's and stay the same.
//!
//! Invariant: whether keys are real is told by nothing but the proof: both are made, as many rounds, one is shown.

use crate::check::{App, Subject};
use crate::name::Name;
use ringpost_api::credential::{CredentialRow, Scram, ScramRow};
use ringpost_api::{Error, Snapshot, read};
use ringpost_directory::directory;
use ringpost_sasl::Keys;
use ringpost_sasl::scram::keys::{ITERATIONS, ITERATIONS_RANDOM};
use std::ops::ControlFlow;

/// The keys to show, and who it will be if the proof fits them.
pub fn find(
    snapshot: &dyn Snapshot,
    nobody: &[u8; 32],
    identity: &str,
) -> Result<(Keys, Option<Subject>), Error> {
    let name = Name::read(identity);
    let iterations = match name.app {
        Some(_) => ITERATIONS_RANDOM,
        None => ITERATIONS,
    };
    let decoy = Keys::nobody(nobody, &name.key(), iterations);
    let account = directory::account(snapshot, name.account)?.filter(|account| !account.disabled);
    let found = match (account, name.app) {
        (None, _) => None,
        (Some(account), Some(app)) => of_app(snapshot, account, app)?,
        (Some(account), None) => {
            let keys = read::main_keys(snapshot, account.id)?.and_then(keys);
            keys.map(|keys| (keys, Subject::of(account)))
        }
    };
    Ok(match found {
        Some((keys, subject)) => (keys, Some(subject)),
        None => (decoy, None),
    })
}

fn of_app(
    snapshot: &dyn Snapshot,
    account: directory::Account,
    name: &str,
) -> Result<Option<(Keys, Subject)>, Error> {
    let mut found = None;
    read::app_passwords(snapshot, account.id, |id, row| {
        let CredentialRow { scopes, used, .. } = row;
        let keys = row.scram.and_then(keys);
        match keys.filter(|_| row.name == name) {
            Some(keys) => {
                let app = App {
                    account: account.id,
                    id,
                    name: row.name.to_owned(),
                    used,
                };
                found = Some((keys, scopes, app));
                ControlFlow::Break(())
            }
            None => ControlFlow::Continue(()),
        }
    })?;
    Ok(found.map(|(keys, scopes, app)| {
        let subject = Subject {
            scopes,
            app: Some(app),
            ..Subject::of(account)
        };
        (keys, subject)
    }))
}

/// Keys as the store has them; with a salt of another length they are not ours.
fn keys(row: ScramRow<'_>) -> Option<Keys> {
    Some(Keys {
        salt: row.salt.try_into().ok()?,
        iterations: row.iterations,
        stored: *row.stored_key,
        server: *row.server_key,
    })
}

/// Keys as the store wants them.
pub fn stored(keys: &Keys) -> Scram {
    Scram {
        iterations: keys.iterations,
        salt: keys.salt.to_vec(),
        stored_key: keys.stored,
        server_key: keys.server,
    }
}
