//! A log as its users see it: group commit, failure, rollover, recovery. Over blocking files with a switch that
//! makes them fail, and a counter for what a batch costs.

use proptest::prelude::*;
use ringpost_api::Write;
use ringpost_api::write::{Deliver, Missing, Position, Target};
use ringpost_log::file::{Blocking, Files, Mode, SegmentFile, now};
use ringpost_log::recover::Damage;
use ringpost_log::{
    Append, Body, Driver, Entry, Found, Log, LogError, Options, Reader, Record, Recovery, segment,
};
use ringpost_types::{AccountId, MailboxId};
use std::cell::{Cell, RefCell};
use std::fs;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Blocking files that count, and fail when told to.
#[derive(Clone, Default)]
struct Trial(Rc<Counts>);

#[derive(Default)]
struct Counts {
    writes: Cell<u32>,
    syncs: Cell<u32>,
    /// The errno that syncs fail with.
    sync_fails: Cell<Option<i32>>,
    /// The errno that reserving space fails with, and from how many octets on.
    allocate_fails: Cell<Option<(i32, u64)>>,
    /// How long a sync takes, by `clock`.
    sync_time: Cell<Duration>,
    clock: Cell<Option<Instant>>,
    /// Pauses, and whether they are over.
    pauses: Cell<u32>,
    over: Cell<bool>,
    /// Directories that were synced.
    folders: RefCell<Vec<PathBuf>>,
    /// Octets of the file when it was last synced.
    synced_octets: Cell<u64>,
}

struct TrialFile(fs::File, Trial, PathBuf);

impl Files for Trial {
    type File = TrialFile;

    async fn open(&self, path: &Path, mode: Mode) -> io::Result<TrialFile> {
        Ok(TrialFile(
            Blocking.open(path, mode).await?,
            self.clone(),
            path.to_owned(),
        ))
    }

    async fn pause(&self, _: Duration) {
        self.0.pauses.set(self.0.pauses.get() + 1);
        std::future::poll_fn(|_| match self.0.over.get() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    fn clock(&self) -> Instant {
        let clock = self.0.clock.get().unwrap_or_else(Instant::now);
        self.0.clock.set(Some(clock));
        clock
    }
}

fn failing(errno: Option<i32>) -> io::Result<()> {
    errno.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
}

impl SegmentFile for TrialFile {
    async fn write_at(&self, octets: Vec<u8>, offset: u64) -> (io::Result<()>, Vec<u8>) {
        let counts = &self.1.0;
        counts.writes.set(counts.writes.get() + 1);
        self.0.write_at(octets, offset).await
    }

    async fn read_at(
        &self,
        octets: Vec<u8>,
        offset: u64,
        limit: usize,
    ) -> (io::Result<()>, Vec<u8>) {
        self.0.read_at(octets, offset, limit).await
    }

    async fn sync_data(&self) -> io::Result<()> {
        let counts = &self.1.0;
        counts.syncs.set(counts.syncs.get() + 1);
        let clock = self.1.clock() + counts.sync_time.get();
        counts.clock.set(Some(clock));
        let metadata = self.0.metadata()?;
        if metadata.is_dir() {
            counts.folders.borrow_mut().push(self.2.clone());
        } else {
            counts.synced_octets.set(metadata.len());
        }
        failing(counts.sync_fails.get())
    }

    async fn allocate(&self, octets: u64) -> io::Result<()> {
        match self.1.0.allocate_fails.get() {
            Some((errno, from)) if octets >= from => {
                if errno == libc::ENOSPC {
                    // Half of it is there all the same, as on ext4.
                    self.0.allocate(octets / 2).await?;
                }
                failing(Some(errno))
            }
            _ => self.0.allocate(octets).await,
        }
    }

    async fn truncate(&self, octets: u64) -> io::Result<()> {
        self.0.truncate(octets).await
    }

    async fn octets(&self) -> io::Result<u64> {
        self.0.octets().await
    }
}

/// A log whose driver runs when the test says so.
struct Scene {
    log: Log,
    driver: Pin<Box<dyn Future<Output = ()>>>,
    delivered: Rc<RefCell<Vec<Deliver>>>,
}

const OPTIONS: Options = Options {
    segment_octets: 64 * 1024,
    compress: false,
};

impl Scene {
    fn open(trial: &Trial, data: &Path, end: Position, options: Options) -> Self {
        let opened: (Log, Driver<Trial>) =
            now(Log::open(trial.clone(), data, 7, end, options)).expect("a scratch directory");
        let delivered = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&delivered);
        let driver = opened.1.run(move |write, _| match write {
            Write::Deliver(deliver) => seen.borrow_mut().push(deliver),
            other => panic!("{other:?}"),
        });
        Scene {
            log: opened.0,
            driver: Box::pin(driver),
            delivered,
        }
    }

    /// Lets the driver work until it has nothing to do.
    fn turn(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..4 {
            if self.driver.as_mut().poll(&mut context).is_ready() {
                return;
            }
        }
    }

    fn append(&mut self, record: Record) -> Result<Deliver, LogError> {
        let mut append = self.log.append(record, None);
        self.turn();
        answer(&mut append)?;
        Ok(self
            .delivered
            .borrow()
            .last()
            .cloned()
            .expect("it was delivered"))
    }
}

fn answer(append: &mut Append) -> Result<(), LogError> {
    match Pin::new(append).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer.map(|_| ()),
        Poll::Pending => panic!("no answer yet"),
    }
}

fn record(octets: usize, fill: u8) -> Record {
    let target = Target {
        account: AccountId(1),
        mailbox: MailboxId::INBOX,
        missing: Missing::Inbox,
        flags: 0,
        keywords: vec!["$Test".into()],
        internal_date: 1,
        prefix: b"Return-Path: <>\r\n".to_vec(),
    };
    Record {
        targets: vec![target],
        digest: vec![fill; 33],
        text: vec![fill; 5],
        body: Body::Whole(vec![fill; octets]),
    }
}

/// What recovery finds behind `from`, and where the log goes on.
fn recover(data: &Path, from: Position) -> (Vec<Found>, Position) {
    let mut recovery = Recovery::open(data, 7, from).expect("a log");
    let mut found = Vec::new();
    while let Some(one) = recovery.step().expect("readable") {
        found.push(one);
    }
    (found, recovery.finish().expect("writable").position)
}

fn records(delivers: &[Deliver]) -> Vec<Found> {
    let found = |deliver| Found::Record(Entry::Deliver(deliver));
    delivers.iter().cloned().map(found).collect()
}

#[test]
fn one_write_and_one_sync_for_all_that_gathered() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    let mut scene = Scene::open(&trial, data.path(), Position::default(), Options::default());
    scene.append(record(10, b'a')).expect("durable");
    trial.0.writes.set(0);
    trial.0.syncs.set(0);

    let mut appends: Vec<Append> = (0..50u8)
        .map(|n| scene.log.append(record(usize::from(n) * 100, n), None))
        .collect();
    scene.turn();
    for append in &mut appends {
        assert_eq!(answer(append), Ok(()));
    }
    assert_eq!((trial.0.writes.get(), trial.0.syncs.get()), (1, 1));

    let delivered = scene.delivered.borrow().clone();
    let sequences: Vec<u64> = delivered.iter().map(|d| d.blob.sequence()).collect();
    assert_eq!(sequences, (1..=51).collect::<Vec<u64>>());
    let end = delivered.last().expect("many").next;
    assert_eq!(
        recover(data.path(), Position::default()),
        (records(&delivered), end)
    );
}

/// A crowd of clients is gathered into one batch: until most of them are back, the pause is over or the log closes.
#[test]
fn a_batch_waits_for_the_clients_of_the_last_one() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    trial.0.sync_time.set(Duration::from_millis(4));
    let mut scene = Scene::open(&trial, data.path(), Position::default(), Options::default());
    let durable = |scene: &Scene| scene.delivered.borrow().len();
    let send = |scene: &mut Scene, count: usize| {
        for _ in 0..count {
            drop(scene.log.append(record(10, b'a'), None));
        }
        scene.turn();
    };
    send(&mut scene, 16);
    assert_eq!((durable(&scene), trial.0.pauses.get()), (16, 0));
    send(&mut scene, 5);
    assert_eq!((durable(&scene), trial.0.pauses.get()), (16, 1));
    send(&mut scene, 7);
    assert_eq!((durable(&scene), trial.0.syncs.get()), (28, 5));

    send(&mut scene, 1);
    assert_eq!((durable(&scene), trial.0.pauses.get()), (28, 2));
    trial.0.over.set(true);
    scene.turn();
    assert_eq!(durable(&scene), 29);
    // A lone client does not wait.
    send(&mut scene, 1);
    assert_eq!((durable(&scene), trial.0.pauses.get()), (30, 2));

    trial.0.over.set(false);
    send(&mut scene, 16);
    send(&mut scene, 1);
    assert_eq!((durable(&scene), trial.0.pauses.get()), (46, 3));
    let log = scene.log.clone();
    let mut close = Box::pin(log.close());
    let mut context = Context::from_waker(Waker::noop());
    assert!(close.as_mut().poll(&mut context).is_pending());
    scene.turn();
    assert!(close.as_mut().poll(&mut context).is_ready());
    assert_eq!(durable(&scene), 47);
}

#[test]
fn mails_come_back_in_pieces() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut scene = Scene::open(
        &Trial::default(),
        data.path(),
        Position::default(),
        Options::default(),
    );
    let reader = Reader::new(Blocking, data.path());
    for octets in [
        0,
        1,
        7,
        8,
        9,
        4096,
        65_536,
        65_537,
        128 * 1024 - 1,
        128 * 1024,
        300_001,
    ] {
        let sent: Vec<u8> = (0..octets).map(|at| (at % 251) as u8).collect();
        let mut carrier = record(0, 0);
        carrier.body = Body::Whole(sent.clone());
        let deliver = scene.append(carrier).expect("durable");
        let blob = ringpost_api::table::BlobRow {
            log: deliver.blob.log(),
            segment: deliver.segment,
            offset: deliver.offset,
            octets: deliver.octets,
            stored: deliver.stored,
            encoding: deliver.encoding,
            checksum: deliver.checksum,
            record: deliver.record,
            references: 1,
        };
        assert!(now(reader.whole(&blob)).as_ref() == Ok(&sent), "{octets}");
        let middle = octets as u64 / 2;
        let piece = now(reader.read(&blob, middle..u64::MAX, Vec::new())).expect("readable");
        let end = (octets / 2 + piece.len()).min(octets);
        assert!(piece == sent[octets / 2..end] && piece.len() <= 65_536);
        assert!(!piece.is_empty() || octets == 0);
        let other = ringpost_api::table::BlobRow {
            checksum: blob.checksum ^ 1,
            ..blob
        };
        assert_eq!(now(reader.whole(&other)), Err(LogError::Damaged));
    }
}

#[test]
fn what_is_refused_is_not_in_the_log() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    let mut kept = vec![scene.append(record(100, b'a')).expect("durable")];
    for (errno, expected) in [
        (libc::EIO, LogError::Io(libc::EIO)),
        (libc::ENOSPC, LogError::Full),
    ] {
        trial.0.sync_fails.set(Some(errno));
        let mut two = [record(50, b'x'), record(60, b'y')].map(|r| scene.log.append(r, None));
        scene.turn();
        for append in &mut two {
            assert_eq!(answer(append), Err(expected));
        }
        trial.0.sync_fails.set(None);
        kept.push(
            scene
                .append(record(10, b'b'))
                .expect("there is space again"),
        );
    }
    assert_eq!(*scene.delivered.borrow(), kept);
    assert_eq!(recover(data.path(), Position::default()).0, records(&kept));
}

#[test]
fn a_disk_without_room_for_a_segment_refuses_and_recovers() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    trial.0.allocate_fails.set(Some((libc::ENOSPC, 0)));
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    assert_eq!(scene.append(record(100, b'a')), Err(LogError::Full));
    assert_eq!(
        segment::segments(data.path(), 7).expect("a directory"),
        Vec::<u32>::new()
    );
    trial.0.allocate_fails.set(None);
    let kept = scene
        .append(record(100, b'b'))
        .expect("there is space again");
    assert_eq!(
        recover(data.path(), Position::default()).0,
        records(&[kept])
    );
}

/// Nearly full: a segment as large as it must be, and the rest is left to the index.
#[test]
fn a_disk_with_little_room_is_not_taken_whole() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    trial.0.allocate_fails.set(Some((libc::ENOSPC, 32 * 1024)));
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    let kept = scene.append(record(100, b'a')).expect("it fits");
    let path = segment::path(data.path(), 7, 1);
    let octets = fs::metadata(&path).expect("a segment").len();
    assert_eq!(octets, kept.next.offset);
    let more = scene.append(record(100, b'b')).expect("it grows");
    assert_eq!(
        recover(data.path(), Position::default()).0,
        records(&[kept, more])
    );
}

#[test]
fn a_file_system_that_reserves_nothing_will_do() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    trial.0.allocate_fails.set(Some((libc::EOPNOTSUPP, 0)));
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    let kept: Vec<Deliver> = (0..3)
        .map(|_| scene.append(record(40_000, b'a')).expect("durable"))
        .collect();
    assert_eq!(recover(data.path(), Position::default()).0, records(&kept));
}

/// A start that is killed between making the log's directory and syncing its name does not do without.
#[test]
fn names_are_durable_before_records_are() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let folder = segment::directory(data.path(), 7);
    fs::create_dir_all(&folder).expect("writable");
    let trial = Trial::default();
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    scene.append(record(1, b'a')).expect("durable");
    assert_eq!(
        *trial.0.folders.borrow(),
        [data.path().to_owned(), folder],
        "the log's directory, then its first segment"
    );
}

/// What a failed sync left is cut off, and the cut is on disk before the refusal is heard.
#[test]
fn a_refusal_outlives_a_crash() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    trial.0.allocate_fails.set(Some((libc::EOPNOTSUPP, 0)));
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    let kept = scene.append(record(100, b'a')).expect("durable");
    trial.0.sync_fails.set(Some(libc::EIO));
    assert!(scene.append(record(50, b'x')).is_err());
    assert_eq!(trial.0.synced_octets.get(), kept.next.offset);
}

#[test]
fn the_log_goes_on_in_the_next_segment_and_after_a_restart() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let options = Options {
        segment_octets: 4096,
        ..OPTIONS
    };
    let (mut all, mut end) = (Vec::new(), Position::default());
    for _ in 0..3 {
        let mut scene = Scene::open(&Trial::default(), data.path(), end, options);
        for octets in [1000, 1000, 10_000, 100] {
            all.push(scene.append(record(octets, b'a')).expect("durable"));
        }
        drop(scene);
        let (found, after) = recover(data.path(), Position::default());
        assert_eq!(found, records(&all));
        assert_eq!(after, all.last().expect("some").next);
        end = after;
    }
    assert!(
        segment::segments(data.path(), 7)
            .expect("a directory")
            .len()
            > 3
    );
    // From any position in the middle, the rest.
    for (at, deliver) in all.iter().enumerate() {
        assert_eq!(
            recover(data.path(), deliver.next).0,
            records(&all[at + 1..])
        );
    }
}

/// The last record cut at every octet, with nothing or with reserved zeros behind the cut.
#[test]
fn a_torn_tail_is_cut() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut scene = Scene::open(&Trial::default(), data.path(), Position::default(), OPTIONS);
    let whole: Vec<Deliver> = [b'a', b'b', b'c']
        .map(|fill| scene.append(record(91, fill)).expect("durable"))
        .into();
    drop(scene);
    let path = segment::path(data.path(), 7, 1);
    let octets = fs::read(&path).expect("a segment");
    let (last, end) = (whole[1].next.offset as usize, whole[2].next.offset as usize);
    for cut in last..end {
        for behind in [cut, end, octets.len()] {
            let mut torn = octets[..cut].to_vec();
            torn.resize(behind.max(cut), 0);
            if torn.get(..end) == Some(&octets[..end]) {
                continue; // Cut in the padding, which is zero.
            }
            fs::write(&path, &torn).expect("writable");
            let (found, after) = recover(data.path(), Position::default());
            assert_eq!(found, records(&whole[..2]), "cut at {cut}, {behind} octets");
            assert_eq!(after, whole[1].next);
            assert_eq!(fs::metadata(&path).expect("there").len(), last as u64);
        }
    }
    let mut scene = Scene::open(&Trial::default(), data.path(), whole[1].next, OPTIONS);
    let again = scene.append(record(10, b'd')).expect("durable");
    let expected = [&whole[..2], &[again]].concat();
    assert_eq!(
        recover(data.path(), Position::default()).0,
        records(&expected)
    );
}

/// Every octet of a record in the middle damaged: the others stand, and the stretch is told.
#[test]
fn damage_in_the_middle_is_isolated() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut scene = Scene::open(&Trial::default(), data.path(), Position::default(), OPTIONS);
    let whole: Vec<Deliver> = [b'a', b'b', b'c']
        .map(|fill| scene.append(record(91, fill)).expect("durable"))
        .into();
    drop(scene);
    let path = segment::path(data.path(), 7, 1);
    let octets = fs::read(&path).expect("a segment");
    let (begin, end) = (whole[0].next.offset, whole[1].next.offset);
    let mail_end = whole[1].offset + whole[1].octets;
    for at in begin..mail_end {
        let mut damaged = octets.clone();
        damaged[at as usize] ^= 0x55;
        fs::write(&path, &damaged).expect("writable");
        let (found, after) = recover(data.path(), Position::default());
        let stretch = Damage {
            segment: 1,
            offset: begin,
            octets: end - begin,
        };
        let expected = [
            Found::Record(Entry::Deliver(whole[0].clone())),
            Found::Damage(stretch),
            Found::Record(Entry::Deliver(whole[2].clone())),
        ];
        assert_eq!(found, expected, "octet {at}");
        assert_eq!(after, whole[2].next);
    }
}

/// A mail may carry the octets of a record; a search behind a damaged one does not take them for it.
#[test]
fn a_record_inside_a_mail_is_not_found() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut scene = Scene::open(&Trial::default(), data.path(), Position::default(), OPTIONS);
    scene.append(record(64, b'a')).expect("durable");
    drop(scene);
    let stolen = fs::read(segment::path(data.path(), 7, 1)).expect("a segment");
    let stolen = stolen[64..64 + 512].to_vec();

    let other = tempfile::tempdir().expect("a scratch directory");
    let mut scene = Scene::open(
        &Trial::default(),
        other.path(),
        Position::default(),
        OPTIONS,
    );
    for shift in 0..8 {
        let mut carrier = record(0, b'a');
        carrier.body = Body::Whole([vec![b' '; shift], stolen.clone()].concat());
        scene.append(carrier).expect("durable");
    }
    let count = scene.delivered.borrow().len();
    drop(scene);
    let path = segment::path(other.path(), 7, 1);
    let mut octets = fs::read(&path).expect("a segment");
    octets[64] ^= 1;
    fs::write(&path, &octets).expect("writable");
    let (found, _) = recover(other.path(), Position::default());
    assert_eq!(
        found.len(),
        count,
        "one damaged stretch, and the records behind it"
    );
    assert!(matches!(found[0], Found::Damage(_)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    /// Whatever happens to the octets of a segment: recovery ends, and what it finds was written, in that order.
    #[test]
    fn recovery_finds_nothing_that_was_not_written(
        sizes in proptest::collection::vec(0usize..3000, 1..8),
        hits in proptest::collection::vec((any::<usize>(), 1usize..200, any::<u8>()), 0..6),
        cut in proptest::option::of(any::<usize>()),
    ) {
        let data = tempfile::tempdir().expect("a scratch directory");
        let mut scene = Scene::open(&Trial::default(), data.path(), Position::default(), OPTIONS);
        for octets in sizes {
            scene.append(record(octets, b'a')).expect("durable");
        }
        let written = records(&scene.delivered.borrow());
        drop(scene);
        let path = segment::path(data.path(), 7, 1);
        let mut octets = fs::read(&path).expect("a segment");
        for (at, length, fill) in hits {
            let at = at % octets.len();
            let end = (at + length).min(octets.len());
            octets[at..end].fill(fill);
        }
        octets.truncate(cut.map_or(octets.len(), |cut| cut % (octets.len() + 1)));
        fs::write(&path, &octets).expect("writable");
        let (found, end) = recover(data.path(), Position::default());
        let mut rest = written.iter();
        for one in found.iter().filter(|found| matches!(found, Found::Record(_))) {
            prop_assert!(rest.any(|record| record == one), "in order, and written");
        }
        let (again, same) = recover(data.path(), Position::default());
        prop_assert_eq!((again, same), (found, end));
    }
}

#[test]
fn a_closed_log_takes_nothing_and_answers_what_it_took() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut scene = Scene::open(&Trial::default(), data.path(), Position::default(), OPTIONS);
    let mut before = scene.log.append(record(1, b'a'), None);
    let log = scene.log.clone();
    let mut close = Box::pin(log.close());
    let mut context = Context::from_waker(Waker::noop());
    assert!(close.as_mut().poll(&mut context).is_pending());
    let mut after = log.append(record(1, b'b'), None);
    scene.turn();
    assert_eq!(answer(&mut before), Ok(()));
    assert_eq!(answer(&mut after), Err(LogError::Closed));
    assert!(close.as_mut().poll(&mut context).is_ready());
}

#[test]
fn a_segment_that_was_just_being_begun_is_begun_again() {
    let data = tempfile::tempdir().expect("a scratch directory");
    fs::create_dir_all(segment::directory(data.path(), 7)).expect("writable");
    let path = segment::path(data.path(), 7, 1);
    for octets in [0, 10, 64, 5000] {
        fs::write(&path, vec![0; octets]).expect("writable");
        let (found, end) = recover(data.path(), Position::default());
        assert_eq!(
            (found, end.segment, end.offset, end.sequence),
            (vec![], 1, 0, 1)
        );
        let mut scene = Scene::open(&Trial::default(), data.path(), end, OPTIONS);
        let kept = scene.append(record(5, b'a')).expect("durable");
        assert_eq!(
            recover(data.path(), Position::default()).0,
            records(&[kept])
        );
    }
}
