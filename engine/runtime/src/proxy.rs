//! The PROXY header: a load balancer says for whom it connects. Version 1 is a line, version 2 is octets; from
//! HAProxy's proxy-protocol.txt, revision 2020/03/05.
//!
//! In:  the first octets of a connection, from the first one on, as many as there are. Out: how many of them are the
//! header, and whose connection it is; or that more is needed; or why it is none.
//!
//! Invariants: a header is at most [`OCTETS_MAX`] long, and nothing behind it is taken: what follows may be TLS. Whether a
//! peer may send one at all is the listener's to know: from a stranger it is a bad command like any other.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Octets of a header: 16 that version 2 begins with, and 536, the least that a TCP segment has room for (§2.2).
pub const OCTETS_MAX: usize = 16 + 536;
/// A line of version 1, with its end (§2.1).
const LINE_OCTETS_MAX: usize = 107;
/// What version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const LINE_START: &[u8] = b"PROXY ";
/// Type of the checksum's TLV.
const CRC32C: u8 = 3;

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The proxy's own, to see whether we are well; or of an address that it does not tell.
    Proxy,
    /// A client's.
    Client(SocketAddr),
    /// A unix socket's on the proxy's host.
    Unix,
}

/// What the octets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// Not whole yet.
    More,
    /// So many octets, for this client.
    Whole(usize, Source),
}

/// Why they are no header. The proxy's fault; the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyError {
    /// Neither version begins so.
    NoHeader,
    /// Longer than it may be.
    TooLong,
    /// A line of version 1 that is not as it has to be.
    Line,
    /// A version, command or family that there is not, or one that is no stream.
    Kind,
    /// Addresses or fields that do not fit into its length.
    Length,
    /// The checksum is another.
    Checksum,
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ProxyError::NoHeader => "no PROXY header",
            ProxyError::TooLong => "a PROXY header that is too long",
            ProxyError::Line => "a PROXY line that cannot be read",
            ProxyError::Kind => "a PROXY header of an unknown kind",
            ProxyError::Length => "a PROXY header whose lengths do not agree",
            ProxyError::Checksum => "a PROXY header with a wrong checksum",
        })
    }
}

/// Reads a header of either version.
pub fn parse(octets: &[u8]) -> Result<Header, ProxyError> {
    if begins(octets, SIGNATURE) {
        binary(octets)
    } else if begins(octets, LINE_START) {
        line(octets)
    } else {
        Err(ProxyError::NoHeader)
    }
}

/// Whether `octets` are, or may still become, `start` and more.
fn begins(octets: &[u8], start: &[u8]) -> bool {
    let common = octets.len().min(start.len());
    octets[..common] == start[..common]
}

/// `PROXY TCP4|TCP6 source target port port CRLF`, or `PROXY UNKNOWN` and anything. §2.1.
fn line(octets: &[u8]) -> Result<Header, ProxyError> {
    let window = &octets[..octets.len().min(LINE_OCTETS_MAX)];
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        return match octets.len() < LINE_OCTETS_MAX {
            true => Ok(Header::More),
            false => Err(ProxyError::TooLong),
        };
    };
    let text = std::str::from_utf8(&window[..end]).map_err(|_| ProxyError::Line)?;
    let mut words = text.split(' ').skip(1);
    let mut word = || words.next().ok_or(ProxyError::Line);
    let source = match word()? {
        "UNKNOWN" => return Ok(Header::Whole(end + 2, Source::Proxy)),
        "TCP4" => pair::<Ipv4Addr>(&mut word)?,
        "TCP6" => pair::<Ipv6Addr>(&mut word)?,
        _ => return Err(ProxyError::Line),
    };
    match words.next() {
        None => Ok(Header::Whole(end + 2, Source::Client(source))),
        Some(_) => Err(ProxyError::Line),
    }
}

/// The four words of a pair of addresses; the client's.
fn pair<'l, A: FromStr + Into<IpAddr>>(
    word: &mut impl FnMut() -> Result<&'l str, ProxyError>,
) -> Result<SocketAddr, ProxyError> {
    let mut address = || word()?.parse::<A>().map_err(|_| ProxyError::Line);
    let (source, _) = (address()?, address()?);
    let mut port = || {
        let digits = word()?;
        let plain = digits.bytes().all(|octet| octet.is_ascii_digit());
        let plain = plain && (digits == "0" || !digits.starts_with('0'));
        let port = digits.parse::<u16>().ok().filter(|_| plain);
        port.ok_or(ProxyError::Line)
    };
    let (source_port, _) = (port()?, port()?);
    Ok(SocketAddr::new(source.into(), source_port))
}

/// Signature, version and command, family, length; addresses; fields of type, length and value. §2.2.
fn binary(octets: &[u8]) -> Result<Header, ProxyError> {
    let Some((head, rest)) = octets.split_first_chunk::<16>() else {
        return Ok(Header::More);
    };
    let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
    if 16 + length > OCTETS_MAX {
        return Err(ProxyError::TooLong);
    }
    let local = match head[12] {
        0x20 => true,
        0x21 => false,
        _ => return Err(ProxyError::Kind),
    };
    let Some(body) = rest.get(..length) else {
        return Ok(Header::More);
    };
    let whole = &octets[..16 + length];
    let (source, fields) = addresses(head[13], body)?;
    check(whole, fields)?;
    let source = if local { Source::Proxy } else { source };
    Ok(Header::Whole(whole.len(), source))
}

/// The client's address, and what stands behind the addresses.
fn addresses(family: u8, body: &[u8]) -> Result<(Source, &[u8]), ProxyError> {
    let split = |octets| body.split_at_checked(octets).ok_or(ProxyError::Length);
    let port = |at: usize, pair: &[u8]| u16::from_be_bytes([pair[at], pair[at + 1]]);
    match family {
        // Unspecified: nobody knows what the octets are, so there are no fields to check.
        0x00 => Ok((Source::Proxy, &[])),
        0x11 => {
            let (pair, fields) = split(12)?;
            let address = Ipv4Addr::new(pair[0], pair[1], pair[2], pair[3]);
            Ok((Source::Client((address, port(8, pair)).into()), fields))
        }
        0x21 => {
            let (pair, fields) = split(36)?;
            let address = pair.first_chunk::<16>().ok_or(ProxyError::Length)?;
            let address = Ipv6Addr::from(*address);
            Ok((Source::Client((address, port(32, pair)).into()), fields))
        }
        0x31 => Ok((Source::Unix, split(216)?.1)),
        _ => Err(ProxyError::Kind),
    }
}

/// Goes through the fields; a checksum must be right. §2.2.
fn check(whole: &[u8], mut fields: &[u8]) -> Result<(), ProxyError> {
    while let Some((&[kind, high, low], rest)) = fields.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (value, rest) = rest.split_at_checked(length).ok_or(ProxyError::Length)?;
        if kind == CRC32C {
            let sent: [u8; 4] = value.try_into().map_err(|_| ProxyError::Length)?;
            let at = whole.len() - rest.len() - sent.len();
            if crc32c(whole, at..at + sent.len()) != u32::from_be_bytes(sent) {
                return Err(ProxyError::Checksum);
            }
        }
        fields = rest;
    }
    match fields.is_empty() {
        true => Ok(()),
        false => Err(ProxyError::Length),
    }
}

/// CRC32C of `octets`, those in `zeroed` taken as zero. RFC 4960 Appendix B; bit by bit, for there are few.
fn crc32c(octets: &[u8], zeroed: std::ops::Range<usize>) -> u32 {
    let sum = octets
        .iter()
        .enumerate()
        .fold(u32::MAX, |sum, (at, &octet)| {
            let octet = if zeroed.contains(&at) { 0 } else { octet };
            (0..8).fold(sum ^ u32::from(octet), |sum, _| {
                (sum >> 1) ^ (0x82f6_3b78 & (sum & 1).wrapping_neg())
            })
        });
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> Source {
        Source::Client(text.parse().expect("an address"))
    }

    #[test]
    fn lines() {
        let v4 = client("192.0.2.7:4000");
        let cases: &[(&str, Result<Source, ProxyError>)] = &[
            ("PROXY TCP4 192.0.2.7 198.51.100.1 4000 25\r\n", Ok(v4)),
            (
                "PROXY TCP6 2001:db8::7 2001:db8::1 4000 25\r\n",
                Ok(client("[2001:db8::7]:4000")),
            ),
            (
                "PROXY TCP4 192.0.2.7 198.51.100.1 0 25\r\n",
                Ok(client("192.0.2.7:0")),
            ),
            ("PROXY UNKNOWN\r\n", Ok(Source::Proxy)),
            ("PROXY UNKNOWN ff:: whatever 1\r\n", Ok(Source::Proxy)),
            (
                "PROXY TCP4 192.0.2.7 198.51.100.1 04000 25\r\n",
                Err(ProxyError::Line),
            ),
            (
                "PROXY TCP4 192.0.2.7 198.51.100.1 +4000 25\r\n",
                Err(ProxyError::Line),
            ),
            (
                "PROXY TCP4 192.0.2.7 198.51.100.1 65536 25\r\n",
                Err(ProxyError::Line),
            ),
            (
                "PROXY TCP4 192.0.2.7 198.51.100.1 4000\r\n",
                Err(ProxyError::Line),
            ),
            (
                "PROXY TCP4 192.0.2.7 198.51.100.1 4000 25 \r\n",
                Err(ProxyError::Line),
            ),
            (
                "PROXY TCP4  192.0.2.7 198.51.100.1 4000 25\r\n",
                Err(ProxyError::Line),
            ),
            (
                "PROXY TCP4 2001:db8::7 198.51.100.1 4000 25\r\n",
                Err(ProxyError::Line),
            ),
            (
                "PROXY TCP6 192.0.2.7 198.51.100.1 4000 25\r\n",
                Err(ProxyError::Line),
            ),
            (
                "PROXY UDP4 192.0.2.7 198.51.100.1 4000 25\r\n",
                Err(ProxyError::Line),
            ),
            ("PROXY \r\n", Err(ProxyError::Line)),
            ("PROXY TCP4\u{e9}\r\n", Err(ProxyError::Line)),
            ("PROXY\tTCP4\r\n", Err(ProxyError::NoHeader)),
            ("EHLO proxy.example\r\n", Err(ProxyError::NoHeader)),
            (
                "proxy TCP4 1.1.1.1 2.2.2.2 3 4\r\n",
                Err(ProxyError::NoHeader),
            ),
        ];
        for (text, expected) in cases {
            cut_everywhere(text.as_bytes(), *expected);
        }
    }

    #[test]
    fn a_line_at_the_limit_and_one_above() {
        let line = |octets: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(octets - 16));
        let longest = line(LINE_OCTETS_MAX);
        assert_eq!(longest.len(), LINE_OCTETS_MAX);
        cut_everywhere(longest.as_bytes(), Ok(Source::Proxy));
        let longer = line(LINE_OCTETS_MAX + 1);
        assert_eq!(parse(longer.as_bytes()), Err(ProxyError::TooLong));
    }

    fn header(version: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut octets = SIGNATURE.to_vec();
        octets.extend([version, family]);
        octets.extend((body.len() as u16).to_be_bytes());
        octets.extend_from_slice(body);
        octets
    }

    const PAIR: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0x0f, 0xa0, 0, 25];

    /// A header of TCP4 with these fields, and a checksum behind them.
    fn summed(fields: &[u8]) -> Vec<u8> {
        let mut body = PAIR.to_vec();
        body.extend_from_slice(fields);
        body.extend([CRC32C, 0, 4, 0, 0, 0, 0]);
        let mut octets = header(0x21, 0x11, &body);
        let at = octets.len() - 4;
        let sum = crc32c(&octets, 0..0);
        octets[at..].copy_from_slice(&sum.to_be_bytes());
        octets
    }

    #[test]
    fn binaries() {
        let with = |fields: &[u8]| [&PAIR, fields].concat();
        let v4 = Ok(client("192.0.2.7:4000"));
        let mut v6 = vec![0; 36];
        v6[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        v6[15] = 7;
        v6[32..].copy_from_slice(&[0x0f, 0xa0, 0, 25]);
        let cases: &[(Vec<u8>, Result<Source, ProxyError>)] = &[
            (header(0x21, 0x11, &PAIR), v4),
            (header(0x21, 0x21, &v6), Ok(client("[2001:db8::7]:4000"))),
            (header(0x21, 0x31, &[0; 216]), Ok(Source::Unix)),
            (header(0x21, 0x00, b"anything"), Ok(Source::Proxy)),
            (header(0x20, 0x00, b""), Ok(Source::Proxy)),
            (header(0x20, 0x11, &PAIR), Ok(Source::Proxy)),
            (header(0x21, 0x11, &with(&[4, 0, 0])), v4),
            (
                header(0x21, 0x11, &with(&[1, 0, 2, b'h', b'2', 5, 0, 1, 9])),
                v4,
            ),
            (summed(&[]), v4),
            (summed(&[4, 0, 2, 1, 2]), v4),
            (header(0x11, 0x11, &PAIR), Err(ProxyError::Kind)),
            (header(0x22, 0x11, &PAIR), Err(ProxyError::Kind)),
            (header(0x21, 0x12, &PAIR), Err(ProxyError::Kind)),
            (header(0x21, 0x41, &PAIR), Err(ProxyError::Kind)),
            (header(0x21, 0x11, &PAIR[..11]), Err(ProxyError::Length)),
            (header(0x21, 0x21, &PAIR), Err(ProxyError::Length)),
            (header(0x21, 0x31, &[0; 215]), Err(ProxyError::Length)),
            (header(0x21, 0x11, &with(&[4])), Err(ProxyError::Length)),
            (
                header(0x21, 0x11, &with(&[4, 0, 1])),
                Err(ProxyError::Length),
            ),
            (
                header(0x21, 0x11, &with(&[CRC32C, 0, 3, 1, 2, 3])),
                Err(ProxyError::Length),
            ),
            (
                header(0x21, 0x11, &with(&[CRC32C, 0, 4, 1, 2, 3, 4])),
                Err(ProxyError::Checksum),
            ),
        ];
        for (octets, expected) in cases {
            cut_everywhere(octets, *expected);
        }
    }

    #[test]
    fn a_binary_at_the_limit_and_one_above() {
        cut_everywhere(&header(0x21, 0, &[0; 536]), Ok(Source::Proxy));
        assert_eq!(parse(&header(0x21, 0, &[0; 537])), Err(ProxyError::TooLong));
    }

    /// RFC 3720 Appendix B.4.
    #[test]
    fn checksums() {
        assert_eq!(crc32c(&[0; 32], 0..0), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32], 0..0), 0x62a8_ab43);
        assert_eq!(crc32c(&[0xff; 32], 0..32), 0x8a91_36aa);
        assert_eq!(crc32c(b"123456789", 0..0), 0xe306_9283);
    }

    /// What is cut is not whole yet; what follows is left alone.
    fn cut_everywhere(octets: &[u8], expected: Result<Source, ProxyError>) {
        let whole = expected.map(|source| Header::Whole(octets.len(), source));
        assert_eq!(parse(octets), whole, "{octets:?}");
        let mut followed = octets.to_vec();
        followed.extend_from_slice(b"EHLO x\r\n");
        assert_eq!(parse(&followed), whole, "{octets:?} and more");
        for cut in 0..octets.len() {
            match parse(&octets[..cut]) {
                Ok(Header::More) => {}
                Err(error) => assert_eq!(Err(error), expected, "{octets:?} at {cut}"),
                Ok(header) => panic!("{octets:?} at {cut} is {header:?}"),
            }
        }
    }
}
