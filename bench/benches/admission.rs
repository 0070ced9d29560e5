//! What a decision at the door costs: one connection in and out, one message counted, one refused for a ban; alone, and on
//! each of two threads that contend.
//!
//! Peers are 4,096 addresses of 1,024 networks in turn, other ones on each thread, or all of one network: there every
//! decision meets on one row. A time is that of one decision on one thread.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringpost_admission::network::around;
use ringpost_admission::{Admission, Ban, Budget, Count, Policy};
use ringpost_types::limit::Limits;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

/// Long after 1970, so that no subtraction meets zero.
const NOW_MS: u64 = 1_800_000_000_000;
/// What no run reaches.
const MANY: u64 = 1 << 40;

fn door() -> Arc<Admission> {
    let limits = Limits {
        admission_address_connections_max: MANY,
        admission_network_connections_max: MANY,
        admission_address_connections_per_minute: MANY,
        admission_network_connections_per_minute: MANY,
        admission_address_messages_per_minute: MANY,
        admission_network_messages_per_minute: MANY,
        ..Limits::default()
    };
    let entries = limits.admission_entries_max;
    let policy = Policy::new(&limits, Vec::new());
    Admission::new(policy, entries, Budget::new(1 << 30), [1, 2])
}

/// The `number`-th peer of `thread`.
fn peer(spread: bool, thread: u8, number: u64) -> IpAddr {
    let number = if spread { number % 4_096 } else { number % 4 };
    let [high, low] = [number / 1_024, number % 1_024];
    let network = (low as u16).to_be_bytes();
    match spread {
        true => Ipv4Addr::new(60 + thread, network[0], network[1], high as u8).into(),
        false => Ipv4Addr::new(60, 0, 0, low as u8).into(),
    }
}

/// Runs `decide` so many times on each of so many threads at once; the longest of them.
fn contend(threads: u8, times: u64, decide: impl Fn(u8, u64) + Sync) -> Duration {
    let start = Barrier::new(threads.into());
    thread::scope(|scope| {
        let run = |thread| {
            let (start, decide) = (&start, &decide);
            scope.spawn(move || {
                start.wait();
                let began = Instant::now();
                (0..times).for_each(|number| decide(thread, number));
                began.elapsed()
            })
        };
        let running: Vec<_> = (0..threads).map(run).collect();
        let times = running.into_iter().filter_map(|thread| thread.join().ok());
        times.max().unwrap_or_default()
    })
}

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("admission");
    group.throughput(Throughput::Elements(1));
    for threads in [1, 2] {
        for (peers, spread) in [("many networks", true), ("one network", false)] {
            let name = |what: &str| BenchmarkId::new(what, format!("{peers}, {threads} threads"));
            let all = door();
            group.bench_function(name("connection"), |bencher| {
                bencher.iter_custom(|times| {
                    contend(threads, times, |thread, number| {
                        let ip = peer(spread, thread, number);
                        drop(black_box(all.enter(Some(ip), NOW_MS)));
                    })
                });
            });
            let guests = |thread| {
                let enter = |number| all.enter(Some(peer(spread, thread, number)), NOW_MS).ok();
                (0..4_096).filter_map(enter).collect::<Vec<_>>()
            };
            let guests: Vec<_> = (0..threads).map(guests).collect();
            group.bench_function(name("message"), |bencher| {
                bencher.iter_custom(|times| {
                    contend(threads, times, |thread, number| {
                        let guests = &guests[usize::from(thread)];
                        let guest = &guests[number as usize % guests.len()];
                        black_box(guest.count(Count::Messages, 1, NOW_MS));
                    })
                });
            });
        }
        let all = door();
        let ban = |number: u16| Ban {
            network: around(Ipv4Addr::from(u32::from(number) << 8).into()),
            since_ms: NOW_MS,
            until_ms: u64::MAX,
            count: 1,
            reason: "bench".into(),
        };
        all.put_bans((0..10_000).map(ban));
        let name = BenchmarkId::new("refusal", format!("10,000 bans, {threads} threads"));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                contend(threads, times, |_, number| {
                    let ip = Ipv4Addr::from(((number % 10_000) as u32) << 8);
                    drop(black_box(all.enter(Some(ip.into()), NOW_MS)));
                })
            });
        });
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
