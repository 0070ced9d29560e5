//! What an operator can ask of passwords: keys that go with a hash, and app passwords.
//!
//! In:  hashes and keys; a password itself never comes here. Out: one [`Write`], or lines of a list.

use super::request::{Answer, Plan};
use crate::cli::exit::Failure;
use data_encoding::BASE64;
use ringpost_api::Snapshot;
use ringpost_api::credential::{Scram, scope};
use ringpost_directory::account;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What an app password may open, by its word.
pub const SCOPES: [(&str, u32); 3] = [
    ("smtp", scope::SMTP),
    ("imap", scope::IMAP),
    ("sieve", scope::SIEVE),
];

/// SCRAM-SHA-256 keys of a password, octets in base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    iterations: u32,
    salt: String,
    stored: String,
    server: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({} rounds)", self.iterations)
    }
}

impl From<&ringpost_sasl::Keys> for Keys {
    fn from(keys: &ringpost_sasl::Keys) -> Self {
        Keys {
            iterations: keys.iterations,
            salt: BASE64.encode(&keys.salt),
            stored: BASE64.encode(&keys.stored),
            server: BASE64.encode(&keys.server),
        }
    }
}

impl Keys {
    /// As the store wants them.
    pub fn scram(&self) -> Result<Scram, Failure> {
        let wrong = || Failure::usage("keys are not 32 octets in base64");
        let octets = |text: &str| BASE64.decode(text.as_bytes()).map_err(|_| wrong());
        Ok(Scram {
            iterations: self.iterations,
            salt: octets(&self.salt)?,
            stored_key: octets(&self.stored)?.try_into().map_err(|_| wrong())?,
            server_key: octets(&self.server)?.try_into().map_err(|_| wrong())?,
        })
    }
}

/// One question about the app passwords of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "app_password", rename_all = "snake_case")]
pub enum Ask {
    Add {
        account: String,
        name: String,
        /// Words of [`SCOPES`].
        scopes: Vec<String>,
        secret: String,
        keys: Keys,
    },
    Remove {
        account: String,
        name: String,
    },
    /// [`Answer::AppPasswords`].
    List {
        account: String,
    },
}

/// One app password of a list. Times are seconds since 1970 UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub name: String,
    /// Words of [`SCOPES`].
    pub scopes: Vec<String>,
    pub created: u64,
    /// 0: never.
    pub used: u64,
}

/// Looks it up.
pub fn plan(snapshot: &dyn Snapshot, ask: &Ask) -> Result<Plan, Failure> {
    Ok(match ask {
        Ask::Add {
            account,
            name,
            scopes,
            secret,
            keys,
        } => {
            let (bits, keys) = (bits(scopes)?, keys.scram()?);
            let secret = secret.clone();
            let write =
                account::add_app_password(snapshot, account, name, bits, secret, Some(keys));
            Plan::Write(write?)
        }
        Ask::Remove { account, name } => {
            Plan::Write(account::remove_app_password(snapshot, account, name)?)
        }
        Ask::List { account } => {
            let listed = account::list_app_passwords(snapshot, account)?.into_iter();
            let lines = listed.map(|listed| Line {
                name: listed.name,
                scopes: words(listed.scopes),
                created: listed.created,
                used: listed.used,
            });
            Plan::Answer(Answer::AppPasswords(lines.collect()))
        }
    })
}

fn bits(scopes: &[String]) -> Result<u32, Failure> {
    scopes.iter().try_fold(0, |bits, word| {
        let known = SCOPES.iter().find(|(known, _)| known == word);
        let known = known.ok_or_else(|| Failure::usage(format!("unknown scope {word:?}")));
        known.map(|(_, bit)| bits | bit)
    })
}

fn words(bits: u32) -> Vec<String> {
    let set = SCOPES.iter().filter(|(_, bit)| bits & bit != 0);
    set.map(|(word, _)| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_by_word() {
        let some = words(scope::SMTP | scope::SIEVE);
        assert_eq!(some, ["smtp", "sieve"]);
        assert_eq!(bits(&some).ok(), Some(scope::SMTP | scope::SIEVE));
        assert_eq!(bits(&words(scope::ALL)).ok(), Some(scope::ALL));
        assert!(bits(&["pop".to_owned()]).is_err());
    }

    #[test]
    fn keys_cross_the_socket() {
        let keys = ringpost_sasl::Keys::nobody(b"x", "a", 4_096);
        let line = Keys::from(&keys);
        let scram = line.scram().expect("keys");
        assert_eq!(scram.salt, keys.salt);
        assert_eq!(
            (scram.stored_key, scram.server_key),
            (keys.stored, keys.server)
        );
        let cut = Keys {
            stored: "AAAA".into(),
            ..line
        };
        assert!(cut.scram().is_err());
        assert_eq!(format!("{cut:?}"), "Keys(4096 rounds)");
    }
}
