//! Which addresses are counted together. One definition for counts, bans, trust and traps.
//!
//! A network is a [`Cidr`]: what configuration and bans name. What a stranger comes from is cut to one of two sizes:
//! a guest, whom one bound is about, and the network around him.

use ringpost_types::Cidr;
use std::net::IpAddr;

/// A range of addresses.
pub type Network = Cidr;

/// What a provider or a company usually hands out together.
const AROUND_V4: u8 = 24;
/// One link. RFC 4291 §2.5.4.
const AROUND_V6: u8 = 64;

/// The network of an address: its /24, its /64.
pub fn around(address: IpAddr) -> Network {
    match address.to_canonical() {
        IpAddr::V4(_) => Cidr::around(address, AROUND_V4),
        IpAddr::V6(_) => Cidr::around(address, AROUND_V6),
    }
}

/// What a ban for one guest covers: an IPv4 address; in IPv6 the /64, all of which its owner has.
pub fn guest(address: IpAddr) -> Network {
    match address.to_canonical() {
        IpAddr::V4(_) => Cidr::around(address, 32),
        IpAddr::V6(_) => around(address),
    }
}

/// An address as a key of a table; IPv4 in its mapped form. RFC 4291 §2.5.5.2.
pub(crate) fn key(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        const CASES: &[(&str, &str, &str)] = &[
            ("192.0.2.77", "192.0.2.0/24", "192.0.2.77/32"),
            ("::ffff:192.0.2.77", "192.0.2.0/24", "192.0.2.77/32"),
            ("2001:db8::1:2:3:4", "2001:db8::/64", "2001:db8::/64"),
        ];
        for (address, network, one) in CASES {
            let address = address.parse().expect("an address");
            assert_eq!(around(address).to_string(), *network);
            assert_eq!(guest(address).to_string(), *one);
        }
    }
}
