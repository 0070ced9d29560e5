//! Backups: what comes back is what was there, generation by generation; damage is found; a run that ends early harms nothing.

use ringpost_api::behaviour::{Dump, ask, dump};
use ringpost_api::table::flag;
use ringpost_api::write::{FlagChange, Missing, StoreFlags, Target};
use ringpost_api::{Outcome, Store, Write, read, verify};
use ringpost_lmdb::backup::{self, BackupError};
use ringpost_lmdb::{Lmdb, Options};
use ringpost_log::file::{Blocking, now};
use ringpost_log::{Body, Log, Reader, Record};
use ringpost_types::{AccountId, MailboxId, Uid};
use std::cell::RefCell;
use std::fs::{self, File};
use std::future::Future;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};

const ACCOUNT: AccountId = AccountId(1);

fn open(data: &Path) -> Arc<Lmdb> {
    let options = Options {
        map_octets: 64 << 20,
        ..Options::default()
    };
    Lmdb::open(data, options).expect("a data directory")
}

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

/// Delivers mails of these sizes by log 0 and waits until they are in the index.
fn deliver(lmdb: &Lmdb, data: &Path, sizes: &[usize]) {
    let snapshot = lmdb.snapshot().expect("a snapshot");
    let end = read::applied(&*snapshot, 0).expect("readable");
    drop(snapshot);
    let options = ringpost_log::Options {
        segment_octets: 64 * 1024,
        ..Default::default()
    };
    let opened = now(Log::open(Blocking, data, 0, end, options));
    let (log, driver) = opened.expect("a scratch directory");
    let delivers: Rc<RefCell<Vec<Write>>> = Rc::default();
    let seen = Rc::clone(&delivers);
    let mut driver = pin!(driver.run(move |write, _| seen.borrow_mut().push(write)));
    let mut context = Context::from_waker(Waker::noop());
    for (number, &size) in sizes.iter().enumerate() {
        let target = Target {
            account: ACCOUNT,
            mailbox: MailboxId::INBOX,
            missing: Missing::Inbox,
            flags: 0,
            keywords: vec![],
            internal_date: number as u64,
            prefix: vec![],
        };
        let mut mail = format!("Subject: {number}\r\n\r\n").into_bytes();
        mail.extend((0..size).map(|at| b'a' + (at * 7 + number) as u8 % 26));
        let record = Record {
            targets: vec![target],
            items: Vec::new(),
            digest: vec![7; 20],
            text: vec![8; 30],
            body: Body::Whole(mail),
        };
        let _durable = log.append(record, None);
        for _ in 0..4 {
            assert!(driver.as_mut().poll(&mut context).is_pending());
        }
    }
    assert_eq!(delivers.borrow().len(), sizes.len());
    for found in delivers.take() {
        assert!(ask(lmdb, found).is_ok());
    }
}

fn store(uids: &[u32], flags: u32) -> Write {
    Write::Store(StoreFlags {
        account: ACCOUNT,
        mailbox: MailboxId::INBOX,
        uids: uids.iter().copied().map(Uid).collect(),
        change: FlagChange::Add,
        flags,
        keywords: vec![],
        unchanged_since: None,
    })
}

/// Every row, and the octets of every mail.
type Contents = (Dump, Vec<Vec<u8>>);

fn contents(lmdb: &Lmdb, data: &Path) -> Contents {
    let snapshot = lmdb.snapshot().expect("a snapshot");
    let checked = verify::check(&*snapshot, &mut |found| panic!("{found:?}"));
    checked.expect("readable");
    let reader = Reader::new(Blocking, data);
    let mut mails = Vec::new();
    read::messages(&*snapshot, ACCOUNT, MailboxId::INBOX, Uid(0), |_, row| {
        let blob = read::blob(&*snapshot, row.blob)
            .expect("readable")
            .expect("there");
        mails.push(now(reader.whole(&blob)).expect("whole"));
        ControlFlow::Continue(())
    })
    .expect("readable");
    (dump(&*snapshot), mails)
}

fn take(lmdb: &Lmdb, data: &Path, to: &Path) -> backup::take::Taken {
    let files = [("ringpost.toml".to_owned(), data.join("lock"))];
    backup::take(lmdb, data, to, 1_700_000_000, &files, &mut |_, _| {
        ControlFlow::Continue(())
    })
    .expect("a generation")
}

fn restored(from: &Path, generation: u32, scratch: &Path) -> Contents {
    let data = scratch.join(format!("restored-{generation}"));
    backup::restore(from, Some(generation), &data, &mut |_, _| {
        ControlFlow::Continue(())
    })
    .expect("restored");
    let lmdb = open(&data);
    assert_eq!(
        lmdb.replay().records,
        0,
        "a generation ends where its index does"
    );
    let found = contents(&lmdb, &data);
    lmdb.close();
    found
}

#[test]
fn every_generation_comes_back() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let (data, to) = (scratch.path().join("data"), scratch.path().join("backup"));
    let lmdb = begin(&data);
    deliver(&lmdb, &data, &[100, 30_000, 40_000, 2_000, 50_000]);
    let first = contents(&lmdb, &data);
    let one = take(&lmdb, &data, &to);
    assert_eq!((one.generation, one.octets), (1, one.new_octets));

    // Nothing happened: next to nothing is new.
    let two = take(&lmdb, &data, &to);
    assert!(two.new_octets < 1_000, "{two:?}");

    assert!(ask(&*lmdb, store(&[2, 3], flag::DELETED | flag::SEEN)).is_ok());
    let expunge = Write::Expunge {
        account: ACCOUNT,
        mailbox: MailboxId::INBOX,
        uids: None,
    };
    assert!(ask(&*lmdb, expunge).is_ok());
    deliver(&lmdb, &data, &[60_000, 10, 20, 30_000]);
    let third = contents(&lmdb, &data);
    let three = take(&lmdb, &data, &to);
    assert!(three.new_octets < three.octets, "{three:?}");

    assert_eq!(backup::generations(&to).expect("readable"), [1, 2, 3]);
    for generation in [None, Some(1), Some(2), Some(3)] {
        let found = backup::verify(&to, generation, &mut |_, _| ControlFlow::Continue(()));
        assert!(found.expect("readable").is_empty(), "{generation:?}");
    }
    assert_eq!(restored(&to, 1, scratch.path()), first);
    assert_eq!(restored(&to, 2, scratch.path()), first);
    assert_eq!(restored(&to, 3, scratch.path()), third);

    // A restored store goes on as any other.
    let data = scratch.path().join("restored-1");
    let lmdb = open(&data);
    deliver(&lmdb, &data, &[77]);
    assert_eq!(contents(&lmdb, &data).1.len(), first.1.len() + 1);
}

/// A generation is looked into without bringing it back, whatever became of its mails since.
#[test]
fn a_look_into_the_past() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let (data, to) = (scratch.path().join("data"), scratch.path().join("backup"));
    let lmdb = begin(&data);
    deliver(&lmdb, &data, &[100, 70_000]);
    let (_, mails) = contents(&lmdb, &data);
    take(&lmdb, &data, &to);
    assert!(ask(&*lmdb, store(&[1, 2], flag::DELETED)).is_ok());
    take(&lmdb, &data, &to);

    for (generation, flags) in [
        (Some(1), 0),
        (Some(2), flag::DELETED),
        (None, flag::DELETED),
    ] {
        let place = tempfile::tempdir().expect("a scratch directory");
        let past = backup::Past::open(&to, generation, place.path()).expect("a generation");
        let rows = past.snapshot().expect("a snapshot");
        let mut seen = Vec::new();
        read::messages(&*rows, ACCOUNT, MailboxId::INBOX, Uid(0), |_, row| {
            assert_eq!(row.flags, flags);
            let blob = read::blob(&*rows, row.blob)
                .expect("readable")
                .expect("there");
            seen.push(past.mail(&blob).expect("whole"));
            ControlFlow::Continue(())
        })
        .expect("readable");
        assert_eq!(seen, mails);
    }
}

/// A mail that is durable and not yet in the index is not in the generation; what is in the index is, whole.
#[test]
fn a_log_is_taken_as_far_as_the_index_has_it() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let (data, to) = (scratch.path().join("data"), scratch.path().join("backup"));
    let lmdb = begin(&data);
    deliver(&lmdb, &data, &[1_000, 2_000]);
    let before = contents(&lmdb, &data);
    let end = lmdb.snapshot().map(|snapshot| read::applied(&*snapshot, 0));
    let end = end.expect("a snapshot").expect("readable");
    let segment = ringpost_log::segment::path(&data, 0, end.segment);
    let file = File::options().write(true).open(segment).expect("there");
    file.write_all_at(&[0xee; 5_000], end.offset)
        .expect("written");
    take(&lmdb, &data, &to);
    assert_eq!(restored(&to, 1, scratch.path()), before);
}

#[test]
fn damage_is_found_and_not_brought_back() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let (data, to) = (scratch.path().join("data"), scratch.path().join("backup"));
    let lmdb = begin(&data);
    deliver(&lmdb, &data, &[1_000, 2_000]);
    take(&lmdb, &data, &to);
    let generation = to.join("generation-000001");
    let places = [
        (ringpost_log::segment::path(&to, 0, 1), 500),
        (generation.join("index.pages"), 9_000),
        (generation.join("index.map"), 12),
        (generation.join("files/ringpost.toml"), 0),
    ];
    for (number, (path, offset)) in places.iter().enumerate() {
        let file = File::options()
            .read(true)
            .write(true)
            .open(path)
            .expect("there");
        let mut octet = [0];
        file.read_exact_at(&mut octet, *offset)
            .expect("as long as that");
        file.write_all_at(&[octet[0] ^ 1], *offset)
            .expect("written");
        let found = backup::verify(&to, None, &mut |_, _| ControlFlow::Continue(()));
        let found = found.expect("readable");
        assert!(
            matches!(&found[..], [BackupError::Damaged(where_, _)] if where_ == path),
            "{found:?}"
        );
        if number < 3 {
            let data = scratch.path().join(format!("damaged-{number}"));
            let back = backup::restore(&to, None, &data, &mut |_, _| ControlFlow::Continue(()));
            assert!(matches!(back, Err(BackupError::Damaged(..))), "{back:?}");
        }
        file.write_all_at(&octet, *offset).expect("written");
    }
}

/// Ended after any number of steps, as by kill -9: the generations before are whole, and the next run is too.
#[test]
fn a_run_that_ends_early_harms_nothing() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let (data, to) = (scratch.path().join("data"), scratch.path().join("backup"));
    let lmdb = begin(&data);
    deliver(&lmdb, &data, &[1_000, 200_000]);
    let first = contents(&lmdb, &data);
    take(&lmdb, &data, &to);
    deliver(&lmdb, &data, &[3_000, 100_000, 5]);
    for steps in 0.. {
        let mut left = steps;
        let taken = backup::take(&lmdb, &data, &to, 1, &[], &mut |_, _| {
            left -= 1;
            match left < 0 {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        match taken {
            Err(BackupError::Ended) => {
                assert_eq!(backup::generations(&to).expect("readable"), [1]);
            }
            taken => {
                assert_eq!(taken.expect("a generation").generation, 2);
                break;
            }
        }
    }
    assert_eq!(restored(&to, 1, scratch.path()), first);
    assert_eq!(restored(&to, 2, scratch.path()), contents(&lmdb, &data));
}

#[test]
fn what_does_not_fit_is_refused() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let (data, to) = (scratch.path().join("data"), scratch.path().join("backup"));
    let lmdb = begin(&data);
    deliver(&lmdb, &data, &[1_000]);
    let nothing = backup::manifest(&to, None);
    assert!(matches!(nothing, Err(BackupError::NoGeneration(_))));
    take(&lmdb, &data, &to);
    assert!(matches!(
        backup::manifest(&to, Some(2)),
        Err(BackupError::NoGeneration(_))
    ));

    let other = scratch.path().join("other");
    let foreign = begin(&other);
    deliver(&foreign, &other, &[1_000, 5]);
    let taken = backup::take(&foreign, &other, &to, 1, &[], &mut |_, _| {
        ControlFlow::Continue(())
    });
    assert!(matches!(taken, Err(BackupError::Foreign(_))), "{taken:?}");

    let back = backup::restore(&to, None, &data, &mut |_, _| ControlFlow::Continue(()));
    assert!(matches!(back, Err(BackupError::NotEmpty(_))), "{back:?}");

    let manifest = to.join("generation-000001/manifest.json");
    let text = fs::read_to_string(&manifest).expect("there");
    fs::write(&manifest, text.replace("\"format\": 1", "\"format\": 2")).expect("written");
    assert!(matches!(
        backup::manifest(&to, None),
        Err(BackupError::Newer(_))
    ));
}

/// A store that was restored and went on is another one than that which went on without it: their segments begin alike.
#[test]
fn a_restored_store_is_not_taken_for_the_one_before() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let (data, to) = (scratch.path().join("data"), scratch.path().join("backup"));
    let lmdb = begin(&data);
    deliver(&lmdb, &data, &[1_000, 2_000]);
    take(&lmdb, &data, &to);
    deliver(&lmdb, &data, &[3_000, 1_000]);
    take(&lmdb, &data, &to);
    let second = contents(&lmdb, &data);
    // As long as what was there, longer, shorter.
    let others: [&[usize]; 3] = [&[1_000, 3_000], &[500, 3_000, 1_000, 7], &[5]];
    for (number, sizes) in others.into_iter().enumerate() {
        let back = scratch.path().join(format!("back-{number}"));
        let restored = backup::restore(&to, Some(1), &back, &mut |_, _| ControlFlow::Continue(()));
        assert!(restored.is_ok());
        let other = open(&back);
        deliver(&other, &back, sizes);
        let taken = backup::take(&other, &back, &to, 1, &[], &mut |_, _| {
            ControlFlow::Continue(())
        });
        assert!(matches!(taken, Err(BackupError::Foreign(_))), "{taken:?}");
    }
    assert_eq!(self::restored(&to, 2, scratch.path()), second);
}

/// A segment is taken before what was reserved of it and not used is cut off, and after.
#[test]
fn a_segment_that_is_cut_later_is_the_same() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let (data, to) = (scratch.path().join("data"), scratch.path().join("backup"));
    let lmdb = begin(&data);
    // Two segments, of which the first is closed.
    deliver(&lmdb, &data, &[40_000, 40_000]);
    let path = ringpost_log::segment::path(&data, 0, 1);
    let file = File::options().write(true).open(path).expect("there");
    let octets = file.metadata().expect("there").len();
    file.set_len(octets + 20_000).expect("writable");
    take(&lmdb, &data, &to);
    file.set_len(octets).expect("writable");
    take(&lmdb, &data, &to);
    for generation in [1, 2] {
        assert_eq!(
            restored(&to, generation, scratch.path()),
            contents(&lmdb, &data)
        );
    }
}
