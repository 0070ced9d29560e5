//! The load generator: how fast, at what cost, and whether everything promised was kept.
//!
//! Reading order: [`cli`] (what can be asked for), [`message`] and [`ledger`] (what is sent and what was promised),
//! [`smtp`], [`imap`] and [`slow`] (the dialogues), [`process`] and [`report`] (what it cost). Below them: [`drive`] and [`gate`]
//! (threads and tasks), [`wire`] and [`reply`] (connections), [`target`], [`account`], [`progress`].
//!
//! It runs on the server's own runtime, one ring on each thread, so that it is never the slower of the two
//! without saying so. It talks to this machine only, unless told otherwise, and every run is bounded in
//! mails and in time.
#![forbid(unsafe_code)]

pub mod account;
pub mod cli;
pub mod drive;
pub mod gate;
pub mod imap;
pub mod ledger;
pub mod message;
pub mod process;
pub mod progress;
pub mod reply;
pub mod report;
pub mod slow;
pub mod smtp;
pub mod target;
pub mod wire;
