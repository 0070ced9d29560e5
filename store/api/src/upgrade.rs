//! From older versions of the schema to this one: one step for each version, in the transaction of the backend.
//!
//! In:  the rows of a store that some version wrote.
//! Out: the same store as [`crate::table`] draws it; or why not, and then the transaction is to be given up.
//!
//! Invariants: a step knows the layouts it begins and ends with from here alone, never from [`mod@crate::row`], which
//! moves on; it holds a page of rows in memory at most; a store of a later version is left alone.

use crate::edits::Rows;
use crate::table::VERSION;
use crate::{Error, Table, read};
use ringpost_types::address;
use std::ops::ControlFlow;

/// Rows in memory at once.
const PAGE: usize = 4_096;

/// What there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgraded {
    /// A store of this version.
    Nothing,
    /// Nothing at all: it is a store of this version now.
    New,
    /// A store of this older version.
    From(u32),
}

/// Why a store was not brought to this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is of this later version. Permanent: a later program is to be run.
    Newer(u32),
    /// Its rows could not be read or written.
    Store(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Store(error)
    }
}

/// One step: from version n to n + 1.
type Step = fn(&mut dyn Rows) -> Result<(), Error>;

/// The step from version n to n + 1 at place n - 1.
const STEPS: [Step; VERSION as usize - 1] = [to_2, to_3];

/// Brings a store to [`VERSION`]. To be called in one transaction, before anything else is done with the store.
pub fn upgrade(rows: &mut dyn Rows) -> Result<Upgraded, Refused> {
    let found = read::number(rows, "version")?;
    let upgraded = match found {
        0 => Upgraded::New,
        VERSION => return Ok(Upgraded::Nothing),
        older if older < VERSION => {
            for step in &STEPS[older as usize - 1..] {
                step(rows)?;
            }
            Upgraded::From(older)
        }
        newer => return Err(Refused::Newer(newer)),
    };
    rows.put(Table::Setting, b"version", &VERSION.to_le_bytes())?;
    Ok(upgraded)
}

/// 2 counts messages, quota and what vanished in an account, and knows of a mail its record and its stored form.
fn to_2(rows: &mut dyn Rows) -> Result<(), Error> {
    each(rows, Table::Account, |rows, account, old| {
        let (fixed, rest) = split::<32>(Table::Account, old)?;
        let (mut messages, mut vanished) = (0u32, 0u32);
        rows.scan(Table::Message, account, &[], &mut |_, _| {
            messages += 1;
            ControlFlow::Continue(())
        })?;
        rows.scan(Table::Change, account, &[], &mut |_, kind| {
            vanished += u32::from(matches!(kind, [3 | 4]));
            ControlFlow::Continue(())
        })?;
        let mut new = fixed[..28].to_vec();
        new.extend_from_slice(&messages.to_le_bytes());
        new.extend_from_slice(&[0; 12]);
        new.extend_from_slice(&vanished.to_le_bytes());
        new.extend_from_slice(&[0; 16]);
        new.extend_from_slice(rest);
        Ok(new)
    })?;
    each(rows, Table::Blob, |_, _, old| {
        let (fixed, _) = split::<40>(Table::Blob, old)?;
        let (offset, checksum, octets) = (&fixed[..8], &fixed[8..16], &fixed[16..24]);
        let (segment, references, log) = (&fixed[24..28], &fixed[28..32], &fixed[32..34]);
        // Where its record begins was not written down: the mail's own octets are what becomes free.
        let parts = [
            offset, checksum, octets, octets, offset, octets, segment, segment, references, log,
            &[0; 2],
        ];
        Ok(parts.concat())
    })
}

/// 3 has tables that 2 had not, and they begin empty. Its address keys have A-labels, local parts in NFC and one form
/// of each literal; what else a key says was the same. Of two that become one the targets stand together, so that an
/// account is found by its name.
fn to_3(rows: &mut dyn Rows) -> Result<(), Error> {
    let mut changed = Vec::new();
    let mut failed = None;
    rows.scan(Table::Address, &[], &[], &mut |old, _| {
        let Ok(text) = std::str::from_utf8(old) else {
            failed = Some(Error::Damaged("table address: key not UTF-8".to_owned()));
            return ControlFlow::Break(());
        };
        // The key of a quoted local part is no address; those are ASCII, or nobody could have made them.
        if let Ok(new) = address::key(text)
            && new != text
        {
            changed.push((old.to_vec(), new));
        }
        ControlFlow::Continue(())
    })?;
    failed.map_or(Ok(()), Err)?;
    for (old, new) in changed {
        let Some(row) = rows.get(Table::Address, &old)?.map(<[u8]>::to_vec) else {
            continue;
        };
        let there = rows.get(Table::Address, new.as_bytes())?;
        let row = match there.map(<[u8]>::to_vec) {
            Some(there) => together(&there, &row)?,
            None => row,
        };
        rows.delete(Table::Address, &old)?;
        rows.put(Table::Address, new.as_bytes(), &row)?;
    }
    Ok(())
}

/// The targets of two addresses as one row: count u16, then each.
fn together(one: &[u8], other: &[u8]) -> Result<Vec<u8>, Error> {
    let ([a, b], targets) = split::<2>(Table::Address, one)?;
    let ([c, d], others) = split::<2>(Table::Address, other)?;
    let count = u16::from_le_bytes([*a, *b]).saturating_add(u16::from_le_bytes([*c, *d]));
    Ok([&count.to_le_bytes()[..], targets, others].concat())
}

/// Replaces every value of a table by what `convert` makes of key and value.
fn each(
    rows: &mut dyn Rows,
    table: Table,
    convert: impl Fn(&dyn Rows, &[u8], &[u8]) -> Result<Vec<u8>, Error>,
) -> Result<(), Error> {
    let mut from = Vec::new();
    loop {
        let mut page: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        rows.scan(table, &[], &from, &mut |key, value| {
            page.push((key.to_vec(), value.to_vec()));
            match page.len() < PAGE {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        for (key, old) in &page {
            let new = convert(&*rows, key, old)?;
            rows.put(table, key, &new)?;
        }
        match page.pop() {
            Some((last, _)) if page.len() + 1 == PAGE => from = [&last[..], &[0]].concat(),
            _ => return Ok(()),
        }
    }
}

/// The fixed part of a value and the rest.
fn split<const OCTETS: usize>(table: Table, value: &[u8]) -> Result<(&[u8; OCTETS], &[u8]), Error> {
    value
        .split_first_chunk()
        .ok_or_else(|| Error::Damaged(format!("table {}: row too short", table.name())))
}
