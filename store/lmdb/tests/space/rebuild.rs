//! An index made anew: all mail that the logs still have, in the accounts that the old index still names.

use crate::yard::{ACCOUNT, Yard, at_once, mails, octets, open, options, sound, tidy_up, whole};
use ringpost_api::behaviour::ask;
use ringpost_api::table::MailboxRow;
use ringpost_api::write::AliasTarget;
use ringpost_api::{Outcome, Store, Write, read};
use ringpost_lmdb::rebuild::{OldIndex, Rebuilt, rebuild};
use ringpost_lmdb::tidy::Tidy;
use ringpost_lmdb::{Lmdb, OpenError};
use ringpost_types::{AccountId, MailboxId, Uid};
use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

fn anew(data: &Path, old_index: OldIndex) -> Result<Rebuilt, OpenError> {
    rebuild(data, "example.org", old_index, &options(), &mut |_, _| {
        ControlFlow::Continue(())
    })
}

fn numbers(lmdb: &Lmdb) -> BTreeSet<u64> {
    mails(lmdb).into_values().collect()
}

fn inbox<T>(lmdb: &Lmdb, of: impl FnOnce(&MailboxRow<'_>) -> T) -> T {
    let snapshot = lmdb.snapshot().expect("a snapshot");
    let row = read::mailbox(&*snapshot, ACCOUNT, MailboxId::INBOX).expect("readable");
    of(&row.expect("there"))
}

#[test]
fn what_the_old_index_knows_is_taken_over() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut yard = Yard::open(data.path());
    for number in 0..200 {
        match number % 50 {
            7 => yard.stream(number),
            _ => yard.deliver(number),
        }
    }
    yard.settle();
    let made = |name: &str| Write::MailboxCreate {
        account: ACCOUNT,
        name: name.into(),
        special: 0,
    };
    for write in [
        made("Letters/2026"),
        Write::AccountSecret {
            account: ACCOUNT,
            secret: "$argon2id$".into(),
            scram: None,
        },
        Write::Subscribe {
            account: ACCOUNT,
            name: "elsewhere".into(),
            on: true,
        },
        Write::AliasPut {
            address: "b@example.test".into(),
            targets: vec![AliasTarget::Account(ACCOUNT)],
        },
    ] {
        ask(&*yard.lmdb, write).expect("done");
    }
    let old = inbox(&yard.lmdb, |row| (row.uidvalidity, row.highest_modseq));
    drop(yard);

    let rebuilt = anew(data.path(), OldIndex::Read).expect("rebuilt");
    assert_eq!(rebuilt.unread, Vec::<String>::new());
    assert_eq!(rebuilt.damages, Vec::<String>::new());
    assert_eq!(rebuilt.old_index.as_deref(), Some("index.before-rebuild-1"));
    assert_eq!(
        (rebuilt.mails, rebuilt.messages, rebuilt.dropped),
        (200, 200, 0)
    );
    let [account] = &rebuilt.accounts[..] else {
        panic!("{rebuilt:?}")
    };
    assert_eq!((&*account.name, account.made), ("a@example.test", false));

    let lmdb = open(data.path());
    assert_eq!(lmdb.replay().records, 0, "all of it is applied");
    assert_eq!(numbers(&lmdb), (0..200).collect());
    whole(&lmdb);
    sound(&lmdb);
    let new = inbox(&lmdb, |row| (row.uidvalidity, row.highest_modseq));
    assert!(old.0 < new.0 && old.1 < new.1, "{old:?} {new:?}");
    {
        let snapshot = lmdb.snapshot().expect("a snapshot");
        let row = read::account(&*snapshot, ACCOUNT)
            .expect("readable")
            .expect("there");
        assert_eq!((row.secret, row.disabled), ("$argon2id$", false));
        let found = read::mailbox_by_name(&*snapshot, ACCOUNT, "Letters/2026");
        assert!(found.expect("readable").is_some());
        let alias = read::address(&*snapshot, "b@example.test").expect("readable");
        assert_eq!(alias.expect("there").targets().count(), 1);
    }
    drop(lmdb);
    // Again: the one before is kept too.
    let again = anew(data.path(), OldIndex::Read).expect("rebuilt");
    assert_eq!(again.old_index.as_deref(), Some("index.before-rebuild-2"));
    assert!(data.path().join("index.before-rebuild-1/data.mdb").exists());
    sound(&open(data.path()));
}

/// Moved mails are found where they are; what was punched out stays away; a number is never given twice.
#[test]
fn after_the_tidier_was_there() {
    for old_index in [OldIndex::Read, OldIndex::Ignore] {
        let data = tempfile::tempdir().expect("a scratch directory");
        let mut tidy = Tidy::by_hand(open(data.path()), at_once()).expect("a tidier");
        let mut yard = Yard::of(tidy.store());
        for number in 0..400 {
            match number % 97 {
                3 => yard.stream(number),
                _ => yard.deliver(number),
            }
        }
        yard.settle();
        let gone = yard
            .mails()
            .into_iter()
            .filter(|(_, number)| number % 10 != 3);
        yard.expunge(gone.map(|(uid, _)| uid).collect());
        tidy_up(&mut tidy);
        let kept = numbers(&yard.lmdb);
        drop((yard, tidy));

        let rebuilt = anew(data.path(), old_index).expect("rebuilt");
        assert_eq!(rebuilt.damages, Vec::<String>::new());
        let mut tidy = Tidy::by_hand(open(data.path()), at_once()).expect("a tidier");
        let found = numbers(&tidy.store());
        assert!(found.is_superset(&kept));
        // In the segment that was written to last, nothing near its end was punched.
        assert!(
            found.len() < kept.len() + 120,
            "{} came back",
            found.len() - kept.len()
        );
        whole(&tidy.store());
        sound(&tidy.store());
        let mut yard = Yard::of(tidy.store());
        for number in 1_000..1_100 {
            yard.deliver(number);
        }
        yard.settle();
        assert_eq!(yard.mails().len(), found.len() + 100);
        yard.expunge(yard.mails().into_keys().step_by(2).collect());
        tidy_up(&mut tidy);
        whole(&yard.lmdb);
        sound(&yard.lmdb);
    }
}

#[test]
fn without_an_old_index_accounts_are_made() {
    for damage in [None, Some(vec![0x55; 20_000])] {
        let data = tempfile::tempdir().expect("a scratch directory");
        let mut yard = Yard::open(data.path());
        for number in 0..20 {
            yard.deliver(number);
        }
        yard.settle();
        drop(yard);
        match damage {
            None => fs::remove_dir_all(data.path().join("index")).expect("removed"),
            Some(octets) => {
                fs::write(data.path().join("index/data.mdb"), octets).expect("written");
            }
        }
        let rebuilt = anew(data.path(), OldIndex::Read).expect("rebuilt");
        assert_eq!(rebuilt.unread.len(), 1, "{rebuilt:?}");
        let [account] = &rebuilt.accounts[..] else {
            panic!("{rebuilt:?}")
        };
        assert_eq!(
            (account.id, &*account.name, account.made, account.messages),
            (1, "recovered-1@example.org", true, 20)
        );
        let lmdb = open(data.path());
        whole(&lmdb);
        sound(&lmdb);
        let snapshot = lmdb.snapshot().expect("a snapshot");
        let row = read::account(&*snapshot, ACCOUNT)
            .expect("readable")
            .expect("there");
        assert_eq!(row.secret, "", "no password works");
        drop(snapshot);
        let create = Write::AccountCreate {
            name: "new@example.test".into(),
            secret: String::new(),
            scram: None,
        };
        assert_eq!(ask(&*lmdb, create), Ok(Outcome::Account(AccountId(2))));
    }
}

/// An account that was removed stays so, and so does its mail; mail of a mailbox that was removed is found in another.
#[test]
fn what_was_removed() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut yard = Yard::open(data.path());
    let other = Write::AccountCreate {
        name: "other@example.test".into(),
        secret: String::new(),
        scram: None,
    };
    let Ok(Outcome::Account(other)) = ask(&*yard.lmdb, other) else {
        panic!("no account")
    };
    let letters = Write::MailboxCreate {
        account: ACCOUNT,
        name: "Letters".into(),
        special: 0,
    };
    let Ok(Outcome::Mailbox(letters)) = ask(&*yard.lmdb, letters) else {
        panic!("no mailbox")
    };
    yard.deliver(1);
    yard.deliver_to(2, other, MailboxId::INBOX);
    yard.deliver_to(3, ACCOUNT, letters);
    yard.settle();
    for write in [
        Write::AccountRemove { account: other },
        Write::MailboxDelete {
            account: ACCOUNT,
            name: "Letters".into(),
        },
    ] {
        ask(&*yard.lmdb, write).expect("done");
    }
    drop(yard);
    let rebuilt = anew(data.path(), OldIndex::Read).expect("rebuilt");
    assert_eq!((rebuilt.mails, rebuilt.dropped), (2, 1), "{rebuilt:?}");
    let lmdb = open(data.path());
    assert_eq!(numbers(&lmdb), [1].into());
    sound(&lmdb);
    let snapshot = lmdb.snapshot().expect("a snapshot");
    assert_eq!(read::account(&*snapshot, other), Ok(None));
    let found = read::mailbox_by_name(&*snapshot, ACCOUNT, "Recovered").expect("readable");
    let (id, row) = found.expect("there");
    assert_eq!(row.messages, 1);
    let message = read::message(&*snapshot, ACCOUNT, id, Uid(1)).expect("readable");
    assert_eq!(message.expect("there").internal_date, 3);
}

#[test]
fn damage_is_told_and_the_rest_is_there() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut yard = Yard::open(data.path());
    for number in 0..50 {
        yard.deliver(number);
    }
    yard.settle();
    drop(yard);
    let path = ringpost_log::segment::path(data.path(), 0, 1);
    let mut file = fs::read(&path).expect("a segment");
    let tenth = octets(10);
    let at = file.windows(tenth.len()).position(|found| found == tenth);
    file[at.expect("it is there")] ^= 1;
    fs::write(&path, &file).expect("written");
    let rebuilt = anew(data.path(), OldIndex::Read).expect("rebuilt");
    assert_eq!(
        (rebuilt.damages.len(), rebuilt.mails),
        (1, 49),
        "{rebuilt:?}"
    );
    let lmdb = open(data.path());
    assert_eq!(
        numbers(&lmdb),
        (0..50).filter(|&number| number != 10).collect()
    );
    whole(&lmdb);
}

/// The last mail of a log is damaged: what is left of it is there for whoever repairs it, also after the next start.
#[test]
fn a_damaged_end_is_not_cut_off() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut yard = Yard::open(data.path());
    for number in 0..5 {
        yard.deliver(number);
    }
    yard.settle();
    drop(yard);
    let path = ringpost_log::segment::path(data.path(), 0, 1);
    let mut file = fs::read(&path).expect("a segment");
    let last = octets(4);
    let at = file.windows(last.len()).position(|found| found == last);
    let at = at.expect("it is there");
    file[at] ^= 1;
    fs::write(&path, &file).expect("written");
    let rebuilt = anew(data.path(), OldIndex::Read).expect("rebuilt");
    assert_eq!((rebuilt.damages.len(), rebuilt.mails), (1, 4));
    let mut yard = Yard::open(data.path());
    yard.deliver(5);
    yard.settle();
    assert_eq!(numbers(&yard.lmdb), [0, 1, 2, 3, 5].into());
    drop(yard);
    let found = fs::read(&path).expect("a segment");
    assert!(found[at..at + last.len()] == file[at..at + last.len()]);
}

#[test]
fn a_server_at_work_is_in_the_way_and_an_end_changes_nothing() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut yard = Yard::open(data.path());
    yard.deliver(1);
    yard.settle();
    assert!(matches!(
        anew(data.path(), OldIndex::Read),
        Err(OpenError::Locked { .. })
    ));
    drop(yard);
    let ended = rebuild(
        data.path(),
        "example.org",
        OldIndex::Read,
        &options(),
        &mut |_, _| ControlFlow::Break(()),
    );
    assert!(matches!(ended, Err(OpenError::Index { .. })));
    assert!(!data.path().join("index.before-rebuild-1").exists());
    let lmdb = open(data.path());
    whole(&lmdb);
    sound(&lmdb);
}
