//! What `FETCH 1:* (FLAGS)` of a large mailbox costs the server: processor time of its one shard.
//!
//! `cargo run --release -p ringpost-imapd --example flags -- 100000`

#[path = "../tests/server/mod.rs"]
mod server;

use ringpost_api::Store;
use ringpost_api::table::{Encoding, Stretch, flag};
use ringpost_api::write::{Deliver, Missing, Position, Target, Write};
use ringpost_types::{BlobId, MailboxId};
use server::Server;
use std::time::Instant;

/// A log that no shard has.
const LOG: u16 = 9;

fn main() {
    let messages = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(100_000);
    let server = Server::start();
    fill(&server, messages);
    let mut client = server.login();
    measure("SELECT INBOX", || client.ok("SELECT INBOX").len());
    for _ in 0..5 {
        measure("FETCH 1:* (FLAGS)", || client.ok("FETCH 1:* (FLAGS)").len());
    }
    measure("UID FETCH 1:* (UID FLAGS RFC822.SIZE)", || {
        client.ok("UID FETCH 1:* (UID FLAGS RFC822.SIZE)").len()
    });
    measure("UID SEARCH UNSEEN", || client.ok("UID SEARCH UNSEEN").len());
    measure("NOOP", || client.ok("NOOP").len());
}

fn fill(server: &Server, messages: u64) {
    for sequence in 0..messages {
        let target = Target {
            account: server.account,
            mailbox: MailboxId::INBOX,
            missing: Missing::Inbox,
            flags: if sequence % 8 == 0 { 0 } else { flag::SEEN },
            keywords: Vec::new(),
            internal_date: 1_700_000_000 + sequence,
            prefix: Vec::new(),
        };
        let at = |sequence: u64| Position {
            segment: 1,
            offset: sequence * 100,
            sequence,
        };
        let deliver = Deliver {
            blob: BlobId::new(LOG, sequence),
            segment: 1,
            offset: at(sequence).offset,
            octets: 100,
            stored: 100,
            encoding: Encoding::Raw,
            record: Stretch {
                segment: 1,
                offset: at(sequence).offset,
                octets: 100,
            },
            checksum: 0,
            digest: Vec::new(),
            text: Vec::new(),
            targets: vec![target],
            items: vec![],
            next: at(sequence + 1),
        };
        server.store.submit(Write::Deliver(deliver), None);
    }
    // The writer answers in order: behind this everything is in.
    let claim = Write::ClaimRecent {
        account: server.account,
        mailbox: MailboxId::INBOX,
    };
    server::submit(&server.store, claim).expect("the mailbox is there");
}

fn measure(what: &str, run: impl FnOnce() -> usize) {
    let (before, begun) = (shard_us(), Instant::now());
    let responses = run();
    let (shard, wall) = (shard_us() - before, begun.elapsed());
    println!(
        "{what}: {responses} responses, {shard} us of the shard, {} us in all",
        wall.as_micros()
    );
}

/// Microseconds that the shard's thread has run.
fn shard_us() -> u64 {
    let threads = std::fs::read_dir("/proc/self/task").expect("procfs");
    for thread in threads.flatten() {
        let name = std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
        if name.trim() == "shard-0" {
            let times =
                std::fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
            let run = times
                .split(' ')
                .next()
                .and_then(|ns| ns.parse::<u64>().ok());
            return run.unwrap_or(0) / 1_000;
        }
    }
    0
}
