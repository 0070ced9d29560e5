//! Rows that are changed again and again within one transaction, until they are put once.
//!
//! In:  puts into a few small tables. Out: the newest value of each; all of them, in the order of their keys.
//!
//! Of a batch of mails each changes the row of an account, of a mailbox, and the position in its log: with 64 busy accounts and
//! 800 mails a commit, nine in ten of those puts would be put over. Five runs in turn on a busy
//! machine: 0 to 0.9 us less of 11 us of CPU a mail, and one far outlier.

use ringpost_api::Table;
use std::collections::BTreeMap;

/// Octets of the longest key that is held.
const KEY_OCTETS: usize = 8;

/// A table, the length of a key, and the key: in one table all are of one length, so this is their order.
type Place = (Table, u8, [u8; KEY_OCTETS]);

#[derive(Default)]
pub(crate) struct Held(BTreeMap<Place, Vec<u8>>);

fn place(table: Table, key: &[u8]) -> Option<Place> {
    if !Held::takes(table) || key.len() > KEY_OCTETS {
        return None;
    }
    let mut octets = [0; KEY_OCTETS];
    octets[..key.len()].copy_from_slice(key);
    Some((table, key.len() as u8, octets))
}

impl Held {
    /// Whether rows of this table are held at all.
    #[inline]
    pub fn takes(table: Table) -> bool {
        matches!(
            table,
            Table::Account | Table::Mailbox | Table::Applied | Table::Segment
        )
    }

    /// The value of a row that is held.
    #[inline]
    pub fn get(&self, table: Table, key: &[u8]) -> Option<&[u8]> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&place(table, key)?).map(Vec::as_slice)
    }

    /// Gives a row that is held another value; whether it is held.
    pub fn replace(&mut self, table: Table, key: &[u8], value: &[u8]) -> bool {
        let held = place(table, key).and_then(|place| self.0.get_mut(&place));
        match held {
            Some(held) => {
                held.clear();
                held.extend_from_slice(value);
                true
            }
            None => false,
        }
    }

    /// Holds a row; not one whose key is too long.
    pub fn insert(&mut self, table: Table, key: &[u8], value: &[u8]) -> bool {
        let place = place(table, key);
        if let Some(place) = place {
            self.0.insert(place, value.to_vec());
        }
        place.is_some()
    }

    /// Lets go of a row.
    pub fn remove(&mut self, table: Table, key: &[u8]) {
        if let Some(place) = place(table, key) {
            self.0.remove(&place);
        }
    }

    /// All rows, table by table, by key.
    pub fn rows(&self) -> impl Iterator<Item = (Table, &[u8], &[u8])> {
        self.0.iter().map(|((table, length, key), value)| {
            (*table, &key[..usize::from(*length)], value.as_slice())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_value_in_the_order_of_keys() {
        let mut held = Held::default();
        assert_eq!(held.get(Table::Account, b"0001"), None);
        assert!(!held.replace(Table::Account, b"0001", b"x"));
        assert!(held.insert(Table::Mailbox, b"00010001", b"mailbox"));
        assert!(held.insert(Table::Account, b"0002", b"two"));
        assert!(held.insert(Table::Account, b"0001", b"one"));
        assert!(held.replace(Table::Account, b"0001", b"uno!"));
        let rows: Vec<_> = held.rows().collect();
        assert_eq!(
            rows,
            [
                (Table::Account, &b"0001"[..], &b"uno!"[..]),
                (Table::Account, b"0002", b"two"),
                (Table::Mailbox, b"00010001", b"mailbox"),
            ]
        );
        held.remove(Table::Account, b"0001");
        assert_eq!(held.get(Table::Account, b"0001"), None);
        assert_eq!(held.get(Table::Account, b"0002"), Some(&b"two"[..]));
    }

    #[test]
    fn other_tables_and_long_keys_are_not_held() {
        let mut held = Held::default();
        assert!(!held.insert(Table::Message, b"0001", b"x"));
        assert!(!held.insert(Table::Account, b"123456789", b"x"));
        assert_eq!(held.rows().count(), 0);
    }
}
