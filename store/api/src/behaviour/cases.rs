//! What a store does, case by case, on a fresh store each.

mod bounds;
mod kept;
mod mailboxes;
mod messages;
mod queue;
mod space;

use super::{Heard, ask, sound, tables};
use crate::read::{Room, Since};
use crate::table::{ChangeKind, Encoding, Stretch, flag, special};
use crate::write::{
    AliasTarget, Deliver, FlagChange, Missing, Placed, Position, Relocate, StoreFlags, Target,
    Transfer,
};
use crate::{Error, Outcome, Store, Table, Write, read};
use ringpost_types::{AccountId, BlobId, MailboxId, ModSeq, Uid};
use std::ops::ControlFlow;

/// A case: its name, and what panics where a store is wrong.
pub type Case = (&'static str, fn(&dyn Store));

/// All cases.
pub const ALL: &[Case] = &[
    ("a new account has its mailboxes", mailboxes::new_account),
    (
        "a mail goes to all of its targets once",
        messages::deliver_once,
    ),
    ("a target whose mailbox is gone", messages::targets_gone),
    ("the last reference frees a mail", messages::last_reference),
    ("flags and keywords", messages::flags),
    ("STORE with UNCHANGEDSINCE", messages::unchanged_since),
    ("a 65th keyword", messages::keyword_limit),
    ("EXPUNGE", messages::expunge),
    ("COPY and MOVE", messages::transfer),
    (r"\Recent", messages::recent),
    ("CREATE", mailboxes::create),
    ("DELETE", mailboxes::delete),
    ("RENAME", mailboxes::rename),
    ("RENAME of INBOX", mailboxes::rename_inbox),
    ("UIDVALIDITY is never used again", mailboxes::uidvalidity),
    ("subscriptions outlive mailboxes", mailboxes::subscriptions),
    ("accounts and aliases", mailboxes::accounts),
    ("the change feed", feed),
    ("UIDVALIDITY after a restore", mailboxes::revalidate),
    ("quota", bounds::quota),
    ("disabled", bounds::disabled),
    ("what is gone is swept", bounds::sweeping),
    ("EXPUNGE of many", bounds::expunging),
    ("what is forgotten is told", bounds::trimming),
    ("the last reference frees a record", space::freed),
    ("a mail that moved", space::relocated),
    ("mails that leave", queue::leaving_mails),
    ("a mail that only leaves", queue::leaving_alone),
    ("a mail that leaves and moved", queue::moved),
    ("items that are held", queue::held),
    ("keys of passwords", kept::scram),
    ("app passwords", kept::app_passwords),
    ("transcripts", kept::transcripts),
    ("bans", kept::bans),
    ("traps", kept::traps),
];

const ONE: AccountId = AccountId(1);
const INBOX: MailboxId = MailboxId::INBOX;

fn account(store: &dyn Store, name: &str) -> AccountId {
    match ask(
        store,
        Write::AccountCreate {
            name: name.into(),
            secret: "$x$".into(),
            scram: None,
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
        stored: 100,
        encoding: Encoding::Raw,
        record: Stretch {
            segment: 1,
            offset: sequence * 4096 - 64,
            octets: 2112,
        },
        checksum: 77,
        digest: b"digest".to_vec(),
        text: b"text".to_vec(),
        targets,
        items: vec![],
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

fn feed(store: &dyn Store) {
    account(store, "a@example.test");
    let claim = Write::ClaimRecent {
        account: ONE,
        mailbox: INBOX,
    };
    // Feeds are told after the answer: once this is answered, all were told of the account.
    ask(store, claim.clone()).expect("claimed");
    let heard = Heard::of(store);
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
    ask(store, claim).expect("claimed");
    let heard = heard.all();
    assert!(
        heard
            .iter()
            .all(|changed| (changed.account, changed.mailbox) == (ONE, INBOX))
    );
    assert!(heard.iter().any(|changed| changed.modseq == end));

    let mut kinds = Vec::new();
    let snapshot = store.snapshot().expect("a snapshot");
    let told = read::changes_since(&*snapshot, ONE, start, Some(INBOX), |change| {
        kinds.push((change.place.uid.0, change.kind));
        ControlFlow::Continue(())
    });
    assert_eq!(told, Ok(Since::Known));
    assert_eq!(kinds, [(1, ChangeKind::Vanished), (2, ChangeKind::Flags)]);
    let told = read::changes_since(&*snapshot, ONE, start, Some(MailboxId(2)), |_| {
        panic!("not there")
    });
    assert_eq!(told, Ok(Since::Known));
    drop(snapshot);
    sound(store);
}
