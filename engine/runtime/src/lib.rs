//! The machine: shard threads on io_uring, listeners, connections, TLS, timers, messages between threads.
//!
//! Reading order: [`machine`] (threads start, drain and end), [`shard`] (what a thread owns), [`listener`],
//! [`entrance`] (who comes in, with [`proxy`]), [`connection`] (a peer's whole life), [`tls`]; then what wakes a shard from outside: [`inbox`], [`tickets`]
//! (answers of the store), [`hub`] (its change feed), [`offload`] (work that blocks); then [`file`], [`time`],
//! [`event`], [`shared`].
//!
//! This is the only crate that names the async runtime. A connection lives and dies on one shard; what is `Rc`
//! here never leaves its thread, what crosses threads is a letter in an [`inbox`].
//!
//! Rules that the rooms keep, each from a failed trial: an accept is never raced or cancelled; a read is never
//! dropped while its octets can still come (it lives in the connection, not in the future that waits for it);
//! only a connection that waits for long is polled for readiness, and then holds no buffer.

mod certificate;
pub mod connection;
pub mod entrance;
pub mod event;
pub mod file;
mod hello;
pub mod hub;
pub mod inbox;
pub mod listener;
pub mod machine;
pub mod offload;
mod pool;
pub mod probe;
pub mod proxy;
mod reader;
mod session;
pub mod shard;
pub mod shared;
pub mod signal;
mod slab;
mod socket;
mod subject;
mod sweep;
pub mod tickets;
pub mod time;
pub mod tls;

pub use certificate::ClientCertificate;
pub use connection::{Connection, Endpoint};
pub use entrance::Entrance;
pub use hub::Watch;
pub use listener::{Bind, BindError, Listener};
pub use machine::{Machine, Options};
pub use offload::Busy;
pub use shard::{Shard, spawn};
pub use shared::Shared;
pub use tls::{TlsClient, TlsError, TlsFiles, TlsInfo, TlsServer};

#[cfg(test)]
mod tests;
