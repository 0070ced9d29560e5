//! Counts again what rows say of other rows. A store that [`check`] goes through hangs together.

use crate::table::{ChangeKind, flag};
use crate::{Snapshot, Table, key, read};
use ringpost_types::{AccountId, Address, BlobId, MailboxId, ModSeq, Uid};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

type Place = (AccountId, MailboxId, Uid);

/// Panics where a counter, a reference or a name is not what counting gives.
pub fn check(rows: &dyn Snapshot) {
    let mut live: BTreeMap<Place, ModSeq> = BTreeMap::new();
    let mut prefixes = BTreeSet::new();
    let mut references: BTreeMap<BlobId, u32> = BTreeMap::new();
    let mut accounts = Vec::new();
    read::accounts(rows, |id, row| {
        accounts.push(id);
        let key = row.name.parse::<Address>().expect("an address").key();
        let named = read::account_by_address(rows, &key).expect("readable");
        assert_eq!(
            named.map(|(id, _)| id),
            Some(id),
            "the account's own address leads to it"
        );
        assert!(
            read::mailbox(rows, id, MailboxId::INBOX)
                .expect("readable")
                .is_some()
        );
        let (mut mailboxes, mut octets) = (0, 0);
        read::mailboxes(rows, id, |name, mailbox| {
            let Some((mailbox, row_of)) = mailbox else {
                return ControlFlow::Continue(());
            };
            assert_eq!(row_of.name, name);
            assert!(mailbox < row.next_mailbox && row_of.highest_modseq <= row.modseq);
            let (mut messages, mut unseen, mut deleted, mut size) = (0, 0, 0, 0);
            read::messages(rows, id, mailbox, Uid(0), |uid, message| {
                messages += 1;
                unseen += u32::from(message.flags & flag::SEEN == 0);
                deleted += u32::from(message.flags & flag::DELETED != 0);
                size += u64::from(message.octets);
                assert!(Uid(0) < uid && uid < row_of.uidnext);
                assert!(message.modseq <= row_of.highest_modseq);
                assert!(message.keywords < 1 << row_of.keywords().count());
                live.insert((id, mailbox, uid), message.modseq);
                *references.entry(message.blob).or_default() += 1;
                let prefix = read::prefix(rows, id, mailbox, uid).expect("readable");
                assert_eq!(prefix.len(), usize::from(message.prefix_octets));
                if !prefix.is_empty() {
                    prefixes.insert((id, mailbox, uid));
                }
                ControlFlow::Continue(())
            })
            .expect("readable");
            assert_eq!(
                (row_of.messages, row_of.unseen, row_of.deleted),
                (messages, unseen, deleted)
            );
            assert_eq!(row_of.octets, size);
            mailboxes += 1;
            octets += size;
            ControlFlow::Continue(())
        })
        .expect("readable");
        assert_eq!((row.mailboxes, row.octets), (mailboxes, octets));
        ControlFlow::Continue(())
    })
    .expect("readable");

    assert_eq!(
        count(rows, Table::Message),
        live.len(),
        "no message outside a mailbox"
    );
    assert_eq!(
        count(rows, Table::Prefix),
        prefixes.len(),
        "no prefix without a message"
    );
    assert_eq!(
        count(rows, Table::Blob),
        references.len(),
        "no blob without a message"
    );
    assert_eq!(
        count(rows, Table::Digest),
        references.len(),
        "a digest for each blob"
    );
    for (&blob, &expected) in &references {
        let row = read::blob(rows, blob)
            .expect("readable")
            .expect("a message refers to it");
        assert_eq!(row.references, expected, "references of blob {blob}");
        assert!(read::digest(rows, blob).expect("readable").is_some());
    }
    changes(rows, &accounts, live);
}

/// Every message that exists has one change row, its newest.
fn changes(rows: &dyn Snapshot, accounts: &[AccountId], mut live: BTreeMap<Place, ModSeq>) {
    let mut seen = 0;
    for &account in accounts {
        read::changes_since(rows, account, ModSeq(0), None, |change| {
            seen += 1;
            let at = live.remove(&(account, change.mailbox, change.uid));
            match change.kind {
                ChangeKind::Added | ChangeKind::Flags => assert_eq!(at, Some(change.modseq)),
                ChangeKind::Vanished | ChangeKind::Mailbox => assert_eq!(at, None),
            }
            ControlFlow::Continue(())
        })
        .expect("readable");
    }
    assert_eq!(live, BTreeMap::new(), "messages without a change row");
    assert_eq!(
        count(rows, Table::Change),
        seen,
        "no change outside an account"
    );
}

fn count(rows: &dyn Snapshot, table: Table) -> usize {
    let mut count = 0;
    rows.scan(table, &[], &[], &mut |key, _| {
        assert!(key.len() <= key::OCTETS_MAX);
        count += 1;
        ControlFlow::Continue(())
    })
    .expect("readable");
    count
}
