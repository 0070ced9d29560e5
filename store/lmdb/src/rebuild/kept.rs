//! What an old index still tells beside accounts and mailboxes: credentials, bans, reputations, transcripts, the queue.
//!
//! In:  an index that may be damaged, opened to be read alone; the accounts that were taken over.
//! Out: rows in the new one; items of the queue, which wait for the records of their mails.
//!
//! Invariant: no mail is sent again that was sent. Records tell with which items a mail came, and not which of them are
//! done: where the old queue cannot be read whole, items that it does not show come back held, for an operator to look at.

use super::salvage::{Known, Old};
use ringpost_api::apply::{self, Rows};
use ringpost_api::credential::{APP, CredentialRow, MAIN};
use ringpost_api::item::{Item, ItemRow, State};
use ringpost_api::{Error, Table};
use ringpost_types::{AccountId, BlobId};
use std::collections::BTreeMap;

/// Why an item is held.
const WHY: &str = "the index was rebuilt and does not tell whether this was sent";

/// Items of the queue that are to come back.
#[derive(Default)]
pub(super) struct Items {
    /// As the old index had them.
    known: BTreeMap<BlobId, Vec<Item>>,
    /// Whether those were all.
    whole: bool,
}

impl Items {
    /// What comes back of a mail that came with `items`.
    pub fn of(&mut self, blob: BlobId, items: Vec<Item>) -> Vec<Item> {
        if let Some(known) = self.known.remove(&blob) {
            return known;
        }
        if self.whole {
            return Vec::new();
        }
        let hold = |mut item: Item| {
            item.head.state = State::Held;
            WHY.clone_into(&mut item.why);
            item
        };
        items.into_iter().map(hold).collect()
    }
}

/// Takes over what can be. An error is the new index's.
pub(super) fn take_over(
    old: &Old,
    known: &mut Known,
    is_there: impl Fn(AccountId) -> bool,
    rows: &mut dyn Rows,
) -> Result<(), Error> {
    credentials(old, known, is_there, rows)?;
    for table in [Table::Transcript, Table::Ban, Table::Reputation] {
        let mut failed = None;
        old.rows(table, known, |key, value| {
            match apply::carry(rows, table, key, value) {
                Err(Error::Damaged(why)) => return Err(why),
                Err(error) => failed = failed.take().or(Some(error)),
                Ok(()) => {}
            }
            Ok(())
        });
        failed.map_or(Ok(()), Err)?;
    }
    queue(old, known, rows)
}

fn credentials(
    old: &Old,
    known: &mut Known,
    is_there: impl Fn(AccountId) -> bool,
    rows: &mut dyn Rows,
) -> Result<(), Error> {
    let (mut next, mut failed) = (1, None);
    old.rows(Table::Credential, known, |key, value| {
        let key: [u8; 9] = key.try_into().map_err(|_| "a key is not nine octets")?;
        let number =
            |at: usize| u32::from_be_bytes([key[at], key[at + 1], key[at + 2], key[at + 3]]);
        let (account, id) = (AccountId(number(0)), number(5));
        CredentialRow::read(value).map_err(|error| format!("account {account}: {error}"))?;
        match key[4] {
            MAIN | APP => {}
            kind => return Err(format!("account {account}: no such kind {kind}")),
        }
        next = next.max(id.saturating_add(1));
        if is_there(account) {
            let put = rows.put(Table::Credential, &key, value);
            failed = failed.take().or(put.err());
        }
        Ok(())
    });
    failed.map_or(Ok(()), Err)?;
    let next = next.max(old.number("next_credential", known) as u32);
    rows.put(Table::Setting, b"next_credential", &next.to_le_bytes())
}

/// Items wait in memory for their mails: some 300 octets each.
fn queue(old: &Old, known: &mut Known, rows: &mut dyn Rows) -> Result<(), Error> {
    let (mut next, mut items) = (1, BTreeMap::<BlobId, Vec<Item>>::new());
    let told = known.unread.len();
    old.rows(Table::Queue, known, |key, value| {
        let id = u64::from_be_bytes(key.try_into().map_err(|_| "a key is not eight octets")?);
        next = next.max(id.saturating_add(1));
        let row = ItemRow::read(value).map_err(|error| format!("item {id}: {error}"))?;
        items.entry(row.head.blob).or_default().push(row.to_item());
        Ok(())
    });
    known.items = Items {
        known: items,
        whole: told == known.unread.len(),
    };
    let next = next.max(old.number("next_item", known));
    rows.put(Table::Setting, b"next_item", &next.to_le_bytes())
}

impl Old {
    /// A setting that is a number; 0 where it is not there.
    fn number(&self, name: &str, known: &mut Known) -> u64 {
        let mut number = 0;
        self.rows(Table::Setting, known, |key, value| {
            if key == name.as_bytes() {
                let mut octets = [0; 8];
                let length = value.len().min(8);
                octets[..length].copy_from_slice(&value[..length]);
                number = u64::from_le_bytes(octets);
            }
            Ok(())
        });
        number
    }
}
