//! What a write comes to before it lands: no edits where nothing changes, and what rows that fail mean.

use ringpost_api::apply::{self, Edits, Rows, Terms};
use ringpost_api::behaviour::model::{Memory, Model};
use ringpost_api::behaviour::{ask, script, tables};
use ringpost_api::item::{Item, Recipient};
use ringpost_api::table::{Encoding, Stretch};
use ringpost_api::write::{Deliver, FlagChange, Missing, Placed, Position, StoreFlags, Target};
use ringpost_api::{Error, Outcome, Row, Snapshot, Store, Table, Write, key, read};
use ringpost_types::limit::Limits;
use ringpost_types::{AccountId, BlobId, ItemId, MailboxId, Uid};
use std::ops::ControlFlow;

/// Rows of which some cannot be had.
struct Failing {
    rows: Memory,
    table: Table,
    key: Vec<u8>,
    error: Error,
}

impl Snapshot for Failing {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<&[u8]>, Error> {
        if table == self.table && key == self.key {
            return Err(self.error.clone());
        }
        self.rows.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        within: &[u8],
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.rows.scan(table, within, from, visit)
    }

    fn last(&self, table: Table, within: &[u8]) -> Result<Option<Row<'_>>, Error> {
        self.rows.last(table, within)
    }
}

impl Rows for Failing {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.rows.put(table, key, value)
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), Error> {
        self.rows.delete(table, key)
    }
}

/// Rows of a store with accounts, in which INBOX of account 1 fails to be read.
fn failing(error: Error) -> Failing {
    let store = Model::default();
    for write in script::accounts() {
        assert!(ask(&store, write).is_ok());
    }
    let mut rows = Memory::default();
    for ((table, key), value) in tables(&store) {
        rows.put(table, &key, &value).expect("memory");
    }
    Failing {
        rows,
        table: Table::Mailbox,
        key: key::mailbox(AccountId(1), MailboxId::INBOX).to_vec(),
        error,
    }
}

fn deliver(accounts: &[u32]) -> Write {
    let target = |&account: &u32| Target {
        account: AccountId(account),
        mailbox: MailboxId::INBOX,
        missing: Missing::Inbox,
        flags: 0,
        keywords: vec![],
        internal_date: 0,
        prefix: vec![],
    };
    Write::Deliver(Deliver {
        blob: BlobId::new(0, 1),
        segment: 1,
        offset: 64,
        octets: 10,
        stored: 10,
        encoding: Encoding::Raw,
        record: Stretch {
            segment: 1,
            offset: 64,
            octets: 136,
        },
        checksum: 0,
        digest: vec![],
        text: vec![],
        targets: accounts.iter().map(target).collect(),
        items: vec![],
        next: Position {
            segment: 1,
            offset: 200,
            sequence: 2,
        },
    })
}

fn terms(limits: &Limits) -> Terms<'_> {
    Terms { now: 1, limits }
}

/// An engine that fails while a mail is applied fails the transaction: the mail is not passed over.
#[test]
fn rows_that_cannot_be_read_refuse_nothing() {
    for error in [Error::Io("disk".into()), Error::Full] {
        let mut rows = failing(error.clone());
        let mut edits = Edits::default();
        let limits = Limits::default();
        let applied = apply::apply(&mut rows, &deliver(&[2, 1]), terms(&limits), &mut edits);
        assert_eq!(applied, Err(error));
        assert_eq!(read::applied(&rows, 0), Ok(Position::default()));
    }
}

/// Damage in one account keeps a mail from that one alone, and is told.
#[test]
fn damage_of_one_account_is_its_own() {
    let error = Error::Damaged("row".into());
    let mut rows = failing(error.clone());
    let mut edits = Edits::default();
    let limits = Limits::default();
    let applied = apply::apply(&mut rows, &deliver(&[1, 2]), terms(&limits), &mut edits);
    let Ok(Ok(Outcome::Delivered(placed))) = applied else {
        panic!("{applied:?}");
    };
    let uids: Vec<Uid> = placed.iter().map(|&Placed { uid, .. }| uid).collect();
    assert_eq!(uids, [Uid(0), Uid(1)]);
    assert_eq!(edits.missed, [(AccountId(1), error.clone())]);
    assert_eq!(edits.freed, [], "kept for whoever repairs that");
    let blob = read::blob(&rows, BlobId::new(0, 1)).expect("readable");
    assert_eq!(blob.map(|blob| blob.references), Some(1));

    // Also where it was for that one alone.
    let mut rows = failing(error);
    let applied = apply::apply(&mut rows, &deliver(&[1]), terms(&limits), &mut edits);
    assert!(matches!(applied, Ok(Ok(Outcome::Delivered(_)))));
    assert_eq!((edits.missed.len(), edits.freed.len()), (1, 0));
    assert_eq!(read::applied(&rows, 0).map(|at| at.sequence), Ok(2));
}

/// A message whose mail is lost can be removed, and its account with all that is left of it.
#[test]
fn what_is_damaged_can_be_removed() {
    let limits = Limits::default();
    let (mut rows, mut edits) = (failing(Error::Full).rows, Edits::default());
    let mut done = |rows: &mut Memory, write| {
        let applied = apply::apply(rows, &write, terms(&limits), &mut edits);
        applied.expect("memory does not fail").expect("done")
    };
    done(&mut rows, deliver(&[1, 2]));
    let blob = BlobId::new(0, 1);
    rows.delete(Table::Blob, &key::blob(blob)).expect("memory");
    done(
        &mut rows,
        Write::AccountRemove {
            account: AccountId(1),
        },
    );
    let message = |account| read::message(&rows, AccountId(account), MailboxId::INBOX, Uid(1));
    assert_eq!(message(1), Ok(None));
    assert!(matches!(message(2), Ok(Some(_))));
}

/// An item that cannot be read can be dropped, and is tried no more.
#[test]
fn a_damaged_item_can_be_dropped() {
    let limits = Limits::default();
    let (mut rows, mut edits) = (failing(Error::Full).rows, Edits::default());
    let Write::Deliver(mut mail) = deliver(&[]) else {
        unreachable!("it was made as one");
    };
    mail.items = vec![Item {
        recipients: vec![Recipient::default()],
        ..Item::default()
    }];
    let mut done = |rows: &mut Memory, write| {
        let applied = apply::apply(rows, &write, terms(&limits), &mut edits);
        applied.expect("memory does not fail").expect("done")
    };
    done(&mut rows, Write::Deliver(mail));
    let item = ItemId(1);
    rows.put(Table::Queue, &key::item(item), b"short")
        .expect("memory");
    let items = vec![item];
    let dropped = done(&mut rows, Write::QueueDrop { items });
    assert_eq!(dropped, Outcome::Items(vec![item]));
    assert_eq!(read::item(&rows, item), Ok(None));
    let due = read::due(&rows, (0, ItemId(0)), |_, id| panic!("{id}"));
    assert_eq!(due, Ok(()));
}

/// Selecting, or setting flags that are set, writes nothing: no page changes, so no flush.
#[test]
fn what_changes_nothing_has_no_edits() {
    let store = Model::default();
    for write in script::accounts() {
        assert!(ask(&store, write).is_ok());
    }
    assert!(ask(&store, deliver(&[1])).is_ok());
    let (account, mailbox) = (AccountId(1), MailboxId::INBOX);
    let claim = Write::ClaimRecent { account, mailbox };
    let seen = Write::Store(StoreFlags {
        account,
        mailbox,
        uids: vec![Uid(1)],
        change: FlagChange::Add,
        flags: 1,
        keywords: vec!["k".into()],
        unchanged_since: None,
    });
    let limits = Limits::default();
    let mut edits = Edits::default();
    for write in [claim, seen] {
        let snapshot = store.snapshot().expect("a snapshot");
        let planned = apply::plan(&*snapshot, &write, terms(&limits), &mut edits);
        assert!(planned.is_ok() && !edits.is_empty());
        assert!(ask(&store, write.clone()).is_ok());
        let snapshot = store.snapshot().expect("a snapshot");
        let planned = apply::plan(&*snapshot, &write, terms(&limits), &mut edits);
        assert!(planned.is_ok() && edits.is_empty(), "{write:?}");
    }
}
