//! A list of networks that does not grow slower with its length: one look-up for each length of prefix in it.

use super::Facts;
use ringpost_types::Cidr;
use std::collections::{BTreeSet, HashSet};

/// A list of networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// Peers on this machine, where the listener trusts them.
    local: bool,
    ranges: HashSet<Cidr>,
    /// The lengths there are, of IPv4 and of IPv6.
    v4: BTreeSet<u8>,
    v6: BTreeSet<u8>,
}

impl Networks {
    /// Takes one more item: `local`, an address or a network; `None` where it is none of them.
    pub fn add(&mut self, text: &str) -> Option<()> {
        if text == "local" {
            self.local = true;
            return Some(());
        }
        let range = Cidr::parse(text).ok()?;
        let lengths = match range.address().is_ipv4() {
            true => &mut self.v4,
            false => &mut self.v6,
        };
        lengths.insert(range.prefix());
        self.ranges.insert(range);
        Some(())
    }

    /// Whether the peer is in it.
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        if self.local && facts.is_trusted() {
            return true;
        }
        let Some(ip) = facts.ip.map(|ip| ip.to_canonical()) else {
            return false;
        };
        let lengths = if ip.is_ipv4() { &self.v4 } else { &self.v6 };
        let mut lengths = lengths.iter();
        lengths.any(|&prefix| self.ranges.contains(&Cidr::around(ip, prefix)))
    }
}
