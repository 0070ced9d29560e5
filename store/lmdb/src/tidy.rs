//! Space given back while the store is at work: holes, segments rewritten, segments removed.
//!
//! ```text
//! a mail is let go of (commit: tables free and segment)
//!   |
//!   |-- part of its segment lives on --> a hole is punched; small neighbours share theirs          holes
//!   |-- little of its segment lives ---> the living are moved to the log of moved mails            rewrite
//!   '-- nothing of its segment lives --> the file is removed                                       round
//! ```
//! Reading order: here (options, the thread), `round` (what is done when), `survey` and `census` (what there is, and what
//! of it is alive), `holes`, `records`, `rewrite`, `gate` (who holds space), `pace` (how fast).
//!
//! In:  an open store. Out: its files, smaller; a line for each segment that was rewritten, and for what is in the way.
//!
//! Invariants:
//! - a crash at any point costs nothing but the work: a moved mail is durable before its row moves, the row before its
//!   old place is punched or removed, the hole before table free forgets it.
//! - what was freed is left as it was for a grace time, and mail being read is looked up again within it.
//! - nothing is done to octets that the index has not applied, nor near a log's tail.

mod census;
mod gate;
mod holes;
mod pace;
mod records;
mod rewrite;
mod round;
mod survey;

pub(crate) use census::{Place, blobs};
pub(crate) use gate::Gate;
pub use gate::Hold;
pub(crate) use holes::row as free_row;
pub(crate) use records::{Records, is_free, is_zero, lives_at};
pub use round::{Round, Tidy};
pub(crate) use survey::{allocated, files};

use crate::open::Lmdb;
use pace::Stop;
use ringpost_api::Error;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How space is given back.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How often is looked.
    pub every: Duration,
    /// How long what was freed is left as it was, for those who are reading it.
    pub grace: Duration,
    /// Octets read and written in a second, in the mean.
    pub octets_per_second: u64,
    /// A segment of which less than this many hundredths live is rewritten.
    pub live_percent: u64,
    /// Octets of a segment that moved mails are written to.
    pub segment_octets: u64,
    /// Told, a line at a time, what an operator should know.
    pub told: fn(&str),
}

impl Default for Options {
    fn default() -> Self {
        Options {
            every: Duration::from_secs(60),
            grace: Duration::from_secs(60),
            octets_per_second: 16 * 1024 * 1024,
            live_percent: 25,
            segment_octets: 64 * 1024 * 1024,
            told: |_| (),
        }
    }
}

/// The thread that gives space back. One for each store; ends with its drop.
pub struct Tidier {
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Tidier {
    /// Starts it. To be called before any log of the store is opened for appending: files that nobody names then, nobody
    /// ever will.
    pub fn start(store: Arc<Lmdb>, options: Options) -> io::Result<Self> {
        let stop = Stop::default();
        let mut tidy = Tidy::new(store, options, stop.clone())?;
        let ends = stop.clone();
        let work = move || {
            lower_priority();
            let mut trouble = None;
            while !ends.is_set() {
                match tidy.round() {
                    Ok(_) => trouble = None,
                    Err(Error::Closed) => return,
                    // Told once, however often it is tried.
                    Err(error) => {
                        if trouble.as_ref() != Some(&error) {
                            (options.told)(&format!("space is not given back: {error}"));
                        }
                        trouble = Some(error);
                    }
                }
                ends.wait(tidy.rest());
            }
        };
        let thread = std::thread::Builder::new().name("tidy".into());
        Ok(Tidier {
            stop,
            thread: Some(thread.spawn(work)?),
        })
    }

    /// Ends it, and waits until it has ended: some milliseconds.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.set();
        if let Some(thread) = self.thread.take() {
            // One that panicked has told so itself, and has harmed nothing.
            let _ = thread.join();
        }
    }
}

impl Drop for Tidier {
    fn drop(&mut self) {
        self.end();
    }
}

/// Lets everyone else go first, where the system knows how to. Where it does not, the pace bounds it all the same.
fn lower_priority() {
    const NICE: libc::c_int = 10;
    const WHO_PROCESS: libc::c_long = 1;
    /// Class best effort, and its last level.
    const LAST: libc::c_long = 2 << 13 | 7;
    // SAFETY: both calls take numbers alone. In Linux, 0 is the calling thread, not its process.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
        libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0 as libc::c_long, LAST);
    }
}
