//! Versions of the format: what an earlier one left is read, what a later one left is refused.

use crate::scene::*;
use ringpost_api::table::Encoding;
use ringpost_api::write::Position;
use ringpost_log::file::{Blocking, now};
use ringpost_log::segment::{self, HEAD_OCTETS};
use ringpost_log::{Entry, Found, Reader, RecoverError, Recovery};
use std::fs;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

const SALT: u64 = 99;

/// A segment's head as version `version` writes it.
fn head(version: u32, segment: u32) -> Vec<u8> {
    let mut head = b"ringseg\n".to_vec();
    head.extend_from_slice(&version.to_le_bytes());
    head.extend_from_slice(&segment.to_le_bytes());
    head.extend_from_slice(&[7, 0, 0, 0, 0, 0, 0, 0]);
    head.extend_from_slice(&1u64.to_le_bytes());
    head.extend_from_slice(&SALT.to_le_bytes());
    head.extend_from_slice(&[0; 16]);
    head.extend_from_slice(&xxh3_64(&head).to_le_bytes());
    head
}

/// A record of version 1: no targets, a digest, a mail.
fn first(sequence: u64, mail: &[u8]) -> Vec<u8> {
    let meta = [&[0, 0][..], b"digest"].concat();
    let mut record = b"rrec".to_vec();
    record.extend_from_slice(&[1, 1, 7, 0]);
    record.extend_from_slice(&sequence.to_le_bytes());
    record.extend_from_slice(&2u32.to_le_bytes());
    record.extend_from_slice(&6u32.to_le_bytes());
    record.extend_from_slice(&(mail.len() as u64).to_le_bytes());
    record.extend_from_slice(&xxh3_64(&meta).to_le_bytes());
    record.extend_from_slice(&xxh3_64(mail).to_le_bytes());
    record.extend_from_slice(&xxh3_64_with_seed(&record, SALT).to_le_bytes());
    record.extend_from_slice(&meta);
    record.extend_from_slice(mail);
    record.resize(record.len().next_multiple_of(8), 0);
    record
}

#[test]
fn a_segment_of_version_1_is_read_and_not_appended_to() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mails: [&[u8]; 3] = [b"one", b"", b"three and more"];
    let mut octets = head(1, 1);
    for (number, mail) in mails.iter().enumerate() {
        octets.extend_from_slice(&first(number as u64 + 1, mail));
    }
    let end = octets.len() as u64;
    // What was reserved, and a torn tail in it.
    octets.extend_from_slice(&first(4, b"torn")[..50]);
    octets.resize(8192, 0);
    fs::create_dir_all(segment::directory(data.path(), 7)).expect("writable");
    let path = segment::path(data.path(), 7, 1);
    fs::write(&path, &octets).expect("writable");

    let (found, ended) = recover_whole(data.path(), 7, Position::default());
    assert_eq!(ended.cut_octets, 56);
    assert_eq!((ended.position.offset, ended.position.sequence), (end, 4));
    let reader = Reader::new(Blocking, data.path());
    for (number, (found, mail)) in found.iter().zip(mails).enumerate() {
        let Found::Record(Entry::Deliver(deliver)) = found else {
            panic!("{found:?}");
        };
        assert_eq!(deliver.blob.sequence(), number as u64 + 1);
        assert_eq!(
            (&deliver.digest[..], &deliver.text[..]),
            (&b"digest"[..], &b""[..])
        );
        assert_eq!(
            (deliver.encoding, deliver.stored),
            (Encoding::Raw, deliver.octets)
        );
        assert_eq!(now(reader.whole(&row(deliver))), Ok(mail.to_vec()));
    }
    assert_eq!(found.len(), 3);

    let mut scene = Scene::open(&Trial::default(), data.path(), ended.position, OPTIONS);
    let more = scene.append(record(5, b'a')).expect("durable");
    assert_eq!((more.segment, more.offset > HEAD_OCTETS), (2, true));
    assert_eq!(more.blob.sequence(), 4);
    assert_eq!(fs::metadata(&path).expect("there").len(), end);
    let expected = [found, records(&[more])].concat();
    assert_eq!(recover(data.path(), Position::default()).0, expected);
}

/// Neither a segment nor a record of a later version is cut off as a torn tail.
#[test]
fn a_later_version_is_refused() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut scene = Scene::open(&Trial::default(), data.path(), Position::default(), OPTIONS);
    let two = [b'a', b'b'].map(|fill| scene.append(record(91, fill)).expect("durable"));
    drop(scene);
    let path = segment::path(data.path(), 7, 1);
    let sound = fs::read(&path).expect("a segment");
    let refused = |octets: &[u8]| {
        fs::write(&path, octets).expect("writable");
        let mut recovery = Recovery::open(data.path(), 7, Position::default()).expect("a log");
        loop {
            match recovery.step() {
                Ok(Some(_)) => {}
                Ok(None) => return false,
                Err(RecoverError::Newer(named)) => {
                    assert_eq!(named, path);
                    assert_eq!(fs::read(&path).expect("there"), octets);
                    return true;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    };
    assert!(!refused(&sound));
    let mut later = sound.clone();
    later[..64].copy_from_slice(&head(3, 1));
    assert!(refused(&later));

    // The second record becomes one of version 3, whose header is longer; then also the first is damaged.
    let salt = u64::from_le_bytes(std::array::from_fn(|at| sound[32 + at]));
    let at = two[1].record.offset as usize;
    let mut later = sound.clone();
    let header = &mut later[at..at + 120];
    header[4] = 3;
    header[6..8].copy_from_slice(&120u16.to_le_bytes());
    header[8..16].fill(0);
    let checksum = xxh3_64_with_seed(header, salt);
    header[8..16].copy_from_slice(&checksum.to_le_bytes());
    assert!(refused(&later));
    later[two[0].offset as usize] ^= 1;
    assert!(refused(&later));
    // One octet more, and it is a damaged record like any other.
    later[at + 119] ^= 1;
    assert!(!refused(&later));
}
