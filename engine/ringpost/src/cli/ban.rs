//! `ringpost ban list|add|remove`.

use super::exit::Failure;
use super::{Named, print};
use crate::control::ban::BanLine;
use crate::control::client;
use crate::control::request::{Answer, Request};
use clap::Subcommand;
use ringpost_runtime::time;

#[derive(Subcommand)]
pub enum Ban {
    /// List the bans in force
    List {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        named: Named,
    },
    /// Keep a network out
    Add {
        /// Such as 192.0.2.0/24, 2001:db8::/32 or one address
        #[arg(value_name = "NETWORK")]
        network: String,
        /// How long, such as 30m, 12h or 7d; without it until it is removed
        #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
        seconds: Option<u64>,
        /// Why, for the list
        #[arg(long, value_name = "TEXT", default_value = "by hand")]
        reason: String,
        #[command(flatten)]
        named: Named,
    },
    /// Let a network in again
    Remove {
        /// As the list has it
        #[arg(value_name = "NETWORK")]
        network: String,
        #[command(flatten)]
        named: Named,
    },
}

impl Ban {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        match self {
            Ban::List { json, named } => {
                if let Answer::Bans(bans) = client::ask(&named.open()?, Request::BanList)? {
                    match json {
                        true => print(&super::json(&bans)),
                        false => bans
                            .iter()
                            .for_each(|ban| print(&line(ban, time::now_unix()))),
                    }
                }
            }
            Ban::Add {
                network,
                seconds,
                reason,
                named,
            } => {
                let text = format!("{network} banned\n");
                let until = seconds.map_or(u64::MAX, |seconds| time::now_unix() + seconds);
                let request = Request::BanAdd {
                    network,
                    until,
                    reason,
                };
                client::ask(&named.open()?, request)?;
                print(&text);
            }
            Ban::Remove { network, named } => {
                let text = format!("{network} is let in again\n");
                client::ask(&named.open()?, Request::BanRemove { network })?;
                print(&text);
            }
        }
        Ok(())
    }
}

/// `192.0.2.1/32  for 42m  2 times  too many failed logins`
fn line(ban: &BanLine, now: u64) -> String {
    let left = match ban.until {
        None => "for ever".to_owned(),
        Some(until) => format!("for {}", span(until.saturating_sub(now))),
    };
    let times = if ban.count == 1 { "time" } else { "times" };
    format!(
        "{}  {left}  {} {times}  {}\n",
        ban.network, ban.count, ban.reason
    )
}

const UNITS: [(&str, u64); 5] = [
    ("w", 604_800),
    ("d", 86_400),
    ("h", 3_600),
    ("m", 60),
    ("s", 1),
];

/// The largest unit of which there are at least two, rounded up.
fn span(seconds: u64) -> String {
    let unit = UNITS.iter().find(|(_, unit)| seconds >= 2 * unit);
    let (name, unit) = unit.unwrap_or(&("s", 1));
    format!("{}{name}", seconds.div_ceil(*unit))
}

/// `30m`, `12h`, `7d`.
fn seconds(text: &str) -> Result<u64, String> {
    let expected = "expected a number and s, m, h, d or w, such as 12h";
    let found = UNITS.iter().find_map(|(name, unit)| {
        let number: u64 = text.strip_suffix(name)?.parse().ok()?;
        number.checked_mul(*unit)
    });
    match found {
        // Centuries are for ever.
        Some(seconds @ 1..=10_000_000_000) => Ok(seconds),
        _ => Err(expected.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        const CASES: &[(&str, Option<u64>)] = &[
            ("30s", Some(30)),
            ("30m", Some(1_800)),
            ("12h", Some(43_200)),
            ("7d", Some(604_800)),
            ("2w", Some(1_209_600)),
            ("0d", None),
            ("7", None),
            ("d", None),
            ("-1d", None),
            ("99999999999999999999d", None),
            ("9999999999w", None),
        ];
        for (text, expected) in CASES {
            assert_eq!(seconds(text).ok(), *expected, "{text}");
        }
    }

    #[test]
    fn lines() {
        let ban = |until| BanLine {
            network: "192.0.2.0/24".into(),
            since: 0,
            until,
            count: 1,
            reason: "by hand".into(),
        };
        const CASES: &[(Option<u64>, &str)] = &[
            (None, "192.0.2.0/24  for ever  1 time  by hand\n"),
            (Some(1_119), "192.0.2.0/24  for 119s  1 time  by hand\n"),
            (Some(1_120), "192.0.2.0/24  for 2m  1 time  by hand\n"),
            (
                Some(1_000 + 86_400),
                "192.0.2.0/24  for 24h  1 time  by hand\n",
            ),
            (
                Some(1_000 + 7 * 86_400),
                "192.0.2.0/24  for 7d  1 time  by hand\n",
            ),
        ];
        for (until, expected) in CASES {
            assert_eq!(line(&ban(*until), 1_000), *expected);
        }
    }
}
