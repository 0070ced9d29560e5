//! SMTP and LMTP, the server's side: grammar and state machine. No socket, no clock, no allocation per command line.
//!
//! Reading order: [`session`] (the state machine; its head has the table of states), [`command`] (one line, in
//! place), [`extension`] (what EHLO offers: the table), [`path`], [`parameter`] and [`xtext`] (what MAIL and RCPT carry),
//! [`envelope`] (what that means), [`client`] (XCLIENT), [`dot`] and [`chunk`] (the two ways a body comes), [`nul`] (a
//! trick in it), [`line`] (cutting lines), [`reply`] (every reply), [`transcript`] (what was said), [`protocol`] (the word behind `with` in
//! Received).
#![forbid(unsafe_code)]

pub mod chunk;
pub mod client;
pub mod command;
pub mod dot;
pub mod envelope;
pub mod extension;
pub mod line;
pub mod nul;
pub mod parameter;
pub mod path;
pub mod protocol;
pub mod reply;
pub mod session;
pub mod transcript;
mod word;
pub mod xtext;

pub use client::Client;
pub use command::Command;
pub use envelope::{Body, By, ByMode, Hold, Mail, Notify, Orcpt, Rcpt, Recipient, Ret};
pub use session::{Action, Mechanisms, Options, Patience, Session};

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes mail for local domains from anyone. RFC 5321.
    Mx,
    /// Takes mail from authenticated users. RFC 6409.
    Submission,
    /// Takes mail from a neighbour on the same host, one answer for each recipient. RFC 2033.
    Lmtp,
}

/// How a session stands with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// There is none to be had.
    Absent,
    /// STARTTLS is offered. RFC 3207.
    Offered,
    /// STARTTLS is offered, and asked for before anything else. RFC 3207 §4.
    Required,
    /// The octets come through TLS, by STARTTLS or from the first octet on. RFC 8314 §3.3.
    Active,
}
