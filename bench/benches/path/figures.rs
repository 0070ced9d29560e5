//! Figures of a run: time, processor time of the process and of its threads, flushes of the disk, octets on it.
//!
//! All of it is read from `/proc`, so nothing is measured by what it measures.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Where a measurement began.
pub struct Meter {
    began: Instant,
    cpu: Duration,
    threads: BTreeMap<String, Duration>,
    flushes: u64,
    device: u64,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Spent {
    pub time: Duration,
    /// Of the whole process, in ticks of a hundredth of a second.
    pub cpu: Duration,
    /// Of its threads that live, by name; numbers at the end of a name are left out.
    pub threads: BTreeMap<String, Duration>,
    /// Of the disk that the directory is on, whoever asked for them.
    pub flushes: u64,
}

impl Meter {
    /// Begins; flushes are those of the disk that `directory` is on.
    pub fn begin(directory: &Path) -> Self {
        let device = fs::metadata(directory).map_or(0, |metadata| metadata.dev());
        Meter {
            cpu: process(),
            threads: threads(),
            flushes: flushes(device),
            device,
            began: Instant::now(),
        }
    }

    /// Since the beginning.
    pub fn spent(&self) -> Spent {
        let mut threads = threads();
        for (name, time) in &mut threads {
            let before = self.threads.get(name).copied().unwrap_or_default();
            *time = time.saturating_sub(before);
        }
        Spent {
            time: self.began.elapsed(),
            cpu: process().saturating_sub(self.cpu),
            threads,
            flushes: flushes(self.device).saturating_sub(self.flushes),
        }
    }
}

/// User and system time of this process, threads that ended included.
fn process() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name, in parentheses, may hold anything; behind it the state is field 3.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn threads() -> BTreeMap<String, Duration> {
    let mut threads = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").into_iter().flatten() {
        let Ok(task) = task else { continue };
        let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let (name, times) = (read("comm"), read("schedstat"));
        let name = name
            .trim()
            .trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
        let time = times.split(' ').next().and_then(|time| time.parse().ok());
        *threads.entry(name.to_owned()).or_insert(Duration::ZERO) +=
            Duration::from_nanos(time.unwrap_or(0));
    }
    threads
}

/// Flushes that a block device has done. Documentation/admin-guide/iostats.rst, field 16.
fn flushes(device: u64) -> u64 {
    let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xfff00);
    let stats = fs::read_to_string("/proc/diskstats").unwrap_or_default();
    let line = stats
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut own = line.filter(|f| f[..2] == [major.to_string(), minor.to_string()]);
    own.next()
        .and_then(|fields| fields.get(18)?.parse().ok())
        .unwrap_or(0)
}

/// Octets of disk that the files below a directory take.
pub fn octets_on_disk(directory: &Path) -> u64 {
    let mut sum = 0;
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => sum += octets_on_disk(&entry.path()),
            Ok(metadata) => sum += metadata.blocks() * 512,
            Err(_) => {}
        }
    }
    sum
}

/// The one in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
