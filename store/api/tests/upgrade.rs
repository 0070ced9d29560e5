//! Stores of older versions of the schema, written octet by octet as that version wrote them, become stores of this one.

use ringpost_api::behaviour::model::Memory;
use ringpost_api::edits::Rows;
use ringpost_api::row::AddressTarget;
use ringpost_api::table::{Encoding, Place, Stretch, VERSION};
use ringpost_api::upgrade::{Refused, Upgraded, upgrade};
use ringpost_api::{Error, Snapshot, Table, key, read, verify};
use ringpost_types::{AccountId, BlobId, MailboxId, ModSeq, Uid};

const ONE: AccountId = AccountId(1);
const INBOX: MailboxId = MailboxId::INBOX;

fn version(rows: &mut Memory, version: u32) {
    put(rows, Table::Setting, b"version", &[&version.to_le_bytes()]);
}

fn put(rows: &mut Memory, table: Table, key: &[u8], parts: &[&[u8]]) {
    rows.put(table, key, &parts.concat()).expect("memory");
}

/// Version 1: an account with INBOX, `messages` messages in it, each its own mail, and one that left.
fn one(messages: u32) -> Memory {
    let (u16, u32, u64) = (u16::to_le_bytes, u32::to_le_bytes, u64::to_le_bytes);
    let mut rows = Memory::default();
    let all = &mut rows;
    version(all, 1);
    put(all, Table::Setting, b"next_account", &[&u32(2)]);
    put(all, Table::Setting, b"uidvalidity", &[&u32(77)]);
    let (modseq, octets) = (u64(3), u64(10 * u64::from(messages)));
    let secret = b"$argon2id$";
    let account: &[&[u8]] = &[
        &u32(2),
        &u32(1),
        &modseq,
        &octets,
        &u16(secret.len() as u16),
        &u16(0),
        &[0; 4],
        secret,
        b"a@example.test",
    ];
    put(all, Table::Account, &key::account(ONE), account);
    put(
        all,
        Table::Address,
        b"a@example.test",
        &[&u16(1), &[0], &u32(1)],
    );
    let mailbox: &[&[u8]] = &[
        &u32(77),
        &u32(messages + 2),
        &modseq,
        &u32(messages),
        &u32(messages),
        &u32(0),
        &u32(1),
        &octets,
        &u32(0),
        &u32(0),
        &[0; 8],
        b"INBOX",
    ];
    put(all, Table::Mailbox, &key::mailbox(ONE, INBOX), mailbox);
    put(
        all,
        Table::MailboxName,
        &key::mailbox_name(ONE, "INBOX"),
        &[&u32(1)],
    );
    let change = |modseq, uid| {
        let (modseq, mailbox, uid) = (ModSeq(modseq), INBOX, Uid(uid));
        key::change(
            ONE,
            Place {
                modseq,
                mailbox,
                uid,
            },
        )
    };
    put(all, Table::Change, &change(1, 0), &[&[4]]);
    put(all, Table::Change, &change(3, messages + 1), &[&[3]]);
    for uid in 1..=messages {
        let blob = BlobId::new(0, uid.into());
        let message: &[&[u8]] = &[
            &u64(2),
            &u64(blob.0),
            &u64(0),
            &u64(1_700_000_000),
            &u32(10),
            &u32(0),
            &u16(0),
            &[0; 6],
        ];
        put(
            all,
            Table::Message,
            &key::message(ONE, INBOX, Uid(uid)),
            message,
        );
        put(all, Table::Change, &change(2, uid), &[&[1]]);
        let offset = 64 + 100 * u64::from(uid);
        let row: &[&[u8]] = &[
            &u64(offset),
            &u64(0xabcd),
            &u64(10),
            &u32(1),
            &u32(1),
            &u16(0),
            &[0; 6],
        ];
        put(all, Table::Blob, &key::blob(blob), row);
        put(all, Table::Digest, &key::blob(blob), &[b"digest"]);
    }
    let applied: &[&[u8]] = &[&u32(1), &u64(1 << 20), &u64(u64::from(messages) + 1)];
    put(all, Table::Applied, &key::log(0), applied);
    rows
}

#[test]
fn version_1() {
    // One page of rows and a bit, so that a page ends in the midst of a table.
    for messages in [0, 2, 4_096, 5_000] {
        let mut rows = one(messages);
        assert_eq!(upgrade(&mut rows), Ok(Upgraded::From(1)));
        assert_eq!(read::number(&rows, "version"), Ok(VERSION));
        let checked = verify::check(&rows, &mut |finding| panic!("{finding}"));
        assert_eq!(checked.map(|checked| checked.messages), Ok(messages.into()));
        let account = read::account(&rows, ONE).expect("readable").expect("there");
        assert_eq!(
            (account.name, account.secret),
            ("a@example.test", "$argon2id$")
        );
        assert_eq!((account.messages, account.vanished), (messages, 2));
        assert_eq!((account.quota_octets, account.quota_messages), (0, 0));
        assert_eq!(account.trimmed, Place::default());
        if messages > 0 {
            let blob = read::blob(&rows, BlobId::new(0, 1)).expect("readable");
            let blob = blob.expect("there");
            // All that is known to be the mail's and nothing else's.
            let mail = Stretch {
                segment: 1,
                offset: 164,
                octets: 10,
            };
            assert_eq!((blob.record, blob.segment, blob.offset), (mail, 1, 164));
            assert_eq!(
                (blob.octets, blob.stored, blob.encoding),
                (10, 10, Encoding::Raw)
            );
            assert_eq!((blob.checksum, blob.references, blob.log), (0xabcd, 1, 0));
        }
        assert_eq!(upgrade(&mut rows), Ok(Upgraded::Nothing), "once");
    }
}

#[test]
fn version_2_has_other_address_keys() {
    let mut rows = one(0);
    version(&mut rows, 2);
    let leads = |text: &str| {
        [
            &1u16.to_le_bytes()[..],
            &[1],
            &[text.len() as u8, 0],
            text.as_bytes(),
        ]
        .concat()
    };
    // (key of version 2, key of version 3)
    let cases = [
        ("info@example.test", "info@example.test"),
        (
            "d\u{f6}rte@s\u{f6}rensen.example",
            "d\u{f6}rte@xn--srensen-90a.example",
        ),
        ("do\u{308}rte@example.test", "d\u{f6}rte@example.test"),
        ("x@[ipv6:2001:db8:0::1]", "x@[ipv6:2001:db8::1]"),
        ("a b@example.test", "a b@example.test"),
    ];
    for (old, _) in cases {
        put(&mut rows, Table::Address, old.as_bytes(), &[&leads(old)]);
    }
    put(
        &mut rows,
        Table::Address,
        "\u{f6}@example.test".as_bytes(),
        &[&leads("one@example.test")],
    );
    put(
        &mut rows,
        Table::Address,
        "o\u{308}@example.test".as_bytes(),
        &[&leads("two@example.test")],
    );
    assert_eq!(upgrade(&mut rows), Ok(Upgraded::From(2)));
    for (old, new) in cases {
        assert!(
            read::address(&rows, new).is_ok_and(|row| row.is_some()),
            "{new}"
        );
        let gone = read::address(&rows, old).is_ok_and(|row| row.is_none());
        assert_eq!(gone, old != new, "{old}");
    }
    let both = read::address(&rows, "\u{f6}@example.test")
        .expect("readable")
        .expect("there");
    let both: Vec<_> = both.targets().collect();
    let expected = ["one@example.test", "two@example.test"].map(AddressTarget::Address);
    assert_eq!(both, expected);
}

#[test]
fn other_versions() {
    let mut rows = Memory::default();
    assert_eq!(upgrade(&mut rows), Ok(Upgraded::New));
    assert_eq!(upgrade(&mut rows), Ok(Upgraded::Nothing));
    version(&mut rows, VERSION + 1);
    assert_eq!(upgrade(&mut rows), Err(Refused::Newer(VERSION + 1)));
    // Damage ends it: the backend gives its transaction up.
    let mut rows = one(1);
    put(&mut rows, Table::Account, &key::account(ONE), &[b"short"]);
    assert!(matches!(
        upgrade(&mut rows),
        Err(Refused::Store(Error::Damaged(_)))
    ));
    assert!(rows.get(Table::Setting, b"version").is_ok());
}
