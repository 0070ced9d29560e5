//! Good logins of the last minutes.
//!
//! A phone that asks every minute must not cost 19 MiB and tens of milliseconds each time. What is remembered is
//! no password: an HMAC-SHA256, under a key that this process alone has and forgets, of the account, its password
//! hash and the password. A changed password hash therefore fits no entry. Failures are never remembered.
//!
//! Invariant: entries are bounded in number and age.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hmac, rand};
use ringpost_types::AccountId;
use std::collections::HashMap;
use std::hash::Hash;

/// How long a good login is remembered, in milliseconds.
const AGE_MS: u64 = 10 * 60 * 1_000;

/// Passwords that were good. Each shard has its own.
pub struct Cache {
    key: hmac::Key,
    entries: Aging<AccountId, hmac::Tag>,
}

impl Cache {
    /// A cache of at most `entries_max` accounts.
    pub fn new(entries_max: usize) -> Self {
        let mut octets = [0; 32];
        rand::fill(&mut octets).expect("the machine gives random octets");
        Cache {
            key: hmac::Key::new(hmac::HMAC_SHA256, &octets),
            entries: Aging::new(entries_max),
        }
    }

    /// What stands for a password of an account with this hash.
    pub fn tag(&self, account: AccountId, phc: &str, password: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&account.0.to_be_bytes());
        context.update(&(phc.len() as u64).to_be_bytes());
        context.update(phc.as_bytes());
        context.update(password);
        context.sign()
    }

    /// Whether it was good minutes ago.
    pub fn is_known(&self, account: AccountId, tag: &hmac::Tag, now_ms: u64) -> bool {
        let known = self.entries.find(&account, now_ms);
        known.is_some_and(|known| verify_slices_are_equal(known.as_ref(), tag.as_ref()).is_ok())
    }

    /// Remembers a good one in place of the account's last.
    pub fn remember(&mut self, account: AccountId, tag: hmac::Tag, now_ms: u64) {
        let until_ms = now_ms.saturating_add(AGE_MS);
        self.entries.put(account, tag, until_ms);
    }
}

/// A map whose entries end, and whose older half falls away as a whole when it is full.
pub(crate) struct Aging<K, V> {
    young: HashMap<K, (V, u64)>,
    old: HashMap<K, (V, u64)>,
    half: usize,
}

impl<K: Eq + Hash, V> Aging<K, V> {
    pub(crate) fn new(entries_max: usize) -> Self {
        Aging {
            young: HashMap::new(),
            old: HashMap::new(),
            half: entries_max.div_ceil(2).max(1),
        }
    }

    /// What is there and has not ended.
    pub(crate) fn find(&self, key: &K, now_ms: u64) -> Option<&V> {
        let (value, until_ms) = self.young.get(key).or_else(|| self.old.get(key))?;
        (now_ms < *until_ms).then_some(value)
    }

    pub(crate) fn put(&mut self, key: K, value: V, until_ms: u64) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, (value, until_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_for_minutes_and_with_its_hash_alone() {
        let mut cache = Cache::new(4);
        let (a, b) = (AccountId(1), AccountId(2));
        let tag = cache.tag(a, "$hash", b"password");
        assert!(!cache.is_known(a, &tag, 0));
        cache.remember(a, tag, 0);
        assert!(cache.is_known(a, &tag, AGE_MS - 1));
        assert!(!cache.is_known(a, &tag, AGE_MS));
        assert!(!cache.is_known(b, &tag, 0));
        for other in [
            cache.tag(a, "$hash", b"passwore"),
            cache.tag(a, "$hasi", b"password"),
            cache.tag(a, "$has", b"hpassword"),
            cache.tag(b, "$hash", b"password"),
            Cache::new(4).tag(a, "$hash", b"password"),
        ] {
            assert!(!cache.is_known(a, &other, 0));
        }
    }

    #[test]
    fn never_more_than_its_bound() {
        let mut cache = Aging::new(10);
        for key in 0..1_000u32 {
            cache.put(key, key, 1);
            assert!(cache.young.len() + cache.old.len() <= 10);
            assert_eq!(cache.find(&key, 0), Some(&key));
        }
        assert_eq!(cache.find(&0, 0), None);
        assert_eq!(cache.find(&995, 0), Some(&995));
    }
}
