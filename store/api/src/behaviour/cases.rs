//! What a store does, case by case, on a fresh store each.

use super::{ask, recount, tables};
use crate::table::{ChangeKind, flag, special};
use crate::write::{
    AliasTarget, Deliver, FlagChange, Missing, Placed, Position, StoreFlags, Target, Transfer,
};
use crate::{Changed, Error, Feed, Outcome, Store, Write, read};
use ringpost_types::{AccountId, BlobId, MailboxId, ModSeq, Uid};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

/// A case: its name, and what panics where a store is wrong.
pub type Case = (&'static str, fn(&dyn Store));

/// All cases.
pub const ALL: &[Case] = &[
    ("a new account has its mailboxes", new_account),
    ("a mail goes to all of its targets once", deliver_once),
    ("a target whose mailbox is gone", targets_gone),
    ("the last reference frees a mail", last_reference),
    ("flags and keywords", flags),
    ("STORE with UNCHANGEDSINCE", unchanged_since),
    ("a 65th keyword", keyword_limit),
    ("EXPUNGE", expunge),
    ("COPY and MOVE", transfer),
    (r"\Recent", recent),
    ("CREATE", create),
    ("DELETE", delete),
    ("RENAME", rename),
    ("RENAME of INBOX", rename_inbox),
    ("UIDVALIDITY is never used again", uidvalidity),
    ("subscriptions outlive mailboxes", subscriptions),
    ("accounts and aliases", accounts),
    ("the change feed", feed),
];

const ONE: AccountId = AccountId(1);
const INBOX: MailboxId = MailboxId::INBOX;

fn account(store: &dyn Store, name: &str) -> AccountId {
    match ask(
        store,
        Write::AccountCreate {
            name: name.into(),
            secret: "$x$".into(),
        },
    ) {
        Ok(Outcome::Account(id)) => id,
        other => panic!("{other:?}"),
    }
}

fn target(account: AccountId, mailbox: MailboxId, missing: Missing) -> Target {
    Target {
        account,
        mailbox,
        missing,
        flags: 0,
        keywords: vec![],
        internal_date: 1_000,
        prefix: b"Return-Path: <>\r\n".to_vec(),
    }
}

fn record(sequence: u64, targets: Vec<Target>) -> Write {
    Write::Deliver(Deliver {
        blob: BlobId::new(3, sequence),
        segment: 1,
        offset: sequence * 4096,
        octets: 100,
        checksum: 77,
        digest: b"digest".to_vec(),
        targets,
        next: Position {
            segment: 1,
            offset: sequence * 4096 + 2048,
            sequence: sequence + 1,
        },
    })
}

/// Delivers a mail into a mailbox of account 1; its UID.
fn put(store: &dyn Store, sequence: u64, mailbox: MailboxId) -> Uid {
    let write = record(sequence, vec![target(ONE, mailbox, Missing::Inbox)]);
    match ask(store, write) {
        Ok(Outcome::Delivered(placed)) => placed[0].uid,
        other => panic!("{other:?}"),
    }
}

fn set(
    mailbox: MailboxId,
    uids: &[u32],
    change: FlagChange,
    flags: u32,
    keywords: &[&str],
) -> Write {
    Write::Store(StoreFlags {
        account: ONE,
        mailbox,
        uids: uids.iter().map(|&uid| Uid(uid)).collect(),
        change,
        flags,
        keywords: keywords.iter().map(|&keyword| keyword.into()).collect(),
        unchanged_since: None,
    })
}

/// Name, messages, unseen, deleted of every mailbox; only subscribed ones with `None`.
fn names(store: &dyn Store) -> Vec<(String, Option<u32>)> {
    let snapshot = store.snapshot().expect("a snapshot");
    let mut names = Vec::new();
    read::mailboxes(&*snapshot, ONE, |name, mailbox| {
        names.push((name.to_owned(), mailbox.map(|(_, row)| row.messages)));
        ControlFlow::Continue(())
    })
    .expect("readable");
    names
}

fn id(store: &dyn Store, name: &str) -> MailboxId {
    let snapshot = store.snapshot().expect("a snapshot");
    read::mailbox_id(&*snapshot, ONE, name)
        .expect("readable")
        .expect("a mailbox of that name")
}

fn sound(store: &dyn Store) {
    recount::check(&*store.snapshot().expect("a snapshot"));
}

fn new_account(store: &dyn Store) {
    assert_eq!(account(store, "Ann@Example.test"), ONE);
    let again = Write::AccountCreate {
        name: "ann@example.test".into(),
        secret: "".into(),
    };
    assert_eq!(ask(store, again), Err(Error::Exists));
    let snapshot = store.snapshot().expect("a snapshot");
    let (found, row) = read::account_by_address(&*snapshot, "ann@example.test")
        .expect("readable")
        .expect("the account");
    assert_eq!(
        (found, row.name, row.secret),
        (ONE, "Ann@Example.test", "$x$")
    );
    let mut seen = Vec::new();
    read::mailboxes(&*snapshot, ONE, |name, mailbox| {
        let (_, row) = mailbox.expect("there");
        assert!(row.special & special::SUBSCRIBED != 0);
        seen.push((name.to_owned(), row.special & !special::SUBSCRIBED));
        ControlFlow::Continue(())
    })
    .expect("readable");
    let expected = [
        ("Archive", special::ARCHIVE),
        ("Drafts", special::DRAFTS),
        ("INBOX", 0),
        ("Junk", special::JUNK),
        ("Sent", special::SENT),
        ("Trash", special::TRASH),
    ];
    assert_eq!(seen, expected.map(|(name, bits)| (name.to_owned(), bits)));
    let inbox = read::mailbox_by_name(&*snapshot, ONE, "iNbOx")
        .expect("readable")
        .expect("INBOX");
    assert_eq!(inbox.0, INBOX);
    drop(snapshot);
    sound(store);
}

fn deliver_once(store: &dyn Store) {
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

fn targets_gone(store: &dyn Store) {
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

fn last_reference(store: &dyn Store) {
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

fn flags(store: &dyn Store) {
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

fn unchanged_since(store: &dyn Store) {
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

fn keyword_limit(store: &dyn Store) {
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

fn expunge(store: &dyn Store) {
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

fn transfer(store: &dyn Store) {
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

fn recent(store: &dyn Store) {
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

fn create(store: &dyn Store) {
    account(store, "a@example.test");
    let create = |name: &str| {
        let write = Write::MailboxCreate {
            account: ONE,
            name: name.into(),
            special: 0,
        };
        ask(store, write).map(|_| ())
    };
    assert_eq!(create("x/y/z/"), Ok(()));
    let expected = ["x", "x/y", "x/y/z"].map(|name| (name.to_owned(), Some(0)));
    assert!(names(store).ends_with(&expected));
    for taken in ["x", "x/y/z", "INBOX", "inbox", "Sent"] {
        assert_eq!(create(taken), Err(Error::Exists), "{taken}");
    }
    for wrong in ["", "/", "a//b", "/a", "a\u{7}", "a*"] {
        assert!(matches!(create(wrong), Err(Error::Cannot(_))), "{wrong:?}");
    }
    assert_eq!(create(&"n".repeat(255)), Ok(()));
    assert_eq!(
        create(&"n".repeat(256)),
        Err(Error::Limit("mailbox_name_octets_max"))
    );
    assert_eq!(create("inbox/sub"), Ok(()));
    assert!(names(store).contains(&("INBOX/sub".into(), Some(0))));
    let nobody = Write::MailboxCreate {
        account: AccountId(8),
        name: "x".into(),
        special: 0,
    };
    assert_eq!(ask(store, nobody), Err(Error::NoAccount));
    sound(store);
}

fn delete(store: &dyn Store) {
    account(store, "a@example.test");
    let delete = |name: &str| {
        ask(
            store,
            Write::MailboxDelete {
                account: ONE,
                name: name.into(),
            },
        )
    };
    let create = Write::MailboxCreate {
        account: ONE,
        name: "x/y".into(),
        special: 0,
    };
    ask(store, create).expect("created");
    put(store, 1, id(store, "x"));
    put(store, 2, id(store, "x/y"));
    assert_eq!(delete("x"), Ok(Outcome::Done));
    assert!(
        names(store).ends_with(&[("x/y".into(), Some(1))]),
        "what is below it stays"
    );
    assert_eq!(delete("x"), Err(Error::NoMailbox));
    assert!(matches!(delete("inbox"), Err(Error::Cannot(_))));
    sound(store);
}

fn rename(store: &dyn Store) {
    account(store, "a@example.test");
    let rename = |from: &str, to: &str| {
        ask(
            store,
            Write::MailboxRename {
                account: ONE,
                from: from.into(),
                to: to.into(),
            },
        )
    };
    for name in ["x/y", "x/y/y", "xx"] {
        let create = Write::MailboxCreate {
            account: ONE,
            name: name.into(),
            special: 0,
        };
        ask(store, create).expect("created");
    }
    put(store, 1, id(store, "x/y"));
    let before = id(store, "x/y");
    assert_eq!(rename("x", "new/x"), Ok(Outcome::Done));
    assert_eq!(id(store, "new/x/y"), before);
    let expected = [
        ("new", 0),
        ("new/x", 0),
        ("new/x/y", 1),
        ("new/x/y/y", 0),
        ("xx", 0),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), Some(count)));
    assert!(names(store).ends_with(&expected));
    assert!(matches!(rename("new", "new/deeper"), Err(Error::Cannot(_))));
    assert_eq!(rename("xx", "new/x"), Err(Error::Exists));
    assert_eq!(rename("nothing", "else"), Err(Error::NoMailbox));
    // A level up, over names that are on the move themselves.
    ask(
        store,
        Write::MailboxDelete {
            account: ONE,
            name: "new/x".into(),
        },
    )
    .expect("deleted");
    assert_eq!(rename("new/x/y", "new/x"), Ok(Outcome::Done));
    let expected = [("new", 0), ("new/x", 1), ("new/x/y", 0), ("xx", 0)];
    let expected = expected.map(|(name, count)| (name.to_owned(), Some(count)));
    assert!(names(store).ends_with(&expected));
    sound(store);
}

fn rename_inbox(store: &dyn Store) {
    account(store, "a@example.test");
    put(store, 1, INBOX);
    put(store, 2, INBOX);
    let create = Write::MailboxCreate {
        account: ONE,
        name: "INBOX/sub".into(),
        special: 0,
    };
    ask(store, create).expect("created");
    ask(
        store,
        set(INBOX, &[1], FlagChange::Add, flag::SEEN, &["$K"]),
    )
    .expect("stored");
    let rename = Write::MailboxRename {
        account: ONE,
        from: "inbox".into(),
        to: "old/mail".into(),
    };
    assert_eq!(ask(store, rename), Ok(Outcome::Done));
    let names = names(store);
    for expected in [("INBOX", 0), ("INBOX/sub", 0), ("old", 0), ("old/mail", 2)] {
        assert!(
            names.contains(&(expected.0.to_owned(), Some(expected.1))),
            "{expected:?}"
        );
    }
    let snapshot = store.snapshot().expect("a snapshot");
    let (_, row) = read::mailbox_by_name(&*snapshot, ONE, "old/mail")
        .expect("readable")
        .expect("there");
    assert_eq!(
        (row.unseen, row.keywords().collect::<Vec<_>>()),
        (1, vec!["$K"])
    );
    assert_eq!(
        read::mailbox(&*snapshot, ONE, INBOX).map(|row| row.map(|row| row.uidnext)),
        Ok(Some(Uid(3)))
    );
    drop(snapshot);
    sound(store);
}

fn uidvalidity(store: &dyn Store) {
    account(store, "a@example.test");
    let mut seen = Vec::new();
    for _ in 0..3 {
        let create = Write::MailboxCreate {
            account: ONE,
            name: "x".into(),
            special: 0,
        };
        ask(store, create).expect("created");
        let snapshot = store.snapshot().expect("a snapshot");
        let (_, row) = read::mailbox_by_name(&*snapshot, ONE, "x")
            .expect("readable")
            .expect("there");
        seen.push(row.uidvalidity);
        drop(snapshot);
        ask(
            store,
            Write::MailboxDelete {
                account: ONE,
                name: "x".into(),
            },
        )
        .expect("deleted");
    }
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
}

fn subscriptions(store: &dyn Store) {
    account(store, "a@example.test");
    let subscribe = |name: &str, on| {
        ask(
            store,
            Write::Subscribe {
                account: ONE,
                name: name.into(),
                on,
            },
        )
        .expect("subscribed")
    };
    let bit = |store: &dyn Store, name: &str| {
        let snapshot = store.snapshot().expect("a snapshot");
        let found = read::mailbox_by_name(&*snapshot, ONE, name).expect("readable");
        found.map(|(_, row)| row.special & special::SUBSCRIBED != 0)
    };
    subscribe("later", true);
    assert!(names(store).ends_with(&[("later".into(), None)]));
    let create = Write::MailboxCreate {
        account: ONE,
        name: "later".into(),
        special: 0,
    };
    ask(store, create).expect("created");
    assert_eq!(bit(store, "later"), Some(true));
    ask(
        store,
        Write::MailboxDelete {
            account: ONE,
            name: "later".into(),
        },
    )
    .expect("deleted");
    assert!(names(store).ends_with(&[("later".into(), None)]));
    subscribe("later", false);
    assert!(!names(store).iter().any(|(name, _)| name == "later"));

    // RENAME is no SUBSCRIBE: the old name stays subscribed, the new one is not.
    let rename = Write::MailboxRename {
        account: ONE,
        from: "Sent".into(),
        to: "Out".into(),
    };
    ask(store, rename).expect("renamed");
    assert_eq!(bit(store, "Out"), Some(false));
    assert!(names(store).contains(&("Sent".into(), None)));
    subscribe("inbox", false);
    assert_eq!(bit(store, "INBOX"), Some(false));
    sound(store);
}

fn accounts(store: &dyn Store) {
    account(store, "a@example.test");
    let two = account(store, "b@example.test");
    let alias = |address: &str, targets: &[AliasTarget]| {
        ask(
            store,
            Write::AliasPut {
                address: address.into(),
                targets: targets.to_vec(),
            },
        )
    };
    let both = [AliasTarget::Account(ONE), AliasTarget::Account(two)];
    assert_eq!(alias("Info@example.test", &both), Ok(Outcome::Done));
    assert_eq!(alias("only@example.test", &both[..1]), Ok(Outcome::Done));
    assert!(matches!(
        alias("a@example.test", &both),
        Err(Error::Cannot(_))
    ));
    assert!(matches!(
        alias("none@example.test", &[]),
        Err(Error::Cannot(_))
    ));
    let nobody = [AliasTarget::Account(AccountId(9))];
    assert_eq!(alias("x@example.test", &nobody), Err(Error::NoAccount));
    let taken = Write::AccountCreate {
        name: "info@example.test".into(),
        secret: "".into(),
    };
    assert_eq!(ask(store, taken), Err(Error::Exists));
    let own = Write::AliasRemove {
        address: "a@example.test".into(),
    };
    assert!(matches!(ask(store, own), Err(Error::Cannot(_))));

    let secret = Write::AccountSecret {
        account: two,
        secret: "$new$".into(),
    };
    assert_eq!(ask(store, secret), Ok(Outcome::Done));
    put(store, 1, INBOX);
    assert_eq!(
        ask(store, Write::AccountRemove { account: ONE }),
        Ok(Outcome::Done)
    );
    let snapshot = store.snapshot().expect("a snapshot");
    assert_eq!(read::account(&*snapshot, ONE), Ok(None));
    assert_eq!(read::address(&*snapshot, "a@example.test"), Ok(None));
    assert_eq!(read::address(&*snapshot, "only@example.test"), Ok(None));
    let info = read::address(&*snapshot, "info@example.test")
        .expect("readable")
        .expect("there");
    assert_eq!(info.targets().count(), 1);
    let row = read::account(&*snapshot, two)
        .expect("readable")
        .expect("there");
    assert_eq!(row.secret, "$new$");
    assert_eq!(read::blob(&*snapshot, BlobId::new(3, 1)), Ok(None));
    drop(snapshot);
    assert_eq!(
        account(store, "a@example.test"),
        AccountId(3),
        "an id is never used again"
    );
    sound(store);
}

#[derive(Default)]
struct Heard(Mutex<Vec<Changed>>);

impl Feed for Heard {
    fn changed(&self, changes: &[Changed]) {
        self.0
            .lock()
            .expect("nobody panics with it")
            .extend_from_slice(changes);
    }
}

fn feed(store: &dyn Store) {
    account(store, "a@example.test");
    let heard = Arc::new(Heard::default());
    let weak: std::sync::Weak<dyn Feed> = Arc::downgrade(&(heard.clone() as Arc<dyn Feed>));
    store.subscribe(weak);
    let modseq = || {
        let snapshot = store.snapshot().expect("a snapshot");
        read::account(&*snapshot, ONE)
            .expect("readable")
            .expect("there")
            .modseq
    };
    let start = modseq();
    put(store, 1, INBOX);
    put(store, 2, INBOX);
    ask(store, set(INBOX, &[1], FlagChange::Add, flag::DELETED, &[])).expect("stored");
    ask(
        store,
        Write::Expunge {
            account: ONE,
            mailbox: INBOX,
            uids: None,
        },
    )
    .expect("expunged");
    let end = modseq();
    assert_eq!(end, ModSeq(start.0 + 4), "one for each write");
    // A feed is told after the commit and may be told after the answer: one more write, and the former are told.
    ask(store, set(INBOX, &[2], FlagChange::Add, flag::SEEN, &[])).expect("stored");
    ask(
        store,
        Write::ClaimRecent {
            account: ONE,
            mailbox: INBOX,
        },
    )
    .expect("claimed");
    let heard = heard.0.lock().expect("nobody panics with it").clone();
    assert!(
        heard
            .iter()
            .all(|changed| (changed.account, changed.mailbox) == (ONE, INBOX))
    );
    assert!(heard.iter().any(|changed| changed.modseq == end));

    let mut kinds = Vec::new();
    let snapshot = store.snapshot().expect("a snapshot");
    read::changes_since(&*snapshot, ONE, start, Some(INBOX), |change| {
        kinds.push((change.uid.0, change.kind));
        ControlFlow::Continue(())
    })
    .expect("readable");
    assert_eq!(kinds, [(1, ChangeKind::Vanished), (2, ChangeKind::Flags)]);
    read::changes_since(&*snapshot, ONE, start, Some(MailboxId(2)), |_| {
        panic!("not there")
    })
    .expect("readable");
    drop(snapshot);
    sound(store);
}
