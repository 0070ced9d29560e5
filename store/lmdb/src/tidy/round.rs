//! One round of the tidier: what was marked long enough ago is given back, then is looked for more.
//!
//! ```text
//!  look ----> marked (stretches to punch, segments to remove) ---- grace ----> acted on ----> forgotten (Tidied)
//!    '--> segments of which little lives: their mails move at once, while the store has room for new mail; the next
//!         look finds them dead
//! ```
//! In:  the store, its files. Out: [`Round`], what was done.
//!
//! A segment that has something in it which cannot be moved (a damaged mail; one that is in no mailbox and was kept for
//! whoever repairs the index) is kept, told once, and punched around.

use super::census::{self, Living, Place};
use super::holes::{self, Punch, Run};
use super::pace::{Pace, Stop};
use super::records;
use super::survey::{allocated, applied, files, segment_rows};
use super::{Options, rewrite};
use crate::open::Lmdb;
use crate::tidy::rewrite::Rewriter;
use ringpost_api::table::Stretch;
use ringpost_api::write::Position;
use ringpost_api::{Error, Outcome, Store, Write, read};
use ringpost_log::REWRITE;
use ringpost_log::segment::{self, HEAD_OCTETS, Holds};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Stretches that are marked at once: three megabytes of them.
const RUNS_MAX: usize = 131_072;
/// Rows that one commit forgets.
const ROWS_MAX: usize = 1_024;
/// Segments that are given up in one round: what lives in them, 16 octets for each mail, is kept in mind.
const SEGMENTS_MAX: usize = 32;
/// There is at least so much time between two rounds.
const BREATH: Duration = Duration::from_millis(100);
/// Octets that punching one stretch costs, about: two parts of pages.
const PUNCH_OCTETS: u64 = 8_192;

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Stretches of records that are zeros now.
    pub punched: u64,
    /// Their octets.
    pub punched_octets: u64,
    /// Files that are gone.
    pub removed: u64,
    /// Octets that they took on disk.
    pub removed_octets: u64,
    /// Segments whose mails moved.
    pub rewritten: u64,
    /// Mails that moved.
    pub moved: u64,
    /// Whether something is marked, or was left for the next round.
    pub more: bool,
}

/// What is to be given back once its grace is over.
struct Marked {
    at: Instant,
    runs: Vec<Run>,
    files: Vec<(Place, Holds)>,
}

/// The tidier without its thread: rounds are called for.
pub struct Tidy {
    store: Arc<Lmdb>,
    data: PathBuf,
    options: Options,
    pace: Pace,
    stop: Stop,
    marked: Option<Marked>,
    /// Segments that cannot be given up.
    kept: BTreeSet<Place>,
    /// Large mails that were there at the start; those that nobody names are to go.
    strays: Vec<Place>,
    /// Where the log of moved mails goes on.
    end: Position,
    /// Whether the file system makes no holes.
    no_holes: bool,
    more: bool,
}

impl Tidy {
    /// Begins. To be called before any log of the store is opened for appending.
    pub(super) fn new(store: Arc<Lmdb>, options: Options, stop: Stop) -> io::Result<Self> {
        let data = store.data().to_owned();
        let mut strays = Vec::new();
        for (place, holds) in files(&data)? {
            strays.extend((holds == Holds::Mail).then_some(place));
        }
        Ok(Tidy {
            end: store.log_end(REWRITE),
            pace: Pace::new(options.octets_per_second),
            store,
            data,
            options,
            stop,
            marked: None,
            kept: BTreeSet::new(),
            strays,
            no_holes: false,
            more: false,
        })
    }

    /// A tidier that is called for each of its rounds: for tests and tools.
    pub fn by_hand(store: Arc<Lmdb>, options: Options) -> io::Result<Self> {
        Tidy::new(store, options, Stop::default())
    }

    /// The store that it tidies.
    pub fn store(&self) -> Arc<Lmdb> {
        Arc::clone(&self.store)
    }

    /// How long to wait before the next round.
    pub(super) fn rest(&self) -> Duration {
        let rest = match &self.marked {
            Some(marked) => {
                let over = marked.at + self.options.grace;
                let left = over.saturating_duration_since(Instant::now());
                left.min(self.options.every)
            }
            None if self.more => BREATH,
            None => self.options.every,
        };
        rest.max(BREATH)
    }

    /// Gives back what was marked long enough ago, and looks for more.
    pub fn round(&mut self) -> Result<Round, Error> {
        let mut round = Round::default();
        self.sweep()?;
        let over = |marked: &Marked| marked.at.elapsed() >= self.options.grace;
        if self.marked.as_ref().is_some_and(over)
            && let Some(marked) = self.marked.take()
            && let Err(left) = self.act(marked, &mut round)?
        {
            self.marked = Some(left);
        }
        self.remove_strays(&mut round)?;
        if self.marked.is_none() {
            self.look(&mut round)?;
        }
        self.more = round.more;
        round.more |= self.marked.is_some();
        Ok(round)
    }

    /// Lets the store delete what large mailboxes left behind, in steps between which others have their turn.
    fn sweep(&self) -> Result<(), Error> {
        let mut more = read::sweep(&*self.store.snapshot()?)?.is_some();
        while more && !self.stop.is_set() {
            let outcome = rewrite::ask(&*self.store, Write::Sweep)?;
            more = outcome == Outcome::Swept { more: true };
        }
        Ok(())
    }

    /// Marks what can be given back, and moves mails out of segments of which little lives.
    fn look(&mut self, round: &mut Round) -> Result<(), Error> {
        let (applied, rows) = {
            let snapshot = self.store.snapshot()?;
            (applied(&*snapshot)?, segment_rows(&*snapshot)?)
        };
        // After the rows: a file that one names and that is not there has gone, and is not one that came meanwhile.
        let files = files(&self.data).map_err(failed)?;
        let gone: Vec<Place> = rows
            .keys()
            .copied()
            .filter(|place| !files.contains_key(place))
            .collect();
        self.forget(Vec::new(), gone)?;

        let mut dead = Vec::new();
        let mut worth = Vec::new();
        for (&place, &holds) in &files {
            let dead_octets = rows.get(&place).copied();
            match holds {
                // A large mail that was let go of.
                Holds::Mail | Holds::Part if dead_octets.is_some() => dead.push((place, holds)),
                Holds::Records => {
                    let living = self.living(place, &applied, dead_octets.unwrap_or(0))?;
                    worth.extend(living.map(|octets| (octets, place)));
                }
                _ => {}
            }
        }
        // The deadest first.
        worth.sort_unstable();
        round.more |= worth.len() > SEGMENTS_MAX;
        worth.truncate(SEGMENTS_MAX);
        let wanted: BTreeSet<Place> = worth.into_iter().map(|(_, place)| place).collect();
        let mut counted = census::count(&*self.store, &wanted, &self.stop)?;
        let mut little: Vec<(Place, Living)> = Vec::new();
        for &place in &wanted {
            match counted.remove(&place) {
                Some(living) => little.push((place, living)),
                None if self.holds_nothing(place)? => dead.push((place, Holds::Records)),
                None => self.keep(place, "a mail in it that is in no mailbox"),
            }
        }
        // Moving takes room before it gives any. Where there is none, holes and what is dead must do.
        let moves = self.store.accepts().is_ok();
        if moves {
            self.rewrite(little, round)?;
        }

        let snapshot = self.store.snapshot()?;
        let runs = match self.no_holes {
            true => Vec::new(),
            false => {
                // What is to be given up as a whole is not worth a hole.
                let is_wanted = |log, segment| {
                    let place = (log, segment);
                    files.get(&place) == Some(&Holds::Records)
                        && (!moves || !wanted.contains(&place) || self.kept.contains(&place))
                };
                holes::runs(&*snapshot, &applied, is_wanted, RUNS_MAX)?
            }
        };
        round.more |= runs.len() == RUNS_MAX;
        if !runs.is_empty() || !dead.is_empty() {
            self.marked = Some(Marked {
                at: Instant::now(),
                runs,
                files: dead,
            });
        }
        Ok(())
    }

    /// Octets that live in a closed segment, about, where they are so few that it is to be given up.
    fn living(
        &self,
        place: Place,
        applied: &BTreeMap<u16, Position>,
        dead_octets: u64,
    ) -> Result<Option<u64>, Error> {
        let (log, number) = place;
        let closed = applied.get(&log).is_some_and(|at| number < at.segment);
        if !closed || self.kept.contains(&place) {
            return Ok(None);
        }
        let octets = match segment::path(&self.data, log, number).metadata() {
            Ok(found) => found.len().saturating_sub(HEAD_OCTETS),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let living = octets.saturating_sub(dead_octets);
        // An empty one too: it was begun, and nothing came.
        let few =
            u128::from(living) * 100 < u128::from(octets) * u128::from(self.options.live_percent);
        Ok((few || octets == 0).then_some(living))
    }

    /// Whether every record of a segment that no blob row points at was let go of.
    fn holds_nothing(&mut self, place: Place) -> Result<bool, Error> {
        let octets = allocated(&self.data, place, Holds::Records);
        self.pace.take(octets, &self.stop);
        let snapshot = self.store.snapshot()?;
        records::holds_nothing(&self.data, &*snapshot, place)
    }

    fn keep(&mut self, place: Place, why: &str) {
        let (log, segment) = place;
        if self.kept.insert(place) {
            (self.options.told)(&format!(
                "segment {segment} of log {log} cannot be given up: {why}; ringpost verify says more"
            ));
        }
    }

    /// Moves the living of some segments.
    fn rewrite(&mut self, segments: Vec<(Place, Living)>, round: &mut Round) -> Result<(), Error> {
        if segments.is_empty() {
            return Ok(());
        }
        // What a round that failed left on its way is in the index when this is answered: the log goes on behind it.
        let nothing = Write::Tidied {
            holes: Vec::new(),
            segments: Vec::new(),
        };
        rewrite::ask(&*self.store, nothing)?;
        let applied = read::applied(&*self.store.snapshot()?, REWRITE)?;
        if applied.sequence > self.end.sequence {
            self.end = applied;
        }
        let store = Arc::clone(&self.store);
        let mut rewriter =
            Rewriter::open(&store, &self.data, self.end, self.options.segment_octets)?;
        let mut outcome = Ok(());
        for (place, living) in segments {
            let wanted = living.mails.len() as u64;
            let moved = rewriter.segment(place, &living, &mut self.pace, &self.stop);
            let moved = match moved {
                Ok(moved) => moved,
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            };
            round.rewritten += 1;
            round.moved += moved.mails;
            let (log, number) = place;
            (self.options.told)(&format!(
                "segment {number} of log {log} rewritten: {} mails, {} octets moved",
                moved.mails, moved.octets
            ));
            if moved.mails + moved.gone < wanted {
                self.keep(place, "a damaged mail in it");
            }
            round.more = true;
        }
        self.end = rewriter.close();
        outcome
    }

    /// Punches and removes; what is left when someone holds space, or it is time to end.
    fn act(&mut self, mut marked: Marked, round: &mut Round) -> Result<Result<(), Marked>, Error> {
        while let Some(&(place, holds)) = marked.files.last() {
            let gate = Arc::clone(self.store.gate());
            let step = match gate.step() {
                Some(step) if !self.stop.is_set() => step,
                _ => return Ok(Err(marked)),
            };
            let (log, number) = place;
            let octets = allocated(&self.data, place, holds);
            segment::remove(&self.data, log, number, holds).map_err(failed)?;
            let folder = segment::directory(&self.data, log);
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(failed)?;
            drop(step);
            self.forget(Vec::new(), vec![place])?;
            round.removed += 1;
            round.removed_octets += octets;
            marked.files.pop();
        }
        while let Some(&Run { log, stretch }) = marked.runs.last() {
            let gate = Arc::clone(self.store.gate());
            let step = match gate.step() {
                Some(step) if !self.stop.is_set() => step,
                _ => return Ok(Err(marked)),
            };
            // As many of one segment as make one commit.
            let same = |run: &&Run| (run.log, run.stretch.segment) == (log, stretch.segment);
            let count = marked.runs.iter().rev().take_while(same).count();
            let from = marked.runs.len() - count.min(ROWS_MAX);
            let runs = &marked.runs[from..];
            match self.punch(log, stretch.segment, runs) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    self.no_holes = true;
                    (self.options.told)(
                        "the file system makes no holes: space is given back a segment at a time",
                    );
                    return Ok(Ok(()));
                }
                Err(error) => return Err(failed(error)),
            }
            drop(step);
            let mut rows = Vec::new();
            {
                let snapshot = self.store.snapshot()?;
                for run in runs {
                    rows.extend(holes::rows(&*snapshot, run)?);
                }
            }
            round.punched += rows.len() as u64;
            round.punched_octets += runs.iter().map(|run| run.stretch.octets).sum::<u64>();
            self.pace.take(runs.len() as u64 * PUNCH_OCTETS, &self.stop);
            marked.runs.truncate(from);
            for rows in rows.chunks(ROWS_MAX) {
                self.forget(rows.to_vec(), Vec::new())?;
            }
        }
        Ok(Ok(()))
    }

    fn punch(&self, log: u16, number: u32, runs: &[Run]) -> io::Result<()> {
        let applied = {
            let snapshot = self.store.snapshot().map_err(io::Error::other)?;
            read::applied(&*snapshot, log).map_err(io::Error::other)?
        };
        let end = holes::end_of(Some(&applied), number);
        let Some(punch) = Punch::open(&self.data, log, number, end)? else {
            return Ok(());
        };
        for run in runs {
            punch.punch(&run.stretch)?;
        }
        punch.sync()
    }

    /// Large mails that were there at the start and that no row names. While someone holds space they are left for a later
    /// round.
    fn remove_strays(&mut self, round: &mut Round) -> Result<(), Error> {
        if self.strays.is_empty() || self.store.gate().step().is_none() {
            return Ok(());
        }
        let strays = std::mem::take(&mut self.strays);
        let mut strays: BTreeSet<Place> = strays.into_iter().collect();
        {
            let snapshot = self.store.snapshot()?;
            let rows = segment_rows(&*snapshot)?;
            strays.retain(|place| !rows.contains_key(place));
        }
        let mut damaged = None;
        census::blobs(&*self.store, ringpost_types::BlobId(0), |_, row| {
            match row {
                Ok(row) => _ = strays.remove(&(row.log, row.segment)),
                Err(error) => damaged = Some(error),
            }
            match damaged.is_some() || strays.is_empty() || self.stop.is_set() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        if let Some(error) = damaged {
            return Err(error);
        }
        if self.stop.is_set() {
            return Err(Error::Closed);
        }
        let mut named: BTreeMap<u16, BTreeSet<u32>> = BTreeMap::new();
        for &(log, number) in &strays {
            named.entry(log).or_default().insert(number);
        }
        for (&log, numbers) in &mut named {
            let applied = read::applied(&*self.store.snapshot()?, log)?;
            records::leave_meant(&self.data, &*self.store, log, &applied, numbers)?;
        }
        for (log, number) in strays {
            if named.get(&log).is_none_or(|left| !left.contains(&number)) {
                self.keep((log, number), "a large mail that is in no mailbox");
                continue;
            }
            let gate = Arc::clone(self.store.gate());
            let Some(_step) = gate.step() else {
                self.strays.push((log, number));
                continue;
            };
            segment::remove(&self.data, log, number, Holds::Mail).map_err(failed)?;
            (self.options.told)(&format!(
                "segment {number} of log {log}, a large mail that nobody names, removed"
            ));
            round.removed += 1;
        }
        Ok(())
    }

    /// Has the index forget what was given back.
    fn forget(&self, holes: Vec<(u16, Stretch)>, segments: Vec<Place>) -> Result<(), Error> {
        if holes.is_empty() && segments.is_empty() {
            return Ok(());
        }
        match rewrite::ask(&*self.store, Write::Tidied { holes, segments })? {
            Outcome::Done => Ok(()),
            other => Err(Error::Damaged(format!("an answer to nothing: {other:?}"))),
        }
    }
}

fn failed(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full,
        _ => Error::Io(format!("mail log: {error}")),
    }
}
