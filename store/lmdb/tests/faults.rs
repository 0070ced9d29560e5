//! A disk that is full or fails while the index commits: nothing that was accepted is lost, everyone is told, and when the
//! disk is well again the store is, without a restart.

#[path = "faults/disk.rs"]
mod disk;
mod fixture;

use disk::Place;
use fixture::{ACCOUNT, begin, deliver, mails, options, secret, snapshot};
use libc::{EDQUOT, EFBIG, EIO, ENOSPC};
use ringpost_api::behaviour::{ask, sound};
use ringpost_api::{Answer, Changed, Error, Feed, Outcome, ReplyTo, Sink, Store, Write, read};
use ringpost_lmdb::health::{Reason, State};
use ringpost_lmdb::{Lmdb, Options};
use ringpost_types::MailboxId;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

/// There is one disk.
static DISK: Mutex<()> = Mutex::new(());
static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn alone() -> MutexGuard<'static, ()> {
    let alone = DISK.lock().unwrap_or_else(PoisonError::into_inner);
    disk::mend();
    HEARD.lock().expect("no panic").clear();
    alone
}

fn heard() -> Vec<String> {
    std::mem::take(&mut *HEARD.lock().expect("no panic"))
}

fn listening() -> Options {
    Options {
        alarm: |line| HEARD.lock().expect("no panic").push(line.to_owned()),
        ..options()
    }
}

/// What the last commit before a fault says.
fn told_secret(lmdb: &Lmdb) -> String {
    let snapshot = snapshot(lmdb);
    let row = read::account(&*snapshot, ACCOUNT).expect("readable");
    row.expect("the account").secret.to_owned()
}

/// Hands a write over; where its answer will come.
fn submit(lmdb: &Lmdb, write: Write) -> mpsc::Receiver<Result<Outcome, Error>> {
    let (sender, answers) = mpsc::channel();
    let sink = Arc::new(Told(Mutex::new(sender)));
    lmdb.submit(write, Some(ReplyTo { sink, token: 0 }));
    answers
}

/// Passes on what the writer tells.
struct Told<T>(Mutex<mpsc::Sender<T>>);

impl Sink for Told<Result<Outcome, Error>> {
    fn complete(&self, answers: Vec<Answer>) {
        for (_, outcome) in answers {
            let _ = self.0.lock().expect("no panic").send(outcome);
        }
    }
}

impl Feed for Told<Vec<Changed>> {
    fn changed(&self, changes: &[Changed]) {
        let _ = self.0.lock().expect("no panic").send(changes.to_vec());
    }
}

/// What fails, how, and whether it counts as a full disk.
const CASES: &[(Place, i32, bool)] = &[
    (Place::Pages, ENOSPC, true),
    (Place::Pages, EDQUOT, true),
    (Place::Pages, EFBIG, true),
    (Place::Pages, EIO, false),
    (Place::Half, 0, false),
    (Place::Sync, EIO, false),
    (Place::Sync, ENOSPC, true),
    (Place::Meta, ENOSPC, true),
    (Place::Meta, EIO, false),
    (Place::MetaAfter, EIO, false),
    (Place::MetaAfter, ENOSPC, true),
];

#[test]
fn a_fault_is_told_survived_and_forgotten() {
    let _alone = alone();
    for &(place, errno, is_full) in CASES {
        let case = format!("{place:?} {errno}");
        let data = tempfile::tempdir().expect("a scratch directory");
        let lmdb = begin(data.path(), listening());
        for number in 0..3 {
            assert!(ask(&*lmdb, deliver(number, 500)).is_ok(), "{case}");
        }
        assert_eq!(ask(&*lmdb, secret("before")), Ok(Outcome::Done), "{case}");

        disk::fail(place, errno);
        for number in 3..60 {
            lmdb.submit(deliver(number, 500), None);
        }
        for word in ["at once", "and again"] {
            match ask(&*lmdb, secret(word)) {
                Err(Error::Full) => {}
                Err(Error::Io(_)) => {
                    assert!(!is_full || lmdb.health().commits_failed > 1, "{case}")
                }
                other => panic!("{case}: {other:?}"),
            }
        }
        let health = lmdb.health();
        let State::Degraded(reason) = &health.state else {
            panic!("{case}: well");
        };
        assert!(
            is_full || matches!(reason, Reason::Failing(_)),
            "{case}: {reason}"
        );
        assert!(
            health.commits_failed >= 2 && health.lag_octets > 57 * 1_000,
            "{case}"
        );
        assert!(lmdb.accepts().is_err(), "{case}: new mail is refused");
        if place != Place::MetaAfter {
            assert_eq!(mails(&*snapshot(&lmdb)), [0, 1, 2], "{case}: as it was");
            assert_eq!(told_secret(&lmdb), "before", "{case}");
        }

        disk::mend();
        assert_eq!(ask(&*lmdb, secret("after")), Ok(Outcome::Done), "{case}");
        let (all, state) = ((0..60).collect::<Vec<u64>>(), lmdb.health().state);
        assert_eq!(
            (mails(&*snapshot(&lmdb)), state),
            (all.clone(), State::Well),
            "{case}"
        );
        assert_eq!((lmdb.accepts(), lmdb.lag_octets()), (Ok(()), 0), "{case}");
        sound(&*lmdb);
        let heard = heard();
        assert_eq!(
            heard.last().map(String::as_str),
            Some("index: commits again"),
            "{case}"
        );
        assert!(
            heard.len() <= 4,
            "{case}: told once for each kind: {heard:?}"
        );

        drop(lmdb);
        let lmdb = Lmdb::open(data.path(), options()).expect("what it was");
        assert_eq!(mails(&*snapshot(&lmdb)), all, "{case}");
        assert_eq!(told_secret(&lmdb), "after", "{case}");
    }
}

/// LMDB gives the environment up when its meta page cannot be written. Whoever looks meanwhile sees what he saw; only when he
/// is done can it be opened again.
#[test]
fn who_looks_keeps_what_he_sees() {
    let _alone = alone();
    let data = tempfile::tempdir().expect("a scratch directory");
    let lmdb = begin(data.path(), options());
    assert!(ask(&*lmdb, deliver(0, 500)).is_ok());
    let old = lmdb.snapshot().expect("a snapshot");
    disk::fail(Place::Meta, EIO);
    let answers = submit(&lmdb, deliver(1, 500));
    assert!(matches!(ask(&*lmdb, secret("w")), Err(Error::Io(_))));
    disk::mend();
    let refused = ask(&*lmdb, secret("x"));
    assert!(
        matches!(&refused, Err(Error::Io(why)) if why.contains("1 snapshots")),
        "{refused:?}"
    );
    assert!(matches!(lmdb.snapshot(), Err(Error::Io(_))));
    assert_eq!(mails(&*old), [0]);
    assert!(answers.try_recv().is_err(), "it is kept, and not refused");
    drop(old);
    assert_eq!(ask(&*lmdb, secret("x")), Ok(Outcome::Done));
    assert!(matches!(answers.recv(), Ok(Ok(Outcome::Delivered(_)))));
    assert_eq!(mails(&*snapshot(&lmdb)), [0, 1]);
    assert_eq!(lmdb.health().state, State::Well);
}

/// A commit may be told as failed and stand all the same: who waits for a mail hears of it then, and so does who waits for
/// changes.
#[test]
fn a_mail_of_a_commit_that_stands_against_its_word_is_told_of() {
    let _alone = alone();
    let data = tempfile::tempdir().expect("a scratch directory");
    let lmdb = begin(data.path(), options());
    let (sender, changes) = mpsc::channel();
    let feed: Arc<dyn Feed> = Arc::new(Told(Mutex::new(sender)));
    lmdb.subscribe(Arc::downgrade(&feed));
    disk::fail(Place::MetaAfter, EIO);
    let answers = submit(&lmdb, deliver(0, 500));
    while lmdb.health().commits_failed == 0 {
        std::thread::yield_now();
    }
    disk::mend();
    assert_eq!(mails(&*snapshot(&lmdb)), [0], "it stands");
    assert_eq!(answers.recv(), Ok(Ok(Outcome::Done)));
    // The writer has done with all of that commit when it answers the next.
    assert_eq!(ask(&*lmdb, secret("x")), Ok(Outcome::Done));
    let changed = changes.try_recv().expect("it was told of");
    let snapshot = snapshot(&lmdb);
    let row = read::mailbox(&*snapshot, ACCOUNT, MailboxId::INBOX).expect("readable");
    let expected = Changed {
        account: ACCOUNT,
        mailbox: MailboxId::INBOX,
        modseq: row.expect("INBOX").highest_modseq,
    };
    assert_eq!(changed, [expected]);
}

/// The end comes while the disk is full: what is in the logs is kept for the next start.
#[test]
fn a_store_on_a_full_disk_can_be_closed() {
    let _alone = alone();
    let data = tempfile::tempdir().expect("a scratch directory");
    let lmdb = begin(data.path(), options());
    disk::fail(Place::Pages, ENOSPC);
    let answers = submit(&lmdb, deliver(0, 500));
    lmdb.close();
    assert_eq!(answers.recv(), Ok(Err(Error::Closed)));
    assert_eq!(ask(&*lmdb, secret("x")), Err(Error::Closed));
    drop(lmdb);
    disk::mend();
    let lmdb = Lmdb::open(data.path(), options()).expect("what it was");
    assert!(mails(&*snapshot(&lmdb)).is_empty());
    assert!(ask(&*lmdb, deliver(0, 500)).is_ok());
    assert_eq!(mails(&*snapshot(&lmdb)), [0]);
}
