//! 64 submitters, durable: record, group commit on the shard's ring, index; beside the bare append and sync of the same
//! octets on the same ring, in turn.
//!
//! The bare append writes the mails of all submitters in one operation and waits for nobody: nothing durable is faster
//! on one file. Both are handed the same copies of the mails.

use crate::Size;
use crate::figures::{Meter, Spent, median, octets_on_disk};
use crate::mails::{ACCOUNTS, Mail};
use crate::ways::Way;
use ringpost_api::{Answer, Changed, Feed, ReplyTo, Sink, Store, Write};
use ringpost_lmdb::Lmdb;
use ringpost_log::{Files, Log, Mode, SegmentFile};
use ringpost_runtime::file::RingFiles;
use ringpost_runtime::{Machine, Options, Shard, spawn, time};
use ringpost_types::AccountId;
use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SUBMITTERS: usize = 64;
/// What a shard reserves at a time.
const SEGMENT_OCTETS: u64 = 256 * 1024 * 1024;
/// What back-pressure looks at; as limit delivery_lag_octets_max.
const LAG_OCTETS: u64 = 64 * 1024 * 1024;

/// What one round gave.
struct Round {
    mails: f64,
    octets: f64,
    /// Until the last mail was answered.
    answered: Duration,
    /// Until the index had it too.
    spent: Spent,
    commits: f64,
    /// Octets on disk: as the run left them, and of index and segments after a stop and a start.
    disk: u64,
    index: u64,
    segments: u64,
}

/// Both in turn, and their medians.
pub fn compare(name: &str, mails: Arc<[Mail]>, size: Size, shards: u16) {
    let mean = mails.iter().map(|mail| mail.octets.len()).sum::<usize>() / mails.len();
    println!(
        "path, {name}: {} mails a round, {mean} octets in the mean, {SUBMITTERS} submitters, {shards} shards",
        size.mails
    );
    let (mut bares, mut wholes) = (Vec::new(), Vec::new());
    for _ in 0..size.rounds {
        bares.push(Side::Bare.round(&mails, size.mails, shards));
        wholes.push(Side::Whole.round(&mails, size.mails, shards));
    }
    let rates = |rounds: &[Round]| median(rounds.iter().map(Round::rate).collect());
    for (name, rounds) in [("bare append", &bares), ("whole path", &wholes)] {
        tell(name, rounds);
    }
    println!(
        "  whole path: {:.0} % of the bare append",
        100.0 * rates(&wholes) / rates(&bares)
    );
}

/// The whole path by every way to make a batch durable, in turn.
pub fn ways(name: &str, mails: Arc<[Mail]>, size: Size, shards: u16) {
    println!(
        "ways, {name}: {} mails a round, {SUBMITTERS} submitters, {shards} shards",
        size.mails
    );
    let mut rounds: Vec<(Way, Vec<Round>)> = Way::ALL.map(|way| (way, Vec::new())).into();
    for round in 0..size.rounds {
        // Another one begins each time, and each other time the order is the reverse.
        let mut turned: Vec<usize> = (0..Way::ALL.len()).collect();
        turned.rotate_left(round % Way::ALL.len());
        if round % 2 == 1 {
            turned.reverse();
        }
        for at in turned {
            let (way, rounds) = &mut rounds[at];
            let folder = tempfile::tempdir().expect("a temporary directory can be made");
            rounds.push(whole(&mails, size.mails, shards, folder.path(), *way));
        }
    }
    for (way, rounds) in &rounds {
        tell(way.name(), rounds);
    }
}

/// One of the two that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Bare,
    Whole,
}

impl Side {
    pub fn name(self) -> &'static str {
        match self {
            Side::Bare => "bare",
            Side::Whole => "whole",
        }
    }

    fn round(self, mails: &Arc<[Mail]>, count: usize, shards: u16) -> Round {
        let folder = tempfile::tempdir().expect("a temporary directory can be made");
        match self {
            Side::Bare => bare(mails, count, shards, folder.path()),
            Side::Whole => whole(mails, count, shards, folder.path(), Way::Ring),
        }
    }
}

/// One of the two, with its rounds one behind the other.
pub fn alone(side: Side, mails: Arc<[Mail]>, size: Size, shards: u16) {
    let rounds = (0..size.rounds).map(|_| side.round(&mails, size.mails, shards));
    tell(side.name(), &rounds.collect::<Vec<_>>());
}

impl Round {
    fn rate(&self) -> f64 {
        self.mails / self.answered.as_secs_f64()
    }
}

fn tell(name: &str, rounds: &[Round]) {
    let of = |figure: &dyn Fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let rates: Vec<String> = rounds.iter().map(|r| format!("{:.0}", r.rate())).collect();
    println!(
        "  {name}: {:.0} mails/s ({}), {:.1} us of CPU a mail, {:.4} flushes a mail",
        of(&Round::rate),
        rates.join(" "),
        of(&|r| micros(r.spent.cpu) / r.mails),
        of(&|r| r.spent.flushes as f64 / r.mails),
    );
    let names: Vec<&String> = rounds[0].spent.threads.keys().collect();
    for thread in names {
        let time =
            of(&|r| micros(*r.spent.threads.get(thread).unwrap_or(&Duration::ZERO)) / r.mails);
        if time >= 0.1 {
            println!("    thread {thread}: {time:.1} us a mail");
        }
    }
    if rounds[0].commits > 0.0 {
        println!(
            "    index: {:.0} mails a commit, all in after {:.2} s of {:.2} s; on disk, octets for each of mail: \
             {:.3} as left, after a start {:.3} (index {:.3}, segments {:.3})",
            of(&|r| r.mails / r.commits),
            of(&|r| r.spent.time.as_secs_f64()),
            of(&|r| r.answered.as_secs_f64()),
            of(&|r| r.disk as f64 / r.octets),
            of(&|r| (r.index + r.segments) as f64 / r.octets),
            of(&|r| r.index as f64 / r.octets),
            of(&|r| r.segments as f64 / r.octets),
        );
    }
}

/// Which mails are still to be sent, for all submitters.
pub struct Work {
    mails: Arc<[Mail]>,
    next: AtomicUsize,
    end: usize,
}

impl Work {
    pub fn new(mails: &Arc<[Mail]>, count: usize) -> Arc<Self> {
        Arc::new(Work {
            mails: mails.clone(),
            next: AtomicUsize::new(0),
            end: count,
        })
    }

    fn take(&self) -> Option<(usize, &Mail)> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        (at < self.end).then(|| (at, &self.mails[at % self.mails.len()]))
    }

    fn octets(&self) -> f64 {
        let mails = (0..self.end).map(|at| self.mails[at % self.mails.len()].octets.len());
        mails.sum::<usize>() as f64
    }
}

fn options(shards: u16) -> Options {
    Options {
        shards: Some(shards),
        ..Options::default()
    }
}

fn bare(mails: &Arc<[Mail]>, count: usize, shards: u16, folder: &Path) -> Round {
    let work = Work::new(mails, count);
    let (done, ended) = channel();
    let machine = Machine::start(options(shards), |_| {}).expect("a machine");
    let meter = Meter::begin(folder);
    let (each, folder) = (SUBMITTERS / usize::from(shards), folder.to_owned());
    let (task, send) = (work.clone(), Mutex::new(done));
    machine.handle().each(move |shard| {
        let path = folder.join(shard.id.to_string());
        let done = send.lock().expect("nobody panics with it").clone();
        let work = task.clone();
        spawn(async move {
            append_bare(&path, &work, each).await;
            let _ = done.send(());
        });
    });
    for _ in 0..shards {
        ended.recv().expect("every shard ends");
    }
    let spent = meter.spent();
    machine.join(Duration::ZERO);
    Round {
        mails: count as f64,
        octets: work.octets(),
        answered: spent.time,
        spent,
        commits: 0.0,
        disk: 0,
        index: 0,
        segments: 0,
    }
}

async fn append_bare(path: &Path, work: &Work, each: usize) {
    let open = async |number: u32| {
        let path = path.with_extension(number.to_string());
        let file = RingFiles.open(&path, Mode::Create).await.expect("made");
        file.allocate(SEGMENT_OCTETS).await.expect("space");
        file
    };
    let (mut number, mut offset) = (0, 0);
    let mut file = open(number).await;
    loop {
        let mut batch = Vec::new();
        for _ in 0..each {
            if let Some((_, mail)) = work.take() {
                // A copy of its own, as every submitter of the whole path has one.
                let octets = mail.octets.clone();
                batch.extend_from_slice(&octets);
            }
        }
        if batch.is_empty() {
            return;
        }
        let octets = batch.len() as u64;
        if offset + octets > SEGMENT_OCTETS {
            (number, offset) = (number + 1, 0);
            file = open(number).await;
        }
        file.write_durable(batch, offset).await.0.expect("durable");
        offset += octets;
    }
}

/// Counts commits.
#[derive(Default)]
struct Commits(AtomicU64);

impl Feed for Commits {
    fn changed(&self, _: &[Changed]) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn whole(mails: &Arc<[Mail]>, count: usize, shards: u16, folder: &Path, way: Way) -> Round {
    let work = Work::new(mails, count);
    let store = open(folder);
    create_accounts(&*store);
    let commits = Arc::new(Commits::default());
    let feed: Arc<dyn Feed> = commits.clone();
    store.subscribe(Arc::downgrade(&feed));
    let machine = Machine::start(options(shards), |_| {}).expect("a machine");
    let (begun, ready) = channel();
    let (done, ended) = channel();
    let meter = Meter::begin(folder);
    {
        let (store, work, folder) = (store.clone(), work.clone(), folder.to_owned());
        let send = Mutex::new((begun, done));
        machine.handle().each(move |shard| {
            let (begun, done) = send.lock().expect("nobody panics with it").clone();
            let each = SUBMITTERS / usize::from(shards);
            submit_all(shard, way, &store, &folder, &work, each, (begun, done));
        });
    }
    for _ in 0..shards {
        ready.recv().expect("every log opens");
    }
    for _ in 0..shards {
        ended.recv().expect("every shard ends");
    }
    let answered = meter.spent().time;
    while store.lag_octets() > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let spent = meter.spent();
    machine.join(Duration::ZERO);
    store.close();
    drop(store);
    let disk = octets_on_disk(folder);
    drop(open(folder));
    let (index, all) = (
        octets_on_disk(&folder.join("index")),
        octets_on_disk(folder),
    );
    Round {
        mails: count as f64,
        octets: work.octets(),
        answered,
        spent,
        commits: commits.0.load(Ordering::Relaxed) as f64,
        disk,
        index,
        segments: all - index,
    }
}

pub fn open(folder: &Path) -> Arc<Lmdb> {
    Lmdb::open(folder, ringpost_lmdb::Options::default()).expect("the directory is ours")
}

/// Takes answers and counts them.
pub struct Answers(pub Mutex<Sender<usize>>);

impl Sink for Answers {
    fn complete(&self, answers: Vec<Answer>) {
        for (_, answer) in &answers {
            assert!(answer.is_ok(), "the store takes every write: {answer:?}");
        }
        let sender = self.0.lock().expect("nobody panics with it");
        let _ = sender.send(answers.len());
    }
}

/// The accounts that get mail, ids 1 and up.
pub fn create_accounts(store: &dyn Store) {
    let (answered, answers) = channel();
    let sink = Arc::new(Answers(Mutex::new(answered)));
    for number in 0..ACCOUNTS {
        let create = Write::AccountCreate {
            name: format!("{number}@example.org"),
            secret: String::new(),
            scram: None,
        };
        let (sink, token) = (sink.clone(), 0);
        store.submit(create, Some(ReplyTo { sink, token }));
    }
    let mut missing = ACCOUNTS as usize;
    while missing > 0 {
        missing -= answers.recv().expect("the writer runs");
    }
}

/// A shard's log, and its share of the submitters, each with one mail under way.
pub fn submit_all(
    shard: &Rc<Shard>,
    way: Way,
    store: &Arc<Lmdb>,
    folder: &Path,
    work: &Arc<Work>,
    each: usize,
    (begun, done): (Sender<()>, Sender<()>),
) {
    let (shard, store, folder, work) = (
        shard.clone(),
        store.clone(),
        folder.to_owned(),
        work.clone(),
    );
    spawn(async move {
        let end = store.log_end(shard.id);
        let opened = Log::open(way.files(), &folder, shard.id, end, Default::default()).await;
        let (log, driver) = opened.expect("the directory is ours");
        let index = store.clone();
        spawn(driver.run(move |write, reply| index.submit(write, reply)));
        let closing = log.clone();
        shard.at_end(async move { closing.close().await });
        let _ = begun.send(());
        let left = Rc::new(Cell::new(each));
        for _ in 0..each {
            let (log, store, work) = (log.clone(), store.clone(), work.clone());
            let (left, done) = (left.clone(), done.clone());
            spawn(async move {
                while let Some((at, mail)) = work.take() {
                    while store.lag_octets() > LAG_OCTETS {
                        time::sleep(Duration::from_millis(5)).await;
                    }
                    let account = AccountId(1 + at as u32 % ACCOUNTS);
                    let durable = log.append(mail.record(account), None).await;
                    durable.expect("the disk is not full");
                }
                left.set(left.get() - 1);
                if left.get() == 0 {
                    let _ = done.send(());
                }
            });
        }
    });
}
