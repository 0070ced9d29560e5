//! Domains, accounts, aliases, credentials: who is local, where an address leads, who may log in.
//!
//! Reading order: [`domains`] (what is local, by configuration), [`directory`] (where an address leads, who may
//! send as it), [`login`] (the way of a login, with a cache of good ones), [`secret`] (what is kept of a
//! password), [`app_password`] (passwords for single programs), [`account`] (the writes and look-ups of the command line).
//!
//! Everything is asked over a snapshot of the store and does no I/O of its own. Argon2 is slow by design:
//! [`secret::hash`], [`secret::verify`] and [`login::Attempt::verify`] are called where blocking is allowed.
#![forbid(unsafe_code)]

pub mod account;
pub mod app_password;
pub mod directory;
pub mod domains;
pub mod login;
pub mod secret;

pub use directory::{Account, Directory, Recipient};
pub use domains::{Domains, LocalDomain};
pub use login::{Attempt, Login, Logins, Start, Verified};
