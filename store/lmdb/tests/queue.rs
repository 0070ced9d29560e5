//! What waits for the writer: nothing is lost, forgotten or answered twice, whoever submits and whenever the store closes.

mod fixture;

use fixture::{ACCOUNT, begin, deliver, mails, options, secret, snapshot};
use ringpost_api::behaviour::ask;
use ringpost_api::{Answer, Error, Outcome, ReplyTo, Sink, Store, Write, read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};

/// A writer that sleeps is woken by a mail nobody waits for, each time.
#[test]
fn one_mail_is_enough() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let lmdb = begin(data.path(), options());
    for number in 0..200 {
        lmdb.submit(deliver(number, 10), None);
        while lmdb.lag_octets() > 0 {
            std::thread::yield_now();
        }
        assert_eq!(mails(&*snapshot(&lmdb)).len() as u64, number + 1);
    }
}

/// Answers in the order of tokens, each once.
#[derive(Default)]
struct Ledger(Mutex<Vec<Answer>>);

impl Sink for Ledger {
    fn complete(&self, answers: Vec<Answer>) {
        self.0.lock().expect("no panic").extend(answers);
    }
}

#[test]
fn each_thread_is_answered_in_its_order() {
    const WRITES: u64 = 300;
    let data = tempfile::tempdir().expect("a scratch directory");
    let lmdb = begin(data.path(), options());
    let ledgers: Vec<Arc<Ledger>> = (0..6).map(|_| Arc::default()).collect();
    std::thread::scope(|scope| {
        for ledger in &ledgers {
            scope.spawn(|| {
                for token in 0..WRITES {
                    let sink = Arc::clone(ledger) as Arc<dyn Sink>;
                    lmdb.submit(secret("x"), Some(ReplyTo { sink, token }));
                }
            });
        }
    });
    lmdb.close();
    for ledger in &ledgers {
        let answers = ledger.0.lock().expect("no panic");
        let expected = (0..WRITES).map(|token| (token, Ok(Outcome::Done)));
        assert!(answers.iter().cloned().eq(expected));
    }
    assert!(lmdb.health().commits < 6 * WRITES, "in company");
}

/// Whoever submits while the store closes is told what came of it, and it is what came of it.
#[test]
fn a_store_that_closes_answers_everyone() {
    for _ in 0..20 {
        let data = tempfile::tempdir().expect("a scratch directory");
        let lmdb = begin(data.path(), options());
        let (begun, created) = (Barrier::new(5), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (begun, created, lmdb) = (&begun, &created, &lmdb);
                scope.spawn(move || {
                    begun.wait();
                    for number in 0..50 {
                        let create = Write::MailboxCreate {
                            account: ACCOUNT,
                            name: format!("{thread}-{number}"),
                            special: 0,
                        };
                        match ask(&**lmdb, create) {
                            Ok(Outcome::Mailbox(_)) => created.fetch_add(1, Ordering::SeqCst),
                            Err(Error::Closed) => return,
                            other => panic!("{other:?}"),
                        };
                    }
                });
            }
            begun.wait();
            lmdb.submit(deliver(0, 10), None);
            lmdb.close();
        });
        assert_eq!(lmdb.lag_octets(), 0);
        let snapshot = snapshot(&lmdb);
        let account = read::account(&*snapshot, ACCOUNT).expect("readable");
        let mailboxes = account.expect("the account").mailboxes;
        assert_eq!(u64::from(mailboxes) - 6, created.load(Ordering::SeqCst));
        assert_eq!(mails(&*snapshot), [0], "what came before the close");
    }
}
