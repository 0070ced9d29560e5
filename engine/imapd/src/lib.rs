//! The IMAP service: sessions over the store's mailboxes, one command per file. RFC 3501 and the extensions that
//! [`command::capability`] announces.
//!
//! Reading order: [`serve`](mod@serve) (the life of a session), [`session`] (its state), [`view`] (the selected mailbox), [`outcome`]
//! (how a command ends), [`command`] (what may come when); then [`walk`] (chosen messages, a snapshot at a time),
//! [`section`] and [`mail`] (octets), [`structure`] (ENVELOPE, BODYSTRUCTURE), [`criterion`], [`texts`] and [`filter`] (SEARCH), [`hierarchy`] and
//! [`special`] (names).
//!
//! Invariants: a tagged OK to a change comes after the change is durable. A snapshot never outlives a poll. A session
//! that waits holds neither buffer nor snapshot.
#![forbid(unsafe_code)]
#![allow(rustdoc::private_intra_doc_links)]

mod command;
mod context;
mod criterion;
mod filter;
mod hierarchy;
mod mail;
mod outcome;
mod section;
mod serve;
mod session;
mod special;
mod structure;
mod texts;
mod view;
mod walk;

pub use context::{Context, Setup, TlsMode};
pub use serve::serve;
