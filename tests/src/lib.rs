//! Whole-server tests: what they share.
#![forbid(unsafe_code)]

pub mod server;
