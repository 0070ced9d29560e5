//! Mail addresses and domains, as the envelope has them. RFC 5321 §4.1.2, RFC 6531 §3.3.
//!
//! Invariants: a [`Domain`] is lower-case ASCII or UTF-8, at most 255 octets, or an address literal in
//! brackets; an [`Address`] has a local part of 1 to 64 octets, unquoted, without control characters.

use std::fmt;

/// Octets of a local part. RFC 5321 §4.5.3.1.1.
pub const LOCAL_OCTETS_MAX: usize = 64;
/// Octets of a domain. RFC 5321 §4.5.3.1.2.
pub const DOMAIN_OCTETS_MAX: usize = 255;

/// Why octets are not an address or a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// No `@`, or nothing before or after it.
    Incomplete,
    /// The local part is over 64 octets. RFC 5321 §4.5.3.1.1.
    LocalTooLong,
    /// An octet that a local part must not have, or a quote left open.
    BadLocal,
    /// The domain is over 255 octets, or a label over 63.
    DomainTooLong,
    /// Not a domain: an empty label, an octet outside letters, digits, hyphen and UTF-8.
    BadDomain,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AddressError::Incomplete => "an address is local-part@domain",
            AddressError::LocalTooLong => "the part before the @ is over 64 octets",
            AddressError::BadLocal => "the part before the @ has a character it must not have",
            AddressError::DomainTooLong => "the domain is over 255 octets, or a label over 63",
            AddressError::BadDomain => "the part after the @ is not a domain",
        })
    }
}

impl std::error::Error for AddressError {}

/// A domain name, lower case, without a trailing dot; or an address literal such as `[192.0.2.1]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Box<str>);

impl Domain {
    /// Reads a domain or address literal. RFC 5321 §4.1.2, RFC 6531 §3.3.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.len() > DOMAIN_OCTETS_MAX {
            return Err(AddressError::DomainTooLong);
        }
        if text.starts_with('[') {
            return literal(text)
                .then(|| Domain(text.to_ascii_lowercase().into()))
                .ok_or(AddressError::BadDomain);
        }
        for label in text.split('.') {
            if label.len() > 63 {
                return Err(AddressError::DomainTooLong);
            }
            let inside = |c: char| {
                c.is_alphanumeric()
                    || c == '-'
                    || c == '_'
                    || !c.is_ascii() && !c.is_control() && !c.is_whitespace()
            };
            if label.is_empty()
                || label.starts_with('-')
                || label.ends_with('-')
                || !label.chars().all(inside)
            {
                return Err(AddressError::BadDomain);
            }
        }
        Ok(Domain(text.to_lowercase().into()))
    }

    /// The domain in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `[…]` and not a name.
    pub fn is_literal(&self) -> bool {
        self.0.starts_with('[')
    }
}

/// `[` IPv4 / `IPv6:` IPv6 `]`. RFC 5321 §4.1.3.
fn literal(text: &str) -> bool {
    let Some(inner) = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    else {
        return false;
    };
    let v6 = inner
        .get(..5)
        .filter(|tag| tag.eq_ignore_ascii_case("IPv6:"))
        .and_then(|_| inner.get(5..));
    match v6 {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => inner.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A mailbox address: local part as written (quoting undone), domain in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    local: Box<str>,
    domain: Domain,
}

impl Address {
    /// Reads `local-part@domain`, the local part a dot-string or a quoted string. RFC 5321 §4.1.2.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (local, domain) = split(text)?;
        if local.is_empty() || domain.is_empty() {
            return Err(AddressError::Incomplete);
        }
        let local = match local.strip_prefix('"') {
            Some(rest) => unquote(rest.strip_suffix('"').ok_or(AddressError::BadLocal)?)?,
            None => dot_string(local)?,
        };
        if local.len() > LOCAL_OCTETS_MAX {
            return Err(AddressError::LocalTooLong);
        }
        Ok(Address {
            local,
            domain: Domain::parse(domain)?,
        })
    }

    /// An address of parts that were read before.
    pub fn from_parts(local: &str, domain: Domain) -> Result<Self, AddressError> {
        if local.is_empty() {
            return Err(AddressError::Incomplete);
        }
        if local.len() > LOCAL_OCTETS_MAX {
            return Err(AddressError::LocalTooLong);
        }
        if local.chars().any(char::is_control) {
            return Err(AddressError::BadLocal);
        }
        Ok(Address {
            local: local.into(),
            domain,
        })
    }

    /// What stands before the `@`, quoting undone, case as written.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// What stands after the `@`.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The key under which the store knows the address: all in lower case. RFC 5321 §2.4 lets a host fold
    /// its own local parts, and every user expects it.
    pub fn key(&self) -> String {
        format!("{}@{}", self.local.to_lowercase(), self.domain)
    }

    /// Whether the address needs SMTPUTF8 on the wire. RFC 6531 §3.
    pub fn needs_utf8(&self) -> bool {
        !self.local.is_ascii() || !self.domain.as_str().is_ascii()
    }
}

impl fmt::Display for Address {
    /// The wire form, quoted where the local part asks for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if dot_string(&self.local).is_ok() {
            return write!(f, "{}@{}", self.local, self.domain);
        }
        f.write_str("\"")?;
        for c in self.local.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        write!(f, "\"@{}", self.domain)
    }
}

impl std::str::FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Address::parse(text)
    }
}

/// At the last `@` outside quotes, which for a quoted local part is the one behind its closing quote.
fn split(text: &str) -> Result<(&str, &str), AddressError> {
    text.rsplit_once('@').ok_or(AddressError::Incomplete)
}

/// Atom *("." Atom). RFC 5321 §4.1.2, UTF-8 by RFC 6531 §3.3.
fn dot_string(text: &str) -> Result<Box<str>, AddressError> {
    let atext = |c: char| {
        c.is_ascii_alphanumeric()
            || "!#$%&'*+-/=?^_`{|}~".contains(c)
            || !c.is_ascii() && !c.is_control()
    };
    let atom = |atom: &str| !atom.is_empty() && atom.chars().all(atext);
    text.split('.')
        .all(atom)
        .then(|| text.into())
        .ok_or(AddressError::BadLocal)
}

/// Undoes quoted pairs of a quoted string's inside. RFC 5321 §4.1.2.
fn unquote(inside: &str) -> Result<Box<str>, AddressError> {
    let mut plain = String::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '"' => return Err(AddressError::BadLocal),
            '\\' => chars.next().ok_or(AddressError::BadLocal)?,
            c => c,
        };
        if c.is_control() {
            return Err(AddressError::BadLocal);
        }
        plain.push(c);
    }
    if plain.is_empty() {
        return Err(AddressError::BadLocal);
    }
    Ok(plain.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use AddressError::*;

    const CASES: &[(&str, Result<&str, AddressError>)] = &[
        ("alice@example.org", Ok("alice@example.org")),
        ("Alice.B+tag@EXAMPLE.org.", Ok("Alice.B+tag@example.org")),
        ("\"a b\"@example.org", Ok("\"a b\"@example.org")),
        ("\"a@b\"@example.org", Ok("\"a@b\"@example.org")),
        ("\"plain\"@example.org", Ok("plain@example.org")),
        ("\"a\\\"b\"@example.org", Ok("\"a\\\"b\"@example.org")),
        ("dörte@sörensen.example", Ok("dörte@sörensen.example")),
        ("a@[192.0.2.1]", Ok("a@[192.0.2.1]")),
        ("a@[IPv6:2001:db8::1]", Ok("a@[ipv6:2001:db8::1]")),
        ("a@[999.0.2.1]", Err(BadDomain)),
        ("a@[IPv6:zz]", Err(BadDomain)),
        ("a@[é]", Err(BadDomain)),
        ("example.org", Err(Incomplete)),
        ("@example.org", Err(Incomplete)),
        ("a@", Err(Incomplete)),
        ("a..b@example.org", Err(BadLocal)),
        (".a@example.org", Err(BadLocal)),
        ("a b@example.org", Err(BadLocal)),
        ("a\r\nb@example.org", Err(BadLocal)),
        ("\"open@example.org", Err(BadLocal)),
        ("a@b..c", Err(BadDomain)),
        ("a@-b.c", Err(BadDomain)),
        ("a@b c", Err(BadDomain)),
    ];

    #[test]
    fn cases() {
        for (text, expected) in CASES {
            let got = Address::parse(text).map(|address| address.to_string());
            assert_eq!(got.as_deref(), expected.as_ref().map(|s| *s), "{text:?}");
        }
    }

    #[test]
    fn limits() {
        let local = |octets: usize| format!("{}@example.org", "a".repeat(octets));
        assert!(Address::parse(&local(64)).is_ok());
        assert_eq!(Address::parse(&local(65)), Err(LocalTooLong));
        let label = "a".repeat(63);
        assert!(Domain::parse(&label).is_ok());
        assert_eq!(Domain::parse(&format!("{label}a")), Err(DomainTooLong));
        let domain = [&label[..], &label, &label, &label[..63]].join(".");
        assert!(Domain::parse(&domain).is_ok());
        assert_eq!(Domain::parse(&format!("b.{domain}")), Err(DomainTooLong));
    }
}
