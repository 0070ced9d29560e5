//! What a run has shown, for people and, with `--json`, for programs.
//!
//! In:  histograms, usages and counts of a run.
//! Out: [`Report`]; its fields are the JSON, [`Report::text`] says the same in lines.

use std::fmt::Write as _;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::ledger::Outcome;
use crate::process::Spent;

/// An empty histogram of nanoseconds: up to an hour, three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("the bounds are in order")
}

/// Percentiles in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    pub count: u64,
    pub p50_us: f64,
    pub p90_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
    pub max_us: f64,
}

impl Latency {
    /// `None` where nothing was measured.
    pub fn of(histogram: &Histogram<u64>) -> Option<Latency> {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        (!histogram.is_empty()).then(|| Latency {
            count: histogram.len(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: histogram.max() as f64 / 1000.0,
        })
    }
}

/// Who kept the run from going faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// The figures say what this program can do, not what the server can.
    Generator,
    /// A thread of the server had no time left.
    Server,
    /// Both had time left: they waited for each other, or for a disk.
    Neither,
}

/// A thread with so much of its time used has none left.
const BUSY: f64 = 0.95;

impl Limit {
    /// Judges by the busiest thread of each.
    pub fn of(own: &Spent, server: Option<&Spent>) -> Limit {
        let busiest = |spent: &Spent| spent.threads.iter().map(|t| t.busy).fold(0.0, f64::max);
        match (
            busiest(own) >= BUSY,
            server.is_some_and(|s| busiest(s) >= BUSY),
        ) {
            (_, true) => Limit::Server,
            (true, false) => Limit::Generator,
            (false, false) => Limit::Neither,
        }
    }
}

/// What the server used, in all and for each unit of work.
#[derive(Clone, Debug, Serialize)]
pub struct Server {
    /// From the first connection until the server came to rest.
    pub spent: Spent,
    pub cpu_us_per_unit: f64,
    pub flushes_per_unit: Option<f64>,
    pub disk_octets_per_unit: Option<f64>,
    pub pss_kib_before: Option<u64>,
    pub pss_kib_after: Option<u64>,
    /// Growth of PSS for each unit, where the units are held at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pss_octets_per_unit: Option<f64>,
}

impl Server {
    /// Divides what was spent by `units`.
    pub fn new(spent: Spent, units: u64, pss_kib: [Option<u64>; 2]) -> Server {
        let per_unit = |amount: u64| amount as f64 / units.max(1) as f64;
        Server {
            cpu_us_per_unit: per_unit(spent.cpu_us),
            flushes_per_unit: spent.flushes.map(per_unit),
            disk_octets_per_unit: spent.disk_octets.map(per_unit),
            pss_kib_before: pss_kib[0],
            pss_kib_after: pss_kib[1],
            pss_octets_per_unit: None,
            spent,
        }
    }

    /// The units were all there when PSS was read the second time.
    pub fn held_at_once(mut self, units: u64) -> Server {
        let grown = self.pss_kib_after.zip(self.pss_kib_before);
        let octets = grown.map(|(after, before)| (after as f64 - before as f64) * 1024.0);
        self.pss_octets_per_unit = octets.map(|octets| octets / units.max(1) as f64);
        self
    }
}

/// A run of any kind.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// `smtp`, `idle`, `imap`, `verify`.
    pub kind: &'static str,
    pub target: String,
    /// What one unit of work is: a message, a connection, a command.
    pub unit: &'static str,
    pub sessions: u64,
    /// Units done: accepted, idle, answered OK.
    pub done: u64,
    /// Units that the server answered with a refusal.
    pub refused: u64,
    /// Units lost to a connection that failed or to the end of the time allowed.
    pub failed: u64,
    /// Octets of mail sent or of responses received.
    pub octets: u64,
    pub elapsed_s: f64,
    pub per_second: f64,
    pub latency: Option<Latency>,
    pub limit: Limit,
    pub generator: Spent,
    pub server: Option<Server>,
    /// What the mailboxes hold, compared with what was accepted.
    pub audit: Option<Outcome>,
    /// How long a push took to reach idle connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push: Option<Push>,
    /// The first few refusals and failures, as they came.
    pub complaints: Vec<String>,
}

/// Whether a change reached those that idle.
#[derive(Clone, Debug, Serialize)]
pub struct Push {
    pub expected: u64,
    pub arrived: u64,
    pub latency: Option<Latency>,
}

impl Report {
    /// Whether everything that was asked for was done and kept.
    pub fn is_well(&self) -> bool {
        self.refused == 0
            && self.failed == 0
            && self.audit.as_ref().is_none_or(Outcome::is_well)
            && self
                .push
                .as_ref()
                .is_none_or(|push| push.arrived == push.expected)
    }

    /// In lines, for a terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let unit = self.unit;
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{} {}: {} {unit}s over {} sessions in {:.2} s, {:.0} {unit}s/s; {} refused, {} failed; {} octets",
            self.kind,
            self.target,
            self.done,
            self.sessions,
            self.elapsed_s,
            self.per_second,
            self.refused,
            self.failed,
            self.octets,
        );
        if let Some(latency) = &self.latency {
            let _ = writeln!(out, "latency    {}", spell(latency));
        }
        if let Some(server) = &self.server {
            write_server(&mut out, server, unit);
        }
        let _ = writeln!(
            out,
            "generator  {:.2} s CPU, busiest thread {:.0} %; the limit was {}",
            self.generator.cpu_us as f64 / 1e6,
            100.0
                * self
                    .generator
                    .threads
                    .iter()
                    .map(|thread| thread.busy)
                    .fold(0.0, f64::max),
            match self.limit {
                Limit::Generator => "this generator: the server can do more",
                Limit::Server => "a thread of the server",
                Limit::Neither => "neither's CPU",
            },
        );
        if let Some(push) = &self.push {
            let latency = push.latency.as_ref().map(spell).unwrap_or_default();
            let _ = writeln!(
                out,
                "push       {} of {} arrived; {latency}",
                push.arrived, push.expected
            );
        }
        if let Some(audit) = &self.audit {
            let _ = writeln!(
                out,
                "audit      {} found, {} compared whole; {} missing, {} doubled, {} altered, {} unexpected",
                audit.found,
                audit.whole,
                audit.missing,
                audit.doubled,
                audit.altered,
                audit.unexpected,
            );
            for example in &audit.examples {
                let _ = writeln!(out, "           {example}");
            }
        }
        for complaint in &self.complaints {
            let _ = writeln!(out, "complaint  {complaint}");
        }
        out
    }
}

fn write_server(out: &mut String, server: &Server, unit: &str) {
    let _ = write!(
        out,
        "server     {:.1} µs CPU per {unit}",
        server.cpu_us_per_unit
    );
    if let Some(flushes) = server.flushes_per_unit {
        let _ = write!(out, ", {flushes:.3} disk flushes");
    }
    if let Some(octets) = server.disk_octets_per_unit {
        let _ = write!(out, ", {octets:.0} octets written");
    }
    if let Some(octets) = server.pss_octets_per_unit {
        let _ = write!(out, ", {:.2} KiB memory", octets / 1024.0);
    }
    out.push('\n');
    if let (Some(before), Some(after)) = (server.pss_kib_before, server.pss_kib_after) {
        let _ = writeln!(out, "memory     PSS {before} KiB before, {after} KiB after");
    }
    for thread in server.spent.threads.iter().take(8) {
        let (name, us) = (&thread.name, thread.cpu_us as f64);
        let share = us / server.spent.cpu_us.max(1) as f64;
        let _ = writeln!(
            out,
            "           {name:<16} {:>5.1} µs, {:.0} % of the CPU used, busy {:.0} %",
            share * server.cpu_us_per_unit,
            100.0 * share,
            100.0 * thread.busy,
        );
    }
}

fn spell(latency: &Latency) -> String {
    let Latency {
        p50_us,
        p90_us,
        p99_us,
        p999_us,
        max_us,
        ..
    } = latency;
    format!(
        "p50 {p50_us:.0} µs, p90 {p90_us:.0}, p99 {p99_us:.0}, p99.9 {p999_us:.0}, max {max_us:.0}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::ThreadSpent;

    fn spent(busy: f64) -> Spent {
        let thread = ThreadSpent {
            name: "shard-0".into(),
            cpu_us: 900_000,
            busy,
        };
        Spent {
            elapsed_s: 1.0,
            cpu_us: 1_000_000,
            threads: vec![thread],
            disk_octets: Some(4_000_000),
            write_calls: Some(1),
            flushes: Some(500),
        }
    }

    fn report() -> Report {
        let mut histogram = histogram();
        (1..=1000).for_each(|us| histogram.record(us * 1000).unwrap());
        Report {
            kind: "smtp",
            target: "127.0.0.1:25".into(),
            unit: "message",
            sessions: 50,
            done: 10_000,
            refused: 0,
            failed: 0,
            octets: 20_480_000,
            elapsed_s: 1.0,
            per_second: 10_000.0,
            latency: Latency::of(&histogram),
            limit: Limit::Neither,
            generator: spent(0.5),
            server: Some(Server::new(
                spent(0.9),
                10_000,
                [Some(10_000), Some(20_000)],
            )),
            audit: Some(Outcome {
                found: 10_000,
                ..Outcome::default()
            }),
            push: None,
            complaints: vec![],
        }
    }

    #[test]
    fn percentiles() {
        let latency = report().latency.unwrap();
        assert_eq!(latency.count, 1000);
        assert!((latency.p50_us - 500.0).abs() < 1.0 && (latency.p99_us - 990.0).abs() < 2.0);
        assert!(Latency::of(&histogram()).is_none());
    }

    #[test]
    fn shares_of_units() {
        let server = report().server.unwrap().held_at_once(5000);
        assert_eq!(server.cpu_us_per_unit, 100.0);
        assert_eq!(server.flushes_per_unit, Some(0.05));
        assert_eq!(server.disk_octets_per_unit, Some(400.0));
        assert_eq!(server.pss_octets_per_unit, Some(2048.0));
    }

    #[test]
    fn the_limit_is_named() {
        assert_eq!(Limit::of(&spent(0.5), Some(&spent(0.5))), Limit::Neither);
        assert_eq!(Limit::of(&spent(0.99), Some(&spent(0.5))), Limit::Generator);
        assert_eq!(Limit::of(&spent(0.99), None), Limit::Generator);
        assert_eq!(Limit::of(&spent(0.99), Some(&spent(0.99))), Limit::Server);
    }

    #[test]
    fn well_or_not() {
        assert!(report().is_well());
        assert!(
            !Report {
                failed: 1,
                ..report()
            }
            .is_well()
        );
        assert!(
            !Report {
                refused: 1,
                ..report()
            }
            .is_well()
        );
        let audit = Some(Outcome {
            missing: 1,
            ..Outcome::default()
        });
        assert!(!Report { audit, ..report() }.is_well());
        let push = Some(Push {
            expected: 2,
            arrived: 1,
            latency: None,
        });
        assert!(!Report { push, ..report() }.is_well());
    }

    #[test]
    fn text_and_json_say_the_figures() {
        let text = report().text();
        for figure in [
            "10000 messages/s",
            "100.0 µs CPU per message",
            "0.050 disk flushes",
            "p99 990",
        ] {
            assert!(text.contains(figure), "{figure} in {text}");
        }
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!(json["limit"], "neither");
        assert_eq!(json["server"]["cpu_us_per_unit"], 100.0);
    }
}
