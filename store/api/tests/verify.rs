//! Damage to rows, one at a time: what `verify` tells of it. And a store so large that one look does not take it in.

use ringpost_api::behaviour::model::{Memory, Model};
use ringpost_api::behaviour::{ask, script, tables};
use ringpost_api::edits::Rows;
use ringpost_api::item::{Head, Item, Recipient};
use ringpost_api::network::{self, Trap};
use ringpost_api::table::{AccountRow, BlobRow, MailboxRow, MessageRow, SegmentRow, Stretch, flag};
use ringpost_api::write::{
    AliasTarget, Deliver, FlagChange, Missing, Position, StoreFlags, Target,
};
use ringpost_api::{Table, Write, key, verify};
use ringpost_types::{AccountId, BlobId, Cidr, ItemId, MailboxId, ModSeq, Uid};

const ONE: AccountId = AccountId(1);
const INBOX: MailboxId = MailboxId::INBOX;
const BLOB: BlobId = BlobId(1);

/// Two accounts. The first has one mail twice in INBOX, UIDs 1 and 3, with a prefix; UID 2 has left. The mail leaves in two
/// envelopes, of which the second is held. The first account has an app password; a network is banned and was caught.
fn store() -> Memory {
    let store = Model::default();
    let target = Target {
        account: ONE,
        mailbox: INBOX,
        missing: Missing::Inbox,
        flags: 0,
        keywords: vec!["k".into()],
        internal_date: 0,
        prefix: b"P: x\r\n".to_vec(),
    };
    let item = |due| Item {
        head: Head {
            due,
            ..Head::default()
        },
        recipients: vec![Recipient::default()],
        ..Item::default()
    };
    let deliver = |sequence: u64, targets, items| {
        Write::Deliver(Deliver {
            blob: BlobId::new(0, sequence),
            segment: 1,
            offset: sequence * 1_000 + 100,
            octets: 50,
            stored: 50,
            record: Stretch {
                segment: 1,
                offset: sequence * 1_000,
                octets: 200,
            },
            targets,
            items,
            next: Position {
                segment: 1,
                offset: sequence * 1_000 + 200,
                sequence: sequence + 1,
            },
            ..Deliver::default()
        })
    };
    let (deleted, two) = (
        StoreFlags {
            account: ONE,
            mailbox: INBOX,
            uids: vec![Uid(2)],
            change: FlagChange::Add,
            flags: flag::DELETED,
            keywords: vec![],
            unchanged_since: None,
        },
        vec![target.clone(), target.clone(), target],
    );
    let alias = Write::AliasPut {
        address: "alias@example.test".into(),
        targets: vec![AliasTarget::Account(AccountId(2))],
    };
    let expunge = Write::Expunge {
        account: ONE,
        mailbox: INBOX,
        uids: None,
    };
    let writes = [
        deliver(1, two, vec![item(7), item(8)]),
        deliver(2, vec![], vec![]),
        Write::Store(deleted),
        expunge,
        alias,
        Write::QueueHold {
            items: vec![ItemId(2)],
            why: "wait".into(),
        },
        Write::CredentialAdd {
            account: ONE,
            name: "phone".into(),
            scopes: 1,
            secret: "$".into(),
            scram: None,
        },
        Write::Ban {
            network: network(),
            until: u64::MAX,
            reason: "guessed".into(),
        },
        Write::Trap {
            kind: Trap::Defer,
            network: network(),
        },
    ];
    for write in script::accounts().into_iter().chain(writes) {
        ask(&store, write).expect("done");
    }
    let mut rows = Memory::default();
    for ((table, key), value) in tables(&store) {
        rows.put(table, &key, &value).expect("memory");
    }
    rows
}

fn network() -> Cidr {
    Cidr::around([192, 0, 2, 0].into(), 24)
}

fn findings(rows: &Memory) -> Vec<String> {
    let mut findings = Vec::new();
    let checked = verify::check(rows, &mut |finding| findings.push(finding.to_string()));
    let checked = checked.expect("memory does not fail");
    assert_eq!(checked.findings, findings.len() as u64);
    findings
}

#[test]
fn a_sound_store() {
    let checked = verify::check(&store(), &mut |finding| panic!("{finding}"));
    let expected = verify::Checked {
        accounts: 2,
        mailboxes: 12,
        messages: 2,
        blobs: 1,
        items: 2,
        octets: 50,
        findings: 0,
    };
    assert_eq!(checked, Ok(expected));
}

fn put(rows: &mut Memory, table: Table, key: &[u8], value: &[u8]) {
    rows.put(table, key, value).expect("memory");
}

fn delete(rows: &mut Memory, table: Table, key: &[u8]) {
    rows.delete(table, key).expect("memory");
}

fn get(rows: &Memory, table: Table, key: &[u8]) -> Vec<u8> {
    use ringpost_api::Snapshot;
    let value = rows.get(table, key).expect("memory");
    value.expect("a row to damage").to_vec()
}

fn account(rows: &mut Memory, change: impl FnOnce(&mut AccountRow<'_>)) {
    let value = get(rows, Table::Account, &key::account(ONE));
    let mut row = AccountRow::read(&value).expect("readable");
    change(&mut row);
    let mut new = Vec::new();
    row.encode(&mut new);
    put(rows, Table::Account, &key::account(ONE), &new);
}

fn mailbox(rows: &mut Memory, change: impl FnOnce(&mut MailboxRow<'_>)) {
    let value = get(rows, Table::Mailbox, &key::mailbox(ONE, INBOX));
    let mut row = MailboxRow::read(&value).expect("readable");
    change(&mut row);
    let mut new = Vec::new();
    row.encode(&mut new);
    put(rows, Table::Mailbox, &key::mailbox(ONE, INBOX), &new);
}

fn message(rows: &mut Memory, change: impl FnOnce(&mut MessageRow)) {
    let key = key::message(ONE, INBOX, Uid(1));
    let mut row = MessageRow::read(&get(rows, Table::Message, &key)).expect("readable");
    change(&mut row);
    put(rows, Table::Message, &key, &row.encode());
}

fn blob(rows: &mut Memory, change: impl FnOnce(&mut BlobRow)) {
    let mut row = BlobRow::read(&get(rows, Table::Blob, &key::blob(BLOB))).expect("readable");
    change(&mut row);
    put(rows, Table::Blob, &key::blob(BLOB), &row.encode());
}

/// What is done to the rows, and what is told.
type Case = (fn(&mut Memory), &'static [&'static str]);

const CASES: &[Case] = &[
    (
        |rows| account(rows, |row| row.octets += 1),
        &["account 1: octets says 113, counted 112"],
    ),
    (
        |rows| account(rows, |row| row.mailboxes = 9),
        &["account 1: mailboxes says 9, counted 6"],
    ),
    (
        |rows| account(rows, |row| row.vanished = 0),
        &["account 1: vanished says 0, counted 7"],
    ),
    (
        |rows| account(rows, |row| row.name = "other@example.test"),
        &["account 1: its own address is missing"],
    ),
    (
        |rows| account(rows, |row| row.next_mailbox = MailboxId(6)),
        &["account 1, mailbox 6: its id was never given out"],
    ),
    (
        |rows| mailbox(rows, |row| row.unseen = 7),
        &["account 1, mailbox 1: unseen says 7, counted 2"],
    ),
    (
        |rows| mailbox(rows, |row| row.uidnext = Uid(3)),
        &["account 1, mailbox 1, UID 3: its UID was never given out"],
    ),
    (
        |rows| mailbox(rows, |row| row.keyword_octets = b""),
        &[
            "account 1, mailbox 1, UID 1: it has keywords that its mailbox has not",
            "account 1, mailbox 1, UID 3: it has keywords that its mailbox has not",
        ],
    ),
    (
        |rows| delete(rows, Table::MailboxName, &key::mailbox_name(ONE, "INBOX")),
        &["account 1, mailbox 1: its name is missing"],
    ),
    (
        |rows| {
            put(
                rows,
                Table::MailboxName,
                &key::mailbox_name(ONE, "x"),
                &INBOX.0.to_le_bytes(),
            )
        },
        &["table mailbox_name, key 0000000178: the mailbox of that name is missing"],
    ),
    (
        |rows| message(rows, |row| row.octets += 1),
        &[
            "account 1, mailbox 1: octets says 112, counted 113",
            "account 1: octets says 112, counted 113",
            "account 1, mailbox 1, UID 1: octets says 57, counted 56",
        ],
    ),
    (
        |rows| message(rows, |row| row.modseq = ModSeq(3)),
        &[
            "account 1, mailbox 1, UID 1: its row in table change is missing",
            "table change, key 0000000100000000000000020000000100000001: nobody refers to it",
        ],
    ),
    (
        |rows| message(rows, |row| row.blob = BlobId(9)),
        &[
            "account 1, mailbox 1, UID 1: its mail is missing",
            "mail 0000000000000001: references says 4, counted 3",
        ],
    ),
    (
        |rows| delete(rows, Table::Prefix, &key::message(ONE, INBOX, Uid(3))),
        &["account 1, mailbox 1, UID 3: prefix octets says 6, counted 0"],
    ),
    (
        |rows| put(rows, Table::Prefix, &key::message(ONE, INBOX, Uid(2)), b"x"),
        &["table prefix, key 000000010000000100000002: nobody refers to it"],
    ),
    (
        |rows| {
            put(
                rows,
                Table::Message,
                &key::message(ONE, INBOX, Uid(1)),
                b"short",
            )
        },
        &[
            "account 1, mailbox 1, UID 1: cannot be read: table message: row of a wrong length",
            "account 1, mailbox 1: messages says 2, counted 1",
            "account 1, mailbox 1: unseen says 2, counted 1",
            "account 1, mailbox 1: octets says 112, counted 56",
            "account 1: messages says 2, counted 1",
            "account 1: octets says 112, counted 56",
            "mail 0000000000000001: references says 4, counted 3",
        ],
    ),
    (
        |rows| put(rows, Table::Account, &key::account(AccountId(2)), b"short"),
        &["account 2: cannot be read: table account: row of a wrong length"],
    ),
    (
        |rows| {
            let row = get(rows, Table::Message, &key::message(ONE, INBOX, Uid(1)));
            put(
                rows,
                Table::Message,
                &key::message(ONE, MailboxId(9), Uid(1)),
                &row,
            );
            put(
                rows,
                Table::Message,
                &key::message(AccountId(9), INBOX, Uid(1)),
                &row,
            );
            blob(rows, |row| row.references = 6);
        },
        &[
            "table message, key 000000010000000900000001: nobody refers to it",
            "table message, key 000000090000000100000001: nobody refers to it",
        ],
    ),
    (
        |rows| blob(rows, |row| row.references = 1),
        &["mail 0000000000000001: references says 1, counted 4"],
    ),
    (
        |rows| blob(rows, |row| row.record.offset = 1_900),
        &["mail 0000000000000001: octets of it are told to be free"],
    ),
    (
        |rows| delete(rows, Table::Digest, &key::blob(BLOB)),
        &["mail 0000000000000001: its digest is missing"],
    ),
    (
        |rows| put(rows, Table::Text, &key::blob(BlobId(7)), b"text"),
        &["table text, key 0000000000000007: nobody refers to it"],
    ),
    (
        |rows| {
            put(
                rows,
                Table::Applied,
                &key::log(0),
                &Position::default().encode(),
            )
        },
        &["mail 0000000000000001: its log is not applied so far"],
    ),
    (
        |rows| {
            put(
                rows,
                Table::Segment,
                &key::segment(0, 1),
                &SegmentRow::default().encode(),
            )
        },
        &["log 0, segment 1: it counts less than is free in it"],
    ),
    (
        |rows| {
            put(
                rows,
                Table::Free,
                &key::free(0, 1, 2_100),
                &[1, 0, 0, 0, 0, 0, 0, 0],
            )
        },
        &[
            "table free, key 0000000000010000000000000834: it overlaps the stretch before it",
            "log 0, segment 1: it counts less than is free in it",
        ],
    ),
    (
        |rows| delete(rows, Table::Account, &key::account(AccountId(2))),
        &[
            "address alias@example.test: an account that it leads to is missing",
            "address b@example.test: an account that it leads to is missing",
            "table mailbox, key 0000000200000001: nobody refers to it",
            "table mailbox_name, key 0000000241726368697665: nobody refers to it",
            "table change, key 0000000200000000000000010000000100000000: nobody refers to it",
        ],
    ),
    (
        |rows| delete(rows, Table::Queue, &key::item(ItemId(1))),
        &[
            "table due, key 00000000000000070000000000000001: nobody refers to it",
            "mail 0000000000000001: references says 4, counted 3",
        ],
    ),
    (
        |rows| delete(rows, Table::Due, &key::due(7, ItemId(1))),
        &["queue item 1: its row in table due is missing"],
    ),
    (
        |rows| put(rows, Table::Due, &key::due(8, ItemId(2)), b""),
        &["table due, key 00000000000000080000000000000002: nobody refers to it"],
    ),
    (
        |rows| put(rows, Table::Queue, &key::item(ItemId(2)), b"short"),
        &[
            "queue item 2: cannot be read: table queue: row of a wrong length",
            "mail 0000000000000001: references says 4, counted 3",
        ],
    ),
    (
        |rows| {
            let mut row = get(rows, Table::Queue, &key::item(ItemId(2)));
            row[0] = 9;
            put(rows, Table::Queue, &key::item(ItemId(2)), &row);
        },
        &[
            "queue item 2: its mail is missing",
            "mail 0000000000000001: references says 4, counted 3",
        ],
    ),
    (
        |rows| put(rows, Table::Setting, b"next_item", &2u64.to_le_bytes()),
        &["setting next_item: it is below what was given out"],
    ),
    (
        |rows| {
            put(
                rows,
                Table::Setting,
                b"next_credential",
                &1u32.to_le_bytes(),
            )
        },
        &["setting next_credential: it is below what was given out"],
    ),
    (
        |rows| {
            let row = get(rows, Table::Credential, &key::credential(ONE, 2, 1));
            put(
                rows,
                Table::Credential,
                &key::credential(AccountId(9), 2, 1),
                &row,
            );
            put(rows, Table::Credential, &key::credential(ONE, 1, 0), &row);
        },
        &[
            "table credential, key 000000010100000000: no such credential",
            "table credential, key 000000090200000001: nobody refers to it",
        ],
    ),
    (
        |rows| put(rows, Table::Setting, b"bans", &2u32.to_le_bytes()),
        &["setting bans: the number of rows says 2, counted 1"],
    ),
    (
        |rows| delete(rows, Table::Ban, &network::key(network())),
        &[
            "setting bans: the number of rows says 1, counted 0",
            "table expire, key 02ffffffffffffffff0418c0000200: nobody refers to it",
        ],
    ),
    (
        |rows| put(rows, Table::Reputation, b"x", &[0; 20]),
        &[
            "table reputation, key 78: cannot be read: table reputation: a key of 1 octets is too short",
            "setting reputations: the number of rows says 1, counted 2",
        ],
    ),
    (
        |rows| put(rows, Table::Setting, b"next_account", &2u32.to_le_bytes()),
        &["setting next_account: it is below what was given out"],
    ),
];

#[test]
fn damage_is_told() {
    for (at, (damage, expected)) in CASES.iter().enumerate() {
        let mut rows = store();
        damage(&mut rows);
        assert_eq!(findings(&rows), *expected, "case {at}");
    }
}
