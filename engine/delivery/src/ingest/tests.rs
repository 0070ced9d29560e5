use super::*;
use ringpost_admission::Budget;
use ringpost_api::write::Position;
use ringpost_log::file::{Blocking, Mode, SegmentFile, now};
use ringpost_log::segment::HEAD_OCTETS;
use ringpost_log::{LogError, Options};
use ringpost_types::TraceId;
use std::cell::Cell;
use std::io;
use std::path::Path;
use std::rc::Rc;

const HEAD: &[u8] =
    b"Received: by mx.example.org with ESMTP id 1; Thu, 1 Jan 1970 00:00:00 +0000\r\n";

const NO_FILES: [std::path::PathBuf; 0] = [];

/// Plain files, the `fail_at`th operation on which, and each one behind it, finds the disk full.
#[derive(Clone)]
struct Disk {
    operations: Rc<Cell<u32>>,
    fail_at: u32,
}

impl Disk {
    fn operation(&self) -> io::Result<()> {
        self.operations.set(self.operations.get() + 1);
        match self.operations.get() < self.fail_at {
            true => Ok(()),
            false => Err(io::ErrorKind::StorageFull.into()),
        }
    }
}

struct DiskFile {
    file: std::fs::File,
    disk: Disk,
}

impl Files for Disk {
    type File = DiskFile;

    async fn open(&self, path: &Path, mode: Mode) -> io::Result<DiskFile> {
        self.operation()?;
        Ok(DiskFile {
            file: Blocking.open(path, mode).await?,
            disk: self.clone(),
        })
    }
}

impl SegmentFile for DiskFile {
    async fn write_at(&self, octets: Vec<u8>, offset: u64) -> (io::Result<()>, Vec<u8>) {
        match self.disk.operation() {
            Ok(()) => self.file.write_at(octets, offset).await,
            full => (full, octets),
        }
    }

    async fn read_at(&self, octets: Vec<u8>, at: u64, limit: usize) -> (io::Result<()>, Vec<u8>) {
        SegmentFile::read_at(&self.file, octets, at, limit).await
    }

    async fn sync_data(&self) -> io::Result<()> {
        self.disk.operation()?;
        SegmentFile::sync_data(&self.file).await
    }

    async fn allocate(&self, octets: u64) -> io::Result<()> {
        self.disk.operation()?;
        self.file.allocate(octets).await
    }

    async fn truncate(&self, octets: u64) -> io::Result<()> {
        self.file.truncate(octets).await
    }

    async fn octets(&self) -> io::Result<u64> {
        SegmentFile::octets(&self.file).await
    }
}

/// A shard's inlet with a log of its own in a scratch directory.
struct Place {
    inlet: Inlet<Disk>,
    folder: tempfile::TempDir,
}

impl Place {
    fn new(budget: u64, limits: Limits) -> Place {
        Place::failing(budget, limits, u32::MAX)
    }

    fn failing(budget: u64, limits: Limits, fail_at: u32) -> Place {
        let folder = tempfile::tempdir().expect("a directory");
        let opening = Log::open(
            Blocking,
            folder.path(),
            0,
            Position::default(),
            Options::default(),
        );
        let (log, driver) = now(opening).expect("a log");
        // Nothing is appended here, and a log whose driver is gone takes no stream.
        std::mem::forget(driver);
        let inlet = Inlet {
            limits: Arc::new(limits),
            memory: Memory::new(budget, Budget::unbounded()),
            log,
            files: Disk {
                operations: Rc::default(),
                fail_at,
            },
        };
        Place { inlet, folder }
    }

    /// Files of large mails, complete or not.
    fn mails(&self) -> Vec<std::path::PathBuf> {
        let listed = std::fs::read_dir(self.folder.path().join("log-0")).expect("the log's folder");
        listed
            .map(|entry| entry.expect("an entry").path())
            .collect()
    }

    /// The octets of a mail, wherever they are.
    fn octets(&self, arrived: &Arrived) -> Vec<u8> {
        match &arrived.body {
            Body::Whole(octets) => octets.clone(),
            Body::Streamed(_) => {
                let [file] = &self.mails()[..] else {
                    panic!("{:?}", self.mails())
                };
                let octets = std::fs::read(file).expect("a file");
                octets[HEAD_OCTETS as usize..].to_vec()
            }
        }
    }
}

fn limits(message_stream_octets: u64) -> Limits {
    Limits {
        message_stream_octets,
        ..Limits::default()
    }
}

/// Takes a mail in, in runs of `run` octets.
fn take(ingest: &mut Ingest<Disk>, mail: &[u8], run: usize) -> Result<(), Error> {
    mail.chunks(run).try_for_each(|run| now(ingest.body(run)))
}

/// Takes a mail in whole, cut at `cut`.
fn arrive(mail: &str, head: &[u8], cut: usize) -> Arrived {
    let place = Place::new(1 << 20, Limits::default());
    let mut ingest = place.inlet.ingest(None, head).expect("room");
    for run in [&mail.as_bytes()[..cut], &mail.as_bytes()[cut..]] {
        now(ingest.body(run)).expect("room");
    }
    assert_eq!(place.inlet.memory.taken(), (head.len() + mail.len()) as u64);
    let arrived = now(ingest.finish()).expect("arrived");
    assert_eq!(place.octets(&arrived), [head, mail.as_bytes()].concat());
    arrived
}

#[test]
fn received_fields_that_came_are_counted() {
    let cases: &[(&str, u32)] = &[
        (
            "Received: a\r\nreceived:\r\n b\r\nSubject: c\r\n\r\nReceived: d\r\n",
            2,
        ),
        ("Subject: c\r\n\r\n", 0),
        ("Received: a\r\n", 1),
    ];
    for &(mail, expected) in cases {
        for cut in 0..=mail.len() {
            for head in [HEAD, b""] {
                let arrived = arrive(mail, head, cut);
                assert_eq!(arrived.received, expected, "{mail:?} cut at {cut}");
            }
        }
    }
}

// RFC 6376 appendix A.2: the body and its hash.
const SIGNATURE: &str = "DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com; c=simple/simple; \
                         h=From; b=AA==;\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=\r\n";
const SIGNED: &str = "Hi.\r\n\r\nWe lost the game. Are you hungry yet?\r\n\r\nJoe.\r\n";

#[test]
fn body_hashes_however_cut() {
    let mail = format!("{SIGNATURE}From: a\r\n\r\n{SIGNED}");
    for cut in 0..=mail.len() {
        let results = arrive(&mail, HEAD, cut).signatures;
        assert_eq!(results, [BodyResult::Match], "cut at {cut}");
    }
    let other = mail.replace("lost", "won");
    assert_eq!(arrive(&other, HEAD, 0).signatures, [BodyResult::Mismatch]);
    assert_eq!(arrive(&mail, b"", 0).signatures, []);
    assert_eq!(arrive("From: a\r\n\r\nb\r\n", HEAD, 0).signatures, []);
}

/// A mail that begins with white space would go on in our Received field: forged trace, and its first line gone.
#[test]
fn a_mail_cannot_continue_our_fields() {
    let cases: &[(&str, &str)] = &[
        (" (by me)\r\nSubject: a\r\n\r\nb\r\n", "\r\n"),
        ("\tid x\r\n", "\r\n"),
        ("\r\n b\r\n", ""),
        ("Subject: a\r\n b\r\n", ""),
    ];
    for (mail, between) in cases {
        let place = Place::new(1 << 20, Limits::default());
        let mut ingest = place.inlet.ingest(None, HEAD).expect("room");
        take(&mut ingest, mail.as_bytes(), 1).expect("room");
        let arrived = now(ingest.finish()).expect("arrived");
        let expected = [HEAD, between.as_bytes(), mail.as_bytes()].concat();
        assert_eq!(place.octets(&arrived), expected, "{mail:?}");
        let digest = Digest::read(&arrived.digest).expect("a digest");
        assert_eq!(digest.octets(), expected.len() as u64);
    }
}

/// A user's mail gets what it lacks, whether it stays in memory or leaves while its header goes on.
#[test]
fn a_users_mail_is_completed_where_it_must_be() {
    let completion = Completion {
        hostname: "mx.example.org".into(),
        id: TraceId(0xabc),
        unix: 0,
    };
    let date = "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n";
    let id = "Message-ID: <0000000000000abc@mx.example.org>\r\n";
    let both = format!("{date}{id}");
    let cases: &[(String, &str)] = &[
        ("From: a@b\r\n\r\n".into(), &both),
        ("From: a@b\r\n".into(), &both),
        ("From: a@b".into(), &both),
        ("".into(), &both),
        ("Message-ID: <a@b>\r\n\r\n".into(), date),
        (format!("{date}\r\n"), id),
        (format!("{date}Message-ID: <a@b>\r\n\r\n"), ""),
        (format!("{date}Message-ID: <a@b>"), ""),
        (
            format!(
                "{}{SIGNATURE}{date}From: a\r\n\r\n{SIGNED}",
                "X: 1\r\n".repeat(50)
            ),
            id,
        ),
        (
            format!("Subject: a\r\n\r\n{}", "text\r\n".repeat(1_000)),
            &both,
        ),
    ];
    for (mail, added) in cases {
        for run in [1, 7, 100_000] {
            for stream_octets in [1 << 20, 300] {
                let place = Place::new(1 << 20, limits(stream_octets));
                let mut ingest = place.inlet.ingest(None, HEAD).expect("room");
                ingest.complete_with(completion.clone());
                take(&mut ingest, mail.as_bytes(), run).expect("room");
                let arrived = now(ingest.finish()).expect("arrived");
                let expected = [HEAD, added.as_bytes(), mail.as_bytes()].concat();
                assert_eq!(place.octets(&arrived), expected, "{mail:?} {run}");
                assert_eq!(arrived.head_octets, HEAD.len() + added.len());
                assert_eq!(
                    arrived.digest,
                    Scanner::scan(&place.inlet.limits, &expected)
                );
                let matches = mail.contains(SIGNATURE).then_some(BodyResult::Match);
                assert_eq!(
                    arrived.signatures,
                    Vec::from_iter(matches),
                    "{mail:?} {run}"
                );
            }
        }
    }
}

/// Some programs pass over a line that is no field and read on; what nobody checked must not be header to them.
#[test]
fn a_users_header_ends_where_everybody_sees_it() {
    let both =
        "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <0000000000000abc@mx.example.org>\r\n";
    // (header, what follows)
    const CASES: &[(&str, &str)] = &[
        ("", "no field\r\nFrom: evil@x\r\n\r\nb\r\n"),
        ("From: a@b\r\n", "no field\r\nFrom: evil@x\r\n\r\nb\r\n"),
        ("From: a@b\r\n", "From\r\n : evil@x\r\n"),
        ("From: a@b\r\n", "Fr\0om: evil@x\r\n"),
        ("From: a@b\r\n", "F\u{e9}om: evil@x\r\n"),
        ("From: a@b\r\n", "no field\r\n"),
    ];
    for (header, rest) in CASES {
        for run in [1, 7, 100_000] {
            let place = Place::new(1 << 20, Limits::default());
            let mut ingest = place.inlet.ingest(None, HEAD).expect("room");
            ingest.complete_with(Completion {
                hostname: "mx.example.org".into(),
                id: TraceId(0xabc),
                unix: 0,
            });
            let mail = [header.as_bytes(), rest.as_bytes()].concat();
            take(&mut ingest, &mail, run).expect("room");
            let arrived = now(ingest.finish()).expect("arrived");
            let parts = [both, header, "\r\n", rest].map(str::as_bytes);
            let expected = [HEAD, &parts.concat()].concat();
            assert_eq!(place.octets(&arrived), expected, "{mail:?} {run}");
            let scanned = Scanner::scan(&place.inlet.limits, &expected);
            assert_eq!(arrived.digest, scanned);
            assert_eq!(arrived.authors.has_from, !header.is_empty());
        }
    }
}

#[test]
fn a_mail_at_the_threshold_and_one_octet_above() {
    let mail = format!("{SIGNATURE}From: a\r\n\r\n{SIGNED}");
    let octets = (HEAD.len() + mail.len()) as u64;
    let expected = [HEAD, mail.as_bytes()].concat();
    for (stream_octets, streamed) in [(octets, false), (octets - 1, true), (100, true)] {
        for run in [1, 7, 100, 1_000] {
            let place = Place::new(1 << 20, limits(stream_octets));
            let mut ingest = place.inlet.ingest(None, HEAD).expect("room");
            take(&mut ingest, mail.as_bytes(), run).expect("room");
            let arrived = now(ingest.finish()).expect("arrived");
            // One run alone never leaves before it is complete.
            let streamed = streamed && run < mail.len();
            assert_eq!(matches!(arrived.body, Body::Streamed(_)), streamed, "{run}");
            assert_eq!(arrived.octets(), octets);
            assert_eq!(place.octets(&arrived), expected, "{run}");
            assert_eq!(
                arrived.digest,
                Scanner::scan(&place.inlet.limits, &expected)
            );
            assert_eq!(arrived.signatures, [BodyResult::Match]);
            let held = if streamed { 0 } else { octets };
            assert_eq!(place.inlet.memory.taken(), held);
            drop(arrived);
            assert_eq!(place.inlet.memory.taken(), 0);
            assert_eq!(place.mails(), NO_FILES, "{run}");
        }
    }
}

/// A mail of 5 MiB, its parts told as if it had been whole in memory.
fn large() -> Vec<u8> {
    let part = |octets: usize| "0123456789abcdef\r\n".repeat(octets / 18);
    let mail = format!(
        "From: a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n{}\r\n--b\r\nContent-Type: a/b\r\n\
         X-Long: {}\r\n\r\n{}\r\n--b\r\nContent-Type: text/html\r\n\r\n{}\r\n--b--\r\n",
        part(700_000),
        part(600_000).replace('\n', "\n "),
        part(3_000_000),
        part(1_000_000),
    );
    mail.into_bytes()
}

#[test]
fn what_a_large_mail_holds() {
    let mail = large();
    let expected = [HEAD, &mail].concat();
    let run = 16 * 1024;
    // (announced, budget, most that is held): until the threshold; announced, a piece from the start; a budget that is
    // used up; and the header of 600 KB within, which stays until it ends.
    let header = 600_000 + PIECE_OCTETS + run;
    let cases = [
        (None, 1 << 30, 3 << 19),
        (Some(mail.len() as u64), 1 << 30, 2 * header),
        (None, 1_000_000, 1_000_000),
    ];
    for (size, budget, most) in cases {
        let place = Place::new(budget, Limits::default());
        let mut ingest = place.inlet.ingest(size, HEAD).expect("room");
        for run in mail.chunks(run) {
            now(ingest.body(run)).expect("room");
            let taken = place.inlet.memory.taken();
            assert!(taken <= most as u64, "{taken} of {most}");
            assert!(ingest.buffer.octets().len() as u64 <= taken);
        }
        let taken = place.inlet.memory.taken();
        assert!(taken <= 2 * PIECE_OCTETS as u64, "{taken} at the end");
        let arrived = now(ingest.finish()).expect("arrived");
        assert_eq!(place.inlet.memory.taken(), 0);
        assert!(place.octets(&arrived) == expected);
        assert!(arrived.digest == Scanner::scan(&place.inlet.limits, &expected));
    }
}

/// More mails at once than the budget has pieces for: each goes to disk with the room it has, and the budget holds.
#[test]
fn a_crowd_of_large_mails_stays_within_the_budget() {
    const MAILS: u64 = 20;
    let (mail, run) = (large(), 16 * 1024);
    let budget = MAILS * (PRESSED_OCTETS + 2 * run) as u64;
    let bounds = Limits {
        message_header_octets_max: 1_000,
        ..Limits::default()
    };
    let place = Place::new(budget, bounds);
    let begin = |_| place.inlet.ingest(None, HEAD).expect("room");
    let mut mails: Vec<_> = (0..MAILS).map(begin).collect();
    for run in mail[..2_000_000].chunks(run) {
        for ingest in &mut mails {
            now(ingest.body(run)).expect("room");
            assert!(place.inlet.memory.taken() <= budget);
        }
    }
    for ingest in mails {
        now(ingest.finish()).expect("arrived");
    }
    assert_eq!(place.inlet.memory.taken(), 0);
}

/// What a stranger sends without an end to its header: it is held up to the bound, and then leaves.
#[test]
fn an_endless_header_is_not_held() {
    let bounds = Limits::default();
    let most = 2 * bounds.message_header_octets_max + PIECE_OCTETS as u64;
    for unit in ["X: y\r\n", "X-", "To: a,\r\n ", "Received: x\r\n"] {
        let place = Place::new(1 << 30, bounds.clone());
        let mut ingest = place.inlet.ingest(None, HEAD).expect("room");
        let run = unit.repeat(16_000 / unit.len());
        for _ in 0..500 {
            now(ingest.body(run.as_bytes())).expect("room");
            assert!(place.inlet.memory.taken() <= most, "{unit:?}");
        }
        let arrived = now(ingest.finish()).expect("arrived");
        assert_eq!(arrived.octets(), (HEAD.len() + 500 * run.len()) as u64);
        assert!(arrived.digest.len() as u64 <= 2 * bounds.message_digest_octets_max);
    }
}

#[test]
fn memory_up_to_the_limit_and_one_above() {
    let place = Place::new(100, Limits::default());
    let refused = place.inlet.ingest(Some(101), b"");
    assert!(matches!(refused, Err(Error::Memory)));
    let mut ingest = place.inlet.ingest(Some(100), b"").expect("room");
    assert_eq!(now(ingest.body(&[b'a'; 100])), Ok(()));
    assert_eq!(now(ingest.body(b"a")), Err(Error::Memory));
    let arrived = now(ingest.finish()).expect("arrived");
    assert_eq!(place.inlet.memory.taken(), 100);
    drop(arrived);
    assert_eq!(place.inlet.memory.taken(), 0);
}

/// A large mail that is announced needs a piece, not all of it; a small one needs itself.
#[test]
fn what_is_announced_and_what_it_needs() {
    let place = Place::new(PIECE_OCTETS as u64, Limits::default());
    for (octets, fits) in [
        (0, true),
        (PIECE_OCTETS as u64, true),
        (PIECE_OCTETS as u64 + 1, false),
        (1 << 20, false),
        ((1 << 20) + 1, true),
        (157_286_400, true),
    ] {
        assert_eq!(place.inlet.has_room_for(octets), fits, "{octets}");
        let begun = place.inlet.ingest(Some(octets), b"");
        assert_eq!(begun.is_ok(), fits, "{octets}");
        // Nothing is taken for an announcement.
        assert_eq!(place.inlet.memory.taken(), 0);
    }
}

/// Where there is no memory and the mail is too small for a file, it is refused.
#[test]
fn a_budget_too_small_for_a_piece() {
    let place = Place::new(PRESSED_OCTETS as u64 / 2, Limits::default());
    let mut ingest = place.inlet.ingest(None, HEAD).expect("room");
    assert_eq!(take(&mut ingest, &large(), 1_000), Err(Error::Memory));
    drop(ingest);
    assert_eq!(place.inlet.memory.taken(), 0);
    assert_eq!(place.mails(), NO_FILES);
}

/// Whichever operation finds the disk full, the mail is refused, and there is neither file nor charge.
#[test]
fn a_full_disk_refuses_and_leaves_nothing() {
    let mail = large();
    for fail_at in 1.. {
        let place = Place::failing(1 << 30, Limits::default(), fail_at);
        let mut ingest = place.inlet.ingest(None, HEAD).expect("room");
        let taken = take(&mut ingest, &mail, 100_000);
        let ended = match taken {
            Ok(()) => now(ingest.finish()).map(drop),
            Err(error) => {
                drop(ingest);
                Err(error)
            }
        };
        assert_eq!(place.inlet.memory.taken(), 0, "at {fail_at}");
        assert_eq!(place.mails(), NO_FILES, "at {fail_at}");
        if ended.is_ok() {
            assert!(fail_at > 10, "{fail_at} operations are too few");
            return;
        }
        assert_eq!(ended, Err(Error::Log(LogError::Full)), "at {fail_at}");
    }
}

/// The peer goes away.
#[test]
fn a_mail_that_is_dropped_leaves_nothing() {
    let mail = large();
    let place = Place::new(1 << 30, Limits::default());
    for octets in [100, 2_000_000, mail.len()] {
        let mut ingest = place
            .inlet
            .ingest(Some(mail.len() as u64), HEAD)
            .expect("room");
        take(&mut ingest, &mail[..octets], 16 * 1024).expect("room");
        assert_eq!(place.mails().is_empty(), octets == 100);
        drop(ingest);
        assert_eq!(place.inlet.memory.taken(), 0);
        assert_eq!(place.mails(), NO_FILES);
    }
}
