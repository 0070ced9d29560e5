//! The outbound queue, as a snapshot shows it.
//!
//! In:  a snapshot; an item's id, or a time.
//! Out: items, by id or by when they are due.

use crate::item::ItemRow;
use crate::{Error, Snapshot, Table, key, read};
use ringpost_types::ItemId;
use std::ops::ControlFlow;

/// The item `id`.
pub fn item<'t>(
    snapshot: &'t (dyn Snapshot + 't),
    id: ItemId,
) -> Result<Option<ItemRow<'t>>, Error> {
    snapshot
        .get(Table::Queue, &key::item(id))?
        .map(ItemRow::read)
        .transpose()
}

/// Items from `from` on, by id: in the order in which they came.
pub fn items(
    snapshot: &dyn Snapshot,
    from: ItemId,
    mut visit: impl FnMut(ItemId, ItemRow<'_>) -> ControlFlow<()>,
) -> Result<(), Error> {
    let from = key::item(from);
    read::scan(snapshot, Table::Queue, &[], &from, |key, value| {
        let id = ItemId(key::u64_at(Table::Queue, key, 0)?);
        Ok(visit(id, ItemRow::read(value)?))
    })
}

/// When items are due that are not held, in milliseconds since 1970 UTC, the soonest first; from `from` on, itself included.
pub fn due(
    snapshot: &dyn Snapshot,
    from: (u64, ItemId),
    mut visit: impl FnMut(u64, ItemId) -> ControlFlow<()>,
) -> Result<(), Error> {
    let from = key::due(from.0, from.1);
    read::scan(snapshot, Table::Due, &[], &from, |key, _| {
        let ms = key::u64_at(Table::Due, key, 0)?;
        Ok(visit(ms, ItemId(key::u64_at(Table::Due, key, 8)?)))
    })
}

/// The number of the next item, 1 and up.
pub fn next_item(snapshot: &dyn Snapshot) -> Result<ItemId, Error> {
    match snapshot.get(Table::Setting, b"next_item")? {
        None => Ok(ItemId(1)),
        Some(value) => match <[u8; 8]>::try_from(value) {
            Ok(octets) => Ok(ItemId(u64::from_le_bytes(octets).max(1))),
            Err(_) => Err(Error::Damaged(
                "setting next_item is not eight octets".into(),
            )),
        },
    }
}
