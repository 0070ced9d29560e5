//! What a reader waits while the index's writer has more to do than it can.

use crate::Size;
use crate::mails::{ACCOUNTS, Random, short};
use crate::path::{Answers, create_accounts, open};
use hdrhistogram::Histogram;
use ringpost_api::table::{Encoding, Stretch};
use ringpost_api::write::{Deliver, Position};
use ringpost_api::{ReplyTo, Store, Write, read};
use ringpost_types::{AccountId, BlobId, MailboxId, Uid};
use std::ops::ControlFlow;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Deliveries under way.
const UNDER_WAY: usize = 8_000;
/// Longer is counted as this.
const LONGEST_NS: u64 = 10_000_000_000;
/// Rows of one look.
const ROWS: usize = 50;

/// A snapshot, the mailbox, and 50 messages of it, over and over, while deliveries are committed as fast as that goes.
pub fn beside_a_busy_writer(size: Size) {
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let store = open(folder.path());
    create_accounts(&*store);
    let (answered, answers) = channel();
    let sink = Arc::new(Answers(Mutex::new(answered)));
    let until = Instant::now() + Duration::from_secs(size.seconds);
    let (times, committed) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| look(&*store, until));
        let record = short()[0].record(AccountId(1));
        let (mut sequence, mut under_way) = (0, 0);
        while Instant::now() < until {
            while under_way < UNDER_WAY {
                sequence += 1;
                under_way += 1;
                let mut targets = record.targets.clone();
                targets[0].account = AccountId(1 + sequence as u32 % ACCOUNTS);
                let (digest, text) = (record.digest.clone(), record.text.clone());
                let deliver = deliver(sequence, digest, text, targets);
                let (sink, token) = (sink.clone(), 0);
                store.submit(deliver, Some(ReplyTo { sink, token }));
            }
            under_way -= answers.recv().expect("the writer runs");
        }
        (
            reader.join().expect("it reads"),
            sequence as usize - under_way,
        )
    });
    let micros = |at: f64| times.value_at_quantile(at) as f64 / 1e3;
    println!(
        "read: a snapshot and {ROWS} messages beside {:.0} deliveries/s into the index: median {:.1} us, p99 {:.1} us, \
         p99.9 {:.1} us, longest {:.0} us of {} looks",
        committed as f64 / size.seconds as f64,
        micros(0.5),
        micros(0.99),
        micros(0.999),
        times.max() as f64 / 1e3,
        times.len()
    );
}

fn deliver(
    sequence: u64,
    digest: Vec<u8>,
    text: Vec<u8>,
    targets: Vec<ringpost_api::write::Target>,
) -> Write {
    let (segment, offset, octets) = (1, sequence * 2048, 2048);
    Write::Deliver(Deliver {
        blob: BlobId::new(0, sequence),
        segment,
        offset,
        octets,
        stored: octets,
        encoding: Encoding::Raw,
        record: Stretch {
            segment,
            offset,
            octets,
        },
        checksum: sequence,
        digest,
        text,
        targets,
        items: vec![],
        next: Position {
            segment,
            offset: offset + octets,
            sequence: sequence + 1,
        },
    })
}

fn look(store: &dyn Store, until: Instant) -> Histogram<u64> {
    let mut times = Histogram::new_with_max(LONGEST_NS, 3).expect("three digits");
    let mut random = Random(7);
    while Instant::now() < until {
        let account = AccountId(1 + random.below(ACCOUNTS.into()) as u32);
        let began = Instant::now();
        let snapshot = store.snapshot().expect("a snapshot");
        let mailbox = read::mailbox(&*snapshot, account, MailboxId::INBOX).expect("readable");
        let next = mailbox.expect("every account has it").uidnext.0;
        let mut rows = 0;
        let from = Uid(next.saturating_sub(ROWS as u32));
        read::messages(&*snapshot, account, MailboxId::INBOX, from, |_, row| {
            rows += usize::from(row.octets > 0);
            ControlFlow::Continue(())
        })
        .expect("readable");
        assert!(rows <= ROWS);
        drop(snapshot);
        times.saturating_record(began.elapsed().as_nanos() as u64);
    }
    times
}
