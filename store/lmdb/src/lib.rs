//! The index in LMDB: rows, the one writer, snapshots; and the start of a store, which replays the logs.
//!
//! Reading order: [`mod@open`] (a data directory becomes a store), `begin` (the first time), `env` (the environment, and how it is opened again), `rows`
//! (those of a transaction) with `held`, `readers` (who looks, and since when), `writer` (group commit) with its `queue` and
//! `batch`, `watch` (room, and readers that are late), [`health`], `lock` (one server for each directory); beside the work:
//! [`mod@tidy`] (space given back), [`mod@verify`], [`mod@usage`], [`backup`], [`mod@rebuild`].
//!
//! ```text
//! <data>/lock              pid of the server that has it open
//! <data>/index/            the LMDB environment
//! <data>/log-<n>/*.seg     mail of shard n
//! ```
//! Invariants: a write is answered after its commit is on disk; what a log holds durably is applied exactly once,
//! whatever crashes between; only the writer's thread has a write transaction, so nobody waits for LMDB's lock.

pub mod backup;
mod batch;
mod begin;
mod env;
pub mod health;
mod held;
mod lock;
pub mod open;
mod queue;
mod readers;
pub mod rebuild;
mod rows;
mod shared;
pub mod tidy;
pub mod usage;
pub mod verify;
mod watch;
mod writer;

pub use health::Health;
pub use open::{Lmdb, OpenError, Options, Replay};
pub use readers::READERS_MAX;
pub use writer::Pace;
