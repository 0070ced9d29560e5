//! The logs compared with the tables: every blob row leads to its mail, and every octet belongs to someone.
//!
//! ```text
//! of a segment:  | record: lives | record: free | zero: was given back | record: nobody's | no record: damaged |
//!                      sound, as its row says          nothing to say      found              found, unless free
//! ```
//! In:  blob rows, a page of them for each snapshot; segments, from begin to end. Out: findings, and the damaged mails.
//!
//! Invariant: a mail that is let go of while this runs is no finding: what looks wrong is looked up again.

use super::whose::Damaged;
use super::{Depth, Finding, Report, Told};
use crate::open::Lmdb;
use crate::tidy::{self, Place, Records, lives_at};
use ringpost_api::table::{BlobRow, Encoding};
use ringpost_api::{Error, Store, read};
use ringpost_log::file::{Blocking, now};
use ringpost_log::record::Entry;
use ringpost_log::recover::{Damage, Found};
use ringpost_log::segment::{self, HEAD_OCTETS, Holds};
use ringpost_log::{LogError, Reader};
use ringpost_types::BlobId;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use xxhash_rust::xxh3::Xxh3Default;

const GONE: &str = "put the file back from a backup; without it the mails in it are lost, and all others are as they were";
const SHORT: &str = "put the file back from a backup; without it what stood behind its end is lost";
const NOBODYS: &str = "it may be a mail that could not be put into the index: stop the server and run ringpost rebuild to bring it back, or leave it";
const HARMLESS: &str =
    "no mail of the index is in it; the segment is kept and nothing else is harmed";
const COUNTED: &str =
    "the space is not given back, and nothing else is harmed; ringpost rebuild counts it anew";
const REPLAYED: &str =
    "mails in it are lost unless a backup has them; those around it were applied";

/// What lives in one segment.
#[derive(Clone, Copy, Default)]
struct Living {
    mails: u64,
    octets: u64,
}

struct Check<'c> {
    store: &'c Lmdb,
    data: &'c Path,
    report: &'c mut Report,
    damaged: Damaged,
    reader: Reader<Blocking>,
    told: Told<'c>,
    done: u64,
    total: u64,
}

/// Checks them all; the mails that cannot be read.
pub(super) fn check(
    store: &Lmdb,
    depth: Depth,
    told: Told<'_>,
    report: &mut Report,
) -> Result<Damaged, Error> {
    let data = store.data();
    let files = tidy::files(data).map_err(|error| Error::Io(error.to_string()))?;
    let mut check = Check {
        store,
        data,
        report,
        damaged: Damaged::default(),
        reader: Reader::new(Blocking, data),
        told,
        done: 0,
        total: 0,
    };
    check.replayed();
    let living = check.census()?;
    check.fits(&files, &living)?;
    check.report.segments = files.len() as u64;
    if depth == Depth::Full {
        check.total = files
            .iter()
            .map(|(&place, &holds)| tidy::allocated(data, place, holds))
            .sum();
        for (&place, _) in files.iter().filter(|(_, holds)| **holds == Holds::Records) {
            check.segment(place, living.get(&place))?;
            check.done += tidy::allocated(data, place, Holds::Records);
        }
        check.large_mails()?;
    }
    Ok(check.damaged)
}

impl Check<'_> {
    /// What the start of the store came upon.
    fn replayed(&mut self) {
        for (log, damage) in &self.store.replay().damages {
            self.report.tell(Finding {
                what: format!("{} octets were damaged at the last start", damage.octets),
                place: at((*log, damage.segment), damage.offset),
                remedy: REPLAYED.to_owned(),
            });
        }
    }

    /// What lives where; rows that lead to a file that is not there, or behind its end.
    fn census(&mut self) -> Result<BTreeMap<Place, Living>, Error> {
        let mut lengths: BTreeMap<Place, Option<u64>> = BTreeMap::new();
        let mut living: BTreeMap<Place, Living> = BTreeMap::new();
        let mut lost: BTreeMap<Place, u64> = BTreeMap::new();
        let (data, damaged) = (self.data, &mut self.damaged);
        tidy::blobs(self.store, BlobId(0), |blob, row| {
            // One that cannot be read was told of with the index.
            let Ok(row) = row else {
                return ControlFlow::Continue(());
            };
            let is_own = row.segment != row.record.segment;
            let record = (
                (row.log, row.record.segment),
                row.record.offset,
                row.record.octets,
                false,
            );
            let own = ((row.log, row.segment), row.offset, row.stored, true);
            let parts = [Some(record), is_own.then_some(own)];
            for (place, offset, octets, is_own) in parts.into_iter().flatten() {
                let lives = living.entry(place).or_default();
                lives.mails += 1;
                lives.octets += octets;
                let end = offset.saturating_add(octets);
                let length = lengths
                    .entry(place)
                    .or_insert_with(|| length(data, place, is_own));
                if length.is_some_and(|length| length < end) {
                    // It may have grown since.
                    *length = self::length(data, place, is_own);
                }
                match *length {
                    None => {
                        *lost.entry(place).or_default() += 1;
                        damaged.leave_out(blob);
                    }
                    Some(length) if length < end => {
                        let what = format!("{}, is behind its end", at(place, offset));
                        damaged.add(blob, what);
                    }
                    Some(_) => {}
                }
            }
            ControlFlow::Continue(())
        })?;
        for (place, mails) in lost {
            self.report.tell(Finding {
                what: format!("the file is not there, and {mails} mails are in it"),
                place: named(place),
                remedy: GONE.to_owned(),
            });
        }
        Ok(living)
    }

    /// What lives and what is dead fits into each segment, and what is applied is there.
    fn fits(
        &mut self,
        files: &BTreeMap<Place, Holds>,
        living: &BTreeMap<Place, Living>,
    ) -> Result<(), Error> {
        let snapshot = self.store.snapshot()?;
        for &log in &files.keys().map(|&(log, _)| log).collect::<BTreeSet<u16>>() {
            let position = match read::applied(&*snapshot, log) {
                // Told of with the index.
                Err(Error::Damaged(_)) => continue,
                position => position?,
            };
            let place = (log, position.segment);
            let length = length(self.data, place, false);
            if let Some(length) = length.filter(|&length| length < position.offset) {
                let applied = position.offset;
                self.report.tell(Finding {
                    what: format!("it has {length} octets, and {applied} of it are in the index"),
                    place: named(place),
                    remedy: SHORT.to_owned(),
                });
            }
        }
        for (&place, _) in files.iter().filter(|(_, holds)| **holds == Holds::Records) {
            let dead = match read::segment(&*snapshot, place.0, place.1) {
                Err(Error::Damaged(_)) => continue,
                row => row?.dead_octets,
            };
            let lives = living.get(&place).map_or(0, |living| living.octets);
            let Some(length) = length(self.data, place, false) else {
                continue;
            };
            let room = length.saturating_sub(HEAD_OCTETS);
            // Not their sum: a mail may have died between the two counts.
            if dead > room || lives > room {
                self.report.tell(Finding {
                    what: format!(
                        "it has room for {room} octets; {lives} live in it and {dead} are told to be dead"
                    ),
                    place: named(place),
                    remedy: COUNTED.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Reads a segment from begin to end.
    fn segment(&mut self, place: Place, living: Option<&Living>) -> Result<(), Error> {
        let applied = {
            let snapshot = self.store.snapshot()?;
            read::applied(&*snapshot, place.0)?
        };
        let (mut sound, mut holes) = (0, Vec::new());
        let mut records = Records::open(self.data, place);
        while let Some(found) = records.step()? {
            let end = match &found {
                Found::Record(entry) => {
                    let record = entry.place().record;
                    record.offset + record.octets
                }
                Found::Damage(damage) => damage.offset + damage.octets,
            };
            // What is behind the applied position is on its way.
            if (place.1, end) > (applied.segment, applied.offset) {
                break;
            }
            match found {
                Found::Record(entry) => {
                    self.report.octets += entry.place().record.octets;
                    sound += u64::from(self.record(place, &entry)?);
                }
                Found::Damage(damage) => holes.push(damage),
            }
            self.beat(end)?;
        }
        if living.is_some_and(|living| living.mails > sound) {
            self.missing(place)?;
        }
        holes
            .into_iter()
            .try_for_each(|hole| self.hole(place, hole))
    }

    /// A sound record: whether a row says that its mail lives here.
    fn record(&mut self, place: Place, entry: &Entry) -> Result<bool, Error> {
        let (blob, is) = (entry.blob(), entry.place());
        let snapshot = self.store.snapshot()?;
        let row = match read::blob(&*snapshot, blob) {
            // Told of with the index; nobody knows where it points.
            Err(Error::Damaged(_)) => return Ok(true),
            row => row?,
        };
        let Some(row) = row.filter(|row| lives_at(row, &is)) else {
            let record = is.record;
            if !tidy::is_free(self.data, &*snapshot, place, record.offset, record.octets)? {
                self.report.tell(Finding {
                    what: format!(
                        "a sound mail of {} octets that is not in the index",
                        is.octets
                    ),
                    place: at(place, record.offset),
                    remedy: NOBODYS.to_owned(),
                });
            }
            return Ok(false);
        };
        let digest = match entry {
            Entry::Deliver(deliver) => &deliver.digest,
            Entry::Relocate(moved) => &moved.digest,
        };
        let digest_differs = read::digest(&*snapshot, blob)?.is_some_and(|found| found != digest);
        drop(snapshot);
        if (row.octets, row.checksum, row.stored) != (is.octets, is.checksum, is.stored) {
            let what = "its row tells other octets than its record";
            self.damaged.add(blob, what.into());
        } else if digest_differs {
            let what = "its digest is not the one that its record has";
            self.damaged.add(blob, what.into());
        } else if row.encoding != Encoding::Raw && row.segment == row.record.segment {
            // The stored octets are sound; whether they unpack to the mail is another question.
            self.mail(blob, &row)?;
        }
        Ok(true)
    }

    /// Rows that say their mail lives in a segment, where no sound record is.
    fn missing(&mut self, place: Place) -> Result<(), Error> {
        let mut sound = BTreeSet::new();
        let mut records = Records::open(self.data, place);
        while let Some(found) = records.step()? {
            if let Found::Record(entry) = found {
                let place = entry.place();
                sound.extend([place.record.offset, place.offset]);
            }
        }
        let damaged = &mut self.damaged;
        tidy::blobs(self.store, BlobId(0), |blob, row| {
            if let Ok(row) = row
                && (row.log, row.record.segment) == place
                && !sound.contains(&row.record.offset)
            {
                let what = format!("its record, {}, is damaged", at(place, row.record.offset));
                damaged.add(blob, what);
            }
            ControlFlow::Continue(())
        })
    }

    /// Octets that are no record: told only where they are neither free nor of a mail that was told of.
    fn hole(&mut self, place: Place, hole: Damage) -> Result<(), Error> {
        let Damage { offset, octets, .. } = hole;
        let snapshot = self.store.snapshot()?;
        for blob in self.damaged.names() {
            let row = read::blob(&*snapshot, blob).ok().flatten();
            if row.is_some_and(|row| {
                (row.log, row.record.segment) == place
                    && row.record.offset < offset + octets
                    && offset < row.record.offset + row.record.octets
            }) {
                return Ok(());
            }
        }
        if !tidy::is_free(self.data, &*snapshot, place, offset, octets)? {
            self.report.tell(Finding {
                what: format!("{octets} octets are no record"),
                place: at(place, offset),
                remedy: HARMLESS.to_owned(),
            });
        }
        Ok(())
    }

    /// Mails that have a segment of their own.
    fn large_mails(&mut self) -> Result<(), Error> {
        let mut from = Some(BlobId(0));
        while let Some(first) = from.take() {
            let mut large = Vec::new();
            tidy::blobs(self.store, first, |blob, row| {
                if let Ok(row) = row
                    && row.segment != row.record.segment
                {
                    large.push((blob, row));
                }
                match large.len() < LARGE_MAX {
                    true => ControlFlow::Continue(()),
                    false => {
                        from = blob.0.checked_add(1).map(BlobId);
                        ControlFlow::Break(())
                    }
                }
            })?;
            for (blob, row) in large {
                // One whose file is not there was told of with its segment.
                if length(self.data, (row.log, row.segment), true).is_some() {
                    self.mail(blob, &row)?;
                    self.report.octets += row.stored;
                    self.done += row.stored;
                    self.beat(0)?;
                }
            }
        }
        Ok(())
    }

    /// Reads a mail's octets the way every reader does.
    fn mail(&mut self, blob: BlobId, row: &BlobRow) -> Result<(), Error> {
        let (mut at, mut hash, mut piece) = (0, Xxh3Default::new(), Vec::new());
        while at < row.octets {
            let read = now(self.reader.read(row, at..row.octets, piece));
            piece = match read {
                Ok(piece) if !piece.is_empty() => piece,
                failed => {
                    let error = failed.err().unwrap_or(LogError::Damaged);
                    self.damaged
                        .add(blob, format!("its octets cannot be read: {error}"));
                    return Ok(());
                }
            };
            hash.update(&piece);
            at += piece.len() as u64;
        }
        if hash.digest() != row.checksum {
            let what = "its octets are not those that came in";
            self.damaged.add(blob, what.into());
        }
        Ok(())
    }

    /// Tells how far it is: `more` octets into the file at hand.
    fn beat(&mut self, more: u64) -> Result<(), Error> {
        match (self.told)((self.done + more).min(self.total), self.total) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Closed),
        }
    }
}

/// Large mails that are looked up at once.
const LARGE_MAX: usize = 4_096;

/// Octets of a segment's file, or of a large mail's own; `None` where it is not there.
fn length(data: &Path, (log, number): Place, is_own: bool) -> Option<u64> {
    let names: &[Holds] = match is_own {
        true => &[Holds::Mail, Holds::Part],
        false => &[Holds::Records],
    };
    let mut found = names.iter();
    found.find_map(|&holds| {
        let path = segment::file(data, log, number, holds);
        path.metadata().ok().map(|found| found.len())
    })
}

fn named((log, segment): Place) -> String {
    format!("log {log}, segment {segment}")
}

fn at(place: Place, offset: u64) -> String {
    format!("octet {offset} of {}", named(place))
}
