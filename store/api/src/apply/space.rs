//! Space in the logs: what becomes free, what moves, what has been given back.
//!
//! In:  blob rows whose last reference went; mails at a new place; what the file system has taken back.
//! Out: rows in tables free and segment, in the same commit that let go of the mail.
//!
//! Invariant: a stretch is in table free from the commit that freed it until the commit after it was punched out: a crash
//! between leaves it there, and punching twice does no harm.

use super::Terms;
use super::draft::Draft;
use crate::edits::{Edits, Extent};
use crate::table::{BlobRow, Stretch};
use crate::write::Relocate;
use crate::{Error, Outcome, Snapshot, Table, key, read};

/// Nobody refers to the mail any more: its record, and its own segment if it has one, are free.
pub(super) fn free(rows: &dyn Snapshot, edits: &mut Edits, blob: &BlobRow) -> Result<(), Error> {
    let own = Stretch {
        segment: blob.segment,
        offset: blob.offset,
        octets: blob.stored,
    };
    free_stretch(rows, edits, blob.log, blob.record)?;
    if own.segment != blob.record.segment {
        free_stretch(rows, edits, blob.log, own)?;
    }
    Ok(())
}

fn free_stretch(
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
    let before = edits.freed.iter();
    let before = before.filter(|freed| (freed.log, freed.segment) == (log, segment));
    let (count, sum) = before.fold((0, 0), |(count, sum), freed| {
        (count + 1, sum + freed.octets)
    });
    let mut row = read::segment(rows, log, segment)?;
    row.dead_octets = row.dead_octets.saturating_add(sum + octets);
    row.dead_records = row.dead_records.saturating_add(count + 1);
    edits.put(
        Table::Free,
        &key::free(log, segment, offset),
        &octets.to_le_bytes(),
    );
    edits.put(Table::Segment, &key::segment(log, segment), &row.encode());
    edits.freed.push(Extent {
        log,
        segment,
        offset,
        octets,
    });
    Ok(())
}

/// The mail of a blob row stands at a new place, durably. A blob that is gone by now: the new place is free.
pub(super) fn relocate(
    rows: &dyn Snapshot,
    relocate: &Relocate,
    _: Terms<'_>,
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
    match read::blob(rows, relocate.blob)? {
        Some(old) if old.checksum == relocate.checksum => {
            let row = new(old.references, old.octets);
            edits.put(Table::Blob, &key::blob(relocate.blob), &row.encode());
            free(rows, edits, &old)?;
        }
        _ => free(rows, edits, &new(0, 0))?,
    }
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
            std::ops::ControlFlow::Continue(())
        })?;
        edits.delete(Table::Segment, &within);
    }
    Ok(Outcome::Done)
}
