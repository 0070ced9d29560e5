//! Open files: a connection is one, and the logs and the index must never be short of them.
//!
//! In:  the process's limits. Out: as many files as it may have, and each shard's share of connections: with the share
//! kept, a crowd of peers is turned away at the door and no mail of a session inside fails for want of a file.

use crate::cli::tell;
use ringpost_types::limit::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that a server wants to have open.
const WANTED: u64 = 1 << 20;
/// Files below which the operator is told.
const FEW: u64 = 4_096;
/// Files of the process that are no connections: index, control plane, standard streams.
const OF_THE_PROCESS: u64 = 32;
/// Files of a shard that are no connections: ring, wake-ups, the log's segments, those kept open for reading, and
/// connections that are being turned away. Listeners come on top.
const OF_A_SHARD: u64 = 96;

/// Lets the process open as many files as it may; says so where that is few. How many it may open now.
pub fn raise() -> u64 {
    let now = getrlimit(Resource::Nofile);
    let hard = now.maximum.unwrap_or(u64::MAX);
    let mut files = WANTED.min(hard);
    if now.current.is_some_and(|current| current < files) {
        let raised = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(files),
                maximum: now.maximum,
            },
        );
        if raised.is_err() {
            files = now.current.unwrap_or(files);
        }
    }
    if files < FEW {
        tell(&format!(
            "only {files} files may be open at once, so fewer connections; raise it: LimitNOFILE=1048576 in the systemd unit, or ulimit -n"
        ));
    }
    files
}

/// Connections that each service of each shard may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u64);

impl Share {
    /// The share of `files` when so many shards each listen on so many addresses.
    pub fn of(files: u64, shards: u16, listeners: usize) -> Share {
        let shards = u64::from(shards);
        let kept = OF_THE_PROCESS + shards * (OF_A_SHARD + listeners as u64);
        // Two services, SMTP and IMAP, count their own connections.
        Share((files.saturating_sub(kept) / (2 * shards.max(1))).max(1))
    }

    /// `limits` with no more connections than the share.
    pub fn bound(self, limits: &Limits) -> Limits {
        Limits {
            smtp_session_connections_max: limits.smtp_session_connections_max.min(self.0),
            imap_connections_max: limits.imap_connections_max.min(self.0),
            ..limits.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_what_is_kept_fit_into_the_files() {
        for (files, shards, listeners) in [(1_024, 2, 7), (1_024, 4, 7), (1 << 20, 64, 11)] {
            let Share(connections) = Share::of(files, shards, listeners);
            let shards = u64::from(shards);
            let kept = OF_THE_PROCESS + shards * (OF_A_SHARD + listeners as u64);
            assert!(connections > 1);
            assert!(2 * shards * connections + kept <= files);
        }
        assert_eq!(Share::of(64, 1, 7), Share(1));
    }

    #[test]
    fn a_share_only_lowers() {
        let limits = Limits::default();
        let bound = Share(100).bound(&limits);
        assert_eq!(bound.smtp_session_connections_max, 100);
        assert_eq!(bound.imap_connections_max, 100);
        assert_eq!(Share(u64::MAX).bound(&limits), limits);
    }
}
