//! A rebuild that breaks off, at every moment: there is an index, the old one or the new one, and it has every mail; the next
//! rebuild finds accounts and mails as this one did.

use crate::alone;
use crate::disk::{Disk, Loss};
use crate::random::Random;
use crate::scratch;
use crate::story::{self, Shard};
use crate::trace::Watch;
use ringpost_api::behaviour::ask;
use ringpost_api::{Outcome, Store, Write, read};
use ringpost_lmdb::Lmdb;
use ringpost_lmdb::rebuild::{OldIndex, rebuild};
use ringpost_types::{AccountId, MailboxId, Uid};
use std::ops::ControlFlow;
use std::path::Path;

const SEED: u64 = 0xa11e;
const ACCOUNT: AccountId = AccountId(1);
const NAME: &str = "a@example.test";
const MAILS: u64 = 12;

/// A store with some mails.
fn begin(data: &Path) {
    let lmdb = Lmdb::open(data, story::options()).expect("a scratch directory");
    let create = Write::AccountCreate {
        name: NAME.into(),
        secret: String::new(),
        scram: None,
    };
    assert_eq!(ask(&*lmdb, create), Ok(Outcome::Account(ACCOUNT)));
    let index = lmdb.clone();
    let mut shard = Shard::open(&lmdb, data, 0, move |write| index.submit(write, None));
    for number in 0..MAILS {
        let _durable = shard.append(number, &[ACCOUNT]);
        shard.turn();
    }
    drop(shard);
    lmdb.close();
}

fn anew(data: &Path) {
    let mut quiet = |_, _| ControlFlow::Continue(());
    let options = story::options();
    let rebuilt = rebuild(data, "example.org", OldIndex::Read, &options, &mut quiet);
    let rebuilt = rebuilt.expect("rebuilt");
    assert_eq!((rebuilt.mails, rebuilt.accounts[0].made), (MAILS, false));
}

/// The account is there by its name, with all its mails.
fn check(data: &Path) {
    let lmdb = Lmdb::open(data, story::options()).expect("there is an index");
    let snapshot = lmdb.snapshot().expect("a snapshot");
    let account = read::account_by_address(&*snapshot, NAME).expect("readable");
    assert_eq!(account.map(|(id, _)| id), Some(ACCOUNT));
    let mut mails = 0;
    read::messages(&*snapshot, ACCOUNT, MailboxId::INBOX, Uid(0), |_, _| {
        mails += 1;
        ControlFlow::Continue(())
    })
    .expect("readable");
    assert_eq!(mails, MAILS);
}

#[test]
fn a_rebuild_may_break_off_anywhere() {
    let _alone = alone();
    println!("seed {SEED:#x}");
    let root = scratch();
    let data = root.path().join("data");
    begin(&data);
    let mut disk = Disk::found(&data);
    let watch = Watch::record(&data);
    anew(&data);
    let events = watch.end();
    let mut random = Random::new(SEED);
    for (at, event) in events.iter().enumerate() {
        for loss in [Loss::Sectors, Loss::All] {
            println!("event {at}, {loss:?}");
            let found = scratch();
            let _unsynced = Watch::unsynced(found.path());
            disk.lose(loss, &mut random, found.path());
            check(found.path());
            anew(found.path());
            check(found.path());
        }
        disk.happen(event);
    }
    assert!(events.len() > 20, "it was one");
}
