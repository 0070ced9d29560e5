//! The threads: started, drained, ended.
//!
//! | state of a shard | what runs | leaves when |
//! |---|---|---|
//! | serving | everything | `drain`: listeners close, sessions are told |
//! | draining | open connections, bounded | `join`: no connection is left, or the time is over: then they are cut |
//! | closing | what `Shard::at_end` collected, last first | done, or the time is over |
//! | ended | nothing | |

use crate::inbox::{Inbox, Letter};
use crate::offload::Offload;
use crate::probe::{self, Unavailable};
use crate::shard::{self, Shard};
use crate::{event, sweep, time};
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use monoio::{IoUringDriver, Runtime, RuntimeBuilder};
use ringpost_admission::Budget;
use ringpost_types::TraceId;
use ringpost_types::limit::Limits;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{fmt, io};

/// Entries of a shard's submission queue.
const ENTRIES: u32 = 1024;
/// What a shard may take for closing logs, beyond the time given for connections.
const CLOSING_MAX: Duration = Duration::from_secs(5);
/// What tasks may take to notice that their connections were cut.
const CUT_MAX: Duration = Duration::from_secs(1);

/// How a machine is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Number of shards; `None`: one for each CPU that the process may use.
    pub shards: Option<u16>,
    /// Whether each thread keeps to one CPU.
    pub pin: bool,
    /// The limits in force.
    pub limits: Limits,
    /// The memory that all shards share.
    pub budget: Arc<Budget>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            shards: None,
            pin: true,
            limits: Limits::default(),
            budget: Budget::unbounded(),
        }
    }
}

/// Why a machine did not start.
#[derive(Debug)]
pub enum StartError {
    /// No io_uring; the text says what to do.
    Unavailable(Unavailable),
    /// A thread could not be made.
    Thread(io::Error),
    /// A shard's `main` panicked.
    Main,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Unavailable(unavailable) => unavailable.fmt(f),
            StartError::Thread(error) => write!(f, "cannot start a thread: {error}"),
            StartError::Main => f.write_str("a shard broke off at its start"),
        }
    }
}

impl std::error::Error for StartError {}

/// How a machine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every connection had finished.
    Finished,
    /// So many connections were cut when the time was over.
    Cut(usize),
    /// A thread did not end: something holds it.
    Stuck,
}

/// CPUs that the process may use: the number of shards where nothing else is asked for.
pub fn cpus() -> usize {
    allowed_cpus().len().max(1)
}

/// Running shards.
pub struct Machine {
    handle: Handle,
    threads: Vec<JoinHandle<()>>,
    ended: Receiver<usize>,
}

/// Reaches a machine's shards from any thread.
#[derive(Clone)]
pub struct Handle {
    inboxes: Arc<[Arc<Inbox>]>,
}

impl Handle {
    /// Number of shards.
    pub fn shards(&self) -> usize {
        self.inboxes.len()
    }

    /// Has `letter` run on shard `id`.
    pub fn post(&self, id: u16, letter: Letter) {
        if let Some(inbox) = self.inboxes.get(usize::from(id)) {
            inbox.post(letter);
        }
    }

    /// Has `what` run on every shard.
    pub fn each(&self, what: impl Fn(&Rc<Shard>) + Send + Sync + 'static) {
        let what = Arc::new(what);
        for inbox in self.inboxes.iter() {
            let what = what.clone();
            inbox.post(Box::new(move |shard| what(shard)));
        }
    }

    /// Tells every shard that the server leaves: listeners close, sessions finish what they are doing.
    pub fn drain(&self) {
        self.each(|shard| shard.begin_drain());
    }
}

impl Machine {
    /// Starts the threads; returns when every shard has run `main`, which spawns what shall run there.
    pub fn start(
        options: Options,
        main: impl Fn(Rc<Shard>) + Send + Sync + 'static,
    ) -> Result<Machine, StartError> {
        probe::probe().map_err(StartError::Unavailable)?;
        let cpus = allowed_cpus();
        let count = options.shards.map_or(cpus.len(), usize::from).max(1);
        let limits = Arc::new(options.limits);
        let offload = Offload::start(
            usize_of(limits.password_hashes_max),
            usize_of(limits.password_queue_max),
        );
        let offload = Arc::new(offload.map_err(StartError::Thread)?);
        let inboxes: Arc<[Arc<Inbox>]> = (0..count).map(|_| Arc::default()).collect();
        let main: Arc<Main> = Arc::new(main);
        let (started, starts) = unbounded();
        let (ended, ends) = unbounded();
        let mut machine = Machine {
            handle: Handle { inboxes },
            threads: Vec::with_capacity(count),
            ended: ends,
        };
        for id in 0..count {
            let seat = Seat {
                id: id as u16,
                cpu: cpus
                    .get(id % cpus.len().max(1))
                    .copied()
                    .filter(|_| options.pin),
                limits: limits.clone(),
                budget: options.budget.clone(),
                inbox: machine.handle.inboxes[id].clone(),
                offload: offload.clone(),
                main: main.clone(),
                started: started.clone(),
                ended: ended.clone(),
            };
            let thread = std::thread::Builder::new().name(format!("shard-{id}"));
            match thread.spawn(move || seat.run()) {
                Ok(thread) => machine.threads.push(thread),
                Err(error) => _ = started.send(Err(StartError::Thread(error))),
            }
        }
        drop(ended);
        // Each seat sends once, whatever happens to it.
        let failed = starts.iter().take(count).find_map(Result::err);
        match failed {
            None => Ok(machine),
            Some(error) => {
                machine.join(Duration::ZERO);
                Err(error)
            }
        }
    }

    /// What reaches the shards from other threads.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Number of shards.
    pub fn shards(&self) -> usize {
        self.handle.shards()
    }

    /// See [`Handle::drain`].
    pub fn drain(&self) {
        self.handle.drain();
    }

    /// Drains, waits up to `within` for connections to finish, cuts the rest, closes, and ends the threads.
    pub fn join(self, within: Duration) -> Ended {
        self.drain();
        let until = Instant::now() + within;
        self.handle.each(move |shard| {
            let shard = shard.clone();
            let ending = shard.clone();
            shard::spawn(async move { ending.end(until).await });
        });
        let mut cut = 0;
        let last = until + CUT_MAX + CLOSING_MAX + Duration::from_secs(1);
        for _ in &self.threads {
            match self.ended.recv_deadline(last) {
                Ok(count) => cut += count,
                Err(RecvTimeoutError::Timeout) => return Ended::Stuck,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        for thread in self.threads {
            let _ = thread.join();
        }
        event::flush();
        match cut {
            0 => Ended::Finished,
            cut => Ended::Cut(cut),
        }
    }
}

type Main = dyn Fn(Rc<Shard>) + Send + Sync;

/// What a thread needs to become a shard.
struct Seat {
    id: u16,
    cpu: Option<usize>,
    limits: Arc<Limits>,
    budget: Arc<Budget>,
    inbox: Arc<Inbox>,
    offload: Arc<Offload>,
    main: Arc<Main>,
    started: Sender<Result<(), StartError>>,
    ended: Sender<usize>,
}

impl Seat {
    fn run(self) {
        if let Some(cpu) = self.cpu {
            pin(cpu);
        }
        let mut ring = match ring() {
            Ok(ring) => ring,
            Err(error) => {
                let unavailable = StartError::Unavailable(probe::explain(&error));
                let _ = self.started.send(Err(unavailable));
                return;
            }
        };
        let shard = Shard::new(self.id, self.limits, self.budget, self.inbox, self.offload);
        shard.enter();
        let cut = ring.block_on(async {
            shard::spawn(sweep::run(shard.clone()));
            shard::spawn(read_letters(shard.clone()));
            let main = AssertUnwindSafe(|| (self.main)(shard.clone()));
            let begun = catch_unwind(main).map_err(|_| StartError::Main);
            let _ = self.started.send(begun);
            shard.closed.wait().await;
            // The tasks that the signal ends, and those that cut connections end.
            let until = Instant::now() + CUT_MAX;
            until_or(until, || shard.tasks() == 0).await;
            shard.cut_count()
        });
        Shard::leave();
        drop(shard);
        drop(ring);
        let _ = self.ended.send(cut);
    }
}

async fn read_letters(shard: Rc<Shard>) {
    let next = |context: &mut std::task::Context<'_>| shard.inbox.poll_take(context);
    while let time::First::A(letter) =
        time::first(std::future::poll_fn(next), shard.closed.wait()).await
    {
        letter(&shard);
    }
}

/// Waits until `done`, looking now and then, but not beyond `until`. For the end of a shard only.
pub(crate) async fn until_or(until: Instant, done: impl Fn() -> bool) {
    while !done() && Instant::now() < until {
        time::sleep(Duration::from_millis(2)).await;
    }
}

/// A ring that one thread alone submits to, its completions run when that thread asks for them: the cheapest
/// set-up measured. Kernels before 6.1 refuse the flags and get the plain one.
fn ring() -> io::Result<Runtime<monoio::time::TimeDriver<IoUringDriver>>> {
    let mut flags = io_uring::IoUring::builder();
    flags.setup_single_issuer().setup_defer_taskrun();
    build(flags).or_else(|error| match error.raw_os_error() {
        Some(libc::EINVAL) => build(io_uring::IoUring::builder()),
        _ => Err(error),
    })
}

fn build(flags: io_uring::Builder) -> io::Result<Runtime<monoio::time::TimeDriver<IoUringDriver>>> {
    RuntimeBuilder::<IoUringDriver>::new()
        .with_entries(ENTRIES)
        .uring_builder(flags)
        .enable_timer()
        .build()
}

/// The CPUs this process may run on, ascending.
fn allowed_cpus() -> Vec<usize> {
    // SAFETY: a CPU set is plain bits, all zero is a valid one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is as large as we say and lives through the call.
    let result = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) };
    if result != 0 {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        return (0..cpus).collect();
    }
    (0..libc::CPU_SETSIZE as usize)
        // SAFETY: `cpu` is below CPU_SETSIZE.
        .filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) })
        .collect()
}

/// Keeps this thread on `cpu`. Where that fails it runs anywhere, which is only slower.
fn pin(cpu: usize) {
    // SAFETY: as in `allowed_cpus`.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `cpu` came from `allowed_cpus`, so it is below CPU_SETSIZE.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: as in `allowed_cpus`.
    let result = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) };
    if result != 0 {
        let error = io::Error::last_os_error();
        event!(TraceId(0), "cannot keep a shard on CPU {cpu}: {error}");
    }
}

fn usize_of(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

impl Shard {
    /// From draining to ended. See the table above.
    async fn end(self: &Rc<Self>, until: Instant) {
        until_or(until, || self.connections() == 0).await;
        let left = self.connections();
        self.cut.set(left);
        if left > 0 {
            self.sweep.cut();
            until_or(Instant::now() + CUT_MAX, || self.connections() == 0).await;
        }
        let last = Instant::now() + CLOSING_MAX;
        loop {
            let Some(closing) = self.closing.borrow_mut().pop() else {
                break;
            };
            let rest = last.saturating_duration_since(Instant::now());
            if time::timeout(rest, closing).await.is_err() {
                event!(
                    TraceId(0),
                    "shard {} could not close everything in time",
                    self.id
                );
            }
        }
        self.closed.give();
    }

    fn cut_count(&self) -> usize {
        self.cut.get()
    }
}
