//! Mail comes, is flagged and goes, on and on, while readers look that keep to the rules: the index stays near the size of
//! what is in it.

mod fixture;

use fixture::{ACCOUNT, begin, deliver, mails, options};
use ringpost_api::behaviour::ask;
use ringpost_api::table::flag;
use ringpost_api::write::{FlagChange, StoreFlags};
use ringpost_api::{Store, Write, text};
use ringpost_lmdb::Options;
use ringpost_types::limit::Limits;
use ringpost_types::{MailboxId, Uid};
use std::sync::atomic::{AtomicBool, Ordering};

/// Mails in the mailbox.
const LIVE: u64 = 3_000;
/// Of those, replaced in one round.
const ROUND: u64 = 100;
const ROUNDS: u64 = 150;

/// Sizes of text rows vary as those of mails do: most fit on a page, some take several, which must lie side by side.
fn mail(number: u64) -> Write {
    let Write::Deliver(mut mail) = deliver(number, 600) else {
        unreachable!("it is a delivery");
    };
    let octets = match number % 10 {
        0 => 9_000 + number % 7 * 2_000,
        1..=3 => 3_000,
        _ => 800,
    };
    mail.text = text::encode(&[], &words(number, octets as usize), 0, 0);
    Write::Deliver(mail)
}

/// Octets that do not pack well.
fn words(seed: u64, octets: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        b'!' + (state >> 58) as u8
    };
    (0..octets).map(|_| next()).collect()
}

fn store(uids: impl Iterator<Item = u64>, flags: u32) -> Write {
    Write::Store(StoreFlags {
        account: ACCOUNT,
        mailbox: MailboxId::INBOX,
        uids: uids.map(|uid| Uid(uid as u32)).collect(),
        change: FlagChange::Add,
        flags,
        keywords: Vec::new(),
        unchanged_since: None,
    })
}

#[test]
fn the_index_stays_near_what_is_in_it() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let limits = Limits {
        account_vanished_max: 1_000,
        ..Limits::default()
    };
    let lmdb = begin(
        data.path(),
        Options {
            limits,
            map_octets: 1 << 30,
            ..options()
        },
    );
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                // A slow client: each of its commands looks, and lets go before it waits for the client.
                while !ends.load(Ordering::Relaxed) {
                    let seen = mails(&*lmdb.snapshot().expect("a snapshot")).len() as u64;
                    assert!(seen <= LIVE + ROUND);
                    std::thread::yield_now();
                }
            });
        }
        for number in 0..LIVE {
            lmdb.submit(mail(number), None);
        }
        for round in 0..ROUNDS {
            let (oldest, next) = (round * ROUND + 1, LIVE + round * ROUND);
            for number in next..next + ROUND {
                lmdb.submit(mail(number), None);
            }
            let uids = oldest..oldest + ROUND;
            for write in [
                store((next - ROUND + 1)..=next, flag::SEEN),
                store(uids.clone(), flag::DELETED),
                Write::Expunge {
                    account: ACCOUNT,
                    mailbox: MailboxId::INBOX,
                    uids: None,
                },
                Write::Sweep,
            ] {
                assert!(ask(&*lmdb, write).is_ok());
            }
            if round % 25 == 24 {
                let health = lmdb.health();
                println!(
                    "round {round}: {} octets, {} of them in use",
                    health.file_octets, health.used_octets
                );
            }
        }
        ends.store(true, Ordering::Relaxed);
    });
    assert_eq!(
        mails(&*lmdb.snapshot().expect("a snapshot")).len() as u64,
        LIVE
    );
    let health = lmdb.health();
    assert!(
        health.file_octets * 2 <= health.used_octets * 3,
        "{} octets, of which {} are in use",
        health.file_octets,
        health.used_octets
    );
}
