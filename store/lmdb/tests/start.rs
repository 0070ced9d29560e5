//! A store at its start: after a crash, beside another server, on a directory that is not its own.

use ringpost_api::behaviour::{ask, sound};
use ringpost_api::write::{Deliver, Missing, Position, Target};
use ringpost_api::{Changed, Error, Feed, Outcome, Store, Write, read};
use ringpost_lmdb::{Lmdb, OpenError, Options};
use ringpost_log::file::{Blocking, now};
use ringpost_log::{Body, Log, Record, segment};
use ringpost_types::limit::Limits;
use ringpost_types::{AccountId, MailboxId, Uid};
use std::cell::RefCell;
use std::fs;
use std::future::Future;
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Waker};

const ACCOUNT: AccountId = AccountId(1);

fn options() -> Options {
    Options {
        map_octets: 64 * 1024 * 1024,
        ..Options::default()
    }
}

fn open(data: &Path) -> Arc<Lmdb> {
    Lmdb::open(data, options()).expect("a data directory")
}

/// A store with one account.
fn begin(data: &Path) -> Arc<Lmdb> {
    let lmdb = open(data);
    let create = Write::AccountCreate {
        name: "a@example.test".into(),
        secret: String::new(),
        scram: None,
    };
    assert_eq!(ask(&*lmdb, create), Ok(Outcome::Account(ACCOUNT)));
    lmdb
}

/// Appends `count` mails to log `log`; what the index would be told.
fn append(data: &Path, log: u16, end: Position, count: usize, digest: usize) -> Vec<Deliver> {
    let log_options = ringpost_log::Options {
        segment_octets: 256 * 1024,
        ..Default::default()
    };
    let (log, driver) =
        now(Log::open(Blocking, data, log, end, log_options)).expect("a scratch directory");
    let delivers = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&delivers);
    let mut driver = pin!(driver.run(move |write, _| match write {
        Write::Deliver(deliver) => seen.borrow_mut().push(deliver),
        other => panic!("{other:?}"),
    }));
    let mut context = Context::from_waker(Waker::noop());
    for number in 0..count {
        let target = Target {
            account: ACCOUNT,
            mailbox: MailboxId::INBOX,
            missing: Missing::Inbox,
            flags: 0,
            keywords: vec![],
            internal_date: number as u64,
            prefix: vec![],
        };
        let octets = format!("Subject: {number}\r\n\r\n").into_bytes();
        let record = Record {
            targets: vec![target],
            items: Vec::new(),
            digest: vec![7; digest],
            text: Vec::new(),
            body: Body::Whole(octets),
        };
        let _durable = log.append(record, None);
        for _ in 0..2 {
            assert!(driver.as_mut().poll(&mut context).is_pending());
        }
    }
    delivers.take()
}

/// INTERNALDATE of every message in INBOX, which is the number of its mail.
fn mails(lmdb: &Lmdb) -> Vec<u64> {
    sound(lmdb);
    let snapshot = lmdb.snapshot().expect("a snapshot");
    let mut dates = Vec::new();
    read::messages(&*snapshot, ACCOUNT, MailboxId::INBOX, Uid(0), |_, row| {
        dates.push(row.internal_date);
        ControlFlow::Continue(())
    })
    .expect("readable");
    dates
}

#[test]
fn what_a_log_holds_is_applied_once() {
    let data = tempfile::tempdir().expect("a scratch directory");
    drop(begin(data.path()));
    let delivers = append(data.path(), 0, Position::default(), 5, 10);
    let lmdb = open(data.path());
    assert_eq!(lmdb.replay().records, 5);
    assert_eq!(lmdb.log_end(0), delivers[4].next);
    assert_eq!(lmdb.log_end(1), Position::default());
    assert_eq!(mails(&lmdb), [0, 1, 2, 3, 4]);
    // Told again, of a record it has: nothing.
    for deliver in &delivers {
        assert_eq!(
            ask(&*lmdb, Write::Deliver(deliver.clone())),
            Ok(Outcome::Done)
        );
    }
    assert_eq!(mails(&lmdb), [0, 1, 2, 3, 4]);
    let end = lmdb.log_end(0);
    drop(lmdb);

    // Two of the next three were applied before the crash.
    let next = append(data.path(), 0, end, 3, 10);
    let lmdb = open(data.path());
    assert_eq!(lmdb.replay().records, 3);
    drop(lmdb);
    let lmdb = open(data.path());
    assert_eq!((lmdb.replay().records, lmdb.log_end(0)), (0, next[2].next));
    assert_eq!(mails(&lmdb), [0, 1, 2, 3, 4, 0, 1, 2]);
}

#[test]
fn a_part_that_was_applied_is_passed_over() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let lmdb = begin(data.path());
    let delivers = append(data.path(), 0, Position::default(), 6, 10);
    for deliver in &delivers[..4] {
        assert!(ask(&*lmdb, Write::Deliver(deliver.clone())).is_ok());
    }
    drop(lmdb);
    let lmdb = open(data.path());
    assert_eq!(lmdb.replay().records, 2);
    assert_eq!(mails(&lmdb), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn logs_of_shards_that_are_no_longer_run_are_replayed() {
    let data = tempfile::tempdir().expect("a scratch directory");
    drop(begin(data.path()));
    for log in [0, 3, 12] {
        append(data.path(), log, Position::default(), 2, 10);
    }
    let lmdb = open(data.path());
    assert_eq!((lmdb.replay().records, mails(&lmdb).len()), (6, 6));
}

#[test]
fn a_torn_tail_is_cut_and_the_log_goes_on() {
    let data = tempfile::tempdir().expect("a scratch directory");
    drop(begin(data.path()));
    let delivers = append(data.path(), 0, Position::default(), 3, 10);
    let path = segment::path(data.path(), 0, 1);
    let octets = fs::read(&path).expect("a segment");
    let torn = delivers[2].offset as usize + 3;
    fs::write(&path, &octets[..torn]).expect("writable");
    let cut = torn as u64 - delivers[1].next.offset;
    let lmdb = open(data.path());
    assert_eq!(mails(&lmdb), [0, 1]);
    assert_eq!(lmdb.log_end(0), delivers[1].next);
    assert_eq!(lmdb.replay().damages, []);
    assert_eq!(lmdb.replay().cut, [(0, cut)]);
    let end = lmdb.log_end(0);
    drop(lmdb);
    append(data.path(), 0, end, 1, 10);
    assert_eq!(mails(&open(data.path())), [0, 1, 0]);
}

#[test]
fn damage_is_told_and_the_rest_applied() {
    let data = tempfile::tempdir().expect("a scratch directory");
    drop(begin(data.path()));
    let delivers = append(data.path(), 0, Position::default(), 3, 10);
    let path = segment::path(data.path(), 0, 1);
    let mut octets = fs::read(&path).expect("a segment");
    octets[delivers[1].offset as usize] ^= 1;
    fs::write(&path, &octets).expect("writable");
    let lmdb = open(data.path());
    assert_eq!(mails(&lmdb), [0, 2]);
    let (log, damage) = lmdb.replay().damages[0];
    assert_eq!(
        (log, damage.segment, damage.offset),
        (0, 1, delivers[0].next.offset)
    );
}

/// A log that was lost goes on behind what the index has seen: no blob id is used again.
#[test]
fn a_lost_log_goes_on_behind_what_was_applied() {
    let data = tempfile::tempdir().expect("a scratch directory");
    drop(begin(data.path()));
    let delivers = append(data.path(), 0, Position::default(), 3, 10);
    drop(open(data.path()));
    fs::remove_dir_all(segment::directory(data.path(), 0)).expect("removable");
    let lmdb = open(data.path());
    let end = lmdb.log_end(0);
    assert_eq!(
        (end.segment, end.offset, end.sequence),
        (2, 0, delivers[2].next.sequence)
    );
    drop(lmdb);
    append(data.path(), 0, end, 1, 10);
    assert_eq!(mails(&open(data.path())).len(), 4);
}

#[test]
fn one_server_for_each_directory() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let first = open(data.path());
    match Lmdb::open(data.path(), options()).err() {
        Some(OpenError::Locked { path, pid }) => {
            assert_eq!(
                (path.as_path(), pid),
                (data.path(), Some(std::process::id()))
            );
        }
        other => panic!("{other:?}"),
    }
    drop(first);
    open(data.path());
}

#[test]
fn what_is_no_data_directory_is_told() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let file = data.path().join("file");
    fs::write(&file, "x").expect("writable");
    assert!(matches!(
        Lmdb::open(&file, options()).err(),
        Some(OpenError::Io { .. })
    ));
    fs::create_dir(data.path().join("index")).expect("writable");
    fs::write(data.path().join("index/data.mdb"), vec![1; 8192]).expect("writable");
    assert!(matches!(
        Lmdb::open(data.path(), options()).err(),
        Some(OpenError::Damaged { .. })
    ));
}

struct Heard(Mutex<mpsc::Sender<Vec<Changed>>>);

impl Feed for Heard {
    fn changed(&self, changes: &[Changed]) {
        let _ = self
            .0
            .lock()
            .expect("nobody panics with it")
            .send(changes.to_vec());
    }
}

#[test]
fn deliveries_nobody_waits_for_are_committed_and_told_together() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let lmdb = begin(data.path());
    let (sender, heard) = mpsc::channel();
    let feed: Arc<dyn Feed> = Arc::new(Heard(Mutex::new(sender)));
    lmdb.subscribe(Arc::downgrade(&feed));
    let delivers = append(data.path(), 0, Position::default(), 20, 10);
    for deliver in delivers {
        lmdb.submit(Write::Deliver(deliver), None);
    }
    while mails(&lmdb).len() < 20 {
        let changes = heard.recv().expect("the feed is subscribed");
        let mut places: Vec<_> = changes.iter().map(|c| (c.account, c.mailbox)).collect();
        places.dedup();
        assert_eq!(places.len(), changes.len(), "each mailbox once");
    }
    lmdb.close();
    assert_eq!(lmdb.lag_octets(), 0);
    let late = Write::ClaimRecent {
        account: ACCOUNT,
        mailbox: MailboxId::INBOX,
    };
    assert_eq!(ask(&*lmdb, late), Err(Error::Closed));
}

/// The limits it was opened with, and then those it was told.
#[test]
fn limits_are_in_force() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let limits = |mailboxes| Limits {
        account_mailboxes_max: mailboxes,
        ..Limits::default()
    };
    let limited = Options {
        limits: limits(7),
        ..options()
    };
    drop(begin(data.path()));
    let lmdb = Lmdb::open(data.path(), limited).expect("a data directory");
    let create = |name: &str| Write::MailboxCreate {
        account: ACCOUNT,
        name: name.into(),
        special: 0,
    };
    assert!(ask(&*lmdb, create("7th")).is_ok());
    assert_eq!(
        ask(&*lmdb, create("8th")),
        Err(Error::Limit("account_mailboxes_max"))
    );
    lmdb.set_limits(limits(8));
    assert!(ask(&*lmdb, create("8th")).is_ok());
}

/// A new index knows no account: it would let go of every mail that the logs have.
#[test]
fn logs_without_their_index_are_left_alone() {
    let data = tempfile::tempdir().expect("a scratch directory");
    drop(begin(data.path()));
    append(data.path(), 0, Position::default(), 3, 10);
    assert_eq!(mails(&open(data.path())), [0, 1, 2]);
    let (index, aside) = (data.path().join("index"), data.path().join("aside"));
    fs::rename(&index, &aside).expect("writable");
    // Also the second time, when an empty one is there.
    for _ in 0..2 {
        let opened = Lmdb::open(data.path(), options());
        assert!(matches!(opened, Err(OpenError::Damaged { .. })));
    }
    fs::remove_dir_all(&index).expect("removable");
    fs::rename(&aside, &index).expect("writable");
    assert_eq!(mails(&open(data.path())), [0, 1, 2]);
}

/// A first start that broke off, however far it came, is begun again; what it left is gone.
#[test]
fn a_first_start_that_broke_off_is_begun_again() {
    let whole = tempfile::tempdir().expect("a scratch directory");
    drop(open(whole.path()));
    let whole = fs::read(whole.path().join("index/data.mdb")).expect("an index");
    // What was left of the new file, and of the one in its place.
    let cases: [[Option<&[u8]>; 2]; 7] = [
        [None, None],
        [Some(&[]), None],
        [Some(&[0; 8_192]), None],
        [Some(&whole[..4_096]), None],
        [Some(&whole), None],
        [None, Some(&[])],
        [Some(&whole), Some(&whole)],
    ];
    for (number, [new, own]) in cases.into_iter().enumerate() {
        let data = tempfile::tempdir().expect("a scratch directory");
        let (index, beside) = (data.path().join("index"), data.path().join("index/new"));
        fs::create_dir_all(&beside).expect("a scratch directory");
        for (folder, octets) in [(&beside, new), (&index, own)] {
            if let Some(octets) = octets {
                fs::write(folder.join("data.mdb"), octets).expect("a scratch directory");
            }
        }
        drop(begin(data.path()));
        assert!(!beside.exists(), "case {number}");
        let lmdb = open(data.path());
        let row = read::account(&*lmdb.snapshot().expect("a snapshot"), ACCOUNT)
            .expect("readable")
            .is_some();
        assert!(row, "case {number}");
    }
}
