//! The index in LMDB: rows, the one writer, snapshots; and the start of a store, which replays the logs.
//!
//! Reading order: [`mod@open`] (a data directory becomes a store), `env` (tables and snapshots), `writer` (group commit),
//! `lock` (one server for each directory), [`backup`].
//!
//! ```text
//! <data>/lock              pid of the server that has it open
//! <data>/index/            the LMDB environment
//! <data>/log-<n>/*.seg     mail of shard n
//! ```
//! Invariants: a write is answered after its commit is on disk; what a log holds durably is applied exactly once,
//! whatever crashes between; only the writer's thread has a write transaction, so nobody waits for LMDB's lock.

pub mod backup;
mod env;
mod lock;
pub mod open;
mod writer;

pub use open::{Lmdb, OpenError, Options, Replay};
