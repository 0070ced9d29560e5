//! What every backend must do, as tests that any of them runs: `cases::ALL` one by one, random writes from `script`
//! compared with `model`, and [`sound`], which counts what counters say.
//!
//! Only with feature `behaviour`, for tests. A function here panics where a store is wrong.

pub mod cases;
pub mod client;
pub mod model;
pub mod script;

use crate::verify;
use crate::{Answer, Changed, Error, Feed, Outcome, ReplyTo, Sink, Snapshot, Store, Table, Write};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

/// The time of every write in a test.
pub const NOW: u64 = 1_800_000_000;

/// Octets of all tables.
pub type Dump = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

struct Waiter(Mutex<mpsc::Sender<Answer>>);

impl Sink for Waiter {
    fn complete(&self, answers: Vec<Answer>) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for answer in answers {
            sender.send(answer).expect("the asker waits");
        }
    }
}

/// Submits a write and waits for its answer.
pub fn ask(store: &dyn Store, write: Write) -> Result<Outcome, Error> {
    let mut outcomes = ask_all(store, vec![write]);
    outcomes.pop().expect("one for each write")
}

/// Submits writes one behind the other and then waits for all answers: a store may put them into one commit.
pub fn ask_all(store: &dyn Store, writes: Vec<Write>) -> Vec<Result<Outcome, Error>> {
    let (sender, answers) = mpsc::channel();
    let sink: Arc<dyn Sink> = Arc::new(Waiter(Mutex::new(sender)));
    let count = writes.len();
    for (token, write) in (0..).zip(writes) {
        let sink = Arc::clone(&sink);
        store.submit(write, Some(ReplyTo { sink, token }));
    }
    let answers = (0..count).map(|_| answers.recv().expect("every write is answered"));
    let answers: BTreeMap<u64, _> = answers.collect();
    assert_eq!(answers.len(), count, "each once");
    answers.into_values().collect()
}

/// All rows of a snapshot.
pub fn dump(snapshot: &dyn Snapshot) -> Dump {
    let mut dump = Dump::new();
    for table in Table::ALL {
        let mut keys = Vec::new();
        let scan = snapshot.scan(table, &[], &[], &mut |key, value| {
            keys.push(key.to_vec());
            dump.insert((table, key.to_vec()), value.to_vec());
            ControlFlow::Continue(())
        });
        scan.expect("a table can be scanned");
        assert!(keys.is_sorted(), "table {} in key order", table.name());
    }
    dump
}

/// The tables of a store as they are now.
pub fn tables(store: &dyn Store) -> Dump {
    dump(&*store.snapshot().expect("a snapshot"))
}

/// Hears what a store tells its feeds.
#[derive(Default)]
pub struct Heard(Mutex<Vec<Changed>>);

impl Feed for Heard {
    fn changed(&self, changes: &[Changed]) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.extend_from_slice(changes);
    }
}

impl Heard {
    /// Begins to listen. A store may tell of a commit after it has answered.
    pub fn of(store: &dyn Store) -> Arc<Self> {
        let heard = Arc::new(Heard::default());
        let feed: Arc<dyn Feed> = heard.clone();
        store.subscribe(Arc::downgrade(&feed));
        heard
    }

    /// What it heard so far.
    pub fn all(&self) -> Vec<Changed> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.clone()
    }
}

/// Panics where a counter, a reference or a name is not what counting gives.
pub fn sound(store: &dyn Store) {
    let mut findings = Vec::new();
    let snapshot = store.snapshot().expect("a snapshot");
    let checked = verify::check(&*snapshot, &mut |finding| {
        findings.push(finding.to_string())
    });
    assert!(checked.is_ok() && findings.is_empty(), "{findings:#?}");
}
