//! Domains, accounts, aliases, credentials: who is local, where an address leads, who may log in.
//!
//! Reading order: [`domains`] (what is local, by configuration), [`resolve`](mod@resolve) (where an address leads), [`rules`]
//! (what happens to a recipient), [`directory`] (both for all shards, who may send as whom), [`login`] (who has logged in), [`secret`] (what is kept of a
//! password), [`app_password`] (passwords for single programs), [`account`] and [`alias`] (the writes and
//! look-ups of the command line), [`alias_file`] (another server's table).
//!
//! Everything is asked over a snapshot of the store and does no I/O of its own. Argon2 is slow by design:
//! [`secret::hash`], [`secret::derive`] and [`secret::verify`] are called where blocking is allowed.
#![forbid(unsafe_code)]

pub mod account;
pub mod alias;
pub mod alias_file;
pub mod app_password;
pub mod directory;
pub mod domains;
pub mod login;
pub mod resolve;
pub mod rules;
pub mod secret;

pub use directory::{Account, Directory};
pub use domains::{Domains, LocalDomain};
pub use login::Login;
pub use resolve::{Found, Hop, How, Targets, Trail};
pub use rules::{Action, By, Decision, Facts, Rule, Rules};
