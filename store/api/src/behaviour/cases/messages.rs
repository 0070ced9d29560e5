//! Mails and messages: delivery, flags, expunge, copy and move.

use super::*;

pub(super) fn deliver_once(store: &dyn Store) {
    let two = account(store, "a@example.test");
    assert_eq!((two, account(store, "b@example.test")), (ONE, AccountId(2)));
    let targets = vec![
        target(ONE, INBOX, Missing::Inbox),
        Target {
            flags: flag::SEEN | 1 << 30,
            keywords: vec!["$Junk".into(), "$junk".into()],
            prefix: vec![],
            ..target(AccountId(2), MailboxId(3), Missing::Inbox)
        },
    ];
    let Ok(Outcome::Delivered(placed)) = ask(store, record(1, targets.clone())) else {
        panic!("delivered");
    };
    let places: Vec<_> = placed
        .iter()
        .map(|p| (p.account, p.mailbox, p.uid))
        .collect();
    assert_eq!(
        places,
        [(ONE, INBOX, Uid(1)), (AccountId(2), MailboxId(3), Uid(1))]
    );
    let before = tables(store);
    assert_eq!(ask(store, record(1, targets)), Ok(Outcome::Done));
    assert_eq!(before, tables(store), "a record is applied once");

    let snapshot = store.snapshot().expect("a snapshot");
    let message = read::message(&*snapshot, ONE, INBOX, Uid(1))
        .expect("readable")
        .expect("there");
    assert_eq!(
        (message.octets, message.prefix_octets, message.internal_date),
        (117, 17, 1_000)
    );
    assert_eq!(
        read::prefix(&*snapshot, ONE, INBOX, Uid(1)),
        Ok(&b"Return-Path: <>\r\n"[..])
    );
    let other = read::message(&*snapshot, AccountId(2), MailboxId(3), Uid(1));
    let other = other.expect("readable").expect("there");
    assert_eq!(
        (other.flags, other.keywords, other.octets),
        (flag::SEEN, 1, 100)
    );
    let blob = read::blob(&*snapshot, message.blob)
        .expect("readable")
        .expect("there");
    assert_eq!(
        (blob.log, blob.segment, blob.offset, blob.octets),
        (3, 1, 4096, 100)
    );
    assert_eq!((blob.checksum, blob.references), (77, 2));
    assert_eq!(
        read::digest(&*snapshot, message.blob),
        Ok(Some(&b"digest"[..]))
    );
    let applied = Position {
        segment: 1,
        offset: 4096 + 2048,
        sequence: 2,
    };
    assert_eq!(read::applied(&*snapshot, 3), Ok(applied));
    assert_eq!(read::applied(&*snapshot, 4), Ok(Position::default()));
    drop(snapshot);
    sound(store);
}

pub(super) fn targets_gone(store: &dyn Store) {
    account(store, "a@example.test");
    let gone = MailboxId(99);
    let write = record(
        1,
        vec![
            target(ONE, gone, Missing::Inbox),
            target(AccountId(9), INBOX, Missing::Inbox),
        ],
    );
    let Ok(Outcome::Delivered(placed)) = ask(store, write) else {
        panic!("delivered")
    };
    assert_eq!((placed[0].mailbox, placed[0].uid), (INBOX, Uid(1)));
    let dropped = Placed {
        account: AccountId(9),
        mailbox: MailboxId(0),
        uidvalidity: 0,
        uid: Uid(0),
    };
    assert_eq!(placed[1], dropped);

    let refused = vec![
        target(ONE, INBOX, Missing::Inbox),
        target(ONE, gone, Missing::Refuse),
    ];
    assert_eq!(ask(store, record(2, refused)), Err(Error::NoMailbox));
    let nobody = vec![target(AccountId(9), INBOX, Missing::Refuse)];
    assert_eq!(ask(store, record(3, nobody)), Err(Error::NoAccount));
    let snapshot = store.snapshot().expect("a snapshot");
    assert_eq!(
        read::applied(&*snapshot, 3).map(|position| position.sequence),
        Ok(4)
    );
    drop(snapshot);
    assert!(names(store).contains(&("INBOX".into(), Some(1))));
    sound(store);
}

pub(super) fn last_reference(store: &dyn Store) {
    account(store, "a@example.test");
    put(store, 1, INBOX);
    let copy = Write::Transfer {
        account: ONE,
        mailbox: INBOX,
        uids: vec![Uid(1)],
        target: MailboxId(2),
        mode: Transfer::Copy,
    };
    ask(store, copy).expect("copied");
    let blob = BlobId::new(3, 1);
    let references = |store: &dyn Store| {
        let snapshot = store.snapshot().expect("a snapshot");
        read::blob(&*snapshot, blob)
            .expect("readable")
            .map(|blob| blob.references)
    };
    for (mailbox, left) in [(INBOX, Some(1)), (MailboxId(2), None)] {
        ask(
            store,
            set(mailbox, &[1], FlagChange::Add, flag::DELETED, &[]),
        )
        .expect("stored");
        ask(
            store,
            Write::Expunge {
                account: ONE,
                mailbox,
                uids: None,
            },
        )
        .expect("expunged");
        assert_eq!(references(store), left);
        sound(store);
    }
}

pub(super) fn flags(store: &dyn Store) {
    account(store, "a@example.test");
    for sequence in 1..=3 {
        put(store, sequence, INBOX);
    }
    let row = |store: &dyn Store, uid| {
        let snapshot = store.snapshot().expect("a snapshot");
        read::message(&*snapshot, ONE, INBOX, Uid(uid))
            .expect("readable")
            .expect("there")
    };
    let before = row(store, 3);
    let Ok(Outcome::Stored {
        modseq,
        changed,
        modified,
    }) = ask(
        store,
        set(
            INBOX,
            &[1, 2, 9],
            FlagChange::Add,
            flag::SEEN,
            &["$A", "$B"],
        ),
    )
    else {
        panic!("stored");
    };
    assert_eq!((changed, modified), (vec![Uid(1), Uid(2)], vec![]));
    assert_eq!(
        (row(store, 1).flags, row(store, 1).keywords),
        (flag::SEEN, 0b11)
    );
    assert_eq!(
        (row(store, 1).modseq, row(store, 2).modseq),
        (modseq, modseq)
    );
    assert_eq!(row(store, 3), before);

    // As asked for already: nothing moves.
    let again = ask(
        store,
        set(INBOX, &[1], FlagChange::Add, flag::SEEN, &["$b"]),
    );
    assert_eq!(
        again,
        Ok(Outcome::Stored {
            modseq,
            changed: vec![Uid(1)],
            modified: vec![]
        })
    );

    ask(
        store,
        set(INBOX, &[1], FlagChange::Remove, flag::SEEN, &["$A", "$C"]),
    )
    .expect("stored");
    assert_eq!((row(store, 1).flags, row(store, 1).keywords), (0, 0b10));
    let replace = set(
        INBOX,
        &[1],
        FlagChange::Replace,
        flag::DELETED | flag::DRAFT,
        &["$A"],
    );
    ask(store, replace).expect("stored");
    assert_eq!(
        (row(store, 1).flags, row(store, 1).keywords),
        (flag::DELETED | flag::DRAFT, 0b01)
    );
    let nowhere = set(MailboxId(77), &[1], FlagChange::Add, 1, &[]);
    assert_eq!(ask(store, nowhere), Err(Error::NoMailbox));
    sound(store);
}

pub(super) fn unchanged_since(store: &dyn Store) {
    account(store, "a@example.test");
    put(store, 1, INBOX);
    put(store, 2, INBOX);
    let since = {
        let snapshot = store.snapshot().expect("a snapshot");
        read::account(&*snapshot, ONE)
            .expect("readable")
            .expect("there")
            .modseq
    };
    ask(store, set(INBOX, &[2], FlagChange::Add, flag::SEEN, &[])).expect("stored");
    let Write::Store(mut store_flags) = set(INBOX, &[1, 2], FlagChange::Add, flag::FLAGGED, &[])
    else {
        unreachable!("it was made as one");
    };
    store_flags.unchanged_since = Some(since);
    let Ok(Outcome::Stored {
        changed, modified, ..
    }) = ask(store, Write::Store(store_flags))
    else {
        panic!("stored");
    };
    assert_eq!((changed, modified), (vec![Uid(1)], vec![Uid(2)]));
    sound(store);
}

pub(super) fn keyword_limit(store: &dyn Store) {
    account(store, "a@example.test");
    put(store, 1, INBOX);
    let all: Vec<String> = (0..64).map(|n| format!("k{n}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    ask(store, set(INBOX, &[1], FlagChange::Add, 0, &all)).expect("64 keywords are taken");
    let before = tables(store);
    let one_more = set(INBOX, &[1], FlagChange::Add, flag::SEEN, &["k64"]);
    assert_eq!(ask(store, one_more), Err(Error::Limit("imap_keywords_max")));
    assert_eq!(before, tables(store));
    // A mail is taken all the same, without it.
    let more = Target {
        keywords: vec!["k64".into(), "k63".into()],
        ..target(ONE, INBOX, Missing::Inbox)
    };
    ask(store, record(2, vec![more])).expect("delivered");
    let snapshot = store.snapshot().expect("a snapshot");
    let row = read::message(&*snapshot, ONE, INBOX, Uid(2))
        .expect("readable")
        .expect("there");
    assert_eq!(row.keywords, 1 << 63);
}

pub(super) fn expunge(store: &dyn Store) {
    account(store, "a@example.test");
    for sequence in 1..=5 {
        put(store, sequence, INBOX);
    }
    ask(
        store,
        set(INBOX, &[1, 2, 4], FlagChange::Add, flag::DELETED, &[]),
    )
    .expect("stored");
    let gone = |uids: Option<Vec<Uid>>| match ask(
        store,
        Write::Expunge {
            account: ONE,
            mailbox: INBOX,
            uids,
        },
    ) {
        Ok(Outcome::Expunged { uids, .. }) => uids,
        other => panic!("{other:?}"),
    };
    assert_eq!(gone(Some(vec![Uid(2), Uid(3), Uid(9)])), [Uid(2)]);
    assert_eq!(gone(None), [Uid(1), Uid(4)]);
    assert_eq!(gone(None), []);
    assert_eq!(put(store, 6, INBOX), Uid(6), "a UID is never used again");
    sound(store);
}

pub(super) fn transfer(store: &dyn Store) {
    account(store, "a@example.test");
    put(store, 1, INBOX);
    put(store, 2, INBOX);
    let (sent, target) = (MailboxId(3), MailboxId(2));
    put(store, 3, target);
    // Bit 0 means another keyword there.
    ask(store, set(target, &[1], FlagChange::Add, 0, &["$Other"])).expect("stored");
    ask(
        store,
        set(INBOX, &[1], FlagChange::Add, flag::SEEN, &["$Mine"]),
    )
    .expect("stored");
    let transfer = |from, uids: &[u32], to, mode| {
        let uids = uids.iter().map(|&uid| Uid(uid)).collect();
        ask(
            store,
            Write::Transfer {
                account: ONE,
                mailbox: from,
                uids,
                target: to,
                mode,
            },
        )
    };
    let Ok(Outcome::Transferred { uidvalidity, pairs }) =
        transfer(INBOX, &[1, 2, 7], target, Transfer::Copy)
    else {
        panic!("copied");
    };
    assert_eq!(pairs, [(Uid(1), Uid(2)), (Uid(2), Uid(3))]);
    {
        let snapshot = store.snapshot().expect("a snapshot");
        let row = read::mailbox(&*snapshot, ONE, target)
            .expect("readable")
            .expect("there");
        assert_eq!(row.uidvalidity, uidvalidity);
        assert_eq!(row.keywords().collect::<Vec<_>>(), ["$Other", "$Mine"]);
        let copied = read::message(&*snapshot, ONE, target, Uid(2)).expect("readable");
        let copied = copied.expect("there");
        assert_eq!(
            (copied.flags, copied.keywords, copied.internal_date),
            (flag::SEEN, 2, 1_000)
        );
        assert_eq!(
            read::prefix(&*snapshot, ONE, target, Uid(2)),
            Ok(&b"Return-Path: <>\r\n"[..])
        );
    }
    let moved = transfer(INBOX, &[1, 2], sent, Transfer::Move);
    assert!(matches!(moved, Ok(Outcome::Transferred { pairs, .. }) if pairs.len() == 2));
    assert!(names(store).contains(&("INBOX".into(), Some(0))));
    assert_eq!(
        transfer(sent, &[1], MailboxId(50), Transfer::Move),
        Err(Error::NoMailbox)
    );
    let onto_itself = transfer(sent, &[1, 2], sent, Transfer::Move);
    let expected = vec![(Uid(1), Uid(3)), (Uid(2), Uid(4))];
    assert!(matches!(onto_itself, Ok(Outcome::Transferred { pairs, .. }) if pairs == expected));
    sound(store);
}

pub(super) fn recent(store: &dyn Store) {
    account(store, "a@example.test");
    put(store, 1, INBOX);
    put(store, 2, INBOX);
    let claim = || {
        ask(
            store,
            Write::ClaimRecent {
                account: ONE,
                mailbox: INBOX,
            },
        )
    };
    assert_eq!(
        claim(),
        Ok(Outcome::Recent {
            from: Uid(1),
            to: Uid(3)
        })
    );
    assert_eq!(
        claim(),
        Ok(Outcome::Recent {
            from: Uid(3),
            to: Uid(3)
        })
    );
}
