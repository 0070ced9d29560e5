//! Logins of every service: one way in, whatever the protocol and the mechanism.
//!
//! ```text
//! service ── mechanism, response ──> Door::open ──> Next::Challenge(Talk, octets) ── response ──> Talk::respond ─┐
//!                                        │  ^                                                                   │
//!            IMAP's LOGIN ── password ───┘  └───────────────────────────────────────────────────────────────────┘
//!                                        │
//!                                        ├──> Next::Done(Login)
//!                                        └──> Next::Refused(Refusal), told, counted and waited for already
//! ```
//!
//! Reading order: [`caller`] (who asks, over which channel), [`door`] (the way of a login), [`refusal`]; then what
//! the door asks: [`name`] (whom an identity means), [`check`] (passwords), [`queue`] (who may wait for a hash), [`cache`] (good ones of the last minutes),
//! [`keys`] (SCRAM), [`tokens`] (OAuth, answered by the control plane), [`certificate`] (EXTERNAL). Who may try, and what
//! a failure costs, is [`ringpost_admission::login`]'s.
//!
//! Invariants: nothing blocks the shard: hashing goes through [`Shard::offload`](ringpost_runtime::Shard::offload), tokens
//! through the control plane. A name that nobody has, a disabled account and a wrong password take the same way, as many
//! hashes, and the same answer. No snapshot outlives a look-up. Passwords and tokens are never in an event.
#![forbid(unsafe_code)]

pub mod cache;
pub mod caller;
pub mod certificate;
pub mod check;
pub mod door;
pub mod keys;
pub mod name;
pub mod queue;
pub mod refusal;
pub mod tokens;

pub use caller::{Caller, Channel, Service};
pub use door::{Door, Next, Setup, Talk};
pub use refusal::Refusal;
pub use ringpost_directory::Login;
pub use ringpost_sasl::{Mechanism, Offer};
pub use tokens::{Answer, Holder, TokenError, Tokens};
