//! Keys and passwords of an account beside its main secret. Drawn in [`crate::table`].
//!
//! In:  what `sasl` derived: hashes and keys, never a password.
//! Out: octets of a row; a [`CredentialRow`] that borrows from them.
//!
//! | kind | id | what |
//! |---|---|---|
//! | 1 | 0 | SCRAM-SHA-256 keys of the main password. They come and go with the secret, in one write |
//! | 2 | given out, never again | an app password: name, scopes, PHC hash, SCRAM keys |
//!
//! Invariants: no octets, however damaged, make a panic; `read(encode(row)) == row`.

use crate::layout::{self, Fixed};
use crate::row::{damaged, text};
use crate::{Error, Table};
use std::fmt;
use zerocopy::IntoBytes;

/// The main password's keys.
pub const MAIN: u8 = 1;
/// An app password.
pub const APP: u8 = 2;
/// Octets of an app password's name.
pub const NAME_OCTETS_MAX: usize = 255;
/// Octets of StoredKey and of ServerKey: SHA-256.
pub const KEY_OCTETS: usize = 32;

/// What an app password opens, as bits of [`CredentialRow::scopes`].
pub mod scope {
    /// Submission.
    pub const SMTP: u32 = 1;
    /// Mailboxes.
    pub const IMAP: u32 = 1 << 1;
    /// Scripts.
    pub const SIEVE: u32 = 1 << 2;
    /// All of them.
    pub const ALL: u32 = SMTP | IMAP | SIEVE;
}

/// What SCRAM-SHA-256 verifies a password by. RFC 5802 §3, RFC 7677.
#[derive(Clone, PartialEq, Eq)]
pub struct Scram {
    pub iterations: u32,
    /// 1 to 255 octets.
    pub salt: Vec<u8>,
    pub stored_key: [u8; KEY_OCTETS],
    pub server_key: [u8; KEY_OCTETS],
}

/// Keys are secrets: an event or a failed test shows that there are some, and not which.
impl fmt::Debug for Scram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scram({} iterations)", self.iterations)
    }
}

/// [`Scram`], as a row lends it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ScramRow<'t> {
    pub iterations: u32,
    pub salt: &'t [u8],
    pub stored_key: &'t [u8; KEY_OCTETS],
    pub server_key: &'t [u8; KEY_OCTETS],
}

impl fmt::Debug for ScramRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scram({} iterations)", self.iterations)
    }
}

impl Scram {
    /// Lends it.
    pub fn row(&self) -> ScramRow<'_> {
        ScramRow {
            iterations: self.iterations,
            salt: &self.salt,
            stored_key: &self.stored_key,
            server_key: &self.server_key,
        }
    }
}

impl ScramRow<'_> {
    /// All of it, owned.
    pub fn to_scram(self) -> Scram {
        Scram {
            iterations: self.iterations,
            salt: self.salt.to_vec(),
            stored_key: *self.stored_key,
            server_key: *self.server_key,
        }
    }
}

/// A credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CredentialRow<'t> {
    /// Seconds since 1970 UTC.
    pub created: u64,
    /// Seconds since 1970 UTC, to within [`crate::apply::USED_EVERY`]; 0: never.
    pub used: u64,
    /// Bits of [`scope`].
    pub scopes: u32,
    /// A hash, as a PHC string; empty: none.
    pub secret: &'t str,
    /// As its owner called it; empty: the main password's.
    pub name: &'t str,
    pub scram: Option<ScramRow<'t>>,
}

impl<'t> CredentialRow<'t> {
    /// Reads a value of table credential.
    pub fn read(octets: &'t [u8]) -> Result<Self, Error> {
        let (fixed, mut rest) = layout::Credential::before(octets)?;
        let mut next = |octets: usize| -> Result<&'t [u8], Error> {
            let (taken, after) = rest
                .split_at_checked(octets)
                .ok_or_else(|| damaged(Table::Credential, "it goes past the end"))?;
            rest = after;
            Ok(taken)
        };
        let secret = next(fixed.secret_octets.get().into())?;
        let name = next(fixed.name_octets.get().into())?;
        let salt = next(fixed.salt_octets.into())?;
        let scram = match usize::from(fixed.key_octets) {
            0 if salt.is_empty() => None,
            KEY_OCTETS => {
                let wrong = || damaged(Table::Credential, "its keys go past the end");
                Some(ScramRow {
                    iterations: fixed.iterations.get(),
                    salt,
                    stored_key: next(KEY_OCTETS)?.try_into().map_err(|_| wrong())?,
                    server_key: next(KEY_OCTETS)?.try_into().map_err(|_| wrong())?,
                })
            }
            _ => return Err(damaged(Table::Credential, "no such keys")),
        };
        if !rest.is_empty() {
            return Err(damaged(Table::Credential, "row contradicts itself"));
        }
        Ok(CredentialRow {
            created: fixed.created.get(),
            used: fixed.used.get(),
            scopes: fixed.scopes.get(),
            secret: text(Table::Credential, secret)?,
            name: text(Table::Credential, name)?,
            scram,
        })
    }

    /// Appends the value to `out`. `None` where something of it is longer than a length field can tell.
    pub fn encode(&self, out: &mut Vec<u8>) -> Option<()> {
        let octets = |text: &str| u16::try_from(text.len()).ok();
        let salt = self.scram.map_or(&[][..], |scram| scram.salt);
        let fixed = layout::Credential {
            created: self.created.into(),
            used: self.used.into(),
            scopes: self.scopes.into(),
            iterations: self.scram.map_or(0, |scram| scram.iterations).into(),
            secret_octets: octets(self.secret)?.into(),
            name_octets: octets(self.name)?.into(),
            salt_octets: u8::try_from(salt.len()).ok()?,
            key_octets: self.scram.map_or(0, |_| KEY_OCTETS as u8),
            zero: 0.into(),
        };
        out.extend_from_slice(fixed.as_bytes());
        out.extend_from_slice(self.secret.as_bytes());
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(salt);
        if let Some(scram) = self.scram {
            out.extend_from_slice(scram.stored_key);
            out.extend_from_slice(scram.server_key);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_come_back_and_a_cut_is_told() {
        let keys = Scram {
            iterations: 4_096,
            salt: vec![1; 16],
            stored_key: [2; 32],
            server_key: [3; 32],
        };
        let app = CredentialRow {
            created: 1,
            used: 2,
            scopes: scope::SMTP | scope::IMAP,
            secret: "$sha256$",
            name: "téléphone",
            scram: Some(keys.row()),
        };
        let main = CredentialRow {
            secret: "",
            name: "",
            ..app
        };
        let bare = CredentialRow { scram: None, ..app };
        for row in [app, main, bare] {
            let mut out = Vec::new();
            row.encode(&mut out).expect("within all lengths");
            assert_eq!(CredentialRow::read(&out), Ok(row));
            for end in 0..out.len() {
                assert!(CredentialRow::read(&out[..end]).is_err(), "cut at {end}");
            }
            for at in 0..out.len() {
                let mut changed = out.clone();
                changed[at] ^= 0xff;
                let _ = CredentialRow::read(&changed);
            }
        }
        assert_eq!(format!("{keys:?}"), "Scram(4096 iterations)");
    }
}
