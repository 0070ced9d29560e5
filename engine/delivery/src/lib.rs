//! From an accepted message to one log record, durable, and on to the index.
//!
//! Reading order: [`ingest`] (a mail arrives: one pass, many readers; a large one goes on into the log), `buffer` (what of
//! it is in memory), `readers` (who looks at it on the way), [`completion`] (what a user's mail lacks), [`trace`] (the header
//! fields we put in front), [`mod@text`] (what SEARCH looks through), [`post`] (one record for all recipients, group commit,
//! order) with `placed`, [`memory`] (the shard's budget), [`error`].
//!
//! Invariants: what [`Post::accept`] said yes to is on disk. Each account gets a mail once. The octets as they came are
//! what is stored, behind our own trace fields.
#![forbid(unsafe_code)]

pub mod authors;
mod buffer;
pub mod completion;
pub mod error;
pub mod ingest;
pub mod memory;
mod placed;
pub mod post;
mod readers;
pub mod trace;

pub use authors::Authors;
pub use completion::Completion;
pub use error::Error;
pub use ingest::{Arrived, Ingest, Inlet};
pub use memory::Memory;
pub use post::{Append, Envelope, LogOptions, Post, Recipient};
pub use readers::text;
pub use trace::{Received, Sender};
