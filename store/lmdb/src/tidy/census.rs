//! What is alive in some segments, counted from the blob rows that point into them.
//!
//! In:  the segments that are asked about, closed ones: nothing new comes to live in them while it is counted.
//! Out: for each of them how many records and octets are alive, and which mails; never too few.
//!
//! A log's own mails stand in the order of their names, so those of one segment are a short stretch of table blob, from
//! the segment's first sequence on. Moved mails keep the names that other logs gave them: a segment of the log of moved
//! mails is looked for in the whole table.

use super::pace::Stop;
use ringpost_api::table::BlobRow;
use ringpost_api::{Error, Store, Table, key};
use ringpost_log::REWRITE;
use ringpost_types::BlobId;
use std::collections::BTreeMap;
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

/// Shows every blob row from `from` on, some thousands for each snapshot, until `visit` breaks. A row that cannot be
/// read is passed over: its mail keeps nothing alive, and is verify's to tell.
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

/// Counts in the segments of `wanted`, each with the first sequence that may be in it. A damaged row keeps all of them
/// alive: nobody knows where it points.
pub(crate) fn count(
    store: &dyn Store,
    wanted: &BTreeMap<Place, u64>,
    stop: &Stop,
) -> Result<BTreeMap<Place, Living>, Error> {
    let mut counted: BTreeMap<Place, Living> = BTreeMap::new();
    let mut add = |blob: BlobId, row: &BlobRow| {
        let place = (row.log, row.record.segment);
        if wanted.contains_key(&place) {
            let living = counted.entry(place).or_default();
            living.octets += row.record.octets;
            living.mails.push((row.record.offset, blob));
        }
        if row.segment != row.record.segment && wanted.contains_key(&(row.log, row.segment)) {
            let living = counted.entry((row.log, row.segment)).or_default();
            living.octets += row.stored;
            living.mails.push((row.offset, blob));
        }
    };
    let mut damaged = None;
    let mut look = |blob: BlobId, row: Result<BlobRow, Error>| match row {
        Ok(row) => {
            add(blob, &row);
            Some(row)
        }
        Err(error) => {
            damaged.get_or_insert(error);
            None
        }
    };
    let flow = |go_on: bool| match go_on && !stop.is_set() {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    };
    if wanted.keys().any(|&(log, _)| log == REWRITE) {
        blobs(store, BlobId(0), |blob, row| {
            look(blob, row);
            flow(true)
        })?;
    } else {
        for (&(log, segment), &sequence) in wanted {
            // What stands in a later segment of the same log has a later name.
            blobs(store, BlobId::new(log, sequence), |blob, row| {
                let row = look(blob, row);
                let past = row.is_some_and(|row| row.log == log && row.record.segment > segment);
                flow(blob.log() == log && !past)
            })?;
        }
    }
    match damaged {
        Some(error) => Err(error),
        None if stop.is_set() => Err(Error::Closed),
        None => Ok(counted),
    }
}
