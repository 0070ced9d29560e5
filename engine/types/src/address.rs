//! Mail addresses and domains, as the envelope has them. RFC 5321 §4.1.2, RFC 6531 §3.3.
//!
//! | written | the same as |
//! |---|---|
//! | `EXAMPLE.org.` | `example.org` |
//! | `sörensen.example`, `so\u{308}rensen.example`, `Sörensen。example` | `xn--srensen-90a.example`. UTS 46, RFC 5891 §4 |
//! | `[IPv6:2001:DB8:0::1]` | `[ipv6:2001:db8::1]` |
//! | `[IPv6:::ffff:192.0.2.1]` | `[192.0.2.1]`: the same host |
//! | `Dörte@…`, `DO\u{308}RTE@…` | `dörte@…`, as a key: [`Address::key`] |
//!
//! Invariants: a [`Domain`] is lower-case ASCII of at most 255 octets, its labels A-labels where they were U-labels, or
//! an address literal in brackets in its one form; an [`Address`] has a local part of 1 to 64 octets, unquoted, without
//! control characters, and as it was written: another host's local parts are not ours to change. RFC 5321 §2.4.

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use unicode_normalization::{UnicodeNormalization, is_nfc};

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

/// A domain name, lower case, U-labels as A-labels, without a trailing dot; or an address literal such as
/// `[192.0.2.1]`.
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
            let ip = literal(text).ok_or(AddressError::BadDomain)?;
            return Ok(Domain::of_ip(ip.to_canonical()));
        }
        let name = ascii(text)?;
        if name.len() > DOMAIN_OCTETS_MAX {
            return Err(AddressError::DomainTooLong);
        }
        for label in name.split('.') {
            if label.len() > 63 {
                return Err(AddressError::DomainTooLong);
            }
            let inside = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
            if label.is_empty()
                || label.starts_with('-')
                || label.ends_with('-')
                || !label.bytes().all(inside)
            {
                return Err(AddressError::BadDomain);
            }
        }
        Ok(Domain(name.into()))
    }

    /// The literal of an address. RFC 5321 §4.1.3.
    pub fn of_ip(ip: IpAddr) -> Self {
        Domain(match ip {
            IpAddr::V4(ip) => format!("[{ip}]").into(),
            IpAddr::V6(ip) => format!("[ipv6:{ip}]").into(),
        })
    }

    /// The domain in lower case, in ASCII: as DNS and the store have it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain for people to read: A-labels as U-labels.
    pub fn to_unicode(&self) -> Cow<'_, str> {
        match self.0.contains("xn--") {
            true => {
                let hyphens = Hyphens::Allow;
                let name = self.0.as_bytes();
                Uts46::new()
                    .to_unicode(name, AsciiDenyList::EMPTY, hyphens)
                    .0
            }
            false => Cow::Borrowed(&self.0),
        }
    }

    /// Whether this is `[…]` and not a name.
    pub fn is_literal(&self) -> bool {
        self.0.starts_with('[')
    }

    /// The address that a literal names.
    pub fn ip(&self) -> Option<IpAddr> {
        literal(&self.0)
    }
}

/// The name in lower-case ASCII. Plain names, nearly all, are not normalised: there is nothing to do.
fn ascii(text: &str) -> Result<String, AddressError> {
    let lower = text.to_ascii_lowercase();
    let plain = text.is_ascii();
    if plain && !lower.contains("xn--") {
        return Ok(lower);
    }
    let name = lower.as_bytes();
    let deny = AsciiDenyList::EMPTY; // the caller looks at every octet of what comes out
    match Uts46::new().to_ascii(name, deny, Hyphens::Allow, DnsLength::Ignore) {
        Ok(name) => Ok(name.into_owned()),
        // An A-label that no U-label gives: a name all the same. RFC 5890 §2.3.2.1.
        Err(_) if plain => Ok(lower),
        Err(_) => Err(AddressError::BadDomain),
    }
}

/// `[` IPv4 / `IPv6:` IPv6 `]`. RFC 5321 §4.1.3.
fn literal(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let v6 = inner
        .get(..5)
        .filter(|tag| tag.eq_ignore_ascii_case("IPv6:"))
        .and_then(|_| inner.get(5..));
    match v6 {
        Some(v6) => v6.parse().ok().map(IpAddr::V6),
        None => inner.parse().ok().map(IpAddr::V4),
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A mailbox address: local part as written (quoting undone), domain in its one form.
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

    /// The key under which the store knows the address: the local part without regard to case and to how its
    /// accents are put together. RFC 5321 §2.4 lets a host fold its own local parts, and every user expects it.
    pub fn key(&self) -> String {
        format!("{}@{}", fold(&self.local), self.domain)
    }

    /// The address with its local part as in [`Address::key`].
    pub fn folded(&self) -> Address {
        Address {
            local: fold(&self.local).into(),
            domain: self.domain.clone(),
        }
    }

    /// The address in NFC, where it is not written so.
    pub fn normal(&self) -> Option<Address> {
        if is_nfc(&self.local) {
            return None;
        }
        Some(Address {
            local: self.local.nfc().collect::<String>().into(),
            domain: self.domain.clone(),
        })
    }

    /// Whether the address needs SMTPUTF8 on the wire: a domain never does, an A-label is ASCII. RFC 6531 §3.
    pub fn needs_utf8(&self) -> bool {
        !self.local.is_ascii()
    }
}

/// The key of an address, or of `@domain`: whatever of a domain has no other address.
pub fn key(text: &str) -> Result<String, AddressError> {
    match text.strip_prefix('@') {
        Some("") => Err(AddressError::Incomplete),
        Some(domain) => Ok(format!("@{}", Domain::parse(domain)?)),
        None => Ok(Address::parse(text)?.key()),
    }
}

/// Lower case and NFC. Σ has two small letters, which no user tells apart: both are σ.
fn fold(local: &str) -> Cow<'_, str> {
    if local.is_ascii() {
        return match local.bytes().any(|octet| octet.is_ascii_uppercase()) {
            true => Cow::Owned(local.to_ascii_lowercase()),
            false => Cow::Borrowed(local),
        };
    }
    let lower = local.nfc().flat_map(char::to_lowercase);
    let one_sigma = lower.map(|c| if c == 'ς' { 'σ' } else { c });
    Cow::Owned(one_sigma.nfc().collect())
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
        (
            "Dörte@Sörensen.example",
            Ok("Dörte@xn--srensen-90a.example"),
        ),
        ("a@XN--Srensen-90a.example", Ok("a@xn--srensen-90a.example")),
        ("a@so\u{308}rensen.example", Ok("a@xn--srensen-90a.example")),
        ("a@例え。テスト", Ok("a@xn--r8jz45g.xn--zckzah")),
        ("a@faß.example", Ok("a@xn--fa-hia.example")),
        ("a@xn--a.example", Ok("a@xn--a.example")),
        ("a@_dmarc.example", Ok("a@_dmarc.example")),
        ("a@b＠c.example", Err(BadDomain)),
        ("a@b／c.example", Err(BadDomain)),
        ("a@\u{ad}", Err(BadDomain)),
        ("a@\u{200f}.example", Err(BadDomain)),
        ("a@[192.0.2.1]", Ok("a@[192.0.2.1]")),
        ("a@[IPv6:2001:DB8:0:0::1]", Ok("a@[ipv6:2001:db8::1]")),
        ("a@[IPv6:::ffff:192.0.2.1]", Ok("a@[192.0.2.1]")),
        ("a@[IPv6:::FFFF:C000:201]", Ok("a@[192.0.2.1]")),
        ("a@[192.0.2.1].", Ok("a@[192.0.2.1]")),
        ("a@[192.0.2.01]", Err(BadDomain)),
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
    fn keys() {
        let cases = [
            ("Alice+Tag@EXAMPLE.org", Ok("alice+tag@example.org")),
            (
                "Dörte@Sörensen.example",
                Ok("dörte@xn--srensen-90a.example"),
            ),
            (
                "DO\u{308}RTE@sörensen.example",
                Ok("dörte@xn--srensen-90a.example"),
            ),
            ("ΟΔΥΣΣΕΥΣ@example.org", Ok("οδυσσευσ@example.org")),
            ("οδυσσευς@example.org", Ok("οδυσσευσ@example.org")),
            ("\"A b\"@example.org", Ok("a b@example.org")),
            ("@Sörensen.example", Ok("@xn--srensen-90a.example")),
            ("@", Err(Incomplete)),
            ("@-", Err(BadDomain)),
            ("alice", Err(Incomplete)),
        ];
        for (text, expected) in cases {
            let got = key(text);
            assert_eq!(got.as_deref(), expected.as_ref().map(|s| *s), "{text:?}");
            if let Ok(address) = Address::parse(text) {
                assert_eq!(Ok(address.folded().key()), got, "{text:?}");
            }
        }
    }

    /// A key of a key is the same key, for every character that has cases or is made of others, alone and with marks behind
    /// it that it may be put together with.
    #[test]
    fn folding_ends() {
        let marks = ["", "\u{301}", "\u{307}", "\u{327}\u{301}", "\u{345}"];
        let mut octets = 0;
        let scripts = ('\u{80}'..='\u{33ff}').chain('\u{a640}'..='\u{abff}');
        let scripts = scripts.chain('\u{f900}'..='\u{1efff}');
        for c in scripts.filter(|c| !c.is_control()) {
            let marks = if c < '\u{2c00}' {
                &marks[..]
            } else {
                &marks[..1]
            };
            for mark in marks {
                let once = fold(&format!("{c}{mark}")).into_owned();
                assert_eq!(fold(&once), once, "{c:?} {mark:?}");
                octets = octets.max(once.len());
            }
        }
        assert!(octets <= 16, "{octets}");
    }

    #[test]
    fn domains_for_people() {
        for (text, shown) in [
            ("Sörensen.example", "sörensen.example"),
            ("XN--Srensen-90A.example", "sörensen.example"),
            ("example.org", "example.org"),
            ("[IPv6:::1]", "[ipv6:::1]"),
        ] {
            let domain = Domain::parse(text).expect(text);
            assert_eq!(domain.to_unicode(), shown);
        }
        let ip = |text| Domain::parse(text).ok().and_then(|domain| domain.ip());
        assert_eq!(ip("[192.0.2.1]"), "192.0.2.1".parse().ok());
        assert_eq!(ip("example.org"), None);
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
