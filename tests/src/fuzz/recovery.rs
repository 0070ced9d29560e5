//! A whole segment: what a crash, a torn write or a failing disk leaves, and what recovery makes of it.

use super::Target;
use crate::random::Random;
use ringpost_api::Write;
use ringpost_api::item::{Item, Recipient};
use ringpost_api::table::Encoding;
use ringpost_api::write::{Missing, Position, Target as To};
use ringpost_log::file::{Blocking, now};
use ringpost_log::{
    Body, Carried, Entry, Found, Log, Options, Reader, Record, Recovery, Stored, record, segment,
};
use ringpost_types::{AccountId, BlobId, MailboxId};
use std::fs;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Waker};

pub const RECOVERY: Target = Target {
    name: "log-recovery",
    seeds,
    words: &[
        b"rrec\x01\x01",
        b"rrec\x02\x01\x60",
        b"ringseg\n",
        b"\0\0\0\0\0\0\0\0",
    ],
    check,
};

const LOG: u16 = 1;

/// An envelope in which each leaves too.
fn leaving() -> Item {
    Item {
        recipients: vec![Recipient::default()],
        ..Item::default()
    }
}

/// Appends mails of these lengths to a log that goes on at `end`; every second one is packed, and every third moves
/// there once more.
fn append(data: &Path, end: Position, lengths: &[usize]) -> Vec<Write> {
    let options = Options {
        segment_octets: 16 * 1024,
        compress: true,
    };
    let (log, driver) = now(Log::open(Blocking, data, LOG, end, options)).expect("writable");
    let target = To {
        account: AccountId(1),
        mailbox: MailboxId::INBOX,
        missing: Missing::Inbox,
        flags: 0,
        keywords: vec!["$Forwarded".into()],
        internal_date: 1,
        prefix: b"Return-Path: <>\r\n".to_vec(),
    };
    for (number, &length) in lengths.iter().enumerate() {
        let mail = match number % 2 {
            0 => (0..length as u32)
                .map(|at| ((at * at * 7919) >> 5) as u8)
                .collect(),
            _ => vec![b'a'; length],
        };
        if number % 3 == 2 {
            let carried = Carried {
                blob: BlobId::new(9, 9),
                targets: vec![target.clone()],
                items: vec![leaving()],
                digest: vec![7; 9],
                text: Vec::new(),
                octets: length as u64,
                checksum: record::checksum(&mail),
                encoding: Encoding::Raw,
            };
            drop(log.relocate(carried, Stored::Octets(mail.clone()), None));
        }
        let record = Record {
            targets: vec![target.clone()],
            items: vec![leaving()],
            digest: vec![7; 9],
            text: vec![5; 3],
            body: Body::Whole(mail),
        };
        drop(log.append(record, None));
    }
    let mut writes = Vec::new();
    {
        let mut driver = pin!(driver.run(|write, _| writes.push(write)));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            assert!(driver.as_mut().poll(&mut context).is_pending());
        }
    }
    writes
}

/// Segments as they are written; mutation damages, cuts and joins them.
fn seeds() -> Vec<Vec<u8>> {
    let lengths: [&[usize]; 3] = [&[], &[0, 100, 7], &[300, 300, 300, 300]];
    let segment = |lengths: &&[usize]| {
        let data = tempfile::tempdir().expect("a directory");
        // The empty one has the head of a log that went on.
        let lengths = if lengths.is_empty() { &[1] } else { *lengths };
        append(data.path(), Position::default(), lengths);
        let octets = fs::read(segment::path(data.path(), LOG, 1)).expect("a segment");
        let end = octets.iter().rposition(|&octet| octet != 0).unwrap_or(0);
        octets[..end + 1].to_vec()
    };
    lengths.iter().map(segment).collect()
}

/// What recovery finds behind the start, and where the log goes on.
fn recover(data: &Path) -> Option<(Vec<Found>, Position)> {
    let mut recovery = Recovery::open(data, LOG, Position::default()).expect("readable");
    let mut found = Vec::new();
    loop {
        match recovery.step() {
            Ok(Some(one)) => found.push(one),
            Ok(None) => return Some((found, recovery.finish().expect("writable").position)),
            // A head or a header that says it is of a later version.
            Err(_) => return None,
        }
    }
}

fn check(input: &[u8], random: &mut Random) {
    let data = tempfile::tempdir().expect("a directory");
    fs::create_dir(segment::directory(data.path(), LOG)).expect("writable");
    fs::write(segment::path(data.path(), LOG, 1), input).expect("writable");
    let Some((found, end)) = recover(data.path()) else {
        return;
    };
    let mut before = Position::default();
    let reader = Reader::new(Blocking, data.path());
    for one in &found {
        if let Found::Record(entry) = one {
            let place = entry.place();
            let begin = place.record.offset as usize;
            let record = &input[begin..begin + place.record.octets as usize];
            assert!(record.starts_with(b"rrec"));
            let mail = now(reader.whole(&place)).expect("what recovery finds is sound");
            assert_eq!(mail.len() as u64, place.octets);
            let next = entry.next();
            assert!(next > before && next.sequence > before.sequence);
            before = next;
        }
    }
    assert!(end.sequence >= before.sequence);
    // What follows syncs files several times: not for each input.
    if random.below(16) > 0 {
        return;
    }
    // Once more: the same. And the log goes on behind it, with a name that none had before.
    assert_eq!(recover(data.path()), Some((found.clone(), end)));
    let [Write::Deliver(more)] = &append(data.path(), end, &[50])[..] else {
        panic!("one record was appended");
    };
    assert!(more.blob.sequence() >= before.sequence);
    let (mut expected, again) = (found, recover(data.path()).expect("as before"));
    expected.push(Found::Record(Entry::Deliver(more.clone())));
    let records = |found: &[Found]| -> Vec<Found> {
        let of = |one: &&Found| matches!(one, Found::Record(_));
        found.iter().filter(of).cloned().collect()
    };
    assert_eq!(records(&again.0), records(&expected));
    assert_eq!(again.1, more.next);
}
