//! The plainest store there is: one ordered map, each write at once. What another backend is compared with.

use super::NOW;
use crate::apply::{self, Edits, Terms};
use crate::edits::Rows;
use crate::{Changed, Error, Feed, ReplyTo, Row, Snapshot, Store, Table, Write};
use ringpost_types::limit::Limits;
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

type Map = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// Rows in memory.
#[derive(Clone, Debug, Default)]
pub struct Memory(Map);

impl Snapshot for Memory {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<&[u8]>, Error> {
        Ok(self.0.get(&(table, key.to_vec())).map(Vec::as_slice))
    }

    fn scan(
        &self,
        table: Table,
        within: &[u8],
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let start = (table, Ord::max(from, within).to_vec());
        for ((found, key), value) in self.0.range((Bound::Included(start), Bound::Unbounded)) {
            if *found != table || !key.starts_with(within) || visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, table: Table, within: &[u8]) -> Result<Option<Row<'_>>, Error> {
        let of_table = |((found, key), value): (&'_ (Table, Vec<u8>), &'_ Vec<u8>)| {
            (*found == table && key.starts_with(within)).then_some((key.len(), value.len()))
        };
        let last = self.0.iter().rev().find(|row| of_table(*row).is_some());
        Ok(last.map(|((_, key), value)| (key.as_slice(), value.as_slice())))
    }
}

impl Rows for Memory {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Error> {
        assert!(
            !key.is_empty() && key.len() <= crate::key::OCTETS_MAX,
            "a key of any engine"
        );
        self.0.insert((table, key.to_vec()), value.to_vec());
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), Error> {
        self.0.remove(&(table, key.to_vec()));
        Ok(())
    }
}

/// A store in memory. A snapshot is a copy.
#[derive(Default)]
pub struct Model {
    rows: Mutex<Memory>,
    feeds: Mutex<Vec<Weak<dyn Feed>>>,
    limits: Limits,
}

impl Model {
    /// An empty store with these limits.
    pub fn new(limits: Limits) -> Self {
        Model {
            limits,
            ..Model::default()
        }
    }

    fn rows(&self) -> MutexGuard<'_, Memory> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Model {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, Error> {
        Ok(Box::new(self.rows().clone()))
    }

    fn submit(&self, write: Write, reply: Option<ReplyTo>) {
        let mut edits = Edits::default();
        let terms = Terms {
            now: NOW,
            limits: &self.limits,
        };
        let outcome = apply::apply(&mut *self.rows(), &write, terms, &mut edits);
        let outcome = outcome.expect("memory does not fail");
        if let Some(ReplyTo { sink, token }) = reply {
            sink.complete(vec![(token, outcome)]);
        }
        let changed: Vec<Changed> = edits.changed;
        let feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        for feed in feeds.iter().filter_map(Weak::upgrade) {
            if !changed.is_empty() {
                feed.changed(&changed);
            }
        }
    }

    fn lag_octets(&self) -> u64 {
        0
    }

    fn subscribe(&self, feed: Weak<dyn Feed>) {
        self.feeds
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(feed);
    }
}
