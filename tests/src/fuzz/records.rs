//! Log records: what a torn write or a failing disk leaves.

use super::Target;
use crate::random::Random;
use ringpost_log::record::{HEADER_OCTETS, Header, targets};

/// The salt of the segment that the records below stand in.
const SALT: u64 = 7;

pub const RECORD: Target = Target {
    name: "log-record",
    seeds,
    words: &[b"rrec", b"\xff\xff\xff\xff", b"\0\0\0\0", b"$Forwarded"],
    check,
};

fn header() -> Header {
    Header {
        log: 1,
        sequence: 2,
        decisions_octets: 3,
        digest_octets: 4,
        mail_octets: 5,
        meta_checksum: 6,
        mail_checksum: 7,
    }
}

fn seeds() -> Vec<Vec<u8>> {
    // One target: account 1, INBOX, refuse, flag bits, date, one keyword, a prefix.
    let mut decisions = vec![
        1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 3, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1,
    ];
    decisions.extend_from_slice(b"\x0a$Forwarded\x12\0Return-Path: <>\r\n\0");
    vec![header().encode(SALT).to_vec(), decisions, vec![0, 0]]
}

fn check(input: &[u8], _: &mut Random) {
    if let Some(read) = Header::read(input, SALT) {
        // The checksum covers every octet: only the very header reads.
        assert_eq!(read.encode(SALT), input[..HEADER_OCTETS]);
        assert!(read.record_octets() >= HEADER_OCTETS as u64);
        assert!(Header::read(input, SALT + 1).is_none());
    }
    if let Some(targets) = targets(input) {
        let told: usize = targets.iter().map(|target| 22 + target.prefix.len()).sum();
        assert!(told <= input.len());
    }
}
