//! The SMTP, submission and LMTP service: sessions of `smtp` on connections of `runtime`, mail into `delivery`.
//!
//! Reading order: [`context`] (what sessions share), [`serve`] (one connection's life), `greeting` (before it begins),
//! `tarpit` (how slowly guessers are answered), `answer` (replies on their way out), `transaction` (one mail), `author`
//! (whose name a user's mail bears), `login` (AUTH), `refusal` (what each error is answered).
//!
//! Invariants: no snapshot outlives the function that takes it, and none of those functions waits. `250` after a mail
//! leaves only after its record is durable. Without AUTH mail is taken for local recipients alone.
#![forbid(unsafe_code)]

mod answer;
mod author;
pub mod context;
mod greeting;
mod login;
mod refusal;
pub mod serve;
mod tarpit;
mod transaction;

pub use context::{Context, Policy, Setup, TlsMode};
pub use ringpost_smtp::Role;
pub use serve::serve;
