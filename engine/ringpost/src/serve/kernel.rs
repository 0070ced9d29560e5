//! The kernel's own defence: what it has to be told so that a crowd at the door does not become a queue outside of it.
//!
//! In:  `/proc/sys` and the process's limits. Out: a note for each setting that is worse than a mail server needs, with the
//! value to set. Nothing is changed and nothing is refused: a server with a note serves.
//!
//! | setting | why |
//! |---|---|
//! | net.ipv4.tcp_syncookies | without them a flood of SYNs from forged addresses keeps everybody out (RFC 4987) |
//! | net.core.somaxconn | cuts the queue of connections that wait to be accepted, 4,096 here |
//! | net.ipv4.tcp_max_syn_backlog | connections half open, before cookies have to help |
//! | net.ipv4.ip_local_port_range | ports for the mail that goes out |
//! | kernel.io_uring_disabled | the server runs on io_uring |
//! | open files | each connection is one |
//! | locked memory | kernels before 5.12 count rings against it |

use rustix::process::{Resource, getrlimit};
use std::fs;
use std::path::Path;

/// What a listening socket asks for.
const BACKLOG: u64 = 4_096;
/// Connections half open, at least.
const SYN_BACKLOG: u64 = 1_024;
/// Ports for connections that we begin, at least.
const PORTS: u64 = 20_000;
/// Open files, at least.
const FILES: u64 = 65_536;
/// Octets of locked memory that the rings of one shard take.
const RING_OCTETS: u64 = 1 << 20;

/// What the kernel says of itself.
pub struct Kernel<'r> {
    /// `/proc/sys`.
    pub sys: &'r Path,
    /// Files the process may open; `None`: no bound.
    pub files: Option<u64>,
    /// Octets it may lock; `None`: no bound.
    pub locked: Option<u64>,
    /// As uname(2) has it, such as `6.1.0-18-amd64`.
    pub release: String,
}

impl Kernel<'_> {
    /// The one we run on.
    pub fn here() -> Kernel<'static> {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Kernel {
            sys: Path::new("/proc/sys"),
            files: getrlimit(Resource::Nofile).maximum,
            locked: getrlimit(Resource::Memlock).maximum,
            release: release.trim().to_owned(),
        }
    }

    /// What should be different; nothing where all is well, and nothing about a setting that cannot be read.
    pub fn notes(&self, shards: u64) -> Vec<String> {
        let mut notes = Vec::new();
        let cookies = self.number("net/ipv4/tcp_syncookies");
        if cookies == Some(0) {
            notes.push(advice(
                "net.ipv4.tcp_syncookies",
                0,
                "a flood of connections that are never finished would keep everybody out",
                1,
            ));
        }
        let floors = [
            (
                "net.core.somaxconn",
                BACKLOG,
                "fewer connections may wait to be accepted than we ask for",
            ),
            (
                "net.ipv4.tcp_max_syn_backlog",
                SYN_BACKLOG,
                "few connections may be half open",
            ),
        ];
        for (name, least, why) in floors {
            match self.number(&name.replace('.', "/")) {
                Some(value) if value < least => notes.push(advice(name, value, why, least)),
                _ => {}
            }
        }
        notes.extend(self.ports());
        notes.extend(self.rings(shards));
        if let Some(files) = self.files.filter(|&files| files < FILES) {
            notes.push(format!(
                "open files: at most {files}, and each connection is one; set LimitNOFILE=1048576 in the systemd unit, or ulimit -n"
            ));
        }
        notes
    }

    fn ports(&self) -> Option<String> {
        let range = self.text("net/ipv4/ip_local_port_range")?;
        let mut ends = range.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(first)), Some(Ok(last))) = (ends.next(), ends.next()) else {
            return None;
        };
        let ports = (last + 1).saturating_sub(first);
        (ports < PORTS).then(|| {
            format!(
                "net.ipv4.ip_local_port_range is \"{first} {last}\": few connections to other hosts at once; as root: sysctl -w net.ipv4.ip_local_port_range=\"32768 60999\""
            )
        })
    }

    fn rings(&self, shards: u64) -> Option<String> {
        if let Some(value @ 1..) = self.number("kernel/io_uring_disabled") {
            let why = "the server runs on io_uring";
            return Some(advice("kernel.io_uring_disabled", value, why, 0));
        }
        let needed = shards * RING_OCTETS;
        let locked = self.locked.filter(|&locked| locked < needed)?;
        self.counts_rings().then(|| {
            format!(
                "locked memory: at most {locked} octets, and this kernel counts {needed} for the rings; set LimitMEMLOCK=64M in the systemd unit, or ulimit -l"
            )
        })
    }

    /// Kernels before 5.12 count rings against RLIMIT_MEMLOCK.
    fn counts_rings(&self) -> bool {
        let mut parts = self.release.split(|c: char| !c.is_ascii_digit());
        let mut number = || parts.next().and_then(|part| part.parse::<u32>().ok());
        match (number(), number()) {
            (Some(major), Some(minor)) => (major, minor) < (5, 12),
            _ => false,
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.sys.join(name)).ok()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.trim().parse().ok()
    }
}

fn advice(name: &str, is: u64, why: &str, better: u64) -> String {
    format!("{name} is {is}: {why}; as root: sysctl -w {name}={better}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The notes of a kernel with these settings, one shard, and a good process.
    fn notes(settings: &[(&str, &str)], change: impl FnOnce(&mut Kernel<'_>)) -> Vec<String> {
        let sys = tempfile::tempdir().expect("a directory");
        for (name, value) in settings {
            let file = sys.path().join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            fs::write(file, format!("{value}\n")).expect("written");
        }
        let mut kernel = Kernel {
            sys: sys.path(),
            files: Some(1 << 20),
            locked: Some(8 << 20),
            release: "6.1.0-18-amd64".to_owned(),
        };
        change(&mut kernel);
        kernel.notes(1)
    }

    #[test]
    fn only_what_is_bad_is_told() {
        const CASES: &[(&str, &str, Option<&str>)] = &[
            ("net/ipv4/tcp_syncookies", "1", None),
            ("net/ipv4/tcp_syncookies", "2", None),
            (
                "net/ipv4/tcp_syncookies",
                "0",
                Some("sysctl -w net.ipv4.tcp_syncookies=1"),
            ),
            ("net/core/somaxconn", "4096", None),
            (
                "net/core/somaxconn",
                "4095",
                Some("sysctl -w net.core.somaxconn=4096"),
            ),
            ("net/ipv4/tcp_max_syn_backlog", "1024", None),
            (
                "net/ipv4/tcp_max_syn_backlog",
                "1023",
                Some("sysctl -w net.ipv4.tcp_max_syn_backlog=1024"),
            ),
            ("net/ipv4/ip_local_port_range", "32768\t60999", None),
            ("net/ipv4/ip_local_port_range", "1000\t20999", None),
            (
                "net/ipv4/ip_local_port_range",
                "1000\t20998",
                Some("sysctl -w net.ipv4.ip_local_port_range"),
            ),
            ("kernel/io_uring_disabled", "0", None),
            (
                "kernel/io_uring_disabled",
                "2",
                Some("sysctl -w kernel.io_uring_disabled=0"),
            ),
            ("net/core/somaxconn", "what", None),
        ];
        for (name, value, expected) in CASES {
            let notes = notes(&[(name, value)], |_| ());
            match expected {
                None => assert!(notes.is_empty(), "{name} {value}: {notes:?}"),
                Some(expected) => {
                    assert_eq!(notes.len(), 1, "{name} {value}: {notes:?}");
                    assert!(notes[0].contains(expected), "{}", notes[0]);
                }
            }
        }
    }

    #[test]
    fn limits_of_the_process() {
        let files = |files| notes(&[], |kernel| kernel.files = files);
        assert!(files(None).is_empty());
        assert!(files(Some(FILES)).is_empty());
        assert!(files(Some(FILES - 1))[0].contains("LimitNOFILE"));
        let locked = |release: &str, locked| {
            notes(&[], |kernel| {
                kernel.release = release.to_owned();
                kernel.locked = locked;
            })
        };
        assert!(locked("6.1.0", Some(0)).is_empty(), "not counted any more");
        assert!(locked("5.11.9", Some(RING_OCTETS)).is_empty());
        assert!(locked("5.11.9", Some(RING_OCTETS - 1))[0].contains("LimitMEMLOCK"));
        assert!(locked("4.19.0", None).is_empty());
        assert!(locked("", Some(0)).is_empty());
    }
}
