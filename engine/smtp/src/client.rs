//! XCLIENT: whom a proxy speaks for. No RFC: the protocol is Postfix's, as its XCLIENT_README describes it, and nginx,
//! Dovecot, Haraka and HAProxy speak it.
//!
//! In:  what follows the verb: `attribute=xtext`, at least one.
//! Out: a [`Client`], each attribute said, said to be unavailable, or not said.
//!
//! Invariant: no attribute holds a control character: names go into Received and into logs.

use crate::xtext;
use ringpost_types::Domain;
use std::net::IpAddr;

/// The attributes that EHLO announces, in the order of the README.
pub(crate) const ATTRIBUTES: &str = "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";
/// Octets of NAME, HELO and LOGIN.
const NAME_OCTETS_MAX: usize = 255;

/// What a proxy says of its client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The client's host name by DNS.
    pub name: Attribute<Box<str>>,
    /// Its address.
    pub addr: Attribute<IpAddr>,
    /// Its port.
    pub port: Attribute<u16>,
    /// `ESMTP`: it greeted with EHLO.
    pub extended: Attribute<bool>,
    /// The name it greeted with.
    pub helo: Attribute<Box<str>>,
    /// Who it logged in as at the proxy.
    pub login: Attribute<Box<str>>,
    /// The address it came to.
    pub dest_addr: Attribute<IpAddr>,
    /// The port it came to.
    pub dest_port: Attribute<u16>,
}

/// One attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attribute<T> {
    /// Not in this command: as it was.
    #[default]
    Unsaid,
    /// `[UNAVAILABLE]`: there is none.
    Unavailable,
    /// `[TEMPUNAVAIL]`: it could not be found out just now.
    Later,
    /// The value.
    Is(T),
}

impl<T> Attribute<T> {
    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Attribute::Is(value) => Some(value),
            _ => None,
        }
    }
}

/// Not `attribute=xtext`, an attribute we do not know, a bad value, or one said twice: 501 5.5.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadClient;

/// `xclient-command = XCLIENT 1*( SP attribute-name "=" attribute-value )`.
pub fn parse(text: &[u8]) -> Result<Client, BadClient> {
    let mut client = Client::default();
    let words = text.split(|&octet| octet == b' ');
    let mut said = false;
    for word in words.filter(|word| !word.is_empty()) {
        let at = memchr::memchr(b'=', word).ok_or(BadClient)?;
        let value = xtext::undo(&word[at + 1..]).ok_or(BadClient)?;
        said = true;
        match word[..at].to_ascii_uppercase().as_slice() {
            b"NAME" => set(&mut client.name, &value, host),
            b"ADDR" => set(&mut client.addr, &value, address),
            b"PORT" => set(&mut client.port, &value, port),
            b"PROTO" => set(&mut client.extended, &value, extended),
            b"HELO" => set(&mut client.helo, &value, host),
            b"LOGIN" => set(&mut client.login, &value, login),
            b"DESTADDR" => set(&mut client.dest_addr, &value, address),
            b"DESTPORT" => set(&mut client.dest_port, &value, port),
            _ => Err(BadClient),
        }?;
    }
    said.then_some(client).ok_or(BadClient)
}

fn set<T>(
    attribute: &mut Attribute<T>,
    value: &str,
    read: fn(&str) -> Option<T>,
) -> Result<(), BadClient> {
    if !matches!(attribute, Attribute::Unsaid) {
        return Err(BadClient);
    }
    *attribute = if value.eq_ignore_ascii_case("[UNAVAILABLE]") {
        Attribute::Unavailable
    } else if value.eq_ignore_ascii_case("[TEMPUNAVAIL]") {
        Attribute::Later
    } else {
        Attribute::Is(read(value).ok_or(BadClient)?)
    };
    Ok(())
}

/// A host name, or an address literal where a client greets with one.
fn host(value: &str) -> Option<Box<str>> {
    Domain::parse(value).is_ok().then(|| value.into())
}

/// An IPv4 address, or an IPv6 address behind `IPV6:`; without brackets.
fn address(value: &str) -> Option<IpAddr> {
    let tag = value.get(..5)?;
    match tag.eq_ignore_ascii_case("IPV6:") {
        true => value[5..].parse().ok().map(IpAddr::V6),
        false => value.parse().ok().map(IpAddr::V4),
    }
}

fn port(value: &str) -> Option<u16> {
    let digits = !value.is_empty() && value.bytes().all(|octet| octet.is_ascii_digit());
    digits.then(|| value.parse().ok()).flatten()
}

fn extended(value: &str) -> Option<bool> {
    let smtp = value.eq_ignore_ascii_case("SMTP");
    (smtp || value.eq_ignore_ascii_case("ESMTP")).then_some(!smtp)
}

fn login(value: &str) -> Option<Box<str>> {
    let bounded = (1..=NAME_OCTETS_MAX).contains(&value.len());
    bounded.then(|| value.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Attribute::*;

    fn client(change: impl Fn(&mut Client)) -> Result<Client, BadClient> {
        let mut client = Client::default();
        change(&mut client);
        Ok(client)
    }

    #[test]
    fn attributes() {
        let (name, long) = ("n".repeat(255), "n".repeat(256));
        let v6: IpAddr = "2001:db8::1".parse().expect("an address");
        let cases: &[(&str, Result<Client, BadClient>)] = &[
            // The README's example.
            (
                "NAME=spike.porcupine.org ADDR=168.100.189.2",
                client(|c| {
                    c.name = Is("spike.porcupine.org".into());
                    c.addr = Is([168, 100, 189, 2].into());
                }),
            ),
            (
                "PROTO=ESMTP HELO=spike.porcupine.org",
                client(|c| {
                    c.extended = Is(true);
                    c.helo = Is("spike.porcupine.org".into());
                }),
            ),
            ("addr=ipv6:2001:db8::1", client(|c| c.addr = Is(v6))),
            (
                "ADDR=[UNAVAILABLE] NAME=[tempunavail]",
                client(|c| {
                    c.addr = Unavailable;
                    c.name = Later;
                }),
            ),
            ("NAME=+5BUNAVAILABLE+5D", client(|c| c.name = Unavailable)),
            (
                "HELO=[192.0.2.1]",
                client(|c| c.helo = Is("[192.0.2.1]".into())),
            ),
            (
                "LOGIN=a+2Bb@example.org",
                client(|c| c.login = Is("a+b@example.org".into())),
            ),
            ("LOGIN=[UNAVAILABLE]", client(|c| c.login = Unavailable)),
            (
                &format!("LOGIN={name}"),
                client(|c| c.login = Is(name.as_str().into())),
            ),
            (&format!("LOGIN={long}"), Err(BadClient)),
            (
                "PORT=65535 DESTPORT=25",
                client(|c| {
                    c.port = Is(65_535);
                    c.dest_port = Is(25);
                }),
            ),
            (
                "DESTADDR=192.0.2.1",
                client(|c| c.dest_addr = Is([192, 0, 2, 1].into())),
            ),
            ("PORT=65536", Err(BadClient)),
            ("PORT=+2B25", Err(BadClient)),
            ("PORT=", Err(BadClient)),
            ("PROTO=LMTP", Err(BadClient)),
            ("ADDR=[192.0.2.1]", Err(BadClient)),
            ("ADDR=2001:db8::1", Err(BadClient)),
            ("ADDR=IPV6:192.0.2.1", Err(BadClient)),
            ("ADDR=1", Err(BadClient)),
            ("ADDR=", Err(BadClient)),
            ("NAME=a+0D+0Ab", Err(BadClient)),
            ("LOGIN=a+0D+0Ab", Err(BadClient)),
            ("LOGIN=a+00b", Err(BadClient)),
            ("LOGIN=", Err(BadClient)),
            ("NAME=a NAME=b", Err(BadClient)),
            ("NAME", Err(BadClient)),
            ("FOO=bar", Err(BadClient)),
            ("NAME=ö", Err(BadClient)),
            ("", Err(BadClient)),
        ];
        for (text, expected) in cases {
            assert_eq!(&parse(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(parse(b"NAME=\xff"), Err(BadClient));
    }
}
