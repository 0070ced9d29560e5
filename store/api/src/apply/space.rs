//! Space in the logs: what becomes free, what moves, what has been given back.
//!
//! In:  blob rows whose last reference went; mails at a new place; what the file system has taken back.
//! Out: rows in tables free and segment, in the same commit that let go of the mail.
//!
//! Invariant: a stretch is in table free from the commit that freed it until the commit after it was punched out: a crash
//! between leaves it there, and punching twice does no harm.

use super::draft::Draft;
use crate::edits::{Edits, Extent};
use crate::table::{BlobRow, SegmentRow, Stretch};
use crate::write::Relocate;
use crate::{Error, Outcome, Snapshot, Table, key, read};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::ControlFlow;

/// Segments in which this write frees something.
#[derive(Default)]
pub(super) struct Space(BTreeMap<(u16, u32), SegmentRow>);

impl Space {
    /// Nobody refers to the mail any more: its record, and its own segment if it has one, are free.
    pub fn free(
        &mut self,
        rows: &dyn Snapshot,
        edits: &mut Edits,
        blob: &BlobRow,
    ) -> Result<(), Error> {
        self.stretch(rows, edits, blob.log, blob.record)?;
        if blob.segment != blob.record.segment {
            let own = Stretch {
                segment: blob.segment,
                offset: blob.offset,
                octets: blob.stored,
            };
            self.stretch(rows, edits, blob.log, own)?;
        }
        Ok(())
    }

    fn stretch(
        &mut self,
        rows: &dyn Snapshot,
        edits: &mut Edits,
        log: u16,
        stretch: Stretch,
    ) -> Result<(), Error> {
        let Stretch {
            segment,
            offset,
            octets,
        } = stretch;
        if octets == 0 {
            return Ok(());
        }
        let row = match self.0.entry((log, segment)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(read::segment(rows, log, segment)?),
        };
        row.dead_octets = row.dead_octets.saturating_add(octets);
        row.dead_records = row.dead_records.saturating_add(1);
        let key = key::free(log, segment, offset);
        edits.put(Table::Free, &key, &octets.to_le_bytes());
        edits.freed.push(Extent {
            log,
            segment,
            offset,
            octets,
        });
        Ok(())
    }

    /// Turns what was counted into edits.
    pub fn finish(self, edits: &mut Edits) {
        for ((log, segment), row) in self.0 {
            edits.put(Table::Segment, &key::segment(log, segment), &row.encode());
        }
    }
}

/// The mail of a blob row stands at a new place, durably. A blob that is gone by now: the new place is free.
pub(super) fn relocate(
    rows: &dyn Snapshot,
    relocate: &Relocate,
    edits: &mut Edits,
) -> Result<Outcome, Error> {
    if relocate.next.sequence <= read::applied(rows, relocate.log)?.sequence {
        return Ok(Outcome::Done);
    }
    let new = |references, octets| BlobRow {
        log: relocate.log,
        segment: relocate.segment,
        offset: relocate.offset,
        octets,
        stored: relocate.stored,
        encoding: relocate.encoding,
        checksum: relocate.checksum,
        record: relocate.record,
        references,
    };
    let mut space = Space::default();
    match read::blob(rows, relocate.blob)? {
        Some(old) if old.checksum == relocate.checksum => {
            let row = new(old.references, old.octets);
            edits.put(Table::Blob, &key::blob(relocate.blob), &row.encode());
            space.free(rows, edits, &old)?;
        }
        _ => space.free(rows, edits, &new(0, 0))?,
    }
    space.finish(edits);
    let key = key::log(relocate.log);
    edits.put(Table::Applied, &key, &relocate.next.encode());
    Ok(Outcome::Done)
}

/// The stretches are holes now and the segments are gone.
pub(super) fn tidied(
    draft: &mut Draft<'_>,
    holes: &[(u16, Stretch)],
    segments: &[(u16, u32)],
) -> Result<Outcome, Error> {
    for &(log, hole) in holes {
        let key = key::free(log, hole.segment, hole.offset);
        draft.edits.delete(Table::Free, &key);
    }
    for &(log, segment) in segments {
        let within = key::segment(log, segment);
        let Draft { rows, edits, .. } = draft;
        rows.scan(Table::Free, &within, &[], &mut |key, _| {
            edits.delete(Table::Free, key);
            ControlFlow::Continue(())
        })?;
        edits.delete(Table::Segment, &within);
    }
    Ok(Outcome::Done)
}
