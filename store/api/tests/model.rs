//! The behaviour tests on the model: they hold for what they hold everything else to.

use proptest::prelude::*;
use ringpost_api::behaviour::{ask, cases, model::Model, script, sound, tables};
use ringpost_api::write::{FlagChange, StoreFlags};
use ringpost_api::{Error, Outcome, Write};
use ringpost_types::limit::Limits;
use ringpost_types::{AccountId, MailboxId};

#[test]
fn cases() {
    for (name, case) in cases::ALL {
        println!("{name}");
        case(&Model::default());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    /// Whatever is asked for in whatever order, rows hang together, and what is refused leaves them as they were.
    #[test]
    fn rows_hang_together(numbers in proptest::collection::vec(any::<u32>(), 0..600)) {
        let store = Model::default();
        for write in script::accounts() {
            prop_assert!(matches!(ask(&store, write), Ok(Outcome::Account(_))));
        }
        let mut script = script::Script::new(&numbers);
        while let Some(write) = script.next() {
            let before = tables(&store);
            let delivery = matches!(write, Write::Deliver(_));
            let outcome = ask(&store, write);
            sound(&store);
            if outcome.is_err() && !delivery {
                prop_assert_eq!(before, tables(&store));
            }
        }
    }
}

/// The configured limits are the ones in force, at the limit and one above it.
#[test]
fn limits() {
    let limits = Limits {
        imap_keywords_max: 2,
        account_mailboxes_max: 8,
        mailbox_name_octets_max: 5,
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
