//! Octets of the logs: what becomes free, with the last reference, when a mail moves, when nobody takes it.

use super::*;

/// Rows of table free: log, segment, offset, octets.
fn free(store: &dyn Store) -> Vec<(u16, u32, u64, u64)> {
    let mut rows = Vec::new();
    for ((table, key), value) in tables(store) {
        if table == Table::Free {
            let (log, rest) = key.split_first_chunk().expect("a log");
            let (segment, rest) = rest.split_first_chunk().expect("a segment");
            rows.push((
                u16::from_be_bytes(*log),
                u32::from_be_bytes(*segment),
                u64::from_be_bytes(rest.try_into().expect("an offset")),
                u64::from_le_bytes(value.try_into().expect("octets")),
            ));
        }
    }
    rows
}

fn dead(store: &dyn Store, log: u16, segment: u32) -> (u64, u32) {
    let snapshot = store.snapshot().expect("a snapshot");
    let row = read::segment(&*snapshot, log, segment).expect("readable");
    (row.dead_octets, row.dead_records)
}

fn expunge_all(store: &dyn Store) {
    let uids: Vec<u32> = (1..20).collect();
    ask(
        store,
        set(INBOX, &uids, FlagChange::Add, flag::DELETED, &[]),
    )
    .expect("stored");
    let write = Write::Expunge {
        account: ONE,
        mailbox: INBOX,
        uids: None,
    };
    ask(store, write).expect("expunged");
    sound(store);
}

pub(super) fn freed(store: &dyn Store) {
    account(store, "a@example.test");
    // Two mails, one of them twice, and one that came in a segment of its own: all go in one write.
    put(store, 1, INBOX);
    ask(
        store,
        record(2, vec![target(ONE, INBOX, Missing::Inbox); 2]),
    )
    .expect("delivered");
    let Write::Deliver(mut large) = record(3, vec![target(ONE, INBOX, Missing::Inbox)]) else {
        unreachable!("it was made as one");
    };
    (large.segment, large.offset, large.stored) = (8, 64, 5_000);
    ask(store, Write::Deliver(large)).expect("delivered");
    assert_eq!(free(store), []);
    expunge_all(store);
    let expected = [
        (3, 1, 4096 - 64, 2112),
        (3, 1, 2 * 4096 - 64, 2112),
        (3, 1, 3 * 4096 - 64, 2112),
        (3, 8, 64, 5_000),
    ];
    assert_eq!(free(store), expected);
    assert_eq!(
        (dead(store, 3, 1), dead(store, 3, 8)),
        ((3 * 2112, 3), (5_000, 1))
    );

    // A mail for nobody.
    ask(store, record(4, vec![])).expect("applied");
    assert_eq!(dead(store, 3, 1), (4 * 2112, 4));
    let hole = Stretch {
        segment: 1,
        offset: 4096 - 64,
        octets: 2112,
    };
    let punched = Write::Tidied {
        holes: vec![(3, hole)],
        segments: vec![],
    };
    ask(store, punched).expect("tidied");
    assert_eq!((free(store).len(), dead(store, 3, 1)), (4, (4 * 2112, 4)));
    sound(store);
    let gone = Write::Tidied {
        holes: vec![],
        segments: vec![(3, 1), (3, 8)],
    };
    ask(store, gone).expect("tidied");
    assert_eq!((free(store), dead(store, 3, 1)), (vec![], (0, 0)));
    sound(store);
}

fn relocate(sequence: u64, blob: BlobId, checksum: u64) -> Relocate {
    Relocate {
        blob,
        log: 65_534,
        segment: 1,
        offset: sequence * 1_000 + 100,
        stored: 60,
        encoding: Encoding::Zstd,
        checksum,
        record: Stretch {
            segment: 1,
            offset: sequence * 1_000,
            octets: 200,
        },
        next: Position {
            segment: 1,
            offset: sequence * 1_000 + 200,
            sequence: sequence + 1,
        },
    }
}

pub(super) fn relocated(store: &dyn Store) {
    account(store, "a@example.test");
    put(store, 1, INBOX);
    let blob = BlobId::new(3, 1);
    let moved = Write::Relocate(relocate(1, blob, 77));
    assert_eq!(ask(store, moved.clone()), Ok(Outcome::Done));
    {
        let snapshot = store.snapshot().expect("a snapshot");
        let row = read::blob(&*snapshot, blob)
            .expect("readable")
            .expect("there");
        assert_eq!((row.log, row.offset, row.stored), (65_534, 1_100, 60));
        assert_eq!((row.octets, row.references, row.checksum), (100, 1, 77));
        assert_eq!(row.encoding, Encoding::Zstd);
        let applied = read::applied(&*snapshot, 65_534).expect("readable");
        assert_eq!(applied.sequence, 2);
    }
    assert_eq!(free(store), [(3, 1, 4096 - 64, 2112)]);
    let before = tables(store);
    assert_eq!(ask(store, moved), Ok(Outcome::Done));
    assert_eq!(before, tables(store), "a record is applied once");
    // Another mail's octets, and a mail that is gone: the new place is free.
    ask(store, Write::Relocate(relocate(2, blob, 78))).expect("applied");
    ask(store, Write::Relocate(relocate(3, BlobId::new(3, 9), 77))).expect("applied");
    let new = [(65_534, 1, 2_000, 200), (65_534, 1, 3_000, 200)];
    assert_eq!(free(store)[1..], new);
    sound(store);
    expunge_all(store);
    assert_eq!(dead(store, 65_534, 1), (600, 3));
    assert_eq!(dead(store, 3, 1), (2112, 1));
}
