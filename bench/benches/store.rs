//! A batch of 64 deliveries: checksums alone, log write with its one sync, and both with the index commit.
//!
//! The data directory is a temporary one: the figures with a sync in them are those of its disk. `TMPDIR` chooses it.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ringpost_api::write::{Missing, Target};
use ringpost_api::{Error, Outcome, ReplyTo, Sink, Store, Write};
use ringpost_bench::corpus;
use ringpost_lmdb::Lmdb;
use ringpost_log::file::now;
use ringpost_log::{Blocking, Body, Driver, Log, Options, Record};
use ringpost_message::Scanner;
use ringpost_types::limit::Limits;
use ringpost_types::{AccountId, MailboxId};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Waker};
use std::time::Duration;

const DELIVERIES: usize = 64;
const MAIL_OCTETS: usize = 2 * 1024;

/// 64 records as delivery makes them, for one account's INBOX.
fn records(account: AccountId) -> Vec<Record> {
    let octets = corpus::plain(MAIL_OCTETS);
    let digest = Scanner::scan(&Limits::default(), &octets);
    let target = Target {
        account,
        mailbox: MailboxId::INBOX,
        missing: Missing::Inbox,
        flags: 0,
        keywords: Vec::new(),
        internal_date: 1_795_000_000,
        prefix: b"Return-Path: <alice@example.net>\r\nDelivered-To: bob@example.org\r\n".to_vec(),
    };
    let record = || Record {
        targets: vec![target.clone()],
        items: Vec::new(),
        digest: digest.clone(),
        text: Vec::new(),
        body: Body::Whole(octets.clone()),
    };
    (0..DELIVERIES).map(|_| record()).collect()
}

/// Where the index's answers go.
struct Answers(mpsc::Sender<usize>);

impl Sink for Answers {
    fn complete(&self, answers: Vec<(u64, Result<Outcome, Error>)>) {
        for (_, answer) in &answers {
            answer
                .as_ref()
                .expect("the store takes every write of this bench");
        }
        self.0
            .send(answers.len())
            .expect("the bench waits for every answer");
    }
}

/// A log whose driver runs when it is polled, and what it hands to the index.
struct Shard<'s> {
    log: Log,
    driver: Pin<Box<dyn Future<Output = ()> + 's>>,
}

impl<'s> Shard<'s> {
    fn open(data: &Path, submit: impl FnMut(Write, Option<ReplyTo>) + 's) -> Self {
        let opened = now(Log::open(
            Blocking,
            data,
            0,
            Default::default(),
            Options::default(),
        ));
        let (log, driver): (Log, Driver<Blocking>) = opened.expect("the directory is ours and new");
        let driver = Box::pin(driver.run(submit));
        Shard { log, driver }
    }

    /// Appends all, then lets the driver write them as one group.
    fn append(&mut self, records: Vec<Record>, reply: Option<&ReplyTo>) {
        let appends: Vec<_> = records
            .into_iter()
            .map(|record| self.log.append(record, reply.cloned()))
            .collect();
        // At the first turn the driver lets others add to the group, at the second it writes.
        for _turn in 0..2 {
            let waits = self
                .driver
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            assert!(waits.is_pending(), "the driver ends only with its log");
        }
        for append in appends {
            now(append).expect("the log is open");
        }
    }
}

fn encode(criterion: &mut Criterion) {
    let mails = vec![corpus::plain(MAIL_OCTETS); DELIVERIES];
    let mut group = criterion.benchmark_group("store/checksum");
    group.throughput(Throughput::Elements(DELIVERIES as u64));
    group.bench_function("64", |bencher| {
        bencher.iter(|| {
            let sums = mails
                .iter()
                .map(|mail| ringpost_log::record::checksum(mail));
            sums.fold(0, u64::wrapping_add)
        });
    });
    group.finish();
}

fn log(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let mut shard = Shard::open(folder.path(), |_, _| {});
    let mut group = criterion.benchmark_group("store/log");
    group.throughput(Throughput::Elements(DELIVERIES as u64));
    group.bench_function("64", |bencher| {
        bencher.iter_batched(
            || records(AccountId(1)),
            |records| shard.append(records, None),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn log_and_index(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let store = Lmdb::open(folder.path(), ringpost_lmdb::Options::default())
        .expect("the directory is ours and new");
    let (answered, answers) = mpsc::channel();
    let reply = ReplyTo {
        sink: Arc::new(Answers(answered)),
        token: 0,
    };
    let name = "bob@example.org".to_string();
    let create = Write::AccountCreate {
        name,
        secret: String::new(),
        scram: None,
    };
    store.submit(create, Some(reply.clone()));
    let wait = |mut missing: usize| {
        while missing > 0 {
            missing -= answers.recv().expect("the writer runs");
        }
    };
    wait(1);
    let account = AccountId(1);
    let mut shard = Shard::open(folder.path(), |write, reply| {
        store.submit(write, reply);
    });
    let mut group = criterion.benchmark_group("store/log+index");
    group.throughput(Throughput::Elements(DELIVERIES as u64));
    group.bench_function("64", |bencher| {
        bencher.iter_batched(
            || records(account),
            |records| {
                shard.append(records, Some(&reply));
                wait(DELIVERIES);
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
    drop(shard);
    store.close();
}

criterion_group! {
    name = store;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20);
    targets = encode, log, log_and_index
}
criterion_main!(store);
