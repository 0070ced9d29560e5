//! The way of a login, and a cache of good ones.
//!
//! ```text
//! Logins::start ── known, seen good lately ──> Start::Known(Login)
//!       │
//!       └────────> Start::Verify(Attempt) ── Attempt::verify, off the shard ──> Verified
//!                                                                                  │
//!                  Some(Login), remembered  <────────── Logins::settle ────────────┘
//!                  None: refused
//! ```
//!
//! A phone that asks every minute must not cost 19 MiB and tens of milliseconds each time. What is remembered is
//! no password: an HMAC-SHA256 under a key that this process alone has and forgets, of the account, its password
//! hash and the password. A changed password hash therefore fits no entry. Failures are never remembered.
//!
//! Invariants: an unknown user, a disabled one and a wrong password take the same way and the same time; entries
//! are bounded in number and age.

use crate::directory::account;
use crate::secret;
use aws_lc_rs::{hmac, rand};
use ringpost_api::{Error, Snapshot};
use ringpost_types::AccountId;
use std::collections::HashMap;

/// How long a good login is remembered, in milliseconds.
const AGE_MS: u64 = 10 * 60 * 1_000;

/// Who has logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The account.
    pub account: AccountId,
    /// Its primary address.
    pub name: String,
}

/// The first answer to a login.
pub enum Start {
    /// Good, as minutes ago.
    Known(Login),
    /// A hash must tell. Run [`Attempt::verify`] where blocking is allowed and [`Logins::settle`] what it gives.
    Verify(Attempt),
}

/// A login that a hash decides. Holds the password: it is neither printed nor kept.
pub struct Attempt {
    login: Option<Login>,
    phc: String,
    password: Vec<u8>,
    tag: Option<hmac::Tag>,
}

/// A login that a hash has decided.
pub struct Verified {
    login: Option<Login>,
    tag: Option<hmac::Tag>,
}

impl Attempt {
    /// Hashes the password. Slow; blocks.
    pub fn verify(self) -> Verified {
        let good = secret::verify(&self.password, &self.phc);
        Verified {
            login: self.login.filter(|_| good),
            tag: self.tag,
        }
    }
}

struct Entry {
    tag: hmac::Tag,
    until_ms: u64,
}

/// Good logins of the last minutes. Each shard has its own.
pub struct Logins {
    key: hmac::Key,
    /// Two generations of at most half the bound each: the older one falls away as a whole.
    young: HashMap<AccountId, Entry>,
    old: HashMap<AccountId, Entry>,
    half: usize,
}

impl Logins {
    /// A cache of at most `entries_max` accounts.
    pub fn new(entries_max: usize) -> Self {
        let mut octets = [0; 32];
        rand::fill(&mut octets).expect("the machine gives random octets");
        Logins {
            key: hmac::Key::new(hmac::HMAC_SHA256, &octets),
            young: HashMap::new(),
            old: HashMap::new(),
            half: entries_max.div_ceil(2).max(1),
        }
    }

    /// Begins a login. `now_ms` is any clock that goes forward.
    pub fn start(
        &self,
        snapshot: &dyn Snapshot,
        name: &str,
        password: &[u8],
        now_ms: u64,
    ) -> Result<Start, Error> {
        let account = account(snapshot, name)?.filter(|a| !a.disabled && !a.secret.is_empty());
        let Some(account) = account else {
            return Ok(Start::Verify(Attempt {
                login: None,
                phc: secret::NOBODY.to_owned(),
                password: password.to_owned(),
                tag: None,
            }));
        };
        let tag = self.tag(account.id, &account.secret, password);
        let login = Login {
            account: account.id,
            name: account.name,
        };
        if self.is_known(login.account, &tag, now_ms) {
            return Ok(Start::Known(login));
        }
        Ok(Start::Verify(Attempt {
            login: Some(login),
            phc: account.secret,
            password: password.to_owned(),
            tag: Some(tag),
        }))
    }

    /// Ends a login: who it is, or `None` for a refusal. A good one is remembered.
    pub fn settle(&mut self, verified: Verified, now_ms: u64) -> Option<Login> {
        let login = verified.login?;
        if let Some(tag) = verified.tag {
            self.remember(login.account, tag, now_ms);
        }
        Some(login)
    }

    fn tag(&self, account: AccountId, phc: &str, password: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&account.0.to_be_bytes());
        context.update(&(phc.len() as u64).to_be_bytes());
        context.update(phc.as_bytes());
        context.update(password);
        context.sign()
    }

    fn is_known(&self, account: AccountId, tag: &hmac::Tag, now_ms: u64) -> bool {
        let entry = self.young.get(&account).or_else(|| self.old.get(&account));
        entry.is_some_and(|entry| {
            let equal =
                aws_lc_rs::constant_time::verify_slices_are_equal(entry.tag.as_ref(), tag.as_ref());
            now_ms < entry.until_ms && equal.is_ok()
        })
    }

    fn remember(&mut self, account: AccountId, tag: hmac::Tag, now_ms: u64) {
        if self.young.len() >= self.half && !self.young.contains_key(&account) {
            self.old = std::mem::take(&mut self.young);
        }
        let until_ms = now_ms.saturating_add(AGE_MS);
        self.young.insert(account, Entry { tag, until_ms });
    }
}
