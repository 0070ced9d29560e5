//! Whether a password is an account's: one of its app passwords, or its own.
//!
//! ```text
//! start ── an app password, or seen good lately ──> Start::Known
//!   │
//!   └────> Start::Hash(Hash) ── Hash::verify, beside the shard ──> Hashed ── settle ──> who it is, or nobody
//! ```
//!
//! Invariant: whoever is not known at once costs the same hashes: nobody is hashed like somebody.

use crate::cache::Cache;
use crate::name::Name;
use aws_lc_rs::hmac;
use ringpost_api::credential::scope;
use ringpost_api::{Error, Snapshot, read};
use ringpost_directory::app_password::Candidate;
use ringpost_directory::{Login, directory, secret};
use ringpost_sasl::{Keys, Secret};
use ringpost_types::AccountId;
use std::ops::ControlFlow;

/// An account that somebody has shown to be theirs, and by which of its credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Who.
    pub login: Login,
    /// What the credential is good for.
    pub scopes: u32,
    /// The app password, with when it was last used, in seconds.
    pub app: Option<App>,
}

/// An app password that was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    pub account: AccountId,
    pub id: u32,
    /// What its owner calls it.
    pub name: String,
    /// When it was used before this, in seconds since 1970 UTC.
    pub used: u64,
}

impl Subject {
    /// By the account's own password, a token or a certificate.
    pub fn of(account: directory::Account) -> Subject {
        Subject {
            login: Login {
                account: account.id,
                name: account.name,
            },
            scopes: scope::ALL,
            app: None,
        }
    }
}

/// The first answer to a password.
pub enum Start {
    /// It is good.
    Known(Subject),
    /// A hash must tell.
    Hash(Hash),
}

/// A password that a hash decides about.
pub struct Hash {
    subject: Option<Subject>,
    phc: String,
    password: Secret,
    tag: Option<hmac::Tag>,
    /// There are no SCRAM keys yet: this is the moment at which the password is known.
    derive: bool,
}

/// A password that a hash has decided about.
pub struct Hashed {
    subject: Option<Subject>,
    tag: Option<hmac::Tag>,
    keys: Option<NewKeys>,
}

/// SCRAM keys for an account that had none.
pub struct NewKeys {
    pub account: AccountId,
    /// The hash of the password that they are of.
    pub secret: String,
    pub keys: Keys,
}

/// Begins. `now_ms` is any clock that goes forward.
pub fn start(
    snapshot: &dyn Snapshot,
    cache: &Cache,
    identity: &str,
    password: Secret,
    now_ms: u64,
) -> Result<Start, Error> {
    let name = Name::read(identity);
    let account = directory::account(snapshot, name.account)?.filter(|account| !account.disabled);
    let Some(account) = account else {
        return Ok(nobody(password));
    };
    if let Some(candidate) = Candidate::read(password.expose())
        && let Some(subject) = app(snapshot, &account, name.app, &candidate)?
    {
        return Ok(Start::Known(subject));
    }
    // Who names an app password does not mean the account's own.
    if name.app.is_some() || account.secret.is_empty() {
        return Ok(nobody(password));
    }
    let phc = account.secret.clone();
    let tag = cache.tag(account.id, &phc, password.expose());
    let is_known = cache.is_known(account.id, &tag, now_ms);
    let derive = read::main_keys(snapshot, account.id)?.is_none();
    let subject = Subject::of(account);
    Ok(match is_known {
        true => Start::Known(subject),
        false => Start::Hash(Hash {
            subject: Some(subject),
            phc,
            password,
            tag: Some(tag),
            derive,
        }),
    })
}

fn nobody(password: Secret) -> Start {
    Start::Hash(Hash {
        subject: None,
        phc: secret::NOBODY.to_owned(),
        password,
        tag: None,
        derive: false,
    })
}

/// The app password that fits. All are compared, which is as many SHA-256 as a limit allows.
fn app(
    snapshot: &dyn Snapshot,
    account: &directory::Account,
    named: Option<&str>,
    candidate: &Candidate,
) -> Result<Option<Subject>, Error> {
    let mut found = None;
    read::app_passwords(snapshot, account.id, |id, row| {
        let meant = named.is_none_or(|name| name == row.name);
        if meant && candidate.fits(row.secret) {
            found = Some(Subject {
                scopes: row.scopes,
                app: Some(App {
                    account: account.id,
                    id,
                    name: row.name.to_owned(),
                    used: row.used,
                }),
                ..Subject::of(account.clone())
            });
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

impl Hash {
    /// Hashes the password. Slow; blocks.
    pub fn verify(self) -> Hashed {
        let good = secret::verify(self.password.expose(), &self.phc);
        let subject = self.subject.filter(|_| good);
        let keys = match &subject {
            Some(subject) if self.derive => {
                let keys = secret::keys(self.password.expose()).ok();
                keys.map(|keys| NewKeys {
                    account: subject.login.account,
                    secret: self.phc,
                    keys,
                })
            }
            _ => None,
        };
        Hashed {
            subject,
            tag: self.tag,
            keys,
        }
    }
}

/// Ends: who it is, or `None`. A good password is remembered; keys that it made possible are to be stored.
pub fn settle(
    cache: &mut Cache,
    hashed: Hashed,
    now_ms: u64,
) -> (Option<Subject>, Option<NewKeys>) {
    if let (Some(subject), Some(tag)) = (&hashed.subject, hashed.tag) {
        cache.remember(subject.login.account, tag, now_ms);
    }
    (hashed.subject, hashed.keys)
}
