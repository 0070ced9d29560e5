//! Rows by key in fixed room, for many threads. What falls out is what would be forgotten first.
//!
//! ```text
//! key -> set (by a seeded hash) -> one of WAYS rows in it; a lock for each set
//! ```
//! A set is allocated when the first key falls into it, never for a connection. A row that somebody counts on is pinned
//! and keeps its place, so whoever holds it knows it by its [`Slot`]; when all rows of a set are pinned there is no room.
//! The seed keeps a stranger from choosing addresses that share a set with a victim's.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Rows of one set.
pub const WAYS: usize = 16;

/// What a table keeps for a key.
pub trait Row: Copy + Default {
    /// Whether somebody counts on it.
    fn pinned(&self) -> bool;
    /// When it says nothing any more, Unix milliseconds.
    fn until(&self) -> u64;
}

/// Where a pinned row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u32);

impl Slot {
    /// No row.
    pub const NONE: Slot = Slot(u32::MAX);
}

struct Set<R> {
    keys: [u128; WAYS],
    rows: [R; WAYS],
    /// Ways in use, a bit each.
    taken: u16,
}

/// Where a set is, or will be.
type Place<R> = Mutex<Option<Box<Set<R>>>>;

/// Rows by key.
pub struct Table<R> {
    sets: Box<[Place<R>]>,
    seed: [u64; 2],
}

impl<R: Row> Table<R> {
    /// Room for about so many rows, a power of two of sets.
    pub fn new(rows: u64, seed: [u64; 2]) -> Table<R> {
        let sets = (rows / WAYS as u64).clamp(1, 1 << 20).next_power_of_two();
        Table {
            sets: (0..sets).map(|_| Mutex::new(None)).collect(),
            seed,
        }
    }

    /// Rows there is room for.
    pub fn capacity(&self) -> usize {
        self.sets.len() * WAYS
    }

    /// Does `act` on the row of `key`, a new one where there was none. `None`: all rows of its set are pinned.
    pub fn with<T>(&self, key: u128, act: impl FnOnce(&mut R) -> T) -> Option<(Slot, T)> {
        let (at, mut set) = self.set(key);
        let set = set.get_or_insert_with(Set::new);
        let way = set.find(key).or_else(|| set.make(key))?;
        let slot = Slot((at * WAYS + way) as u32);
        Some((slot, act(&mut set.rows[way])))
    }

    /// Does `act` on the row of `key`, if there is one.
    pub fn find<T>(&self, key: u128, act: impl FnOnce(&mut R) -> T) -> Option<T> {
        let (_, mut set) = self.set(key);
        let set = set.as_mut()?;
        let way = set.find(key)?;
        Some(act(&mut set.rows[way]))
    }

    /// Does `act` on a pinned row.
    pub fn at<T>(&self, slot: Slot, act: impl FnOnce(&mut R) -> T) -> Option<T> {
        let at = slot.0 as usize;
        let mut set = lock(self.sets.get(at / WAYS)?);
        let row = &mut set.as_mut()?.rows[at % WAYS];
        debug_assert!(row.pinned(), "whoever has a slot has pinned it");
        Some(act(row))
    }

    fn set(&self, key: u128) -> (usize, MutexGuard<'_, Option<Box<Set<R>>>>) {
        let at = hash(key, self.seed) as usize & (self.sets.len() - 1);
        (at, lock(&self.sets[at]))
    }
}

impl<R: Row> Set<R> {
    fn new() -> Box<Set<R>> {
        Box::new(Set {
            keys: [0; WAYS],
            rows: [R::default(); WAYS],
            taken: 0,
        })
    }

    fn find(&self, key: u128) -> Option<usize> {
        (0..WAYS).find(|&way| self.keys[way] == key && self.taken & 1 << way != 0)
    }

    /// A place for `key`: a free one, or that of the row which would be forgotten first.
    fn make(&mut self, key: u128) -> Option<usize> {
        let free = self.taken.trailing_ones() as usize;
        let way = match free < WAYS {
            true => free,
            false => {
                let loose = (0..WAYS).filter(|&way| !self.rows[way].pinned());
                loose.min_by_key(|&way| self.rows[way].until())?
            }
        };
        self.taken |= 1 << way;
        self.keys[way] = key;
        self.rows[way] = R::default();
        Some(way)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Rows are numbers, changed by code that does not panic: a poisoned set is as whole as any.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Folds a key with a seed that nobody outside knows: two multiplications of 64 bits to 128, high and low half mixed.
pub(crate) fn hash(key: u128, seed: [u64; 2]) -> u64 {
    let low = fold(key as u64 ^ seed[0], (key >> 64) as u64 ^ seed[1]);
    fold(low ^ seed[1], 0x9e37_79b9_7f4a_7c15 ^ seed[0])
}

fn fold(a: u64, b: u64) -> u64 {
    // An odd factor: no octets of a key make the product vanish.
    let product = u128::from(a | 1) * u128::from(b | 1);
    (product as u64) ^ (product >> 64) as u64 ^ a.rotate_left(23) ^ b.rotate_left(41)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Default, Debug, PartialEq)]
    struct Mark {
        pinned: bool,
        until: u64,
    }

    impl Row for Mark {
        fn pinned(&self) -> bool {
            self.pinned
        }

        fn until(&self) -> u64 {
            self.until
        }
    }

    #[test]
    fn the_first_to_be_forgotten_falls() {
        let table = Table::new(WAYS as u64, [1, 2]);
        assert_eq!(table.capacity(), WAYS);
        for key in 0..WAYS as u128 {
            table.with(key, |row: &mut Mark| {
                row.until = 100 + (key as u64 * 7) % 16
            });
        }
        // Key 0 has the smallest time.
        assert!(table.with(99, |row| row.until = 500).is_some());
        assert_eq!(table.find(0, |row| *row), None);
        assert!((1..WAYS as u128).all(|key| table.find(key, |row| *row).is_some()));
    }

    #[test]
    fn pinned_rows_stay_up_to_the_last_way_and_one_above() {
        let table = Table::new(1, [3, 4]);
        let slots: Vec<Slot> = (0..WAYS as u128)
            .map(|key| table.with(key, |row: &mut Mark| row.pinned = true))
            .map(|made| made.expect("room").0)
            .collect();
        assert!(table.with(77, |_| ()).is_none());
        table.at(slots[5], |row| row.pinned = false);
        assert!(table.with(77, |_| ()).is_some());
        assert_eq!(table.find(5, |_| ()), None);
        assert!(table.find(4, |row| row.pinned).expect("there"));
        assert_eq!(table.at(Slot::NONE, |_| ()), None);
    }

    /// Neighbours of one network spread over the sets: with 16,384 of them in 65,536 rows nobody is pushed out.
    #[test]
    fn neighbours_spread() {
        for seed in [[0, 0], [0x1234_5678_9abc_def0, 42]] {
            let table: Table<Mark> = Table::new(65_536, seed);
            let first = 0xffff_c000_0200_u128;
            for shift in [0, 64] {
                for n in 0..8_192_u128 {
                    table
                        .with(first + (n << shift), |row| row.pinned = true)
                        .expect("room");
                }
            }
        }
    }
}
