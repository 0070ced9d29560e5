//! Tests of the house as a whole: its rules, its parsers under mutated input, and the server as one process.
#![forbid(unsafe_code)]

mod crash;
mod dialogs;
mod door;
mod fuzz;
mod house;
mod large;
mod life;
mod logins;
mod mails;
mod migration;
mod roundtrip;
mod search;
mod smtp_policy;
mod smtp_trace;
mod smtp_xclient;
