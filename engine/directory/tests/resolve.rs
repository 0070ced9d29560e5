//! Resolution, logins and the writes of the command line over a snapshot held in a map.

mod house;

use house::{Map, address, domains, house};
use ringpost_api::behaviour::model::Memory;
use ringpost_api::write::AliasTarget;
use ringpost_api::{Error, Write};
use ringpost_directory::account::{self, Refusal};
use ringpost_directory::resolve::ADDRESSES_MAX;
use ringpost_directory::{Directory, Found, How};
use ringpost_types::AccountId;

/// What stands behind a name of ours.
type Behind = (&'static [u32], &'static [&'static str]);

const NOBODY: Behind = (&[], &[]);

/// (address, its accounts, its other hosts' addresses); neither: there is no such user
const CASES: &[(&str, Behind)] = &[
    ("alice@example.org", (&[1], &[])),
    ("ALICE@EXAMPLE.ORG", (&[1], &[])),
    ("alice+tag@example.org", (&[1], &[])),
    ("alice+a+b@example.org", (&[1], &[])),
    ("bob+exact@example.org", (&[3], &[])),
    ("bob+exact+more@example.org", (&[3], &[])),
    ("bob+other@example.org", (&[2], &[])),
    ("sales@example.org", (&[1, 2], &[])),
    ("sales+x@example.org", (&[1, 2], &[])),
    ("all@example.org", (&[3, 1, 2], &[])),
    ("+tag@example.org", NOBODY),
    ("nobody@example.org", NOBODY),
    ("ring1@example.org", NOBODY),
    ("out@example.org", (&[2], &["X@elsewhere.example"])),
    (
        "both@example.org",
        (&[1, 2], &["x@elsewhere.example", "X@elsewhere.example"]),
    ),
    ("postmaster@example.org", (&[1], &[])),
    ("abuse@example.org", (&[1], &[])),
    ("PostMaster@example.net", (&[2], &[])),
    ("Abuse@example.net", (&[2], &[])),
    ("postmaster@empty.example", (&[1], &[])),
    ("carol-tag@example.net", (&[3], &[])),
    ("carol=a-b@example.net", (&[3], &[])),
    // + is no separator of that domain.
    ("carol+tag@example.net", NOBODY),
    ("carol@[192.0.2.1]", (&[3], &[])),
    ("carol-x@[IPv6:2001:DB8::1]", (&[3], &[])),
    ("postmaster@[192.0.2.1]", (&[2], &[])),
    ("d\u{f6}rte@s\u{f6}rensen.example", (&[4], &[])),
    ("DO\u{308}RTE+x@xn--srensen-90a.example", (&[4], &[])),
    ("\"a b\"@example.org", (&[2], &[])),
    ("anything@caught.example", (&[3], &[])),
    ("own@caught.example", (&[1], &[])),
    ("own+x@caught.example", (&[1], &[])),
    ("postmaster@caught.example", (&[3], &[])),
    ("info@caught.example", (&[3], &[])),
];

#[test]
fn addresses_lead_where_the_table_says() {
    let (map, directory) = (house(), Directory::new(domains()));
    for (text, (accounts, remote)) in CASES {
        let found = directory.resolve(&map.0, &address(text)).expect(text);
        let (found_accounts, found_remote) = match found {
            Found::Local(targets) => (targets.accounts, targets.remote),
            Found::NoSuchUser => (Vec::new(), Vec::new()),
            Found::Remote => panic!("{text} is ours"),
        };
        let accounts: Vec<_> = accounts.iter().map(|&id| AccountId(id)).collect();
        assert_eq!(found_accounts, accounts, "{text}");
        let found_remote: Vec<_> = found_remote.iter().map(ToString::to_string).collect();
        assert_eq!(found_remote, *remote, "{text}");
    }
    for text in [
        "x@elsewhere.example",
        "postmaster@elsewhere.example",
        "alice@[192.0.2.2]",
    ] {
        assert_eq!(
            directory.resolve(&map.0, &address(text)),
            Ok(Found::Remote),
            "{text}"
        );
    }
    let postmaster = directory
        .postmaster_address()
        .map(|address| address.to_string());
    assert_eq!(postmaster.as_deref(), Some("postmaster@example.org"));
}

#[test]
fn postmaster_of_a_house_without_accounts() {
    let directory = Directory::new(domains());
    let postmaster = address("postmaster@example.org");
    let found = directory.resolve(&Memory::default(), &postmaster);
    assert_eq!(found, Ok(Found::NoSuchUser));
}

#[test]
fn the_trail_names_every_step() {
    let (map, directory) = (house(), Directory::new(domains()));
    let trail = |text: &str| -> Vec<String> {
        let (_, trail) = directory.trace(&map.0, &address(text)).expect(text);
        let told = trail
            .iter()
            .map(|hop| format!("{} {:?} {}", hop.from, hop.how, hop.to.join(" ")));
        told.collect()
    };
    assert_eq!(
        trail("all+x@example.org"),
        [
            "all+x@example.org Subaddress sales@example.org carol@example.net",
            "sales@example.org Exact alice@example.org bob@example.org",
            "carol@example.net Exact account carol@example.net",
            "alice@example.org Exact account Alice@example.org",
            "bob@example.org Exact account bob@example.org",
        ]
    );
    assert_eq!(
        trail("abuse@example.net"),
        [
            "abuse@example.net Role bob@example.org",
            "bob@example.org Exact account bob@example.org",
        ]
    );
    let (_, caught) = directory
        .trace(&map.0, &address("x@caught.example"))
        .expect("follows");
    assert_eq!(caught[0].how, How::CatchAll);
    assert_eq!(trail("nobody@example.org"), ["nobody@example.org Nothing "]);
    assert_eq!(
        trail("postmaster@empty.example"),
        ["postmaster@empty.example FirstAccount account Alice@example.org",]
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
        directory.resolve(&map.0, &address("list@example.org"))
    };
    // The alias itself counts as one.
    let most = ADDRESSES_MAX as u32 - 1;
    assert!(matches!(list(most), Ok(Found::Local(to)) if to.accounts.len() as u32 == most));
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
        (2, "out@example.org", true),
        (3, "anything@caught.example", true),
        (1, "own@caught.example", true),
        (3, "own@caught.example", false),
        // What two share through a catch-all is neither's own.
        (1, "anything@shared.example", false),
        (2, "anything@shared.example", false),
        (2, "bob@[192.0.2.1]", false),
        (3, "carol@[192.0.2.1]", true),
    ];
    for (id, text, may) in cases {
        let got = directory.may_send_as(&map.0, AccountId(id), &address(text));
        assert_eq!(got, Ok(may), "{id} {text}");
    }
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
        create("do\u{308}rte@example.org"),
        Err(Refusal::NotNormal(_, normal)) if normal == "d\u{f6}rte@example.org"
    ));
    assert!(matches!(
        create("dave@[192.0.2.1]"),
        Err(Refusal::NotLocal(_))
    ));
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

    let names: Vec<_> = account::list(&map.0)
        .expect("lists")
        .into_iter()
        .map(|a| a.name)
        .collect();
    assert_eq!(
        names,
        [
            "Alice@example.org",
            "bob@example.org",
            "carol@example.net",
            "D\u{f6}rte@s\u{f6}rensen.example"
        ]
    );
}
