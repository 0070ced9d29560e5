//! The queue: what comes with a mail, is held, released, dropped; references of mails that leave.

use super::*;
use crate::apply::ITEMS_MAX;
use crate::item::{Head, Item, Kind, Recipient, State};
use ringpost_types::ItemId;

/// An item for one recipient, due at `due`.
fn item(due: u64, address: &str) -> Item {
    Item {
        head: Head {
            created: 1,
            due,
            // What stands here is not looked at.
            blob: BlobId(99),
            ..Head::default()
        },
        sender: Some("a@example.test".into()),
        recipients: vec![Recipient {
            address: address.into(),
            due,
            ..Recipient::default()
        }],
        ..Item::default()
    }
}

fn leaving(sequence: u64, targets: Vec<Target>, items: Vec<Item>) -> Write {
    let Write::Deliver(deliver) = record(sequence, targets) else {
        unreachable!("it was made as one");
    };
    Write::Deliver(Deliver { items, ..deliver })
}

/// Items by when they are due.
fn due(store: &dyn Store) -> Vec<(u64, u64)> {
    let snapshot = store.snapshot().expect("a snapshot");
    let mut all = Vec::new();
    read::due(&*snapshot, (0, ItemId(0)), |ms, id| {
        all.push((ms, id.0));
        ControlFlow::Continue(())
    })
    .expect("readable");
    all
}

fn one(store: &dyn Store, id: u64) -> Option<Item> {
    let snapshot = store.snapshot().expect("a snapshot");
    let row = read::item(&*snapshot, ItemId(id)).expect("readable");
    row.map(|row| row.to_item())
}

fn references(store: &dyn Store, sequence: u64) -> Option<u32> {
    let snapshot = store.snapshot().expect("a snapshot");
    let row = read::blob(&*snapshot, BlobId::new(3, sequence)).expect("readable");
    row.map(|row| row.references)
}

fn ids(items: &[u64]) -> Vec<ItemId> {
    items.iter().map(|&id| ItemId(id)).collect()
}

fn drop_items(store: &dyn Store, items: &[u64]) -> Result<Outcome, Error> {
    let items = ids(items);
    ask(store, Write::QueueDrop { items })
}

pub(super) fn leaving_mails(store: &dyn Store) {
    account(store, "a@example.test");
    let here = target(ONE, INBOX, Missing::Inbox);
    let items = vec![item(30, "b@other.test"), item(20, "c@third.test")];
    let both = leaving(1, vec![here], items);
    assert!(matches!(
        ask(store, both.clone()),
        Ok(Outcome::Delivered(placed)) if placed.len() == 1
    ));
    let notice = Item {
        head: Head {
            kind: Kind::Notice,
            ..item(10, "a@example.test").head
        },
        ..item(10, "a@example.test")
    };
    let away = leaving(2, vec![], vec![notice]);
    assert_eq!(ask(store, away), Ok(Outcome::Delivered(vec![])));
    assert_eq!(due(store), [(10, 3), (20, 2), (30, 1)]);
    assert_eq!(
        (references(store, 1), references(store, 2)),
        (Some(3), Some(1))
    );
    let first = one(store, 1).expect("there");
    assert_eq!(first.head.blob, BlobId::new(3, 1), "the mail it came with");
    assert_eq!(first.recipients, item(30, "b@other.test").recipients);
    assert_eq!(one(store, 3).map(|item| item.head.kind), Some(Kind::Notice));
    sound(store);
    // A record that was applied is passed over, and no number is given twice.
    let before = tables(store);
    assert_eq!(ask(store, both), Ok(Outcome::Done));
    assert_eq!(before, tables(store));

    // The copy goes first, then the items: with the last of them the mail.
    for write in [
        set(INBOX, &[1], FlagChange::Add, flag::DELETED, &[]),
        Write::Expunge {
            account: ONE,
            mailbox: INBOX,
            uids: None,
        },
    ] {
        ask(store, write).expect("done");
    }
    assert_eq!(references(store, 1), Some(2));
    let dropped = drop_items(store, &[1, 7, 1]);
    assert_eq!(dropped, Ok(Outcome::Items(ids(&[1]))));
    assert_eq!(references(store, 1), Some(1));
    sound(store);
    assert_eq!(drop_items(store, &[2, 3]), Ok(Outcome::Items(ids(&[2, 3]))));
    assert_eq!((references(store, 1), references(store, 2)), (None, None));
    assert_eq!(due(store), []);
    let snapshot = store.snapshot().expect("a snapshot");
    let dead = read::segment(&*snapshot, 3, 1).expect("readable");
    assert_eq!(dead.dead_records, 2);
    drop(snapshot);
    ask(store, leaving(3, vec![], vec![item(5, "d@other.test")])).expect("delivered");
    assert_eq!(due(store), [(5, 4)], "a number of its own");
    sound(store);
}

/// Nobody that it came for is there, but for those elsewhere.
pub(super) fn leaving_alone(store: &dyn Store) {
    let gone = target(ONE, INBOX, Missing::Inbox);
    let write = leaving(1, vec![gone], vec![item(1, "b@other.test")]);
    assert!(matches!(
        ask(store, write),
        Ok(Outcome::Delivered(placed)) if placed[0].uid == Uid(0)
    ));
    assert_eq!((references(store, 1), due(store).len()), (Some(1), 1));
    // Nobody searches it: it has no text.
    assert!(!tables(store).keys().any(|(table, _)| *table == Table::Text));
    sound(store);
    // For nobody at all.
    let nobody = Item {
        recipients: vec![],
        ..Item::default()
    };
    assert!(matches!(
        ask(store, leaving(2, vec![], vec![nobody])),
        Err(Error::Cannot(_))
    ));
    sound(store);
}

pub(super) fn moved(store: &dyn Store) {
    ask(store, leaving(1, vec![], vec![item(1, "b@other.test")])).expect("delivered");
    let blob = BlobId::new(3, 1);
    let relocate = Write::Relocate(Relocate {
        blob,
        log: 65_534,
        segment: 1,
        offset: 100,
        stored: 100,
        encoding: Encoding::Raw,
        checksum: 77,
        record: Stretch {
            segment: 1,
            offset: 64,
            octets: 200,
        },
        next: Position {
            segment: 1,
            offset: 264,
            sequence: 2,
        },
    });
    ask(store, relocate).expect("applied");
    assert_eq!(references(store, 1), Some(1));
    assert_eq!(one(store, 1).map(|item| item.head.blob), Some(blob));
    sound(store);
    drop_items(store, &[1]).expect("dropped");
    let snapshot = store.snapshot().expect("a snapshot");
    let dead = read::segment(&*snapshot, 65_534, 1).expect("readable");
    assert_eq!(dead.dead_octets, 200, "where it is now");
    std::mem::drop(snapshot);
    sound(store);
}

pub(super) fn held(store: &dyn Store) {
    let mut tried = item(20, "c@other.test");
    (tried.head.state, tried.head.attempts) = (State::Deferred, 2);
    let items = vec![item(10, "b@other.test"), tried];
    ask(store, leaving(1, vec![], items)).expect("delivered");
    let hold = |items: &[u64], why: &str| {
        let (items, why) = (ids(items), why.to_owned());
        ask(store, Write::QueueHold { items, why })
    };
    let release = |items: &[u64]| ask(store, Write::QueueRelease { items: ids(items) });
    assert_eq!(release(&[1, 2]), Ok(Outcome::Items(vec![])), "none is held");
    assert_eq!(hold(&[2, 1, 9], "wait"), Ok(Outcome::Items(ids(&[2, 1]))));
    assert_eq!(due(store), []);
    let first = one(store, 1).expect("there");
    assert_eq!((first.head.state, &*first.why), (State::Held, "wait"));
    sound(store);
    assert_eq!(hold(&[1], "longer"), Ok(Outcome::Items(ids(&[1]))));
    assert_eq!(one(store, 1).map(|item| item.why), Some("longer".into()));
    assert_eq!(release(&[1, 2]), Ok(Outcome::Items(ids(&[1, 2]))));
    assert_eq!(due(store), [(10, 1), (20, 2)], "when it was");
    let states = [1, 2].map(|id| one(store, id).expect("there"));
    assert_eq!(
        states.map(|item| (item.head.state, item.why)),
        [
            (State::Queued, String::new()),
            (State::Deferred, String::new())
        ]
    );
    sound(store);
    // One that is held can be dropped.
    hold(&[1], "wait").expect("held");
    assert_eq!(drop_items(store, &[1]), Ok(Outcome::Items(ids(&[1]))));
    sound(store);
    let many: Vec<u64> = (1..=ITEMS_MAX as u64).collect();
    assert_eq!(release(&many), Ok(Outcome::Items(vec![])));
    let more: Vec<u64> = (0..=ITEMS_MAX as u64).collect();
    assert!(matches!(release(&more), Err(Error::Limit(_))));
}
