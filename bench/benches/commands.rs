//! Command lines: what one costs to read.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringpost_imap::{Bump, Parsed, Progress};
use ringpost_types::limit::Limits;
use std::hint::black_box;
use std::time::Duration;

const SMTP: &[(&str, &[u8])] = &[
    ("ehlo", b"EHLO mail.example.net"),
    (
        "mail",
        b"MAIL FROM:<alice@example.net> SIZE=12345 BODY=8BITMIME",
    ),
    ("rcpt", b"RCPT TO:<bob@example.org>"),
    ("bdat", b"BDAT 86000 LAST"),
];

const IMAP: &[(&str, &[u8])] = &[
    ("noop", b"a1 NOOP\r\n"),
    ("fetch_flags", b"a2 UID FETCH 1:* (FLAGS)\r\n"),
    (
        "fetch_header_fields",
        b"a3 UID FETCH 1:200,250,300:400 (UID RFC822.SIZE FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (From To Cc Subject Date Message-ID References)])\r\n",
    ),
    ("store", b"a4 UID STORE 4711 +FLAGS.SILENT (\\Seen \\Deleted $Junk)\r\n"),
    (
        "search",
        b"a5 UID SEARCH CHARSET UTF-8 UNDELETED (OR FROM \"alice\" SUBJECT \"report\") SINCE 1-Nov-2026 NOT SEEN\r\n",
    ),
];

fn smtp(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("smtp/command");
    for (name, line) in SMTP {
        group.throughput(Throughput::Bytes(line.len() as u64));
        group.bench_function(*name, |bencher| {
            bencher.iter(|| black_box(ringpost_smtp::command::parse(black_box(line))).is_ok());
        });
    }
    group.finish();
}

fn imap(criterion: &mut Criterion) {
    let limits = Limits::default();
    let mut arena = Bump::new();
    let mut group = criterion.benchmark_group("imap/command");
    for (name, line) in IMAP {
        group.throughput(Throughput::Bytes(line.len() as u64));
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                arena.reset();
                let mut progress = Progress::default();
                let parsed = ringpost_imap::parse(&mut progress, black_box(line), &arena, &limits);
                let Parsed::Command { .. } = black_box(parsed) else {
                    panic!("{name} is a command");
                };
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = commands;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = smtp, imap
}
criterion_main!(commands);
