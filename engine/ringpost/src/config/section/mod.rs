//! The tables of `ringpost.toml`, one room each: its keys, what was said (`Draft`), the reading of it, and what
//! becomes of it.
//!
//! A new table is a room here, its list in [`KEYS`], its `Draft` in [`Draft`], a line in
//! [`read::document`](super::read), and its value in [`Config`](super::Config) and
//! [`build::config`](super::build::config). A new key of a table touches its room alone.

pub mod admission;
pub mod auth;
pub mod dns;
pub mod domain;
pub mod limits;
pub mod listener;
pub mod relay;
pub mod rule;
pub mod runtime;
pub mod store;
pub mod tls;
pub mod top;

use super::key::Key;

/// Every key, in the order in which the file is usually written.
pub const KEYS: &[&[Key]] = &[
    top::KEYS,
    domain::KEYS,
    listener::KEYS,
    rule::KEYS,
    relay::KEYS,
    tls::KEYS,
    auth::KEYS,
    runtime::KEYS,
    dns::KEYS,
    store::KEYS,
    admission::KEYS,
    limits::KEYS,
];

/// What was said.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub top: top::Draft,
    pub domains: Vec<domain::Draft>,
    pub listeners: Vec<listener::Draft>,
    pub rules: Vec<rule::Draft>,
    pub relays: Vec<relay::Draft>,
    pub tls: tls::Draft,
    pub auth: auth::Draft,
    pub runtime: runtime::Draft,
    pub dns: dns::Draft,
    pub store: store::Draft,
    pub admission: admission::Draft,
    pub limits: limits::Draft,
}
