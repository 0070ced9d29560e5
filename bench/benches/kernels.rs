//! Octets: what each kernel of `scan`, and the two loops made right on them, do per second.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringpost_bench::corpus;
use ringpost_mailauth::BodyHash;
use ringpost_scan::canon::{Body, Form};
use ringpost_scan::{ascii, base64, dot, line, quoted, search};
use ringpost_smtp::dot::{Step, Undot};
use std::hint::black_box;
use std::time::Duration;

const OCTETS: usize = 64 * 1024;

/// Bodies that mail is made of.
fn bodies() -> [(&'static str, Vec<u8>); 3] {
    [
        ("text", corpus::text(OCTETS)),
        ("html", corpus::html(OCTETS)),
        ("base64", corpus::base64(OCTETS)),
    ]
}

/// Runs `work` on each body, told in octets per second.
fn on_bodies<R>(criterion: &mut Criterion, name: &str, mut work: impl FnMut(&[u8]) -> R) {
    let mut group = criterion.benchmark_group(name);
    for (kind, body) in bodies() {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(kind, |bencher| bencher.iter(|| black_box(work(&body))));
    }
    group.finish();
}

fn dots(criterion: &mut Criterion) {
    on_bodies(criterion, "dot/plain_run", |body| {
        let mut rest = body;
        while !rest.is_empty() {
            rest = &rest[dot::plain_run(rest).max(1)..]; // Over the dot it has stopped at.
        }
    });
    on_bodies(criterion, "dot/undot", |body| {
        let (mut undot, mut octets, mut rest) = (Undot::new(), 0, body);
        loop {
            let (step, left) = undot.step(rest);
            rest = left;
            match step {
                Step::Run(run) => octets += run.len(),
                Step::More | Step::End => return octets,
            }
        }
    });
}

fn lines(criterion: &mut Criterion) {
    on_bodies(criterion, "line/find_crlf", |body| {
        let (mut rest, mut found) = (body, 0);
        while let Some(at) = line::find_crlf(rest) {
            rest = &rest[at + 2..];
            found += 1;
        }
        found
    });
    on_bodies(criterion, "line/to_hyphens", line::to_hyphens);
    on_bodies(criterion, "line/count_lf", line::count_lf);
}

fn canonical(criterion: &mut Criterion) {
    for form in [Form::Simple, Form::Relaxed] {
        on_bodies(criterion, &format!("canon/{form:?}"), |body| {
            let mut octets = 0;
            let mut canon = Body::new(form);
            canon.update(body, &mut |run| octets += run.len());
            octets
        });
        on_bodies(criterion, &format!("canon+sha256/{form:?}"), |body| {
            let mut hash = BodyHash::new(form, None);
            hash.update(body);
            hash.finish()
        });
    }
    on_bodies(criterion, "sha256", |body| {
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body)
    });
}

fn text(criterion: &mut Criterion) {
    let needle = search::Needle::new(b"no such Words");
    on_bodies(criterion, "search/caseless", |body| needle.find(body));
    let mut folded = Vec::new();
    on_bodies(criterion, "ascii/fold_into", |body| {
        folded.clear();
        ascii::fold_into(body, &mut folded);
        folded.len()
    });
    let mut decoded = Vec::new();
    on_bodies(criterion, "quoted/decode", |body| {
        decoded.clear();
        quoted::decode_into(body, &mut decoded);
        decoded.len()
    });
    let body = corpus::base64(OCTETS);
    let mut group = criterion.benchmark_group("base64");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            decoded.clear();
            base64::decode_into(black_box(&body), &mut decoded);
            decoded.len()
        });
    });
    group.finish();
}

criterion_group! {
    name = kernels;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = dots, lines, canonical, text
}
criterion_main!(kernels);
