//! Accounts, their addresses and their mailboxes.

use super::*;

pub(super) fn new_account(store: &dyn Store) {
    assert_eq!(account(store, "Ann@Example.test"), ONE);
    let again = Write::AccountCreate {
        name: "ann@example.test".into(),
        secret: "".into(),
        scram: None,
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

/// Every mailbox has one that none had before, and is told of; messages stay.
pub(super) fn revalidate(store: &dyn Store) {
    account(store, "a@example.test");
    put(store, 1, INBOX);
    let all = || {
        let snapshot = store.snapshot().expect("a snapshot");
        let mut all = Vec::new();
        read::mailboxes(&*snapshot, ONE, |_, mailbox| {
            all.extend(mailbox.map(|(id, row)| (id, row.uidvalidity, row.messages)));
            ControlFlow::Continue(())
        })
        .expect("readable");
        all
    };
    let before = all();
    assert_eq!(
        ask(store, Write::Revalidate { account: ONE }),
        Ok(Outcome::Done)
    );
    let after = all();
    let highest = before.iter().map(|(_, uidvalidity, _)| *uidvalidity).max();
    for (old, new) in before.iter().zip(&after) {
        assert_eq!((old.0, old.2), (new.0, new.2));
        assert!(Some(new.1) > highest, "{old:?} {new:?}");
    }
    let mut distinct: Vec<u32> = after
        .iter()
        .map(|(_, uidvalidity, _)| *uidvalidity)
        .collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), before.len());
    let nobody = Write::Revalidate {
        account: AccountId(9),
    };
    assert_eq!(ask(store, nobody), Err(Error::NoAccount));
    sound(store);
}

pub(super) fn create(store: &dyn Store) {
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

pub(super) fn delete(store: &dyn Store) {
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

pub(super) fn rename(store: &dyn Store) {
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

pub(super) fn rename_inbox(store: &dyn Store) {
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

pub(super) fn uidvalidity(store: &dyn Store) {
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

pub(super) fn subscriptions(store: &dyn Store) {
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

    // A name that two mailboxes pass on to each other was subscribed for neither.
    let create = Write::MailboxCreate {
        account: ONE,
        name: "p/q/q".into(),
        special: 0,
    };
    ask(store, create).expect("created");
    ask(
        store,
        Write::MailboxDelete {
            account: ONE,
            name: "p".into(),
        },
    )
    .expect("deleted");
    let rename = Write::MailboxRename {
        account: ONE,
        from: "p/q".into(),
        to: "p".into(),
    };
    ask(store, rename).expect("renamed");
    assert_eq!(bit(store, "p/q"), Some(false));
    sound(store);
}

pub(super) fn accounts(store: &dyn Store) {
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
        scram: None,
    };
    assert_eq!(ask(store, taken), Err(Error::Exists));
    let own = Write::AliasRemove {
        address: "a@example.test".into(),
    };
    assert!(matches!(ask(store, own), Err(Error::Cannot(_))));

    let secret = Write::AccountSecret {
        account: two,
        secret: "$new$".into(),
        scram: None,
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
