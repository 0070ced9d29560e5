//! What there is: files of the logs, how far each log was applied, what is dead in which segment.
//!
//! In:  the data directory, a snapshot. Out: maps by log and segment: some octets for each segment, however much mail
//! is in it.

use super::census::Place;
use ringpost_api::table::SegmentRow;
use ringpost_api::write::Position;
use ringpost_api::{Error, Snapshot, Table};
use ringpost_log::segment::{self, Holds};
use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// All files of all logs.
pub(crate) fn files(data: &Path) -> io::Result<BTreeMap<Place, Holds>> {
    let mut all = BTreeMap::new();
    for log in segment::logs(data)? {
        for (number, holds) in segment::files(data, log)? {
            if holds != Holds::Gone {
                all.insert((log, number), holds);
            }
        }
    }
    Ok(all)
}

/// How far each log was applied.
pub(super) fn applied(snapshot: &dyn Snapshot) -> Result<BTreeMap<u16, Position>, Error> {
    let mut applied = BTreeMap::new();
    let mut failed = None;
    snapshot.scan(Table::Applied, &[], &[], &mut |key, value| {
        match (<[u8; 2]>::try_from(key), Position::read(value)) {
            (Ok(log), Ok(position)) => _ = applied.insert(u16::from_be_bytes(log), position),
            (_, Err(error)) => failed = Some(error),
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    failed.map_or(Ok(applied), Err)
}

/// Octets that are dead, by segment.
pub(super) fn segment_rows(snapshot: &dyn Snapshot) -> Result<BTreeMap<Place, u64>, Error> {
    let mut rows = BTreeMap::new();
    let mut failed = None;
    snapshot.scan(Table::Segment, &[], &[], &mut |key, value| {
        let place = key.split_first_chunk::<2>().and_then(|(log, number)| {
            let number = u32::from_be_bytes(number.try_into().ok()?);
            Some((u16::from_be_bytes(*log), number))
        });
        match (place, SegmentRow::read(value)) {
            (Some(place), Ok(row)) => _ = rows.insert(place, row.dead_octets),
            (_, Err(error)) => failed = Some(error),
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    failed.map_or(Ok(rows), Err)
}

/// Octets that a segment's file takes on disk.
pub(crate) fn allocated(data: &Path, (log, number): Place, holds: Holds) -> u64 {
    let found = segment::file(data, log, number, holds).metadata();
    found.map_or(0, |found| found.blocks() * 512)
}
