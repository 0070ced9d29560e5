//! The behaviour tests of every backend on LMDB, and LMDB beside the model.

use proptest::prelude::*;
use ringpost_api::behaviour::{
    Dump, Heard, NOW, ask, ask_all, cases, model::Model, script, sound, tables,
};
use ringpost_api::{Store, Table};
use ringpost_lmdb::{Lmdb, Options};
use ringpost_types::limit::Limits;
use std::path::Path;
use std::sync::Arc;

fn open(data: &Path) -> Arc<Lmdb> {
    open_with(data, Limits::default())
}

fn open_with(data: &Path, limits: Limits) -> Arc<Lmdb> {
    let options = Options {
        map_octets: 64 * 1024 * 1024,
        clock: || NOW,
        limits,
        ..Options::default()
    };
    Lmdb::open(data, options).expect("a scratch directory")
}

#[test]
fn cases() {
    for (name, case) in cases::ALL {
        println!("{name}");
        let data = tempfile::tempdir().expect("a scratch directory");
        case(&*open(data.path()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..Default::default() })]

    /// The same writes, the same answers, the same tables, the same told to listeners; also after a close and an open.
    #[test]
    fn as_the_model(numbers in proptest::collection::vec(any::<u32>(), 0..400)) {
        let data = tempfile::tempdir().expect("a scratch directory");
        let model = Model::new(forgetful());
        let mut lmdb = open_with(data.path(), forgetful());
        let told = (Heard::of(&*lmdb), Heard::of(&model));
        for write in script::accounts() {
            prop_assert_eq!(ask(&*lmdb, write.clone()), ask(&model, write));
        }
        let mut script = script::Script::new(&numbers);
        let mut writes = 0;
        while let Some(write) = script.next() {
            prop_assert_eq!(ask(&*lmdb, write.clone()), ask(&model, write));
            writes += 1;
            if writes % 16 == 0 {
                prop_assert!(rows(&*lmdb) == tables(&model), "tables differ after {} writes", writes);
            }
        }
        for _ in ["as it stands", "after a close and an open"] {
            prop_assert!(rows(&*lmdb) == tables(&model), "tables differ");
            sound(&*lmdb);
            drop(lmdb);
            lmdb = open_with(data.path(), forgetful());
        }
        // Of a record that comes again it tells too: nobody may have heard of it when it came first.
        let told_by_lmdb = told.0.all();
        let mut heard = told_by_lmdb.iter();
        for changed in told.1.all() {
            prop_assert!(heard.any(|heard| *heard == changed), "{:?} is not told", changed);
        }
    }

    /// Writes that share a commit come to what each alone would have come to; one that is refused is refused alone.
    #[test]
    fn in_company(
        numbers in proptest::collection::vec(any::<u32>(), 0..400),
        sizes in proptest::collection::vec(1..20usize, 1..10),
    ) {
        let data = tempfile::tempdir().expect("a scratch directory");
        let model = Model::new(forgetful());
        let lmdb = open_with(data.path(), forgetful());
        prop_assert_eq!(ask_all(&*lmdb, script::accounts()), ask_all(&model, script::accounts()));
        let mut script = script::Script::new(&numbers);
        for &size in sizes.iter().cycle() {
            let writes: Vec<_> = std::iter::from_fn(|| script.next()).take(size).collect();
            if writes.is_empty() {
                break;
            }
            prop_assert_eq!(ask_all(&*lmdb, writes.clone()), ask_all(&model, writes));
        }
        prop_assert!(rows(&*lmdb) == tables(&model), "tables differ");
        sound(&*lmdb);
    }
}

/// The change feed forgets early, and little is kept of what ages.
fn forgetful() -> Limits {
    Limits {
        account_vanished_max: 8,
        transcripts_max: 3,
        bans_max: 2,
        reputations_max: 4,
        ..Limits::default()
    }
}

/// All rows but the version, which a store that was opened has.
fn rows(store: &dyn Store) -> Dump {
    let mut rows = tables(store);
    rows.remove(&(Table::Setting, b"version".to_vec()));
    rows
}
