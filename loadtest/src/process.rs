//! What a process has used so far, as `/proc` tells it: CPU, memory, writes, and the disks' flushes.
//!
//! In:  a process id.
//! Out: [`Usage`]; two of them make a [`Spent`].
//!
//! CPU is counted twice. `schedstat` of each thread is exact to the nanosecond, but a thread that has ended takes
//! its count along; utime + stime of the process keep the ended ones, in ticks of 10 ms. The threads' sum is
//! used unless the ticks say that it lacks some. Both include the kernel's workers of the process' rings.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use serde::Serialize;

/// A reading at one moment.
#[derive(Clone, Debug)]
pub struct Usage {
    at: Instant,
    threads: BTreeMap<u32, Thread>,
    ticks: u64,
    io: Option<Io>,
    flushes: Option<u64>,
}

#[derive(Clone, Debug)]
struct Thread {
    name: String,
    cpu_ns: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Io {
    write_octets: u64,
    write_calls: u64,
}

/// USER_HZ: the kernel's promise to user space on every architecture we run on.
const TICK: Duration = Duration::from_millis(10);
/// Difference of the two counts that rounding explains.
const TICKS_TOLERATED: u64 = 3;

/// What was used between two readings.
#[derive(Clone, Debug, Serialize)]
pub struct Spent {
    pub elapsed_s: f64,
    pub cpu_us: u64,
    /// CPU of the busiest threads, most first.
    pub threads: Vec<ThreadSpent>,
    /// Octets the process caused to be written to disks.
    pub disk_octets: Option<u64>,
    /// `write` calls and their kin; writes through a ring are not among them.
    pub write_calls: Option<u64>,
    /// Flush requests that this machine's disks completed, whoever asked for them.
    pub flushes: Option<u64>,
}

/// All threads of one name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ThreadSpent {
    pub name: String,
    pub cpu_us: u64,
    /// Of the time between the readings, for the busiest thread of that name.
    pub busy: f64,
}

impl Usage {
    /// Reads process `pid`; `None` when there is none, or when it may not be read.
    pub fn read(pid: u32) -> Option<Usage> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
            let path = entry.path();
            let id = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            // A thread may end between the listing and the reading.
            let name = fs::read_to_string(path.join("comm"));
            let schedstat = fs::read_to_string(path.join("schedstat"));
            if let (Some(id), Ok(name), Ok(schedstat)) = (id, name, schedstat) {
                let cpu_ns = first_number(&schedstat)?;
                threads.insert(
                    id,
                    Thread {
                        name: name.trim_end().to_owned(),
                        cpu_ns,
                    },
                );
            }
        }
        Some(Usage {
            at: Instant::now(),
            threads,
            ticks: ticks(&stat)?,
            io: fs::read_to_string(format!("/proc/{pid}/io"))
                .ok()
                .and_then(|text| io(&text)),
            flushes: fs::read_to_string("/proc/diskstats")
                .ok()
                .map(|text| flushes(&text)),
        })
    }

    /// What was used since `before`.
    pub fn since(&self, before: &Usage) -> Spent {
        let elapsed = self.at - before.at;
        let mut by_name: BTreeMap<&str, ThreadSpent> = BTreeMap::new();
        let mut sum_ns = 0;
        for (id, thread) in &self.threads {
            let was = before.threads.get(id).map_or(0, |thread| thread.cpu_ns);
            let cpu_ns = thread.cpu_ns.saturating_sub(was);
            sum_ns += cpu_ns;
            let spent = by_name.entry(&thread.name).or_insert_with(|| ThreadSpent {
                name: thread.name.clone(),
                cpu_us: 0,
                busy: 0.0,
            });
            spent.cpu_us += cpu_ns / 1000;
            spent.busy = spent
                .busy
                .max(cpu_ns as f64 / elapsed.as_nanos().max(1) as f64);
        }
        let mut threads: Vec<_> = by_name
            .into_values()
            .filter(|spent| spent.cpu_us > 0)
            .collect();
        threads.sort_by_key(|spent| std::cmp::Reverse(spent.cpu_us));
        let io = |pick: fn(&Io) -> u64| Some(pick(self.io.as_ref()?) - pick(before.io.as_ref()?));
        Spent {
            elapsed_s: elapsed.as_secs_f64(),
            cpu_us: cpu_us(sum_ns, self.ticks.saturating_sub(before.ticks)),
            threads,
            disk_octets: io(|io| io.write_octets),
            write_calls: io(|io| io.write_calls),
            flushes: self.flushes.zip(before.flushes).map(|(now, was)| now - was),
        }
    }

    /// Reads until the process has come to rest (less than 1 ms of CPU in 50 ms), at most for `longest`:
    /// what it still does for work already answered belongs to that work.
    pub fn read_at_rest(pid: u32, longest: Duration) -> Option<Usage> {
        let until = Instant::now() + longest;
        let mut usage = Usage::read(pid)?;
        loop {
            std::thread::sleep(Duration::from_millis(50));
            let next = Usage::read(pid)?;
            if next.since(&usage).cpu_us < 1000 || Instant::now() > until {
                return Some(next);
            }
            usage = next;
        }
    }
}

/// The threads' sum, or the process' ticks where ended threads took more along than rounding explains.
fn cpu_us(threads_ns: u64, ticks: u64) -> u64 {
    let tick_us = TICK.as_micros() as u64;
    let threads_us = threads_ns / 1000;
    match ticks * tick_us > threads_us + TICKS_TOLERATED * tick_us {
        true => ticks * tick_us,
        false => threads_us,
    }
}

/// utime + stime: fields 14 and 15 of `/proc/PID/stat`; the name before them may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let utime: u64 = fields.next()?.parse().ok()?;
    let stime: u64 = fields.next()?.parse().ok()?;
    Some(utime + stime)
}

fn io(text: &str) -> Option<Io> {
    let value = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.parse().ok())
    };
    Some(Io {
        write_octets: value("write_bytes")?,
        write_calls: value("syscw")?,
    })
}

/// Field 16 of each whole device's statistics (after the three that name it), summed.
fn flushes(diskstats: &str) -> u64 {
    let flushes = |line: &str| -> Option<u64> {
        let mut fields = line.split_ascii_whitespace();
        let name = fields.nth(2)?;
        let whole = !name.starts_with("loop")
            && fs::exists(format!("/sys/block/{name}")).unwrap_or_default();
        whole.then(|| fields.nth(15)?.parse().ok()).flatten()
    };
    diskstats.lines().filter_map(flushes).sum()
}

fn first_number(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// Memory of process `pid` in KiB, what it shares counted in part: Pss of `smaps_rollup`.
pub fn pss_kib(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    text.lines()
        .find_map(|line| first_number(line.strip_prefix("Pss:")?))
}

/// Allows this process as many open files as the system lets it have; returns how many.
pub fn raise_open_files() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    // Without a hard limit there is nothing to raise to; the current one is then told as it is.
    limit.current = limit.maximum.or(limit.current);
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_stat() {
        let stat = "77 (a) b (c)) S 1 77 77 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 5 6";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("77 (a) S 1"), None);
    }

    #[test]
    fn ended_threads_are_not_lost() {
        assert_eq!(cpu_us(1_000_000_000, 100), 1_000_000);
        assert_eq!(cpu_us(1_000_000_000, 103), 1_000_000, "rounding");
        assert_eq!(
            cpu_us(1_000_000_000, 150),
            1_500_000,
            "50 ticks left with a thread"
        );
    }

    #[test]
    fn io_and_disks() {
        let text = "rchar: 6\nwchar: 16\nsyscr: 12\nsyscw: 1\nread_bytes: 0\nwrite_bytes: 4096\n";
        assert_eq!(
            io(text),
            Some(Io {
                write_octets: 4096,
                write_calls: 1
            })
        );
        assert_eq!(
            flushes("7 0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 9 0\n1 1 nodisk 1\n"),
            0
        );
    }

    #[test]
    fn own_usage_grows() {
        let pid = std::process::id();
        let before = Usage::read(pid).unwrap();
        let mut sum = 0u64;
        while Usage::read(pid).unwrap().since(&before).cpu_us < 2_000 {
            sum = std::hint::black_box(sum + 1);
        }
        let spent = Usage::read(pid).unwrap().since(&before);
        assert!(spent.cpu_us >= 2_000 && !spent.threads.is_empty());
        assert!(pss_kib(pid).unwrap() > 100);
        assert!(raise_open_files() > 0);
        assert!(Usage::read(u32::MAX).is_none());
    }
}
