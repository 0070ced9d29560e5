//! Mail that leaves: rules, aliases to other hosts, relaying, and what the queue is told. RFC 3461, 2852, 4865, 6710, 8689.

mod server;

use ringpost_api::item::{Fate, Item, Kind, Ret};
use ringpost_directory::rules::{Conditions, pattern};
use ringpost_directory::{Action, Rule};
use ringpost_types::reply::{Enhanced, Reply};
use server::{Client, Server, Wanted};

/// A session that has logged in as alice.
fn logged_in(server: &Server) -> Client {
    let response = data_encoding::BASE64.encode(b"\0alice@example.org\0secret");
    let mut client = Client::tls(server.submissions);
    client.talk(&[
        ("EHLO phone.example.net", "250-"),
        (&format!("AUTH PLAIN {response}"), "235 2.7.0"),
    ]);
    client
}

fn with_queue() -> Server {
    Server::of(Wanted {
        queue: true,
        ..Wanted::default()
    })
}

/// (address, route, fate) of each recipient of an item.
fn recipients(item: &Item) -> Vec<(&str, &str, Fate)> {
    let all = item.recipients.iter();
    all.map(|to| (&*to.address, &*item.route, to.fate))
        .collect()
}

#[test]
fn a_users_mail_goes_to_other_hosts_and_to_ours() {
    let server = with_queue();
    let mut client = logged_in(&server);
    client.talk(&[
        (
            "MAIL FROM:<alice@example.org> RET=HDRS ENVID=QQ+2B1 MT-PRIORITY=3 BY=3600;R",
            "250 2.1.0",
        ),
        (
            "RCPT TO:<a@elsewhere.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b@c.example",
            "250 2.1.5",
        ),
        ("RCPT TO:<A@ELSEWHERE.example>", "250 2.1.5"),
        ("RCPT TO:<bob@example.org> NOTIFY=SUCCESS", "250 2.1.5"),
        ("RCPT TO:<far@example.org>", "250 2.1.5"),
        ("RCPT TO:<mixed@example.org> NOTIFY=NEVER", "250 2.1.5"),
        ("DATA", "354"),
        (
            "From: alice@example.org\r\n\r\nBody.\r\n.",
            "250 2.0.0 Ok, id ",
        ),
    ]);
    let items = server.queue(2);
    let [mail, notice] = &items[..] else {
        panic!("{items:?}")
    };
    assert_eq!(
        recipients(mail),
        [
            ("a@elsewhere.example", "", Fate::Waiting),
            ("x@elsewhere.example", "", Fate::Waiting),
        ]
    );
    let first = &mail.recipients[0];
    let orcpt = Some(("rfc822".to_owned(), "b@c.example".to_owned()));
    assert_eq!((first.notify, &first.orcpt), (0b1010, &orcpt));
    // Whoever hears of the alias's mail hears of the alias.
    let orcpt = Some(("rfc822".to_owned(), "far@example.org".to_owned()));
    assert_eq!(mail.recipients[1].orcpt, orcpt);
    assert_eq!(mail.sender.as_deref(), Some("alice@example.org"));
    assert_eq!(mail.envid.as_deref(), Some("QQ+1"));
    let head = &mail.head;
    assert_eq!(
        (head.kind, head.priority, head.ret),
        (Kind::Mail, 3, Some(Ret::Headers))
    );
    let by = head.by.expect("a deadline");
    assert_eq!((by.at, head.expires), (head.created + 3_600_000, by.at));
    assert!(!by.notify && !by.trace && !head.require_tls);

    assert_eq!((notice.head.kind, notice.head.by), (Kind::Notice, None));
    assert_eq!(
        recipients(notice),
        [("bob@example.org", "", Fate::Delivered)]
    );
    // One mail for all: in two mailboxes and in two items.
    let bob = &server.inbox(server.bob, 1)[0];
    assert_eq!(bob.blob.references, 4);
    assert_eq!(bob.row.blob, server.inbox(server.alice, 1)[0].row.blob);
    assert_eq!(bob.row.blob, head.blob);
}

/// RFC 4865 §4: what is held is held for our own recipients too.
#[test]
fn a_held_mail_waits_as_a_whole() {
    let server = with_queue();
    let mut client = logged_in(&server);
    client.talk(&[
        ("MAIL FROM:<alice@example.org> HOLDFOR=3600", "250 2.1.0"),
        ("RCPT TO:<bob@example.org>", "250 2.1.5"),
        ("RCPT TO:<nobody@example.org>", "550 5.1.1"),
        ("RCPT TO:<a@elsewhere.example>", "250 2.1.5"),
        ("DATA", "354"),
        ("\r\n.", "250 2.0.0"),
    ]);
    let items = server.queue(1);
    let [item] = &items[..] else {
        panic!("{items:?}")
    };
    assert_eq!(item.recipients.len(), 2);
    let head = &item.head;
    assert_eq!((head.due, head.hold), (head.created + 3_600_000, head.due));
    assert!(server.inbox(server.bob, 0).is_empty());
}

/// What a user may wish, at its bounds and beyond; whatever is refused leaves the next MAIL as it was.
#[test]
fn wishes_up_to_their_bounds() {
    let server = with_queue();
    let mut client = logged_in(&server);
    let offer = client.say("EHLO c");
    for line in [
        "DSN",
        "DELIVERBY",
        "MT-PRIORITY",
        "REQUIRETLS",
        "FUTURERELEASE 2592000 ",
    ] {
        assert!(offer.contains(line), "{offer}");
    }
    let cases = [
        ("HOLDFOR=2592000", "250 2.1.0"),
        ("HOLDFOR=2592001", "501 5.5.4"),
        ("HOLDFOR=60 HOLDUNTIL=2999-01-01T00:00:00Z", "501 5.5.4"),
        ("HOLDFOR=60 BY=61;R", "250 2.1.0"),
        ("HOLDFOR=60 BY=60;R", "501 5.5.4"),
        ("HOLDFOR=60 BY=60;N", "250 2.1.0"),
        ("BY=999999999;RT", "250 2.1.0"),
        ("BY=1000000000;R", "501 5.5.4"),
        ("BY=0;R", "501 5.5.4"),
        ("MT-PRIORITY=-9", "250 2.1.0"),
        ("MT-PRIORITY=10", "501 5.5.4"),
        ("RET=FULL RET=HDRS", "501 5.5.4"),
        ("ENVID=a+0D+0AX-Forged:+20yes", "501 5.5.4"),
        ("REQUIRETLS", "250 2.1.0"),
    ];
    for (wish, expected) in cases {
        client.talk(&[
            (&format!("MAIL FROM:<alice@example.org> {wish}"), expected),
            ("RSET", "250"),
        ]);
    }
    let cases = [
        ("NOTIFY=NEVER", "250 2.1.5"),
        ("NOTIFY=NEVER,SUCCESS", "501 5.5.4"),
        ("ORCPT=rfc822;a+0D+0AX-Forged:+20yes", "501 5.5.4"),
        ("ORCPT=utf-8;\\x{0D}\\x{0A}a@b", "501 5.5.4"),
        ("ORCPT=utf-8;\\x{F6}@b", "250 2.1.5"),
        ("RET=FULL", "555 5.5.4"),
    ];
    client.talk(&[("MAIL FROM:<alice@example.org>", "250 2.1.0")]);
    for (wish, expected) in cases {
        client.talk(&[(&format!("RCPT TO:<bob@example.org> {wish}"), expected)]);
    }
}

/// RFC 8689 §2: inside TLS alone, and kept with the mail.
#[test]
fn tls_may_be_required_of_every_hop() {
    let server = with_queue();
    let mut clear = Client::connect(server.mx);
    clear.talk(&[
        ("EHLO c", "250-"),
        ("MAIL FROM:<s@example.net> REQUIRETLS", "555 5.5.4"),
    ]);
    let mut client = Client::starttls(server.mx, "");
    client.talk(&[
        ("EHLO c", "250-"),
        ("MAIL FROM:<s@example.net> REQUIRETLS", "250 2.1.0"),
        ("RCPT TO:<far@example.org>", "250 2.1.5"),
        ("RCPT TO:<a@elsewhere.example>", "550 5.7.1"),
        ("DATA", "354"),
        ("\r\n.", "250 2.0.0"),
    ]);
    assert!(server.queue(1)[0].head.require_tls);
}

/// Without a queue nothing is offered that needs one, and nothing is taken that would have to leave.
#[test]
fn without_a_queue_nothing_leaves() {
    let server = Server::of(Wanted::default());
    let mut client = logged_in(&server);
    let offer = client.say("EHLO c");
    for keyword in [
        "DSN",
        "REQUIRETLS",
        "FUTURERELEASE",
        "DELIVERBY",
        "MT-PRIORITY",
    ] {
        assert!(!offer.contains(keyword), "{offer}");
    }
    client.talk(&[
        ("MAIL FROM:<alice@example.org> HOLDFOR=1", "555 5.5.4"),
        ("MAIL FROM:<alice@example.org> BY=1;R", "555 5.5.4"),
        ("MAIL FROM:<alice@example.org> RET=FULL", "555 5.5.4"),
        ("MAIL FROM:<alice@example.org>", "250 2.1.0"),
        ("RCPT TO:<bob@example.org> NOTIFY=NEVER", "555 5.5.4"),
        ("RCPT TO:<a@elsewhere.example>", "451 4.3.2"),
        ("RCPT TO:<far@example.org>", "451 4.3.2"),
        ("RCPT TO:<mixed@example.org>", "451 4.3.2"),
        ("DATA", "554 5.5.1"),
    ]);
    assert!(server.inbox(server.alice, 0).is_empty());
}

/// A rule for one recipient.
fn rule(recipient: &str, action: Action) -> Rule {
    let mut names = pattern::Names::default();
    names
        .add(pattern::Kind::Address, recipient)
        .expect("a pattern");
    let either = ringpost_directory::rules::Either {
        of: Some(names),
        ..Default::default()
    };
    Rule {
        place: "test:1".into(),
        conditions: Conditions {
            recipient: Some(either),
            ..Conditions::default()
        },
        action,
    }
}

#[test]
fn rules_decide_about_each_recipient() {
    let address = |text: &str| text.parse().expect("an address");
    let no = Reply::new(550, Enhanced(5, 7, 1), "Not to this one");
    let rules = || {
        vec![
            rule("alice@example.org", Action::Tag("vip".into())),
            rule("away@example.org", {
                Action::Forward(vec![address("bob@example.org"), address("b@home.example")])
            }),
            rule("lost@example.org", {
                Action::Forward(vec![
                    address("b@home.example"),
                    address("nobody@example.org"),
                ])
            }),
            rule("sink@example.org", Action::Discard),
            rule("old@example.org", Action::Reject(no.clone())),
            rule("p@partner.example", Action::Relay(Some("smart".into()))),
        ]
    };
    let server = Server::of(Wanted {
        queue: true,
        rules: rules(),
        ..Wanted::default()
    });
    let mut client = Client::connect(server.mx);
    client.talk(&[
        ("EHLO c", "250-"),
        ("MAIL FROM:<s@example.net>", "250 2.1.0"),
        ("RCPT TO:<alice@example.org>", "250 2.1.5"),
        ("RCPT TO:<away@example.org>", "250 2.1.5"),
        // Nothing of it stays behind when one of its targets is nobody.
        ("RCPT TO:<lost@example.org>", "550 5.1.1"),
        ("RCPT TO:<sink@example.org>", "250 2.1.5"),
        ("RCPT TO:<old@example.org>", "550 5.7.1 Not to this one"),
        ("RCPT TO:<p@partner.example>", "250 2.1.5"),
        ("RCPT TO:<q@partner.example>", "550 5.7.1"),
        ("DATA", "354"),
        ("Ringpost-Tag: forged\r\n\r\n.", "250 2.0.0"),
    ]);
    let items = server.queue(2);
    let gone: Vec<_> = items.iter().flat_map(recipients).collect();
    assert_eq!(
        gone,
        [
            ("b@home.example", "", Fate::Waiting),
            ("p@partner.example", "smart", Fate::Waiting),
        ]
    );
    let alice = &server.inbox(server.alice, 1)[0];
    let text = String::from_utf8_lossy(&alice.octets);
    assert!(
        text.starts_with("Ringpost-Tag: vip\r\nReceived: "),
        "{text}"
    );
    let bob = &server.inbox(server.bob, 1)[0];
    assert!(bob.prefix.contains("Delivered-To: away@example.org\r\n"));

    // A mail for nobody but the sink is taken, and kept nowhere.
    client.talk(&[
        ("MAIL FROM:<s@example.net>", "250 2.1.0"),
        ("RCPT TO:<sink@example.org>", "250 2.1.5"),
        ("DATA", "354"),
        ("\r\n.", "250 2.0.0 Ok, id "),
        ("QUIT", "221"),
    ]);
    assert_eq!(server.inbox(server.alice, 1).len(), 1);
}

/// RFC 2033 §4.2: each recipient of LMTP has an answer of its own; one that is full keeps nothing from the others.
#[test]
fn lmtp_refuses_the_full_one_alone() {
    let server = with_queue();
    server.quota(server.alice, 100);
    let mut client = Client::lmtp(&server);
    client.talk(&[
        ("LHLO c", "250-"),
        ("MAIL FROM:<s@example.net>", "250"),
        ("RCPT TO:<alice@example.org> NOTIFY=SUCCESS", "250"),
        ("RCPT TO:<bob@example.org> NOTIFY=SUCCESS", "250"),
        ("RCPT TO:<both@example.org>", "250"),
        ("DATA", "354"),
    ]);
    // Nobody said at RCPT how large it is.
    let answers = [
        client.say(&format!("\r\n{}\r\n.", "x".repeat(200))),
        client.reply(),
        client.reply(),
    ];
    for (answer, expected) in answers.iter().zip(["552 5.2.2", "250 2.0.0", "250 2.0.0"]) {
        assert!(answer.starts_with(expected), "{answers:?}");
    }
    assert_eq!(server.inbox(server.bob, 1).len(), 1);
    // alice has it as one of both.
    let alice = &server.inbox(server.alice, 1)[0];
    assert!(alice.prefix.contains("Delivered-To: both@example.org\r\n"));
    let items = server.queue(1);
    assert_eq!(
        recipients(&items[0]),
        [("bob@example.org", "", Fate::Delivered)]
    );
    assert!(client.say("NOOP").starts_with("250"));
}
