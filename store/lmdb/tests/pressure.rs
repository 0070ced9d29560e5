//! Too much for the index: a map that is full, a disk with little room, a writer that is behind.

mod fixture;

use fixture::{ACCOUNT, begin, deliver, mails, options, secret, snapshot};
use ringpost_api::behaviour::ask;
use ringpost_api::{Error, Outcome, Store, Write};
use ringpost_lmdb::health::{Reason, State};
use ringpost_lmdb::{Lmdb, Options};
use ringpost_types::MailboxId;
use ringpost_types::limit::Limits;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

#[test]
fn a_full_map_is_told_as_such_and_grows_without_a_restart() {
    static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let data = tempfile::tempdir().expect("a scratch directory");
    let small = Options {
        map_octets: 512 * 1024,
        alarm: |line| HEARD.lock().expect("no panic").push(line.to_owned()),
        ..Options::default()
    };
    let lmdb = begin(data.path(), small);
    for number in 0..200 {
        lmdb.submit(deliver(number, 4_000), None);
    }
    for _ in ["at once", "and again"] {
        match ask(&*lmdb, secret("x")) {
            Err(Error::Io(why)) => assert!(why.contains("map_octets"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(lmdb.health().state, State::Degraded(Reason::MapFull));
    assert!(lmdb.lag_octets() > 100 * 4_000, "digests are held too");
    assert!(lmdb.accepts().is_err());
    let heard = HEARD.lock().expect("no panic").clone();
    assert_eq!(heard.len(), 1, "told once: {heard:?}");

    // A reader keeps the map where it is, for as long as he looks.
    let old = snapshot(&lmdb);
    let seen = mails(&*old).len();
    lmdb.set_map_octets(64 * 1024 * 1024);
    assert!(ask(&*lmdb, secret("x")).is_err());
    assert_eq!(mails(&*old).len(), seen);
    drop(old);
    while ask(&*lmdb, secret("x")).is_err() {}
    assert_eq!(mails(&*snapshot(&lmdb)), (0..200).collect::<Vec<u64>>());
    let health = lmdb.health();
    assert_eq!(
        (health.state, health.map_octets, lmdb.accepts()),
        (State::Well, 64 * 1024 * 1024, Ok(()))
    );
}

#[test]
fn with_little_room_new_mail_is_refused_and_the_rest_goes_on() {
    static ROOM: AtomicU64 = AtomicU64::new(1_000);
    static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let data = tempfile::tempdir().expect("a scratch directory");
    let lmdb = begin(
        data.path(),
        Options {
            room: |_| Ok(ROOM.load(Ordering::SeqCst)),
            limits: Limits {
                disk_free_octets_min: 1_000,
                ..Limits::default()
            },
            alarm: |line| HEARD.lock().expect("no panic").push(line.to_owned()),
            ..options()
        },
    );
    assert_eq!(lmdb.accepts(), Ok(()), "at the limit");
    ROOM.store(999, Ordering::SeqCst);
    while lmdb.accepts().is_ok() {
        std::thread::yield_now();
    }
    assert_eq!(lmdb.accepts(), Err(Error::Full), "one octet below");
    let low = State::Degraded(Reason::DiskLow { free_octets: 999 });
    assert_eq!(lmdb.health().state, low);
    // What the logs hold still comes in, and what makes room is done.
    assert!(ask(&*lmdb, deliver(0, 10)).is_ok());
    let expunge = Write::Expunge {
        account: ACCOUNT,
        mailbox: MailboxId::INBOX,
        uids: None,
    };
    assert!(ask(&*lmdb, expunge).is_ok());
    assert_eq!(lmdb.health().state, low);
    ROOM.store(1_125, Ordering::SeqCst);
    while lmdb.accepts().is_err() {
        std::thread::yield_now();
    }
    assert_eq!(lmdb.health().state, State::Well);
    assert_eq!(HEARD.lock().expect("no panic").len(), 2);
}

/// What back-pressure looks at: every octet that the queue holds counts, and none that is committed.
#[test]
fn lag_counts_what_is_not_committed() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let lmdb = begin(
        data.path(),
        Options {
            map_octets: 256 * 1024,
            ..Options::default()
        },
    );
    // A writer that cannot commit: the map is too small for this one.
    let Write::Deliver(mut large) = deliver(0, 10) else {
        unreachable!("it is a delivery");
    };
    large.text = vec![b'x'; 400_000];
    lmdb.submit(Write::Deliver(large), None);
    assert!(ask(&*lmdb, secret("x")).is_err());
    let first = lmdb.lag_octets();
    assert!(first > 401_000, "mail and text: {first}");
    let one = {
        lmdb.submit(deliver(1, 10), None);
        lmdb.lag_octets() - first
    };
    assert!((1_010..2_000).contains(&one), "{one}");
    for number in 2..100 {
        lmdb.submit(deliver(number, 10), None);
    }
    assert_eq!(lmdb.lag_octets(), first + 99 * one);
    assert!(ask(&*lmdb, secret("x")).is_err());
    assert_eq!(lmdb.lag_octets(), first + 99 * one, "what failed is kept");
    lmdb.set_map_octets(16 * 1024 * 1024);
    while ask(&*lmdb, secret("x")) != Ok(Outcome::Done) {}
    assert_eq!(lmdb.lag_octets(), 0);
    assert_eq!(mails(&*snapshot(&lmdb)).len(), 100);
    drop(lmdb);
    Lmdb::open(data.path(), options()).expect("what it was");
}
