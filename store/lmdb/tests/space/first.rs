//! A segment that version 1 wrote: its mails are let go of, move and go like all others.

use crate::yard::{ACCOUNT, Yard, at_once, octets, open, sound, tidy_up, whole};
use ringpost_api::behaviour::ask;
use ringpost_api::table::Stretch;
use ringpost_api::write::{Deliver, Missing, Position, Target};
use ringpost_api::{Outcome, Write};
use ringpost_lmdb::tidy::Tidy;
use ringpost_log::segment::{self, HEAD_OCTETS};
use ringpost_types::{BlobId, MailboxId, Uid};
use std::fs;
use std::sync::Arc;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

const LOG: u16 = 7;
const SALT: u64 = 99;
const MAILS: u64 = 60;

/// The segment's head as version 1 wrote it.
fn head() -> Vec<u8> {
    let mut head = b"ringseg\n".to_vec();
    head.extend_from_slice(&[1, 0, 0, 0, 1, 0, 0, 0, LOG as u8, 0, 0, 0, 0, 0, 0, 0]);
    head.extend_from_slice(&1u64.to_le_bytes());
    head.extend_from_slice(&SALT.to_le_bytes());
    head.extend_from_slice(&[0; 16]);
    head.extend_from_slice(&xxh3_64(&head).to_le_bytes());
    head
}

/// A record of it, with a long digest.
fn record(sequence: u64, mail: &[u8]) -> Vec<u8> {
    let meta = [&[0, 0][..], &[7; 700]].concat();
    let mut record = b"rrec".to_vec();
    record.extend_from_slice(&[1, 1, LOG as u8, 0]);
    record.extend_from_slice(&sequence.to_le_bytes());
    record.extend_from_slice(&2u32.to_le_bytes());
    record.extend_from_slice(&700u32.to_le_bytes());
    record.extend_from_slice(&(mail.len() as u64).to_le_bytes());
    record.extend_from_slice(&xxh3_64(&meta).to_le_bytes());
    record.extend_from_slice(&xxh3_64(mail).to_le_bytes());
    record.extend_from_slice(&xxh3_64_with_seed(&record, SALT).to_le_bytes());
    record.extend_from_slice(&meta);
    record.extend_from_slice(mail);
    record.resize(record.len().next_multiple_of(8), 0);
    record
}

/// A store with such a segment, its mails in INBOX, as the step from version 1 of the schema leaves them.
fn begin(data: &std::path::Path) -> Yard {
    let yard = Yard::of(open(data));
    let mut file = head();
    for number in 1..=MAILS {
        let mail = octets(number);
        let record = record(number, &mail);
        let offset = (file.len() + record.len() - mail.len()) as u64 - padding(&mail);
        file.extend_from_slice(&record);
        let (segment, next) = match number {
            MAILS => (2, HEAD_OCTETS),
            _ => (1, file.len() as u64),
        };
        let place = Stretch {
            segment: 1,
            offset,
            octets: mail.len() as u64,
        };
        let deliver = Deliver {
            blob: BlobId::new(LOG, number),
            segment: 1,
            offset,
            octets: place.octets,
            stored: place.octets,
            record: place,
            checksum: xxh3_64(&mail),
            digest: vec![7; 700],
            targets: vec![Target {
                account: ACCOUNT,
                mailbox: MailboxId::INBOX,
                missing: Missing::Inbox,
                flags: 0,
                keywords: Vec::new(),
                internal_date: number,
                prefix: Vec::new(),
            }],
            next: Position {
                segment,
                offset: next,
                sequence: number + 1,
            },
            ..Deliver::default()
        };
        let outcome = ask(&*yard.lmdb, Write::Deliver(deliver));
        assert!(matches!(outcome, Ok(Outcome::Delivered(_))), "{outcome:?}");
    }
    fs::create_dir_all(segment::directory(data, LOG)).expect("writable");
    fs::write(segment::path(data, LOG, 1), file).expect("writable");
    yard
}

/// Octets behind a mail up to the next record.
fn padding(mail: &[u8]) -> u64 {
    let octets = 56 + 702 + mail.len() as u64;
    octets.next_multiple_of(8) - octets
}

fn expunge(yard: &Yard, goes: impl Fn(&Uid) -> bool) {
    yard.expunge(yard.mails().into_keys().filter(goes).collect());
}

#[test]
fn it_is_punched_and_goes_with_its_last_mail() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let yard = begin(data.path());
    whole(&yard.lmdb);
    sound(&yard.lmdb);
    let mut tidy = Tidy::by_hand(Arc::clone(&yard.lmdb), at_once()).expect("a tidier");
    let path = segment::path(data.path(), LOG, 1);
    expunge(&yard, |uid| uid.0 % 3 == 0);
    sound(&yard.lmdb);
    tidy_up(&mut tidy);
    assert!(path.exists());
    whole(&yard.lmdb);
    sound(&yard.lmdb);
    expunge(&yard, |_| true);
    tidy_up(&mut tidy);
    assert!(!path.exists());
    sound(&yard.lmdb);
}

#[test]
fn the_little_that_lives_moves_out_of_it() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let yard = begin(data.path());
    let mut tidy = Tidy::by_hand(Arc::clone(&yard.lmdb), at_once()).expect("a tidier");
    expunge(&yard, |uid| uid.0 % 20 != 0);
    tidy_up(&mut tidy);
    assert!(!segment::path(data.path(), LOG, 1).exists());
    assert_eq!(yard.mails().len(), 3);
    whole(&yard.lmdb);
    sound(&yard.lmdb);
}
