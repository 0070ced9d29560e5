//! Work that would hold a shard, on a few threads beside: password hashes above all.
//!
//! In:  a closure. Out: its result on the asking shard, or [`Busy`] at once when the queue is full: a flood of
//! logins is refused for now, and the shard goes on.

use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

/// The queue is full, or the work broke off. Ours, temporary: the peer may try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too much work is waiting")
    }
}

impl std::error::Error for Busy {}

type Work = Box<dyn FnOnce() + Send>;

/// The threads. They end when the last sender of work does.
pub struct Offload {
    queue: Sender<Work>,
}

impl Offload {
    /// Starts `threads` threads behind a queue of `waiting_max`.
    pub fn start(threads: usize, waiting_max: usize) -> std::io::Result<Offload> {
        let (queue, work) = bounded(waiting_max);
        for number in 0..threads.max(1) {
            let work: Receiver<Work> = work.clone();
            std::thread::Builder::new()
                .name(format!("offload-{number}"))
                .spawn(move || work.into_iter().for_each(|work| work()))?;
        }
        Ok(Offload { queue })
    }

    /// Runs `work` beside and brings its result back. Dropping the future does not stop the work.
    pub async fn run<T, F>(&self, work: F) -> Result<T, Busy>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let desk = Arc::new(Mutex::new(Desk {
            state: State::Waiting,
            waker: None,
        }));
        let worker = desk.clone();
        let task: Work = Box::new(move || {
            // A panic is one request's failure; the thread goes on.
            let state = match catch_unwind(AssertUnwindSafe(work)) {
                Ok(result) => State::Done(result),
                Err(_) => State::Broken,
            };
            let mut desk = worker.lock().unwrap_or_else(PoisonError::into_inner);
            desk.state = state;
            let waker = desk.waker.take();
            drop(desk);
            waker.into_iter().for_each(Waker::wake);
        });
        match self.queue.try_send(task) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return Err(Busy),
        }
        std::future::poll_fn(|context| {
            let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
            match std::mem::replace(&mut desk.state, State::Waiting) {
                State::Done(result) => Poll::Ready(Ok(result)),
                State::Broken => Poll::Ready(Err(Busy)),
                State::Waiting => {
                    desk.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// Where worker and asker meet.
struct Desk<T> {
    state: State<T>,
    waker: Option<Waker>,
}

enum State<T> {
    Waiting,
    Done(T),
    Broken,
}
