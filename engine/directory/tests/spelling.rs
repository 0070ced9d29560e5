//! One mailbox in many spellings, and what is no spelling of it: recipients, senders, accounts, aliases.

mod house;

use house::{Map, address, house, to};
use proptest::prelude::*;
use ringpost_api::Write;
use ringpost_api::write::AliasTarget;
use ringpost_directory::account::{self, Refusal};
use ringpost_directory::resolve::ADDRESSES_MAX;
use ringpost_directory::{Directory, Domains, Found, LocalDomain, alias, directory};
use ringpost_types::address::AddressError;
use ringpost_types::{AccountId, Domain};

/// As `house`, with one more domain whose subaddresses begin with + or -.
fn domains() -> Domains {
    let mut list: Vec<LocalDomain> = house::domains().iter().cloned().collect();
    let mut dashed = LocalDomain::new(Domain::parse("dashed.example").expect("a domain"));
    dashed.subaddress = "+-".into();
    list.push(dashed);
    Domains::new(list)
}

/// A house with accounts whose names are easily taken for others.
fn street() -> Map {
    let mut map = house();
    map.account(5, "mary@dashed.example", "", false);
    map.account(6, "mary-ann@dashed.example", "", false);
    map.account(7, "\"j. doe\"@example.org", "", false);
    map.account(8, "a.b@example.org", "", false);
    map.account(9, "ΟΔΥΣΣΕΥΣ@example.org", "", false);
    map.account(10, "plus+name@example.org", "", false);
    map.alias(
        "Büro@sörensen.example",
        &[to("DÖRTE@XN--SRENSEN-90A.example")],
    );
    map
}

const NOBODY: Option<u32> = None;

/// (recipient, whose it is)
const MAILBOXES: &[(&str, Option<u32>)] = &[
    // U-labels and A-labels; accents in one piece or in two; upper and lower case.
    ("dörte@sörensen.example", Some(4)),
    ("dörte@xn--srensen-90a.example", Some(4)),
    ("DÖRTE@XN--SRENSEN-90A.EXAMPLE.", Some(4)),
    ("do\u{308}rte@so\u{308}rensen.example", Some(4)),
    ("dörte@sörensen。example", Some(4)),
    ("büro@xn--srensen-90a.example", Some(4)),
    ("BU\u{308}RO+x@sörensen.example", Some(4)),
    ("dorte@sörensen.example", NOBODY),
    ("οδυσσευς@example.org", Some(9)),
    ("οδυσσευσ@example.org", Some(9)),
    ("Οδυσσεύς@example.org", NOBODY),
    // Quotes are no part of the name; spaces are.
    ("\"alice\"@example.org", Some(1)),
    ("\"Alice+x\"@example.org", Some(1)),
    ("\"a\\lice\"@example.org", Some(1)),
    ("\"j. doe\"@example.org", Some(7)),
    ("\"J. Doe+shop\"@example.org", Some(7)),
    ("\"j. doe \"@example.org", NOBODY),
    ("\"a.b\"@example.org", Some(8)),
    ("ab@example.org", NOBODY),
    // A separator within a name: the longest name there is.
    ("mary@dashed.example", Some(5)),
    ("mary-ann@dashed.example", Some(6)),
    ("mary-ann-shop@dashed.example", Some(6)),
    ("mary-ann+shop@dashed.example", Some(6)),
    ("mary+ann@dashed.example", Some(5)),
    ("mary-anne@dashed.example", Some(5)),
    ("mary+x-y@dashed.example", Some(5)),
    ("mary-@dashed.example", Some(5)),
    ("mary--x@dashed.example", Some(5)),
    ("-mary@dashed.example", NOBODY),
    ("plus+name@example.org", Some(10)),
    ("plus+name+x@example.org", Some(10)),
    ("plus+other@example.org", NOBODY),
    ("plus@example.org", NOBODY),
    // Literals: those that stand for a domain, in all spellings.
    ("carol@[192.0.2.1]", Some(3)),
    ("CAROL@[IPv6:2001:db8:0:0:0:0:0:1]", Some(3)),
    ("carol@[ipv6:::ffff:192.0.2.1]", Some(3)),
    ("alice@[192.0.2.1]", NOBODY),
];

#[test]
fn whose_mail_it_is() {
    let (map, directory) = (street(), Directory::new(domains()));
    for (text, whose) in MAILBOXES {
        let found = directory.resolve(&map.0, &address(text)).expect(text);
        let got = match &found {
            Found::Local(targets) => targets.accounts.first().map(|id| id.0),
            Found::NoSuchUser => None,
            Found::Remote => panic!("{text} is ours"),
        };
        assert_eq!(got, *whose, "{text}");
        // Who gets the mail may send as it, and nobody else.
        for id in 1..=10 {
            let may = directory.may_send_as(&map.0, AccountId(id), &address(text));
            assert_eq!(may, Ok(*whose == Some(id)), "{id} as {text}");
        }
    }
}

#[test]
fn a_name_is_taken_in_every_spelling() {
    let (map, domains) = (street(), domains());
    for (text, whose) in MAILBOXES {
        let name = address(text);
        // A subaddress is a name of its own; literals make no names.
        let is_exact = directory::account(&map.0, text)
            .expect("reads")
            .is_some_and(|account| Some(account.id.0) == *whose);
        let created = account::create(&map.0, &domains, text, "phc".into(), None);
        let put = alias::put(&map.0, &domains, text, &["bob@example.org".to_owned()]);
        match (created, put) {
            (Err(Refusal::Taken(_)), Err(Refusal::IsAccount(_))) => assert!(is_exact, "{text}"),
            // An alias may be put anew.
            (Err(Refusal::Taken(_)), Ok(_)) => {
                assert!(
                    !is_exact && name.local().to_lowercase().starts_with('b'),
                    "{text}"
                );
            }
            (Ok(_), Ok(_)) => assert!(!is_exact, "{text}"),
            (Err(Refusal::NotLocal(_)), Err(Refusal::NotLocal(_))) => {
                assert!(name.domain().is_literal(), "{text}");
            }
            (Err(Refusal::NotNormal(..)), Err(_)) => {
                assert!(name.normal().is_some(), "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

/// (octets of the local part, of the domain, what is wrong with an address of them)
const SIZES: &[(usize, usize, Option<AddressError>)] = &[
    (1, 1, None),
    (64, 12, None),
    (65, 12, Some(AddressError::LocalTooLong)),
    (1, 255, None),
    (64, 255, None),
    (1, 256, Some(AddressError::DomainTooLong)),
];

#[test]
fn the_longest_names() {
    for &(local, domain, wrong) in SIZES {
        let mut name = "d.".repeat(domain / 2);
        name.push_str(if domain % 2 == 1 { "d" } else { "" });
        let name = match name.strip_suffix('.') {
            // An even number of octets: the last label has two.
            Some(rest) => format!("{rest}d"),
            None => name,
        };
        let text = format!("{}@{name}", "L".repeat(local));
        assert_eq!(text.len(), local + 1 + domain);
        let parsed = ringpost_types::Address::parse(&text);
        assert_eq!(parsed.as_ref().err(), wrong.as_ref(), "{local} {domain}");
        let Ok(parsed) = parsed else { continue };
        let domains = Domains::new(vec![LocalDomain::new(parsed.domain().clone())]);
        let mut map = Map::default();
        assert!(account::create(&map.0, &domains, &text, "phc".into(), None).is_ok());
        map.account(1, &text, "", false);
        let found = Directory::new(domains).resolve(&map.0, &parsed);
        assert!(matches!(found, Ok(Found::Local(targets)) if targets.accounts == [AccountId(1)]));
    }
}

/// Ⱥ has two octets and ⱥ three: what fits as it is written may not fit as the store has it.
#[test]
fn names_that_grow_in_lower_case() {
    let (map, domains) = (house(), domains());
    let name = |count: usize| format!("{}@example.org", "Ⱥ".repeat(count));
    let target = ["bob@example.org".to_owned()];
    assert!(alias::put(&map.0, &domains, &name(21), &target).is_ok());
    let refusal = alias::put(&map.0, &domains, &name(22), &target);
    assert_eq!(
        refusal,
        Err(Refusal::Address(name(22), AddressError::LocalTooLong))
    );
}

/// (aliases and accounts beside those of `house`, recipient, who gets it)
type Role = (
    &'static [(&'static str, &'static [&'static str])],
    &'static str,
    &'static [u32],
);

const ROLES: &[Role] = &[
    // No account, no alias: the domain's first, else the host's.
    (&[], "postmaster@example.org", &[1]),
    (&[], "abuse@s\u{f6}rensen.example", &[4]),
    (&[], "Abuse@empty.example", &[1]),
    (&[], "\"postmaster\"@empty.example", &[1]),
    // The configuration's, a catch-all, an alias: in the order of the table.
    (&[], "abuse@example.net", &[2]),
    (&[], "abuse@[192.0.2.1]", &[2]),
    (&[], "postmaster@caught.example", &[3]),
    (
        &[("@example.net", &["carol@example.net"])],
        "abuse@example.net",
        &[2],
    ),
    (
        &[("abuse@example.net", &["alice@example.org"])],
        "abuse@example.net",
        &[1],
    ),
    // What leads nowhere does not stand in the way.
    (
        &[("abuse@example.org", &["gone@example.org"])],
        "abuse@example.org",
        &[1],
    ),
    (
        &[
            ("abuse@example.org", &["postmaster@example.org"]),
            ("postmaster@example.org", &["abuse@example.org"]),
        ],
        "abuse@example.org",
        &[1],
    ),
    (
        &[("@empty.example", &["gone@empty.example"])],
        "abuse@empty.example",
        &[1],
    ),
    // By way of an alias, and beside others.
    (
        &[("help@example.org", &["postmaster@empty.example"])],
        "help@example.org",
        &[1],
    ),
    (
        &[(
            "help@example.org",
            &["bob@example.org", "abuse@s\u{f6}rensen.example"],
        )],
        "help@example.org",
        &[2, 4],
    ),
    (
        &[
            ("help@example.org", &["abuse@example.org"]),
            ("abuse@example.org", &["gone@example.org"]),
        ],
        "help@example.org",
        &[1],
    ),
    // These are names like any other.
    (&[], "postmaster+x@example.org", &[]),
    (&[], "hostmaster@example.org", &[]),
];

#[test]
fn somebody_reads_postmaster_and_abuse() {
    for (aliases, text, accounts) in ROLES {
        let mut map = house();
        for (name, targets) in *aliases {
            let targets: Vec<_> = targets.iter().map(|target| to(target)).collect();
            map.alias(name, &targets);
        }
        let found = Directory::new(domains()).resolve(&map.0, &address(text));
        let got = match found.expect(text) {
            Found::Local(targets) => targets.accounts,
            _ => Vec::new(),
        };
        let expected: Vec<_> = accounts.iter().map(|&id| AccountId(id)).collect();
        assert_eq!(got, expected, "{text} with {aliases:?}");
    }
}

/// An account that nobody may log in to reads nothing.
#[test]
fn postmaster_is_somebody_who_can_read() {
    let first = |accounts: &[(&str, bool)]| {
        let mut map = Map::default();
        for (id, (name, disabled)) in (1..).zip(accounts) {
            map.account(id, name, "", *disabled);
        }
        let found = Directory::new(domains()).resolve(&map.0, &address("abuse@example.org"));
        match found.expect("resolves") {
            Found::Local(targets) => targets.accounts[0].0,
            other => panic!("{other:?}"),
        }
    };
    let (a, b, far) = ("a@example.org", "b@example.org", "c@example.net");
    assert_eq!(first(&[(far, false), (a, false), (b, false)]), 2);
    assert_eq!(first(&[(far, false), (a, true), (b, false)]), 3);
    assert_eq!(first(&[(far, false), (a, true), (b, true)]), 1);
    assert_eq!(first(&[(far, true), (a, true)]), 1);
}

/// An alias that leads to itself, or into a circle, keeps nobody else from the mail.
#[test]
fn circles_that_are_there_end() {
    let mut map = house();
    map.alias(
        "self@example.org",
        &[to("self@example.org"), to("bob@example.org")],
    );
    map.alias(
        "near@example.org",
        &[to("near+x@example.org"), to("bob@example.org")],
    );
    map.alias(
        "in@example.org",
        &[to("ring1@example.org"), to("X@elsewhere.example")],
    );
    let directory = Directory::new(domains());
    for (text, accounts, remote) in [
        ("self@example.org", 1, 0),
        ("self+x@example.org", 1, 0),
        ("near@example.org", 1, 0),
        ("in@example.org", 0, 1),
    ] {
        match directory.resolve(&map.0, &address(text)).expect(text) {
            Found::Local(found) => {
                assert_eq!(
                    (found.accounts.len(), found.remote.len()),
                    (accounts, remote)
                );
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    let told = alias::faults(&map.0, &domains()).expect("reads");
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    for circle in [
        "an alias leads back to itself: near@example.org -> near@example.org",
        "an alias leads back to itself: ring1@example.org -> ring2@example.org -> ring1@example.org",
        "an alias leads back to itself: self@example.org -> self@example.org",
    ] {
        assert!(
            told.iter().any(|fault| fault == circle),
            "{circle}: {told:?}"
        );
    }
}

/// Aliases of aliases as deep as there may be addresses; and what may be put is what can be resolved.
#[test]
fn depth_and_breadth() {
    let deep = |depth: usize| {
        let mut map = house();
        for at in 1..depth {
            let next = format!("n{}@example.org", at + 1);
            map.alias(&format!("n{at}@example.org"), &[to(&next)]);
        }
        map.alias(&format!("n{depth}@example.org"), &[to("bob@example.org")]);
        let resolved = Directory::new(domains()).resolve(&map.0, &address("n1@example.org"));
        let put = alias::put(
            &map.0,
            &domains(),
            "n1@example.org",
            &["n2@example.org".to_owned()],
        );
        (resolved.is_ok(), put.is_ok())
    };
    // Beside the aliases bob's address and his account.
    assert_eq!(deep(ADDRESSES_MAX - 2), (true, true));
    assert_eq!(deep(ADDRESSES_MAX - 1), (false, false));

    let broad = |count: usize| {
        let targets: Vec<String> = (0..count).map(|n| format!("bob+{n}@example.org")).collect();
        let mut map = house();
        let put = alias::put(&map.0, &domains(), "many@example.org", &targets);
        let leads: Vec<AliasTarget> = targets.iter().map(|target| to(target)).collect();
        map.alias("many@example.org", &leads);
        let resolved = Directory::new(domains()).resolve(&map.0, &address("many@example.org"));
        (resolved.is_ok(), put.is_ok())
    };
    assert_eq!(broad(ADDRESSES_MAX - 2), (true, true));
    assert_eq!(broad(ADDRESSES_MAX - 1), (false, false));
}

/// Who is on many lists counts once, and a list that grows must not break the lists that have it.
#[test]
fn lists_of_lists() {
    let mut map = house();
    let members: Vec<AliasTarget> = (0..400)
        .map(|n| to(&format!("x{n}@elsewhere.example")))
        .collect();
    for list in ["a", "b", "c"] {
        map.alias(&format!("{list}@example.org"), &members);
    }
    let put =
        |map: &Map, name: &str, targets: &[String]| alias::put(&map.0, &domains(), name, targets);
    let lists = ["a", "b", "c"].map(|list| format!("{list}@example.org"));
    assert!(put(&map, "all@example.org", &lists).is_ok());
    map.alias(
        "every@example.org",
        &[to("a@example.org"), to("d@example.org")],
    );
    let others = |count: usize| -> Vec<String> {
        (0..count)
            .map(|n| format!("y{n}@elsewhere.example"))
            .collect()
    };
    // every@, a@ with its 400, and d@.
    let room = ADDRESSES_MAX - 403;
    assert!(matches!(
        put(&map, "d@example.org", &others(room)),
        Ok(Write::AliasPut { .. })
    ));
    assert_eq!(
        put(&map, "d@example.org", &others(room + 1)),
        Err(Refusal::TooMany("every@example.org".to_owned()))
    );
}

const NAMES: &[&str] = &[
    "a@example.org",
    "a+x@example.org",
    "b@example.org",
    "c@example.net",
    "c-x@example.net",
    "c@[192.0.2.1]",
    "@caught.example",
    "any@caught.example",
    "postmaster@example.net",
    "abuse@caught.example",
    "bob@example.org",
    "x@elsewhere.example",
];

proptest! {
    /// Whatever is put one after the other, nothing that was put leads back to itself, and all of it can be resolved.
    #[test]
    fn no_order_of_puts_makes_a_circle(
        puts in prop::collection::vec((0..NAMES.len(), prop::collection::vec(0..NAMES.len(), 1..4)), 1..12),
    ) {
        let (mut map, directory) = (Map::default(), Directory::new(domains()));
        map.account(1, "bob@example.org", "", false);
        map.alias("any@caught.example", &[to("bob@example.org")]);
        for (name, targets) in puts {
            let targets: Vec<String> = targets.iter().map(|&at| NAMES[at].to_owned()).collect();
            if let Ok(Write::AliasPut { address, targets }) =
                alias::put(&map.0, &domains(), NAMES[name], &targets)
            {
                map.alias(&address, &targets);
            }
            let faults = alias::faults(&map.0, &domains()).expect("reads");
            prop_assert_eq!(faults, []);
            for text in NAMES.iter().filter(|text| !text.starts_with('@')) {
                prop_assert!(directory.resolve(&map.0, &address(text)).is_ok());
            }
        }
    }
}
