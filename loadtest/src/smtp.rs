//! `ringpost-load smtp`: sends mails as fast as the server takes them, and notes what it promised.
//!
//! Reading order: [`plan`] (what is to be sent), [`client`] (one connection, one transaction after another),
//! [`run`] (all sessions, their tally, the report).

pub mod client;
pub mod plan;
pub mod run;
