//! All sessions of an SMTP run, from the first connection to the report.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use ringpost_runtime::{Shard, spawn};

use crate::drive::{Driven, Threads, drive, usage};
use crate::gate::Gate;
use crate::ledger::Ledger;
use crate::process::tree::Processes;
use crate::progress::Progress;
use crate::report::{self, Latency, Limit, Report, Server};
use crate::smtp::client::{Client, Tally, Then};
use crate::smtp::plan::Plan;

/// Sessions that connect at the same moment; the rest follow as these are greeted.
const SESSIONS_AT_ONCE: u64 = 64;

/// Report and promises of a run.
pub struct Ran {
    pub report: Report,
    pub ledger: Ledger,
    /// No session was ever greeted.
    pub unreachable: bool,
}

/// Sends all mails of `plan`.
pub fn run(
    plan: Arc<Plan>,
    threads: &Threads,
    server: Option<&Processes>,
    progress: &Progress,
) -> io::Result<Ran> {
    let own_before = usage()?;
    let server_before = server.and_then(Processes::read);
    let pss_before = server.and_then(Processes::pss_kib);
    let bar = progress.bar(plan.messages, "messages");
    let start = Instant::now();
    let (shared, count) = (plan.clone(), threads.count as u64);
    let work = move |shard: Rc<Shard>| sessions(shared.clone(), u64::from(shard.id), count);
    let watched = plan.clone();
    let Driven {
        results: tallies,
        own,
    } = drive(threads, work, || {
        bar.set_position(watched.counts.accepted.load(Relaxed))
    })?;
    let elapsed = tallies
        .iter()
        .map(|(_, end)| *end - start)
        .max()
        .unwrap_or_default();
    bar.finish_and_clear();
    let generator = own.since(&own_before);
    let at_once = server
        .and_then(Processes::read)
        .zip(server_before.as_ref())
        .map(|(u, b)| u.since(b));
    let at_rest = server.and_then(|server| server.read_at_rest(plan.rest));

    let mut ledger = Ledger {
        run: plan.run,
        ..Ledger::default()
    };
    let (mut latency, mut complaints) = (report::histogram(), Vec::new());
    for (tally, _) in tallies {
        ledger.merge(tally.ledger);
        latency.add(&tally.latency).map_err(io::Error::other)?;
        complaints.extend(tally.complaints);
    }
    let counts = &plan.counts;
    let (done, refused) = (counts.accepted.load(Relaxed), counts.refused.load(Relaxed));
    let spent = at_rest
        .zip(server_before)
        .map(|(at_rest, before)| at_rest.since(&before));
    let report = Report {
        kind: "smtp",
        target: plan.target.to_string(),
        unit: "message",
        sessions: plan.sessions,
        done,
        refused,
        failed: plan.messages.saturating_sub(done + refused),
        octets: counts.octets.load(Relaxed),
        elapsed_s: elapsed.as_secs_f64(),
        per_second: done as f64 / elapsed.as_secs_f64().max(1e-9),
        latency: Latency::of(&latency),
        limit: Limit::of(&generator, at_once.as_ref()),
        generator,
        server: spent.map(|spent| {
            Server::new(
                spent,
                done,
                [pss_before, server.and_then(Processes::pss_kib)],
            )
        }),
        audit: None,
        push: None,
        complaints,
    };
    Ok(Ran {
        report,
        ledger,
        unreachable: counts.greeted.load(Relaxed) == 0,
    })
}

/// The sessions of one thread: every `threads`-th, beginning with `thread`. Returns when the last has ended.
async fn sessions(plan: Arc<Plan>, thread: u64, threads: u64) -> (Tally, Instant) {
    let tally = Rc::new(RefCell::new(Tally::new(plan.run)));
    let gate = Gate::default();
    for number in (thread..plan.sessions).step_by(threads.max(1) as usize) {
        let (plan, tally, pass) = (plan.clone(), tally.clone(), gate.enter());
        // A listener's backlog is finite: the first wave goes at once, each later one a little after.
        let wave = u32::try_from(number / SESSIONS_AT_ONCE).unwrap_or(u32::MAX);
        let delay = Duration::from_millis(2).saturating_mul(wave);
        spawn(async move {
            if !delay.is_zero() {
                ringpost_runtime::time::sleep(delay).await;
            }
            session(&plan, &tally).await;
            drop(pass);
        });
    }
    gate.empty().await;
    let ended = Instant::now();
    let tally = std::mem::replace(&mut *tally.borrow_mut(), Tally::new(plan.run));
    (tally, ended)
}

/// One session: connections, one after the other, until no mail is left or one of them fails.
async fn session(plan: &Plan, tally: &RefCell<Tally>) {
    loop {
        let mut client = match Client::open(plan).await {
            Ok(client) => client,
            Err(error) => return tally.borrow_mut().complain(|| error.to_string()),
        };
        plan.counts.greeted.fetch_add(1, Relaxed);
        let mut sent = 0;
        let then = loop {
            if sent == plan.messages_per_connection {
                break Then::Reconnect;
            }
            let Some(number) = plan.next() else {
                return client.quit().await;
            };
            sent += 1;
            match client.send(number, tally).await {
                Ok(Then::Next) => {}
                Ok(Then::Reconnect) => break Then::Reconnect,
                Err(error) => {
                    return tally
                        .borrow_mut()
                        .complain(|| format!("mail {number}: {error}"));
                }
            }
        };
        debug_assert_eq!(then, Then::Reconnect);
        client.quit().await;
    }
}
