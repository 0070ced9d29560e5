//! How the index is, as a line of JSON and for a human.
//!
//! In:  [`Health`]. Out: [`Status`], which crosses the control socket.

use ringpost_lmdb::Health;
use ringpost_lmdb::health::State;
use serde::{Deserialize, Serialize};

/// [`Health`], with its state as words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// "well" or "degraded".
    pub state: String,
    /// What is wrong.
    pub reason: Option<String>,
    /// Seconds since 1970 UTC.
    pub since: u64,
    pub lag_octets: u64,
    /// Seconds since 1970 UTC; 0: none since the start.
    pub last_commit: u64,
    pub commits: u64,
    pub commits_failed: u64,
    pub writes: u64,
    pub readers: u32,
    pub readers_max: u32,
    pub oldest_reader_ms: u64,
    pub readers_late: u64,
    pub map_octets: u64,
    pub file_octets: u64,
    pub used_octets: u64,
    pub free_octets: u64,
    pub freed_octets: u64,
    pub disk_free_octets: u64,
}

impl From<&Health> for Status {
    fn from(health: &Health) -> Self {
        let (state, reason) = match &health.state {
            State::Well => ("well", None),
            State::Degraded(reason) => ("degraded", Some(reason.to_string())),
        };
        Status {
            state: state.to_owned(),
            reason,
            since: health.since,
            lag_octets: health.lag_octets,
            last_commit: health.last_commit,
            commits: health.commits,
            commits_failed: health.commits_failed,
            writes: health.writes,
            readers: health.readers,
            readers_max: health.readers_max,
            oldest_reader_ms: health.oldest_reader_ms,
            readers_late: health.readers_late,
            map_octets: health.map_octets,
            file_octets: health.file_octets,
            used_octets: health.used_octets,
            free_octets: health.free_octets,
            freed_octets: health.freed_octets,
            disk_free_octets: health.disk_free_octets,
        }
    }
}

impl Status {
    /// Whether nothing is wrong.
    pub fn is_well(&self) -> bool {
        self.reason.is_none()
    }

    /// One line for each thing, its times as seen at `now`, in seconds since 1970 UTC.
    pub fn text(&self, now: u64) -> String {
        let ago = |then: u64| format!("{} s ago", now.saturating_sub(then));
        let state = match &self.reason {
            Some(reason) => format!("{}: {reason}", self.state),
            None => self.state.clone(),
        };
        let last = match self.last_commit {
            0 => "none since the start".to_owned(),
            then => ago(then),
        };
        let lines = [
            ("state", state),
            ("since", ago(self.since)),
            ("lag", format!("{} octets", self.lag_octets)),
            ("last commit", last),
            (
                "commits",
                format!(
                    "{} of {} writes, {} failed",
                    self.commits, self.writes, self.commits_failed
                ),
            ),
            (
                "snapshots",
                format!(
                    "{} of {}, oldest {} ms; {} were held too long",
                    self.readers, self.readers_max, self.oldest_reader_ms, self.readers_late
                ),
            ),
            (
                "index",
                format!(
                    "{} octets in use, {} to be used again, may grow to {}",
                    self.used_octets, self.free_octets, self.map_octets
                ),
            ),
            (
                "mail freed",
                format!("{} octets since the start", self.freed_octets),
            ),
            ("disk", format!("{} octets free", self.disk_free_octets)),
        ];
        let lines = lines.map(|(name, value)| format!("{name:<12} {value}\n"));
        lines.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(reason: Option<&str>) -> Status {
        Status {
            state: if reason.is_some() { "degraded" } else { "well" }.to_owned(),
            reason: reason.map(str::to_owned),
            since: 100,
            lag_octets: 5,
            last_commit: 0,
            commits: 1,
            commits_failed: 0,
            writes: 2,
            readers: 0,
            readers_max: 1_024,
            oldest_reader_ms: 0,
            readers_late: 0,
            map_octets: 9,
            file_octets: 8,
            used_octets: 7,
            free_octets: 1,
            freed_octets: 0,
            disk_free_octets: 3,
        }
    }

    #[test]
    fn a_human_reads_it() {
        let text = status(Some("the disk is full: make room")).text(160);
        assert!(text.starts_with(
            "state        degraded: the disk is full: make room\nsince        60 s ago\n"
        ));
        assert!(text.contains("last commit  none since the start\n"));
        assert!(status(None).text(0).starts_with("state        well\n"));
    }

    #[test]
    fn lines_come_back() {
        for status in [status(None), status(Some("why"))] {
            let line = serde_json::to_string(&status).expect("writes");
            assert_eq!(serde_json::from_str::<Status>(&line).ok(), Some(status));
        }
    }
}
