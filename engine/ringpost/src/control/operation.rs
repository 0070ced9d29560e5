//! Work on the whole store that takes long: what it is, how far it is, what came of it.
//!
//! In:  an [`Operation`], as a request of the control socket or from this process's own command line.
//! Out: [`Progress`] while it goes on, a report as JSON at the end.
//!
//! Whoever has the store does it: a running server on a thread of its own, never on a shard; else the command's own process.
//! One at a time: two would read against each other, and the second is told who is at it. It ends early when the
//! operator goes away: the teller breaks.

use super::request::Answer;
use crate::cli::exit::Failure;
use crate::cli::{backup, export, import, restore};
use crate::cli::{trace, usage, verify};
use crate::config::Config;
use ringpost_lmdb::Lmdb;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// One kind of work. Each variant's room in `cli` does it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum Operation {
    /// One more generation of a backup, in this directory.
    Backup { to: PathBuf },
    /// One mailbox of a backup into a new one.
    RestoreMailbox(restore::Mailbox),
    /// Everything compared with everything; quick: but for the octets of the mails.
    Verify { quick: bool },
    /// Where the octets are.
    Usage,
    /// What became of one mail or connection.
    Trace { id: u64 },
    /// Mail of another server into an account.
    Import(ringpost_migration::import::Order),
    /// Mail of accounts into files.
    Export(ringpost_migration::export::Order),
}

impl Operation {
    /// As its command is called.
    pub fn name(&self) -> &'static str {
        match self {
            Operation::Backup { .. } => "backup",
            Operation::RestoreMailbox(_) => "restore",
            Operation::Verify { .. } => "verify",
            Operation::Usage => "usage",
            Operation::Trace { .. } => "trace",
            Operation::Import(_) => "import",
            Operation::Export(_) => "export",
        }
    }
}

/// What an operation works on.
#[derive(Clone)]
pub struct World {
    /// The store, open.
    pub store: Arc<Lmdb>,
    /// What is in force: `data_dir`, the local domains, the files that belong to it.
    pub config: Arc<Config>,
}

/// How far an operation is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Of `total`, in `unit`.
    pub done: u64,
    /// 0: nobody knows yet.
    pub total: u64,
    /// What is counted: "mails", "octets".
    pub unit: String,
    /// What it is at, or something to be told once as a line of its own.
    pub note: Option<String>,
}

impl Progress {
    /// So many octets of so many.
    pub fn octets(done: u64, total: u64) -> Self {
        Progress::of(done, total, "octets")
    }

    /// So many of so many, in `unit`.
    pub fn of(done: u64, total: u64, unit: &str) -> Self {
        Progress {
            done,
            total,
            unit: unit.to_owned(),
            note: None,
        }
    }

    /// A line of its own, which the operator is to see.
    pub fn note(text: impl Into<String>) -> Self {
        Progress {
            note: Some(text.into()),
            ..Progress::default()
        }
    }
}

/// Is told how far it is; a break asks the operation to end soon.
pub type Teller<'t> = &'t mut dyn FnMut(Progress) -> ControlFlow<()>;

/// Does it.
pub fn perform(world: &World, operation: &Operation, tell: Teller<'_>) -> Result<Value, Failure> {
    match operation {
        Operation::Backup { to } => backup::perform(world, to, tell),
        Operation::RestoreMailbox(wanted) => restore::perform(world, wanted, tell),
        Operation::Verify { quick } => verify::perform(world, *quick, tell),
        Operation::Usage => usage::perform(world),
        Operation::Trace { id } => trace::perform(world, *id, tell),
        Operation::Import(order) => import::perform(world, order, tell),
        Operation::Export(order) => export::perform(world, order, tell),
    }
}

/// Progress lines that wait for a slow operator.
const LINES_MAX: usize = 64;
/// A line at least this often: the operator's side takes longer silence for a dead server.
pub const BEAT: Duration = Duration::from_secs(5);

/// The one place for an operation in a server.
#[derive(Clone, Default)]
pub struct Bench(Arc<Mutex<Option<&'static str>>>);

/// An operation under way: dropped, it is told to end.
pub struct Running {
    /// [`Answer::Progress`], as often as there is something to tell, and at last another answer.
    pub answers: mpsc::Receiver<Answer>,
    wanted: Arc<AtomicBool>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.wanted.store(false, Ordering::Relaxed);
    }
}

impl Bench {
    /// Begins on a thread of its own.
    pub fn begin(&self, world: World, operation: Operation) -> Result<Running, Failure> {
        let name = operation.name();
        {
            let mut busy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(other) = *busy {
                return Err(Failure::not_well(format!(
                    "the server is at another {other}; try again when it is done"
                )));
            }
            *busy = Some(name);
        }
        let (lines, answers) = mpsc::channel(LINES_MAX);
        let wanted = Arc::new(AtomicBool::new(true));
        let (place, going) = (Place(self.clone()), wanted.clone());
        let worker = move || {
            let _place = place;
            let mut tell = |progress: Progress| {
                // Who reads slowly misses lines of progress, but no note.
                let line = Answer::Progress(progress);
                let _ = match line.is_note() {
                    true => lines.blocking_send(line).is_ok(),
                    false => lines.try_send(line).is_ok(),
                };
                match going.load(Ordering::Relaxed) {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            };
            let done = perform(&world, &operation, &mut tell);
            // Nobody may be there to hear it any more.
            let _ = lines.blocking_send(Answer::from(done.map(Answer::Report)));
        };
        let thread = std::thread::Builder::new().name("operation".into());
        thread.spawn(worker).map_err(Failure::unreachable)?;
        Ok(Running { answers, wanted })
    }
}

/// Given back when the thread ends, however it ends.
struct Place(Bench);

impl Drop for Place {
    fn drop(&mut self) {
        let mut busy = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        *busy = None;
    }
}
