//! IMAP grammar and response writer; no socket, no store. RFC 3501, RFC 9051.
//!
//! In:  a growing buffer of what the client sent. Out: commands borrowed from it; and functions that append
//! responses to a `Vec<u8>`.
//!
//! Reading order: [`command`] (what a client can say), [`parse`] (how it is read), [`frame`] (where a command
//! ends), [`sequence`], [`mailbox`], [`flag`], [`date`]; then [`response`], [`write`](mod@write), [`data`], [`structure`].
#![forbid(unsafe_code)]

pub mod command;
mod cursor;
pub mod data;
pub mod date;
pub mod flag;
pub mod frame;
pub mod mailbox;
pub mod parse;
pub mod response;
pub mod sequence;
pub mod structure;
pub mod write;

pub use bumpalo::Bump;
pub use command::{Command, FetchItem, SearchKey};
pub use frame::Progress;
pub use parse::{Parsed, parse};
pub use response::{Code, Status};
pub use sequence::SequenceSet;
