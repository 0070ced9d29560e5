//! What a user may send: in whose name, and what Received tells of the user. RFC 6409.

mod server;

use ringpost_smtpd::Policy;
use ringpost_types::limit::Limits;
use server::{Client, Server};

/// A session that has logged in as `user`.
fn logged_in(server: &Server, user: &str) -> Client {
    let response = format!("\0{user}@example.org\0secret");
    let response = data_encoding::BASE64.encode(response.as_bytes());
    let mut client = Client::tls(server.submissions);
    client.talk(&[
        ("EHLO phone.example.net", "250-"),
        (&format!("AUTH PLAIN {response}"), "235 2.7.0"),
    ]);
    client
}

/// Sends a mail of alice with this header; the answer to its body.
fn send(client: &mut Client, header: &str) -> String {
    client.talk(&[
        ("MAIL FROM:<alice@example.org>", "250 2.1.0"),
        ("RCPT TO:<bob@example.org>", "250 2.1.5"),
        ("DATA", "354"),
    ]);
    client.say(&format!("{header}\r\nBody.\r\n."))
}

#[test]
fn the_author_is_the_user() {
    /// (header, how the reply begins)
    const CASES: &[(&str, &str)] = &[
        ("From: alice@example.org\r\n", "250 2.0.0"),
        (
            "From: \"Alice, A.\" <Alice+shop@EXAMPLE.org>\r\n",
            "250 2.0.0",
        ),
        // The alias leads to alice and bob.
        ("From: <both@example.org>\r\n", "250 2.0.0"),
        ("Subject: nobody's\r\n", "250 2.0.0"),
        ("From: undisclosed:;\r\n", "250 2.0.0"),
        (
            "From: alice@example.org\r\nSender: both@example.org\r\n",
            "250 2.0.0",
        ),
        (
            "From: bob@example.org\r\n",
            "550 5.7.1 From address bob@example.org does not belong to you (trace ",
        ),
        ("From: ceo@bank.example\r\n", "550 5.7.1"),
        ("From: alice@example.org, bob@example.org\r\n", "550 5.7.1"),
        (
            "From: alice@example.org\r\nFrom: bob@example.org\r\n",
            "550 5.7.1",
        ),
        (
            "From: alice@example.org\r\nSender: bob@example.org\r\n",
            "550 5.7.1",
        ),
        (
            "From: us: alice@example.org, bob@example.org;\r\n",
            "550 5.7.1",
        ),
        ("From: alice\r\n", "550 5.7.1"),
        ("From:\r\n bob@example.org\r\n", "550 5.7.1"),
        ("fRoM : bob@example.org\r\n", "550 5.7.1"),
        // A From that some would read an address in, and we none.
        (
            "From: (bob@example.org)\r\n",
            "550 5.7.1 From names no address",
        ),
        ("From: <>\r\n", "550 5.7.1 From names no address"),
        ("From:\r\n", "250 2.0.0"),
        ("From: <bob@example.org:alice@example.org>\r\n", "550 5.7.1"),
        ("From: <@example.net:alice@example.org>\r\n", "250 2.0.0"),
        // Sent on: by the user alone, and not as an excuse for another's From.
        (
            "Resent-From: alice@example.org\r\nFrom: both@example.org\r\n",
            "250 2.0.0",
        ),
        (
            "Resent-From: Bob\r\n <bob@example.org>\r\nFrom: alice@example.org\r\n",
            "550 5.7.1 From address bob@example.org does not",
        ),
        (
            "From: alice@example.org\r\nRESENT-SENDER : a:bob@example.org;\r\n",
            "550 5.7.1",
        ),
        (
            "Resent-From: alice@example.org\r\nFrom: bob@example.org\r\n",
            "550 5.7.1",
        ),
        // What stands behind a line that is no field is body, and arrives as body.
        (
            "From: alice@example.org\r\nno field\r\nFrom: bob@example.org\r\n",
            "250 2.0.0",
        ),
    ];
    let server = Server::start(Limits::default());
    let mut client = logged_in(&server, "alice");
    let mut taken = 0;
    for (header, expected) in CASES {
        let got = send(&mut client, header);
        assert!(got.starts_with(expected), "{header:?}: {got:?}");
        taken += usize::from(got.starts_with("250"));
    }
    assert_eq!(server.inbox(server.bob, taken).len(), taken);
}

#[test]
fn authors_up_to_the_limit_and_one_above() {
    let server = Server::start(Limits {
        smtp_authors_max: 2,
        // From stands for a missing Sender too.
        ..Limits::default()
    });
    let mut client = logged_in(&server, "alice");
    let one = "From: alice@example.org\r\n";
    assert!(send(&mut client, one).starts_with("250 2.0.0"));
    let two = "From: alice@example.org\r\nSender: alice@example.org, both@example.org\r\n";
    assert!(send(&mut client, two).starts_with("550 5.7.1 Too many addresses"));
}

/// What cannot be read cannot be checked: a From behind a header that is too large is not believed.
#[test]
fn a_header_too_large_to_check() {
    let server = Server::start(Limits {
        message_header_fields_max: 10,
        ..Limits::default()
    });
    let mut client = logged_in(&server, "alice");
    let fields = |count: usize| format!("{}From: alice@example.org\r\n", "X: y\r\n".repeat(count));
    assert!(send(&mut client, &fields(3)).starts_with("250 2.0.0"));
    assert!(send(&mut client, &fields(20)).starts_with("554 5.6.0"));
    drop(client);
}

#[test]
fn received_tells_the_users_address_only_where_it_may() {
    for mask_source in [true, false] {
        let policy = Policy {
            mask_source,
            ..Policy::default()
        };
        let server = Server::with(Limits::default(), policy);
        let mut client = logged_in(&server, "alice");
        assert!(send(&mut client, "From: alice@example.org\r\n").starts_with("250"));
        let mail = &server.inbox(server.bob, 1)[0];
        let text = String::from_utf8_lossy(&mail.octets);
        let from = match mask_source {
            true => "Received: from unknown (authenticated)\r\n",
            false => "Received: from phone.example.net ([127.0.0.1])\r\n",
        };
        assert!(text.starts_with(from), "{text}");
        assert_eq!(text.contains("127.0.0.1"), !mask_source);
        assert!(text.contains(" with ESMTPSA\r\n"), "{text}");
    }
}

/// A listener that defers takes nothing, for whomever it is.
#[test]
fn a_listener_that_defers() {
    let policy = Policy {
        defer: true,
        ..Policy::default()
    };
    let server = Server::with(Limits::default(), policy);
    let mut client = Client::connect(server.mx);
    client.talk(&[
        ("EHLO c", "250-"),
        ("MAIL FROM:<s@example.net>", "250 2.1.0"),
        ("RCPT TO:<alice@example.org>", "451 4.7.1"),
        ("RCPT TO:<nobody@example.org>", "451 4.7.1"),
        ("RCPT TO:<x@elsewhere.example>", "451 4.7.1"),
        ("DATA", "554 5.5.1"),
        ("QUIT", "221"),
    ]);
}
