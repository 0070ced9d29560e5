//! Mails packed at rest: every range reads as if they were not.

use crate::scene::*;
use proptest::prelude::*;
use ringpost_api::table::{BlobRow, Encoding};
use ringpost_api::write::Position;
use ringpost_log::file::{Blocking, now};
use ringpost_log::{Body, LogError, Options, Reader, segment};
use std::fs;
use std::path::Path;

const PACKED: Options = Options {
    segment_octets: 4 * 1024 * 1024,
    compress: true,
};
const FRAME: usize = 64 * 1024;

/// Lines that shrink, or octets that do not.
fn mail(octets: usize, shrinks: bool) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252u64;
    let mut noise = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut mail = Vec::with_capacity(octets + 40);
    while mail.len() < octets {
        match shrinks {
            true => {
                let line = format!("Line {} of a mail that says little.\r\n", noise() % 1000);
                mail.extend_from_slice(line.as_bytes());
            }
            false => mail.extend_from_slice(&noise().to_le_bytes()),
        }
    }
    mail.truncate(octets);
    mail
}

/// Appends a mail, whole or streamed in pieces of `piece`.
fn append(scene: &mut Scene, mail: &[u8], piece: Option<usize>) -> BlobRow {
    let mut one = record(0, b'a');
    one.body = match piece {
        None => Body::Whole(mail.to_vec()),
        Some(piece) => {
            let mut stream = now(scene.log.stream(Trial::default())).expect("a scratch directory");
            for piece in mail.chunks(piece) {
                now(stream.write(piece.to_vec())).expect("written");
            }
            Body::Streamed(now(stream.finish()).expect("durable"))
        }
    };
    row(&scene.append(one).expect("durable"))
}

fn open(data: &Path) -> Scene {
    Scene::open(&Trial::default(), data, Position::default(), PACKED)
}

#[test]
fn every_length_comes_back() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut scene = open(data.path());
    let reader = Reader::new(Blocking, data.path());
    let lengths = [
        0,
        1,
        100,
        5000,
        FRAME - 1,
        FRAME,
        FRAME + 1,
        4 * FRAME - 1,
        4 * FRAME,
        4 * FRAME + 1,
        10 * FRAME + 7,
    ];
    let mut count = 0;
    for octets in lengths {
        for shrinks in [true, false] {
            for piece in [None, Some(FRAME), Some(1000), Some(700_000)] {
                let sent = mail(octets, shrinks);
                let row = append(&mut scene, &sent, piece);
                count += 1;
                let case = format!("{octets} {shrinks} {piece:?}");
                assert!(
                    now(reader.whole(&row)).as_ref() == Ok(&sent),
                    "whole {case}"
                );
                let is_packed = row.encoding == Encoding::Zstd;
                assert_eq!(is_packed, shrinks && octets >= 100, "{case}");
                assert_eq!(row.stored < row.octets, is_packed, "{case}");
                if is_packed {
                    assert!(row.stored * 8 <= row.octets * 7, "{case}");
                }
                // From every part of a frame on, what comes is what was sent, and something comes.
                for at in [
                    0,
                    1,
                    octets / 2,
                    octets.saturating_sub(1),
                    FRAME,
                    3 * FRAME - 5,
                ] {
                    let piece = now(reader.read(&row, at as u64..u64::MAX, Vec::new()));
                    let piece = piece.expect("readable");
                    assert_eq!(piece.is_empty(), at >= octets, "{at} of {case}");
                    assert!(sent[at.min(octets)..].starts_with(&piece), "{at} of {case}");
                }
            }
        }
    }
    let found = recover(data.path(), Position::default()).0;
    assert_eq!(found, records(&scene.delivered.borrow()));
    assert_eq!(found.len(), count);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..Default::default() })]

    /// Ranges of a packed mail are those of the raw one.
    #[test]
    fn ranges_are_the_same(
        octets in 5000usize..400_000,
        piece in proptest::option::of(1usize..100_000),
        ranges in proptest::collection::vec((0usize..450_000, 0usize..100_000), 1..12),
    ) {
        let data = tempfile::tempdir().expect("a scratch directory");
        let mut scene = open(data.path());
        let sent = mail(octets, true);
        let row = append(&mut scene, &sent, piece);
        prop_assert_eq!(row.encoding, Encoding::Zstd);
        let reader = Reader::new(Blocking, data.path());
        for (begin, length) in ranges {
            let (mut at, end) = (begin.min(octets), (begin + length).min(octets));
            let mut got = Vec::new();
            while at < end {
                let piece = now(reader.read(&row, at as u64..end as u64, Vec::new()));
                let piece = piece.expect("readable");
                prop_assert!(!piece.is_empty());
                at += piece.len();
                got.extend_from_slice(&piece);
            }
            prop_assert!(got == sent[begin.min(end)..end]);
        }
    }

    /// Damage to stored octets, or to the row: an error or the mail, never a panic, never another mail.
    #[test]
    fn damage_is_told(
        octets in 5000usize..300_000,
        hits in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..5),
        skew in proptest::option::of((0u8..3, any::<u64>())),
    ) {
        let data = tempfile::tempdir().expect("a scratch directory");
        let mut scene = open(data.path());
        let sent = mail(octets, true);
        let mut row = append(&mut scene, &sent, None);
        drop(scene);
        let path = segment::path(data.path(), 7, 1);
        let mut file = fs::read(&path).expect("a segment");
        for (at, fill) in hits {
            let at = row.offset as usize + at % row.stored as usize;
            file[at] = fill;
        }
        fs::write(&path, &file).expect("writable");
        match skew {
            Some((0, by)) => row.stored = by,
            Some((1, by)) => row.octets = by % (1 << 32),
            Some((2, by)) => row.offset = by,
            _ => {}
        }
        let reader = Reader::new(Blocking, data.path());
        match now(reader.whole(&row)) {
            Ok(whole) => prop_assert!(whole == sent),
            Err(error) => prop_assert!(matches!(error, LogError::Damaged | LogError::Io(_)), "{error:?}"),
        }
        for at in [0, octets / 2, octets - 1] {
            let _ = now(reader.read(&row, at as u64..u64::MAX, Vec::new()));
        }
    }
}
