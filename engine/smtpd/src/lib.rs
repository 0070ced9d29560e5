//! The SMTP, submission and LMTP service: sessions of `smtp` on connections of `runtime`, mail into `delivery`.
//!
//! Reading order: [`context`] (what sessions share), [`serve`] (one connection's life); around it `greeting` (before it
//! begins), `client` (who is at the other end), `login` (AUTH), `patience` (how long a peer is waited for), `tarpit` (how
//! slowly guessers are answered), `answer` (replies on their way out), `trap`, `end`, `kept` (transcripts); then `transaction`
//! (one mail): `addressed` (whom it is for), `outgoing` (what of it leaves), `author` (in whose name it is); `refusal`
//! (what each error is answered).
//!
//! Invariants: no snapshot outlives the function that takes it, and none of those functions waits. `250` after a mail
//! leaves only after its record is durable. Without AUTH, trust or a rule mail is taken for local recipients alone.
#![forbid(unsafe_code)]

mod addressed;
mod answer;
mod author;
mod client;
pub mod context;
mod end;
mod greeting;
mod kept;
mod login;
mod outgoing;
mod patience;
pub mod refusal;
pub mod serve;
mod tarpit;
mod transaction;
mod trap;

pub use context::{Context, Policy, Setup, TlsMode};
pub use ringpost_smtp::{Role, reply};
pub use serve::{send_away, serve};
