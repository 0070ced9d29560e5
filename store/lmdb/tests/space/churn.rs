//! Mails come and go in any order: the disk holds little more than those that are there.

use crate::yard::{Random, Yard, at_once, fetch, octets, open, sound, tidy_up, whole};
use ringpost_lmdb::tidy::Tidy;
use ringpost_lmdb::usage::usage;
use ringpost_log::file::Blocking;
use ringpost_log::segment::{self, Holds};
use ringpost_log::{REWRITE, Reader};
use ringpost_types::Uid;
use std::sync::atomic::{AtomicBool, Ordering};

/// Expunges about `percent` of what is there.
fn thin_out(yard: &Yard, random: &mut Random, percent: u64) {
    let mails = yard.mails();
    let uids = mails.keys().copied();
    let uids: Vec<Uid> = uids.filter(|_| random.below(100) < percent).collect();
    yard.expunge(uids);
}

#[test]
fn churn_stays_near_what_lives() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut tidy = Tidy::by_hand(open(data.path()), at_once()).expect("a tidier");
    let mut yard = Yard::of(tidy.store());
    let mut random = Random(7);
    let mut number = 0;
    for round in 0..8 {
        for _ in 0..300 {
            number += 1;
            match random.below(60) {
                0 => yard.stream(number),
                _ => yard.deliver(number),
            }
        }
        yard.settle();
        thin_out(&yard, &mut random, [90, 30, 60, 85][round % 4]);
        tidy_up(&mut tidy);
        whole(&yard.lmdb);
    }
    sound(&yard.lmdb);
    let (allocated, live) = (yard.allocated(), yard.live());
    // One segment is being written to, and is reserved whole.
    let most = live * 3 / 2 + crate::yard::SEGMENT_OCTETS;
    assert!(allocated <= most, "{allocated} octets for {live}");
    assert!(
        segment::logs(data.path())
            .expect("a listing")
            .contains(&REWRITE)
    );

    let told = usage(&yard.lmdb).expect("readable");
    assert_eq!(told.messages, yard.mails().len() as u64);
    assert_eq!(told.mail_octets, live);
    let waiting: u64 = told
        .segments
        .iter()
        .map(|segment| segment.waiting_octets)
        .sum();
    assert!(
        waiting < 64 * 1024,
        "{waiting} octets are free and not given back"
    );
}

#[test]
fn all_of_it_goes_when_all_mail_goes() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut tidy = Tidy::by_hand(open(data.path()), at_once()).expect("a tidier");
    let mut yard = Yard::of(tidy.store());
    for number in 0..300 {
        yard.deliver(number);
    }
    yard.stream(300);
    yard.settle();
    yard.expunge(yard.mails().into_keys().collect());
    tidy_up(&mut tidy);
    sound(&yard.lmdb);
    // The segment that is being written to stays, and the mark of the highest number that was given.
    let files = segment::files(data.path(), 0).expect("a listing");
    let of = |kind| files.iter().filter(|(_, holds)| *holds == kind).count();
    assert_eq!((of(Holds::Records), of(Holds::Mail)), (1, 0), "{files:?}");
    drop(yard);
    drop(tidy);
    // What comes later is found.
    let mut yard = Yard::open(data.path());
    yard.deliver(301);
    yard.settle();
    whole(&yard.lmdb);
    assert_eq!(yard.mails().len(), 1);
}

#[test]
fn a_large_mail_moves_by_its_name() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut tidy = Tidy::by_hand(open(data.path()), at_once()).expect("a tidier");
    let mut yard = Yard::of(tidy.store());
    yard.stream(0);
    for number in 1..300 {
        yard.deliver(number);
    }
    yard.settle();
    let all_but_the_first = yard.mails().into_keys().skip(1).collect();
    yard.expunge(all_but_the_first);
    tidy_up(&mut tidy);
    whole(&yard.lmdb);
    sound(&yard.lmdb);
    let moved = segment::files(data.path(), REWRITE).expect("a listing");
    assert!(
        moved.iter().any(|(_, holds)| *holds == Holds::Mail),
        "{moved:?}"
    );
    drop((yard, tidy));
    let lmdb = open(data.path());
    whole(&lmdb);
    sound(&lmdb);
}

/// Who holds space finds everything where it was.
#[test]
fn while_space_is_held_nothing_moves() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut tidy = Tidy::by_hand(open(data.path()), at_once()).expect("a tidier");
    let mut yard = Yard::of(tidy.store());
    for number in 0..300 {
        yard.deliver(number);
    }
    yard.settle();
    yard.expunge(yard.mails().into_keys().collect());
    let before = yard.allocated();
    let hold = yard.lmdb.hold_space();
    for _ in 0..4 {
        let round = tidy.round().expect("a round");
        assert_eq!((round.punched, round.removed, round.moved), (0, 0, 0));
    }
    assert_eq!(yard.allocated(), before);
    drop(hold);
    tidy_up(&mut tidy);
    assert!(yard.allocated() < before / 2);
}

/// Readers of mails that move, are punched beside and removed around them: each finds its mail or finds it gone.
#[test]
fn readers_go_on() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut tidy = Tidy::by_hand(open(data.path()), at_once()).expect("a tidier");
    let mut yard = Yard::of(tidy.store());
    for number in 0..600 {
        yard.deliver(number);
    }
    yard.settle();
    let (lmdb, first) = (yard.lmdb.clone(), yard.mails());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|seed| {
                let (lmdb, first, done) = (&lmdb, &first, &done);
                scope.spawn(move || {
                    let mut random = Random(seed);
                    let reader = Reader::new(Blocking, lmdb.data());
                    let mut read = 0;
                    while !done.load(Ordering::Relaxed) || read == 0 {
                        let at = random.below(first.len() as u64) as usize;
                        let (&uid, &number) = first.iter().nth(at).expect("below its length");
                        if let Some(found) = fetch(lmdb, &reader, uid) {
                            assert!(found.expect("readable") == octets(number), "UID {uid}");
                            read += 1;
                        } else if lmdb_is_empty(lmdb) {
                            break;
                        }
                    }
                })
            })
            .collect();
        let mut random = Random(3);
        for percent in [50, 60, 70, 80] {
            thin_out(&yard, &mut random, percent);
            tidy_up(&mut tidy);
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().expect("no reader found anything else");
        }
    });
    sound(&yard.lmdb);
}

fn lmdb_is_empty(lmdb: &ringpost_lmdb::Lmdb) -> bool {
    crate::yard::mails(lmdb).is_empty()
}
