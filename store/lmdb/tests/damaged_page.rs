//! A page of the index is damaged: the write that meets it fails, its neighbours in the same commit stand.

mod fixture;

use fixture::{begin, deliver, options};
use ringpost_api::behaviour::ask;
use ringpost_api::item::{Item, Recipient};
use ringpost_api::{Error, Outcome, Store, Write, key, read};
use ringpost_lmdb::health::State;
use ringpost_lmdb::{Lmdb, Options};
use ringpost_types::{AccountId, ItemId, MailboxId};
use std::fs;
use std::path::Path;
use std::sync::Mutex;

const MAILS: u64 = 200;

fn to(number: u64, account: u32) -> Write {
    let Write::Deliver(mut mail) = deliver(number, 10) else {
        unreachable!("it is a delivery");
    };
    mail.targets[0].account = AccountId(account);
    Write::Deliver(mail)
}

fn leaving() -> Item {
    Item {
        recipients: vec![Recipient::default()],
        ..Item::default()
    }
}

fn messages(lmdb: &Lmdb, account: u32) -> u32 {
    let snapshot = lmdb.snapshot().expect("a snapshot");
    let row = read::mailbox(&*snapshot, AccountId(account), MailboxId::INBOX);
    row.expect("readable").expect("an INBOX").messages
}

/// Makes no page of every page that is full of messages of account 2.
fn damage(data: &Path) {
    let path = data.join("index/data.mdb");
    let mut octets = fs::read(&path).expect("the index");
    let prefix = key::mailbox(AccountId(2), MailboxId::INBOX);
    let mut damaged = 0;
    // SAFETY: sysconf(3) takes a number.
    let page_octets = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    for page in octets.chunks_mut(page_octets) {
        let rows = page.windows(prefix.len()).filter(|at| *at == prefix);
        if rows.count() > 20 {
            // What kind of page it is.
            page[10..12].fill(0);
            damaged += 1;
        }
    }
    assert!(damaged > 0);
    fs::write(&path, octets).expect("writable");
}

#[test]
fn what_meets_it_fails_alone() {
    static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let data = tempfile::tempdir().expect("a scratch directory");
    let lmdb = begin(data.path(), options());
    let second = Write::AccountCreate {
        name: "b@example.test".into(),
        secret: String::new(),
        scram: None,
    };
    assert_eq!(ask(&*lmdb, second), Ok(Outcome::Account(AccountId(2))));
    for number in 0..MAILS {
        lmdb.submit(to(number, number as u32 % 2 + 1), None);
    }
    drop(lmdb);
    damage(data.path());

    let listening = Options {
        alarm: |line| HEARD.lock().expect("no panic").push(line.to_owned()),
        ..options()
    };
    let lmdb = Lmdb::open(data.path(), listening).expect("the damage is not in the way");
    for number in MAILS..MAILS + 4 {
        lmdb.submit(to(number, number as u32 % 2 + 1), None);
    }
    let damaged = ask(&*lmdb, to(MAILS + 4, 2));
    assert!(matches!(damaged, Err(Error::Damaged(_))), "{damaged:?}");
    assert!(ask(&*lmdb, to(MAILS + 5, 1)).is_ok());
    // To both: the one gets it.
    let (Write::Deliver(mut both), Write::Deliver(other)) = (to(MAILS + 6, 1), to(0, 2)) else {
        unreachable!("they are deliveries");
    };
    both.targets.extend(other.targets);
    both.items.push(leaving());
    lmdb.submit(Write::Deliver(both), None);
    assert!(ask(&*lmdb, to(MAILS + 7, 1)).is_ok());
    // To the one that does not get it, and to somebody elsewhere.
    let Write::Deliver(mut away) = to(MAILS + 8, 2) else {
        unreachable!("it is a delivery");
    };
    away.items.push(leaving());
    assert!(ask(&*lmdb, Write::Deliver(away)).is_ok());
    let snapshot = lmdb.snapshot().expect("a snapshot");
    assert_eq!(read::next_item(&*snapshot), Ok(ItemId(3)), "both leave");
    drop(snapshot);
    assert_eq!(messages(&lmdb, 1) as u64, MAILS / 2 + 5);
    assert_eq!(messages(&lmdb, 2) as u64, MAILS / 2, "as it was");
    assert_eq!((lmdb.health().state, lmdb.lag_octets()), (State::Well, 0));
    let heard = HEARD.lock().expect("no panic").clone();
    assert_eq!(heard.len(), 5, "each mail that is missing: {heard:?}");
    let both = heard[3..].iter();
    both.for_each(|line| assert!(line.contains("did not reach account 2"), "{line}"));
    assert!(
        heard
            .iter()
            .all(|line| line.contains("it is kept at octet"))
    );
}
