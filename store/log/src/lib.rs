//! Mail segments: records, group commit, recovery. One log for each shard, as files below the data directory.
//!
//! Reading order: [`mod@record`] and [`mod@header`] (what is kept), [`mod@segment`] (where), [`append`] (group commit, the
//! hot path) and `company` (when a batch waits for more), [`stream`] (large mails, beside), [`read`] (mails back, in pieces),
//! `pack` (zstd at rest), `runs` (buffers again), [`recover`] (after a crash), [`first`] (what
//! version 1 left), [`file`] (the trait the shard's ring fulfils).
//!
//! Invariants: a record is durable before its appender hears of it, and immutable from then on; what is durable reaches
//! the index in order, now or at the next start.

/// The log that moved mails are written to when their old segment is given up.
pub const REWRITE: u16 = 65_534;
/// The log of mails that no shard took in: import.
pub const OPERATIONS: u16 = 65_535;

pub mod append;
mod company;
pub mod error;
pub mod file;
pub mod first;
pub mod header;
mod pack;
pub mod read;
pub mod record;
pub mod recover;
mod runs;
pub mod segment;
pub mod stream;
mod tail;
mod turn;

pub use append::{Append, Driver, Durable, Log, Options};
pub use error::LogError;
pub use file::{Blocking, Files, Mode, SegmentFile};
pub use read::Reader;
pub use record::{Body, Carried, Entry, Moved, Record, Stored};
pub use recover::{End, Found, RecoverError, Recovery};
pub use stream::{Stream, Streamed};
