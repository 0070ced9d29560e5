//! Stores of other versions of the schema: an older one is brought to this one at its opening, in one transaction; a newer
//! one is left alone.

mod fixture;

use fixture::{begin, options};
use heed::types::Bytes;
use heed::{CommitOrAbort, EnvOpenOptions};
use ringpost_api::table::VERSION;
use ringpost_api::{Error, Store, read};
use ringpost_lmdb::{Lmdb, OpenError, Options};
use std::path::Path;
use std::sync::Mutex;

/// Puts a row into a closed store; without a value, deletes it.
fn put(data: &Path, table: &str, key: &[u8], value: Option<&[u8]>) {
    let mut options = EnvOpenOptions::new();
    options.map_size(64 * 1024 * 1024).max_dbs(32);
    // SAFETY: no one else has the scratch directory open.
    let env = unsafe { options.open(data.join("index")) }.expect("an environment");
    let txn = env.write_txn().expect("the only one");
    let _ = env
        .create_databases_and_commit(txn, |opener, txn| {
            let table = opener.create_database::<Bytes, Bytes>(txn, Some(table))?;
            match value {
                Some(value) => table.put(txn, key, value)?,
                None => _ = table.delete(txn, key)?,
            }
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(table))
        })
        .expect("committed");
}

fn set_version(data: &Path, version: u32) {
    put(data, "setting", b"version", Some(&version.to_le_bytes()));
}

#[test]
fn a_later_version_is_left_alone() {
    let data = tempfile::tempdir().expect("a scratch directory");
    drop(begin(data.path(), options()));
    set_version(data.path(), VERSION + 97);
    let refused = Lmdb::open(data.path(), options()).err();
    let text = refused.as_ref().map(OpenError::to_string);
    match refused {
        Some(OpenError::Newer { version, .. }) => assert_eq!(version, Some(VERSION + 97)),
        other => panic!("{other:?}"),
    }
    let text = text.unwrap_or_default();
    let (theirs, ours) = (VERSION + 97, VERSION);
    let names = |version: u32| text.contains(&format!(" {version}"));
    assert!(names(theirs) && names(ours), "{text}");
}

#[test]
fn an_older_version_is_upgraded_wholly_or_not_at_all() {
    static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let listening = || Options {
        alarm: |line| HEARD.lock().expect("no panic").push(line.to_owned()),
        ..options()
    };
    let data = tempfile::tempdir().expect("a scratch directory");
    drop(Lmdb::open(data.path(), listening()).expect("a new store"));
    assert!(HEARD.lock().expect("no panic").is_empty(), "new is no news");
    set_version(data.path(), 1);
    // A row that no version wrote: the step that meets it leaves everything as it was.
    let account = 7u32.to_be_bytes();
    put(data.path(), "account", &account, Some(b"short"));
    for _ in ["once", "and again"] {
        assert!(matches!(
            Lmdb::open(data.path(), listening()).err(),
            Some(OpenError::Damaged { .. })
        ));
    }
    put(data.path(), "account", &account, None);
    let lmdb = Lmdb::open(data.path(), listening()).expect("a store of version 1");
    let heard = std::mem::take(&mut *HEARD.lock().expect("no panic"));
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(heard[0].contains("version 1 ") && heard[0].contains(&format!("version {VERSION}")));
    let found = |lmdb: &Lmdb| -> Result<u32, Error> { read::number(&*lmdb.snapshot()?, "version") };
    assert_eq!(found(&lmdb), Ok(VERSION));
    drop(lmdb);
    drop(Lmdb::open(data.path(), listening()).expect("a store of this version"));
    assert!(HEARD.lock().expect("no panic").is_empty(), "told once");
}
