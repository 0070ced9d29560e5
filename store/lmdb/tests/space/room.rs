//! A tidier on a disk with little room.

use crate::yard::{Yard, at_once, options, sound, tidy_up, whole};
use ringpost_api::Store;
use ringpost_lmdb::tidy::Tidy;
use ringpost_lmdb::{Lmdb, Options};
use ringpost_log::{REWRITE, segment};
use ringpost_types::Uid;
use std::sync::atomic::{AtomicU64, Ordering};

static ROOM: AtomicU64 = AtomicU64::new(u64::MAX);

/// Mails that move lie twice for a while: they stay where they are until there is room, and what is dead goes all the same.
#[test]
fn without_room_nothing_moves_and_the_dead_go() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let options = Options {
        room: |_| Ok(ROOM.load(Ordering::SeqCst)),
        ..options()
    };
    let lmdb = Lmdb::open(data.path(), options).expect("a data directory");
    let mut tidy = Tidy::by_hand(lmdb, at_once()).expect("a tidier");
    let mut yard = Yard::of(tidy.store());
    for number in 0..1_000 {
        yard.deliver(number);
    }
    yard.settle();
    // Of the second half nothing lives, of the first a mail in twenty.
    let uids = yard.mails().into_keys();
    let uids: Vec<Uid> = uids.filter(|uid| uid.0 > 500 || uid.0 % 20 != 0).collect();
    yard.expunge(uids);
    let (before, segments) = (yard.allocated(), numbers(&yard));
    let room = |octets: u64| {
        ROOM.store(octets, Ordering::SeqCst);
        while yard.lmdb.accepts().is_ok() != (octets > 0) {
            std::thread::yield_now();
        }
    };

    room(0);
    tidy_up(&mut tidy);
    let logs = segment::logs(data.path()).expect("a listing");
    assert!(!logs.contains(&REWRITE), "nothing moves");
    let (holed, left) = (yard.allocated(), numbers(&yard));
    assert!(left < segments && left > 3, "{left} segments of {segments}");
    assert!(holed < before / 2, "{holed} octets of {before}");
    whole(&yard.lmdb);

    room(u64::MAX);
    tidy_up(&mut tidy);
    assert!(numbers(&yard) < left);
    assert!(yard.allocated() < holed);
    whole(&yard.lmdb);
    sound(&yard.lmdb);
}

/// How many segments the log has.
fn numbers(yard: &Yard) -> usize {
    segment::segments(&yard.data, 0).expect("a listing").len()
}
