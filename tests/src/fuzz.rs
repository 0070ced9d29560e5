//! Parsers under mutated input.
//!
//! In:  a [`Target`] (seeds, words of its grammar, what must hold), a seed, a budget.
//! Out: nothing, or a panic that names target, seed and case, after the input was printed. The same seed gives the
//! same inputs on every machine, so a failure of CI is repeated by `ringpost-fuzz TARGET --seed S`.

mod folders;
mod imap;
mod mails;
mod mutate;
mod proxy;
mod records;
mod recovery;
mod sasl;
mod smtp;
mod texts;

use crate::random::Random;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// One parser.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Name on the command line.
    pub name: &'static str,
    /// Inputs to start from, most of them right.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words of the grammar.
    pub words: &'static [&'static [u8]],
    /// Feeds one input and asserts what must hold. The random numbers choose cuts.
    pub check: fn(&[u8], &mut Random),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    smtp::COMMAND,
    smtp::PARAMETERS,
    smtp::SESSION,
    smtp::BDAT,
    smtp::XCLIENT,
    smtp::DOT,
    proxy::PROXY,
    sasl::SASL,
    imap::COMMANDS,
    imap::MAILBOX,
    mails::MESSAGE,
    mails::DIGEST,
    mails::ADDRESS,
    mails::SIGNATURE,
    texts::HTML_TEXT,
    texts::SEARCHABLE,
    folders::MBOX,
    folders::NAMES,
    records::RECORD,
    recovery::RECOVERY,
];

/// How long to go on.
#[derive(Clone, Copy, Debug)]
pub enum Budget {
    Cases(u64),
    Time(Duration),
}

/// One input must not take longer, however slow the machine: what is slower is not linear.
const CASE_TIME_MAX: Duration = Duration::from_secs(20);
/// Octets of one input.
const INPUT_OCTETS_MAX: usize = 1 << 17;

/// Runs `target`; how many cases it took.
pub fn run(target: &Target, seed: u64, budget: Budget) -> u64 {
    let start = Instant::now();
    let seeds = (target.seeds)();
    let mut case = 0;
    loop {
        match budget {
            Budget::Cases(cases) if case >= cases => return case,
            Budget::Time(time) if start.elapsed() >= time => return case,
            _ => {}
        }
        // Each case has its own numbers: it can be run alone.
        let mut random = Random::new(seed ^ case.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let input = match seeds.get(case as usize) {
            Some(seed) => seed.clone(),
            None => mutate::mutated(&seeds, target.words, INPUT_OCTETS_MAX, &mut random),
        };
        let began = Instant::now();
        let held = catch_unwind(AssertUnwindSafe(|| (target.check)(&input, &mut random)));
        let took = began.elapsed();
        if held.is_err() || took > CASE_TIME_MAX {
            eprintln!(
                "fuzz target {} --seed {seed}, case {case} ({took:?}), {} octets:\n\"{}\"",
                target.name,
                input.len(),
                input.escape_ascii()
            );
        }
        if let Err(panic) = held {
            resume_unwind(panic);
        }
        assert!(took <= CASE_TIME_MAX, "one input took {took:?}");
        case += 1;
    }
}

/// Ascending places to cut `octets` octets at, few or many, and always the end.
fn cuts(octets: usize, random: &mut Random) -> Vec<usize> {
    let mut cuts: Vec<usize> = match random.below(8) {
        0 if octets < 4096 => (0..octets).collect(),
        _ => {
            let how_many = random.below(6);
            (0..how_many).map(|_| random.below(octets + 1)).collect()
        }
    };
    cuts.push(octets);
    cuts.sort_unstable();
    cuts
}

/// Lines of text as inputs, CRLF-ended.
fn lines(texts: &[&str]) -> Vec<Vec<u8>> {
    let line = |text: &&str| format!("{text}\r\n").into_bytes();
    texts.iter().map(line).collect()
}
