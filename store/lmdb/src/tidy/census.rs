//! What is alive in some segments, counted from the blob rows that point into them.
//!
//! In:  the segments that are asked about, closed ones: nothing new comes to live in them while it is counted.
//! Out: for each of them how many records and octets are alive, and which mails; never too few.
//!
//! Every blob row is looked at, some thousands for each snapshot: a million of them are a fraction of a second, and
//! nothing need be believed that a segment says of itself.

use super::pace::Stop;
use ringpost_api::table::BlobRow;
use ringpost_api::{Error, Store, Table, key};
use ringpost_types::BlobId;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// Rows that one snapshot is looked at for: some milliseconds.
const PAGE_ROWS: usize = 8_192;

/// A segment: its log and its number.
pub(crate) type Place = (u16, u32);

/// What is alive in one segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Living {
    /// Octets of records.
    pub octets: u64,
    /// Mails, by where their records begin.
    pub mails: Vec<(u64, BlobId)>,
}

/// Shows every blob row from `from` on, some thousands for each snapshot, until `visit` breaks.
pub(crate) fn blobs(
    store: &dyn Store,
    from: BlobId,
    mut visit: impl FnMut(BlobId, Result<BlobRow, Error>) -> ControlFlow<()>,
) -> Result<(), Error> {
    let mut from = Some(from);
    while let Some(first) = from {
        let mut seen = 0;
        from = None;
        let snapshot = store.snapshot()?;
        snapshot.scan(Table::Blob, &[], &key::blob(first), &mut |key, value| {
            let Ok(key) = <[u8; 8]>::try_from(key) else {
                return ControlFlow::Continue(());
            };
            let blob = BlobId(u64::from_be_bytes(key));
            if seen == PAGE_ROWS {
                from = Some(blob);
                return ControlFlow::Break(());
            }
            seen += 1;
            visit(blob, BlobRow::read(value))
        })?;
    }
    Ok(())
}

/// Counts in the segments of `wanted`. A row that cannot be read ends it: nobody knows what it keeps alive.
pub(crate) fn count(
    store: &dyn Store,
    wanted: &BTreeSet<Place>,
    stop: &Stop,
) -> Result<BTreeMap<Place, Living>, Error> {
    let mut counted: BTreeMap<Place, Living> = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(counted);
    }
    let mut damaged = None;
    blobs(store, BlobId(0), |blob, row| {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                damaged = Some(error);
                return ControlFlow::Break(());
            }
        };
        let place = (row.log, row.record.segment);
        if wanted.contains(&place) {
            let living = counted.entry(place).or_default();
            living.octets += row.record.octets;
            living.mails.push((row.record.offset, blob));
        }
        match stop.is_set() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    match damaged {
        Some(error) => Err(error),
        None if stop.is_set() => Err(Error::Closed),
        None => Ok(counted),
    }
}
