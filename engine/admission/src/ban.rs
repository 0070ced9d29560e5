//! Networks that may not come in, until when and why.
//!
//! A ban is for a network of any size. Looking one up asks once for each prefix length in use: with bans of addresses,
//! /24 and /64 that is three look-ups in a hash table, and none at all while nobody is banned.
//!
//! A ban that is over is remembered for as long as the longest ban: whoever comes back to it is banned for twice the
//! time. When there are too many, the one that ends first falls.

use crate::Network;
use std::collections::HashMap;
use std::net::IpAddr;

/// Octets of a reason that are kept.
pub const REASON_OCTETS_MAX: usize = 200;

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who.
    pub network: Network,
    /// Since when, Unix milliseconds.
    pub since_ms: u64,
    /// Until when, Unix milliseconds; `u64::MAX`: for good.
    pub until_ms: u64,
    /// How many times by now.
    pub count: u32,
    /// In words.
    pub reason: Box<str>,
}

impl Ban {
    /// Whether it is in force.
    pub fn holds(&self, now_ms: u64) -> bool {
        now_ms < self.until_ms
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Bans {
    by_network: HashMap<Network, Ban>,
    /// Bans of each prefix length: 0 to 32 of IPv4, 0 to 128 of IPv6.
    v4: Lengths,
    v6: Lengths,
}

/// How many bans there are of each prefix length.
#[derive(Debug)]
struct Lengths {
    count: [u32; 129],
    /// A bit for each length in use.
    used: [u64; 3],
}

impl Default for Lengths {
    fn default() -> Self {
        Lengths {
            count: [0; 129],
            used: [0; 3],
        }
    }
}

impl Lengths {
    fn add(&mut self, prefix: u8) {
        self.count[usize::from(prefix)] += 1;
        self.used[usize::from(prefix / 64)] |= 1 << (prefix % 64);
    }

    fn remove(&mut self, prefix: u8) {
        let count = &mut self.count[usize::from(prefix)];
        *count -= 1;
        if *count == 0 {
            self.used[usize::from(prefix / 64)] &= !(1 << (prefix % 64));
        }
    }

    fn iter(&self) -> impl Iterator<Item = u8> {
        let words = self.used.iter().zip([0, 64, 128]);
        words.flat_map(|(&word, first)| {
            std::iter::successors((word != 0).then_some(word), |word| {
                let rest = word & (word - 1);
                (rest != 0).then_some(rest)
            })
            .map(move |word| first + word.trailing_zeros() as u8)
        })
    }
}

impl Bans {
    /// The ban in force on `address`: the one that lasts longest.
    pub fn find(&self, address: IpAddr, now_ms: u64) -> Option<&Ban> {
        let address = address.to_canonical();
        let lengths = match address {
            IpAddr::V4(_) => &self.v4,
            IpAddr::V6(_) => &self.v6,
        };
        let networks = lengths
            .iter()
            .map(|prefix| Network::around(address, prefix));
        let bans = networks.filter_map(|network| self.by_network.get(&network));
        bans.filter(|ban| ban.holds(now_ms))
            .max_by_key(|ban| ban.until_ms)
    }

    /// What is known of exactly this network, in force or not.
    pub fn get(&self, network: &Network) -> Option<&Ban> {
        self.by_network.get(network)
    }

    /// Puts a ban in, in place of what was there of the network; with more than `bans_max` the one falls that ends first.
    pub fn put(&mut self, ban: Ban, bans_max: u64) {
        let (network, prefix) = (ban.network, ban.network.prefix());
        if self.by_network.insert(network, ban).is_none() {
            self.lengths(&network).add(prefix);
        }
        if self.by_network.len() as u64 > bans_max {
            let first = self.by_network.values().min_by_key(|ban| ban.until_ms);
            if let Some(network) = first.map(|ban| ban.network) {
                self.remove(&network);
            }
        }
    }

    /// Takes a ban away, and what is remembered of it.
    pub fn remove(&mut self, network: &Network) -> Option<Ban> {
        let ban = self.by_network.remove(network)?;
        self.lengths(network).remove(network.prefix());
        Some(ban)
    }

    /// Forgets what ended before `before_ms`.
    pub fn forget(&mut self, before_ms: u64) {
        let over = self
            .by_network
            .values()
            .filter(|ban| ban.until_ms < before_ms);
        let over: Vec<Network> = over.map(|ban| ban.network).collect();
        for network in over {
            self.remove(&network);
        }
    }

    /// All that are known, in force or not.
    pub fn iter(&self) -> impl Iterator<Item = &Ban> {
        self.by_network.values()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_network.is_empty()
    }

    fn lengths(&mut self, network: &Network) -> &mut Lengths {
        match network.address() {
            IpAddr::V4(_) => &mut self.v4,
            IpAddr::V6(_) => &mut self.v6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(network: &str, until_ms: u64) -> Ban {
        Ban {
            network: network.parse().expect("a network"),
            since_ms: 0,
            until_ms,
            count: 1,
            reason: "test".into(),
        }
    }

    fn found(bans: &Bans, address: &str, now_ms: u64) -> Option<u64> {
        let address = address.parse().expect("an address");
        bans.find(address, now_ms).map(|ban| ban.until_ms)
    }

    #[test]
    fn found_by_every_length() {
        let mut bans = Bans::default();
        for (network, until) in [
            ("192.0.2.1", 100),
            ("192.0.2.0/24", 50),
            ("192.0.0.0/16", u64::MAX),
            ("198.51.100.0/24", 70),
            ("2001:db8::/64", 80),
            ("2001:db8:1::1", 90),
        ] {
            bans.put(ban(network, until), 100);
        }
        assert_eq!(found(&bans, "192.0.2.1", 0), Some(u64::MAX));
        bans.remove(&"192.0.0.0/16".parse().expect("a network"));
        assert_eq!(found(&bans, "192.0.2.1", 0), Some(100));
        assert_eq!(found(&bans, "::ffff:192.0.2.1", 0), Some(100));
        assert_eq!(found(&bans, "192.0.2.2", 49), Some(50));
        assert_eq!(found(&bans, "192.0.2.2", 50), None, "over");
        assert_eq!(found(&bans, "198.51.101.1", 0), None);
        assert_eq!(found(&bans, "2001:db8::7", 0), Some(80));
        assert_eq!(found(&bans, "2001:db8:1::1", 0), Some(90));
        assert_eq!(found(&bans, "2001:db8:1::2", 0), None);
        bans.forget(80);
        assert_eq!(bans.iter().count(), 3);
        bans.put(ban("0.0.0.0/0", 1_000), 100);
        bans.put(ban("::/0", 2_000), 100);
        assert_eq!(found(&bans, "203.0.113.9", 999), Some(1_000));
        assert_eq!(found(&bans, "2001:db8:1::2", 0), Some(2_000));
    }

    #[test]
    fn up_to_the_limit_and_one_above() {
        let mut bans = Bans::default();
        for n in 0..4 {
            bans.put(ban(&format!("192.0.2.{n}"), 100 + n), 3);
        }
        assert_eq!(bans.iter().count(), 3);
        assert_eq!(
            found(&bans, "192.0.2.0", 0),
            None,
            "it would have ended first"
        );
        assert_eq!(found(&bans, "192.0.2.3", 0), Some(103));
        // The same network again is no further one.
        bans.put(ban("192.0.2.3", 200), 3);
        assert_eq!(bans.iter().count(), 3);
        for n in 1..4 {
            let network = format!("192.0.2.{n}").parse().expect("a network");
            assert!(bans.remove(&network).is_some());
            assert!(bans.remove(&network).is_none());
        }
        assert!(bans.is_empty());
        assert_eq!(bans.v4.iter().count(), 0);
    }
}
