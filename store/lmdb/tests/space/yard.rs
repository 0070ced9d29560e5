//! A store with a log of its own in a scratch directory: mails by number come in, are let go of, are read back.

use ringpost_api::behaviour::ask;
use ringpost_api::item::{Head, Item, Recipient, State};
use ringpost_api::write::{FlagChange, Missing, StoreFlags, Target};
use ringpost_api::{Outcome, Store, Write, read};
use ringpost_lmdb::tidy::Tidy;
use ringpost_lmdb::verify::{Depth, Report, verify};
use ringpost_lmdb::{Lmdb, Options, tidy};
use ringpost_log::file::{Blocking, now};
use ringpost_log::{Body, Log, Reader, Record, segment};
use ringpost_types::{AccountId, BlobId, ItemId, MailboxId, Uid};
use std::collections::BTreeMap;
use std::future::Future;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

pub const ACCOUNT: AccountId = AccountId(1);
/// Small, so that many of them come and go.
pub const SEGMENT_OCTETS: u64 = 256 * 1024;

pub struct Yard {
    pub lmdb: Arc<Lmdb>,
    pub data: PathBuf,
    log: Log,
    driver: Pin<Box<dyn Future<Output = ()>>>,
}

/// Numbers that look random, from a seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % bound
    }
}

/// The octets of mail `number`, short ones and some longer than a few pages.
pub fn octets(number: u64) -> Vec<u8> {
    let mut random = Random(number);
    let length = match random.below(8) {
        0 => 20_000 + random.below(40_000),
        _ => 200 + random.below(4_000),
    };
    let mut octets = format!("Subject: mail {number}\r\n\r\n").into_bytes();
    while (octets.len() as u64) < length {
        octets.extend_from_slice(&random.below(u64::MAX).to_be_bytes());
    }
    octets
}

/// What the tidier does without waiting for anything.
pub fn at_once() -> tidy::Options {
    tidy::Options {
        every: Duration::ZERO,
        grace: Duration::ZERO,
        octets_per_second: u64::MAX,
        segment_octets: SEGMENT_OCTETS,
        ..tidy::Options::default()
    }
}

pub fn options() -> Options {
    Options {
        map_octets: 256 * 1024 * 1024,
        ..Options::default()
    }
}

pub fn open(data: &Path) -> Arc<Lmdb> {
    Lmdb::open(data, options()).expect("a data directory")
}

/// All that the tidier can do now.
pub fn tidy_up(tidy: &mut Tidy) {
    for _ in 0..100 {
        if !tidy.round().expect("a round").more {
            return;
        }
    }
    panic!("there is no end to it");
}

impl Yard {
    /// Opens the store and its log, with one account.
    pub fn open(data: &Path) -> Yard {
        Yard::of(open(data))
    }

    /// Opens the log of an open store.
    pub fn of(lmdb: Arc<Lmdb>) -> Yard {
        let create = Write::AccountCreate {
            name: "a@example.test".into(),
            secret: String::new(),
            scram: None,
        };
        let _ = ask(&*lmdb, create);
        let data = lmdb.data().to_owned();
        let options = ringpost_log::Options {
            segment_octets: SEGMENT_OCTETS,
            ..Default::default()
        };
        let opened = now(Log::open(Blocking, &data, 0, lmdb.log_end(0), options));
        let (log, driver) = opened.expect("a log");
        let store = Arc::clone(&lmdb);
        let driver = driver.run(move |write, reply| store.submit(write, reply));
        Yard {
            lmdb,
            data,
            log,
            driver: Box::pin(driver),
        }
    }

    /// Mail `number` into INBOX; durable in the log on return, and soon in the index.
    pub fn deliver(&mut self, number: u64) {
        let body = Body::Whole(octets(number));
        self.append(number, body, ACCOUNT, MailboxId::INBOX);
    }

    /// The same as a mail that only leaves, in one envelope.
    pub fn leave(&mut self, number: u64) {
        let item = leaving(number);
        let record = Record {
            targets: vec![],
            items: vec![item],
            digest: format!("digest {number}").into_bytes(),
            text: vec![],
            body: Body::Whole(octets(number)),
        };
        self.take(record);
    }

    /// The same into a mailbox.
    pub fn deliver_to(&mut self, number: u64, account: AccountId, mailbox: MailboxId) {
        self.append(number, Body::Whole(octets(number)), account, mailbox);
    }

    /// The same as a large mail, which gets a segment of its own.
    pub fn stream(&mut self, number: u64) {
        let mut stream = now(self.log.stream(Blocking)).expect("a stream");
        for piece in octets(number).chunks(1_000) {
            now(stream.write(piece.to_vec())).expect("written");
        }
        let body = Body::Streamed(now(stream.finish()).expect("durable"));
        self.append(number, body, ACCOUNT, MailboxId::INBOX);
    }

    fn append(&mut self, number: u64, body: Body, account: AccountId, mailbox: MailboxId) {
        let target = Target {
            account,
            mailbox,
            missing: Missing::Inbox,
            flags: 0,
            keywords: vec![],
            internal_date: number,
            prefix: vec![],
        };
        let record = Record {
            targets: vec![target],
            items: Vec::new(),
            digest: format!("digest {number}").into_bytes(),
            text: format!("text {number}").into_bytes(),
            body,
        };
        self.take(record);
    }

    fn take(&mut self, record: Record) {
        let mut append = self.log.append(record, None);
        let mut context = Context::from_waker(Waker::noop());
        while Pin::new(&mut append).poll(&mut context).is_pending() {
            assert!(self.driver.as_mut().poll(&mut context).is_pending());
        }
    }

    /// Waits until the index has all that was delivered.
    pub fn settle(&self) {
        let claim = Write::ClaimRecent {
            account: ACCOUNT,
            mailbox: MailboxId::INBOX,
        };
        ask(&*self.lmdb, claim).expect("in order behind them");
    }

    /// Every message of INBOX: its UID and the number of its mail.
    pub fn mails(&self) -> BTreeMap<Uid, u64> {
        mails(&self.lmdb)
    }

    pub fn expunge(&self, uids: Vec<Uid>) {
        let store = StoreFlags {
            account: ACCOUNT,
            mailbox: MailboxId::INBOX,
            uids: uids.clone(),
            change: FlagChange::Add,
            flags: ringpost_api::table::flag::DELETED,
            keywords: vec![],
            unchanged_since: None,
        };
        ask(&*self.lmdb, Write::Store(store)).expect("flagged");
        // A large one takes several writes.
        let mut more = true;
        while more {
            let expunge = Write::Expunge {
                account: ACCOUNT,
                mailbox: MailboxId::INBOX,
                uids: Some(uids.clone()),
            };
            more = match ask(&*self.lmdb, expunge) {
                Ok(Outcome::Expunged { more, .. }) => more,
                other => panic!("{other:?}"),
            };
        }
    }

    /// Octets that the segments take on disk.
    pub fn allocated(&self) -> u64 {
        let mut octets = 0;
        for log in segment::logs(&self.data).expect("a listing") {
            for entry in segment::directory(&self.data, log).read_dir().expect("one") {
                let found = entry.expect("an entry").metadata().expect("there");
                octets += found.blocks() * 512;
            }
        }
        octets
    }

    /// Octets of the mails that are there.
    pub fn live(&self) -> u64 {
        self.mails()
            .values()
            .map(|&number| octets(number).len() as u64)
            .sum()
    }
}

/// The envelope in which mail `number` leaves.
fn leaving(number: u64) -> Item {
    Item {
        head: Head {
            created: number * 1_000,
            due: number,
            ..Head::default()
        },
        recipients: vec![Recipient {
            address: format!("{number}@other.test"),
            ..Recipient::default()
        }],
        ..Item::default()
    }
}

/// Items of the queue: to whom, whether it is held, and its mail.
pub fn queue(lmdb: &Lmdb) -> Vec<(String, bool, BlobId)> {
    let snapshot = lmdb.snapshot().expect("a snapshot");
    let mut all = Vec::new();
    read::items(&*snapshot, ItemId(0), |_, row| {
        let to = row.recipients().next().expect("one").address.to_owned();
        all.push((to, row.head.state == State::Held, row.head.blob));
        ControlFlow::Continue(())
    })
    .expect("readable");
    all
}

pub fn mails(lmdb: &Lmdb) -> BTreeMap<Uid, u64> {
    let snapshot = lmdb.snapshot().expect("a snapshot");
    let mut mails = BTreeMap::new();
    read::messages(&*snapshot, ACCOUNT, MailboxId::INBOX, Uid(0), |uid, row| {
        mails.insert(uid, row.internal_date);
        ControlFlow::Continue(())
    })
    .expect("readable");
    mails
}

/// Reads one message; `None` where it is gone. Looked up again when its mail has moved meanwhile.
pub fn fetch(lmdb: &Lmdb, reader: &Reader<Blocking>, uid: Uid) -> Option<Result<Vec<u8>, String>> {
    let look = || {
        let snapshot = lmdb.snapshot().expect("a snapshot");
        let row = read::message(&*snapshot, ACCOUNT, MailboxId::INBOX, uid).expect("readable")?;
        read::blob(&*snapshot, row.blob).expect("readable")
    };
    loop {
        let blob = look()?;
        let error = match now(reader.whole(&blob)) {
            Ok(octets) => return Some(Ok(octets)),
            Err(error) => error,
        };
        if look() == Some(blob) {
            return Some(Err(error.to_string()));
        }
    }
}

/// Every message is there and is what it was.
#[track_caller]
pub fn whole(lmdb: &Lmdb) {
    let reader = Reader::new(Blocking, lmdb.data());
    for (uid, number) in mails(lmdb) {
        let found = fetch(lmdb, &reader, uid).expect("nobody expunges it");
        assert!(found.expect("readable") == octets(number), "UID {uid}");
    }
}

pub fn check(lmdb: &Lmdb) -> Report {
    verify(lmdb, Depth::Full, &mut |_, _| ControlFlow::Continue(())).expect("it can be read")
}

/// Nothing is wrong.
#[track_caller]
pub fn sound(lmdb: &Lmdb) {
    assert_eq!(check(lmdb).findings, []);
}
