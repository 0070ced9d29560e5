//! Quota, what is swept by and by, what the change feed forgets.

use super::*;
use crate::apply::EXPUNGE_MAX;
use crate::behaviour::client::Client;

fn append(sequence: u64, mailbox: MailboxId) -> Write {
    record(sequence, vec![target(ONE, mailbox, Missing::Refuse)])
}

fn usage(store: &dyn Store) -> (u32, u64) {
    let snapshot = store.snapshot().expect("a snapshot");
    let row = read::account(&*snapshot, ONE).expect("readable");
    let row = row.expect("there");
    (row.messages, row.octets)
}

fn room(store: &dyn Store, octets: u64) -> Room {
    let snapshot = store.snapshot().expect("a snapshot");
    read::room(&*snapshot, ONE, octets).expect("readable")
}

/// A message takes 117 octets: a mail of 100 and a prefix of 17.
pub(super) fn quota(store: &dyn Store) {
    account(store, "a@example.test");
    let quota = |octets, messages| {
        let write = Write::Quota {
            account: ONE,
            octets,
            messages,
        };
        assert_eq!(ask(store, write), Ok(Outcome::Done));
    };
    let transfer = |mode| {
        let write = Write::Transfer {
            account: ONE,
            mailbox: INBOX,
            uids: vec![Uid(1)],
            target: MailboxId(2),
            mode,
        };
        ask(store, write).map(|_| ())
    };
    quota(234, 0);
    assert!(ask(store, append(1, INBOX)).is_ok());
    assert!(ask(store, append(2, INBOX)).is_ok(), "up to the last octet");
    assert_eq!(usage(store), (2, 234));
    assert_eq!((room(store, 0), room(store, 1)), (Room::Enough, Room::Full));
    assert_eq!(room(store, 235), Room::Never);
    let before = tables(store);
    assert_eq!(transfer(Transfer::Copy), Err(Error::Quota));
    assert_eq!(before, tables(store));
    assert_eq!(ask(store, append(3, INBOX)), Err(Error::Quota));
    let freed = {
        let snapshot = store.snapshot().expect("a snapshot");
        read::segment(&*snapshot, 3, 1).expect("readable")
    };
    assert_eq!((freed.dead_octets, freed.dead_records), (2112, 1));
    // What was accepted comes in; what is there may move.
    put(store, 4, INBOX);
    assert_eq!(transfer(Transfer::Move), Ok(()));
    assert_eq!(usage(store), (3, 351));

    quota(0, 4);
    assert_eq!(room(store, 1 << 40), Room::Enough);
    assert!(ask(store, append(5, INBOX)).is_ok());
    assert_eq!(ask(store, append(6, INBOX)), Err(Error::Quota));
    assert_eq!(room(store, 0), Room::Full);
    let empty = Write::Transfer {
        account: ONE,
        mailbox: INBOX,
        uids: vec![Uid(99)],
        target: INBOX,
        mode: Transfer::Copy,
    };
    assert!(ask(store, empty).is_ok());
    quota(0, 0);
    assert!(ask(store, append(7, INBOX)).is_ok());
    let nobody = Write::Quota {
        account: AccountId(9),
        octets: 0,
        messages: 0,
    };
    assert_eq!(ask(store, nobody), Err(Error::NoAccount));
    sound(store);
}

/// An account whose logins are refused keeps all that it has, and gets its mail.
pub(super) fn disabled(store: &dyn Store) {
    account(store, "a@example.test");
    let is_disabled = || {
        let snapshot = store.snapshot().expect("a snapshot");
        let row = read::account(&*snapshot, ONE).expect("readable");
        row.expect("an account").disabled
    };
    let disable = |account, disabled| ask(store, Write::AccountDisable { account, disabled });
    assert!(!is_disabled());
    for (sequence, disabled) in [(1, true), (2, true), (3, false)] {
        assert_eq!(disable(ONE, disabled), Ok(Outcome::Done));
        assert_eq!(is_disabled(), disabled);
        put(store, sequence, INBOX);
        assert_eq!(is_disabled(), disabled);
    }
    assert_eq!(disable(AccountId(9), true), Err(Error::NoAccount));
    sound(store);
}

/// Sweeps until nothing is left; how many writes that took.
fn sweep(store: &dyn Store) -> usize {
    let mut writes = 0;
    loop {
        writes += 1;
        sound(store);
        match ask(store, Write::Sweep) {
            Ok(Outcome::Swept { more: true }) => {}
            Ok(Outcome::Swept { more: false }) => return writes,
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn sweeping(store: &dyn Store) {
    account(store, "a@example.test");
    let mailbox = MailboxId(2);
    let many =
        |sequence, count| record(sequence, vec![target(ONE, mailbox, Missing::Inbox); count]);
    ask(store, many(1, 2_500)).expect("delivered");
    put(store, 2, INBOX);
    let delete = Write::MailboxDelete {
        account: ONE,
        name: "Drafts".into(),
    };
    ask(store, delete).expect("deleted");
    assert_eq!(usage(store), (1, 117), "nobody counts them any more");
    let references = || {
        let snapshot = store.snapshot().expect("a snapshot");
        read::blob(&*snapshot, BlobId::new(3, 1))
            .expect("readable")
            .map(|row| row.references)
    };
    assert_eq!(references(), Some(1_500));
    // Nobody takes up where it was.
    let create = Write::MailboxCreate {
        account: ONE,
        name: "Drafts".into(),
        special: 0,
    };
    assert_eq!(ask(store, create), Ok(Outcome::Mailbox(MailboxId(7))));
    assert_eq!(sweep(store), 2);
    assert_eq!(references(), None);

    let again = vec![target(ONE, INBOX, Missing::Inbox); 1_500];
    ask(store, record(3, again)).expect("delivered");
    ask(store, Write::AccountRemove { account: ONE }).expect("removed");
    assert!(sweep(store) > 1);
    let left = tables(store);
    let kept = [Table::Applied, Table::Setting, Table::Free, Table::Segment];
    let left: Vec<_> = left
        .keys()
        .filter(|(table, _)| !kept.contains(table))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// One more than one write takes out. RFC 9051 §6.4.3 does not ask for all at once.
pub(super) fn expunging(store: &dyn Store) {
    account(store, "a@example.test");
    let one = Target {
        flags: flag::DELETED,
        ..target(ONE, INBOX, Missing::Inbox)
    };
    let expunge = |uids| {
        let write = Write::Expunge {
            account: ONE,
            mailbox: INBOX,
            uids,
        };
        match ask(store, write) {
            Ok(Outcome::Expunged { uids, more, .. }) => (uids.len(), more),
            other => panic!("{other:?}"),
        }
    };
    let all: Vec<Uid> = (1..=4 * EXPUNGE_MAX as u32).map(Uid).collect();
    ask(store, record(1, vec![one.clone(); EXPUNGE_MAX])).expect("delivered");
    assert_eq!(expunge(None), (EXPUNGE_MAX, false));
    ask(store, record(2, vec![one.clone(); EXPUNGE_MAX + 1])).expect("delivered");
    assert_eq!(expunge(None), (EXPUNGE_MAX, true));
    assert_eq!(expunge(None), (1, false));
    ask(store, record(3, vec![one; EXPUNGE_MAX + 1])).expect("delivered");
    assert_eq!(expunge(Some(all.clone())), (EXPUNGE_MAX, true));
    assert_eq!(expunge(Some(all)), (1, false));
    sound(store);
}

pub(super) fn trimming(store: &dyn Store) {
    account(store, "a@example.test");
    let mut client = Client::new(ONE, INBOX);
    let mut quiet = Client::new(ONE, MailboxId(3));
    put(store, 1, MailboxId(3));
    for sequence in 2..=6 {
        put(store, sequence, INBOX);
    }
    let sync = |client: &mut Client| client.sync(&*store.snapshot().expect("a snapshot"));
    assert_eq!(
        (sync(&mut client), sync(&mut quiet)),
        (Since::Known, Since::Known)
    );
    ask(
        store,
        set(INBOX, &[1, 2, 3], FlagChange::Add, flag::DELETED, &[]),
    )
    .expect("stored");
    let expunge = |uid| {
        let write = Write::Expunge {
            account: ONE,
            mailbox: INBOX,
            uids: Some(vec![Uid(uid)]),
        };
        match ask(store, write) {
            Ok(Outcome::Expunged { modseq, .. }) => modseq,
            other => panic!("{other:?}"),
        }
    };
    let (first, second) = (expunge(1), expunge(2));
    let trim = |upto| {
        let write = Write::Trim { account: ONE, upto };
        assert_eq!(ask(store, write), Ok(Outcome::Trimmed { more: false }));
        sound(store);
    };
    let vanished_since = |after| {
        let (mut uids, snapshot) = (Vec::new(), store.snapshot().expect("a snapshot"));
        let told = read::vanished_since(&*snapshot, ONE, INBOX, after, |uid| {
            uids.push(uid.0);
            ControlFlow::Continue(())
        });
        (told.expect("readable"), uids)
    };
    let before = ModSeq(first.0 - 1);
    assert_eq!(vanished_since(before), (Since::Known, vec![1, 2]));
    trim(before);
    assert_eq!(vanished_since(before), (Since::Known, vec![1, 2]));
    trim(first);
    assert_eq!(vanished_since(before), (Since::Trimmed, vec![]));
    assert_eq!(vanished_since(first), (Since::Known, vec![2]));
    trim(ModSeq(u64::MAX));
    assert_eq!(vanished_since(first), (Since::Trimmed, vec![]));
    assert_eq!(vanished_since(second), (Since::Known, vec![]));
    let third = expunge(3);
    assert!(second < third);
    assert_eq!(vanished_since(second), (Since::Known, vec![3]));
    // Of INBOX something is forgotten, of the other mailbox nothing that its client does not know.
    assert_eq!(
        (sync(&mut client), sync(&mut quiet)),
        (Since::Trimmed, Since::Known)
    );
    let snapshot = store.snapshot().expect("a snapshot");
    let told = read::changes_since(&*snapshot, ONE, before, None, |_| panic!("not all"));
    assert_eq!(told, Ok(Since::Trimmed));
}
