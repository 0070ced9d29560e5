//! The records of one segment, and whether any of them is still wanted.
//!
//! In:  a segment of a log that may be at work. Out: its sound records and damaged stretches, in order; nothing is changed.

use super::census::Place;
use super::holes::row as free_row;
use super::rewrite::failed;
use ringpost_api::table::{BlobRow, Stretch};
use ringpost_api::write::Position;
use ringpost_api::{Error, Snapshot, Store, Table, key, read};
use ringpost_log::recover::{Damage, Found, RecoverError, Recovery};
use ringpost_log::{first, segment};
use std::collections::BTreeSet;
use std::fs::File;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The records of one segment, in order.
pub(crate) struct Records(Recovery);

impl Records {
    /// Begins with the first one. Nothing is changed on disk.
    pub fn open(data: &Path, (log, segment): Place) -> Self {
        Records(Recovery::of_segment(data, log, segment))
    }

    /// The next sound record or damaged stretch; holes are passed over with the damage around them.
    pub fn step(&mut self) -> Result<Option<Found>, Error> {
        self.0.step().map_err(unread)
    }
}

/// Whether all that is left in a segment was let go of: every sound record is of a mail that is elsewhere or free, and
/// every other octet that is not zero is free.
pub(super) fn holds_nothing(
    data: &Path,
    snapshot: &dyn Snapshot,
    place: Place,
) -> Result<bool, Error> {
    let mut records = Records::open(data, place);
    while let Some(found) = records.step()? {
        let (offset, octets) = match found {
            Found::Record(entry) => {
                let is = entry.place();
                let record = is.record;
                match read::blob(snapshot, entry.blob())? {
                    // It lives here after all.
                    Some(row) if lives_at(&row, &is) => return Ok(false),
                    Some(_) => continue,
                    None => (record.offset, record.octets),
                }
            }
            Found::Damage(Damage { offset, octets, .. }) => (offset, octets),
        };
        if !is_free(data, snapshot, place, offset, octets)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Takes those out of `strays`, numbers of large mails of a log that no row of the index names, that are meant all the same:
/// by a record whose mail was never put into the index and is kept for whoever repairs that, or, who knows, by one that
/// is damaged. `applied` is how far the index had the log when they were found.
pub(super) fn leave_meant(
    data: &Path,
    store: &dyn Store,
    log: u16,
    applied: &Position,
    strays: &mut BTreeSet<u32>,
) -> Result<(), Error> {
    let Some(&first) = strays.first() else {
        return Ok(());
    };
    let segments = segment::segments(data, log).map_err(|error| failed(error.into()))?;
    // All files take their numbers from one row: the record is in the segment that was written to when the mail began, in
    // the one that was prepared then, or in a later one.
    let below = segments.partition_point(|&number| number < first);
    for &number in &segments[below.saturating_sub(2)..] {
        let mut records = Records::open(data, (log, number));
        while let Some(found) = records.step()? {
            let (own, offset, octets) = match &found {
                Found::Record(entry) => {
                    let place = entry.place();
                    if !strays.contains(&place.segment) {
                        continue;
                    }
                    let moved = read::blob(&*store.snapshot()?, entry.blob())?.is_some();
                    if moved {
                        continue;
                    }
                    let record = place.record;
                    (Some(place.segment), record.offset, record.octets)
                }
                Found::Damage(damage) => (None, damage.offset, damage.octets),
            };
            if (number, offset) >= (applied.segment, applied.offset) {
                return Ok(());
            }
            if is_free(data, &*store.snapshot()?, (log, number), offset, octets)? {
                continue;
            }
            match own {
                Some(own) => _ = strays.remove(&own),
                None => strays.clear(),
            }
            if strays.is_empty() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Whether all octets of a stretch are free, or zero. A record of version 1 is free when its mail is.
pub(crate) fn is_free(
    data: &Path,
    snapshot: &dyn Snapshot,
    place: Place,
    offset: u64,
    octets: u64,
) -> Result<bool, Error> {
    let (log, segment) = place;
    let stretch = Stretch {
        segment,
        offset,
        octets,
    };
    if is_given_back(data, snapshot, log, stretch)? {
        return Ok(true);
    }
    let mails = first::mails(data, log, stretch).map_err(|error| failed(error.into()))?;
    let Some(mails) = mails else {
        return Ok(false);
    };
    for mail in mails {
        if !is_given_back(data, snapshot, log, mail)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a row says that a mail lives where a record stands. Of records of version 1 rows know the mail alone.
pub(crate) fn lives_at(row: &BlobRow, is: &BlobRow) -> bool {
    (row.log, row.record.segment) == (is.log, is.record.segment)
        && [is.record.offset, is.offset].contains(&row.record.offset)
}

/// Whether every octet is free, or zero.
fn is_given_back(
    data: &Path,
    snapshot: &dyn Snapshot,
    log: u16,
    stretch: Stretch,
) -> Result<bool, Error> {
    let Stretch {
        segment,
        offset,
        octets,
    } = stretch;
    let (mut at, end) = (offset, offset + octets);
    let mut gaps = Vec::new();
    let within = key::segment(log, segment);
    let from = key::free(log, segment, offset);
    snapshot.scan(
        Table::Free,
        &within,
        &from,
        &mut |key, value| match free_row(key, value) {
            Some((_, stretch)) if stretch.offset < end => {
                if stretch.offset > at {
                    gaps.push((at, stretch.offset));
                }
                at = at.max(stretch.offset + stretch.octets);
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Break(()),
        },
    )?;
    if at < end {
        gaps.push((at, end));
    }
    let file = File::open(segment::path(data, log, segment));
    let file = file.map_err(|error| failed(error.into()))?;
    for (from, to) in gaps {
        if !is_zero(&file, from, to).map_err(|error| failed(error.into()))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether all octets between two places are zero; behind the end of the file they are.
pub(crate) fn is_zero(file: &File, mut from: u64, to: u64) -> std::io::Result<bool> {
    let mut octets = [0; 4_096];
    while from < to {
        let most = (to - from).min(octets.len() as u64) as usize;
        match file.read_at(&mut octets[..most], from) {
            Ok(0) => return Ok(true),
            Ok(count) if octets[..count].iter().all(|&octet| octet == 0) => from += count as u64,
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn unread(error: RecoverError) -> Error {
    match error {
        RecoverError::Newer(path) => Error::Io(format!(
            "{}: written by a later version of ringpost",
            path.display()
        )),
        RecoverError::Io(path, error) => Error::Io(format!("{}: {error}", path.display())),
    }
}
