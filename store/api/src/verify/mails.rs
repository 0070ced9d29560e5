//! Mails and the octets of logs: references, digests, texts; stretches that are free, and segments that count them.
//!
//! Blobs are looked at a window at a time, and for each window all messages and items that point into it are counted: memory is
//! bounded by the window, time by the messages times the windows.

use super::{Check, Subject, Wrong};
use crate::item::ItemRow;
use crate::table::{BlobRow, MessageRow, Stretch};
use crate::{Error, Table, key, read};
use ringpost_types::{AccountId, BlobId, ItemId, MailboxId, Uid};
use std::collections::BTreeMap;
use std::ops::ControlFlow::{self, Continue};

/// Blobs whose references are counted in one pass over the messages.
const WINDOW: usize = 1 << 20;

/// A blob, and what counting gave.
struct Counted {
    blob: BlobId,
    octets: u32,
    says: u32,
    is: u32,
}

impl Check<'_> {
    pub(super) fn blobs(&mut self) -> Result<(), Error> {
        let mut from = Some(0);
        while let Some(first) = from {
            let (window, last) = self.window(BlobId(first))?;
            self.references(BlobId(first), last, window)?;
            from = last.0.checked_add(1);
        }
        for table in [Table::Digest, Table::Text] {
            let mut known = None;
            self.each(table, &[], |check, key, _| {
                let blob = key.get(..8).unwrap_or(key);
                if known.as_deref() != Some(blob) {
                    if check.rows.get(Table::Blob, blob)?.is_none() {
                        check.tell(Subject::Row(table, key.to_vec()), Wrong::Stray);
                    }
                    known = Some(blob.to_vec());
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Looks at blob rows from `first` on, [`WINDOW`] of them at most; up to which id there is no other.
    fn window(&mut self, first: BlobId) -> Result<(Vec<Counted>, BlobId), Error> {
        let mut window: Vec<Counted> = Vec::new();
        let mut last = BlobId(u64::MAX);
        let mut applied = BTreeMap::new();
        let rows = self.rows;
        read::scan(rows, Table::Blob, &[], &key::blob(first), |key, value| {
            let blob = BlobId(key::u64_at(Table::Blob, key, 0)?);
            self.told.blobs += 1;
            if let Some(row) = self.sound(BlobRow::read(value), Subject::Blob(blob))? {
                self.blob(blob, &row, &mut applied)?;
                window.push(Counted {
                    blob,
                    octets: u32::try_from(row.octets).unwrap_or(u32::MAX),
                    says: row.references,
                    is: 0,
                });
            }
            Ok(match window.len() < WINDOW {
                true => Continue(()),
                false => {
                    last = blob;
                    ControlFlow::Break(())
                }
            })
        })?;
        Ok((window, last))
    }

    /// What one blob row says of itself and of its neighbours.
    fn blob(
        &mut self,
        blob: BlobId,
        row: &BlobRow,
        applied: &mut BTreeMap<u16, u64>,
    ) -> Result<(), Error> {
        let own = Subject::Blob(blob);
        self.told.octets += row.octets;
        if self.rows.get(Table::Digest, &key::blob(blob))?.is_none() {
            self.tell(own.clone(), Wrong::Missing("its digest"));
        }
        let sequence = match applied.get(&blob.log()) {
            Some(&known) => known,
            None => {
                let position = read::applied(self.rows, blob.log());
                let position = self.sound(position, own.clone())?.unwrap_or_default();
                applied.insert(blob.log(), position.sequence);
                position.sequence
            }
        };
        if sequence <= blob.sequence() {
            let wrong = "its log is not applied so far";
            self.tell(own.clone(), Wrong::Contradicts(wrong));
        }
        let mail = Stretch {
            segment: row.segment,
            offset: row.offset,
            octets: row.stored,
        };
        for Stretch {
            segment,
            offset,
            octets,
        } in [row.record, mail]
        {
            let end = offset.saturating_add(octets);
            let (within, from) = (
                key::segment(row.log, segment),
                key::free(row.log, segment, offset),
            );
            let mut free = false;
            read::scan(self.rows, Table::Free, &within, &from, |key, _| {
                free = key::u64_at(Table::Free, key, 6)? < end;
                Ok(ControlFlow::Break(()))
            })?;
            if free {
                self.tell(own, Wrong::Contradicts("octets of it are told to be free"));
                break;
            }
        }
        Ok(())
    }

    /// Counts the messages and items that point at a blob of `window`, which has all from `first` to `last`.
    fn references(
        &mut self,
        first: BlobId,
        last: BlobId,
        mut window: Vec<Counted>,
    ) -> Result<(), Error> {
        self.each(Table::Message, &[], |check, key, value| {
            // Damaged rows and keys were told of with their mailbox.
            let Ok(message) = MessageRow::read(value) else {
                return Ok(());
            };
            if message.blob < first || last < message.blob {
                return Ok(());
            }
            let account = AccountId(key::u32_at(Table::Message, key, 0)?);
            let mailbox = MailboxId(key::u32_at(Table::Message, key, 4)?);
            let own = Subject::Message(account, mailbox, Uid(key::u32_at(Table::Message, key, 8)?));
            match window.binary_search_by_key(&message.blob, |counted| counted.blob) {
                Ok(at) => {
                    window[at].is = window[at].is.saturating_add(1);
                    let is = window[at]
                        .octets
                        .saturating_add(message.prefix_octets.into());
                    check.expect(own, "octets", message.octets.into(), is.into());
                }
                Err(_) => check.tell(own, Wrong::Missing("its mail")),
            }
            Ok(())
        })?;
        self.each(Table::Queue, &[], |check, key, value| {
            // Damaged rows were told of with the queue.
            let Ok(item) = ItemRow::read(value) else {
                return Ok(());
            };
            let blob = item.head.blob;
            if blob < first || last < blob {
                return Ok(());
            }
            match window.binary_search_by_key(&blob, |counted| counted.blob) {
                Ok(at) => window[at].is = window[at].is.saturating_add(1),
                Err(_) => {
                    let id = ItemId(key::u64_at(Table::Queue, key, 0)?);
                    check.tell(Subject::Item(id), Wrong::Missing("its mail"));
                }
            }
            Ok(())
        })?;
        for counted in window {
            let (says, is) = (counted.says.into(), counted.is.into());
            self.expect(Subject::Blob(counted.blob), "references", says, is);
        }
        Ok(())
    }

    /// A free stretch lies alone, and its segment counts it.
    pub(super) fn space(&mut self) -> Result<(), Error> {
        let mut sums: Option<(u16, u32, u64, u64, u64)> = None;
        self.each(Table::Free, &[], |check, key, value| {
            let log = (key::u32_at(Table::Free, key, 0)? >> 16) as u16;
            let segment = key::u32_at(Table::Free, key, 2)?;
            let offset = key::u64_at(Table::Free, key, 6)?;
            let octets = read::octets(value)?;
            match &mut sums {
                Some((of, at, end, sum, count)) if (*of, *at) == (log, segment) => {
                    if offset < *end {
                        let wrong = Wrong::Contradicts("it overlaps the stretch before it");
                        check.tell(Subject::Row(Table::Free, key.to_vec()), wrong);
                    }
                    (*end, *sum, *count) =
                        (offset.saturating_add(octets), *sum + octets, *count + 1);
                }
                _ => {
                    check.segment(sums)?;
                    sums = Some((log, segment, offset.saturating_add(octets), octets, 1));
                }
            }
            Ok(())
        })?;
        self.segment(sums)
    }

    fn segment(&mut self, sums: Option<(u16, u32, u64, u64, u64)>) -> Result<(), Error> {
        let Some((log, segment, _, octets, count)) = sums else {
            return Ok(());
        };
        let own = Subject::Segment { log, segment };
        let row = read::segment(self.rows, log, segment);
        // Stretches that were given back are still dead.
        if let Some(row) = self.sound(row, own.clone())?
            && (row.dead_octets < octets || u64::from(row.dead_records) < count)
        {
            self.tell(own, Wrong::Contradicts("it counts less than is free in it"));
        }
        Ok(())
    }
}
