//! A run of the store whose every write is known: what was asked for, in which order, what was promised when.
//!
//! In:  a seed.
//! Out: a [`Story`]: the trace of the files, and all writes in the order in which the index got them.
//!
//! One thread asks, so the order is known; two logs on blocking files, the real writer. Segments are small, so that the
//! logs go over into new ones all the time, and in the middle the store is closed and opened again.

use crate::mail;
use crate::random::Random;
use crate::trace::{Event, Mark, Watch};
use ringpost_api::behaviour::NOW;
use ringpost_api::table::flag;
use ringpost_api::write::{FlagChange, StoreFlags, Transfer};
use ringpost_api::{Answer, ReplyTo, Sink, Store, Write, read};
use ringpost_lmdb::tidy::{self, Tidy};
use ringpost_lmdb::{Lmdb, Options};
use ringpost_log::file::{Blocking, now};
use ringpost_log::{Append, Body, Log, Stream};
use ringpost_types::{AccountId, BlobId, ItemId, MailboxId, ModSeq, Uid};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Octets of a segment here.
const SEGMENT_OCTETS: u64 = 16 * 1024;
/// Logs, and accounts.
pub const LOGS: u16 = 2;
const ACCOUNTS: u32 = 3;
/// Octets of a streamed mail that are written at once.
const PIECE_OCTETS: usize = 30_000;
const NAMES: [&str; 4] = ["a", "a/b", "Trash", "c"];

/// How the store is opened, in the story and in each check.
pub fn options() -> Options {
    Options {
        map_octets: 64 * 1024 * 1024,
        clock: || NOW,
        ..Options::default()
    }
}

/// A tidier that is called for and waits for nothing.
pub fn tidier(store: &Arc<Lmdb>) -> Tidy {
    let options = tidy::Options {
        grace: Duration::ZERO,
        octets_per_second: 1 << 40,
        live_percent: 70,
        segment_octets: SEGMENT_OCTETS,
        ..Default::default()
    };
    Tidy::by_hand(Arc::clone(store), options).expect("a directory of ours")
}

/// Who is in a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    /// Those who bring mail and those who read it.
    Clients,
    /// And the tidier. What it asks the index for is not among the writes: it changes nothing that clients see.
    Tidied,
}

/// What happened.
pub struct Story {
    /// The directory that the events name.
    pub root: PathBuf,
    /// To the files, and what was promised.
    pub events: Vec<Event>,
    /// What the index was asked for, in order.
    pub writes: Vec<Write>,
    /// The number of each mail.
    pub mails: BTreeMap<BlobId, u64>,
    pub cast: Cast,
}

/// Takes the index's answers on its thread.
struct Answers {
    watch: Arc<Watch>,
    heard: Mutex<mpsc::Sender<()>>,
}

impl Sink for Answers {
    fn complete(&self, answers: Vec<Answer>) {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        for (token, _) in answers {
            self.watch.mark(Mark::Answered(token as usize));
            // Nobody listens any more when the story is over.
            let _ = heard.send(());
        }
    }
}

/// A log and what drives it.
pub struct Shard {
    pub log: Log,
    driver: Pin<Box<dyn Future<Output = ()>>>,
}

impl Shard {
    /// Opens log `number` where the store says that it goes on.
    pub fn open(
        store: &Lmdb,
        data: &Path,
        number: u16,
        mut submit: impl FnMut(Write) + 'static,
    ) -> Self {
        let options = ringpost_log::Options {
            segment_octets: SEGMENT_OCTETS,
            // Both kinds are about.
            compress: number == 1,
        };
        let end = store.log_end(number);
        let opened = now(Log::open(Blocking, data, number, end, options));
        let (log, driver) = opened.expect("a scratch directory");
        let driver = driver.run(move |write, _| submit(write));
        let driver = Box::pin(driver);
        Shard { log, driver }
    }

    /// Appends mail `number`, whole or streamed.
    pub fn append(&self, number: u64, accounts: &[AccountId]) -> Append {
        if !mail::is_streamed(number) {
            let body = Body::Whole(mail::octets(number));
            return self.log.append(mail::record(number, accounts, body), None);
        }
        let mut streaming = Streaming::begin(self, number, accounts.to_vec());
        while streaming.go_on() {}
        streaming.finish(self)
    }

    /// Writes what was appended.
    pub fn turn(&mut self) {
        // At the first turn the driver lets others add to the batch, at the second it writes.
        for _ in 0..3 {
            let mut context = Context::from_waker(Waker::noop());
            if self.driver.as_mut().poll(&mut context).is_ready() {
                return;
            }
        }
    }

    fn close(mut self) {
        let closed = self.log.clone();
        let mut closed = pin!(closed.close());
        let mut context = Context::from_waker(Waker::noop());
        let _ = closed.as_mut().poll(&mut context);
        self.turn();
        assert!(closed.as_mut().poll(&mut context).is_ready());
    }
}

/// A mail that is being streamed.
struct Streaming {
    number: u64,
    accounts: Vec<AccountId>,
    octets: Vec<u8>,
    written: usize,
    stream: Stream<Blocking>,
}

impl Streaming {
    fn begin(shard: &Shard, number: u64, accounts: Vec<AccountId>) -> Self {
        Streaming {
            number,
            accounts,
            octets: mail::octets(number),
            written: 0,
            stream: now(shard.log.stream(Blocking)).expect("a scratch directory"),
        }
    }

    /// Writes a piece; whether there is more to write.
    fn go_on(&mut self) -> bool {
        let end = (self.written + PIECE_OCTETS).min(self.octets.len());
        let piece = self.octets[self.written..end].to_vec();
        now(self.stream.write(piece)).expect("the disk is not full");
        self.written = end;
        end < self.octets.len()
    }

    fn finish(self, shard: &Shard) -> Append {
        let streamed = now(self.stream.finish()).expect("the disk is not full");
        let record = mail::record(self.number, &self.accounts, Body::Streamed(streamed));
        shard.log.append(record, None)
    }
}

struct Teller {
    random: Random,
    root: PathBuf,
    watch: Arc<Watch>,
    cast: Cast,
    tidier: Option<Tidy>,
    /// None between two runs.
    store: Option<Arc<Lmdb>>,
    shards: Vec<Shard>,
    /// What the index was asked for, by the logs too.
    asked: Rc<RefCell<Asked>>,
    heard: mpsc::Receiver<()>,
    /// Mails that are being streamed, with their shard.
    streams: Vec<(usize, Streaming)>,
    /// Appends that are not answered, with their mail's number.
    appends: Vec<(u64, Append)>,
    mails: BTreeMap<BlobId, u64>,
    next: u64,
}

struct Asked {
    writes: Vec<Write>,
    /// Answers that are to come.
    awaited: usize,
    answers: Arc<Answers>,
}

impl Asked {
    fn submit(&mut self, store: &Lmdb, write: Write, awaited: bool) {
        let reply = awaited.then(|| ReplyTo {
            sink: self.answers.clone(),
            token: self.writes.len() as u64,
        });
        self.awaited += usize::from(awaited);
        self.writes.push(write.clone());
        store.submit(write, reply);
    }
}

/// Lets things happen below the new directory `root`, `steps` of them.
pub fn tell(root: &Path, seed: u64, steps: usize, cast: Cast) -> Story {
    let root = root.canonicalize().expect("the directory is there");
    let watch = Arc::new(Watch::record(&root));
    let (sender, heard) = mpsc::channel();
    let answers = Arc::new(Answers {
        watch: Arc::clone(&watch),
        heard: Mutex::new(sender),
    });
    let mut teller = Teller {
        random: Random::new(seed),
        cast,
        tidier: None,
        store: None,
        root,
        watch,
        shards: Vec::new(),
        asked: Rc::new(RefCell::new(Asked {
            writes: Vec::new(),
            awaited: 0,
            answers,
        })),
        heard,
        streams: Vec::new(),
        appends: Vec::new(),
        mails: BTreeMap::new(),
        next: 1,
    };
    teller.open();
    for account in 1..=ACCOUNTS {
        let name = format!("{account}@example.test");
        let secret = String::new();
        teller.ask(Write::AccountCreate {
            name,
            secret,
            scram: None,
        });
    }
    teller.wait();
    for step in 0..steps {
        teller.step();
        if step == steps / 2 {
            teller.shut();
            teller.open();
        }
    }
    teller.end()
}

impl Teller {
    fn open(&mut self) {
        let opened = Lmdb::open(&self.root, options()).expect("a directory of ours");
        assert_eq!(opened.replay().records, 0, "it is new, or was closed well");
        // Before the logs: files that nobody names now are left over.
        self.tidier = (self.cast == Cast::Tidied).then(|| tidier(&opened));
        for number in 0..LOGS {
            let (asked, store) = (Rc::clone(&self.asked), Arc::clone(&opened));
            let mut random = Random::new(number.into());
            let submit = move |write| {
                let awaited = random.once_in(3);
                asked.borrow_mut().submit(&store, write, awaited);
            };
            self.shards
                .push(Shard::open(&opened, &self.root, number, submit));
        }
        self.store = Some(opened);
    }

    fn store(&self) -> Arc<Lmdb> {
        self.store.clone().expect("it is open between steps")
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0..=7 => self.append(),
            8 | 9 => self.stream(),
            10..=12 => self.turn(),
            13 => self.wait(),
            14 => self.tidy(),
            _ => self.change(),
        }
    }

    /// Holes, moved mails, segments removed. Nobody else asks for anything meanwhile.
    fn tidy(&mut self) {
        if let Some(tidier) = &mut self.tidier {
            tidier.round().expect("nothing is in its way");
        }
    }

    fn append(&mut self) {
        let number = self.next;
        self.next += 1;
        let first = self.random.below(ACCOUNTS as usize) as u32;
        let count = 1 + self.random.below(2) as u32;
        let accounts = (first..first + count).map(|at| AccountId(1 + at % ACCOUNTS));
        let accounts: Vec<AccountId> = accounts.collect();
        let shard = self.random.below(self.shards.len());
        if mail::is_streamed(number) {
            let streaming = Streaming::begin(&self.shards[shard], number, accounts);
            self.streams.push((shard, streaming));
            return;
        }
        let append = self.shards[shard].append(number, &accounts);
        self.appends.push((number, append));
        if self.random.once_in(3) {
            self.turn();
        }
    }

    /// A piece more of a mail that is being streamed; or its sender goes away.
    fn stream(&mut self) {
        let Some((shard, mut streaming)) = self.streams.pop() else {
            return;
        };
        if streaming.go_on() {
            self.streams.insert(0, (shard, streaming));
        } else if !self.random.once_in(4) {
            let number = streaming.number;
            let append = streaming.finish(&self.shards[shard]);
            self.appends.push((number, append));
        }
    }

    /// The logs write, and answer.
    fn turn(&mut self) {
        for shard in &mut self.shards {
            shard.turn();
        }
        for (number, mut append) in std::mem::take(&mut self.appends) {
            let mut context = Context::from_waker(Waker::noop());
            match Pin::new(&mut append).poll(&mut context) {
                Poll::Ready(durable) => {
                    let durable = durable.expect("the disk is not full");
                    self.watch.mark(Mark::Durable(number));
                    self.mails.insert(durable.blob, number);
                }
                Poll::Pending => self.appends.push((number, append)),
            }
        }
    }

    fn ask(&mut self, write: Write) {
        let store = self.store();
        self.asked.borrow_mut().submit(&store, write, true);
    }

    /// Until all is answered.
    fn wait(&mut self) {
        let count = std::mem::take(&mut self.asked.borrow_mut().awaited);
        for _ in 0..count {
            self.heard.recv().expect("every write is answered");
        }
    }

    /// Something that an IMAP session asks for.
    fn change(&mut self) {
        let account = AccountId(1 + self.random.below(ACCOUNTS as usize) as u32);
        let mailbox = match self.random.below(4) {
            0 => MailboxId(1 + self.random.below(9) as u32),
            _ => MailboxId::INBOX,
        };
        let name = NAMES[self.random.below(NAMES.len())].to_owned();
        let uids = self.uids(account, mailbox);
        let write = match self.random.below(15) {
            0..=3 => Write::Store(StoreFlags {
                account,
                mailbox,
                uids,
                change: FlagChange::Add,
                flags: 1 << self.random.below(5),
                keywords: Vec::new(),
                unchanged_since: self.random.once_in(4).then_some(ModSeq(20)),
            }),
            4..=6 => {
                let gone = StoreFlags {
                    account,
                    mailbox,
                    uids: uids.clone(),
                    change: FlagChange::Add,
                    flags: flag::DELETED,
                    keywords: vec!["$Junk".into()],
                    unchanged_since: None,
                };
                self.ask(Write::Store(gone));
                Write::Expunge {
                    account,
                    mailbox,
                    uids: Some(uids),
                }
            }
            7 | 8 => Write::Transfer {
                account,
                mailbox,
                uids,
                target: MailboxId(1 + self.random.below(9) as u32),
                mode: match self.random.once_in(2) {
                    true => Transfer::Copy,
                    false => Transfer::Move,
                },
            },
            9 => Write::MailboxCreate {
                account,
                name,
                special: 0,
            },
            10 => Write::MailboxDelete { account, name },
            11 => Write::QueueDrop {
                items: self.items(),
            },
            12 => Write::QueueHold {
                items: self.items(),
                why: "wait".into(),
            },
            13 => Write::QueueRelease {
                items: self.items(),
            },
            _ => Write::ClaimRecent { account, mailbox },
        };
        self.ask(write);
        if self.random.once_in(2) {
            self.wait();
        }
    }

    /// Some of the first items of the queue.
    fn items(&mut self) -> Vec<ItemId> {
        let first = 1 + self.random.below(10) as u64;
        (first..first + 3).map(ItemId).collect()
    }

    /// Some of the messages of a mailbox.
    fn uids(&mut self, account: AccountId, mailbox: MailboxId) -> Vec<Uid> {
        let store = self.store();
        let snapshot = store.snapshot().expect("a snapshot");
        let mut uids = Vec::new();
        read::messages(&*snapshot, account, mailbox, Uid(0), |uid, _| {
            uids.push(uid);
            ControlFlow::Continue(())
        })
        .expect("readable");
        let times = 1 + self.random.below(4);
        uids.retain(|_| self.random.once_in(times));
        uids
    }

    /// Closes everything as a server does that is told to leave.
    fn shut(&mut self) {
        self.streams.clear();
        self.turn();
        self.wait();
        for shard in self.shards.drain(..) {
            shard.close();
        }
        self.tidier = None;
        self.store = None;
    }

    fn end(mut self) -> Story {
        self.shut();
        let writes = std::mem::take(&mut self.asked.borrow_mut().writes);
        Story {
            events: self.watch.end(),
            root: self.root,
            writes,
            mails: self.mails,
            cast: self.cast,
        }
    }
}
