//! What is kept for a while and in a bounded number: transcripts, bans, reputations.
//!
//! In:  rows to keep.
//! Out: rows of their tables, and of table expire; how many there are, in table setting.
//!
//! | table | its time in table expire | goes | above its limit goes first |
//! |---|---|---|---|
//! | transcript | when the session ended | `transcript_days` later | the oldest |
//! | ban | when it ends | then | what ends first |
//! | reputation | the last hit, up to the next full hour | `reputation_days` later | what was hit longest ago |
//!
//! Invariants: every row has one row in table expire, at a time that the row alone tells, so a limit of days that changes
//! holds for what is there already; a number that was lowered is come down to by and by, with each new row.

use super::draft::Draft;
use crate::network::{self, BanRow, ReputationRow, Trap};
use crate::{Error, Outcome, Table, key, read, transcript};
use ringpost_types::limit::Limits;
use ringpost_types::{Cidr, TraceId};
use std::ops::ControlFlow;

/// Rows that one [`expire`] drops.
const ROWS: usize = 1_000;
/// Rows above the limit that one new row drops.
const SURPLUS: u32 = 2;
/// Most hits on a trap leave table expire as it is.
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;
/// Octets of a ban's reason that are kept.
const REASON_OCTETS_MAX: usize = 1_000;

/// Tables whose rows age. The number is their kind in table expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Aging {
    Transcript = 1,
    Ban = 2,
    Reputation = 3,
}

impl Aging {
    pub const ALL: [Aging; 3] = [Aging::Transcript, Aging::Ban, Aging::Reputation];

    pub fn table(self) -> Table {
        match self {
            Aging::Transcript => Table::Transcript,
            Aging::Ban => Table::Ban,
            Aging::Reputation => Table::Reputation,
        }
    }

    /// The setting that counts its rows.
    pub fn counter(self) -> &'static str {
        match self {
            Aging::Transcript => "transcripts",
            Aging::Ban => "bans",
            Aging::Reputation => "reputations",
        }
    }

    /// The time of a row in table expire.
    pub fn time(self, row: &[u8]) -> Result<u64, Error> {
        Ok(match self {
            Aging::Transcript => transcript::unix(row)?,
            Aging::Ban => BanRow::read(row)?.until,
            Aging::Reputation => {
                let last = ReputationRow::read(row)?.last;
                last.checked_next_multiple_of(HOUR).unwrap_or(u64::MAX)
            }
        })
    }

    /// Whether key and value are a row of this table.
    pub fn check(self, own: &[u8], row: &[u8]) -> Result<(), Error> {
        let key = match self {
            Aging::Transcript => {
                transcript::read(row)?;
                own.len() == 8
            }
            Aging::Ban => {
                BanRow::read(row)?;
                network::read(own).is_some()
            }
            Aging::Reputation => {
                ReputationRow::read(row)?;
                Trap::read(own).is_some()
            }
        };
        match key {
            true => Ok(()),
            false => Err(key::short(self.table(), own)),
        }
    }

    /// Of the time by which a row is gone at `now`.
    fn gone_by(self, now: u64, limits: &Limits) -> u64 {
        let days = match self {
            Aging::Transcript => limits.transcript_days,
            Aging::Ban => 0,
            Aging::Reputation => limits.reputation_days,
        };
        now.saturating_sub(days.saturating_mul(DAY))
    }

    fn most(self, limits: &Limits) -> u64 {
        match self {
            Aging::Transcript => limits.transcripts_max,
            Aging::Ban => limits.bans_max,
            Aging::Reputation => limits.reputations_max,
        }
    }
}

/// How many rows of a table there are, and what of them this write drops.
struct Rows {
    aging: Aging,
    had: u32,
    has: u32,
}

impl Rows {
    fn of(draft: &Draft<'_>, aging: Aging) -> Result<Self, Error> {
        let had = read::number(draft.rows, aging.counter())?;
        Ok(Rows {
            aging,
            had,
            has: had,
        })
    }

    /// Puts a row in place of one of the same key.
    fn put(&mut self, draft: &mut Draft<'_>, own: &[u8], value: &[u8]) -> Result<(), Error> {
        let (aging, table) = (self.aging, self.aging.table());
        let time = aging.time(value)?;
        match draft.rows.get(table, own)? {
            Some(old) => {
                let old = aging.time(old)?;
                if old != time {
                    let before = key::expire(aging as u8, old, own);
                    draft.edits.delete(Table::Expire, &before);
                }
            }
            None => {
                let most = u32::try_from(aging.most(draft.terms.limits)).unwrap_or(u32::MAX);
                if most == 0 {
                    return Ok(());
                }
                self.has = self.has.saturating_add(1);
                let surplus = self.has.saturating_sub(most).min(SURPLUS);
                self.drop_first(draft, u64::MAX, surplus as usize)?;
            }
        }
        draft.edits.put(table, own, value);
        let key = key::expire(aging as u8, time, own);
        draft.edits.put(Table::Expire, &key, &[]);
        Ok(())
    }

    /// Drops the first rows up to a time, `most` of them; how many.
    fn drop_first(
        &mut self,
        draft: &mut Draft<'_>,
        upto: u64,
        most: usize,
    ) -> Result<usize, Error> {
        let mut gone = Vec::new();
        if most > 0 {
            let within = [self.aging as u8];
            read::scan(draft.rows, Table::Expire, &within, &[], |key, _| {
                if gone.len() == most || key::u64_at(Table::Expire, key, 1)? > upto {
                    return Ok(ControlFlow::Break(()));
                }
                gone.push(key.to_vec());
                Ok(ControlFlow::Continue(()))
            })?;
        }
        for key in &gone {
            draft.edits.delete(Table::Expire, key);
            draft
                .edits
                .delete(self.aging.table(), &key[key::EXPIRE_HEAD..]);
        }
        self.has = self.has.saturating_sub(gone.len() as u32);
        Ok(gone.len())
    }

    /// Removes a row; one that is not there is no error.
    fn remove(&mut self, draft: &mut Draft<'_>, own: &[u8]) -> Result<(), Error> {
        let table = self.aging.table();
        if let Some(row) = draft.rows.get(table, own)? {
            let key = key::expire(self.aging as u8, self.aging.time(row)?, own);
            draft.edits.delete(Table::Expire, &key);
            draft.edits.delete(table, own);
            self.has = self.has.saturating_sub(1);
        }
        Ok(())
    }

    fn finish(self, draft: &mut Draft<'_>) {
        if self.has != self.had {
            let counter = self.aging.counter().as_bytes();
            draft
                .edits
                .put(Table::Setting, counter, &self.has.to_le_bytes());
        }
    }
}

/// Puts a row of another store of the same tables as it is, for one that is made anew. Its damage is told and it is left
/// out; a number that is above its limit is come down to later.
pub fn carry(
    rows: &mut dyn crate::edits::Rows,
    table: Table,
    own: &[u8],
    value: &[u8],
) -> Result<(), Error> {
    let aging = Aging::ALL.into_iter().find(|aging| aging.table() == table);
    let aging = aging.ok_or(Error::Cannot("rows of that table do not age"))?;
    aging.check(own, value)?;
    let expire = key::expire(aging as u8, aging.time(value)?, own);
    let count = read::number(&*rows, aging.counter())?.saturating_add(1);
    rows.put(table, own, value)?;
    rows.put(Table::Expire, &expire, &[])?;
    rows.put(
        Table::Setting,
        aging.counter().as_bytes(),
        &count.to_le_bytes(),
    )
}

/// Puts one row.
fn keep(draft: &mut Draft<'_>, aging: Aging, own: &[u8], value: &[u8]) -> Result<Outcome, Error> {
    let mut rows = Rows::of(draft, aging)?;
    rows.put(draft, own, value)?;
    rows.finish(draft);
    Ok(Outcome::Done)
}

pub(super) fn transcript(
    draft: &mut Draft<'_>,
    trace: TraceId,
    row: &[u8],
) -> Result<Outcome, Error> {
    // What nobody can read is not kept.
    transcript::read(row)?;
    keep(draft, Aging::Transcript, &key::trace(trace), row)
}

pub(super) fn ban(
    draft: &mut Draft<'_>,
    network: Cidr,
    until: u64,
    reason: &str,
) -> Result<Outcome, Error> {
    let now = draft.terms.now;
    if until <= now {
        return Err(Error::Cannot("that ban would have ended already"));
    }
    let before = read::ban(draft.rows, network, now)?;
    let (since, count) = before.map_or((now, 0), |ban| (ban.since, ban.count));
    let mut value = Vec::new();
    BanRow {
        until,
        since,
        count: count.saturating_add(1),
        reason: &reason[..reason.floor_char_boundary(REASON_OCTETS_MAX)],
    }
    .encode(&mut value);
    keep(draft, Aging::Ban, &network::key(network), &value)
}

pub(super) fn unban(draft: &mut Draft<'_>, network: Cidr) -> Result<Outcome, Error> {
    let mut rows = Rows::of(draft, Aging::Ban)?;
    rows.remove(draft, &network::key(network))?;
    rows.finish(draft);
    Ok(Outcome::Done)
}

pub(super) fn trap(draft: &mut Draft<'_>, kind: Trap, network: Cidr) -> Result<Outcome, Error> {
    let now = draft.terms.now;
    let before = read::reputation(draft.rows, kind, network)?;
    let (first, hits) = before.map_or((now, 0), |row| (row.first, row.hits));
    let mut value = Vec::new();
    ReputationRow {
        first,
        last: now,
        hits: hits.saturating_add(1),
    }
    .encode(&mut value);
    keep(draft, Aging::Reputation, &kind.key(network), &value)
}

/// [`crate::Write::Expire`].
pub(super) fn expire(draft: &mut Draft<'_>, now: u64) -> Result<Outcome, Error> {
    let mut left = ROWS;
    for aging in Aging::ALL {
        let upto = aging.gone_by(now, draft.terms.limits);
        let mut rows = Rows::of(draft, aging)?;
        left -= rows.drop_first(draft, upto, left)?;
        rows.finish(draft);
    }
    Ok(Outcome::Swept { more: left == 0 })
}
