//! What durable writes cost, by the ways to do them.
//!
//! ```text
//! commit streams DIRECTORY MEGABYTES ROUNDS     appends of 2 KiB while 4 large mails are written beside, by the way those are
//! commit batches DIRECTORY COUNT OCTETS ROUNDS  durable writes of OCTETS one after another on a bare ring, by how
//! commit packing COUNT                          what zstd saves and takes, on mail-like text
//! ```
//! The ways to make a batch durable over the whole path, index and all, are in the bench `path` (`ways-30k`).

use io_uring::{IoUring, opcode, squeue, types};
use ringpost_api::write::{Missing, Target};
use ringpost_log::file::{Blocking, now};
use ringpost_log::{
    Body, Entry, Files, Log, Mode, Options as LogOptions, Reader, Record, SegmentFile,
};
use ringpost_runtime::file::RingFiles;
use ringpost_runtime::{Machine, Options, spawn, time};
use ringpost_types::{AccountId, MailboxId};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

const PIECE: usize = 64 * 1024;
/// What direct writes are aligned to.
const BLOCK: usize = 4096;

/// mimalloc is what the server runs on.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["streams", directory, megabytes, rounds] => {
            for round in 0..number(rounds) {
                for way in WAYS {
                    streams(Path::new(directory), *way, number(megabytes), round);
                }
            }
        }
        ["batches", directory, count, octets, rounds] => {
            for round in 0..number(rounds) {
                for how in HOWS {
                    batches(
                        Path::new(directory),
                        *how,
                        number(count),
                        number(octets),
                        round,
                    );
                }
            }
        }
        ["packing", count] => packing(number(count)),
        _ => eprintln!("see the head of examples/commit.rs"),
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

const M: usize = 1024 * 1024;

/// How a large mail is written.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Not at all.
    None,
    /// As the log does it.
    Stream,
    /// Pieces, and one sync at the end.
    SyncAtEnd,
    /// Pieces, and a sync each so many octets.
    SyncEvery(usize),
    /// Pieces of so many octets, each durable.
    Durable(usize),
    /// As SyncEvery, space reserved 8 MiB ahead.
    ReservedSync(usize),
}

const WAYS: &[Way] = &[
    Way::None,
    Way::Stream,
    Way::SyncAtEnd,
    Way::SyncEvery(M),
    Way::SyncEvery(4 * M),
    Way::SyncEvery(16 * M),
    Way::Durable(M / 4),
    Way::Durable(M),
    Way::ReservedSync(4 * M),
];

fn on_a_shard(work: impl FnOnce(Sender<()>) + Send + 'static) {
    let options = Options {
        shards: Some(1),
        ..Options::default()
    };
    let machine = Machine::start(options, |_| {}).expect("a machine");
    let (done, ended) = channel();
    machine.handle().post(0, Box::new(move |_| work(done)));
    let _ = ended.recv();
    machine.join(Duration::ZERO);
}

fn streams(directory: &Path, way: Way, megabytes: usize, round: usize) {
    let folder = tempfile::tempdir_in(directory).expect("a directory");
    let data = folder.path().to_owned();
    on_a_shard(move |done| {
        spawn(async move {
            let (log, driver) = Log::open(
                RingFiles,
                &data,
                0,
                Default::default(),
                LogOptions::default(),
            )
            .await
            .expect("a log");
            spawn(driver.run(|_, _| ()));
            log.append(record(10), None).await.expect("durable");
            let waits = Rc::new(RefCell::new(Vec::new()));
            let ending = Rc::new(Cell::new(false));
            let left = Rc::new(Cell::new(16));
            for client in 0..16u64 {
                let (log, waits, ending, left) =
                    (log.clone(), waits.clone(), ending.clone(), left.clone());
                spawn(async move {
                    while !ending.get() {
                        let began = Instant::now();
                        log.append(record(2048), None).await.expect("durable");
                        waits.borrow_mut().push(began.elapsed());
                        time::sleep(Duration::from_millis(3 + client % 4)).await;
                    }
                    left.set(left.get() - 1);
                });
            }
            let began = Instant::now();
            let writing = Rc::new(Cell::new(0));
            let longest = Rc::new(Cell::new(Duration::ZERO));
            for number in 0..4 {
                let path = data.join(format!("large-{number}"));
                let writing = writing.clone();
                writing.set(writing.get() + 1);
                let (log, longest) = (log.clone(), longest.clone());
                spawn(async move {
                    match way {
                        Way::None => {}
                        Way::Stream => stream(&log, megabytes * M).await,
                        way => large(&path, way, megabytes * M).await,
                    }
                    writing.set(writing.get() - 1);
                    longest.set(began.elapsed());
                });
            }
            while writing.get() > 0 || began.elapsed() < Duration::from_millis(1500) {
                time::sleep(Duration::from_millis(5)).await;
            }
            let took = longest.get();
            ending.set(true);
            while left.get() > 0 {
                time::sleep(Duration::from_millis(5)).await;
            }
            log.close().await;
            let mut waits = waits.take();
            waits.sort();
            let at =
                |part: f64| waits[((waits.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
            println!(
                "{round} {way:?}: {} appends, p50 {:.1} p99 {:.1} p99.9 {:.1} most {:.1} ms; streams {:.2} s",
                waits.len(),
                at(0.5),
                at(0.99),
                at(0.999),
                at(1.0),
                took.as_secs_f64()
            );
            let _ = done.send(());
        });
    });
}

/// A large mail as the log streams it.
async fn stream(log: &Log, octets: usize) {
    let mut stream = log.stream(RingFiles).await.expect("made");
    let mut buffer = vec![b'x'; PIECE];
    for _ in 0..octets / PIECE {
        buffer = stream.write(buffer).await.expect("written");
        buffer.resize(PIECE, b'x');
    }
    let record = Record {
        body: Body::Streamed(stream.finish().await.expect("durable")),
        ..record(0)
    };
    log.append(record, None).await.expect("durable");
}

/// A file of its own, another way.
async fn large(path: &Path, way: Way, octets: usize) {
    let file = RingFiles.open(path, Mode::Create).await.expect("made");
    let beside = File::options().write(true).open(path).expect("there");
    let piece = match way {
        Way::Durable(piece) => piece,
        _ => PIECE,
    };
    let mut buffer = vec![b'x'; piece];
    let (mut at, mut dirty, mut reserved) = (0, 0, 0);
    while at < octets {
        if matches!(way, Way::ReservedSync(_)) && reserved < at + piece {
            reserve(&beside, reserved, 8 * M);
            reserved += 8 * M;
        }
        let (written, back) = match way {
            Way::Durable(_) => file.write_durable(buffer, at as u64).await,
            _ => file.write_at(buffer, at as u64).await,
        };
        written.expect("written");
        buffer = back;
        at += piece;
        dirty += piece;
        if let Way::SyncEvery(every) | Way::ReservedSync(every) = way
            && dirty >= every
        {
            file.sync_data().await.expect("synced");
            dirty = 0;
        }
    }
    file.sync_data().await.expect("synced");
}

fn reserve(file: &File, from: usize, octets: usize) {
    let (from, octets) = (from as i64, octets as i64);
    // SAFETY: fallocate(2) takes no pointers; the descriptor is open while `file` is.
    let reserved =
        unsafe { libc::fallocate(file.as_raw_fd(), libc::FALLOC_FL_KEEP_SIZE, from, octets) };
    assert_eq!(reserved, 0);
}

/// How a batch is made durable, on a ring alone: submitted, waited for.
#[derive(Clone, Copy, Debug)]
enum How {
    /// A write to a descriptor opened with O_DSYNC.
    Dsync,
    /// A write with RWF_DSYNC.
    WriteDsync,
    /// A write linked to an fdatasync.
    Linked,
    /// O_DIRECT and RWF_DSYNC, aligned, into space that was reserved.
    Direct,
    /// The same into blocks that were written with zeros before.
    DirectWritten,
    /// pwrite and fdatasync on a thread, asked and answered by channels.
    Thread,
}

const HOWS: &[How] = &[
    How::Dsync,
    How::WriteDsync,
    How::Linked,
    How::Direct,
    How::DirectWritten,
    How::Thread,
];

fn batches(directory: &Path, how: How, count: usize, octets: usize, round: usize) {
    let folder = tempfile::tempdir_in(directory).expect("a directory");
    let path = folder.path().join("batches");
    let mut options = File::options();
    options.write(true).create(true);
    options.custom_flags(match how {
        How::Dsync => libc::O_DSYNC,
        How::Direct | How::DirectWritten => libc::O_DIRECT,
        _ => 0,
    });
    // The log's batches end anywhere: a direct write takes the last block once more.
    let is_direct = matches!(how, How::Direct | How::DirectWritten);
    let length = match is_direct {
        true => octets.next_multiple_of(BLOCK) + BLOCK,
        false => octets,
    };
    let file = options.open(&path).expect("made");
    reserve_all(&file, count * octets + BLOCK * 2);
    if matches!(how, How::DirectWritten) {
        let zeros = vec![0; M];
        let plain = File::options().write(true).open(&path).expect("there");
        for at in (0..count * octets + BLOCK * 2).step_by(M) {
            plain.write_all_at(&zeros, at as u64).expect("written");
        }
        plain.sync_all().expect("synced");
    }
    let mut room = vec![b'x'; length + BLOCK];
    let aligned = room.as_ptr().align_offset(BLOCK);
    let buffer = &mut room[aligned..aligned + length];
    let mut ring = IoUring::new(8).expect("a ring");
    let fd = types::Fd(file.as_raw_fd());
    let (asks, asked) = channel::<u64>();
    let (answers, answered) = channel();
    let beside = matches!(how, How::Thread).then(|| {
        let (file, octets) = (file.try_clone().expect("a descriptor"), buffer.to_vec());
        std::thread::spawn(move || {
            for at in asked {
                file.write_all_at(&octets, at).expect("written");
                file.sync_data().expect("synced");
                let _ = answers.send(());
            }
        })
    });
    let before = (cpu(), Instant::now());
    let mut times = Vec::with_capacity(count);
    for number in 0..count {
        let at = match is_direct {
            true => number * octets / BLOCK * BLOCK,
            false => number * octets,
        } as u64;
        let began = Instant::now();
        if beside.is_some() {
            asks.send(at).expect("it runs");
            answered.recv().expect("durable");
        } else {
            let write = opcode::Write::new(fd, buffer.as_ptr(), buffer.len() as u32).offset(at);
            let dsync = match how {
                How::Dsync | How::Linked => 0,
                _ => libc::RWF_DSYNC,
            };
            let write = write.rw_flags(dsync).build();
            let sync = opcode::Fsync::new(fd).flags(types::FsyncFlags::DATASYNC);
            let entries: &[_] = match how {
                How::Linked => &[write.flags(squeue::Flags::IO_LINK), sync.build()],
                _ => &[write],
            };
            // SAFETY: `buffer` and `file` outlive the operations: all of them are waited for here.
            unsafe { ring.submission().push_multiple(entries) }.expect("room for two");
            ring.submit_and_wait(entries.len()).expect("submitted");
            for done in ring.completion() {
                assert!(done.result() >= 0, "{how:?}: {}", done.result());
            }
        }
        times.push(began.elapsed());
    }
    let (cpu, wall) = (cpu() - before.0, before.1.elapsed());
    drop(asks);
    beside
        .into_iter()
        .for_each(|thread| thread.join().expect("it ends"));
    times.sort();
    println!(
        "{round} {how:?}: {:.2} ms each, median {:.2}, p99 {:.2}; {:.1} us of processor time",
        wall.as_secs_f64() * 1e3 / count as f64,
        times[count / 2].as_secs_f64() * 1e3,
        times[count * 99 / 100].as_secs_f64() * 1e3,
        cpu.as_secs_f64() * 1e6 / count as f64,
    );
}

fn reserve_all(file: &File, octets: usize) {
    // SAFETY: fallocate(2) takes no pointers; the descriptor is open while `file` is.
    let reserved = unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, octets as i64) };
    assert_eq!(reserved, 0);
}

/// Processor time of this process, with what the kernel's workers did for it.
fn cpu() -> Duration {
    // SAFETY: `rusage` is plain integers, and the call fills the one that is ours.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &mut usage), 0);
        usage
    };
    let of = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// Mails of 2 to 200 KiB, appended raw and packed to a log in memory-like files, and read.
fn packing(count: usize) {
    for octets in [2 * 1024, 30 * 1024, 200 * 1024] {
        for compress in [false, true] {
            let folder = tempfile::tempdir().expect("a directory");
            let options = LogOptions {
                compress,
                ..LogOptions::default()
            };
            let opened = now(Log::open(
                Blocking,
                folder.path(),
                0,
                Default::default(),
                options,
            ));
            let (log, driver) = opened.expect("a log");
            let rows = Rc::new(RefCell::new(Vec::new()));
            let seen = rows.clone();
            let mut driver = Box::pin(driver.run(move |write, _| {
                if let ringpost_api::Write::Deliver(deliver) = write {
                    seen.borrow_mut().push(Entry::Deliver(deliver).place());
                }
            }));
            let mails: Vec<Vec<u8>> = (0..count).map(|number| mail(number, octets)).collect();
            let before = cpu();
            for mail in mails {
                drop(log.append(whole(mail), None));
            }
            let packed = cpu() - before;
            let mut context = Context::from_waker(Waker::noop());
            for _ in 0..3 {
                let _ = driver.as_mut().poll(&mut context);
            }
            let rows = rows.take();
            assert_eq!(rows.len(), count);
            let reader = Reader::new(Blocking, folder.path());
            let before = cpu();
            for row in &rows {
                now(reader.whole(row)).expect("readable");
            }
            let read = cpu() - before;
            let of = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
            println!(
                "{octets} octets, {}: {:.0} stored, {:.1} us to append, {:.1} us to read whole",
                if compress { "packed" } else { "raw" },
                rows.iter().map(|row| row.stored).sum::<u64>() as f64 / count as f64,
                of(packed),
                of(read),
            );
        }
    }
}

/// Mail-like text: header fields, words by how common they are, lines of 72; the last third base64 of noise.
fn mail(number: usize, octets: usize) -> Vec<u8> {
    let mut state = number as u64 * 0x9e37_79b9_7f4a_7c15 + 1;
    let mut noise = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut out = format!(
        "Return-Path: <sender{number}@example.net>\r\nReceived: from mail{number}.example.net by mx.example.org with ESMTPS id {:x}\r\n\
         From: Someone {number} <sender{number}@example.net>\r\nTo: alice@example.org\r\nSubject: About {}\r\n\
         Message-ID: <{:x}@example.net>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
        noise(),
        noise() % 1000,
        noise()
    )
    .into_bytes();
    while out.len() < octets * 2 / 3 {
        let mut line = Vec::new();
        while line.len() < 66 {
            // Few words often, many seldom: a word's letters come from its number.
            let rank = (noise() % 1000) * (noise() % 1000) * (noise() % 1000) / 100_000;
            let mut letters = rank * 2_654_435_761 % 4_294_967_291;
            for _ in 0..2 + rank % 9 {
                line.push(b"etaoinshrdlucmfwypvbgkjqxz"[(letters % 19) as usize]);
                letters = letters / 7 + rank;
            }
            line.push(b' ');
        }
        line.extend_from_slice(b"\r\n");
        out.extend_from_slice(&line);
    }
    while out.len() < octets {
        let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let line = (0..76).map(|_| digits[(noise() % 64) as usize]);
        out.extend(line);
        out.extend_from_slice(b"\r\n");
    }
    out.truncate(octets);
    out
}

fn whole(mail: Vec<u8>) -> Record {
    Record {
        body: Body::Whole(mail),
        ..record(0)
    }
}

fn record(octets: usize) -> Record {
    let target = Target {
        account: AccountId(1),
        mailbox: MailboxId::INBOX,
        missing: Missing::Inbox,
        flags: 0,
        keywords: Vec::new(),
        internal_date: 1,
        prefix: Vec::new(),
    };
    Record {
        targets: vec![target],
        items: Vec::new(),
        digest: vec![7; 200],
        text: Vec::new(),
        body: Body::Whole(vec![b'x'; octets]),
    }
}
