//! A shard asleep in its ring is woken from other threads, and its files are what they should be.

use super::*;
use crate::Busy;
use crate::file::RingFiles;
use ringpost_api::store::{Feed, ReplyTo, Snapshot, Store};
use ringpost_api::{Changed, Error, Outcome, Write};
use ringpost_log::{Files, Mode, SegmentFile};
use ringpost_types::{AccountId, MailboxId, ModSeq};
use std::sync::{Mutex, Weak};

/// A store that answers each write from a thread of its own, and knows nothing.
#[derive(Default)]
struct Slow {
    feeds: Mutex<Vec<Weak<dyn Feed>>>,
}

impl Store for Slow {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, Error> {
        Err(Error::Closed)
    }

    fn submit(&self, write: Write, reply: Option<ReplyTo>) {
        let feeds = self.feeds.lock().expect("whole").clone();
        std::thread::spawn(move || {
            let answer = match write {
                Write::AccountRemove { account } => Ok(Outcome::Account(account)),
                _ => Err(Error::Exists),
            };
            if let Some(ReplyTo { sink, token }) = reply {
                sink.complete(vec![(token, answer)]);
            }
            for feed in feeds.iter().filter_map(Weak::upgrade) {
                let changed = |mailbox| Changed {
                    account: AccountId(1),
                    mailbox: MailboxId(mailbox),
                    modseq: ModSeq(7),
                };
                feed.changed(&[changed(1), changed(2)]);
            }
        });
    }

    fn lag_octets(&self) -> u64 {
        0
    }

    fn subscribe(&self, feed: Weak<dyn Feed>) {
        self.feeds.lock().expect("whole").push(feed);
    }
}

fn remove(account: u32) -> Write {
    Write::AccountRemove {
        account: AccountId(account),
    }
}

/// Regression: the waker of a task, called on another thread, must wake a ring that sleeps.
#[test]
fn letters_wake_a_sleeping_shard() {
    let machine = Machine::start(options(2), |_| {}).expect("a machine");
    let (sender, receiver) = channel();
    for round in 0..2_000u32 {
        let sender = sender.clone();
        let letter = move |shard: &Rc<Shard>| {
            let _ = sender.send((shard.id, round));
        };
        machine.handle().post((round % 2) as u16, Box::new(letter));
        let got = receiver.recv_timeout(PATIENCE);
        assert_eq!(got, Ok(((round % 2) as u16, round)));
    }
    finished(machine);
}

#[test]
fn tickets_bring_answers_home() {
    on_shard(|shard| async move {
        let store = Slow::default();
        for round in 0..200 {
            let kept = shard.tickets.submit(&store, remove(round));
            drop(shard.tickets.submit(&store, remove(1_000)));
            let refused = Write::AliasRemove {
                address: "a@example.org".to_owned(),
            };
            let refused = shard.tickets.submit(&store, refused);
            assert_eq!(kept.await, Ok(Outcome::Account(AccountId(round))));
            assert_eq!(refused.await, Err(Error::Exists));
        }
        while shard.tickets.open() > 0 {
            crate::time::turn().await;
        }
    });
}

#[test]
fn a_watch_hears_of_its_mailbox_only() {
    on_shard(|shard| async move {
        let store = Slow::default();
        store.subscribe(shard.hub.feed());
        let mut mine = shard.hub.watch(AccountId(1), MailboxId(2));
        let mut twin = shard.hub.watch(AccountId(1), MailboxId(2));
        let mut other = shard.hub.watch(AccountId(2), MailboxId(2));
        for _ in 0..100 {
            // Dropped while nothing has come: nothing is lost by it.
            let _ = crate::time::first(mine.changed(), std::future::ready(())).await;
            store.submit(remove(1), None);
            assert_eq!(mine.changed().await, ModSeq(7));
            assert_eq!(twin.changed().await, ModSeq(7));
        }
        assert_eq!(other.news(), None);
        drop((mine, twin, other));
    });
}

#[test]
fn blocking_work_is_bounded() {
    let mut options = options(1);
    options.limits.password_hashes_max = 1;
    options.limits.password_queue_max = 1;
    let machine = Machine::start(options, |_| {}).expect("a machine");
    let (done, result) = channel();
    let work = |shard: Rc<Shard>| async move {
        assert_eq!(shard.offload(|| 6 * 7).await, Ok(42));
        let broken = shard.offload(|| panic!("asked for by this test")).await;
        assert_eq!(broken, Err::<(), _>(Busy));
        // One runs, one waits, the third is refused.
        let (go, gate) = channel::<()>();
        let (begun, begins) = channel();
        let first = shard.clone();
        spawn(async move {
            let held = first.offload(move || {
                let _ = begun.send(());
                gate.recv().is_ok()
            });
            assert_eq!(held.await, Ok(true));
        });
        while begins.try_recv().is_err() {
            crate::time::turn().await;
        }
        let second = shard.clone();
        let (queued, waits) = channel();
        spawn(async move {
            let _ = queued.send(());
            assert_eq!(second.offload(|| 2).await, Ok(2));
        });
        while waits.try_recv().is_err() {
            crate::time::turn().await;
        }
        assert_eq!(shard.offload(|| 3).await, Err(Busy));
        let _ = go.send(());
        while shard.offload(|| 4).await != Ok(4) {
            crate::time::turn().await;
        }
    };
    run_on(&machine, 0, work, done);
    result.recv_timeout(PATIENCE).expect("done");
    finished(machine);
}

#[test]
fn ring_files() {
    on_shard(|_| async {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("segment");
        let file = RingFiles.open(&path, Mode::Create).await.expect("made");
        assert!(RingFiles.open(&path, Mode::Create).await.is_err());
        file.allocate(1 << 20).await.expect("reserved");
        assert_eq!(file.octets().await.expect("known"), 1 << 20);
        let octets: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        let (written, octets) = file.write_at(octets, 1_000).await;
        written.expect("written");
        file.sync_data().await.expect("durable");
        let (read, back) = file.read_at(vec![9; 10], 1_000, octets.len()).await;
        read.expect("read");
        assert!(back == octets);
        // Durable in one step, and in two where a plain write came before.
        for tail in [&b"one step"[..], b"two steps"] {
            let (written, tail) = file.write_durable(tail.to_vec(), 300_000).await;
            written.expect("durable");
            let (read, back) = file.read_at(Vec::new(), 300_000, tail.len()).await;
            read.expect("read");
            assert_eq!(back, tail);
            file.write_at(vec![0; 10], 400_000)
                .await
                .0
                .expect("written");
        }
        file.truncate(1_100).await.expect("cut");
        let (read, back) = file.read_at(Vec::new(), 1_000, 4_096).await;
        read.expect("read");
        assert_eq!(back, octets[..100]);
        let (read, back) = file.read_at(back, 5_000, 4_096).await;
        read.expect("read");
        assert!(back.is_empty());
        let again = RingFiles.open(&path, Mode::Read).await.expect("there");
        assert!(again.write_at(octets, 0).await.0.is_err());
        let dir = RingFiles.open(dir.path(), Mode::Directory).await;
        dir.expect("opened").sync_data().await.expect("durable");
    });
}
