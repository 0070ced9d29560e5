//! `ringpost-load imap`: one command, again and again, on a mailbox.
//!
//! In:  a login, a command, how often, over how many sessions.
//! Out: a [`Report`] whose unit is the command: the server's CPU and octets for each.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use ringpost_runtime::{Shard, TlsClient, spawn};

use crate::drive::{Driven, Threads, drive, usage};
use crate::gate::Gate;
use crate::imap::client::{Client, Login};
use crate::process::tree::Processes;
use crate::progress::Progress;
use crate::report::{self, Latency, Limit, Report, Server};
use crate::target::Service;
use crate::wire::Error;

/// How long the server may go on working after its last response before it is measured.
const REST: Duration = Duration::from_secs(2);

/// What is to be asked.
pub struct Plan {
    pub service: Service,
    pub tls_client: TlsClient,
    pub login: Login,
    pub command: String,
    pub repeat: u64,
    pub sessions: u64,
    pub until: Instant,
    pub state: State,
}

/// Where the run is.
#[derive(Default)]
pub struct State {
    taken: AtomicU64,
    answered: AtomicU64,
    /// Sessions that have logged in and selected; commands begin when all have.
    ready: AtomicU64,
    /// Set by the main thread once it has read what the server has used so far.
    go: AtomicBool,
}

#[derive(Default)]
struct Tally {
    received: u64,
    mails: u64,
    complaints: Vec<String>,
}

/// Runs the plan. The second value: messages in the mailbox; `None` when no session got in.
pub fn run(
    plan: Arc<Plan>,
    threads: &Threads,
    server: Option<&Processes>,
    progress: &Progress,
) -> io::Result<(Report, Option<u64>)> {
    let pss_before = server.and_then(Processes::pss_kib);
    let bar = progress.bar(plan.repeat, "commands");
    let (shared, count) = (plan.clone(), threads.count as u64);
    let work = move |shard: Rc<Shard>| sessions(shared.clone(), u64::from(shard.id), count);
    let watched = plan.clone();
    let (mut server_before, mut own_before, mut start) = (None, None, None);
    let Driven { results, own } = drive(threads, work, || {
        if start.is_none() && watched.state.ready.load(Relaxed) >= watched.sessions {
            server_before = server.and_then(|server| server.read_at_rest(REST));
            own_before = usage().ok();
            start = Some(Instant::now());
            watched.state.go.store(true, Relaxed);
        }
        bar.set_position(watched.state.answered.load(Relaxed));
    })?;
    bar.finish_and_clear();
    let generator = own.since(own_before.as_ref().unwrap_or(&own));
    let at_rest = server.and_then(|server| server.read_at_rest(REST));
    let spent = at_rest
        .zip(server_before)
        .map(|(at_rest, before)| at_rest.since(&before));

    let (mut latency, mut all) = (report::histogram(), Tally::default());
    let mut end = None;
    for (tally, histogram, ended) in results {
        latency.add(&histogram).map_err(io::Error::other)?;
        all.received += tally.received;
        all.mails = all.mails.max(tally.mails);
        all.complaints.extend(tally.complaints);
        end = end.max(Some(ended));
    }
    let elapsed = start
        .zip(end)
        .map_or(Duration::ZERO, |(start, end)| end - start);
    let done = plan.state.answered.load(Relaxed);
    let report = Report {
        kind: "imap",
        target: plan.service.target.to_string(),
        unit: "command",
        sessions: plan.sessions,
        done,
        refused: 0,
        failed: plan.repeat.saturating_sub(done),
        octets: all.received,
        elapsed_s: elapsed.as_secs_f64(),
        per_second: done as f64 / elapsed.as_secs_f64().max(1e-9),
        latency: Latency::of(&latency),
        limit: Limit::of(&generator, spent.as_ref()),
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
        complaints: all.complaints,
    };
    Ok((report, start.map(|_| all.mails)))
}

async fn sessions(plan: Arc<Plan>, thread: u64, threads: u64) -> (Tally, Histogram<u64>, Instant) {
    let tally = Rc::new(RefCell::new((Tally::default(), report::histogram())));
    let gate = Gate::default();
    for _ in (thread..plan.sessions).step_by(threads.max(1) as usize) {
        let (plan, tally, pass) = (plan.clone(), tally.clone(), gate.enter());
        spawn(async move {
            if let Err(error) = session(&plan, &tally).await {
                tally.borrow_mut().0.complaints.push(error.to_string());
            }
            drop(pass);
        });
    }
    gate.empty().await;
    let ended = Instant::now();
    let (tally, histogram) = tally.replace((Tally::default(), report::histogram()));
    (tally, histogram, ended)
}

async fn session(plan: &Plan, tally: &RefCell<(Tally, Histogram<u64>)>) -> Result<(), Error> {
    let mut client = Client::open(&plan.service, &plan.tls_client).await?;
    tally.borrow_mut().0.mails = client.enter(&plan.login).await?;
    plan.state.ready.fetch_add(1, Relaxed);
    while !plan.state.go.load(Relaxed) {
        if Instant::now() >= plan.until {
            return Ok(());
        }
        ringpost_runtime::time::sleep(Duration::from_millis(20)).await;
    }
    let received_before = client.received;
    while Instant::now() < plan.until && plan.state.taken.fetch_add(1, Relaxed) < plan.repeat {
        let start = Instant::now();
        client.command(&plan.command, |_| ()).await?;
        tally
            .borrow_mut()
            .1
            .saturating_record(start.elapsed().as_nanos() as u64);
        plan.state.answered.fetch_add(1, Relaxed);
    }
    tally.borrow_mut().0.received += client.received - received_before;
    client.logout().await;
    Ok(())
}
