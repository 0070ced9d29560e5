//! What is kept of logins, sessions and networks: keys, app passwords, transcripts, bans, hits on traps.

use super::*;
use crate::behaviour::NOW;
use crate::credential::{Scram, scope};
use crate::network::Trap;
use crate::transcript;
use ringpost_types::limit::Limits;
use ringpost_types::{Cidr, TraceId};

fn keys(octet: u8) -> Scram {
    Scram {
        iterations: 4_096,
        salt: vec![octet; 16],
        stored_key: [octet; 32],
        server_key: [octet; 32],
    }
}

fn main_keys(store: &dyn Store, account: AccountId) -> Option<Scram> {
    let snapshot = store.snapshot().expect("a snapshot");
    let keys = read::main_keys(&*snapshot, account).expect("readable");
    keys.map(|keys| keys.to_scram())
}

fn secret(store: &dyn Store, account: AccountId, scram: Option<Scram>) -> Result<Outcome, Error> {
    let secret = "$new$".into();
    ask(
        store,
        Write::AccountSecret {
            account,
            secret,
            scram,
        },
    )
}

/// Keys are those of the password that is, or there are none.
pub(super) fn scram(store: &dyn Store) {
    let create = Write::AccountCreate {
        name: "a@example.test".into(),
        secret: "$x$".into(),
        scram: Some(keys(1)),
    };
    assert_eq!(ask(store, create), Ok(Outcome::Account(ONE)));
    let two = account(store, "b@example.test");
    assert_eq!(
        (main_keys(store, ONE), main_keys(store, two)),
        (Some(keys(1)), None)
    );
    secret(store, ONE, Some(keys(2))).expect("changed");
    assert_eq!(main_keys(store, ONE), Some(keys(2)));
    secret(store, ONE, None).expect("changed");
    assert_eq!(main_keys(store, ONE), None);
    // Keys that come later are for the password that they were made of, and take nobody's place.
    let late = |secret: &str, octet| {
        let write = Write::AccountKeys {
            account: ONE,
            secret: secret.into(),
            scram: keys(octet),
        };
        assert_eq!(ask(store, write), Ok(Outcome::Done), "nobody waits");
        main_keys(store, ONE)
    };
    assert_eq!(late("$old$", 4), None);
    assert_eq!(late("$new$", 5), Some(keys(5)));
    assert_eq!(late("$new$", 6), Some(keys(5)));
    sound(store);
    secret(store, two, Some(keys(3))).expect("changed");
    ask(store, Write::AccountRemove { account: two }).expect("removed");
    assert_eq!(main_keys(store, two), None);
    assert_eq!(secret(store, two, Some(keys(3))), Err(Error::NoAccount));
    let salt = |octets| Scram {
        salt: vec![0; octets],
        ..keys(1)
    };
    assert!(secret(store, ONE, Some(salt(255))).is_ok());
    assert!(secret(store, ONE, Some(salt(256))).is_err());
    sound(store);
}

fn add(store: &dyn Store, name: &str) -> Result<Outcome, Error> {
    let write = Write::CredentialAdd {
        account: ONE,
        name: name.into(),
        scopes: scope::IMAP,
        secret: "$sha256$".into(),
        scram: Some(keys(7)),
    };
    ask(store, write)
}

/// Ids, names and last uses.
fn apps(store: &dyn Store) -> Vec<(u32, String, u64)> {
    let snapshot = store.snapshot().expect("a snapshot");
    let mut all = Vec::new();
    read::app_passwords(&*snapshot, ONE, |id, row| {
        assert_eq!((row.scopes, row.secret), (scope::IMAP, "$sha256$"));
        assert_eq!((row.created, row.scram), (NOW, Some(keys(7).row())));
        all.push((id, row.name.to_owned(), row.used));
        ControlFlow::Continue(())
    })
    .expect("readable");
    all
}

pub(super) fn app_passwords(store: &dyn Store) {
    assert_eq!(add(store, "phone"), Err(Error::NoAccount));
    let create = Write::AccountCreate {
        name: "a@example.test".into(),
        secret: "$x$".into(),
        scram: Some(keys(1)),
    };
    ask(store, create).expect("an account");
    assert_eq!(add(store, "phone"), Ok(Outcome::Credential(1)));
    assert_eq!(add(store, "phone"), Err(Error::Exists));
    assert_eq!(add(store, "desk"), Ok(Outcome::Credential(2)));
    for name in ["", "a\nb", &"x".repeat(256)] {
        assert!(matches!(add(store, name), Err(Error::Cannot(_))));
    }
    let used = Write::CredentialUsed {
        account: ONE,
        id: 2,
    };
    assert_eq!(ask(store, used.clone()), Ok(Outcome::Done));
    let expected = [(1, "phone".into(), 0), (2, "desk".into(), NOW)];
    assert_eq!(apps(store), expected);
    // So soon after, within `USED_EVERY`, it changes nothing.
    let before = tables(store);
    assert_eq!(ask(store, used), Ok(Outcome::Done));
    assert_eq!(before, tables(store));
    sound(store);
    let remove = |id| ask(store, Write::CredentialRemove { account: ONE, id });
    assert_eq!(remove(2), Ok(Outcome::Done));
    assert!(matches!(remove(2), Err(Error::Cannot(_))));
    assert!(matches!(remove(0), Err(Error::Cannot(_))), "the main keys");
    let gone = Write::CredentialUsed {
        account: ONE,
        id: 2,
    };
    assert_eq!(ask(store, gone), Ok(Outcome::Done), "nobody waits");
    assert_eq!(add(store, "desk"), Ok(Outcome::Credential(3)), "another id");
    let most = Limits::default().account_app_passwords_max;
    for number in 2..most {
        assert!(add(store, &number.to_string()).is_ok(), "{number}");
    }
    assert_eq!(
        add(store, "one more"),
        Err(Error::Limit("account_app_passwords_max"))
    );
    sound(store);
    ask(store, Write::AccountRemove { account: ONE }).expect("removed");
    let rows = tables(store);
    assert!(!rows.keys().any(|(table, _)| *table == Table::Credential));
    sound(store);
}

const DAY: u64 = 86_400;

fn expire(store: &dyn Store, now: u64) -> bool {
    match ask(store, Write::Expire { now }) {
        Ok(Outcome::Swept { more }) => more,
        other => panic!("{other:?}"),
    }
}

pub(super) fn transcripts(store: &dyn Store) {
    let keep = |trace, unix, text: &str| {
        let row = transcript::encode(unix, text);
        let trace = TraceId(trace);
        assert_eq!(
            ask(store, Write::Transcript { trace, row }),
            Ok(Outcome::Done)
        );
    };
    let kept = |trace| {
        let snapshot = store.snapshot().expect("a snapshot");
        read::transcript(&*snapshot, TraceId(trace)).expect("readable")
    };
    keep(9, NOW, "S: 550 no");
    keep(1, NOW + 10, "S: 421 later");
    keep(9, NOW + 20, "S: 550 no and no");
    assert_eq!(kept(9), Some((NOW + 20, "S: 550 no and no".into())));
    assert_eq!(kept(2), None);
    sound(store);
    let days = Limits::default().transcript_days * DAY;
    assert!(!expire(store, NOW + 9 + days));
    assert!(kept(1).is_some());
    assert!(!expire(store, NOW + 10 + days));
    assert_eq!((kept(1).is_some(), kept(9).is_some()), (false, true));
    sound(store);
    let trace = TraceId(3);
    let torn = ask(
        store,
        Write::Transcript {
            trace,
            row: vec![1],
        },
    );
    assert!(matches!(torn, Err(Error::Damaged(_))));
    // More than one write may drop.
    for trace in 0..1_001 {
        keep(trace, NOW, "x");
    }
    assert!(expire(store, NOW + 2 * days));
    sound(store);
    assert!(!expire(store, NOW + 2 * days));
    assert_eq!(kept(9), None);
    sound(store);
}

fn network(text: &str) -> Cidr {
    text.parse().expect("a network")
}

fn ban(store: &dyn Store, of: &str, until: u64, reason: &str) -> Result<Outcome, Error> {
    let (network, reason) = (network(of), reason.into());
    ask(
        store,
        Write::Ban {
            network,
            until,
            reason,
        },
    )
}

pub(super) fn bans(store: &dyn Store) {
    let banned = |of: &str, now| {
        let snapshot = store.snapshot().expect("a snapshot");
        let row = read::ban(&*snapshot, network(of), now).expect("readable");
        row.map(|row| (row.since, row.until, row.count, row.reason.to_owned()))
    };
    ban(store, "192.0.2.0/24", NOW + 60, "guessed").expect("banned");
    ban(store, "2001:db8::/64", u64::MAX, "by hand").expect("banned");
    assert!(ban(store, "192.0.2.9", NOW, "too late").is_err());
    let first = Some((NOW, NOW + 60, 1, "guessed".to_owned()));
    assert_eq!(banned("192.0.2.0/24", NOW), first);
    assert_eq!(banned("192.0.2.0/24", NOW + 60), None, "it has ended");
    assert_eq!(banned("192.0.2.1", NOW), None, "another network");
    ban(store, "192.0.2.0/24", NOW + 90, "again").expect("banned");
    let second = Some((NOW, NOW + 90, 2, "again".to_owned()));
    assert_eq!(banned("192.0.2.0/24", NOW), second);
    let all = || {
        let (mut all, snapshot) = (Vec::new(), store.snapshot().expect("a snapshot"));
        read::bans(&*snapshot, NOW, |network, _| {
            all.push(network.to_string());
            ControlFlow::Continue(())
        })
        .expect("readable");
        all
    };
    assert_eq!(all(), ["192.0.2.0/24", "2001:db8::/64"]);
    sound(store);
    assert!(!expire(store, NOW + 89));
    assert!(banned("192.0.2.0/24", NOW).is_some());
    assert!(!expire(store, NOW + 90));
    assert_eq!(banned("192.0.2.0/24", NOW), None);
    sound(store);
    let unban = Write::Unban {
        network: network("2001:db8::/64"),
    };
    assert_eq!(ask(store, unban.clone()), Ok(Outcome::Done));
    assert_eq!(ask(store, unban), Ok(Outcome::Done));
    assert_eq!(all(), Vec::<String>::new());
    sound(store);
}

pub(super) fn traps(store: &dyn Store) {
    let hit = |kind, of: &str| {
        let network = network(of);
        assert_eq!(ask(store, Write::Trap { kind, network }), Ok(Outcome::Done));
    };
    let hits = |kind, of: &str| {
        let snapshot = store.snapshot().expect("a snapshot");
        let row = read::reputation(&*snapshot, kind, network(of)).expect("readable");
        row.map(|row| (row.hits, row.first, row.last))
    };
    hit(Trap::Address, "192.0.2.0/24");
    hit(Trap::Address, "192.0.2.0/24");
    hit(Trap::Defer, "192.0.2.0/24");
    assert_eq!(hits(Trap::Address, "192.0.2.0/24"), Some((2, NOW, NOW)));
    assert_eq!(hits(Trap::Defer, "192.0.2.0/24"), Some((1, NOW, NOW)));
    assert_eq!(hits(Trap::Defer, "198.51.100.0/24"), None);
    let (mut all, snapshot) = (Vec::new(), store.snapshot().expect("a snapshot"));
    read::reputations(&*snapshot, |kind, _, row| {
        all.push((kind, row.hits));
        ControlFlow::Continue(())
    })
    .expect("readable");
    assert_eq!(all, [(Trap::Address, 2), (Trap::Defer, 1)]);
    drop(snapshot);
    sound(store);
    let days = Limits::default().reputation_days * DAY;
    assert!(!expire(store, NOW + days - 1));
    assert!(hits(Trap::Defer, "192.0.2.0/24").is_some());
    assert!(!expire(store, NOW + days + 3_600));
    assert_eq!(hits(Trap::Defer, "192.0.2.0/24"), None);
    sound(store);
}
