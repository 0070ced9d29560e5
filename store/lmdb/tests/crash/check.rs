//! What a store that is found after a power loss must hold, and that it holds nothing else.
//!
//! In:  the [`Story`], what was promised before the loss, the directory that was found.
//! Out: nothing; it panics where a promise is not kept.
//!
//! The index as it is found must be the one after some first few of the writes, all that was answered among them:
//! a commit is there wholly or not at all. What its logs hold beyond that must be records that were appended, all that
//! were answered among them. And what the store makes of both must be, row for row, what the model makes of them.
//! Where a tidier was at work, only rows that a client sees are compared: where mails lie is its own affair, as
//! long as they are there and the store finds nothing wrong with itself.

use crate::mail;
use crate::story::{self, Cast, LOGS, Shard, Story};
use crate::trace::Mark;
use ringpost_api::behaviour::{Dump, ask, model::Model, sound, tables};
use ringpost_api::write::{Deliver, Position};
use ringpost_api::{Outcome, Store, Table, Write, read};
use ringpost_lmdb::Lmdb;
use ringpost_lmdb::verify::{Depth, verify};
use ringpost_log::file::{Blocking, now};
use ringpost_log::recover::{Found, Recovery};
use ringpost_log::{Entry, Reader, segment};
use ringpost_types::{AccountId, BlobId};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;

/// What was promised up to a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promised {
    /// Mails that are durable.
    mails: BTreeSet<u64>,
    /// How many writes the index must hold at least.
    writes: usize,
}

impl Promised {
    pub fn add(&mut self, mark: Mark) {
        match mark {
            Mark::Durable(number) => _ = self.mails.insert(number),
            Mark::Answered(at) => self.writes = self.writes.max(at + 1),
        }
    }
}

/// An index by what made it: so many writes, and what was replayed besides.
type State = (usize, Vec<BlobId>);

/// A story, prepared for many checks.
pub struct Checker<'s> {
    story: &'s Story,
    /// Each delivery, with its place among the writes.
    delivers: BTreeMap<BlobId, (usize, &'s Deliver)>,
    /// What makes an index that looks like this; of several, the one of the most writes.
    states: RefCell<BTreeMap<u64, State>>,
    /// Their tables.
    expected: RefCell<BTreeMap<State, Rc<Dump>>>,
}

impl<'s> Checker<'s> {
    pub fn new(story: &'s Story) -> Self {
        let model = Model::default();
        let mut delivers = BTreeMap::new();
        let look = || hash(&compared(tables(&model), story.cast));
        let mut states = BTreeMap::from([(look(), (0, Vec::new()))]);
        for (at, write) in story.writes.iter().enumerate() {
            if let Write::Deliver(deliver) = write {
                delivers.insert(deliver.blob, (at, deliver));
            }
            let _ = ask(&model, write.clone());
            states.insert(look(), (at + 1, Vec::new()));
        }
        Checker {
            story,
            delivers,
            states: RefCell::new(states),
            expected: RefCell::default(),
        }
    }

    /// Opens what was found in `data` and looks at all of it.
    pub fn check(&self, promised: &Promised, data: &Path) {
        let (writes, mut records, applied) = self.index(data);
        assert!(
            writes >= promised.writes,
            "the index holds {writes} writes of {} that were answered",
            promised.writes
        );
        let lmdb = open(data);
        records.extend(self.records(data, &applied));
        for (number, blob) in self.story.mails.iter().map(|(blob, number)| (number, blob)) {
            let in_index = self.delivers.get(blob).is_some_and(|(at, _)| *at < writes);
            assert!(
                in_index || records.contains(blob) || !promised.mails.contains(number),
                "mail {number} was durable and is gone"
            );
        }
        let found = self.tables(&lmdb);
        assert!(
            found == *self.expected(writes, &records),
            "after {writes} writes and {records:?} the tables are others"
        );
        self.mails(&lmdb, data);
        drop(lmdb);
        let again = open(data);
        assert_eq!(again.replay().records, 0, "opening again replays nothing");
        assert!(
            found == self.tables(&again),
            "opening again changes nothing"
        );
        if self.story.cast == Cast::Tidied {
            let mut tidier = story::tidier(&again);
            for _ in 0..3 {
                tidier.round().expect("nothing is in its way");
            }
            assert!(found == self.tables(&again), "a tidier loses nothing");
            self.mails(&again, data);
        }
        go_on(again, data);
    }

    /// How many writes the index holds by itself, what was replayed into it, and how far it has applied each log.
    fn index(&self, data: &Path) -> (usize, Vec<BlobId>, BTreeMap<u16, Position>) {
        let bare = tempfile::tempdir_in(data).expect("a scratch directory");
        let (inside, beside) = (data.join("index"), bare.path().join("index"));
        if !inside.exists() {
            return (0, Vec::new(), BTreeMap::new());
        }
        fs::rename(&inside, &beside).expect("a scratch directory");
        let lmdb = open(bare.path());
        let dump = self.tables(&lmdb);
        let snapshot = lmdb.snapshot().expect("a snapshot");
        let applied = |log| (log, read::applied(&*snapshot, log).expect("readable"));
        let applied = (0..LOGS).map(applied).collect();
        drop(snapshot);
        drop(lmdb);
        fs::rename(&beside, &inside).expect("a scratch directory");
        let state = self.states.borrow().get(&hash(&dump)).cloned();
        let (writes, replayed) = state.expect("the index is one that stood between two writes");
        (writes, replayed, applied)
    }

    /// What the logs hold behind `applied`; each as it was appended.
    fn records(&self, data: &Path, applied: &BTreeMap<u16, Position>) -> Vec<BlobId> {
        let mut records = Vec::new();
        for log in (0..LOGS).filter(|&log| segment::directory(data, log).exists()) {
            let from = applied.get(&log).copied().unwrap_or_default();
            let mut recovery = Recovery::open(data, log, from).expect("a log");
            while let Some(found) = recovery.step().expect("readable") {
                let Found::Record(Entry::Deliver(deliver)) = found else {
                    continue;
                };
                let appended = self.delivers.get(&deliver.blob);
                let (_, appended) = appended.expect("a record that was appended");
                assert_eq!(&deliver, *appended);
                records.push(deliver.blob);
            }
        }
        records
    }

    fn expected(&self, writes: usize, records: &[BlobId]) -> Rc<Dump> {
        let mut expected = self.expected.borrow_mut();
        let entry = expected.entry((writes, records.to_vec()));
        let dump = entry.or_insert_with(|| {
            let model = Model::default();
            for write in &self.story.writes[..writes] {
                let _ = ask(&model, write.clone());
            }
            let mut states = self.states.borrow_mut();
            let mut dump = compared(tables(&model), self.story.cast);
            for (at, record) in records.iter().enumerate() {
                let _ = ask(&model, Write::Deliver(self.delivers[record].1.clone()));
                dump = compared(tables(&model), self.story.cast);
                // A recovery that breaks off may leave it like that.
                let replayed = || (writes, records[..=at].to_vec());
                states.entry(hash(&dump)).or_insert_with(replayed);
            }
            Rc::new(dump)
        });
        Rc::clone(dump)
    }

    /// The rows that are compared, of a store that finds nothing wrong with them.
    fn tables(&self, lmdb: &Lmdb) -> Dump {
        sound(lmdb);
        compared(tables(lmdb), self.story.cast)
    }

    /// Every mail that the index knows has its octets, and tables and files fit together.
    fn mails(&self, lmdb: &Lmdb, data: &Path) {
        let report = verify(lmdb, Depth::Quick, &mut |_, _| ControlFlow::Continue(()));
        let mut found = report.expect("readable").findings;
        // What was torn in front of something whole is told of, though nobody was answered for it.
        let torn = lmdb.replay().damages.len();
        found.retain(|finding| torn == 0 || !finding.what.contains("at the last start"));
        assert!(found.is_empty(), "{found:#?}");
        let snapshot = lmdb.snapshot().expect("a snapshot");
        let reader = Reader::new(Blocking, data);
        for (&blob, &number) in &self.story.mails {
            if let Some(row) = read::blob(&*snapshot, blob).expect("readable") {
                let octets = now(reader.whole(&row)).expect("a mail that the index knows");
                assert!(octets == mail::octets(number), "mail {number} is another");
            }
        }
    }
}

/// A start, and a stop before anything was asked for.
pub fn recover(data: &Path) {
    let lmdb = open(data);
    for number in 0..LOGS {
        Shard::open(&lmdb, data, number, |_| ());
    }
}

fn open(data: &Path) -> std::sync::Arc<Lmdb> {
    Lmdb::open(data, story::options()).expect("a store opens after a power loss")
}

/// The logs go on: another mail is taken, under a name that no mail had.
fn go_on(lmdb: std::sync::Arc<Lmdb>, data: &Path) {
    let account = AccountId(1);
    let exists = read::account(&*lmdb.snapshot().expect("a snapshot"), account)
        .expect("readable")
        .is_some();
    if !exists {
        return;
    }
    for number in 0..LOGS {
        let index = lmdb.clone();
        let taken = Rc::new(RefCell::new(None));
        let told = Rc::clone(&taken);
        let mut shard = Shard::open(&lmdb, data, number, move |write| {
            let Write::Deliver(deliver) = &write else {
                return;
            };
            let before = read::blob(&*index.snapshot().expect("a snapshot"), deliver.blob);
            assert_eq!(before, Ok(None), "a new name");
            *told.borrow_mut() = Some(ask(&*index, write));
        });
        let _durable = shard.append(0, &[account]);
        shard.turn();
        let outcome = taken.take();
        assert!(
            matches!(&outcome, Some(Ok(Outcome::Delivered(placed))) if placed.len() == 1),
            "the next mail: {outcome:?}"
        );
    }
}

/// The rows that are compared: all but the version, which the model does not write; with a tidier about, not those
/// that say where mails lie.
fn compared(mut dump: Dump, cast: Cast) -> Dump {
    let version = (Table::Setting, &b"version"[..]);
    dump.retain(|(table, key), _| match table {
        Table::Blob | Table::Free | Table::Segment => cast == Cast::Clients,
        Table::Applied => cast == Cast::Clients || *key != ringpost_log::REWRITE.to_be_bytes(),
        _ => (*table, &key[..]) != version,
    });
    dump
}

fn hash(dump: &Dump) -> u64 {
    let mut hasher = DefaultHasher::new();
    for ((table, key), value) in dump {
        (*table as usize, key, value).hash(&mut hasher);
    }
    hasher.finish()
}
