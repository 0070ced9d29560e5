//! One thread of the data plane and what it owns. Everything here is `Rc` and `Cell`: it never leaves the thread.

use crate::hub::Hub;
use crate::inbox::Inbox;
use crate::offload::{Busy, Offload};
use crate::pool::Pool;
use crate::signal::{Signal, Wait};
use crate::socket::Socket;
use crate::sweep::Sweep;
use crate::tickets::Tickets;
use crate::time;
use ringpost_admission::Budget;
use ringpost_types::TraceId;
use ringpost_types::limit::Limits;
use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Shard>>> = const { RefCell::new(None) };
}

/// What a shard is asked to finish before its thread ends.
type Closing = Pin<Box<dyn Future<Output = ()>>>;

/// A shard. Tasks get it as `Rc<Shard>`.
pub struct Shard {
    /// Its number, from 0; also the number of its mail log.
    pub id: u16,
    /// The limits in force when the machine started.
    pub limits: Arc<Limits>,
    /// Writes to the store and their answers.
    pub tickets: Tickets,
    /// The store's change feed.
    pub hub: Rc<Hub>,
    /// The memory that all shards share.
    pub budget: Arc<Budget>,
    pub(crate) pool: Pool,
    pub(crate) sweep: Sweep,
    pub(crate) inbox: Arc<Inbox>,
    /// Reads that hold a buffer.
    pub(crate) reading: Cell<usize>,
    pub(crate) connections: Cell<usize>,
    pub(crate) closing: RefCell<Vec<Closing>>,
    pub(crate) closed: Signal,
    /// Connections that were open when the time to finish was over.
    pub(crate) cut: Cell<usize>,
    draining: Signal,
    tasks: Cell<usize>,
    next_trace: Cell<u64>,
    offload: Arc<Offload>,
    ready: OnceCell<Socket>,
}

impl Shard {
    pub(crate) fn new(
        id: u16,
        limits: Arc<Limits>,
        budget: Arc<Budget>,
        inbox: Arc<Inbox>,
        offload: Arc<Offload>,
    ) -> Rc<Shard> {
        Rc::new(Shard {
            id,
            limits,
            tickets: Tickets::new(inbox.clone()),
            hub: Rc::new(Hub::new(inbox.clone())),
            pool: Pool::new(budget.clone()),
            budget,
            sweep: Sweep::default(),
            inbox,
            reading: Cell::new(0),
            connections: Cell::new(0),
            closing: RefCell::default(),
            closed: Signal::default(),
            cut: Cell::new(0),
            draining: Signal::default(),
            tasks: Cell::new(0),
            next_trace: Cell::new(0),
            offload,
            ready: OnceCell::new(),
        })
    }

    /// A new name for a connection or a message, later than all before it. It tells the second in which it was given,
    /// and in it is one of 65,536; whoever needs more borrows from the next second.
    pub fn trace_id(&self) -> TraceId {
        let count = self.next_trace.get().max(time::now_unix() << 16);
        self.next_trace.set(count + 1);
        TraceId(u64::from(self.id) << 48 | count & ((1 << 48) - 1))
    }

    /// Whether the server is leaving: no new transactions.
    pub fn draining(&self) -> bool {
        self.draining.is_given()
    }

    /// Resolves when draining begins. May be dropped and raced.
    pub fn drain(&self) -> Wait<'_> {
        self.draining.wait()
    }

    /// Runs `work`, which blocks or computes for long, on a thread beside.
    pub async fn offload<T, F>(&self, work: F) -> Result<T, Busy>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.offload.run(work).await
    }

    /// Has `future` run and awaited after the last connection has gone and before the thread ends: the place to
    /// close a log. Run in reverse order of their coming.
    pub fn at_end(&self, future: impl Future<Output = ()> + 'static) {
        self.closing.borrow_mut().push(Box::pin(future));
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.connections.get()
    }

    /// Tasks that have not ended.
    pub fn tasks(&self) -> usize {
        self.tasks.get()
    }

    /// See [`time::turn`].
    pub(crate) async fn turn(&self) {
        if self.ready.get().is_none() {
            match Socket::always_readable() {
                Ok(socket) => _ = self.ready.set(socket),
                // No descriptors left: a millisecond is a turn too.
                Err(_) => return time::sleep(Duration::from_millis(1)).await,
            }
        }
        if let Some(socket) = self.ready.get() {
            socket.readable().await;
        }
    }

    pub(crate) fn begin_drain(&self) {
        self.draining.give();
    }

    /// Makes this the thread's shard.
    pub(crate) fn enter(self: &Rc<Self>) {
        CURRENT.with_borrow_mut(|current| *current = Some(self.clone()));
    }

    /// Forgets the thread's shard.
    pub(crate) fn leave() {
        CURRENT.with_borrow_mut(|current| *current = None);
    }
}

/// The shard of this thread. Panics on a thread that is none.
pub fn current() -> Rc<Shard> {
    CURRENT
        .with_borrow(Clone::clone)
        .expect("only the threads of a machine are shards")
}

/// Runs `future` as a task of this shard. A panic ends the task, is told, and ends nothing else.
pub fn spawn<F: Future<Output = ()> + 'static>(future: F) {
    let shard = current();
    shard.tasks.set(shard.tasks.get() + 1);
    // The handle is not needed: the task goes on without it.
    drop(monoio::spawn(Task { future, shard }));
}

/// A task with its place in the count.
struct Task<F> {
    future: F,
    shard: Rc<Shard>,
}

impl<F: Future<Output = ()>> Future for Task<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // SAFETY: `future` is pinned with the task: it is only reached through this projection, never moved out,
        // and `Task` has a Drop that does not touch it and is Unpin only where `F` is.
        let future = unsafe { self.map_unchecked_mut(|task| &mut task.future) };
        match catch_unwind(AssertUnwindSafe(|| future.poll(context))) {
            Ok(poll) => poll,
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                crate::event!(TraceId(0), "a task broke off: {}", text.unwrap_or("panic"));
                Poll::Ready(())
            }
        }
    }
}

impl<F> Drop for Task<F> {
    fn drop(&mut self) {
        self.shard.tasks.set(self.shard.tasks.get() - 1);
    }
}
