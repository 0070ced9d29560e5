//! The SMTP, submission and LMTP service: sessions of `smtp` on connections of `runtime`, mail into `delivery`.
//!
//! Reading order: [`context`] (what sessions share), [`serve`] (one connection's life), [`transaction`] (one mail),
//! [`login`] (AUTH), [`refusal`] (what each error is answered).
//!
//! Invariants: no snapshot outlives the function that takes it, and none of those functions waits. `250` after a mail
//! leaves only after its record is durable. Without AUTH mail is taken for local recipients alone.
#![forbid(unsafe_code)]

pub mod context;
mod login;
mod refusal;
pub mod serve;
mod transaction;

pub use context::{Context, Setup, TlsMode};
pub use ringpost_smtp::Role;
pub use serve::serve;
