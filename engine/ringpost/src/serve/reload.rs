//! SIGHUP: the configuration and the certificate are read again.
//!
//! In:  the file and the overrides of the command line. Out: everything swapped, with notes on what needs a
//! restart; or a failure, and nothing is swapped.
//!
//! | what | when it is in force |
//! |---|---|
//! | domains, rules with the lists they name, relays | for the next recipient and login |
//! | certificate and key, `client_ca` | for the next handshake |
//! | `[auth]` but for `[auth.oauth]` | for the next connection |
//! | `[store] map_octets` | within a second, once nobody reads; only to grow |
//! | limits | for the next connection; those of the store, for the next write; drain_ms for the next drain |
//! | hostname, data_dir, listeners, shards, `[auth.oauth]`, the limits of [`LIMITS_OF_A_START`] | after a restart |

use super::files::Share;
use super::logins::Roots;
use super::services::Settings;
use super::{door, memory};
use crate::cli::exit::Failure;
use crate::config::{self, Config, world};
use ringpost_admission::Admission;
use ringpost_directory::Directory;
use ringpost_lmdb::Lmdb;
use ringpost_runtime::{Shared, TlsServer};
use std::sync::Arc;

/// Limits that the machine and the post of each shard take once, at their start.
pub const LIMITS_OF_A_START: &[&str] = &[
    "admission_entries_max",
    "message_memory_octets_max",
    "message_stream_octets",
    "message_header_octets_max",
    "message_header_fields_max",
    "message_parts_max",
    "message_depth_max",
    "message_digest_octets_max",
    "delivery_lag_octets_max",
    "connection_stall_ms",
    "proxy_header_ms",
    "tls_handshake_ms",
    "tidy_every_ms",
    "tidy_grace_ms",
    "tidy_octets_per_second",
    "tidy_live_percent_min",
    "login_tokens_max",
    "password_hashes_max",
    "password_queue_max",
];

/// What a running server has in force, and can swap.
pub struct Live {
    pub config: Config,
    pub overrides: Vec<String>,
    pub store: Arc<Lmdb>,
    pub directory: Arc<Directory>,
    pub admission: Arc<Admission>,
    pub settings: Arc<Shared<Settings>>,
    pub share: Share,
    pub logins: Roots,
    pub tls: Option<Arc<TlsServer>>,
}

impl Live {
    /// Reads again and swaps. Everything that can fail comes before the first swap.
    pub fn reload(&mut self) -> Result<Vec<String>, Failure> {
        let mut new = config::open(&self.config.file, &self.overrides)?;
        let notes = self.needs_restart(&new);
        // What is not swapped stays as it runs, so that the next reload compares with the truth.
        new.hostname = self.config.hostname.clone();
        new.data_dir = self.config.data_dir.clone();
        new.listeners = self.config.listeners.clone();
        new.shards = self.config.shards;
        new.auth.oauth = self.config.auth.oauth.clone();
        for name in LIMITS_OF_A_START {
            if let Some(value) = self.config.limits.value(name) {
                new.limits.set(name, value);
            }
        }
        if let Some(tls) = &self.tls {
            // Checked with the operator's remedy first; the second read swaps.
            world::certificate(&new)?;
            let files = ringpost_runtime::TlsFiles {
                certificate: new.tls.certificate.clone(),
                key: new.tls.key.clone(),
                client_ca: new.auth.client_ca.clone(),
            };
            tls.reload(&files).map_err(Failure::not_well)?;
        }
        self.directory.replace(new.rules());
        self.store.set_limits(new.limits.clone());
        self.admission.set_policy(door::policy(&new));
        let budget = memory::budget_octets(new.limits.memory);
        self.admission.budget().set_octets_max(budget);
        if let Some(map_octets) = new.map_octets {
            self.store.set_map_octets(map_octets);
        }
        let logins = self.logins.policy(&new);
        let settings = Settings::new(&new.limits, self.share, logins);
        self.settings.store(settings);
        self.config = new;
        Ok(notes)
    }

    fn needs_restart(&self, new: &Config) -> Vec<String> {
        let old = &self.config;
        let changed = [
            ("hostname", old.hostname != new.hostname),
            ("data_dir", old.data_dir != new.data_dir),
            ("[[listener]]", old.listeners != new.listeners),
            ("[runtime] shards", old.shards != new.shards),
            ("[auth.oauth]", old.auth.oauth != new.auth.oauth),
        ];
        let changed = changed.iter().filter(|(_, changed)| *changed);
        let keys = changed.map(|(key, _)| (*key).to_owned());
        let limits = LIMITS_OF_A_START
            .iter()
            .filter(|name| old.limits.value(name) != new.limits.value(name))
            .map(|name| format!("[limits] {name}"));
        keys.chain(limits)
            .map(|key| format!("{key} changed: it comes into force with the next start"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringpost_types::limit::Limits;

    #[test]
    fn limits_of_a_start_are_in_the_table() {
        for name in LIMITS_OF_A_START {
            assert!(Limits::default().value(name).is_some(), "{name}");
        }
    }
}
