//! The program: command line, configuration, start, reload, drain.
//!
//! Reading order: [`cli`] (what can be typed, one room for each command), [`config`] (`ringpost.toml`), [`serve`]
//! (a server from start to drain), [`control`] (the control plane's thread: signals, control socket), [`setup`]
//! (what `init` and `demo` lay out on disk), [`oauth`] (whom the control plane asks about tokens).
//!
//! Here alone all crates meet: the services learn of each other through nothing but the store.
#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod control;
pub mod oauth;
pub mod serve;
pub mod setup;
