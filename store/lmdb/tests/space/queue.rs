//! Mails that leave: they move with the others, their octets are free when the last envelope is gone, and an index made
//! anew sends nothing twice.

use crate::yard::{ACCOUNT, Yard, at_once, octets, open, options, queue, sound, tidy_up};
use ringpost_api::behaviour::ask;
use ringpost_api::credential::{Scram, scope};
use ringpost_api::network::Trap;
use ringpost_api::{Outcome, Store, Write, read, transcript};
use ringpost_lmdb::Lmdb;
use ringpost_lmdb::rebuild::{OldIndex, Rebuilt, rebuild};
use ringpost_lmdb::tidy::Tidy;
use ringpost_log::Reader;
use ringpost_log::file::{Blocking, now};
use ringpost_types::{Cidr, ItemId, TraceId};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

/// Every mail of the queue is what it was.
#[track_caller]
fn whole(lmdb: &Lmdb) {
    let reader = Reader::new(Blocking, lmdb.data());
    for (to, _, blob) in queue(lmdb) {
        let number = to
            .split_once('@')
            .and_then(|(number, _)| number.parse().ok());
        let row = {
            let snapshot = lmdb.snapshot().expect("a snapshot");
            read::blob(&*snapshot, blob).expect("readable")
        };
        let found = now(reader.whole(&row.expect("there"))).expect("readable");
        assert!(found == octets(number.expect("a number")), "to {to}");
    }
}

/// 400 mails that leave, every tenth into INBOX too; items of those not divisible by 7 are dropped.
fn filled(yard: &mut Yard) {
    for number in 0..400 {
        yard.leave(number);
        if number % 10 == 0 {
            yard.deliver(number);
        }
    }
    yard.settle();
    let gone = (1..=400).filter(|id| (id - 1) % 7 != 0).map(ItemId);
    let items: Vec<ItemId> = gone.collect();
    match ask(
        &*yard.lmdb,
        Write::QueueDrop {
            items: items.clone(),
        },
    ) {
        Ok(Outcome::Items(dropped)) => assert_eq!(dropped, items),
        other => panic!("{other:?}"),
    }
}

#[test]
fn they_move_and_are_freed() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut tidy = Tidy::by_hand(open(data.path()), at_once()).expect("a tidier");
    let mut yard = Yard::of(tidy.store());
    filled(&mut yard);
    // Segments that are closed can be given back.
    for number in 1_000..1_200 {
        yard.deliver(number);
    }
    yard.settle();
    let before = yard.allocated();
    tidy_up(&mut tidy);
    assert!(yard.allocated() < before, "space came back");
    assert_eq!(queue(&yard.lmdb).len(), 58);
    whole(&yard.lmdb);
    sound(&yard.lmdb);
    let moved = queue(&yard.lmdb).into_iter().filter(|(_, _, blob)| {
        let snapshot = yard.lmdb.snapshot().expect("a snapshot");
        let row = read::blob(&*snapshot, *blob).expect("readable");
        row.is_some_and(|row| row.log != blob.log())
    });
    assert!(moved.count() > 0, "some have moved");
    drop((yard, tidy));

    // What moved tells in its new record that it leaves.
    let rebuilt = anew(data.path(), OldIndex::Ignore);
    assert!(rebuilt.items >= 58 && rebuilt.held == rebuilt.items);
    let lmdb = open(data.path());
    whole(&lmdb);
    sound(&lmdb);
}

fn anew(data: &Path, old_index: OldIndex) -> Rebuilt {
    let mut told = |_, _| ControlFlow::Continue(());
    let rebuilt = rebuild(data, "example.org", old_index, &options(), &mut told);
    let rebuilt = rebuilt.expect("rebuilt");
    assert_eq!(rebuilt.damages, Vec::<String>::new());
    rebuilt
}

#[test]
fn an_old_index_tells_what_is_left() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut yard = Yard::open(data.path());
    filled(&mut yard);
    let hold = Write::QueueHold {
        items: vec![ItemId(8)],
        why: "wait".into(),
    };
    ask(&*yard.lmdb, hold).expect("held");
    let before = queue(&yard.lmdb);
    drop(yard);
    let rebuilt = anew(data.path(), OldIndex::Read);
    assert_eq!(rebuilt.unread, Vec::<String>::new());
    assert_eq!((rebuilt.items, rebuilt.held), (58, 1));
    let lmdb = open(data.path());
    assert_eq!(queue(&lmdb), before, "the same envelopes, and no more");
    whole(&lmdb);
    sound(&lmdb);
    // Numbers go on above those that were given.
    let next = read::next_item(&*lmdb.snapshot().expect("a snapshot"));
    assert_eq!(next, Ok(ItemId(401 + 58)));
}

#[test]
fn without_one_nothing_is_sent_unasked() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let mut yard = Yard::open(data.path());
    filled(&mut yard);
    drop(yard);
    fs::remove_dir_all(data.path().join("index")).expect("removed");
    let rebuilt = anew(data.path(), OldIndex::Read);
    assert_eq!((rebuilt.items, rebuilt.held), (400, 400));
    let lmdb = open(data.path());
    assert!(queue(&lmdb).iter().all(|(_, held, _)| *held));
    let snapshot = lmdb.snapshot().expect("a snapshot");
    let due = read::due(&*snapshot, (0, ItemId(0)), |_, id| panic!("{id}"));
    assert_eq!(due, Ok(()));
    drop(snapshot);
    whole(&lmdb);
    sound(&lmdb);
}

/// Credentials, bans, hits and transcripts are taken over.
#[test]
fn what_else_is_kept() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let yard = Yard::open(data.path());
    let keys = |octet| Scram {
        iterations: 4_096,
        salt: vec![octet; 16],
        stored_key: [octet; 32],
        server_key: [octet; 32],
    };
    let network: Cidr = "192.0.2.0/24".parse().expect("a network");
    let app = |name: &str| Write::CredentialAdd {
        account: ACCOUNT,
        name: name.into(),
        scopes: scope::ALL,
        secret: "$sha256$".into(),
        scram: None,
    };
    for write in [
        Write::AccountSecret {
            account: ACCOUNT,
            secret: "$argon2id$".into(),
            scram: Some(keys(1)),
        },
        app("phone"),
        Write::Ban {
            network,
            until: u64::MAX,
            reason: "guessed".into(),
        },
        Write::Trap {
            kind: Trap::Address,
            network,
        },
        Write::Transcript {
            trace: TraceId(9),
            row: transcript::encode(1, "S: 550 no"),
        },
    ] {
        ask(&*yard.lmdb, write).expect("done");
    }
    drop(yard);
    let rebuilt = anew(data.path(), OldIndex::Read);
    assert_eq!(rebuilt.unread, Vec::<String>::new());
    let lmdb = open(data.path());
    sound(&lmdb);
    let snapshot = lmdb.snapshot().expect("a snapshot");
    let main = read::main_keys(&*snapshot, ACCOUNT).expect("readable");
    assert_eq!(main.map(|row| row.to_scram()), Some(keys(1)));
    let phone = read::app_password(&*snapshot, ACCOUNT, 1).expect("readable");
    assert_eq!(phone.map(|row| row.name), Some("phone"));
    let ban = read::ban(&*snapshot, network, 0).expect("readable");
    assert_eq!(ban.map(|ban| ban.reason), Some("guessed"));
    let hits = read::reputation(&*snapshot, Trap::Address, network);
    assert!(hits.expect("readable").is_some_and(|row| row.hits == 1));
    let kept = read::transcript(&*snapshot, TraceId(9));
    assert_eq!(kept, Ok(Some((1, "S: 550 no".into()))));
    drop(snapshot);
    assert_eq!(ask(&*lmdb, app("desk")), Ok(Outcome::Credential(2)));
}
