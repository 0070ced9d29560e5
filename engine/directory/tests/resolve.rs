//! Resolution, logins and the writes of the command line over a snapshot held in a map.

use ringpost_api::behaviour::model::Memory;
use ringpost_api::edits::Rows;
use ringpost_api::row::AddressRow;
use ringpost_api::table::AccountRow;
use ringpost_api::write::AliasTarget;
use ringpost_api::{Error, Table, Write, key};
use ringpost_directory::account::{self, Refusal};
use ringpost_directory::directory::ADDRESSES_MAX;
use ringpost_directory::{Directory, Domains, LocalDomain, Logins, Recipient, Start, secret};
use ringpost_types::{AccountId, Address, Domain};

/// Rows of a directory, put one by one.
#[derive(Default)]
struct Map(Memory);

impl Map {
    fn account(&mut self, id: u32, name: &str, secret: &str, disabled: bool) {
        let row = AccountRow {
            disabled,
            secret,
            name,
            ..AccountRow::default()
        };
        let mut value = Vec::new();
        row.encode(&mut value);
        self.put(Table::Account, &key::account(AccountId(id)), &value);
        self.alias(name, &[AliasTarget::Account(AccountId(id))]);
    }

    fn alias(&mut self, name: &str, targets: &[AliasTarget]) {
        let mut value = Vec::new();
        AddressRow::encode(targets, &mut value);
        self.put(Table::Address, address(name).key().as_bytes(), &value);
    }

    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.0.put(table, key, value).expect("memory");
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("a test's address")
}

fn to(name: &str) -> AliasTarget {
    AliasTarget::Address(address(name).key())
}

fn domains() -> Domains {
    let domain = |name| LocalDomain::new(Domain::parse(name).expect("a test's domain"));
    let mut second = domain("example.net");
    second.postmaster = Some(address("bob@example.org"));
    Domains::new(vec![domain("example.org"), second, domain("empty.example")])
}

fn house() -> Map {
    let mut map = Map::default();
    map.account(1, "Alice@example.org", "", false);
    map.account(2, "bob@example.org", "", false);
    map.account(3, "carol@example.net", "", false);
    map.alias(
        "sales@example.org",
        &[to("alice@example.org"), to("bob@example.org")],
    );
    map.alias(
        "all@example.org",
        &[to("sales@example.org"), to("carol@example.net")],
    );
    map.alias("bob+exact@example.org", &[to("carol@example.net")]);
    map.alias("ring1@example.org", &[to("ring2@example.org")]);
    map.alias("ring2@example.org", &[to("ring1@example.org")]);
    map.alias(
        "out@example.org",
        &[to("bob@example.org"), to("x@elsewhere.example")],
    );
    map
}

const CASES: &[(&str, Result<&[u32], Recipient>)] = &[
    ("alice@example.org", Ok(&[1])),
    ("ALICE@EXAMPLE.ORG", Ok(&[1])),
    ("alice+tag@example.org", Ok(&[1])),
    ("alice+a+b@example.org", Ok(&[1])),
    ("bob+exact@example.org", Ok(&[3])),
    ("sales@example.org", Ok(&[1, 2])),
    ("sales+x@example.org", Ok(&[1, 2])),
    ("all@example.org", Ok(&[3, 1, 2])),
    ("+tag@example.org", Err(Recipient::NoSuchUser)),
    ("nobody@example.org", Err(Recipient::NoSuchUser)),
    ("ring1@example.org", Err(Recipient::NoSuchUser)),
    ("out@example.org", Err(Recipient::Forward)),
    ("x@elsewhere.example", Err(Recipient::Remote)),
    ("postmaster@elsewhere.example", Err(Recipient::Remote)),
    ("postmaster@example.org", Ok(&[1])),
    ("PostMaster@example.net", Ok(&[2])),
    ("postmaster@empty.example", Ok(&[1])),
];

#[test]
fn addresses_lead_where_the_table_says() {
    let (map, directory) = (house(), Directory::new(domains()));
    for (text, expected) in CASES {
        let expected = match expected {
            Ok(ids) => Recipient::Local(ids.iter().map(|&id| AccountId(id)).collect()),
            Err(other) => other.clone(),
        };
        assert_eq!(
            directory.recipient(&map.0, &address(text)),
            Ok(expected),
            "{text}"
        );
    }
    let local = Recipient::Local(vec![AccountId(1)]);
    assert_eq!(directory.postmaster(&map.0), Ok(local));
}

#[test]
fn postmaster_of_a_house_without_accounts() {
    let directory = Directory::new(domains());
    assert_eq!(
        directory.postmaster(&Memory::default()),
        Ok(Recipient::NoSuchUser)
    );
}

#[test]
fn alias_limit() {
    let directory = Directory::new(domains());
    let list = |count: u32| {
        let mut map = Map::default();
        let ids: Vec<_> = (1..=count)
            .map(|id| AliasTarget::Account(AccountId(id)))
            .collect();
        map.alias("list@example.org", &ids);
        directory.recipient(&map.0, &address("list@example.org"))
    };
    // The alias itself counts as one.
    let most = ADDRESSES_MAX as u32 - 1;
    assert!(matches!(list(most), Ok(Recipient::Local(ids)) if ids.len() as u32 == most));
    assert!(matches!(list(most + 1), Err(Error::Limit(_))));
}

#[test]
fn who_may_send_as_whom() {
    let (map, directory) = (house(), Directory::new(domains()));
    let cases = [
        (1, "alice@example.org", true),
        (1, "alice+shop@example.org", true),
        (1, "sales@example.org", true),
        (1, "bob@example.org", false),
        (3, "bob+exact@example.org", true),
        (2, "bob+exact@example.org", false),
        (1, "alice@elsewhere.example", false),
    ];
    for (id, text, may) in cases {
        let got = directory.may_send_as(&map.0, AccountId(id), &address(text));
        assert_eq!(got, Ok(may), "{id} {text}");
    }
}

/// Ends a login the slow way, if it must.
fn login(logins: &mut Logins, map: &Map, name: &str, password: &[u8], now_ms: u64) -> (bool, bool) {
    match logins
        .start(&map.0, name, password, now_ms)
        .expect("the map answers")
    {
        Start::Known(login) => (true, login.account == AccountId(1)),
        Start::Verify(attempt) => (false, logins.settle(attempt.verify(), now_ms).is_some()),
    }
}

#[test]
fn logins_are_known_for_minutes_and_no_longer() {
    let phc = secret::hash(b"open").expect("hashes");
    let other = secret::hash(b"open").expect("hashes");
    let mut map = Map::default();
    map.account(1, "alice@example.org", &phc, false);
    map.account(2, "gone@example.org", &phc, true);
    map.account(3, "mute@example.org", "", false);
    let mut logins = Logins::new(4);
    // (name, password, minutes, known without a hash, good)
    let cases = [
        ("alice@example.org", "wrong", 0, false, false),
        ("alice@example.org", "open", 0, false, true),
        ("ALICE@example.org", "open", 1, true, true),
        ("alice@example.org", "wrong", 1, false, false),
        ("alice@example.org", "open", 9, true, true),
        ("alice@example.org", "open", 10, false, true),
        ("gone@example.org", "open", 0, false, false),
        ("mute@example.org", "", 0, false, false),
        ("nobody@example.org", "open", 0, false, false),
        ("no address", "open", 0, false, false),
    ];
    for (name, password, minutes, known, good) in cases {
        let got = login(
            &mut logins,
            &map,
            name,
            password.as_bytes(),
            minutes * 60_000,
        );
        assert_eq!(got, (known, good), "{name} {password} {minutes}");
    }
    map.account(1, "alice@example.org", &other, false);
    let got = login(&mut logins, &map, "alice@example.org", b"open", 11 * 60_000);
    assert_eq!(got, (false, true), "a changed hash is asked again");
}

#[test]
fn changes_are_refused_with_the_reason() {
    let (map, domains) = (house(), domains());
    let create = |name: &str| account::create(&map.0, &domains, name, "phc".into(), None);
    assert_eq!(
        create("Dave@example.org"),
        Ok(Write::AccountCreate {
            name: "Dave@example.org".into(),
            secret: "phc".into(),
            scram: None,
        })
    );
    assert!(matches!(create("dave"), Err(Refusal::Address(..))));
    assert!(matches!(
        create("a@elsewhere.example"),
        Err(Refusal::NotLocal(_))
    ));
    assert!(matches!(
        create("ALICE@example.org"),
        Err(Refusal::Taken(_))
    ));
    assert!(matches!(
        create("sales@example.org"),
        Err(Refusal::Taken(_))
    ));
    assert!(matches!(
        account::remove(&map.0, "sales@example.org"),
        Err(Refusal::NoAccount(_))
    ));
    assert_eq!(
        account::remove(&map.0, "bob@example.org"),
        Ok(Write::AccountRemove {
            account: AccountId(2)
        })
    );

    let put = |name: &str, targets: &[&str]| {
        let targets: Vec<String> = targets.iter().map(|t| (*t).to_owned()).collect();
        account::put_alias(&map.0, &domains, name, &targets)
    };
    assert_eq!(
        put(
            "News@example.net",
            &["alice@example.org", "sales@example.org"]
        ),
        Ok(Write::AliasPut {
            address: "news@example.net".into(),
            targets: vec![AliasTarget::Account(AccountId(1)), to("sales@example.org")],
        })
    );
    assert!(matches!(
        put("alice@example.org", &["bob@example.org"]),
        Err(Refusal::IsAccount(_))
    ));
    assert!(matches!(
        put("n@example.org", &["x@elsewhere.example"]),
        Err(Refusal::NotLocal(_))
    ));
    assert!(matches!(
        put("n@example.org", &["x@example.org"]),
        Err(Refusal::NoTarget(_))
    ));
    assert!(matches!(
        put("sales@example.org", &["all@example.org"]),
        Err(Refusal::Circle(_))
    ));

    let remove = |name: &str| account::remove_alias(&map.0, name);
    assert!(matches!(
        remove("alice@example.org"),
        Err(Refusal::IsAccount(_))
    ));
    assert!(matches!(
        remove("none@example.org"),
        Err(Refusal::NoAlias(_))
    ));
    assert!(remove("all@example.org").is_ok());

    let names: Vec<_> = account::list(&map.0)
        .expect("lists")
        .into_iter()
        .map(|a| a.name)
        .collect();
    assert_eq!(
        names,
        ["Alice@example.org", "bob@example.org", "carol@example.net"]
    );
    let aliases = account::list_aliases(&map.0).expect("lists");
    let sales = aliases
        .iter()
        .find(|alias| alias.name == "sales@example.org");
    let targets = sales.map(|alias| alias.targets.clone());
    assert_eq!(
        targets,
        Some(vec!["alice@example.org".into(), "bob@example.org".into()])
    );
    assert!(
        aliases
            .iter()
            .all(|alias| alias.name != "alice@example.org")
    );
}
