//! Power loss, at every moment of a run: what was answered is there once and whole, what was not is there or not.
//!
//! A run is recorded, then a disk is played forward event by event, and the power taken away: right before each sync, with
//! all, some and torn parts of what was written since the last one, and right after it, with nothing else. What
//! is on the disk then is opened and looked at, twice; and now and then the power goes once more while it is opened.
//!
//! `RINGPOST_CRASH=long` takes it away at each event of longer runs, in more ways.

use crate::alone;
use crate::check::{Checker, Promised, recover};
use crate::disk::{Disk, Loss};
use crate::random::Random;
use crate::scratch;
use crate::story::{self, Cast, Story};
use crate::trace::{Event, Watch};
use std::path::Path;
use std::process::Command;

const SEED: u64 = 0x907e;

/// A story of `steps` steps and its own directory, which is empty afterwards but for the octets that were written.
fn tell(seed: u64, steps: usize, cast: Cast) -> Story {
    let root = scratch();
    story::tell(root.path(), seed, steps, cast)
}

/// The moments at which the power goes, and how.
struct Plan {
    /// Of the moments between two syncs, one in so many.
    sparse: usize,
    /// Of the losses, after one in so many it goes again while the store starts.
    twice: usize,
    /// Ways of losing at a moment.
    losses: &'static [Loss],
}

const SHORT: Plan = Plan {
    sparse: 4,
    twice: 50,
    losses: &[Loss::Sectors],
};
const LONG: Plan = Plan {
    sparse: 1,
    twice: 20,
    losses: &[Loss::Sectors, Loss::Pages, Loss::Later, Loss::Sectors],
};

fn is_sync(event: &Event) -> bool {
    matches!(event, Event::Sync { .. } | Event::SyncRange { .. })
}

/// The power goes again and again, and each time the store is looked at.
struct Losses<'s> {
    checker: Checker<'s>,
    promised: Promised,
    random: Random,
    count: usize,
}

impl Losses<'_> {
    /// Takes the power away now.
    fn lose(&mut self, disk: &Disk, loss: Loss, at: usize) {
        let _told = Told(format!("event {at}, {loss:?}, {:?}", self.random));
        let data = scratch();
        let _unsynced = Watch::unsynced(data.path());
        disk.lose(loss, &mut self.random, data.path());
        self.checker.check(&self.promised, data.path());
        self.count += 1;
    }

    /// Takes the power away now, and again all along the start after it.
    fn lose_twice(&mut self, disk: &Disk, loss: Loss, at: usize) {
        let _told = Told(format!("the start after event {at}, {:?}", self.random));
        let data = scratch();
        disk.lose(loss, &mut self.random.clone(), data.path());
        // What recovery makes of the same disk is known then.
        self.lose(disk, loss, at);
        let mut disk = Disk::found(data.path());
        let watch = Watch::record(data.path());
        recover(data.path());
        for (at, event) in watch.end().iter().enumerate() {
            if !matches!(event, Event::Mark(_)) {
                self.lose(&disk, Loss::Sectors, at);
            }
            disk.happen(event);
        }
        self.lose(&disk, Loss::All, usize::MAX);
    }
}

/// Takes the power away all along the story; how often.
fn lose_all_along(story: &Story, plan: &Plan, seed: u64) -> usize {
    let mut disk = Disk::new(&story.root);
    let mut losses = Losses {
        checker: Checker::new(story),
        promised: Promised::default(),
        random: Random::new(seed),
        count: 0,
    };
    for (at, event) in story.events.iter().enumerate() {
        if is_sync(event) || losses.random.once_in(plan.sparse) {
            for &loss in plan.losses {
                match losses.random.once_in(plan.twice) {
                    true => losses.lose_twice(&disk, loss, at),
                    false => losses.lose(&disk, loss, at),
                }
            }
        }
        disk.happen(event);
        if let Event::Mark(mark) = event {
            losses.promised.add(*mark);
        }
        if is_sync(event) {
            losses.lose(&disk, Loss::All, at);
        }
    }
    losses.count
}

/// Says what a failure came about with.
struct Told(String);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("lost at {}", self.0);
        }
    }
}

fn long() -> bool {
    std::env::var("RINGPOST_CRASH").is_ok_and(|mode| mode == "long")
}

#[test]
fn what_was_answered_outlives_the_power() {
    let _alone = alone();
    lose_everywhere(Cast::Clients, 60);
}

/// Also while mails move and segments go.
#[test]
fn what_was_answered_outlives_the_power_and_the_tidier() {
    let _alone = alone();
    lose_everywhere(Cast::Tidied, 100);
}

fn lose_everywhere(cast: Cast, steps: usize) {
    println!("seed {SEED:#x}");
    let (seeds, steps, plan) = match long() {
        true => (0..20, steps * 4, LONG),
        false => (0..1, steps, SHORT),
    };
    for seed in seeds {
        let story = tell(SEED + seed, steps, cast);
        let count = lose_all_along(&story, &plan, SEED + seed);
        println!("{} events, {count} losses", story.events.len());
        assert!(count > 100, "the story was one");
    }
}

type IsOfPath = fn(&Path) -> bool;

/// Syncs that a store might have forgotten: the name of the flaw, and whether the sync of this path is one of them.
const FLAWS: &[(&str, IsOfPath)] = &[
    ("mail", |path| path.extension().is_some_and(|e| e == "seg")),
    ("index", |path| path.ends_with("data.mdb")),
    ("names", |path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("log-"))
    }),
];
const TOLD: &str = "the story is told, now it is looked at";
const FLAW: &str = "RINGPOST_CRASH_FLAW";

/// Where the syncs of a kind never happened, the test above finds a loss. In a process of its own: LMDB may well be
/// killed by an index like that.
#[test]
fn a_store_that_forgets_to_sync_is_found_out() {
    let _alone = alone();
    if let Ok(flaw) = std::env::var(FLAW) {
        let mut story = tell(SEED, 40, Cast::Clients);
        let (_, forgotten) = FLAWS.iter().find(|(name, _)| *name == flaw).expect("known");
        story
            .events
            .retain(|event| !matches!(event, Event::Sync { path } if forgotten(path)));
        eprintln!("{TOLD}");
        lose_all_along(&story, &SHORT, SEED);
        return;
    }
    for (flaw, _) in FLAWS {
        let run = Command::new(std::env::current_exe().expect("a path"))
            .args([
                "--exact",
                "--nocapture",
                "power::a_store_that_forgets_to_sync_is_found_out",
            ])
            .env(FLAW, flaw)
            .output()
            .expect("this executable runs");
        let told = String::from_utf8_lossy(&run.stderr);
        assert!(told.contains(TOLD), "{flaw}: not told: {run:?}");
        assert!(!run.status.success(), "{flaw}: not found out: {told}");
    }
}
