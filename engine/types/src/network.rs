//! A range of addresses, as a configuration lists them: `192.0.2.0/24`, `2001:db8::/32`, or one address. RFC 4632 §3.1.
//!
//! Invariant: the bits of the address behind the prefix are zero, so equal ranges are equal values. An IPv4 address
//! that came over an IPv6 socket (`::ffff:192.0.2.1`) is the IPv4 address it stands for.

use std::fmt;
use std::net::IpAddr;

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

/// Why text is not a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CidrError {
    /// What stands before the `/` is not an address.
    Address,
    /// The prefix is not a number, or over 32 for IPv4, 128 for IPv6.
    Prefix,
    /// Bits are set behind the prefix: another range was meant, or another prefix.
    HostBits,
}

impl fmt::Display for CidrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CidrError::Address => "not an address",
            CidrError::Prefix => "the prefix is at most 32 for IPv4, 128 for IPv6",
            CidrError::HostBits => "bits are set behind the prefix",
        })
    }
}

impl std::error::Error for CidrError {}

impl Cidr {
    /// The range of `prefix` bits that `address` is in; a longer prefix than the address has is the whole address.
    pub fn around(address: IpAddr, prefix: u8) -> Self {
        match address.to_canonical() {
            IpAddr::V4(ip) => {
                let prefix = prefix.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                Cidr {
                    address: IpAddr::V4((ip.to_bits() & mask).into()),
                    prefix,
                }
            }
            IpAddr::V6(ip) => {
                let prefix = prefix.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                Cidr {
                    address: IpAddr::V6((ip.to_bits() & mask).into()),
                    prefix,
                }
            }
        }
    }

    /// Reads `address` or `address/prefix`.
    pub fn parse(text: &str) -> Result<Self, CidrError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| CidrError::Address)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(digits) if digits.bytes().all(|octet| octet.is_ascii_digit()) => {
                digits.parse().map_err(|_| CidrError::Prefix)?
            }
            Some(_) => return Err(CidrError::Prefix),
        };
        if prefix > bits {
            return Err(CidrError::Prefix);
        }
        // ::ffff:192.0.2.0/120 would be a range of the IPv4 addresses: none is meant.
        let range = Cidr { address, prefix };
        match address.to_canonical() == address && Cidr::around(address, prefix) == range {
            true => Ok(range),
            false => Err(CidrError::HostBits),
        }
    }

    /// Whether `ip` is in the range.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.address.is_ipv4() && Cidr::around(ip, self.prefix) == *self
    }

    /// Bits that all of its addresses share.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl std::str::FromStr for Cidr {
    type Err = CidrError;
    fn from_str(text: &str) -> Result<Self, CidrError> {
        Cidr::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CidrError::*;

    #[test]
    fn ranges() {
        let cases: &[(&str, Result<&str, CidrError>)] = &[
            ("192.0.2.1", Ok("192.0.2.1/32")),
            ("192.0.2.0/24", Ok("192.0.2.0/24")),
            ("0.0.0.0/0", Ok("0.0.0.0/0")),
            ("2001:DB8::/32", Ok("2001:db8::/32")),
            ("::/0", Ok("::/0")),
            ("::1", Ok("::1/128")),
            ("192.0.2.1/24", Err(HostBits)),
            ("::ffff:192.0.2.0/120", Err(HostBits)),
            ("192.0.2.0/33", Err(Prefix)),
            ("::/129", Err(Prefix)),
            ("::/+8", Err(Prefix)),
            ("::/", Err(Prefix)),
            ("example.org", Err(Address)),
            ("", Err(Address)),
        ];
        for (text, expected) in cases {
            let got = Cidr::parse(text).map(|range| range.to_string());
            assert_eq!(got.as_deref(), expected.as_ref().map(|s| *s), "{text:?}");
        }
    }

    #[test]
    fn members() {
        let cases = [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.0/24", "::ffff:192.0.2.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
        ];
        for (range, ip, inside) in cases {
            let range = Cidr::parse(range).expect("a range");
            let ip = ip.parse().expect("an address");
            assert_eq!(range.contains(ip), inside, "{range} {ip}");
        }
    }
}
