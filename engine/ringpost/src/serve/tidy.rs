//! The tidier of a running server: how fast it may go is in the limits.

use crate::cli::exit::Failure;
use crate::cli::tell;
use ringpost_lmdb::Lmdb;
use ringpost_lmdb::tidy::{Options, Tidier};
use ringpost_types::limit::Limits;
use std::sync::Arc;
use std::time::Duration;

/// Starts it. To be called before the shards open their logs.
pub fn start(store: &Arc<Lmdb>, limits: &Limits) -> Result<Tidier, Failure> {
    let options = Options {
        every: Duration::from_millis(limits.tidy_every_ms),
        grace: Duration::from_millis(limits.tidy_grace_ms),
        octets_per_second: limits.tidy_octets_per_second,
        live_percent: limits.tidy_live_percent_min,
        told: tell,
        ..Options::default()
    };
    Tidier::start(store.clone(), options)
        .map_err(|error| Failure::unreachable(format!("the thread that gives space back: {error}")))
}
