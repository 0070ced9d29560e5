//! `ringpost-load slow`: many sessions that trickle octets (slowloris), and what they take from those that work.
//!
//! In:  a plan of good sessions for each run, and a crowd of slow ones.
//! Out: [`Slow`]: the good ones' mails in a second without and with the crowd, in turn, and how many slow ones were held.
//!
//! | phase   | good sessions      | slow sessions                                  |
//! |---------|--------------------|------------------------------------------------|
//! | without | deliver            | none                                           |
//! | filling | none               | connect; [`SETTLED`] turns of all              |
//! | with    | deliver            | trickle; whoever is cut comes again            |
//! | leaving | none               | are counted and closed; the server comes to rest |
//!
//! Reading order: [`way`] (where a session is slow), [`crowd`] (all of them, on one thread).

pub mod crowd;
pub mod way;

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::drive::Threads;
use crate::process::tree::Processes;
use crate::progress::Progress;
use crate::report::Latency;
use crate::slow::crowd::{Crowd, Held};
use crate::smtp::plan::Plan as Good;
use crate::smtp::run::run as deliver;

/// Turns of the whole crowd after which each has said its opening and trickles.
const SETTLED: u64 = 5;
/// How long the server may take to be rid of a crowd that has left.
const REST: Duration = Duration::from_secs(30);

/// What the good sessions did in one run.
#[derive(Debug, Serialize)]
pub struct Run {
    pub per_second: f64,
    pub done: u64,
    /// Mails refused or without an answer.
    pub lost: u64,
    pub latency: Option<Latency>,
    /// CPU of the server for each of their mails, the crowd's share included.
    pub server_cpu_us_per_message: Option<f64>,
}

/// One turn: without, then with the crowd.
#[derive(Debug, Serialize)]
pub struct Round {
    pub without: Run,
    pub with: Run,
    /// Slow sessions at the end of the run.
    pub held: Held,
    /// KiB of the server before the crowd came, and with all of it.
    pub pss_kib: Option<[u64; 2]>,
}

/// All of it.
#[derive(Debug, Serialize)]
pub struct Slow {
    pub kind: &'static str,
    pub target: String,
    pub slow_sessions: u64,
    pub good_sessions: u64,
    pub every_ms: u64,
    pub rounds: Vec<Round>,
    /// Mails in a second of all runs with the crowd, in percent of those without.
    pub kept_percent: f64,
    /// Slow sessions held at the end of the run in which they were fewest.
    pub held: u64,
    pub complaints: Vec<String>,
    /// What `--keep` asked for.
    pub keep_percent: f64,
}

impl Slow {
    /// Every mail of the good ones was taken, and they kept what they should.
    pub fn is_well(&self) -> bool {
        let runs = self
            .rounds
            .iter()
            .flat_map(|round| [&round.without, &round.with]);
        runs.clone().all(|run| run.lost == 0) && self.kept_percent >= self.keep_percent
    }

    /// In lines, for a terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "slow {}: {} good sessions beside {} that send an octet every {} ms",
            self.target, self.good_sessions, self.slow_sessions, self.every_ms
        );
        for (number, round) in self.rounds.iter().enumerate() {
            let (Round { without, with, .. }, held) = (round, &round.held);
            let percent = 100.0 * with.per_second / without.per_second.max(1e-9);
            let _ = writeln!(
                out,
                "round {}    without {:.0} messages/s, with {:.0}, kept {percent:.1} %; {} lost",
                number + 1,
                without.per_second,
                with.per_second,
                without.lost + with.lost
            );
            let _ = writeln!(
                out,
                "           {} held, {} opened, {} refused, {} cut",
                held.open, held.opened, held.refused, held.cut
            );
            for (name, run) in [("without", without), ("with", with)] {
                if let Some(latency) = &run.latency {
                    let cpu = run.server_cpu_us_per_message;
                    let cpu = cpu.map_or(String::new(), |us| format!(", server {us:.1} µs CPU"));
                    let _ = writeln!(
                        out,
                        "           {name:<7} p50 {:.0} µs, p99 {:.0}, max {:.0}{cpu}",
                        latency.p50_us, latency.p99_us, latency.max_us
                    );
                }
            }
            if let Some([before, after]) = round.pss_kib {
                let each = (after as f64 - before as f64) / held.open.max(1) as f64;
                let _ = writeln!(
                    out,
                    "memory     PSS {before} KiB before, {after} KiB with the crowd: {each:.2} KiB each"
                );
            }
        }
        let _ = writeln!(
            out,
            "kept       {:.1} % with {} slow sessions held",
            self.kept_percent, self.held
        );
        for complaint in &self.complaints {
            let _ = writeln!(out, "complaint  {complaint}");
        }
        out
    }
}

/// What is to be done.
pub struct Plan {
    pub crowd: crowd::Plan,
    pub rounds: u64,
    pub keep_percent: f64,
    pub until: Instant,
}

/// Runs all rounds; `good` makes the plan of one run. `None`: a run reached nobody, with the reason.
pub fn run(
    plan: &Plan,
    good: impl Fn() -> Good,
    threads: &Threads,
    server: Option<&Processes>,
    progress: &Progress,
) -> io::Result<Result<Slow, String>> {
    let mut slow = Slow {
        kind: "slow",
        target: plan.crowd.smtp.to_string(),
        slow_sessions: plan.crowd.sessions,
        good_sessions: 0,
        every_ms: plan.crowd.every.as_millis() as u64,
        rounds: Vec::new(),
        kept_percent: 0.0,
        held: u64::MAX,
        complaints: Vec::new(),
        keep_percent: plan.keep_percent,
    };
    let delivered = |slow: &mut Slow| -> io::Result<Result<Run, String>> {
        let plan = Arc::new(good());
        let mut ran = deliver(plan.clone(), threads, server, progress)?;
        if ran.unreachable {
            return Ok(Err(ran.report.complaints.pop().unwrap_or_default()));
        }
        slow.good_sessions = plan.sessions;
        slow.complaints.extend(ran.report.complaints);
        Ok(Ok(Run {
            per_second: ran.report.per_second,
            done: ran.report.done,
            lost: ran.report.refused + ran.report.failed,
            latency: ran.report.latency,
            server_cpu_us_per_message: ran.report.server.map(|server| server.cpu_us_per_unit),
        }))
    };
    for _ in 0..plan.rounds {
        let without = match delivered(&mut slow)? {
            Ok(run) => run,
            Err(why) => return Ok(Err(why)),
        };
        let before = server.and_then(Processes::pss_kib);
        let crowd = Crowd::start(plan.crowd.clone())?;
        crowd.settle(SETTLED, plan.until);
        let filled = server.and_then(Processes::pss_kib);
        let with = delivered(&mut slow)?;
        let held = crowd.leave();
        let with = match with {
            Ok(run) => run,
            Err(why) => return Ok(Err(why)),
        };
        slow.held = slow.held.min(held.open);
        slow.rounds.push(Round {
            without,
            with,
            held,
            pss_kib: before.zip(filled).map(|(before, filled)| [before, filled]),
        });
        if let Some(server) = server {
            let _rested = server.read_at_rest(REST);
        }
    }
    let sum = |of: fn(&Round) -> f64| slow.rounds.iter().map(of).sum::<f64>();
    let (with, without) = (
        sum(|round| round.with.per_second),
        sum(|round| round.without.per_second),
    );
    slow.kept_percent = 100.0 * with / without.max(1e-9);
    Ok(Ok(slow))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(with: f64, lost: u64) -> Slow {
        let run = |per_second, lost| Run {
            per_second,
            done: 10,
            lost,
            latency: None,
            server_cpu_us_per_message: None,
        };
        Slow {
            kind: "slow",
            target: "127.0.0.1:25".into(),
            slow_sessions: 10_000,
            good_sessions: 50,
            every_ms: 5_000,
            rounds: vec![Round {
                without: run(1_000.0, 0),
                with: run(with, lost),
                held: Held {
                    open: 9_999,
                    opened: 10_002,
                    cut: 3,
                    refused: 0,
                },
                pss_kib: Some([10_000, 20_000]),
            }],
            kept_percent: with / 10.0,
            held: 9_999,
            complaints: Vec::new(),
            keep_percent: 80.0,
        }
    }

    #[test]
    fn well_or_not() {
        assert!(slow(800.0, 0).is_well());
        assert!(!slow(799.0, 0).is_well());
        assert!(!slow(1_000.0, 1).is_well());
    }

    #[test]
    fn text_says_the_figures() {
        let text = slow(850.0, 0).text();
        for figure in [
            "kept       85.0 % with 9999 slow sessions held",
            "10002 opened, 0 refused, 3 cut",
            "1.00 KiB each",
        ] {
            assert!(text.contains(figure), "{figure} in {text}");
        }
    }
}
