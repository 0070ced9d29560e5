//! `ringpost-load idle`: many connections that do nothing, and what each costs the server in memory.
//!
//! In:  a login, how many connections, how long to hold them.
//! Out: a [`Report`] whose unit is the connection; with a push, how long it took to reach all of them.
//!
//! Memory is read last because a server may give back, some time later, what the logins took.
//!
//! | phase   | connections                           | main thread                        |
//! |---------|---------------------------------------|------------------------------------|
//! | opening | LOGIN, SELECT, IDLE; a few at a time  | waits until all idle               |
//! | holding | wait                                  | sleeps; at the end: server's PSS   |
//! | pushing | note when EXISTS comes                | one APPEND by the first thread     |
//! | leaving | are closed                            | reports                            |

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use ringpost_runtime::{Shard, TlsClient, spawn, time};

use crate::drive::{Driven, Threads, drive, usage};
use crate::gate::Gate;
use crate::imap::client::{Client, Login};
use crate::process::tree::{Processes, Reading};
use crate::progress::Progress;
use crate::report::{self, Latency, Limit, Push, Report, Server};
use crate::target::Service;
use crate::wire::Error;

/// Connections of one thread that open at the same moment.
const OPENERS: usize = 16;
/// How often a thread looks whether the phase has changed.
const LOOK: Duration = Duration::from_millis(20);
/// How long the server may take to come to rest before its CPU is read.
const REST: Duration = Duration::from_secs(5);
/// How long a push may take.
const PUSH: Duration = Duration::from_secs(10);

const OPENING: u8 = 0;
const HOLDING: u8 = 1;
const PUSHING: u8 = 2;
const LEAVING: u8 = 3;

/// What is to be held.
pub struct Plan {
    pub service: Service,
    pub tls_client: TlsClient,
    /// Users in turn.
    pub logins: Vec<Login>,
    pub connections: u64,
    pub hold: Duration,
    pub with_push: bool,
    pub until: Instant,
    pub state: State,
}

/// Where the run is.
#[derive(Default)]
pub struct State {
    phase: AtomicU8,
    /// Connections that idle.
    idle: AtomicU64,
    /// Connections that never came to idle, or left it.
    failed: AtomicU64,
    /// Connections that a push has reached.
    pushed: AtomicU64,
}

/// What a thread has to tell.
struct Tally {
    /// From connect to IDLE, in nanoseconds.
    opening: Histogram<u64>,
    /// When pushes came.
    pushes: Vec<Instant>,
    push_sent: Option<Instant>,
    complaints: Vec<String>,
}

impl Tally {
    fn new() -> Self {
        let opening = report::histogram();
        Tally {
            opening,
            pushes: Vec::new(),
            push_sent: None,
            complaints: Vec::new(),
        }
    }

    fn complain(&mut self, error: Error) {
        if self.complaints.len() < 10 {
            self.complaints.push(error.to_string());
        }
    }
}

/// Runs the plan. The second value is whether any connection came to idle.
pub fn run(
    plan: Arc<Plan>,
    threads: &Threads,
    server: Option<&Processes>,
    progress: &Progress,
) -> io::Result<(Report, bool)> {
    let own_before = usage()?;
    let server_before = server.and_then(Processes::read);
    let pss_before = server.and_then(Processes::pss_kib);
    let bar = progress.bar(plan.connections, "connections");
    let start = Instant::now();
    let mut watch = Watch::new(plan.clone(), server.cloned());
    let (shared, count) = (plan.clone(), threads.count as u64);
    let work = move |shard: Rc<Shard>| thread(shared.clone(), u64::from(shard.id), count);
    let Driven {
        results: tallies,
        own,
    } = drive(threads, work, || {
        bar.set_position(plan.state.idle.load(Relaxed));
        watch.look();
    })?;
    bar.finish_and_clear();
    let generator = own.since(&own_before);
    let (held, opened) = (
        watch.idle,
        watch.opened.unwrap_or_else(Instant::now) - start,
    );
    let spent = watch
        .usage
        .zip(server_before)
        .map(|(usage, before)| usage.since(&before));
    let server =
        spent.map(|spent| Server::new(spent, held, [pss_before, watch.pss_kib]).held_at_once(held));

    let (mut opening, mut complaints) = (report::histogram(), Vec::new());
    let (mut pushes, mut push_sent) = (Vec::new(), None);
    for tally in tallies {
        opening.add(&tally.opening).map_err(io::Error::other)?;
        pushes.extend(tally.pushes);
        push_sent = push_sent.or(tally.push_sent);
        complaints.extend(tally.complaints);
    }
    let push = plan.with_push.then(|| {
        let mut latency = report::histogram();
        for at in push_sent
            .iter()
            .flat_map(|sent| pushes.iter().map(|at| at.duration_since(*sent)))
        {
            latency.saturating_record(at.as_nanos() as u64);
        }
        Push {
            expected: held,
            arrived: latency.len(),
            latency: Latency::of(&latency),
        }
    });
    let report = Report {
        kind: "idle",
        target: plan.service.target.to_string(),
        unit: "connection",
        sessions: plan.connections,
        done: held,
        refused: 0,
        failed: plan
            .connections
            .saturating_sub(held)
            .max(plan.state.failed.load(Relaxed)),
        octets: 0,
        elapsed_s: opened.as_secs_f64(),
        per_second: held as f64 / opened.as_secs_f64().max(1e-9),
        latency: Latency::of(&opening),
        limit: Limit::of(&generator, server.as_ref().map(|server| &server.spent)),
        generator,
        server,
        audit: None,
        push,
        complaints,
    };
    Ok((report, held > 0))
}

/// The main thread's part: moves the phases on and reads the server when all are idle.
struct Watch {
    plan: Arc<Plan>,
    server: Option<Processes>,
    opened: Option<Instant>,
    phase_ends: Option<Instant>,
    idle: u64,
    usage: Option<Reading>,
    pss_kib: Option<u64>,
}

impl Watch {
    fn new(plan: Arc<Plan>, server: Option<Processes>) -> Self {
        Watch {
            plan,
            server,
            opened: None,
            phase_ends: None,
            idle: 0,
            usage: None,
            pss_kib: None,
        }
    }

    fn look(&mut self) {
        let (state, now) = (&self.plan.state, Instant::now());
        let over = self.phase_ends.is_some_and(|end| now >= end);
        let (idle, failed) = (state.idle.load(Relaxed), state.failed.load(Relaxed));
        match state.phase.load(Relaxed) {
            OPENING if idle + failed >= self.plan.connections || now >= self.plan.until => {
                self.opened = Some(now);
                self.idle = idle;
                self.usage = self
                    .server
                    .as_ref()
                    .and_then(|server| server.read_at_rest(REST));
                self.enter(HOLDING, self.plan.hold);
            }
            HOLDING if over => {
                self.pss_kib = self.server.as_ref().and_then(Processes::pss_kib);
                match self.plan.with_push {
                    true => self.enter(PUSHING, PUSH),
                    false => self.enter(LEAVING, Duration::MAX),
                }
            }
            PUSHING if over || state.pushed.load(Relaxed) >= self.idle => {
                self.enter(LEAVING, Duration::MAX);
            }
            _ => {}
        }
    }

    fn enter(&mut self, phase: u8, duration: Duration) {
        self.phase_ends = Instant::now().checked_add(duration);
        self.plan.state.phase.store(phase, Relaxed);
    }
}

/// The connections of one thread.
async fn thread(plan: Arc<Plan>, thread: u64, threads: u64) -> Tally {
    let tally = Rc::new(RefCell::new(Tally::new()));
    let next = Rc::new(Cell::new(thread));
    let openers = Gate::default();
    for _ in 0..OPENERS {
        let (plan, tally, next, pass) =
            (plan.clone(), tally.clone(), next.clone(), openers.enter());
        spawn(async move {
            while next.get() < plan.connections && Instant::now() < plan.until {
                let number = next.replace(next.get() + threads);
                match open(&plan, number, &tally).await {
                    Ok(client) => spawn(hold(plan.clone(), client, tally.clone())),
                    Err(error) => {
                        plan.state.failed.fetch_add(1, Relaxed);
                        tally.borrow_mut().complain(error);
                    }
                }
            }
            drop(pass);
        });
    }
    openers.empty().await;
    let mut push_due = plan.with_push && thread == 0;
    while plan.state.phase.load(Relaxed) != LEAVING {
        if push_due && plan.state.phase.load(Relaxed) == PUSHING {
            push_due = false;
            if let Err(error) = push(&plan, &tally).await {
                tally.borrow_mut().complain(error);
            }
        }
        time::sleep(LOOK).await;
    }
    tally.replace(Tally::new())
}

async fn open(plan: &Plan, number: u64, tally: &RefCell<Tally>) -> Result<Client, Error> {
    let start = Instant::now();
    let login = &plan.logins[(number % plan.logins.len() as u64) as usize];
    let mut client = Client::open(&plan.service, &plan.tls_client).await?;
    client.enter(login).await?;
    client.idle().await?;
    tally
        .borrow_mut()
        .opening
        .saturating_record(start.elapsed().as_nanos() as u64);
    plan.state.idle.fetch_add(1, Relaxed);
    Ok(client)
}

/// Waits for pushes until the run is over or the connection is.
async fn hold(plan: Arc<Plan>, mut client: Client, tally: Rc<RefCell<Tally>>) {
    loop {
        match client.pushed().await {
            Ok(true) if plan.state.phase.load(Relaxed) == PUSHING => {
                tally.borrow_mut().pushes.push(Instant::now());
                plan.state.pushed.fetch_add(1, Relaxed);
            }
            Ok(_) => {}
            Err(error) => {
                if plan.state.phase.load(Relaxed) != LEAVING {
                    plan.state.failed.fetch_add(1, Relaxed);
                    tally.borrow_mut().complain(error);
                }
                return;
            }
        }
    }
}

/// One mail to each mailbox that is watched.
async fn push(plan: &Plan, tally: &RefCell<Tally>) -> Result<(), Error> {
    const MAIL: &[u8] = b"From: <load@ringpost-load.invalid>\r\nSubject: push\r\n\r\npush\r\n";
    let mut clients = Vec::new();
    for login in &plan.logins {
        let mut client = Client::open(&plan.service, &plan.tls_client).await?;
        client.enter(login).await?;
        clients.push(client);
    }
    tally.borrow_mut().push_sent = Some(Instant::now());
    for (client, login) in clients.iter_mut().zip(&plan.logins) {
        client.append(&login.mailbox, MAIL).await?;
    }
    Ok(())
}
