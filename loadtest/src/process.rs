//! What a process has used so far, as `/proc` tells it: CPU, memory, writes.
//!
//! In:  a process id.
//! Out: [`Usage`]; two of them make a [`Spent`]. Of several processes together: [`tree`].
//!
//! CPU is counted twice. `schedstat` of each thread is exact to the nanosecond, but a thread that has ended takes
//! its count along; utime + stime of the process keep the ended ones, in ticks of 10 ms. The threads' sum is
//! used unless the ticks say that it lacks some. Both include the kernel's workers of the process' rings.

pub mod tree;

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
    stat: Stat,
    io: Option<Io>,
}

/// What is read of `/proc/PID/stat`, times in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// The process itself, ended threads too.
    own: u64,
    /// Its children that have ended and were waited for, and theirs.
    reaped: u64,
    /// When it began; with the process id this names one process, whatever came before under that id.
    start: u64,
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
    /// Flush requests that this machine's disks completed, whoever asked for them; told of a server only.
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
            stat: Stat::parse(&stat)?,
            io: fs::read_to_string(format!("/proc/{pid}/io"))
                .ok()
                .and_then(|text| io(&text)),
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
        let io = |pick: fn(&Io) -> u64| {
            Some(pick(self.io.as_ref()?).saturating_sub(pick(before.io.as_ref()?)))
        };
        Spent {
            elapsed_s: elapsed.as_secs_f64(),
            cpu_us: cpu_us(sum_ns, self.stat.own.saturating_sub(before.stat.own)),
            threads,
            disk_octets: io(|io| io.write_octets),
            write_calls: io(|io| io.write_calls),
            flushes: None,
        }
    }

    /// Of the same process when it had used nothing yet; `at` is later than that only on paper.
    fn at_birth(&self, at: Instant) -> Usage {
        let nothing = Io::default();
        Usage {
            at,
            threads: BTreeMap::new(),
            stat: Stat {
                own: 0,
                reaped: 0,
                ..self.stat
            },
            io: self.io.map(|_| nothing),
        }
    }

    /// CPU since the process began.
    fn cpu_us(&self) -> u64 {
        let threads_ns = self.threads.values().map(|thread| thread.cpu_ns).sum();
        cpu_us(threads_ns, self.stat.own)
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

impl Stat {
    /// Field 4 is the parent, 14 and 15 utime and stime, 16 and 17 the same of waited-for children, 22 the start. The
    /// name before them may hold anything.
    fn parse(stat: &str) -> Option<Stat> {
        let after_name = &stat[stat.rfind(')')? + 1..];
        let fields: Vec<&str> = after_name.split_ascii_whitespace().take(20).collect();
        let field = |number: usize| -> Option<u64> { fields.get(number - 3)?.parse().ok() };
        Some(Stat {
            parent: u32::try_from(field(4)?).ok()?,
            own: field(14)? + field(15)?,
            reaped: field(16)? + field(17)?,
            start: field(22)?,
        })
    }
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
        let stat = "77 (a) b (c)) S 1 77 77 0 -1 4194560 100 0 0 0 250 50 7 2 20 0 3 0 5 6";
        let expected = Stat {
            parent: 1,
            own: 300,
            reaped: 9,
            start: 5,
        };
        assert_eq!(Stat::parse(stat), Some(expected));
        assert_eq!(Stat::parse("77 (a) S 1"), None);
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
    fn io_of_a_process() {
        let text = "rchar: 6\nwchar: 16\nsyscr: 12\nsyscw: 1\nread_bytes: 0\nwrite_bytes: 4096\n";
        assert_eq!(
            io(text),
            Some(Io {
                write_octets: 4096,
                write_calls: 1
            })
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
