//! What rules decide: by table, and the index against the plain walk through the list.

use super::network::Networks;
use super::pattern::{Kind, Names};
use super::*;
use crate::LocalDomain;
use proptest::prelude::*;
use ringpost_types::Domain;

fn address(text: &str) -> Address {
    Address::parse(text).expect(text)
}

fn domains() -> Domains {
    let domain = |name| LocalDomain::new(Domain::parse(name).expect(name));
    let mut second = domain("example.net");
    second.subaddress = "".into();
    second.literals = vec!["192.0.2.1".parse().expect("an address")];
    second.traps = vec![address("fred@example.net")];
    let mut first = domain("example.org");
    first.traps = vec![address("Fred@example.org")];
    Domains::new(vec![first, second])
}

/// `!` makes an exception.
fn names(kind: Kind, items: &[&str]) -> Either<Names> {
    let mut either = Either::<Names>::default();
    for item in items {
        let (list, item) = match item.strip_prefix('!') {
            Some(item) => (&mut either.but, item),
            None => (either.of.get_or_insert_default(), *item),
        };
        list.add(kind, item).expect(item);
    }
    either
}

fn networks(items: &[&str]) -> Either<Networks> {
    let mut either = Either::<Networks>::default();
    for item in items {
        let (list, item) = match item.strip_prefix('!') {
            Some(item) => (&mut either.but, item),
            None => (either.of.get_or_insert_default(), *item),
        };
        list.add(item).expect(item);
    }
    either
}

/// `key=item,item key=item -> action`, as short as tables need it.
fn rule(text: &str) -> Rule {
    let (asked, action) = text.split_once("->").expect(text);
    let mut conditions = Conditions::default();
    for part in asked.split_whitespace() {
        let (key, items) = part.split_once('=').expect(part);
        let items: Vec<&str> = items.split(',').collect();
        match key {
            "listener" => {
                conditions.listener = Some(items.iter().map(|&tag| tag.into()).collect());
            }
            "from" => conditions.from_network = Some(networks(&items)),
            "login" => {
                conditions.authenticated = Some(match items[0] {
                    "yes" => Who::Somebody,
                    "no" => Who::Nobody,
                    _ => Who::One(names(Kind::Address, &items)),
                });
            }
            "tls" => conditions.tls = Some(items[0] == "yes"),
            "helo" => conditions.helo = Some(names(Kind::Domain, &items)),
            "sender" => conditions.sender = Some(names(Kind::Sender, &items)),
            "recipient" => conditions.recipient = Some(names(Kind::Address, &items)),
            "domain" => conditions.domain = Some(names(Kind::Domain, &items)),
            _ => panic!("{part}"),
        }
    }
    let action = match action.trim().split_once(' ') {
        None if action.trim() == "deliver" => Action::Deliver,
        None if action.trim() == "reject" => DENIED.clone(),
        None => Action::Discard,
        Some(("tag", word)) => Action::Tag(word.into()),
        Some(("relay", name)) => Action::Relay(Some(name.into())),
        Some((_, to)) => Action::Forward(vec![address(to)]),
    };
    Rule {
        place: "t:1".into(),
        conditions,
        action,
    }
}

fn rules(texts: &[&str]) -> Rules {
    let list = texts.iter().map(|text| rule(text)).collect();
    Rules::new(domains(), list, Vec::new())
}

/// A session in clear from 198.51.100.7 on listener `smtp`, nobody logged in.
fn facts<'f>(sender: Option<&'f Address>) -> Facts<'f> {
    Facts {
        listener: "smtp",
        ip: "198.51.100.7".parse().ok(),
        trust_local: false,
        login: None,
        tls: false,
        helo: "mail.sender.example",
        sender,
    }
}

/// (the conditions of one rule that discards, recipients that it holds for, recipients that it does not hold for);
/// the sender is bob@sub.sender.example
const LISTS: &[(&str, &[&str], &[&str])] = &[
    (
        "recipient=alice@example.org",
        &[
            "alice@example.org",
            "ALICE@EXAMPLE.ORG",
            "alice+tag@example.org",
        ],
        &["bob@example.org", "alice@example.net"],
    ),
    (
        "recipient=alice@example.net",
        &["alice@example.net"],
        // That domain has no subaddresses.
        &["alice+tag@example.net"],
    ),
    (
        "recipient=alice+tag@example.org",
        &["alice+tag@example.org", "alice+tag+more@example.org"],
        &["alice@example.org"],
    ),
    (
        "recipient=x@elsewhere.example",
        &["x@elsewhere.example"],
        // What + means elsewhere is not ours to know.
        &["x+y@elsewhere.example"],
    ),
    (
        "recipient=@example.org",
        &["a@example.org"],
        &["a@sub.example.org", "a@example.net"],
    ),
    (
        "recipient=.example.org",
        &["a@sub.example.org", "a@b.c.example.org"],
        &["a@example.org", "a@notexample.org"],
    ),
    (
        "domain=example.org",
        &["a@example.org"],
        &["a@sub.example.org"],
    ),
    (
        "domain=.org,local",
        &["a@example.org", "a@other.org", "a@example.net"],
        &["a@org", "a@elsewhere.example"],
    ),
    (
        "domain=*,!example.org",
        &["a@x.example", "a@[192.0.2.9]"],
        &["a@example.org"],
    ),
    ("domain=!local", &["a@x.example"], &["a@example.org"]),
    ("domain=local", &["a@[192.0.2.1]"], &["a@[192.0.2.9]"]),
    (
        "domain=Sörensen.example",
        &["a@sörensen.example", "a@XN--Srensen-90a.example"],
        &["a@srensen.example"],
    ),
    (
        "domain=.sörensen.example",
        &["a@b.XN--Srensen-90a.example", "a@b.so\u{308}rensen.example"],
        &["a@sörensen.example"],
    ),
    (
        "recipient=dörte@xn--srensen-90a.example,@faß.example",
        &["DÖRTE@Sörensen.example", "a@xn--fa-hia.example"],
        &["dörte@srensen.example", "a@fass.example"],
    ),
    (
        "recipient=\"a\"@example.org,\"b@c\"@x.example",
        &["a@example.org", "\"A\"@example.org", "\"b@c\"@x.example"],
        &["\"a \"@example.org", "c@x.example", "b@x.example"],
    ),
    (
        "recipient=a@[192.0.2.9],@[IPv6:2001:DB8::9]",
        &[
            "a@[IPv6:::ffff:192.0.2.9]",
            "A@[192.0.2.9]",
            "b@[ipv6:2001:db8:0:0::9]",
        ],
        &["b@[192.0.2.9]", "a@[192.0.2.8]"],
    ),
    // A literal of ours is another spelling of the domain it stands for.
    (
        "recipient=carol@example.net",
        &["carol@[192.0.2.1]", "Carol@[IPv6:::ffff:192.0.2.1]"],
        &["alice@[192.0.2.1]"],
    ),
    ("domain=example.net", &["a@[192.0.2.1]"], &["a@[192.0.2.9]"]),
    ("recipient=@example.net", &["a@[192.0.2.1]"], &[]),
    ("domain=.net", &["a@[192.0.2.1]"], &["a@[192.0.2.9]"]),
    (
        "domain=*,!example.net",
        &["a@example.org"],
        &["a@[192.0.2.1]"],
    ),
    (
        "recipient=@[192.0.2.1]",
        &["a@[192.0.2.1]"],
        &["a@example.net"],
    ),
    (
        "recipient=dörte@example.org",
        &["DO\u{308}RTE+x@example.org"],
        &["dorte@example.org"],
    ),
    ("sender=bob@sub.sender.example", &["a@example.org"], &[]),
    (
        "sender=.sender.example domain=local",
        &["a@example.org"],
        &["a@x.example"],
    ),
    ("sender=<>", &[], &["a@example.org"]),
    ("sender=local", &[], &["a@example.org"]),
    ("sender=*,!.sender.example", &[], &["a@example.org"]),
    ("listener=smtp,lmtp", &["a@example.org"], &[]),
    ("listener=submission", &[], &["a@example.org"]),
    ("from=198.51.100.0/24", &["a@example.org"], &[]),
    (
        "from=198.51.100.0/24,!198.51.100.7",
        &[],
        &["a@example.org"],
    ),
    ("from=!198.51.100.8", &["a@example.org"], &[]),
    ("from=local,::/0", &[], &["a@example.org"]),
    ("login=yes", &[], &["a@example.org"]),
    ("login=no tls=no", &["a@example.org"], &[]),
    ("tls=yes", &[], &["a@example.org"]),
    ("helo=.sender.example", &["a@example.org"], &[]),
    ("helo=mail.example", &[], &["a@example.org"]),
];

#[test]
fn conditions_hold_where_the_table_says() {
    let sender = address("bob@sub.sender.example");
    let facts = facts(Some(&sender));
    for (asked, yes, no) in LISTS {
        let rules = rules(&[&format!("{asked} -> discard")]);
        for (held, recipients) in [(true, yes), (false, no)] {
            for text in *recipients {
                let by = rules.decide(&facts, &address(text)).by;
                assert_eq!(by == By::Rule(0), held, "{asked} {text}");
            }
        }
    }
}

#[test]
fn an_empty_list_holds_nothing() {
    let mut none = rule("domain=x -> discard");
    none.conditions.domain = Some(Either {
        of: Some(Names::default()),
        but: Names::default(),
    });
    let rules = Rules::new(domains(), vec![none], Vec::new());
    let by = rules.decide(&facts(None), &address("a@example.org")).by;
    assert_eq!(by, By::LocalDomain);
}

#[test]
fn sessions_are_told_apart() {
    let yes = address("a@example.org");
    let rules = rules(&[
        "from=local domain=!local -> relay inside",
        "login=alice@example.org,@example.net domain=!local -> relay own",
        "sender=<> -> discard",
    ]);
    let away = address("x@elsewhere.example");
    let far = facts(Some(&yes));
    let unix = Facts { ip: None, ..far };
    let loopback = Facts {
        ip: "::ffff:127.0.0.1".parse().ok(),
        ..far
    };
    for (session, by) in [
        (far, By::Nothing),
        (unix, By::Rule(0)),
        (loopback, By::Rule(0)),
    ] {
        let trusting = Facts {
            trust_local: true,
            ..session
        };
        assert_eq!(rules.decide(&session, &away).by, By::Nothing);
        assert_eq!(rules.decide(&trusting, &away).by, by);
    }
    for (login, by) in [
        ("Alice@example.org", By::Rule(1)),
        ("carol@example.net", By::Rule(1)),
        ("bob@example.org", By::Login),
    ] {
        let facts = Facts {
            login: Some(login),
            ..facts(Some(&yes))
        };
        assert_eq!(rules.decide(&facts, &away).by, by, "{login}");
    }
    assert_eq!(rules.decide(&facts(None), &yes).by, By::Rule(2));
}

#[test]
fn the_first_decides_and_tags_gather() {
    let rules = rules(&[
        "domain=local -> tag ours",
        "sender=.sender.example -> tag known",
        "domain=elsewhere.example -> deliver",
        "recipient=list@example.org -> forward bob@example.net",
        "recipient=list@example.org -> reject",
        "domain=elsewhere.example -> relay smart",
    ]);
    let sender = address("bob@mx.sender.example");
    let facts = facts(Some(&sender));
    let listed = rules.decide(&facts, &address("list@example.org"));
    assert_eq!(listed.by, By::Rule(3));
    assert_eq!(listed.tags, ["ours", "known"]);
    assert_eq!(rules.name(listed.by), "rule 4 (t:1)");
    let other = rules.decide(&facts, &address("a@example.org"));
    assert_eq!(
        (other.action, other.by),
        (&Action::Deliver, By::LocalDomain)
    );
    // To deliver is for our own domains: the rule is passed over.
    let away = address("a@elsewhere.example");
    assert_eq!(rules.decide(&facts, &away).by, By::Rule(5));
    let told = rules.explain(&facts, &away);
    let failed: Vec<_> = told.rules.iter().map(|(_, failed)| *failed).collect();
    let expected = [
        Some(Failed::Domain),
        None,
        Some(Failed::Deliver),
        Some(Failed::Recipient),
        Some(Failed::Recipient),
        None,
    ];
    assert_eq!(failed, expected);
    let nobody = rules.decide(&facts, &address("a@third.example"));
    assert_eq!(
        nobody.action.to_string(),
        "reject with 550 5.7.1 Relaying denied: the domain is not ours and nobody has logged in"
    );
}

#[test]
fn what_is_refused_at_mail_would_be_refused_to_everyone() {
    let bad = address("spam@bad.example");
    let good = address("a@good.example");
    let cases: &[(&[&str], bool)] = &[
        (&["sender=@bad.example -> reject"], true),
        (
            &[
                "sender=@bad.example -> tag x",
                "sender=@bad.example -> reject",
            ],
            true,
        ),
        (
            &[
                "sender=@bad.example -> discard",
                "sender=@bad.example -> reject",
            ],
            false,
        ),
        (
            &["listener=lmtp -> discard", "sender=@bad.example -> reject"],
            true,
        ),
        (
            &[
                "domain=example.org -> deliver",
                "sender=@bad.example -> reject",
            ],
            false,
        ),
        (&["sender=@bad.example domain=local -> reject"], false),
        (&["-> deliver", "-> reject"], false),
        // Postmaster would be taken.
        (&["listener=smtp -> reject"], false),
        (&[], false),
    ];
    for (texts, refused) in cases {
        let rules = rules(texts);
        let at_mail = rules.at_mail(&facts(Some(&bad)));
        assert_eq!(at_mail.is_some(), *refused, "{texts:?}");
        assert_eq!(rules.at_mail(&facts(Some(&good))), None);
        if let Some(decision) = at_mail {
            let recipient = address("a@example.org");
            let later = rules.decide(&facts(Some(&bad)), &recipient);
            assert_eq!((decision.action, decision.by), (later.action, later.by));
        }
    }
}

/// (rules, recipient, by whom it is decided); the session is in clear from bob@sub.sender.example
const ROLES: &[(&[&str], &str, By)] = &[
    // Whoever shuts everybody out, or a whole domain, does not mean these.
    (&["-> reject"], "postmaster@example.org", By::LocalDomain),
    (&["-> reject"], "Abuse@example.net", By::LocalDomain),
    (&["-> reject"], "POSTMASTER@[192.0.2.1]", By::LocalDomain),
    (&["-> discard"], "abuse@example.org", By::LocalDomain),
    (
        &["domain=local -> reject"],
        "abuse@example.org",
        By::LocalDomain,
    ),
    (
        &["recipient=@example.org -> discard"],
        "\"postmaster\"@example.org",
        By::LocalDomain,
    ),
    (&["tls=no -> reject"], "abuse@example.org", By::LocalDomain),
    (
        &["login=no -> reject"],
        "abuse@example.org",
        By::LocalDomain,
    ),
    (
        &["listener=smtp -> reject"],
        "abuse@example.org",
        By::LocalDomain,
    ),
    (
        &["domain=local -> reject", "-> relay r"],
        "abuse@example.org",
        By::Rule(1),
    ),
    // What gives them to somebody holds.
    (
        &["domain=local -> relay r"],
        "abuse@example.org",
        By::Rule(0),
    ),
    (
        &["domain=local -> forward x@y.example"],
        "abuse@example.org",
        By::Rule(0),
    ),
    // Their own rules hold, and those about senders.
    (
        &["recipient=abuse@example.org -> reject"],
        "Abuse@example.org",
        By::Rule(0),
    ),
    (
        &["recipient=abuse@example.net -> reject"],
        "abuse@[192.0.2.1]",
        By::Rule(0),
    ),
    (
        &["sender=.sender.example -> reject"],
        "abuse@example.org",
        By::Rule(0),
    ),
    (
        &["from=198.51.100.0/24 domain=local -> discard"],
        "abuse@example.org",
        By::Rule(0),
    ),
    (
        &["helo=.sender.example -> reject"],
        "abuse@example.org",
        By::Rule(0),
    ),
    // Others' are theirs, and nobody else is meant.
    (&["-> reject"], "postmaster@elsewhere.example", By::Rule(0)),
    (&["-> reject"], "postmaster+x@example.org", By::Rule(0)),
    (&["-> reject"], "postmasters@example.org", By::Rule(0)),
    (&["-> reject"], "hostmaster@example.org", By::Rule(0)),
];

#[test]
fn postmaster_and_abuse_are_reached() {
    let sender = address("bob@sub.sender.example");
    let facts = facts(Some(&sender));
    for (texts, to, by) in ROLES {
        let rules = rules(texts);
        let to = address(to);
        assert_eq!(rules.decide(&facts, &to).by, *by, "{texts:?} {to}");
        if let Some(decision) = rules.at_mail(&facts) {
            assert_eq!(decision.by, *by, "{texts:?} at MAIL, {to}");
        }
    }
    let rules = rules(&["domain=local -> discard"]);
    let to = address("abuse@example.org");
    let told = rules.explain(&facts, &to);
    assert_eq!(told.rules, [(0, Some(Failed::Role))]);
    assert_eq!(
        rules.reason(0, Failed::Role, &facts, &to),
        "<abuse@example.org> takes mail from everybody; only a rule that names it or certain senders may discard that"
    );
}

/// (one rule, why it is passed over); the session is in clear from bob@sub.sender.example at 198.51.100.7
const REASONS: &[(&str, &str)] = &[
    ("listener=lmtp -> discard", "the listener is smtp"),
    (
        "from=10.0.0.0/8 -> discard",
        "198.51.100.7 is not in the list",
    ),
    ("from=local -> discard", "198.51.100.7 is not in the list"),
    (
        "from=!198.51.100.0/24 -> discard",
        "198.51.100.7 is an exception",
    ),
    ("login=yes -> discard", "nobody has logged in"),
    ("tls=yes -> discard", "the session is in clear"),
    (
        "helo=x -> discard",
        "the peer calls itself \"mail.sender.example\"",
    ),
    (
        "helo=*,!.sender.example -> discard",
        "the peer calls itself \"mail.sender.example\", an exception",
    ),
    (
        "sender=<> -> discard",
        "the sender is <bob@sub.sender.example>",
    ),
    (
        "sender=!.sender.example -> discard",
        "the sender is <bob@sub.sender.example>, an exception",
    ),
    (
        "recipient=b@x.example -> discard",
        "the recipient is <a@x.example>",
    ),
    (
        "recipient=.example,!@x.example -> discard",
        "the recipient is <a@x.example>, an exception",
    ),
    ("domain=local -> discard", "the domain is x.example"),
    (
        "domain=!x.example -> discard",
        "the domain is x.example, an exception",
    ),
    ("-> deliver", "x.example is not a local domain"),
];

#[test]
fn reasons_are_told() {
    let (sender, to) = (address("bob@sub.sender.example"), address("a@x.example"));
    let facts = facts(Some(&sender));
    let why = |text: &str, facts: &Facts<'_>| {
        let rules = rules(&[text]);
        let (_, failed) = rules.explain(facts, &to).rules[0];
        rules.reason(0, failed.expect(text), facts, &to)
    };
    for (text, expected) in REASONS {
        assert_eq!(why(text, &facts), *expected, "{text}");
    }
    let unix = Facts { ip: None, ..facts };
    assert_eq!(
        why("from=local -> discard", &unix),
        "a unix socket is on this machine, which the listener does not trust"
    );
}

#[test]
fn senders_and_users_in_any_spelling() {
    let rules = rules(&[
        "sender=Dörte@Sörensen.example,.faß.example -> discard",
        "login=dörte@sörensen.example -> relay r",
        "helo=sörensen.example -> discard",
        "sender=carol@example.net -> discard",
    ]);
    let to = address("x@elsewhere.example");
    for (sender, by) in [
        ("DO\u{308}RTE@xn--srensen-90a.example", By::Rule(0)),
        ("a@b.XN--FA-HIA.example", By::Rule(0)),
        ("dorte@sörensen.example", By::Nothing),
        ("carol@[192.0.2.1]", By::Rule(3)),
    ] {
        let sender = address(sender);
        assert_eq!(rules.decide(&facts(Some(&sender)), &to).by, by, "{sender}");
    }
    let session = facts(None);
    let login = Facts {
        login: Some("DÖRTE@xn--srensen-90a.example"),
        ..session
    };
    assert_eq!(rules.decide(&login, &to).by, By::Rule(1));
    let helo = Facts {
        helo: "XN--Srensen-90a.example",
        ..session
    };
    assert_eq!(rules.decide(&helo, &to).by, By::Rule(2));
}

#[test]
fn traps_are_found_with_subaddresses() {
    let domains = domains();
    for (text, trap) in [
        ("fred@example.org", true),
        ("FRED+x@example.org", true),
        ("fred@example.net", true),
        ("fred+x@example.net", false),
        ("fred@[192.0.2.1]", true),
        ("alice@example.org", false),
        ("fred@elsewhere.example", false),
    ] {
        assert_eq!(domains.is_trap(&address(text)), trap, "{text}");
    }
}

/// Ten thousand rules and one list of ten thousand: both are found by name, whatever stands around them.
#[test]
fn many_domains_are_looked_up() {
    let name = |n: usize| format!("d{n}.example");
    let each = |n| rule(&format!("domain={} -> relay r{n}", name(n)));
    let many = Rules::new(domains(), (0..10_000).map(each).collect(), Vec::new());
    let facts = facts(None);
    for n in [0, 5_000, 9_999] {
        let recipient = address(&format!("x@{}", name(n)));
        let decision = many.decide(&facts, &recipient);
        assert_eq!(decision.by, By::Rule(n));
        let case = condition::Case::new(many.domains(), &facts, Some(&recipient));
        assert_eq!(
            many.index.candidates(&case).count(),
            1,
            "no other is looked at"
        );
    }
    let none = address("x@d10000.example");
    assert_eq!(many.decide(&facts, &none).by, By::Nothing);
}

const RULE_PARTS: &[&str] = &[
    "domain=local",
    "domain=example.org,.example",
    "domain=!example.org",
    "domain=*",
    "recipient=alice@example.org",
    "recipient=@example.net,.a.example",
    "sender=<>",
    "sender=@bad.example,bob@example.org",
    "sender=.example,!bad.example@x.example",
    "listener=smtp",
    "listener=lmtp",
    "from=198.51.100.0/24",
    "from=!198.51.100.7",
    "recipient=abuse@example.net",
    "tls=no",
    "login=no",
    "login=yes",
];
const ACTIONS: &[&str] = &["deliver", "reject", "discard", "tag t", "relay r"];
const ADDRESSES: &[&str] = &[
    "alice@example.org",
    "alice+x@example.org",
    "bob@example.org",
    "c@example.net",
    "d@bad.example",
    "e@b.a.example",
    "f@[192.0.2.1]",
    "postmaster@example.org",
    "abuse@[192.0.2.1]",
];

proptest! {
    /// What the index finds is what the walk finds.
    #[test]
    fn the_index_changes_nothing(
        list in prop::collection::vec((prop::collection::vec(0..RULE_PARTS.len(), 0..3), 0..ACTIONS.len()), 0..12),
        from in 0..=ADDRESSES.len(),
        to in 0..ADDRESSES.len(),
    ) {
        let texts: Vec<String> = list
            .iter()
            .map(|(parts, action)| {
                let parts: Vec<_> = parts.iter().map(|&at| RULE_PARTS[at]).collect();
                format!("{} -> {}", parts.join(" "), ACTIONS[*action])
            })
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let rules = rules(&texts);
        let sender = ADDRESSES.get(from).map(|text| address(text));
        let facts = facts(sender.as_ref());
        let recipient = address(ADDRESSES[to]);
        let decision = rules.decide(&facts, &recipient);
        prop_assert_eq!(&decision, &rules.explain(&facts, &recipient).decision);
        if let Some(early) = rules.at_mail(&facts) {
            prop_assert_eq!((early.action, early.by), (decision.action, decision.by));
        }
    }
}
