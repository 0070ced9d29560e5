//! Recovery: what a crash, a torn write or a failing disk leaves.

use crate::scene::*;
use proptest::prelude::*;
use ringpost_api::table::{BlobRow, Encoding};
use ringpost_api::write::{Deliver, Position};
use ringpost_log::file::now;
use ringpost_log::recover::Damage;
use ringpost_log::segment::{self, Head};
use ringpost_log::{Body, Entry, Found, Options, Stored};
use std::fs;

#[test]
fn the_log_goes_on_in_the_next_segment_and_after_a_restart() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let options = Options {
        segment_octets: 4096,
        ..OPTIONS
    };
    let (mut all, mut end) = (Vec::new(), Position::default());
    for _ in 0..3 {
        let mut scene = Scene::open(&Trial::default(), data.path(), end, options);
        for octets in [1000, 1000, 10_000, 100] {
            all.push(scene.append(record(octets, b'a')).expect("durable"));
        }
        drop(scene);
        let (found, after) = recover(data.path(), Position::default());
        assert_eq!(found, records(&all));
        assert_eq!(after, all.last().expect("some").next);
        end = after;
    }
    assert!(
        segment::segments(data.path(), 7)
            .expect("a directory")
            .len()
            > 3
    );
    // From any position in the middle, the rest.
    for (at, deliver) in all.iter().enumerate() {
        assert_eq!(
            recover(data.path(), deliver.next).0,
            records(&all[at + 1..])
        );
    }
}

/// The last record, of every kind, cut at every octet: nothing, reserved zeros, or those and a prepared segment behind
/// the cut.
#[test]
fn a_torn_tail_is_cut() {
    let trial = Trial::default();
    let data = tempfile::tempdir().expect("a scratch directory");
    let packed = Options {
        compress: true,
        ..OPTIONS
    };
    let mut scene = Scene::open(&trial, data.path(), Position::default(), packed);
    scene.append(record(91, b'a')).expect("durable");
    let mut streamed = now(scene.log.stream(trial.clone())).expect("a scratch directory");
    now(streamed.write(vec![b'l'; 500])).expect("written");
    let streamed = now(streamed.finish()).expect("durable");
    scene.append(large(streamed)).expect("durable");
    let noise: Vec<u8> = (0..91u64).map(|n| ((n * n * 7919) >> 5) as u8).collect();
    let mut raw = record(0, b'c');
    raw.body = Body::Whole(noise.clone());
    let carried = scene.append(raw).expect("durable");
    let carried = Entry::Deliver(carried).carried();
    let moved = scene.log.relocate(carried, Stored::Octets(noise), None);
    scene.turn();
    drop((moved, scene));
    let (whole, _) = recover(data.path(), Position::default());
    assert_eq!(whole.len(), 4);
    let places: Vec<_> = whole.iter().map(place).collect();
    let encodings: Vec<_> = places.iter().map(|place| place.encoding).collect();
    assert_eq!(
        encodings[..3],
        [Encoding::Zstd, Encoding::Zstd, Encoding::Raw]
    );

    let path = segment::path(data.path(), 7, 1);
    let octets = fs::read(&path).expect("a segment");
    let prepared = Head::new(7, 9, 1).encode();
    for (number, place) in places.iter().enumerate() {
        let (last, end) = (
            place.record.offset,
            place.record.offset + place.record.octets,
        );
        let (last, end) = (last as usize, end as usize);
        for cut in last..end {
            let (behind, is_prepared) = [(cut, false), (end, false), (8192, true)][cut % 3];
            let mut torn = octets[..cut].to_vec();
            torn.resize(behind.max(cut), 0);
            if torn.get(..end) == Some(&octets[..end]) {
                continue; // Cut in the padding, which is zero.
            }
            fs::write(&path, &torn).expect("writable");
            let next = segment::path(data.path(), 7, 9);
            if is_prepared {
                let mut octets = prepared.clone();
                octets.resize(4096, 0);
                fs::write(&next, octets).expect("writable");
            }
            let (found, after) = recover_whole(data.path(), 7, Position::default());
            let case = format!("record {number} cut at {cut}, {behind} octets");
            assert_eq!(found, whole[..number], "{case}");
            assert_eq!(after.position.offset, last as u64, "{case}");
            assert_eq!(after.position.sequence, number as u64 + 1, "{case}");
            let some = octets[last..cut].iter().any(|&octet| octet != 0);
            assert_eq!(after.cut_octets > 0, some, "{case}");
            assert!(after.cut_octets <= (end - last) as u64, "{case}");
            assert_eq!(fs::metadata(&path).expect("there").len(), last as u64);
            assert!(!next.exists(), "{case}");
        }
    }
    let (_, end) = recover(data.path(), Position::default());
    let mut scene = Scene::open(&trial, data.path(), end, OPTIONS);
    let again = scene.append(record(10, b'd')).expect("durable");
    let expected = [&whole[..3], &records(&[again])].concat();
    assert_eq!(recover(data.path(), Position::default()).0, expected);
}

fn place(found: &Found) -> BlobRow {
    match found {
        Found::Record(entry) => entry.place(),
        Found::Damage(damage) => panic!("{damage:?}"),
    }
}

/// Every octet of a record in the middle damaged: the others stand, and the stretch is told.
#[test]
fn damage_in_the_middle_is_isolated() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut scene = Scene::open(&Trial::default(), data.path(), Position::default(), OPTIONS);
    let whole: Vec<Deliver> = [b'a', b'b', b'c']
        .map(|fill| scene.append(record(91, fill)).expect("durable"))
        .into();
    drop(scene);
    let path = segment::path(data.path(), 7, 1);
    let octets = fs::read(&path).expect("a segment");
    let (begin, end) = (whole[0].next.offset, whole[1].next.offset);
    let mail_end = whole[1].offset + whole[1].octets;
    for at in begin..mail_end {
        let mut damaged = octets.clone();
        damaged[at as usize] ^= 0x55;
        fs::write(&path, &damaged).expect("writable");
        let (found, after) = recover(data.path(), Position::default());
        let stretch = Damage {
            segment: 1,
            offset: begin,
            octets: end - begin,
        };
        let expected = [
            Found::Record(Entry::Deliver(whole[0].clone())),
            Found::Damage(stretch),
            Found::Record(Entry::Deliver(whole[2].clone())),
        ];
        assert_eq!(found, expected, "octet {at}");
        assert_eq!(after, whole[2].next);
    }
}

/// A mail may carry the octets of a record; a search behind a damaged one does not take them for it.
#[test]
fn a_record_inside_a_mail_is_not_found() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut scene = Scene::open(&Trial::default(), data.path(), Position::default(), OPTIONS);
    scene.append(record(64, b'a')).expect("durable");
    drop(scene);
    let stolen = fs::read(segment::path(data.path(), 7, 1)).expect("a segment");
    let stolen = stolen[64..64 + 512].to_vec();

    let other = tempfile::tempdir().expect("a scratch directory");
    let mut scene = Scene::open(
        &Trial::default(),
        other.path(),
        Position::default(),
        OPTIONS,
    );
    for shift in 0..8 {
        let mut carrier = record(0, b'a');
        carrier.body = Body::Whole([vec![b' '; shift], stolen.clone()].concat());
        scene.append(carrier).expect("durable");
    }
    let count = scene.delivered.borrow().len();
    drop(scene);
    let path = segment::path(other.path(), 7, 1);
    let mut octets = fs::read(&path).expect("a segment");
    octets[64] ^= 1;
    fs::write(&path, &octets).expect("writable");
    let (found, _) = recover(other.path(), Position::default());
    assert_eq!(
        found.len(),
        count,
        "one damaged stretch, and the records behind it"
    );
    assert!(matches!(found[0], Found::Damage(_)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    /// Whatever happens to the octets of a segment: recovery ends, and what it finds was written, in that order.
    #[test]
    fn recovery_finds_nothing_that_was_not_written(
        sizes in proptest::collection::vec(0usize..3000, 1..8),
        hits in proptest::collection::vec((any::<usize>(), 1usize..200, any::<u8>()), 0..6),
        cut in proptest::option::of(any::<usize>()),
    ) {
        let data = tempfile::tempdir().expect("a scratch directory");
        let mut scene = Scene::open(&Trial::default(), data.path(), Position::default(), OPTIONS);
        for octets in sizes {
            scene.append(record(octets, b'a')).expect("durable");
        }
        let written = records(&scene.delivered.borrow());
        drop(scene);
        let path = segment::path(data.path(), 7, 1);
        let mut octets = fs::read(&path).expect("a segment");
        for (at, length, fill) in hits {
            let at = at % octets.len();
            let end = (at + length).min(octets.len());
            octets[at..end].fill(fill);
        }
        octets.truncate(cut.map_or(octets.len(), |cut| cut % (octets.len() + 1)));
        fs::write(&path, &octets).expect("writable");
        let (found, end) = recover(data.path(), Position::default());
        let mut rest = written.iter();
        for one in found.iter().filter(|found| matches!(found, Found::Record(_))) {
            prop_assert!(rest.any(|record| record == one), "in order, and written");
        }
        let (again, same) = recover(data.path(), Position::default());
        prop_assert_eq!((again, same), (found, end));
    }
}

#[test]
fn a_segment_that_was_just_being_begun_is_begun_again() {
    let data = tempfile::tempdir().expect("a scratch directory");
    fs::create_dir_all(segment::directory(data.path(), 7)).expect("writable");
    let path = segment::path(data.path(), 7, 1);
    for octets in [0, 10, 64, 5000] {
        fs::write(&path, vec![0; octets]).expect("writable");
        let (found, end) = recover(data.path(), Position::default());
        assert_eq!(
            (found, end.segment, end.offset, end.sequence),
            (vec![], 1, 0, 1)
        );
        let mut scene = Scene::open(&Trial::default(), data.path(), end, OPTIONS);
        let kept = scene.append(record(5, b'a')).expect("durable");
        assert_eq!(
            recover(data.path(), Position::default()).0,
            records(&[kept])
        );
    }
}
