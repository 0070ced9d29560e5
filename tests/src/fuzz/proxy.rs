//! The PROXY header, of both versions, from a load balancer that is broken or a stranger that poses as one.

use super::{Target, cuts};
use crate::random::Random;
use ringpost_runtime::proxy::{Header, OCTETS_MAX, parse};

pub const PROXY: Target = Target {
    name: "proxy",
    seeds,
    words: &[
        b"PROXY ",
        b"TCP4 ",
        b"TCP6 ",
        b"UNKNOWN",
        b"192.0.2.7 198.51.100.1 4000 25",
        b"2001:db8::7 2001:db8::1 4000 25",
        b"\r\n",
        SIGNATURE,
        b"\x20\x00\x00\x00",
        b"\x21\x11\x00\x0c",
        b"\x21\x21\x00\x24",
        b"\x21\x31\x00\xd8",
        b"\x03\x00\x04",
        b"\x04\x00\x00",
        b"EHLO x\r\n",
    ],
    check,
};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn seeds() -> Vec<Vec<u8>> {
    let binary = |head: &[u8], body: &[u8]| [SIGNATURE, head, body].concat();
    vec![
        b"PROXY TCP4 192.0.2.7 198.51.100.1 4000 25\r\nEHLO x\r\n".to_vec(),
        b"PROXY TCP6 2001:db8::7 2001:db8::1 4000 25\r\n".to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
        binary(b"\x20\x00\x00\x00", b""),
        binary(
            b"\x21\x11\x00\x0c",
            b"\xc0\x00\x02\x07\xc6\x33\x64\x01\x0f\xa0\x00\x19EHLO x\r\n",
        ),
        binary(
            b"\x21\x11\x00\x13",
            b"\xc0\x00\x02\x07\xc6\x33\x64\x01\x0f\xa0\x00\x19\x03\x00\x04\x00\x00\x00\x00",
        ),
        binary(b"\x21\x21\x00\x24", &[7; 36]),
        binary(b"\x21\x31\x00\xdb", &[0; 219]),
    ]
}

/// Cut anywhere it is the same header or not whole yet; what follows is left alone; nothing is longer than it may be.
fn check(input: &[u8], random: &mut Random) {
    let said = parse(input);
    if let Ok(Header::Whole(octets, _)) = said {
        assert!(octets <= input.len() && octets <= OCTETS_MAX);
        assert_eq!(parse(&input[..octets]), said, "what follows it counts");
    }
    if said == Ok(Header::More) {
        assert!(input.len() < OCTETS_MAX, "it never ends");
    }
    for cut in cuts(input.len(), random) {
        match parse(&input[..cut]) {
            Ok(Header::More) => {}
            other => assert_eq!(other, said, "at {cut}"),
        }
    }
}
