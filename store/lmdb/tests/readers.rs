//! Snapshots: as many as there are seats, none held for long without being told of.

mod fixture;

use fixture::{begin, deliver, mails, options, secret};
use ringpost_api::behaviour::ask;
use ringpost_api::{Error, Outcome, Store};
use ringpost_lmdb::health::State;
use ringpost_lmdb::{Options, READERS_MAX};
use ringpost_types::limit::Limits;
use std::sync::Mutex;

#[test]
fn at_the_limit_and_one_above() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let lmdb = begin(data.path(), options());
    let mut open = Vec::new();
    for _ in 0..READERS_MAX {
        open.push(lmdb.snapshot().expect("a seat"));
    }
    for _ in ["one above", "and again"] {
        assert!(matches!(lmdb.snapshot(), Err(Error::Io(_))));
    }
    // Nobody else is in the way: commits go on, and how it is can be told.
    assert!(ask(&*lmdb, deliver(0, 10)).is_ok());
    let health = lmdb.health();
    assert_eq!(health.state, State::Well);
    assert_eq!(health.readers as usize, READERS_MAX);
    assert!(health.file_octets >= health.used_octets && health.used_octets > 0);
    assert!(mails(&**open.last().expect("many")).is_empty(), "as it was");
    open.pop();
    assert_eq!(mails(&*lmdb.snapshot().expect("the free seat")), [0]);
    drop(open);
    assert_eq!(lmdb.health().readers, 0);
}

/// From threads that come and go, each with a snapshot or two.
#[test]
fn seats_are_given_back() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let lmdb = begin(data.path(), options());
    for _ in 0..20 {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let first = lmdb.snapshot().expect("a seat");
                        let second = lmdb.snapshot().expect("another");
                        assert_eq!(mails(&*first), mails(&*second));
                    }
                });
            }
        });
    }
    assert_eq!(lmdb.health().readers, 0);
}

#[test]
fn who_holds_one_for_long_is_told_and_counted() {
    static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let data = tempfile::tempdir().expect("a scratch directory");
    let lmdb = begin(
        data.path(),
        Options {
            limits: Limits {
                snapshot_age_ms_max: 1,
                ..Limits::default()
            },
            alarm: |line| HEARD.lock().expect("no panic").push(line.to_owned()),
            ..options()
        },
    );
    let held = lmdb.snapshot().expect("a snapshot");
    while lmdb.health().readers_late == 0 {
        std::thread::yield_now();
    }
    let health = lmdb.health();
    assert_eq!((health.state, health.readers), (State::Well, 1));
    assert!(health.oldest_reader_ms > 1);
    drop(held);
    assert_eq!(ask(&*lmdb, secret("x")), Ok(Outcome::Done));
    let heard = HEARD.lock().expect("no panic").clone();
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(heard[0].contains("snapshot_age_ms_max") && heard[0].contains("who_holds_one"));
}
