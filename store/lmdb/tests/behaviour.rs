//! The behaviour tests of every backend on LMDB, and LMDB beside the model.

use proptest::prelude::*;
use ringpost_api::behaviour::{NOW, ask, cases, model::Model, script, sound, tables};
use ringpost_api::{Store, Table};
use ringpost_lmdb::{Lmdb, Options};
use std::path::Path;
use std::sync::Arc;

fn open(data: &Path) -> Arc<Lmdb> {
    let options = Options {
        map_octets: 64 * 1024 * 1024,
        clock: || NOW,
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

    /// The same writes, the same answers, the same tables; also after a close and an open.
    #[test]
    fn as_the_model(numbers in proptest::collection::vec(any::<u32>(), 0..400)) {
        let data = tempfile::tempdir().expect("a scratch directory");
        let model = Model::default();
        let mut lmdb = open(data.path());
        for write in script::accounts() {
            prop_assert_eq!(ask(&*lmdb, write.clone()), ask(&model, write));
        }
        let mut script = script::Script::new(&numbers);
        while let Some(write) = script.next() {
            prop_assert_eq!(ask(&*lmdb, write.clone()), ask(&model, write));
        }
        let expected = tables(&model);
        for _ in ["as it stands", "after a close and an open"] {
            let mut found = tables(&*lmdb);
            found.remove(&(Table::Setting, b"version".to_vec()));
            prop_assert!(found == expected, "tables differ");
            sound(&*lmdb);
            drop(lmdb);
            lmdb = open(data.path());
        }
    }
}
