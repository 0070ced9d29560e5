//! What is known of networks: bans, and hits on traps. Drawn in [`crate::table`].
//!
//! In:  a network, of one address or of many.
//! Out: its octets in a key; rows, read and written.
//!
//! Invariants: a network has no bits behind its prefix, so equal ones have equal keys; no octets, however damaged, make a panic.

use crate::layout::{self, Fixed};
use crate::row::{damaged, text};
use crate::{Error, Table};
use ringpost_types::Cidr;
use std::net::IpAddr;
use zerocopy::IntoBytes;

/// The key in table ban: family, prefix, address.
pub fn key(network: Cidr) -> Vec<u8> {
    let mut key = Vec::with_capacity(18);
    put(network, &mut key);
    key
}

fn put(network: Cidr, out: &mut Vec<u8>) {
    match network.address() {
        IpAddr::V4(address) => {
            out.extend_from_slice(&[4, network.prefix()]);
            out.extend_from_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            out.extend_from_slice(&[6, network.prefix()]);
            out.extend_from_slice(&address.octets());
        }
    }
}

/// Reads a key of table ban; `None` where it is none.
pub(crate) fn read(key: &[u8]) -> Option<Cidr> {
    let (&[family, prefix], address) = key.split_first_chunk::<2>()?;
    let address: IpAddr = match family {
        4 => <[u8; 4]>::try_from(address).ok()?.into(),
        6 => <[u8; 16]>::try_from(address).ok()?.into(),
        _ => return None,
    };
    let network = Cidr::around(address, prefix);
    ((network.address(), network.prefix()) == (address, prefix)).then_some(network)
}

/// What a network was caught by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Trap {
    /// Mail to an address that nobody has and nobody should know.
    Address = 1,
    /// Mail to the listener that only ever defers.
    Defer = 2,
}

impl Trap {
    /// The key of `network` in table reputation.
    pub fn key(self, network: Cidr) -> Vec<u8> {
        let mut key = Vec::with_capacity(19);
        key.push(self as u8);
        put(network, &mut key);
        key
    }

    /// Reads a key of table reputation.
    pub(crate) fn read(key: &[u8]) -> Option<(Self, Cidr)> {
        let (&kind, network) = key.split_first()?;
        let kind = match kind {
            1 => Trap::Address,
            2 => Trap::Defer,
            _ => return None,
        };
        Some((kind, self::read(network)?))
    }
}

/// A ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BanRow<'t> {
    /// Seconds since 1970 UTC; `u64::MAX`: for ever.
    pub until: u64,
    /// Seconds since 1970 UTC.
    pub since: u64,
    /// How often it was given anew before it ended.
    pub count: u32,
    /// Why, for a human.
    pub reason: &'t str,
}

impl<'t> BanRow<'t> {
    /// Reads a value of table ban.
    pub fn read(octets: &'t [u8]) -> Result<Self, Error> {
        let (fixed, reason) = layout::Ban::before(octets)?;
        Ok(BanRow {
            until: fixed.until.get(),
            since: fixed.since.get(),
            count: fixed.count.get(),
            reason: text(Table::Ban, reason)?,
        })
    }

    /// Appends the value to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let fixed = layout::Ban {
            until: self.until.into(),
            since: self.since.into(),
            count: self.count.into(),
        };
        out.extend_from_slice(fixed.as_bytes());
        out.extend_from_slice(self.reason.as_bytes());
    }
}

/// How often a network was caught.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReputationRow {
    /// Seconds since 1970 UTC.
    pub first: u64,
    /// Seconds since 1970 UTC.
    pub last: u64,
    pub hits: u32,
}

impl ReputationRow {
    /// Reads a value of table reputation.
    pub fn read(octets: &[u8]) -> Result<Self, Error> {
        let fixed = layout::Reputation::of(octets)?;
        Ok(ReputationRow {
            first: fixed.first.get(),
            last: fixed.last.get(),
            hits: fixed.hits.get(),
        })
    }

    /// Appends the value to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let fixed = layout::Reputation {
            first: self.first.into(),
            last: self.last.into(),
            hits: self.hits.into(),
        };
        out.extend_from_slice(fixed.as_bytes());
    }
}

/// What is wrong with a key.
#[cold]
pub(crate) fn no_network(table: Table) -> Error {
    damaged(table, "a key is no network")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Address, prefix, what they stand for.
    const CASES: &[(&str, u8, &str)] = &[
        ("192.0.2.77", 24, "192.0.2.0/24"),
        ("192.0.2.77", 32, "192.0.2.77/32"),
        ("192.0.2.77", 128, "192.0.2.77/32"),
        ("192.0.2.77", 0, "0.0.0.0/0"),
        ("::ffff:192.0.2.77", 128, "192.0.2.77/32"),
        ("2001:db8:1:2:3::1", 64, "2001:db8:1:2::/64"),
        ("2001:db8::1", 128, "2001:db8::1/128"),
        ("2001:db8::1", 0, "::/0"),
    ];

    #[test]
    fn networks_come_back() {
        for &(address, prefix, told) in CASES {
            let network = Cidr::around(address.parse().expect("an address"), prefix);
            assert_eq!(network.to_string(), told);
            assert_eq!(self::read(&self::key(network)), Some(network));
            let key = Trap::Defer.key(network);
            assert_eq!(Trap::read(&key), Some((Trap::Defer, network)));
            for end in 0..key.len() {
                assert_eq!(Trap::read(&key[..end]), None, "cut at {end}");
            }
        }
        assert_eq!(self::read(&[4, 24, 192, 0, 2, 1]), None, "bits beyond");
        assert_eq!(self::read(&[4, 33, 192, 0, 2, 1]), None, "too many bits");
        assert_eq!(self::read(&[5, 24, 192, 0, 2, 0]), None, "no family");
    }

    #[test]
    fn rows_come_back() {
        let mut out = Vec::new();
        let ban = BanRow {
            until: u64::MAX,
            since: 1,
            count: 2,
            reason: "guessed passwords",
        };
        ban.encode(&mut out);
        assert_eq!(BanRow::read(&out), Ok(ban));
        assert!(BanRow::read(&out[..19]).is_err());
        out.clear();
        let row = ReputationRow {
            first: 1,
            last: 2,
            hits: 3,
        };
        row.encode(&mut out);
        assert_eq!(ReputationRow::read(&out), Ok(row));
        assert!(ReputationRow::read(&out[1..]).is_err());
    }
}
