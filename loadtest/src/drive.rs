//! Runs one piece of work on each thread of the generator, while the main thread watches.
//!
//! In:  how many threads, on which cores, and the work: a future for each thread.
//! Out: what each returned, in the order in which they ended; what this process had used by then.
//!
//! The threads are the runtime's shards, so the generator costs as little as the server it is set against.

use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use ringpost_runtime::{Machine, Options, Shard, spawn};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::process::Usage;

/// Threads of the generator.
#[derive(Clone, Debug, Default)]
pub struct Threads {
    pub count: usize,
    /// Cores, one for each thread in turn; empty: the system chooses.
    pub cores: Vec<usize>,
}

/// The end of all work.
pub struct Driven<T> {
    /// Of each thread.
    pub results: Vec<T>,
    /// This process, when the last thread had finished.
    pub own: Usage,
}

/// What this process has used so far.
pub fn usage() -> io::Result<Usage> {
    Usage::read(std::process::id()).ok_or_else(|| io::Error::other("/proc cannot be read"))
}

/// How often the main thread looks.
const LOOK: Duration = Duration::from_millis(100);
/// How long connections may stay open once the work is done.
const END: Duration = Duration::from_millis(100);

/// Runs `work` on each thread until all have returned; calls `meanwhile` from time to time.
pub fn drive<T, F>(
    threads: &Threads,
    work: impl Fn(Rc<Shard>) -> F + Send + Sync + 'static,
    mut meanwhile: impl FnMut(),
) -> io::Result<Driven<T>>
where
    T: Send + 'static,
    F: Future<Output = T> + 'static,
{
    let (sender, receiver) = channel();
    keep_to(&threads.cores)?;
    let count = u16::try_from(threads.count).unwrap_or(u16::MAX);
    let pin = !threads.cores.is_empty();
    let options = Options {
        shards: Some(count),
        pin,
        ..Options::default()
    };
    let machine = Machine::start(options, move |shard| {
        let (sender, work) = (sender.clone(), work(shard));
        spawn(async move {
            // The main thread may have given up; then nobody needs the result.
            let _ = sender.send(work.await);
        });
    })
    .map_err(io::Error::other)?;
    let mut results = Vec::with_capacity(threads.count);
    while results.len() < threads.count {
        match receiver.recv_timeout(LOOK) {
            Ok(result) => results.push(result),
            Err(RecvTimeoutError::Timeout) => meanwhile(),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("a thread of the generator ended early"));
            }
        }
    }
    // Before the threads end and take their counts along.
    let own = usage()?;
    machine.join(END);
    Ok(Driven { results, own })
}

/// Restricts this process to `cores`; the threads to come spread over them.
fn keep_to(cores: &[usize]) -> io::Result<()> {
    if cores.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    for &core in cores.iter().filter(|&&core| core < CpuSet::MAX_CPU) {
        set.set(core);
    }
    sched_setaffinity(None, &set)
        .map_err(|error| io::Error::other(format!("cannot keep to CPUs {cores:?}: {error}")))
}
