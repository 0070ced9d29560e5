//! What a server has used so far, be it one process or many: Dovecot and Postfix are a master and its children.
//!
//! In:  process ids.
//! Out: [`Reading`]; two of them make a [`Spent`].
//!
//! A tree is a process and all that descend from it. What descendants have used is not lost when they end: the kernel
//! adds it to the parent that waits for them, in ticks of 10 ms, and masters wait for their children. So between
//! two readings the tree has used: what its living processes did, plus the growth of what was waited for, less
//! what those now waited for had done before. A process that leaves its parent leaves the tree.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use crate::process::{self, Spent, Stat, ThreadSpent, Usage};

/// The processes of a server.
#[derive(Clone, Debug)]
pub enum Processes {
    /// One alone.
    One(u32),
    /// These and all their descendants.
    Trees(Vec<u32>),
}

/// What they all had used at one moment.
#[derive(Clone, Debug)]
pub struct Reading {
    at: Instant,
    /// By process id and start.
    usages: BTreeMap<(u32, u64), Usage>,
    /// Used by descendants that have ended, in ticks.
    reaped: u64,
    flushes: Option<u64>,
}

impl Processes {
    /// Reads all; `None` when one that was named is not there or may not be read.
    pub fn read(&self) -> Option<Reading> {
        let at = Instant::now();
        let (ids, with_reaped) = match self {
            Processes::One(pid) => (vec![*pid], false),
            Processes::Trees(_) => (self.ids(), true),
        };
        let mut usages = BTreeMap::new();
        for pid in ids {
            match Usage::read(pid) {
                Some(usage) => drop(usages.insert((pid, usage.stat.start), usage)),
                None if self.named().contains(&pid) => return None,
                // Ended since it was listed.
                None => {}
            }
        }
        let reaped = usages.values().map(|usage| usage.stat.reaped).sum();
        let diskstats = fs::read_to_string("/proc/diskstats").ok();
        Some(Reading {
            at,
            usages,
            reaped: if with_reaped { reaped } else { 0 },
            flushes: diskstats.map(|text| flushes(&text)),
        })
    }

    /// Reads until they have come to rest (less than 1 ms of CPU in 50 ms), at most for `longest`:
    /// what they still do for work already answered belongs to that work.
    pub fn read_at_rest(&self, longest: Duration) -> Option<Reading> {
        let until = Instant::now() + longest;
        let mut reading = self.read()?;
        loop {
            std::thread::sleep(Duration::from_millis(50));
            let next = self.read()?;
            if next.since(&reading).cpu_us < 1000 || Instant::now() > until {
                return Some(next);
            }
            reading = next;
        }
    }

    /// Memory of all in KiB. Pss divides what processes share among them, so the sum counts it once.
    pub fn pss_kib(&self) -> Option<u64> {
        self.ids()
            .into_iter()
            .filter_map(process::pss_kib)
            .reduce(|sum, kib| sum + kib)
    }

    fn named(&self) -> &[u32] {
        match self {
            Processes::One(pid) => std::slice::from_ref(pid),
            Processes::Trees(roots) => roots,
        }
    }

    /// All processes there are now, those that were named first.
    fn ids(&self) -> Vec<u32> {
        match self {
            Processes::One(pid) => vec![*pid],
            Processes::Trees(roots) => with_descendants(roots, &parents()),
        }
    }
}

impl Reading {
    /// What was used since `before`.
    pub fn since(&self, before: &Reading) -> Spent {
        let elapsed = self.at - before.at;
        let (mut cpu_us, mut threads) = (0, BTreeMap::<String, ThreadSpent>::new());
        for (process, usage) in &self.usages {
            let spent = usage.since(
                &before
                    .usages
                    .get(process)
                    .map_or_else(|| usage.at_birth(before.at), Usage::clone),
            );
            cpu_us += spent.cpu_us;
            for thread in spent.threads {
                match threads.get_mut(&thread.name) {
                    Some(known) => {
                        known.cpu_us += thread.cpu_us;
                        known.busy = known.busy.max(thread.busy);
                    }
                    None => drop(threads.insert(thread.name.clone(), thread)),
                }
            }
        }
        let ended_us = self.ended_us(before);
        if ended_us > 0 {
            let name = "(ended)".to_owned();
            // How busy any one of them was cannot be known any more.
            threads.insert(
                name.clone(),
                ThreadSpent {
                    name,
                    cpu_us: ended_us,
                    busy: 0.0,
                },
            );
        }
        let mut threads: Vec<_> = threads.into_values().collect();
        threads.sort_by_key(|spent| std::cmp::Reverse(spent.cpu_us));
        // The kernel adds what ended children wrote to their parent's count, as it does with their CPU.
        let io = |pick: fn(&process::Io) -> u64| {
            let sum = |reading: &Reading| {
                reading
                    .usages
                    .values()
                    .filter_map(|usage| usage.io.as_ref().map(pick))
                    .reduce(|a, b| a + b)
            };
            Some(sum(self)?.saturating_sub(sum(before)?))
        };
        Spent {
            elapsed_s: elapsed.as_secs_f64(),
            cpu_us: cpu_us + ended_us,
            threads,
            disk_octets: io(|io| io.write_octets),
            write_calls: io(|io| io.write_calls),
            flushes: self
                .flushes
                .zip(before.flushes)
                .map(|(now, was)| now.saturating_sub(was)),
        }
    }

    /// CPU since `before` of processes that are there no longer.
    fn ended_us(&self, before: &Reading) -> u64 {
        let gone = before
            .usages
            .iter()
            .filter(|(process, _)| !self.usages.contains_key(process));
        let counted_before: u64 = gone.map(|(_, usage)| usage.cpu_us()).sum();
        let tick_us = process::TICK.as_micros() as u64;
        (self.reaped.saturating_sub(before.reaped) * tick_us).saturating_sub(counted_before)
    }
}

/// The parent of every process.
fn parents() -> BTreeMap<u32, u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return BTreeMap::new();
    };
    let parent = |entry: fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = Stat::parse(&fs::read_to_string(entry.path().join("stat")).ok()?)?;
        Some((pid, stat.parent))
    };
    entries.flatten().filter_map(parent).collect()
}

/// `roots`, their children, the children of these, and so on; each once.
fn with_descendants(roots: &[u32], parents: &BTreeMap<u32, u32>) -> Vec<u32> {
    let mut ids: Vec<u32> = Vec::new();
    let add = |ids: &mut Vec<u32>, pid: u32| {
        if !ids.contains(&pid) {
            ids.push(pid);
        }
    };
    roots.iter().for_each(|&root| add(&mut ids, root));
    let mut at = 0;
    while let Some(&parent) = ids.get(at) {
        let children = parents.iter().filter(|&(_, &p)| p == parent);
        children.for_each(|(&pid, _)| add(&mut ids, pid));
        at += 1;
    }
    ids
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::{Command, Stdio};

    #[test]
    fn descendants() {
        // 1 has 2 and 3, 3 has 4; 9 has 10.
        let parents = BTreeMap::from([(1, 0), (2, 1), (3, 1), (4, 3), (9, 0), (10, 9)]);
        assert_eq!(with_descendants(&[1], &parents), [1, 2, 3, 4]);
        assert_eq!(with_descendants(&[3, 9, 3], &parents), [3, 9, 4, 10]);
        assert_eq!(
            with_descendants(&[1, 3], &parents),
            [1, 3, 2, 4],
            "a tree in a tree counts once"
        );
        assert_eq!(with_descendants(&[7], &parents), [7]);
    }

    #[test]
    fn loops_and_what_is_no_disk_are_not_counted() {
        let text = "7 0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 9 0\n1 1 nodisk 1\n";
        assert_eq!(flushes(text), 0);
    }

    /// A child works, a child of it reports and ends: what it used stays, and is not counted twice.
    #[test]
    fn what_children_used_outlives_them() {
        let inner = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo worked; read _";
        let mut outer = Command::new("sh")
            .args([
                "-c",
                &format!("read _; sh -c '{inner}'; echo ended; read _"),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut go_on = outer.stdin.take().unwrap();
        let mut lines = BufReader::new(outer.stdout.take().unwrap()).lines();
        let tree = Processes::Trees(vec![outer.id()]);
        let before = tree.read().unwrap();
        let alone_before = Processes::One(outer.id()).read().unwrap();

        writeln!(go_on).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "worked");
        let living = tree.read().unwrap();
        let used = living.since(&before);
        assert!(used.cpu_us >= 20_000, "{used:?}");
        assert!(tree.pss_kib() > Processes::One(outer.id()).pss_kib());

        writeln!(go_on).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "ended");
        let after = tree.read().unwrap();
        let (in_all, since_then) = (after.since(&before), after.since(&living));
        let few_ticks = 5 * process::TICK.as_micros() as u64;
        assert!(
            in_all.cpu_us.abs_diff(used.cpu_us) <= few_ticks,
            "{in_all:?} after {used:?}"
        );
        assert!(since_then.cpu_us <= few_ticks, "{since_then:?}");
        assert_eq!(in_all.threads[0].name, "(ended)");
        let alone = Processes::One(outer.id())
            .read()
            .unwrap()
            .since(&alone_before);
        assert!(alone.cpu_us * 2 < in_all.cpu_us, "{alone:?} of {in_all:?}");

        drop(go_on);
        outer.wait().unwrap();
        assert!(tree.read().is_none());
    }
}
