//! What a store is: tables and rows, writes and their outcomes, snapshots, the change feed.
//!
//! Reading order: [`table`] (the schema, read it first), [`key`] and [`mod@row`] (its octets), [`write`] (what can be
//! asked for), [`item`] (what the queue keeps), [`credential`], [`network`] and [`transcript`] (what logins and sessions leave), [`mod@apply`] (the one function that turns a write into rows, as [`edits`]), [`read`] (typed look-ups),
//! [`name`] (mailbox names), [`mod@text`] and [`search`] (what SEARCH looks through), [`store`] (the traits a backend fulfils).
//!
//! No backend's type appears here: a snapshot lends slices, a submitted write is answered through a [`store::Sink`].
#![forbid(unsafe_code)]

pub mod apply;
#[cfg(feature = "behaviour")]
pub mod behaviour;
pub mod credential;
pub mod edits;
pub mod error;
pub mod item;
pub mod key;
mod layout;
pub mod name;
pub mod network;
pub mod read;
pub mod row;
pub mod search;
pub mod store;
pub mod table;
pub mod text;
pub mod transcript;
pub mod upgrade;
pub mod verify;
pub mod write;

pub use error::Error;
pub use store::{Answer, Changed, Feed, ReplyTo, Row, Sink, Snapshot, Store};
pub use table::Table;
pub use write::{Outcome, Write};
