//! A tidier that is killed at any point has harmed nothing.
//!
//! The test runs itself as a child that delivers, expunges and tidies, and says on its standard output what it was told
//! is durable; it is killed after so many lines, and what it had said must be true.

use crate::yard::{Random, Yard, at_once, check, mails, open, tidy_up, whole};
use ringpost_lmdb::tidy::Tidy;
use ringpost_types::Uid;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Names the data directory to the child.
const CHILD: &str = "RINGPOST_TEST_TIDY_CHILD";
/// The number of its first mail: no number comes twice, whatever the one before got done.
const FIRST: &str = "RINGPOST_TEST_TIDY_FIRST";

#[test]
fn child() {
    let Some(data) = std::env::var_os(CHILD) else {
        return;
    };
    let lmdb = open(Path::new(&data));
    let mut tidy = Tidy::by_hand(lmdb, at_once()).expect("a tidier");
    let mut yard = Yard::of(tidy.store());
    let first = std::env::var(FIRST).expect("the test tells it");
    let mut number: u64 = first.parse().expect("a number");
    let mut random = Random(number);
    let mut out = std::io::stdout();
    loop {
        for _ in 0..60 {
            match random.below(30) {
                0 => yard.stream(number),
                _ => yard.deliver(number),
            }
            let _ = writeln!(out, "\nhave {number}");
            number += 1;
        }
        yard.settle();
        let all = yard.mails();
        let gone: Vec<(Uid, u64)> = all.into_iter().filter(|_| random.below(100) < 70).collect();
        for (_, number) in &gone {
            let _ = writeln!(out, "\nmay lose {number}");
        }
        yard.expunge(gone.iter().map(|&(uid, _)| uid).collect());
        for (_, number) in &gone {
            let _ = writeln!(out, "\nlost {number}");
        }
        let _ = writeln!(out, "\ntidying");
        for _ in 0..3 {
            tidy.round().expect("a round");
            let _ = writeln!(out, "\nround");
        }
    }
}

/// What the child said until it was killed.
#[derive(Default)]
struct Said {
    have: BTreeSet<u64>,
    /// There or not.
    unsure: BTreeSet<u64>,
    lost: BTreeSet<u64>,
}

fn run_and_kill(data: &Path, first: u64, lines: u64, said: &mut Said) {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["killed::child", "--exact", "--nocapture"])
        .env(CHILD, data)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut heard = 0;
    for line in out.lines().map_while(Result::ok) {
        let number = |prefix: &str| line.strip_prefix(prefix)?.parse::<u64>().ok();
        if let Some(number) = number("have ") {
            said.have.insert(number);
        } else if let Some(number) = number("may lose ") {
            said.have.remove(&number);
            said.unsure.insert(number);
        } else if let Some(number) = number("lost ") {
            said.unsure.remove(&number);
            said.lost.insert(number);
        } else if line != "tidying" && line != "round" {
            continue;
        }
        heard += 1;
        if heard == lines {
            child.kill().expect("killed");
        }
    }
    child.wait().expect("it has ended");
    assert!(heard >= lines, "it ended by itself after {heard} lines");
}

#[test]
fn killed_at_any_point() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut random = Random(11);
    let mut said = Said::default();
    for cycle in 0..6 {
        let (first, lines) = (cycle * 100_000, 150 + random.below(600));
        run_and_kill(data.path(), first, lines, &mut said);
        let lmdb = open(data.path());
        whole(&lmdb);
        let report = check(&lmdb);
        assert_eq!(report.findings, [], "cycle {cycle}");
        let found: BTreeSet<u64> = mails(&lmdb).into_values().collect();
        let missing: Vec<_> = said.have.difference(&found).collect();
        assert!(
            missing.is_empty(),
            "cycle {cycle}: {missing:?} were durable"
        );
        let risen: Vec<_> = said.lost.intersection(&found).collect();
        assert!(risen.is_empty(), "cycle {cycle}: {risen:?} were gone");
        // What was under way when it was killed is settled now.
        said.have = found;
        said.unsure.clear();
    }
    let mut tidy = Tidy::by_hand(open(data.path()), at_once()).expect("a tidier");
    tidy_up(&mut tidy);
    whole(&tidy.store());
    assert_eq!(check(&tidy.store()).findings, []);
}
