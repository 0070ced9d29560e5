//! `ringpost-fuzz TARGET [--seconds N] [--seed S]`, `ringpost-fuzz --list`: one parser under mutated input.
#![forbid(unsafe_code)]

use ringpost_tests::fuzz::{Budget, TARGETS, run};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const USAGE: &str =
    "usage: ringpost-fuzz TARGET [--seconds N] [--seed S]\n       ringpost-fuzz --list";

fn main() -> ExitCode {
    match wished(std::env::args().skip(1)) {
        Some(Wish::List) => {
            for target in TARGETS {
                println!("{}", target.name);
            }
        }
        Some(Wish::Run {
            name,
            seconds,
            seed,
        }) => {
            let Some(target) = TARGETS.iter().find(|target| target.name == name) else {
                eprintln!("no fuzz target {name}; --list tells them");
                return ExitCode::from(2);
            };
            println!("{name} --seed {seed}");
            let cases = run(target, seed, Budget::Time(Duration::from_secs(seconds)));
            println!("{name}: {cases} inputs in {seconds} s, nothing found");
        }
        None => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

enum Wish {
    List,
    Run {
        name: String,
        seconds: u64,
        seed: u64,
    },
}

fn wished(mut arguments: impl Iterator<Item = String>) -> Option<Wish> {
    let name = arguments.next()?;
    if name == "--list" {
        return Some(Wish::List);
    }
    let (mut seconds, mut seed) = (10, None);
    while let Some(option) = arguments.next() {
        let value: u64 = arguments.next()?.parse().ok()?;
        match &option[..] {
            "--seconds" => seconds = value,
            "--seed" => seed = Some(value),
            _ => return None,
        }
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_nanos() as u64);
    Some(Wish::Run {
        name,
        seconds,
        seed: seed.unwrap_or(now),
    })
}
