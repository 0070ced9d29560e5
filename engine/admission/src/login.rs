//! Logins: who may try, how slow the answer, and when it is a ban.
//!
//! | failed logins in an hour | what comes of it |
//! |---|---|
//! | of an address, of a network | answers slow down from a tenth of the bound on; at the bound a ban |
//! | of a name, from everywhere | answers slow down; at the bound only networks may try from which the name logged in before |
//!
//! So a guesser loses time at once and its address soon, and a crowd of guessers finds the door shut for one name while
//! the name's owner still goes in and out where he always does. A name that does not exist counts like one that does. An
//! empty name is nobody's: who shows a token or a certificate names nobody, and counts by where he comes from alone; were
//! all of them counted as one, a few bad tokens would shut the door for every good one.

use crate::admission::{Admission, Tally};
use crate::network::{around, key};
use crate::policy::Count;
use crate::{Reason, Scope, Verdict};
use std::net::IpAddr;

impl Admission {
    /// Whether `name` may try to log in from `address` now; asked before any password is looked at.
    pub fn may_log_in(&self, address: Option<IpAddr>, name: &str, now_ms: u64) -> Verdict {
        let bounds = self.policy().account;
        let address = self.counted(address);
        if let Some(address) = address
            && let Some(verdict) = self.banned(address, now_ms)
        {
            return verdict;
        }
        if name.is_empty() {
            return Verdict::Welcome;
        }
        let name = self.name_key(name);
        let level = self
            .accounts
            .find(name, |row| row.level(Count::Logins, &bounds, now_ms));
        match (level, address) {
            (Some((level, bound)), Some(address))
                if level >= bound && !self.knows(pair(name, address), now_ms) =>
            {
                Verdict::Later(Reason::Rate(Scope::Account, Count::Logins))
            }
            _ => Verdict::Welcome,
        }
    }

    /// A login failed: how slow the answer is to be. A ban, should it have come to that, is for the next connection too.
    pub fn log_in_failed(&self, address: Option<IpAddr>, name: &str, now_ms: u64) -> Verdict {
        let bounds = self.policy().account;
        let failed = match name {
            "" => None,
            name => {
                let fail = |row: &mut Tally| row.fail(Count::Logins, &bounds, now_ms);
                self.accounts.with(self.name_key(name), fail)
            }
        };
        let (level, bound) = failed.map_or((0, u64::MAX), |(_, level)| level);
        let slow_ms = self.policy().slowness(level, bound);
        let verdict = match self.counted(address) {
            Some(address) => self.fail(address, Count::Logins, "too many failed logins", now_ms),
            None => Verdict::Welcome,
        };
        match verdict {
            Verdict::Welcome if slow_ms > 0 => Verdict::Slow(slow_ms),
            Verdict::Slow(ms) => Verdict::Slow(ms.max(slow_ms)),
            verdict => verdict,
        }
    }

    /// A login succeeded: the name's owner is at home in this network.
    pub fn logged_in(&self, address: Option<IpAddr>, name: &str, now_ms: u64) {
        if let Some(address) = self.counted(address) {
            self.remember(key(around(address).address()), now_ms);
            self.remember(pair(self.name_key(name), address), now_ms);
        }
    }

    /// Whether `name` has logged in from this network before; wherever nobody is counted, everybody is at home.
    pub fn is_at_home(&self, address: Option<IpAddr>, name: &str, now_ms: u64) -> bool {
        let address = self.counted(address);
        address.is_none_or(|address| self.knows(pair(self.name_key(name), address), now_ms))
    }

    /// The address, if it is one that is counted.
    fn counted(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        let address = address?.to_canonical();
        (!self.policy().exempts(address)).then_some(address)
    }
}

/// The key of a name in a network.
fn pair(name: u128, address: IpAddr) -> u128 {
    name ^ key(around(address).address()).rotate_left(64)
}
