//! The behaviour tests on the model: they hold for what they hold everything else to.

use proptest::prelude::*;
use ringpost_api::behaviour::client::Client;
use ringpost_api::behaviour::{NOW, ask, cases, model::Model, script, sound, tables};
use ringpost_api::network::Trap;
use ringpost_api::read::{self, Since};
use ringpost_api::table::{Place, flag};
use ringpost_api::write::{Deliver, FlagChange, Missing, Position, StoreFlags, Target, Transfer};
use ringpost_api::{Error, Outcome, Store, Write, transcript};
use ringpost_types::limit::Limits;
use ringpost_types::{AccountId, BlobId, Cidr, MailboxId, TraceId, Uid};

#[test]
fn cases() {
    for (name, case) in cases::ALL {
        println!("{name}");
        case(&Model::default());
    }
}

/// The change feed forgets early, and little is kept of what ages.
fn forgetful() -> Limits {
    Limits {
        account_vanished_max: 8,
        transcripts_max: 3,
        bans_max: 2,
        reputations_max: 4,
        ..Limits::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    /// Whatever is asked for in whatever order, rows hang together, and what is refused leaves them as they were.
    /// Clients that look now and then are told all that happened meanwhile, or that they are not.
    #[test]
    fn rows_hang_together(
        numbers in proptest::collection::vec(any::<u32>(), 0..600),
        looks in proptest::collection::vec(0..12u32, 1..200),
    ) {
        let store = Model::new(forgetful());
        for write in script::accounts() {
            prop_assert!(matches!(ask(&store, write), Ok(Outcome::Account(_))));
        }
        let places = (1..=2).flat_map(|account| (1..=4).map(move |mailbox| (account, mailbox)));
        let mut clients: Vec<Client> = places
            .map(|(account, mailbox)| Client::new(AccountId(account), MailboxId(mailbox)))
            .collect();
        let mut script = script::Script::new(&numbers);
        let mut looks = looks.iter().cycle();
        while let Some(write) = script.next() {
            let before = tables(&store);
            let logged = matches!(write, Write::Deliver(_) | Write::Relocate(_));
            let outcome = ask(&store, write);
            sound(&store);
            if outcome.is_err() && !logged {
                prop_assert_eq!(before, tables(&store));
            }
            // Two numbers in three are no client.
            let client = looks.next().and_then(|&look| clients.get_mut(look as usize));
            if let Some(client) = client {
                let _ = client.sync(&*store.snapshot().expect("a snapshot"));
            }
        }
        for client in &mut clients {
            let _ = client.sync(&*store.snapshot().expect("a snapshot"));
        }
    }
}

/// However much leaves, an account keeps no more of it than the limit says and one write adds; one write forgets no more
/// than a bounded part. Rows of messages that stay are passed over once.
#[test]
fn the_feed_is_bounded() {
    const MAIL: u32 = 700;
    let store = Model::new(forgetful());
    for write in script::accounts() {
        assert!(ask(&store, write).is_ok());
    }
    let (account, mailbox) = (AccountId(1), MailboxId::INBOX);
    let target = Target {
        account,
        mailbox,
        missing: Missing::Inbox,
        flags: 0,
        keywords: vec![],
        internal_date: 0,
        prefix: vec![],
    };
    let deliver = |sequence, flags, count| {
        let target = Target {
            flags,
            ..target.clone()
        };
        Write::Deliver(Deliver {
            blob: BlobId::new(0, sequence),
            targets: vec![target; count],
            next: Position {
                sequence: sequence + 1,
                ..Position::default()
            },
            ..Deliver::default()
        })
    };
    let row = || {
        let snapshot = store.snapshot().expect("a snapshot");
        let row = read::account(&*snapshot, account).expect("readable");
        let row = row.expect("there");
        (row.vanished, row.trimmed)
    };
    // In front of everything that will leave: many that stay.
    assert!(ask(&store, deliver(1, 0, MAIL as usize)).is_ok());
    let mut client = Client::new(account, mailbox);
    assert_eq!(
        client.sync(&*store.snapshot().expect("a snapshot")),
        Since::Known
    );
    let (mut most, mut trimmed) = (0, Place::default());
    for sequence in 2..40 {
        assert!(ask(&store, deliver(sequence, flag::DELETED, 3)).is_ok());
        let expunge = Write::Expunge {
            account,
            mailbox,
            uids: None,
        };
        assert!(ask(&store, expunge).is_ok());
        let (vanished, place) = row();
        assert!(trimmed <= place);
        (most, trimmed) = (most.max(vanished), place);
        sound(&store);
    }
    // Two writes walked past messages that stay before they came to what they could forget.
    assert_eq!(row().0, 8);
    assert!((9..=8 + 3 * 2).contains(&most), "{most}");
    assert_eq!(
        client.sync(&*store.snapshot().expect("a snapshot")),
        Since::Trimmed
    );
    assert_eq!(
        client.sync(&*store.snapshot().expect("a snapshot")),
        Since::Known
    );
}

/// What ages is bounded, at the limit and one above it; what falls is what goes first. Without room nothing is kept.
#[test]
fn what_ages_is_bounded() {
    let limits = Limits {
        transcripts_max: 2,
        bans_max: 2,
        reputations_max: 0,
        ..Limits::default()
    };
    let store = Model::new(limits);
    let keep = |trace, unix| {
        let (trace, row) = (TraceId(trace), transcript::encode(unix, "S: 421"));
        assert!(ask(&store, Write::Transcript { trace, row }).is_ok());
        sound(&store);
    };
    let kept = |traces: [u64; 3]| {
        let snapshot = store.snapshot().expect("a snapshot");
        traces.map(|trace| {
            let kept = read::transcript(&*snapshot, TraceId(trace));
            kept.expect("readable").is_some()
        })
    };
    keep(1, 20);
    keep(2, 10);
    keep(1, 30);
    assert_eq!(kept([1, 2, 3]), [true, true, false]);
    keep(3, 20);
    assert_eq!(kept([1, 2, 3]), [true, false, true], "the oldest fell");
    let network = |number| Cidr::around([192, 0, 2, number].into(), 32);
    for (number, until) in [(1, u64::MAX), (2, NOW + 9), (3, NOW + 99)] {
        let ban = Write::Ban {
            network: network(number),
            until,
            reason: String::new(),
        };
        assert!(ask(&store, ban).is_ok());
        sound(&store);
    }
    let snapshot = store.snapshot().expect("a snapshot");
    let banned = |number| read::ban(&*snapshot, network(number), NOW).expect("readable");
    let there = [1, 2, 3].map(|number| banned(number).is_some());
    assert_eq!(there, [true, false, true], "what ended first fell");
    drop(snapshot);
    let hit = Write::Trap {
        kind: Trap::Address,
        network: network(1),
    };
    let before = tables(&store);
    assert!(ask(&store, hit).is_ok());
    assert_eq!(before, tables(&store));
}

/// The configured limits are the ones in force, at the limit and one above it.
#[test]
fn limits() {
    let limits = Limits {
        imap_keywords_max: 2,
        account_mailboxes_max: 8,
        mailbox_name_octets_max: 5,
        imap_copy_messages_max: 2,
        ..Limits::default()
    };
    let store = Model::new(limits);
    for write in script::accounts() {
        assert!(ask(&store, write).is_ok(), "names of a new account");
    }
    let account = AccountId(1);
    let create = |name: &str| Write::MailboxCreate {
        account,
        name: name.into(),
        special: 0,
    };
    let limit = |name| Err(Error::Limit(name));
    assert_eq!(
        ask(&store, create("123456")),
        limit("mailbox_name_octets_max")
    );
    assert!(ask(&store, create("12345")).is_ok());
    assert_eq!(ask(&store, create("a/b")), limit("account_mailboxes_max"));
    assert!(ask(&store, create("8th")).is_ok());
    assert_eq!(ask(&store, create("9th")), limit("account_mailboxes_max"));
    let copy = |count: u32| Write::Transfer {
        account,
        mailbox: MailboxId::INBOX,
        uids: (1..=count).map(Uid).collect(),
        target: MailboxId::INBOX,
        mode: Transfer::Copy,
    };
    assert!(ask(&store, copy(2)).is_ok());
    assert_eq!(ask(&store, copy(3)), limit("imap_copy_messages_max"));
    let keywords = |keywords: &[&str]| {
        Write::Store(StoreFlags {
            account,
            mailbox: MailboxId::INBOX,
            uids: vec![],
            change: FlagChange::Add,
            flags: 0,
            keywords: keywords.iter().map(|&keyword| keyword.into()).collect(),
            unchanged_since: None,
        })
    };
    assert_eq!(
        ask(&store, keywords(&["a", "b", "c"])),
        limit("imap_keywords_max")
    );
    assert!(ask(&store, keywords(&["a", "b"])).is_ok());
    assert_eq!(ask(&store, keywords(&["c"])), limit("imap_keywords_max"));
}
