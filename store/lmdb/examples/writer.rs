//! What the index writer costs: deliveries at a steady rate, CPU of the writer's thread for each, how far it lags.
//!
//! ```text
//! cargo run --release -p ringpost-lmdb --example writer -- \
//!     [mails] [mails per second] [accounts] [text octets] [gather at least, ms] [at most, ms] [times the last commit]
//! ```
//! Logs are left out: the figures are the index's alone. `TMPDIR` chooses the disk.

use ringpost_api::behaviour::ask;
use ringpost_api::table::Stretch;
use ringpost_api::write::{Deliver, Missing, Position, Target};
use ringpost_api::{Store, Write};
use ringpost_lmdb::{Lmdb, Options, Pace};
use ringpost_types::{AccountId, BlobId, MailboxId};
use std::fs;
use std::time::{Duration, Instant};

/// Octets of one mail.
const MAIL: u64 = 30 * 1024;
/// Of its digest: what `message::digest` makes of an ordinary one.
const DIGEST: usize = 600;

fn main() {
    let pace = Pace::default();
    let mut arguments = std::env::args().skip(1).map(|word| word.parse::<u64>());
    let mut next = |default| arguments.next().map_or(default, |n| n.expect("a number"));
    let (mails, rate, accounts, text) = (next(50_000), next(20_000), next(64), next(0));

    let pace = Pace {
        least: Duration::from_millis(next(pace.least.as_millis() as u64)),
        most: Duration::from_millis(next(pace.most.as_millis() as u64)),
        times: next(u64::from(pace.times)) as u32,
    };

    let data = tempfile::tempdir().expect("a scratch directory");
    let options = Options {
        pace,
        ..Options::default()
    };
    let store = Lmdb::open(data.path(), options).expect("a new store");
    for number in 0..accounts {
        let create = Write::AccountCreate {
            name: format!("a{number}@example.test"),
            secret: String::new(),
            scram: None,
        };
        ask(&*store, create).expect("a new account");
    }
    let row = match text {
        0 => Vec::new(),
        octets => {
            let words =
                (0..octets).map(|n| b'!' + (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as u8);
            ringpost_api::text::encode(&[], &words.collect::<Vec<u8>>(), 0, 0)
        }
    };
    let deliver = |number: u64| Deliver {
        targets: vec![Target {
            account: AccountId((number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % accounts) as u32 + 1),
            mailbox: MailboxId::INBOX,
            missing: Missing::Inbox,
            flags: 0,
            keywords: Vec::new(),
            internal_date: 1_795_000_000 + number,
            prefix: b"Return-Path: <alice@example.net>\r\nDelivered-To: bob@example.org\r\n"
                .to_vec(),
        }],
        digest: vec![7; DIGEST],
        text: row.clone(),
        ..template(number)
    };

    let (cpu, pages) = (writer_cpu(), written_octets());
    let begun = Instant::now();
    let mut lags = Vec::new();
    for number in 0..mails {
        // Every millisecond what is due.
        while number * 1_000_000 / rate > begun.elapsed().as_micros() as u64 {
            std::thread::sleep(Duration::from_millis(1));
            lags.push(store.lag_octets() / (MAIL + DIGEST as u64));
        }
        store.submit(Write::Deliver(deliver(number)), None);
    }
    while store.lag_octets() > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = begun.elapsed();
    let cpu = writer_cpu() - cpu;
    lags.sort_unstable();
    let at = |share: usize| lags.get(lags.len() * share / 100).copied().unwrap_or(0);
    println!(
        "{mails} mails in {:.2} s ({:.0}/s): writer {:.1} us of CPU for each, {:.1} KiB written for each; {} commits; behind by {} mails at the median, {} at 99 %",
        took.as_secs_f64(),
        mails as f64 / took.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / mails as f64,
        (written_octets() - pages) as f64 / 1024.0 / mails as f64,
        store.health().commits,
        at(50),
        at(99),
    );
}

/// A record at a place of its own.
fn template(number: u64) -> Deliver {
    let offset = number * (MAIL + 1_000);
    let next = Position {
        segment: 1,
        offset: offset + MAIL + 1_000,
        sequence: number + 1,
    };
    Deliver {
        blob: BlobId::new(0, number),
        segment: 1,
        offset: offset + 1_000,
        octets: MAIL,
        stored: MAIL,
        encoding: Default::default(),
        record: Stretch {
            segment: 1,
            offset,
            octets: MAIL + 1_000,
        },
        checksum: number,
        targets: Vec::new(),
        items: Vec::new(),
        digest: Vec::new(),
        text: Vec::new(),
        next,
    }
}

/// CPU that the thread called "index" has used, in the kernel and outside, to the hundredth of a second.
fn writer_cpu() -> Duration {
    for task in fs::read_dir("/proc/self/task").expect("proc is there") {
        let task = task.expect("readable").path();
        let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
        if name.trim() == "index" {
            let line = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
            let spent = line.split(' ').next().and_then(|n| n.parse().ok());
            return Duration::from_nanos(spent.unwrap_or(0));
        }
    }
    Duration::ZERO
}

/// Octets this process has sent to the disk.
fn written_octets() -> u64 {
    let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|n| n.parse().ok()).unwrap_or(0)
}
