//! A guest enters, counts what it does, and leaves.
//!
//! ```text
//! enter ──> by address and network ──known_as(account)──> by account ──drop──> gone
//!   │ refused: nothing is counted, but for the rate of the network, whose room it took
//! ```
//! Whoever has logged in counts by account and no longer by address: an office behind one address is many people.
//! Exempt guests count by account alone.
//!
//! Out: a [`Guard`], 24 octets, which takes the counts back when it is dropped.

use crate::ban::{Ban, Bans};
use crate::bucket::Bucket;
use crate::memory::Budget;
use crate::network::{around, guest, key};
use crate::policy::{Bounds, Count, Policy};
use crate::shed;
use crate::table::{Row, Slot, Table, hash};
use crate::{Network, Reason, Scope, Verdict};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

/// New bans that wait for whoever writes them down.
const NEWS_MAX: usize = 1_024;
/// How long a network is known after it sent a mail or logged somebody in.
const KNOWN_MS: u64 = 30 * 86_400_000;

/// What is counted for an address, a network or an account.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    open: u32,
    buckets: [Bucket; 5],
}

impl Row for Tally {
    fn pinned(&self) -> bool {
        self.open > 0
    }

    fn until(&self) -> u64 {
        let buckets = self.buckets.iter().map(Bucket::empty_at_ms);
        buckets.max().unwrap_or(0)
    }
}

impl Tally {
    /// Takes one connection in.
    fn open(&mut self, bounds: &Bounds, scope: Scope, now_ms: u64) -> Result<(), Reason> {
        if u64::from(self.open) >= bounds.open_max {
            return Err(Reason::Connections(scope));
        }
        self.take(Count::Connections, 1, bounds, scope, now_ms)?;
        self.open += 1;
        Ok(())
    }

    fn take(
        &mut self,
        count: Count,
        units: u64,
        bounds: &Bounds,
        scope: Scope,
        now_ms: u64,
    ) -> Result<(), Reason> {
        let bucket = &mut self.buckets[count as usize];
        match bounds.rate(count) {
            Some(rate) if !bucket.take(units, now_ms, rate) => Err(Reason::Rate(scope, count)),
            _ => Ok(()),
        }
    }

    /// Counts one more failure; the level then, and the bound.
    pub(crate) fn fail(&mut self, count: Count, bounds: &Bounds, now_ms: u64) -> (u64, u64) {
        match bounds.rate(count) {
            Some(rate) => (
                self.buckets[count as usize].add(1, now_ms, rate),
                rate.count,
            ),
            None => (0, u64::MAX),
        }
    }

    pub(crate) fn level(&self, count: Count, bounds: &Bounds, now_ms: u64) -> (u64, u64) {
        match bounds.rate(count) {
            Some(rate) => (self.buckets[count as usize].level(now_ms, rate), rate.count),
            None => (0, u64::MAX),
        }
    }
}

/// A network that did something good, or one from which somebody logged in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    pub until_ms: u64,
}

impl Row for Known {
    fn pinned(&self) -> bool {
        false
    }

    fn until(&self) -> u64 {
        self.until_ms
    }
}

/// Counts, rates and bans; one for all shards.
pub struct Admission {
    policy: RwLock<Policy>,
    pub(crate) addresses: Table<Tally>,
    pub(crate) networks: Table<Tally>,
    pub(crate) accounts: Table<Tally>,
    pub(crate) known: Table<Known>,
    bans: RwLock<Bans>,
    /// Whether there may be a ban: nobody asks the table in quiet times.
    banned: AtomicBool,
    news: Mutex<VecDeque<Ban>>,
    open: AtomicU64,
    budget: Arc<Budget>,
    seed: [u64; 2],
}

impl Admission {
    /// With room for `entries` addresses, networks and accounts each; `seed` is drawn anew at each start.
    pub fn new(policy: Policy, entries: u64, budget: Arc<Budget>, seed: [u64; 2]) -> Arc<Self> {
        Arc::new(Admission {
            policy: RwLock::new(policy),
            addresses: Table::new(entries, seed),
            networks: Table::new(entries, seed),
            accounts: Table::new(entries, seed),
            known: Table::new(entries, seed),
            bans: RwLock::default(),
            banned: AtomicBool::new(false),
            news: Mutex::default(),
            open: AtomicU64::new(0),
            budget,
            seed,
        })
    }

    /// Everybody is welcome: for tests and tools that have no bounds.
    pub fn open_door() -> Arc<Self> {
        let everyone = ["0.0.0.0/0", "::/0"].map(|network| network.parse().expect("a network"));
        let limits = ringpost_types::limit::Limits::default();
        let policy = Policy::new(&limits, everyone.into());
        Self::new(policy, 1_024, Budget::unbounded(), [0; 2])
    }

    /// The bounds from now on.
    pub fn set_policy(&self, policy: Policy) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    pub(crate) fn policy(&self) -> RwLockReadGuard<'_, Policy> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The memory that all share.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Open connections.
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// A guest comes; `None` as its address: by a unix socket. The verdict of a refusal has a reason.
    pub fn enter(self: &Arc<Self>, address: Option<IpAddr>, now_ms: u64) -> Result<Guard, Verdict> {
        let policy = self.policy();
        let address = address.map(|address| address.to_canonical());
        let address = address.filter(|address| !policy.exempts(*address));
        if let Some(address) = address
            && let Some(verdict) = self.banned(address, now_ms)
        {
            return Err(verdict);
        }
        let mut guard = Guard {
            admission: self.clone(),
            address: Slot::NONE,
            network: Slot::NONE,
            account: Slot::NONE,
        };
        // From here on the guard takes back what is counted.
        let before = self.open.fetch_add(1, Relaxed);
        let counted = match (before < policy.open_max, address) {
            (false, _) => Err(Reason::Connections(Scope::Server)),
            (true, None) => Ok(()),
            (true, Some(address)) => guard.open(address, &policy, now_ms),
        };
        counted.map(|()| guard).map_err(Verdict::Later)
    }

    /// The verdict on a banned address.
    pub(crate) fn banned(&self, address: IpAddr, now_ms: u64) -> Option<Verdict> {
        if !self.banned.load(Relaxed) {
            return None;
        }
        let bans = self.bans.read().unwrap_or_else(PoisonError::into_inner);
        let ban = bans.find(address, now_ms)?;
        Some(match ban.until_ms {
            u64::MAX => Verdict::Refused(Reason::Banned),
            _ => Verdict::Later(Reason::Banned),
        })
    }

    /// The ban in force on an address.
    pub fn ban_on(&self, address: IpAddr, now_ms: u64) -> Option<Ban> {
        let bans = self.bans.read().unwrap_or_else(PoisonError::into_inner);
        bans.find(address, now_ms).cloned()
    }

    /// Puts bans in force that were written down, or spoken by hand.
    pub fn put_bans(&self, these: impl IntoIterator<Item = Ban>) {
        let bans_max = self.policy().bans_max;
        let mut bans = self.bans.write().unwrap_or_else(PoisonError::into_inner);
        these.into_iter().for_each(|ban| bans.put(ban, bans_max));
        self.banned.store(!bans.is_empty(), Relaxed);
    }

    /// Takes a ban back, and forgets it. Whether there was one.
    pub fn unban(&self, network: &Network) -> bool {
        let mut bans = self.bans.write().unwrap_or_else(PoisonError::into_inner);
        let was = bans.remove(network).is_some();
        self.banned.store(!bans.is_empty(), Relaxed);
        was
    }

    /// Bans in force, the one that ends first in front.
    pub fn bans(&self, now_ms: u64) -> Vec<Ban> {
        let bans = self.bans.read().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<Ban> = bans
            .iter()
            .filter(|ban| ban.holds(now_ms))
            .cloned()
            .collect();
        list.sort_by_key(|ban| (ban.until_ms, ban.network));
        list
    }

    /// Bans spoken by us since this was last asked, to be written down; and what ended long ago is forgotten. To be called
    /// every second or so.
    pub fn news(&self, now_ms: u64) -> Vec<Ban> {
        let news: Vec<Ban> = self.lock_news().drain(..).collect();
        if self.banned.load(Relaxed) {
            let before_ms = now_ms.saturating_sub(self.policy().ban_ms_max);
            let mut bans = self.bans.write().unwrap_or_else(PoisonError::into_inner);
            bans.forget(before_ms);
            self.banned.store(!bans.is_empty(), Relaxed);
        }
        news
    }

    fn lock_news(&self) -> std::sync::MutexGuard<'_, VecDeque<Ban>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bans a network for as long as its past has earned.
    pub(crate) fn ban(&self, network: Network, reason: &str, now_ms: u64) {
        let policy = self.policy();
        let mut bans = self.bans.write().unwrap_or_else(PoisonError::into_inner);
        let before = bans.get(&network);
        if before.is_some_and(|ban| ban.holds(now_ms)) {
            return;
        }
        let count = before.map_or(0, |ban| ban.count).saturating_add(1);
        let longer = 1_u64.checked_shl(count - 1).unwrap_or(u64::MAX);
        let for_ms = policy.ban_ms.saturating_mul(longer).min(policy.ban_ms_max);
        let ban = Ban {
            network,
            since_ms: now_ms,
            until_ms: now_ms.saturating_add(for_ms),
            count,
            reason: reason.into(),
        };
        bans.put(ban.clone(), policy.bans_max);
        self.banned.store(true, Relaxed);
        drop(bans);
        let mut news = self.lock_news();
        if news.len() < NEWS_MAX {
            news.push_back(ban);
        }
    }

    /// One more failure from an address: how slow the answer, or the ban that it has earned.
    pub(crate) fn fail(&self, address: IpAddr, count: Count, why: &str, now_ms: u64) -> Verdict {
        let network = around(address);
        let (worst, earned) = {
            let policy = self.policy();
            let fail = |table: &Table<Tally>, key, bounds: &Bounds| {
                let failed = table.with(key, |row| row.fail(count, bounds, now_ms));
                failed.map_or((0, u64::MAX), |(_, level)| level)
            };
            let one = fail(&self.addresses, key(address), &policy.address);
            let all = fail(&self.networks, key(network.address()), &policy.network);
            let slow = policy
                .slowness(one.0, one.1)
                .max(policy.slowness(all.0, all.1));
            let earned = if all.0 >= all.1 {
                Some(network)
            } else {
                (one.0 >= one.1).then(|| guest(address))
            };
            (slow, earned)
        };
        match (earned, worst) {
            (Some(network), _) => {
                self.ban(network, why, now_ms);
                Verdict::Later(Reason::Banned)
            }
            (None, 0) => Verdict::Welcome,
            (None, ms) => Verdict::Slow(ms),
        }
    }

    /// Whether a network did something good lately.
    pub(crate) fn knows(&self, key: u128, now_ms: u64) -> bool {
        let known = self.known.find(key, |row| now_ms < row.until_ms);
        known.unwrap_or(false)
    }

    pub(crate) fn remember(&self, key: u128, now_ms: u64) {
        let until_ms = now_ms.saturating_add(KNOWN_MS);
        self.known.with(key, |row| row.until_ms = until_ms);
    }

    /// The key of an account or a login name, in whatever letters it was typed.
    pub(crate) fn name_key(&self, name: &str) -> u128 {
        let mut folded = [self.seed[1], self.seed[0]];
        for piece in name.as_bytes().chunks(16) {
            let mut octets = [0; 16];
            octets[..piece.len()].copy_from_slice(piece);
            octets.make_ascii_lowercase();
            let piece = u128::from_le_bytes(octets);
            folded = [hash(piece, folded), hash(!piece, [folded[1], folded[0]])];
        }
        u128::from(folded[0]) << 64 | u128::from(folded[1])
    }
}

/// A guest who is in. Leaves when dropped.
pub struct Guard {
    admission: Arc<Admission>,
    address: Slot,
    network: Slot,
    account: Slot,
}

impl Guard {
    /// Counts the guest by network and then by address: a network over its bounds makes no rows of addresses.
    fn open(&mut self, address: IpAddr, policy: &Policy, now_ms: u64) -> Result<(), Reason> {
        let admission = &*self.admission;
        let network = key(around(address).address());
        let step = admission.budget.step();
        let known = step.is_some() && admission.knows(network, now_ms);
        let counted = admission.networks.with(network, |row| {
            if let Some(step) = shed::at_door(step, row.open.into(), policy.crowd, known) {
                return Err(Reason::Memory(step));
            }
            row.open(&policy.network, Scope::Network, now_ms)
        });
        // No room for the row: more networks than are told apart hold connections right now.
        let (slot, counted) = counted.ok_or(Reason::Connections(Scope::Server))?;
        counted?;
        self.network = slot;
        let counted = admission.addresses.with(key(address), |row| {
            row.open(&policy.address, Scope::Address, now_ms)
        });
        let (slot, counted) = counted.ok_or(Reason::Connections(Scope::Server))?;
        counted?;
        self.address = slot;
        Ok(())
    }

    /// The guest has logged in to `account`, and counts by it from now on.
    pub fn known_as(&mut self, account: &str, now_ms: u64) -> Verdict {
        let bounds = self.admission.policy().account;
        let name = self.admission.name_key(account);
        let counted = self
            .admission
            .accounts
            .with(name, |row| row.open(&bounds, Scope::Account, now_ms));
        let reason = match counted {
            None => Reason::Connections(Scope::Server),
            Some((_, Err(reason))) => reason,
            Some((slot, Ok(()))) => {
                self.leave();
                self.account = slot;
                return Verdict::Welcome;
            }
        };
        Verdict::Later(reason)
    }

    /// Counts `units` of something; refused ones are not counted. Errors are for [`Guard::fail`].
    pub fn count(&self, count: Count, units: u64, now_ms: u64) -> Verdict {
        let policy = self.admission.policy();
        let take = |table: &Table<Tally>, slot, bounds, scope| {
            let taken = table.at(slot, |row| row.take(count, units, bounds, scope, now_ms));
            taken.unwrap_or(Ok(()))
        };
        let admission = &*self.admission;
        let taken = take(
            &admission.accounts,
            self.account,
            &policy.account,
            Scope::Account,
        )
        .and_then(|()| {
            take(
                &admission.addresses,
                self.address,
                &policy.address,
                Scope::Address,
            )
        })
        .and_then(|()| {
            take(
                &admission.networks,
                self.network,
                &policy.network,
                Scope::Network,
            )
        });
        match taken {
            Ok(()) => Verdict::Welcome,
            Err(reason) => Verdict::Later(reason),
        }
    }

    /// One more command of `address` refused for good: how slow the answer, or a ban. `why` stands in the ban. Exempt
    /// guests and those who have logged in are not counted.
    pub fn fail(&self, address: Option<IpAddr>, why: &str, now_ms: u64) -> Verdict {
        match address {
            Some(address) if self.address != Slot::NONE => {
                self.admission
                    .fail(address.to_canonical(), Count::Errors, why, now_ms)
            }
            _ => Verdict::Welcome,
        }
    }

    /// A mail of `address` was taken: its network is known from now on.
    pub fn good(&self, address: Option<IpAddr>, now_ms: u64) {
        if let (Some(address), true) = (address, self.network != Slot::NONE) {
            self.admission
                .remember(key(around(address).address()), now_ms);
        }
    }

    /// Whether it is counted by its address: neither exempt nor logged in.
    pub fn is_stranger(&self) -> bool {
        self.address != Slot::NONE
    }

    /// Where it came in.
    pub fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    fn leave(&mut self) {
        let admission = &*self.admission;
        for (table, slot) in [
            (&admission.addresses, &mut self.address),
            (&admission.networks, &mut self.network),
            (&admission.accounts, &mut self.account),
        ] {
            table.at(*slot, |row| row.open -= 1);
            *slot = Slot::NONE;
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.leave();
        self.admission.open.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests;
