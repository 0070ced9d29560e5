//! The header fields that delivery puts in front of a mail. RFC 5321 §4.4, RFC 8314 §4.3.
//!
//! [`Received`] stands once in front of the shared octets. `Return-Path` and `Delivered-To` differ from recipient to
//! recipient: they are the prefix kept with the recipient's row.
//!
//! Invariant: what a peer gave us (its name, addresses) was parsed before, so that no line end can come in here.

use ringpost_message::date::DateTime;
use ringpost_types::{Address, TraceId};
use std::io::Write;
use std::net::IpAddr;

/// Where a mail came from, as far as we tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender<'s> {
    /// A host: the name it gave, and its address.
    Host { helo: &'s str, ip: IpAddr },
    /// A neighbour on this host, through a unix socket: the name it gave.
    Local { helo: &'s str },
    /// A user of ours, whose address is nobody's business. RFC 6409 §8 leaves it to the server what it adds.
    User,
}

/// One Received field. RFC 5321 §4.4.
#[derive(Clone, Copy, Debug)]
pub struct Received<'s> {
    /// From whom.
    pub sender: Sender<'s>,
    /// Our name.
    pub hostname: &'s str,
    /// The word behind `with`. RFC 3848.
    pub protocol: &'s str,
    /// TLS version and cipher suite. RFC 8314 §4.3 asks for them.
    pub tls: Option<(&'s str, &'s str)>,
    /// Names the mail in every event.
    pub id: TraceId,
    /// The only recipient. Several would show each other who else got it: RFC 5321 §7.2.
    pub recipient: Option<&'s Address>,
    /// Now, in seconds since 1970 UTC.
    pub unix: u64,
}

impl Received<'_> {
    /// Appends the field, folded into lines, CRLF at its end.
    pub fn write(&self, out: &mut Vec<u8>) {
        put(out, format_args!("Received: "));
        match self.sender {
            Sender::Host {
                helo,
                ip: IpAddr::V4(ip),
            } => {
                put(out, format_args!("from {helo} ([{ip}])\r\n\t"));
            }
            Sender::Host {
                helo,
                ip: IpAddr::V6(ip),
            } => {
                put(out, format_args!("from {helo} ([IPv6:{ip}])\r\n\t"));
            }
            Sender::Local { helo } => put(out, format_args!("from {helo} (unix socket)\r\n\t")),
            // RFC 5321 §4.4: the clause must be there.
            Sender::User => put(out, format_args!("from unknown (authenticated)\r\n\t")),
        }
        put(
            out,
            format_args!("by {} (Ringpost) with {}", self.hostname, self.protocol),
        );
        if let Some((version, cipher)) = self.tls {
            put(out, format_args!("\r\n\t({version} {cipher})"));
        }
        put(out, format_args!("\r\n\tid {}", self.id));
        if let Some(recipient) = self.recipient {
            put(out, format_args!(" for <{recipient}>"));
        }
        put(out, format_args!(";\r\n\t{}\r\n", date(self.unix)));
    }
}

/// `Return-Path` and `Delivered-To` of one recipient. RFC 5321 §4.4: the first is written at final delivery; the second
/// tells which of a person's addresses was meant, and ends loops.
pub fn prefix(reverse_path: Option<&Address>, recipient: &Address) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    match reverse_path {
        Some(address) => put(&mut out, format_args!("Return-Path: <{address}>\r\n")),
        None => put(&mut out, format_args!("Return-Path: <>\r\n")),
    }
    put(&mut out, format_args!("Delivered-To: {recipient}\r\n"));
    out
}

/// A Date field for a mail that a user submitted without. RFC 6409 §8.2.
pub fn write_date(unix: u64, out: &mut Vec<u8>) {
    put(out, format_args!("Date: {}\r\n", date(unix)));
}

/// A Message-ID field for a mail that a user submitted without. RFC 6409 §8.3.
pub fn write_message_id(id: TraceId, hostname: &str, out: &mut Vec<u8>) {
    put(out, format_args!("Message-ID: <{id}@{hostname}>\r\n"));
}

fn date(unix: u64) -> String {
    DateTime::utc(i64::try_from(unix).unwrap_or(i64::MAX)).to_rfc5322()
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a Vec takes every write");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).expect("an address")
    }

    #[test]
    fn received() {
        let recipient = address("alice@example.org");
        let host = Received {
            sender: Sender::Host {
                helo: "foo.com",
                ip: [192, 0, 2, 1].into(),
            },
            hostname: "mx.example.org",
            protocol: "ESMTPS",
            tls: Some(("TLSv1.3", "TLS13_AES_256_GCM_SHA384")),
            id: TraceId(0xabc),
            recipient: Some(&recipient),
            unix: 0,
        };
        let cases: &[(Received<'_>, &str)] = &[
            (
                host,
                "Received: from foo.com ([192.0.2.1])\r\n\tby mx.example.org (Ringpost) with ESMTPS\r\n\t(TLSv1.3 \
                 TLS13_AES_256_GCM_SHA384)\r\n\tid 0000000000000abc for <alice@example.org>;\r\n\t\
                 Thu, 1 Jan 1970 00:00:00 +0000\r\n",
            ),
            (
                Received {
                    sender: Sender::User,
                    recipient: None,
                    protocol: "ESMTPSA",
                    tls: None,
                    ..host
                },
                "Received: from unknown (authenticated)\r\n\tby mx.example.org (Ringpost) with ESMTPSA\r\n\t\
                 id 0000000000000abc;\r\n\t\
                 Thu, 1 Jan 1970 00:00:00 +0000\r\n",
            ),
            (
                Received {
                    sender: Sender::Host {
                        helo: "[IPv6:2001:db8::1]",
                        ip: "2001:db8::1".parse().expect("an IP address"),
                    },
                    recipient: None,
                    protocol: "SMTP",
                    tls: None,
                    ..host
                },
                "Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n\tby mx.example.org (Ringpost) with SMTP\
                 \r\n\tid 0000000000000abc;\r\n\tThu, 1 Jan 1970 00:00:00 +0000\r\n",
            ),
            (
                Received {
                    sender: Sender::Local { helo: "a" },
                    recipient: None,
                    protocol: "LMTP",
                    tls: None,
                    ..host
                },
                "Received: from a (unix socket)\r\n\tby mx.example.org (Ringpost) with LMTP\r\n\t\
                 id 0000000000000abc;\r\n\tThu, 1 Jan 1970 00:00:00 +0000\r\n",
            ),
        ];
        for (field, expected) in cases {
            let mut out = Vec::new();
            field.write(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), *expected);
        }
    }

    #[test]
    fn prefixes() {
        let bob = address("\"b b\"@example.org");
        assert_eq!(
            prefix(Some(&bob), &bob),
            b"Return-Path: <\"b b\"@example.org>\r\nDelivered-To: \"b b\"@example.org\r\n"
        );
        assert_eq!(
            prefix(None, &address("a@b")),
            b"Return-Path: <>\r\nDelivered-To: a@b\r\n"
        );
    }
}
