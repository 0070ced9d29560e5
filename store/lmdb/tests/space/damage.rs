//! Octets that changed, files that went, counters that lie: each is found, and nothing else is harmed.

use crate::yard::{ACCOUNT, Yard, at_once, check, fetch, mails, octets, open, options, tidy_up};
use heed::types::Bytes;
use ringpost_api::table::{BlobRow, MailboxRow};
use ringpost_api::{Store, Table, key, read};
use ringpost_lmdb::Lmdb;
use ringpost_lmdb::rebuild::{OldIndex, rebuild};
use ringpost_lmdb::tidy::Tidy;
use ringpost_log::file::Blocking;
use ringpost_log::segment::{self, Holds};
use ringpost_log::{Reader, record};
use ringpost_types::{BlobId, MailboxId, Uid};
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A closed store with some segments of mail, the seventh being large.
fn begin(data: &Path) {
    let mut yard = Yard::open(data);
    for number in 0..200 {
        match number {
            6 => yard.stream(number),
            _ => yard.deliver(number),
        }
    }
    yard.settle();
}

fn blob(lmdb: &Lmdb, uid: Uid) -> (BlobId, BlobRow) {
    let snapshot = lmdb.snapshot().expect("a snapshot");
    let row = read::message(&*snapshot, ACCOUNT, MailboxId::INBOX, uid);
    let blob = row.expect("readable").expect("there").blob;
    let row = read::blob(&*snapshot, blob).expect("readable");
    (blob, row.expect("there"))
}

fn path(data: &Path, blob: &BlobRow) -> std::path::PathBuf {
    let holds = match blob.segment == blob.record.segment {
        true => Holds::Records,
        false => Holds::Mail,
    };
    segment::file(data, blob.log, blob.segment, holds)
}

fn flip(path: &Path, offset: u64) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path);
    let file = file.expect("there");
    let mut octet = [0];
    file.read_exact_at(&mut octet, offset).expect("so long");
    file.write_all_at(&[octet[0] ^ 1], offset).expect("written");
}

/// All mails but those of `uids` can be read.
#[track_caller]
fn others_are_whole(lmdb: &Lmdb, uids: &[Uid]) {
    let reader = Reader::new(Blocking, lmdb.data());
    for (uid, number) in mails(lmdb) {
        let found = fetch(lmdb, &reader, uid).expect("there");
        match uids.contains(&uid) {
            true => assert!(found.is_err(), "UID {uid}"),
            false => assert!(found.expect("readable") == octets(number), "UID {uid}"),
        }
    }
}

/// Changes a row through LMDB itself.
fn change(data: &Path, table: Table, key: &[u8], change: impl FnOnce(Option<&[u8]>) -> Vec<u8>) {
    let mut options = heed::EnvOpenOptions::new();
    options.map_size(256 * 1024 * 1024).max_dbs(32);
    // SAFETY: nobody else has the scratch directory open.
    let env = unsafe { options.open(data.join("index")) }.expect("an environment");
    let txn = env.write_txn().expect("the only one");
    let changed = env.create_databases_and_commit(txn, |opener, txn| {
        let rows = opener.create_database::<Bytes, Bytes>(txn, Some(table.name()))?;
        let new = change(rows.get(txn, key)?);
        rows.put(txn, key, &new)?;
        Ok::<_, heed::Error>(heed::CommitOrAbort::<_, ()>::Commit(()))
    });
    assert!(changed.is_ok());
}

#[test]
fn a_mail_whose_octets_changed_is_found() {
    let data = tempfile::tempdir().expect("a scratch directory");
    begin(data.path());
    let lmdb = open(data.path());
    // In the mail, in the record's header, in what stands between them, and in a large mail.
    let uids = [Uid(3), Uid(20), Uid(40), Uid(7)];
    for (uid, at) in uids.into_iter().zip([0, 1, 2, 3]) {
        let (_, row) = blob(&lmdb, uid);
        match at {
            0 => flip(&path(data.path(), &row), row.offset + row.stored / 2),
            1 => flip(
                &segment::path(data.path(), 0, row.record.segment),
                row.record.offset + 9,
            ),
            2 => flip(
                &segment::path(data.path(), 0, row.record.segment),
                row.offset - 1,
            ),
            _ => flip(&path(data.path(), &row), row.offset + 100),
        }
    }
    let found = check(&lmdb).findings;
    assert_eq!(found.len(), 4, "{found:#?}");
    for uid in uids {
        let (blob, _) = blob(&lmdb, uid);
        let told = format!("mail {blob}: a@example.test, mailbox \"INBOX\", UID {uid}");
        assert!(found.iter().any(|found| found.place == told), "{found:#?}");
    }
    // What stands in front of a mail does not keep it from being read.
    others_are_whole(&lmdb, &[Uid(3), Uid(7)]);
}

#[test]
fn a_segment_that_is_gone_is_found() {
    let data = tempfile::tempdir().expect("a scratch directory");
    begin(data.path());
    let lmdb = open(data.path());
    let (_, row) = blob(&lmdb, Uid(1));
    fs::remove_file(path(data.path(), &row)).expect("removed");
    let there = |uid: &Uid| blob(&lmdb, *uid).1.record.segment == row.segment;
    let lost: Vec<Uid> = mails(&lmdb).into_keys().filter(there).collect();
    let found = check(&lmdb).findings;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].place, "log 0, segment 1");
    assert!(found[0].what.contains(&format!("{} mails", lost.len())));
    // The large mail is in a file of its own.
    let lost: Vec<Uid> = lost.into_iter().filter(|&uid| uid != Uid(7)).collect();
    others_are_whole(&lmdb, &lost);
}

#[test]
fn a_counter_that_lies_is_found() {
    let data = tempfile::tempdir().expect("a scratch directory");
    begin(data.path());
    let mailbox = key::mailbox(ACCOUNT, MailboxId::INBOX);
    change(data.path(), Table::Mailbox, &mailbox, |row| {
        let row = MailboxRow::read(row.expect("there")).expect("readable");
        let mut out = Vec::new();
        MailboxRow { unseen: 7, ..row }.encode(&mut out);
        out
    });
    let lmdb = open(data.path());
    let found = check(&lmdb).findings;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].place, "account 1, mailbox 1");
    assert_eq!(found[0].what, "unseen says 7, counted 200");
    others_are_whole(&lmdb, &[]);
}

#[test]
fn a_blob_row_that_leads_elsewhere_is_found() {
    let data = tempfile::tempdir().expect("a scratch directory");
    begin(data.path());
    let (blob, row) = blob(&open(data.path()), Uid(50));
    change(data.path(), Table::Blob, &key::blob(blob), |_| {
        let checksum = record::checksum(b"another mail");
        BlobRow { checksum, ..row }.encode().to_vec()
    });
    let lmdb = open(data.path());
    let found = check(&lmdb).findings;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].place.ends_with("UID 50"), "{found:#?}");
    others_are_whole(&lmdb, &[Uid(50)]);
}

/// A damaged mail is left where it is; its segment is punched around it and never removed.
#[test]
fn a_damaged_mail_keeps_its_segment() {
    let data = tempfile::tempdir().expect("a scratch directory");
    begin(data.path());
    let mut tidy = Tidy::by_hand(open(data.path()), at_once()).expect("a tidier");
    let yard = Yard::of(tidy.store());
    let (_, row) = blob(&yard.lmdb, Uid(3));
    flip(&path(data.path(), &row), row.offset);
    let gone = yard
        .mails()
        .into_keys()
        .filter(|&uid| uid > Uid(5))
        .collect();
    let before = yard.allocated();
    yard.expunge(gone);
    tidy_up(&mut tidy);
    assert!(path(data.path(), &row).exists());
    assert!(yard.allocated() < before / 2);
    let found = check(&yard.lmdb).findings;
    assert_eq!(found.len(), 1, "{found:#?}");
    others_are_whole(&yard.lmdb, &[Uid(3)]);
}

/// A large mail that no row names goes, unless a record means it, or one that is damaged may.
#[test]
fn a_large_mail_whose_record_is_damaged_is_kept() {
    let data = tempfile::tempdir().expect("a scratch directory");
    begin(data.path());
    let (_, row) = blob(&open(data.path()), Uid(7));
    let large = path(data.path(), &row);
    let stray = segment::file(data.path(), 0, row.segment + 1_000, Holds::Mail);
    let tidied = || {
        fs::copy(&large, &stray).expect("written");
        let mut tidy = Tidy::by_hand(open(data.path()), at_once()).expect("a tidier");
        tidy_up(&mut tidy);
    };
    tidied();
    assert!(large.exists() && !stray.exists());
    // While space is held it stays, like everything else.
    fs::copy(&large, &stray).expect("written");
    let mut tidy = Tidy::by_hand(open(data.path()), at_once()).expect("a tidier");
    let hold = tidy.store().hold_space();
    for _ in 0..2 {
        assert_eq!(tidy.round().expect("a round").removed, 0);
    }
    assert!(stray.exists());
    drop(hold);
    tidy_up(&mut tidy);
    assert!(!stray.exists());
    drop(tidy);
    // The index is lost too, and the record that would tell is not sound.
    flip(
        &segment::path(data.path(), 0, row.record.segment),
        row.record.offset + 9,
    );
    let mut quiet = |_, _| ControlFlow::Continue(());
    let rebuilt = rebuild(
        data.path(),
        "example.test",
        OldIndex::Read,
        &options(),
        &mut quiet,
    );
    assert_eq!(rebuilt.expect("rebuilt").mails, 199);
    tidied();
    assert!(large.exists());
}
