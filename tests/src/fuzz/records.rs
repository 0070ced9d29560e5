//! Log records, and the rows that come of them: what a torn write or a failing disk leaves.

use super::Target;
use crate::random::Random;
use ringpost_api::credential::CredentialRow;
use ringpost_api::item::{Item, Recipient};
use ringpost_api::table::Encoding;
use ringpost_api::transcript;
use ringpost_log::header::{HEADER_OCTETS, Header, Kind, Version};
use ringpost_log::record::{items, targets};
use ringpost_types::BlobId;

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
        version: Version::Second,
        kind: Kind::Mail,
        log: 1,
        sequence: 2,
        blob: BlobId::new(1, 2),
        encoding: Encoding::Raw,
        own_segment: 0,
        decisions_octets: 3,
        digest_octets: 4,
        text_octets: 5,
        items_octets: 0,
        mail_octets: 6,
        stored_octets: 6,
        meta_checksum: 7,
        mail_checksum: 8,
        stored_checksum: 8,
    }
}

fn seeds() -> Vec<Vec<u8>> {
    // One target: account 1, INBOX, refuse, flag bits, date, one keyword, a prefix.
    let mut decisions = vec![
        1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 3, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1,
    ];
    decisions.extend_from_slice(b"\x0a$Forwarded\x12\0Return-Path: <>\r\n\0");
    let item = Item {
        sender: Some("a@example.test".into()),
        route: "smart".into(),
        recipients: vec![Recipient {
            address: "b@other.test".into(),
            orcpt: Some(("rfc822".into(), "B@other.test".into())),
            ..Recipient::default()
        }],
        ..Item::default()
    };
    let mut items = Vec::new();
    item.encode(&mut items).expect("it is short");
    let length = (items.len() as u32).to_le_bytes();
    let items = [&length[..], &items].concat();
    vec![
        header().encode(SALT).to_vec(),
        decisions,
        vec![0, 0],
        items,
        transcript::encode(1, &"S: 550 no\n".repeat(20)),
    ]
}

fn check(input: &[u8], _: &mut Random) {
    if let Ok(read) = Header::read(input, Version::Second, SALT) {
        // The checksum covers every octet: only the very header reads.
        assert_eq!(read.encode(SALT), input[..HEADER_OCTETS]);
        assert!(read.record_octets() >= HEADER_OCTETS as u64);
        assert!(Header::read(input, Version::Second, SALT + 1).is_err());
    }
    if let Ok(read) = Header::read(input, Version::First, SALT) {
        assert!(read.record_octets() >= read.mail_octets);
    }
    if let Some(targets) = targets(input) {
        let told: usize = targets.iter().map(|target| 22 + target.prefix.len()).sum();
        assert!(told <= input.len());
    }
    if let Some(all) = items(input) {
        // What was read is written as it stood, but for octets that are not looked at, and reads the same.
        let mut written = Vec::new();
        for item in &all {
            let mut octets = Vec::new();
            item.encode(&mut octets).expect("it was as long");
            written.extend_from_slice(&(octets.len() as u32).to_le_bytes());
            written.extend_from_slice(&octets);
        }
        assert_eq!(items(&written), Some(all));
    }
    if let Ok((_, text)) = transcript::read(input) {
        assert!(text.len() <= transcript::OCTETS_MAX);
    }
    if let Ok(row) = CredentialRow::read(input) {
        let mut written = Vec::new();
        row.encode(&mut written).expect("it was as long");
        assert_eq!(CredentialRow::read(&written), Ok(row));
    }
}
