//! Every fuzz target for a moment. `RINGPOST_FUZZ_SECONDS` makes it longer, `RINGPOST_FUZZ_SEED` repeats a run.

use ringpost_tests::fuzz::{Budget, TARGETS, run};
use std::time::Duration;

/// Inputs for each target, where nothing else is said.
const CASES: u64 = 1500;

fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is not a number")),
    )
}

#[test]
fn targets_hold() {
    let seed = number("RINGPOST_FUZZ_SEED").unwrap_or(0x5eed);
    let budget = match number("RINGPOST_FUZZ_SECONDS") {
        Some(seconds) => Budget::Time(Duration::from_secs(seconds)),
        None => Budget::Cases(CASES),
    };
    for target in TARGETS {
        println!("{} --seed {seed}", target.name);
        run(target, seed, budget);
    }
}
