//! Whole-server tests: what they share.
//!
//! Reading order: [`server`] (a real process in a scratch directory), [`client`] (a connection that speaks lines),
//! [`dialog`] (scripts of what is said and heard), [`mail`] (mails of every shape), [`fuzz`] (parsers under
//! mutated input), [`random`] (numbers from a printed seed).
#![forbid(unsafe_code)]

pub mod client;
pub mod dialog;
pub mod fuzz;
pub mod mail;
pub mod random;
pub mod server;
