//! One mail: what the pass over DATA costs for it, and what FETCH costs to read its digest.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringpost_bench::corpus;
use ringpost_mailauth::BodyHashes;
use ringpost_message::{Digest, Scanner};
use ringpost_types::limit::Limits;
use std::hint::black_box;
use std::time::Duration;

/// What a connection hands over at once.
const CHUNK_OCTETS: usize = 16 * 1024;

fn mails() -> [(&'static str, Vec<u8>); 4] {
    [
        ("plain_2k", corpus::plain(2 * 1024)),
        ("plain_64k", corpus::plain(64 * 1024)),
        ("multipart_64k", corpus::multipart(64 * 1024)),
        ("multipart_4m", corpus::multipart(4 * 1024 * 1024)),
    ]
}

fn scan(criterion: &mut Criterion) {
    let limits = Limits::default();
    let mut group = criterion.benchmark_group("mime/scan");
    for (name, mail) in mails() {
        group.throughput(Throughput::Bytes(mail.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut scanner = Scanner::new(&limits);
                for end in (CHUNK_OCTETS..mail.len()).step_by(CHUNK_OCTETS) {
                    scanner.feed(&mail[..end], 0);
                }
                black_box(scanner.finish(&mail, 0))
            });
        });
    }
    group.finish();
}

/// As delivery does it: MIME and body hash over each chunk while it is in cache.
fn pass(criterion: &mut Criterion) {
    let limits = Limits::default();
    let mut group = criterion.benchmark_group("mime+dkim/pass");
    for (name, mail) in mails() {
        group.throughput(Throughput::Bytes(mail.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut scanner = Scanner::new(&limits);
                let mut hashes: Option<BodyHashes> = None;
                let (mut hashed, mut end) = (0, 0);
                while end < mail.len() {
                    end = (end + CHUNK_OCTETS).min(mail.len());
                    let so_far = &mail[..end];
                    scanner.feed(so_far, 0);
                    if let (None, Some(body)) = (&hashes, scanner.header_end()) {
                        let values = scanner.signatures().iter().map(|span| span.of(so_far));
                        hashes = Some(BodyHashes::new(values));
                        hashed = body;
                    }
                    if let Some(hashes) = &mut hashes {
                        hashes.update(&so_far[hashed..]);
                        hashed = end;
                    }
                }
                let results = hashes.unwrap_or_default().finish();
                assert_eq!(results.len(), 1);
                black_box((scanner.finish(&mail, 0), results))
            });
        });
    }
    group.finish();
}

fn digest(criterion: &mut Criterion) {
    let octets = Scanner::scan(&Limits::default(), &corpus::multipart(64 * 1024));
    let mut group = criterion.benchmark_group("digest");
    group.throughput(Throughput::Elements(1));
    group.bench_function("read", |bencher| {
        bencher.iter(|| black_box(Digest::read(black_box(&octets))).is_ok());
    });
    group.bench_function("envelope", |bencher| {
        let digest = Digest::read(&octets).expect("the scanner wrote it");
        bencher.iter(|| black_box(digest.envelope()).to.count());
    });
    group.finish();
}

criterion_group! {
    name = messages;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = scan, pass, digest
}
criterion_main!(messages);
