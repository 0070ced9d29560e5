//! A start with a million messages: after a clean stop, and after `kill -9` under full load.

use crate::Size;
use crate::figures::octets_on_disk;
use crate::mails::{ACCOUNTS, Mail, Random, mixed};
use crate::path::{Work, create_accounts, open, submit_all};
use crate::ways::Way;
use ringpost_api::Store;
use ringpost_lmdb::Lmdb;
use ringpost_log::file::{Blocking, now};
use ringpost_log::{Log, Record};
use ringpost_runtime::{Machine, Options};
use ringpost_types::AccountId;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

/// The directory that a child is to load.
pub const CHILD: &str = "RINGPOST_PATH_CHILD";
/// Records of a batch while the store is filled.
const BATCH: u64 = 1_000;
/// The index is let catch up beyond this.
const LAG_OCTETS: u64 = 32 * 1024 * 1024;
/// Seconds of load before a kill, about: the child tells each as it is over.
const LOADED: usize = 3;

pub fn with_many(size: Size) {
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let folder = folder.path();
    let began = Instant::now();
    fill(folder, size.messages);
    println!(
        "start: {} messages in {ACCOUNTS} accounts, made in {:.1} s, {} MiB on disk",
        size.messages,
        began.elapsed().as_secs_f64(),
        octets_on_disk(folder) >> 20
    );
    for (name, cold) in [
        ("cached", false),
        ("from disk", true),
        ("cached", false),
        ("from disk", true),
    ] {
        if cold {
            forget(folder);
        }
        let (opened, _) = time_open(folder);
        println!(
            "  after a clean stop, {name}: {:.1} ms",
            opened.as_secs_f64() * 1e3
        );
    }
    for _ in 0..size.kills {
        live_and_die(folder);
        let (opened, replayed) = time_open(folder);
        println!(
            "  after kill -9 under load: {:.1} ms, {replayed} mails replayed",
            opened.as_secs_f64() * 1e3
        );
    }
}

fn time_open(folder: &Path) -> (Duration, u64) {
    let began = Instant::now();
    let store = open(folder);
    let opened = began.elapsed();
    (opened, store.replay().records)
}

/// Has the kernel drop what it holds of the files, so that they are read from the disk again.
fn forget(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            forget(&entry.path());
        } else if let Ok(file) = File::open(entry.path()) {
            let advice = rustix::fs::Advice::DontNeed;
            rustix::fs::fadvise(&file, 0, None, advice).expect("advice is taken");
        }
    }
}

/// Small mails for all accounts, through a log and the index as any.
fn fill(folder: &Path, messages: u64) {
    let store = open(folder);
    create_accounts(&*store);
    let opened = now(Log::open(
        Blocking,
        folder,
        0,
        store.log_end(0),
        Default::default(),
    ));
    let (log, driver) = opened.expect("the directory is ours");
    let index = store.clone();
    let mut driver = pin!(driver.run(move |write, reply| index.submit(write, reply)));
    let mut context = Context::from_waker(Waker::noop());
    let mut random = Random(1);
    for first in (0..messages).step_by(BATCH as usize) {
        for number in first..(first + BATCH).min(messages) {
            let account = AccountId(1 + random.below(ACCOUNTS.into()) as u32);
            let _durable = log.append(small(number, account), None);
        }
        for _ in 0..3 {
            let ended = driver.as_mut().poll(&mut context).is_ready();
            assert!(!ended, "the driver ends with its log");
        }
        while store.lag_octets() > LAG_OCTETS {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let mut closed = pin!(log.close());
    let _waits = closed.as_mut().poll(&mut context);
    let ended = driver.as_mut().poll(&mut context).is_ready();
    assert!(ended, "it ends with its log");
    store.close();
}

fn small(number: u64, account: AccountId) -> Record {
    let octets = format!(
        "From: alice@example.net\r\nTo: bob@example.org\r\nSubject: message {number}\r\n\
         Message-ID: <{number}@example.net>\r\nDate: Mon, 23 Nov 2026 11:00:00 +0100\r\n\r\nA short one.\r\n"
    );
    let mut record = Mail::new(octets.into_bytes()).record(account);
    record.targets[0].internal_date = number;
    record
}

/// A child that loads the store until it has told enough, and is killed.
fn live_and_die(folder: &Path) {
    let child = Command::new(std::env::current_exe().expect("a path"))
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.expect("this executable runs");
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    let told = output.lines().map_while(Result::ok).take(LOADED).count();
    assert_eq!(told, LOADED, "it tells until it is killed");
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
}

/// The child: load without end, and a line for each second.
pub fn child(folder: &Path) {
    let store: std::sync::Arc<Lmdb> = open(folder);
    let work = Work::new(&mixed(), usize::MAX);
    let options = Options {
        shards: Some(1),
        ..Options::default()
    };
    let machine = Machine::start(options, |_| {}).expect("a machine");
    let (begun, ready) = channel();
    let (done, _ended) = channel();
    let folder = folder.to_owned();
    let send = std::sync::Mutex::new((begun, done));
    machine.handle().each(move |shard| {
        let (begun, done) = send.lock().expect("nobody panics with it").clone();
        submit_all(shard, Way::Ring, &store, &folder, &work, 64, (begun, done));
    });
    ready.recv().expect("the log opens");
    loop {
        std::thread::sleep(Duration::from_secs(1));
        println!("loaded for a second more");
    }
}
