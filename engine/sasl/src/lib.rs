//! SASL, the server's side: octets of the client in, steps out. RFC 4422.
//!
//! Reading order: [`mechanism`] (what there is, and what may be offered when), [`exchange`] (one login under way),
//! then one room for each family: [`plain`], [`login`], [`scram`], [`bearer`], [`external`]; [`prep`] is
//! how names and passwords are made comparable.
//!
//! In:  decoded responses, the facts of the connection, a nonce. Out: [`Step`]: a challenge to send, a [`Question`] that
//! a directory must answer, or the end. Base64 lines are the protocol's, passwords and tokens the directory's.
//!
//! Invariants: nothing here blocks, reads a clock or draws a nonce. No response is taken above the bounds of
//! [`exchange`]; an exchange ends after a fixed number of steps, whatever the client sends. Passwords and tokens
//! are [`Secret`]: not printed, not kept. Nobody may act for somebody else.
#![forbid(unsafe_code)]

pub mod bearer;
pub mod exchange;
pub mod external;
pub mod login;
pub mod mechanism;
pub mod plain;
pub mod prep;
pub mod scram;
mod secret;

pub use exchange::{Exchange, Question, Refusal, Setting, Step};
pub use mechanism::{Circumstances, Mechanism, Offer, offer};
pub use scram::{Binding, Keys};
pub use secret::Secret;
