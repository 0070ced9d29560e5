//! The IMAP side: `ringpost-load idle`, `ringpost-load imap`, and the look into the mailboxes after a run.
//!
//! Reading order: [`response`] (pieces of what the server says), [`client`] (one connection), then the three
//! that use it: [`audit`], [`idle`], [`command`].

pub mod audit;
pub mod client;
pub mod command;
pub mod idle;
pub mod response;
