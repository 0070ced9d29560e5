//! The reading side of a connection: one future that lives as long as the connection.
//!
//! Because the read in flight belongs to this future and not to whoever waits for it, a session may drop or race
//! its waiting as it likes: octets that arrive meanwhile are kept for the next time.
//!
//! | phase | holds | leaves when |
//! |---|---|---|
//! | Idle | nothing | octets or readiness are wanted |
//! | Reading | a read in flight, with a buffer | octets came; or nothing came for a tick: cancelled and awaited, then Parked |
//! | Parked | a poll for readiness, no buffer | the socket is readable; then Reading, if octets are wanted |
//!
//! Invariant: a cancelled read is awaited to its end. Either it says ECANCELED and took nothing, or it had octets
//! after all and they are delivered.

use crate::Shard;
use crate::socket::{self, Socket};
use crate::sweep::{NEVER, Sweep};
use monoio::io::Canceller;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::RawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Reads that may hold a buffer while they wait, on one shard: 8 MiB. Beyond it a read waits for readiness first,
/// so ten thousand peers that connect at once do not take 160 MiB, of which the allocator keeps a good part.
/// Measured at 2,000 busy connections: 70 µs of processor time for a mail against 57 with 2,048 here; and at 5,000
/// idle ones 4.7 KiB each against 10.
const READING_MAX: usize = 512;

/// What the connection asks of its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    Nothing,
    /// To be told that there is something to read.
    Ready,
    /// Octets, or the end.
    Octets,
}

/// See the table above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Idle,
    Reading,
    Parked,
}

/// What connection, reader and sweep share of one connection.
pub struct Port {
    fd: RawFd,
    row: Cell<usize>,
    pub want: Cell<Want>,
    pub phase: Cell<Phase>,
    /// The last read's result, until it is taken. Octets of length 0 are the end.
    got: Cell<Option<io::Result<Vec<u8>>>>,
    canceller: Cell<Option<Canceller>>,
    /// Whom to wake when the peer has been silent for too long.
    waker: Cell<Option<Waker>>,
    /// Why a wait is over that brought nothing.
    expired: Cell<Option<io::ErrorKind>>,
    /// Whether the session can be done without when memory is short.
    pub spare: Cell<bool>,
    park_due: Cell<u32>,
    silence_due: Cell<u32>,
    write_due: Cell<u32>,
}

impl Port {
    /// The port of socket `fd`, taken into the shard's sweep.
    pub fn new(fd: RawFd, shard: &Shard) -> Rc<Port> {
        let port = Rc::new(Port {
            fd,
            row: Cell::new(0),
            want: Cell::new(Want::Nothing),
            phase: Cell::new(Phase::Idle),
            got: Cell::new(None),
            canceller: Cell::new(None),
            waker: Cell::new(None),
            expired: Cell::new(None),
            spare: Cell::new(false),
            park_due: Cell::new(NEVER),
            silence_due: Cell::new(NEVER),
            write_due: Cell::new(NEVER),
        });
        port.row.set(shard.sweep.enter(port.clone()));
        port
    }

    /// Takes the port out of the shard's sweep: the socket is about to be closed.
    pub fn leave(&self, sweep: &Sweep) {
        sweep.leave(self.row.get());
    }

    /// The socket.
    pub fn fd(&self) -> RawFd {
        self.fd
    }

    /// Octets that arrived, if any.
    pub fn take(&self) -> Option<io::Result<Vec<u8>>> {
        self.got.take()
    }

    /// Whether a result lies here.
    pub fn has_result(&self) -> bool {
        let got = self.got.take();
        let has = got.is_some();
        self.got.set(got);
        has
    }

    /// Bounds how long the peer may be silent from now on, once for each time something is waited for.
    pub fn silence_from(&self, sweep: &Sweep, due: u32) {
        if self.silence_due.get() == NEVER {
            self.set(sweep, &self.silence_due, due);
        }
    }

    /// The peer spoke, or nothing is expected of it.
    pub fn silence_over(&self) {
        self.silence_due.set(NEVER);
        self.expired.set(None);
    }

    /// Why the wait is over: the peer has been silent for too long, or memory is short; asks once.
    pub fn take_expired(&self) -> Option<io::ErrorKind> {
        let expired = self.expired.take();
        if expired.is_some() {
            self.silence_due.set(NEVER);
        }
        expired
    }

    /// Whether nobody misses the session: it waits for long and may be done without.
    pub fn is_idle(&self) -> bool {
        self.spare.get() && self.phase.get() == Phase::Parked
    }

    /// Ends the wait for want of memory. Once: who has been told leaves by itself, and others are next.
    pub fn shed(&self) {
        self.spare.set(false);
        self.expired.set(Some(io::ErrorKind::OutOfMemory));
        self.waker.take().into_iter().for_each(Waker::wake);
    }

    /// Bounds a write: the peer is cut at `due`. [`NEVER`]: the write is done.
    pub fn write_until(&self, sweep: &Sweep, due: u32) {
        if due == NEVER {
            self.write_due.set(NEVER);
        } else {
            self.set(sweep, &self.write_due, due);
        }
    }

    /// Whom to wake while parked.
    pub fn wait(&self, context: &Context<'_>) {
        self.waker.set(Some(context.waker().clone()));
    }

    /// Looks at what is due at this tick, and says when to look again.
    pub fn look(&self, sweep: &Sweep) {
        let tick = sweep.tick();
        if self.write_due.get() <= tick {
            self.write_due.set(NEVER);
            self.cut();
        }
        let silent = self.silence_due.get() <= tick;
        if silent {
            self.silence_due.set(NEVER);
            self.expired.set(Some(io::ErrorKind::TimedOut));
            self.waker.take().into_iter().for_each(Waker::wake);
        }
        if self.park_due.get() <= tick || silent {
            self.park_due.set(NEVER);
            // The read answers for itself and the reader parks.
            drop(self.canceller.take().map(Canceller::cancel));
        }
        self.sync(sweep);
    }

    /// Ends the connection under whoever waits on it.
    pub fn cut(&self) {
        socket::shutdown(self.fd);
    }

    fn set(&self, sweep: &Sweep, which: &Cell<u32>, due: u32) {
        which.set(due);
        self.sync(sweep);
    }

    fn sync(&self, sweep: &Sweep) {
        let due = self.park_due.get().min(self.silence_due.get());
        sweep.set(self.row.get(), due.min(self.write_due.get()));
    }
}

/// The reader's future. It never ends; it is dropped with its connection.
pub type Reader = Pin<Box<dyn Future<Output = ()>>>;

/// Makes the reader of a socket.
pub fn reader(socket: Socket, port: Rc<Port>, shard: Rc<Shard>) -> Reader {
    Box::pin(run(socket, port, shard))
}

async fn run(socket: Socket, port: Rc<Port>, shard: Rc<Shard>) {
    loop {
        match poll_fn(|_| wanted(&port)).await {
            Want::Octets => read(&socket, &port, &shard).await,
            _ => {
                park(&socket, &port).await;
                // Octets may be wanted by now; then they are read next.
                if port.want.get() == Want::Ready {
                    port.want.set(Want::Nothing);
                }
            }
        }
    }
}

/// One more read under way, until it is dropped.
struct Reading<'s>(&'s Cell<usize>);

impl<'s> Reading<'s> {
    fn count(count: &'s Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Reading(count)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

fn wanted(port: &Port) -> Poll<Want> {
    match port.want.get() {
        Want::Nothing => Poll::Pending,
        want => Poll::Ready(want),
    }
}

/// Reads once. A read cancelled by the sweep parks and leaves the wish open.
async fn read(socket: &Socket, port: &Port, shard: &Shard) {
    if shard.reading.get() >= READING_MAX {
        park(socket, port).await;
    }
    let reading = Reading::count(&shard.reading);
    let canceller = Canceller::new();
    let handle = canceller.handle();
    port.canceller.set(Some(canceller));
    port.phase.set(Phase::Reading);
    port.set(&shard.sweep, &port.park_due, shard.sweep.tick() + 2);
    let (result, buffer) = socket.read(shard.pool.take(), handle).await;
    drop(reading);
    port.phase.set(Phase::Idle);
    port.park_due.set(NEVER);
    port.canceller.set(None);
    let octets = match result {
        Ok(_) => Ok(buffer),
        Err(error) => {
            shard.pool.give(buffer);
            match error.raw_os_error() {
                Some(libc::ECANCELED) => return park(socket, port).await,
                Some(libc::EINTR | libc::EAGAIN) => return,
                _ => Err(error),
            }
        }
    };
    port.got.set(Some(octets));
    port.want.set(Want::Nothing);
}

/// Waits without a buffer until there is something to read.
async fn park(socket: &Socket, port: &Port) {
    port.phase.set(Phase::Parked);
    socket.readable().await;
    port.phase.set(Phase::Idle);
}
