//! Large mails: streamed into segments of their own, and what a crash or a refusal leaves of them.

use crate::scene::*;
use ringpost_api::write::Position;
use ringpost_log::file::{Blocking, now};
use ringpost_log::recover::Damage;
use ringpost_log::segment::{self, Holds};
use ringpost_log::{Found, LogError, Options, Reader, Streamed};
use std::fs;
use std::path::Path;

const PIECE: usize = 64 * 1024;

/// Octets that tell where they stand.
fn octets(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at % 251) as u8).collect()
}

fn stream(scene: &Scene, trial: &Trial, octets: &[u8]) -> Streamed {
    let mut stream = now(scene.log.stream(trial.clone())).expect("a scratch directory");
    for piece in octets.chunks(PIECE) {
        now(stream.write(piece.to_vec())).expect("written");
    }
    now(stream.finish()).expect("durable")
}

fn files(data: &Path) -> Vec<(u32, Holds)> {
    segment::files(data, 7).expect("a directory")
}

#[test]
fn it_comes_back_between_small_ones() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    let before = scene.append(record(10, b'a')).expect("durable");
    let mail = octets(3 * PIECE + 17);
    let streamed = stream(&scene, &trial, &mail);
    assert_eq!(streamed.octets(), mail.len() as u64);
    assert_eq!(files(data.path()), [(1, Holds::Records), (2, Holds::Part)]);
    let whole = scene.append(large(streamed)).expect("durable");
    assert_eq!(files(data.path()), [(1, Holds::Records), (2, Holds::Mail)]);
    assert_eq!((whole.segment, whole.record.segment), (2, 1));
    assert_eq!(whole.octets, mail.len() as u64);
    let after = scene.append(record(10, b'b')).expect("durable");
    let expected = records(&[before, whole.clone(), after]);
    assert_eq!(recover(data.path(), Position::default()).0, expected);
    let reader = Reader::new(Blocking, data.path());
    assert!(now(reader.whole(&row(&whole))).as_ref() == Ok(&mail));
    let piece = now(reader.read(&row(&whole), 70_000..70_010, Vec::new()));
    assert_eq!(piece, Ok(mail[70_000..70_010].to_vec()));
}

/// Every few MiB, so that no sync has much to write.
#[test]
fn it_is_synced_as_it_goes() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    let scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    trial.0.syncs.set(0);
    let streamed = stream(&scene, &trial, &octets(10 * 1024 * 1024));
    // At 4 and at 8 MiB, its end, its name.
    assert_eq!(trial.0.syncs.get(), 4);
    drop(streamed);
    assert_eq!(files(data.path()), []);
}

#[test]
fn one_that_is_given_up_leaves_nothing() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    let kept = scene.append(record(10, b'a')).expect("durable");
    // While it is written.
    let mut half = now(scene.log.stream(trial.clone())).expect("a scratch directory");
    now(half.write(octets(PIECE))).expect("written");
    drop(half);
    // When it cannot be made durable.
    let mut half = now(scene.log.stream(trial.clone())).expect("a scratch directory");
    now(half.write(octets(PIECE))).expect("written");
    trial.0.sync_fails.set(Some(libc::ENOSPC));
    assert_eq!(now(half.finish()).map(|_| ()), Err(LogError::Full));
    trial.0.sync_fails.set(None);
    // When its record is refused.
    let streamed = stream(&scene, &trial, &octets(PIECE));
    trial.0.sync_fails.set(Some(libc::EIO));
    assert!(scene.append(large(streamed)).is_err());
    trial.0.sync_fails.set(None);
    assert_eq!(files(data.path()), [(1, Holds::Records)]);
    assert_eq!(
        recover(data.path(), Position::default()).0,
        records(&[kept])
    );
    // When the log closes first.
    let streamed = stream(&scene, &trial, &octets(PIECE));
    drop(scene);
    assert_eq!(files(data.path()).len(), 2);
    drop(streamed);
    assert_eq!(files(data.path()), [(1, Holds::Records)]);
}

/// Streams take their numbers from the same row as the segments that begin meanwhile.
#[test]
fn the_log_rolls_over_beside_it() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    let options = Options {
        segment_octets: 4096,
        ..OPTIONS
    };
    let mut scene = Scene::open(&trial, data.path(), Position::default(), options);
    let mail = octets(2 * PIECE);
    let mut all = Vec::new();
    for round in 0..3 {
        let mut two = Vec::new();
        for _ in 0..2 {
            let mut stream = now(scene.log.stream(trial.clone())).expect("a scratch directory");
            now(stream.write(mail.clone())).expect("written");
            all.push(scene.append(record(3000, b'a' + round)).expect("durable"));
            two.push(stream);
        }
        while let Some(stream) = two.pop() {
            let streamed = now(stream.finish()).expect("durable");
            all.push(scene.append(large(streamed)).expect("durable"));
        }
    }
    drop(scene);
    let (found, end) = recover(data.path(), Position::default());
    assert_eq!(found, records(&all));
    let mut numbers: Vec<u32> = files(data.path()).iter().map(|&(n, _)| n).collect();
    let count = numbers.len();
    numbers.dedup();
    assert!(numbers.len() == count && count > 8, "{numbers:?}");
    let reader = Reader::new(Blocking, data.path());
    for deliver in all.iter().filter(|d| d.segment != d.record.segment) {
        assert!(now(reader.whole(&row(deliver))).as_ref() == Ok(&mail));
    }
    // After a restart none is used again.
    let mut scene = Scene::open(&trial, data.path(), end, options);
    let streamed = stream(&scene, &trial, &mail);
    let more = scene.append(large(streamed)).expect("durable");
    assert!(numbers.iter().all(|&number| number < more.segment));
}

/// A crash before the record, between record and name, and after both.
#[test]
fn a_crash_leaves_what_has_a_record() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    let small = scene.append(record(10, b'a')).expect("durable");
    let mail = octets(PIECE);
    let named = stream(&scene, &trial, &mail);
    let named = scene.append(large(named)).expect("durable");
    let without = stream(&scene, &trial, &mail);
    let path = |number, holds| segment::file(data.path(), 7, number, holds);
    drop(scene);
    let begin = small.next;
    let (found, end) = recover_whole(data.path(), 7, begin);
    assert_eq!(found, records(std::slice::from_ref(&named)));
    assert_eq!(end.unnamed, [3]);

    // The name was not durable yet: the record read at the start tells it.
    let (part, lasting) = (path(2, Holds::Part), path(2, Holds::Mail));
    fs::rename(&lasting, &part).expect("writable");
    let reader = Reader::new(Blocking, data.path());
    assert!(now(reader.whole(&row(&named))).as_ref() == Ok(&mail));
    let (found, end) = recover_whole(data.path(), 7, begin);
    assert_eq!((found.len(), end.unnamed), (1, vec![3]));
    assert!(lasting.exists() && !part.exists());

    // Nor was it when the index had applied the record: it is asked.
    fs::rename(&lasting, &part).expect("writable");
    let (found, end) = recover_whole(data.path(), 7, named.next);
    assert_eq!((found.len(), end.unnamed), (0, vec![2, 3]));
    segment::adopt(data.path(), 7, 2).expect("writable");
    segment::abandon(data.path(), 7, 3).expect("writable");
    let left = [(1, Holds::Records), (2, Holds::Mail), (3, Holds::Gone)];
    assert_eq!(files(data.path()), left);
    drop(without);
}

#[test]
fn a_record_without_its_mail_is_damage() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    let first = scene.append(record(10, b'a')).expect("durable");
    let streamed = stream(&scene, &trial, &octets(PIECE));
    let gone = scene.append(large(streamed)).expect("durable");
    let streamed = stream(&scene, &trial, &octets(PIECE));
    let short = scene.append(large(streamed)).expect("durable");
    let kept = scene.append(record(5, b'a')).expect("durable");
    drop(scene);
    let path = |number| segment::file(data.path(), 7, number, Holds::Mail);
    // A row that means another mail than its file holds.
    fs::copy(path(3), path(9)).expect("writable");
    let other = ringpost_api::table::BlobRow {
        segment: 9,
        checksum: 1,
        ..row(&short)
    };
    let reader = Reader::new(Blocking, data.path());
    let read = now(reader.read(&other, 0..10, Vec::new()));
    assert_eq!(read, Err(LogError::Damaged));
    fs::remove_file(path(2)).expect("there");
    let file = fs::OpenOptions::new().write(true).open(path(3));
    file.expect("there").set_len(1000).expect("writable");
    let stretch = Damage {
        segment: 1,
        offset: gone.record.offset,
        octets: gone.record.octets + short.record.octets,
    };
    let expected = [Found::Damage(stretch), records(&[kept])[0].clone()];
    assert_eq!(recover(data.path(), first.next).0, expected);
    let read = now(reader.read(&row(&gone), 0..10, Vec::new()));
    assert_eq!(read, Err(LogError::Moved));
}

/// Rows of the index may speak of a segment after it went: its number is not given again.
#[test]
fn a_removed_number_is_not_given_again() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    let mut end = Position::default();
    for number in [2, 3, 4] {
        let mut scene = Scene::open(&trial, data.path(), end, OPTIONS);
        if number == 2 {
            scene.append(record(5, b'a')).expect("durable");
        }
        let streamed = stream(&scene, &trial, &octets(PIECE));
        let mail = scene.append(large(streamed)).expect("durable");
        assert_eq!(mail.segment, number);
        end = mail.next;
        drop(scene);
        segment::remove(data.path(), 7, number, Holds::Mail).expect("removable");
        segment::remove(data.path(), 7, number, Holds::Mail).expect("gone is done");
        assert_eq!(
            files(data.path()).last(),
            Some(&(number, Holds::Gone)),
            "{number}"
        );
    }
    // Once a later segment of records says so as well, they are not needed.
    let options = Options {
        segment_octets: 256,
        ..OPTIONS
    };
    let mut scene = Scene::open(&trial, data.path(), end, options);
    let end = scene.append(record(500, b'b')).expect("durable").next;
    assert_eq!(end.segment, 5);
    drop(scene);
    drop(Scene::open(&trial, data.path(), end, options));
    assert!(
        files(data.path())
            .iter()
            .all(|&(_, holds)| holds != Holds::Gone)
    );
}

/// A number above it is no proof that it was given: what has it may go without a trace.
#[test]
fn a_number_removed_below_another_is_not_given_again() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    scene.append(record(5, b'a')).expect("durable");
    let streamed = stream(&scene, &trial, &octets(PIECE));
    let mail = scene.append(large(streamed)).expect("durable");
    // While another is coming in, it is let go of and removed; then that one is given up.
    let coming = stream(&scene, &trial, &octets(PIECE));
    segment::remove(data.path(), 7, mail.segment, Holds::Mail).expect("removable");
    drop(coming);
    drop(scene);
    let mut scene = Scene::open(&trial, data.path(), mail.next, OPTIONS);
    let streamed = stream(&scene, &trial, &octets(PIECE));
    let later = scene.append(large(streamed)).expect("durable");
    assert!(later.segment > mail.segment, "{later:?}");
    // One mark is enough for any number of them.
    for number in [later.segment, later.segment + 1] {
        segment::remove(data.path(), 7, number, Holds::Mail).expect("removable");
    }
    let marks = files(data.path());
    let marks = marks.iter().filter(|(_, holds)| *holds == Holds::Gone);
    assert_eq!(marks.count(), 1);
}
