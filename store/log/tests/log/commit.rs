//! Group commit: what goes out together, what is refused, how the log goes on.

use crate::scene::*;
use ringpost_api::write::{Deliver, Position};
use ringpost_log::file::{Blocking, now};
use ringpost_log::{Append, Body, LogError, Options, Reader, segment};
use std::fs;
use std::task::{Context, Waker};
use std::time::Duration;

#[test]
fn one_write_and_one_sync_for_all_that_gathered() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    let mut scene = Scene::open(&trial, data.path(), Position::default(), Options::default());
    scene.append(record(10, b'a')).expect("durable");
    trial.0.writes.set(0);
    trial.0.syncs.set(0);

    let mut appends: Vec<Append> = (0..50u8)
        .map(|n| scene.log.append(record(usize::from(n) * 100, n), None))
        .collect();
    scene.turn();
    for append in &mut appends {
        assert_eq!(answer(append), Ok(()));
    }
    assert_eq!((trial.0.writes.get(), trial.0.syncs.get()), (1, 1));

    let delivered = scene.delivered.borrow().clone();
    let sequences: Vec<u64> = delivered.iter().map(|d| d.blob.sequence()).collect();
    assert_eq!(sequences, (1..=51).collect::<Vec<u64>>());
    let end = delivered.last().expect("many").next;
    assert_eq!(
        recover(data.path(), Position::default()),
        (records(&delivered), end)
    );
}

/// A crowd of clients is gathered into one batch: until most of them are back, the pause is over or the log closes.
#[test]
fn a_batch_waits_for_the_clients_of_the_last_one() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    trial.0.sync_time.set(Duration::from_millis(4));
    let mut scene = Scene::open(&trial, data.path(), Position::default(), Options::default());
    let durable = |scene: &Scene| scene.delivered.borrow().len();
    let send = |scene: &mut Scene, count: usize| {
        for _ in 0..count {
            drop(scene.log.append(record(10, b'a'), None));
        }
        scene.turn();
    };
    send(&mut scene, 16);
    assert_eq!((durable(&scene), trial.0.pauses.get()), (16, 0));
    send(&mut scene, 5);
    assert_eq!((durable(&scene), trial.0.pauses.get()), (16, 1));
    send(&mut scene, 7);
    assert_eq!((durable(&scene), trial.0.syncs.get()), (28, 5));

    send(&mut scene, 1);
    assert_eq!((durable(&scene), trial.0.pauses.get()), (28, 2));
    trial.0.over.set(true);
    scene.turn();
    assert_eq!(durable(&scene), 29);
    // A lone client does not wait.
    send(&mut scene, 1);
    assert_eq!((durable(&scene), trial.0.pauses.get()), (30, 2));

    trial.0.over.set(false);
    send(&mut scene, 16);
    send(&mut scene, 1);
    assert_eq!((durable(&scene), trial.0.pauses.get()), (46, 3));
    let log = scene.log.clone();
    let mut close = Box::pin(log.close());
    let mut context = Context::from_waker(Waker::noop());
    assert!(close.as_mut().poll(&mut context).is_pending());
    scene.turn();
    assert!(close.as_mut().poll(&mut context).is_ready());
    assert_eq!(durable(&scene), 47);
}

#[test]
fn mails_come_back_in_pieces() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut scene = Scene::open(
        &Trial::default(),
        data.path(),
        Position::default(),
        Options::default(),
    );
    let reader = Reader::new(Blocking, data.path());
    for octets in [
        0,
        1,
        7,
        8,
        9,
        4096,
        65_536,
        65_537,
        128 * 1024 - 1,
        128 * 1024,
        300_001,
    ] {
        let sent: Vec<u8> = (0..octets).map(|at| (at % 251) as u8).collect();
        let mut carrier = record(0, 0);
        carrier.body = Body::Whole(sent.clone());
        let deliver = scene.append(carrier).expect("durable");
        let blob = row(&deliver);
        assert!(now(reader.whole(&blob)).as_ref() == Ok(&sent), "{octets}");
        let middle = octets as u64 / 2;
        let piece = now(reader.read(&blob, middle..u64::MAX, Vec::new())).expect("readable");
        let end = (octets / 2 + piece.len()).min(octets);
        assert!(piece == sent[octets / 2..end] && piece.len() <= 65_536);
        assert!(!piece.is_empty() || octets == 0);
        let other = ringpost_api::table::BlobRow {
            checksum: blob.checksum ^ 1,
            ..blob
        };
        assert_eq!(now(reader.whole(&other)), Err(LogError::Damaged));
    }
}

#[test]
fn what_is_refused_is_not_in_the_log() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    let mut kept = vec![scene.append(record(100, b'a')).expect("durable")];
    for (errno, expected) in [
        (libc::EIO, LogError::Io(libc::EIO)),
        (libc::ENOSPC, LogError::Full),
    ] {
        trial.0.sync_fails.set(Some(errno));
        let mut two = [record(50, b'x'), record(60, b'y')].map(|r| scene.log.append(r, None));
        scene.turn();
        for append in &mut two {
            assert_eq!(answer(append), Err(expected));
        }
        trial.0.sync_fails.set(None);
        kept.push(
            scene
                .append(record(10, b'b'))
                .expect("there is space again"),
        );
    }
    assert_eq!(*scene.delivered.borrow(), kept);
    assert_eq!(recover(data.path(), Position::default()).0, records(&kept));
}

#[test]
fn a_disk_without_room_for_a_segment_refuses_and_recovers() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    trial.0.allocate_fails.set(Some((libc::ENOSPC, 0)));
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    assert_eq!(scene.append(record(100, b'a')), Err(LogError::Full));
    assert_eq!(
        segment::segments(data.path(), 7).expect("a directory"),
        Vec::<u32>::new()
    );
    trial.0.allocate_fails.set(None);
    let kept = scene
        .append(record(100, b'b'))
        .expect("there is space again");
    assert_eq!(
        recover(data.path(), Position::default()).0,
        records(&[kept])
    );
}

/// Nearly full: a segment as large as it must be, and the rest is left to the index.
#[test]
fn a_disk_with_little_room_is_not_taken_whole() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    trial.0.allocate_fails.set(Some((libc::ENOSPC, 32 * 1024)));
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    let kept = scene.append(record(100, b'a')).expect("it fits");
    let path = segment::path(data.path(), 7, 1);
    let octets = fs::metadata(&path).expect("a segment").len();
    assert_eq!(octets, kept.next.offset);
    let more = scene.append(record(100, b'b')).expect("it grows");
    assert_eq!(
        recover(data.path(), Position::default()).0,
        records(&[kept, more])
    );
}

#[test]
fn a_file_system_that_reserves_nothing_will_do() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    trial.0.allocate_fails.set(Some((libc::EOPNOTSUPP, 0)));
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    let kept: Vec<Deliver> = (0..3)
        .map(|_| scene.append(record(40_000, b'a')).expect("durable"))
        .collect();
    assert_eq!(recover(data.path(), Position::default()).0, records(&kept));
}

/// A start that is killed between making the log's directory and syncing its name does not do without.
#[test]
fn names_are_durable_before_records_are() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let folder = segment::directory(data.path(), 7);
    fs::create_dir_all(&folder).expect("writable");
    let trial = Trial::default();
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    scene.append(record(1, b'a')).expect("durable");
    assert_eq!(
        *trial.0.folders.borrow(),
        [data.path().to_owned(), folder],
        "the log's directory, then its first segment"
    );
}

/// What a failed sync left is cut off, and the cut is on disk before the refusal is heard.
#[test]
fn a_refusal_outlives_a_crash() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    trial.0.allocate_fails.set(Some((libc::EOPNOTSUPP, 0)));
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    let kept = scene.append(record(100, b'a')).expect("durable");
    trial.0.sync_fails.set(Some(libc::EIO));
    assert!(scene.append(record(50, b'x')).is_err());
    assert_eq!(trial.0.synced_octets.get(), kept.next.offset);
}

#[test]
fn a_closed_log_takes_nothing_and_answers_what_it_took() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut scene = Scene::open(&Trial::default(), data.path(), Position::default(), OPTIONS);
    let mut before = scene.log.append(record(1, b'a'), None);
    let log = scene.log.clone();
    let mut close = Box::pin(log.close());
    let mut context = Context::from_waker(Waker::noop());
    assert!(close.as_mut().poll(&mut context).is_pending());
    let mut after = log.append(record(1, b'b'), None);
    scene.turn();
    assert_eq!(answer(&mut before), Ok(()));
    assert_eq!(answer(&mut after), Err(LogError::Closed));
    assert!(close.as_mut().poll(&mut context).is_ready());
}

/// While an eighth of a segment is left the next one is made: rolling over costs no write and no sync of its own.
#[test]
fn the_next_segment_is_there_before_it_is_needed() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    let segments = || segment::segments(data.path(), 7).expect("a directory");
    let mut kept = vec![scene.append(record(50_000, b'a')).expect("durable")];
    assert_eq!(segments(), [1]);
    kept.push(scene.append(record(10_000, b'b')).expect("durable"));
    assert_eq!(segments(), [1, 2]);
    trial.0.writes.set(0);
    trial.0.syncs.set(0);
    kept.push(scene.append(record(10_000, b'c')).expect("durable"));
    assert_eq!((trial.0.writes.get(), trial.0.syncs.get()), (1, 1));
    assert_eq!(kept[2].segment, 2);
    // Closing gives back what was reserved, and what was prepared.
    kept.push(scene.append(record(50_000, b'd')).expect("durable"));
    assert_eq!(segments(), [1, 2, 3]);
    let log = scene.log.clone();
    let mut close = Box::pin(log.close());
    let mut context = Context::from_waker(Waker::noop());
    assert!(close.as_mut().poll(&mut context).is_pending());
    scene.turn();
    assert!(close.as_mut().poll(&mut context).is_ready());
    assert_eq!(segments(), [1, 2]);
    let length = fs::metadata(segment::path(data.path(), 7, 2)).expect("there");
    assert_eq!(length.len(), kept[3].next.offset);
    assert_eq!(recover(data.path(), Position::default()).0, records(&kept));
}

/// What cannot be prepared is tried again when it is needed, and a while later; a full disk refuses, and nothing is left
/// behind; with space everything goes on.
#[test]
fn a_full_disk_stops_the_log_until_there_is_room() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    let mut kept = vec![scene.append(record(60_000, b'a')).expect("durable")];
    let segments = || segment::segments(data.path(), 7).expect("a directory");
    fs::remove_file(segment::path(data.path(), 7, 2)).expect("it was prepared");
    drop(scene);
    trial.0.allocate_fails.set(Some((libc::ENOSPC, 0)));
    let mut scene = Scene::open(&trial, data.path(), kept[0].next, OPTIONS);
    // What was reserved is still good for a small one.
    kept.push(scene.append(record(100, b'b')).expect("it grows"));
    for _ in 0..100 {
        assert_eq!(scene.append(record(10_000, b'x')), Err(LogError::Full));
    }
    assert_eq!(segments(), [1]);
    trial.0.allocate_fails.set(None);
    kept.push(scene.append(record(10_000, b'c')).expect("there is room"));
    assert_eq!(kept[2].segment, 2, "no number was used up");
    assert_eq!(recover(data.path(), Position::default()).0, records(&kept));
}

/// A log whose failed batch can neither be cut off nor synced goes on in another segment.
#[test]
fn nothing_is_written_behind_what_could_not_be_cut() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    let first = scene.append(record(100, b'a')).expect("durable");
    trial.0.sync_fails.set(Some(libc::EIO));
    assert_eq!(scene.append(record(50, b'x')), Err(LogError::Io(libc::EIO)));
    trial.0.sync_fails.set(None);
    let second = scene.append(record(10, b'b')).expect("durable");
    assert_eq!((first.segment, second.segment), (1, 2));
    assert_eq!(
        recover(data.path(), Position::default()).0,
        records(&[first, second])
    );
}
