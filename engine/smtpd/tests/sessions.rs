//! Whole sessions against a real server: shard, ring, log, LMDB, TLS.

mod server;

use ringpost_admission::Budget;
use ringpost_admission::memory::Use;
use ringpost_runtime::machine::Ended;
use ringpost_types::limit::Limits;
use server::{Client, Server, Wanted};
use std::io::{Read as _, Write as _};

const MAIL: &str = "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <1@b>\r\nFrom: alice@example.org\r\n\
                    Subject: one\r\n\r\nBody.\r\n";

fn login(password: &str) -> String {
    let response = format!("\0alice@example.org\0{password}");
    format!(
        "AUTH PLAIN {}",
        data_encoding::BASE64.encode(response.as_bytes())
    )
}

/// The id in `250 2.0.0 Ok, id …`.
fn id(reply: &str) -> &str {
    let id = reply.strip_prefix("250 2.0.0 Ok, id ").expect("accepted");
    id.trim_end()
}

#[test]
fn a_mail_reaches_each_account_once() {
    let server = Server::start(Limits::default());
    let mut client = Client::connect(server.mx);
    client.talk(&[
        ("EHLO client.example.net", "250-mx.example.org"),
        ("MAIL FROM:<s@example.net> SIZE=100", "250 2.1.0"),
        ("RCPT TO:<Alice+tag@example.org>", "250 2.1.5"),
        ("RCPT TO:<both@example.org>", "250 2.1.5"),
        ("RCPT TO:<nobody@example.org>", "550 5.1.1"),
        ("RCPT TO:<a@example.com>", "550 5.7.1"),
        ("RCPT TO:<a%example.com@example.org>", "550 5.1.1"),
        ("DATA", "354 "),
    ]);
    let reply = client.say(&format!("{MAIL}..dot\r\n."));
    let accepted = id(&reply).to_owned();
    assert_eq!(client.say("QUIT"), "221 2.0.0 Bye\r\n");
    assert!(client.is_closed());

    let [alice] = &server.inbox(server.alice, 1)[..] else {
        unreachable!()
    };
    let [bob] = &server.inbox(server.bob, 1)[..] else {
        unreachable!()
    };
    assert_eq!((alice.row.blob, alice.blob.references), (bob.row.blob, 2));
    let to_alice = "Return-Path: <s@example.net>\r\nDelivered-To: Alice+tag@example.org\r\n";
    let to_bob = "Return-Path: <s@example.net>\r\nDelivered-To: both@example.org\r\n";
    assert_eq!((&*alice.prefix, &*bob.prefix), (to_alice, to_bob));
    let octets = String::from_utf8(alice.octets.clone()).expect("text");
    let trace = "Received: from client.example.net ([127.0.0.1])\r\n\tby mx.example.org (Ringpost) with ESMTP\r\n";
    assert!(octets.starts_with(trace), "{octets}");
    assert!(
        octets.contains(&format!("\tid {accepted};\r\n")),
        "{octets}"
    );
    assert!(octets.ends_with(&format!("{MAIL}.dot\r\n")), "{octets}");
    assert_eq!(alice.row.octets as usize, octets.len() + to_alice.len());
}

/// An account that is full takes no more of what is offered; what was accepted it gets. RFC 9208 §5.
#[test]
fn a_full_mailbox_is_told_at_rcpt() {
    let server = Server::start(Limits::default());
    server.quota(server.alice, 100);
    let mut client = Client::connect(server.mx);
    client.talk(&[
        ("EHLO c", "250-"),
        ("MAIL FROM:<s@example.net> SIZE=101", "250 2.1.0"),
        ("RCPT TO:<alice@example.org>", "552 5.2.2"),
        ("RCPT TO:<both@example.org>", "250 2.1.5"),
        ("RSET", "250 "),
        ("MAIL FROM:<s@example.net>", "250 2.1.0"),
        ("RCPT TO:<alice@example.org>", "250 2.1.5"),
        ("DATA", "354 "),
    ]);
    id(&client.say(&format!("{MAIL}.")));
    assert!(server.inbox(server.alice, 1)[0].row.octets > 100);
    client.talk(&[
        ("MAIL FROM:<s@example.net>", "250 2.1.0"),
        ("RCPT TO:<alice@example.org>", "452 4.2.2"),
        ("RCPT TO:<both@example.org>", "250 2.1.5"),
        ("DATA", "354 "),
    ]);
    id(&client.say(&format!("{MAIL}.")));
    server.inbox(server.bob, 1);
    assert_eq!(server.inbox(server.alice, 2).len(), 2);
}

#[test]
fn octet_by_octet_in_groups_and_in_chunks_it_is_the_same_mail() {
    let server = Server::start(Limits::default());
    let head = "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster>\r\n";
    let wires = [
        format!("{head}DATA\r\n{MAIL}.\r\nQUIT\r\n"),
        format!("{head}BDAT {}\r\n{MAIL}BDAT 0 LAST\r\nQUIT\r\n", MAIL.len()),
    ];
    for wire in &wires {
        for step in [1, wire.len()] {
            let mut client = Client::connect(server.mx);
            for chunk in wire.as_bytes().chunks(step) {
                client.send(chunk);
            }
            let expected = [
                "250-",
                "250 2.1.0",
                "250 2.1.5",
                "354 ",
                "250 2.0.0 Ok, id",
                "221 ",
            ];
            for expected in expected {
                let got = client.reply();
                let chunked = expected == "354 " && got.starts_with("250 2.0.0 Chunk taken");
                assert!(got.starts_with(expected) || chunked, "{expected}: {got}");
            }
        }
    }
    for stored in server.inbox(server.alice, 4) {
        assert!(stored.octets.ends_with(MAIL.as_bytes()));
        let octets = String::from_utf8_lossy(&stored.octets);
        assert!(
            octets.contains(" for <postmaster@example.org>;"),
            "{octets}"
        );
    }
}

#[test]
fn what_is_not_complete_is_not_delivered() {
    let server = Server::start(Limits::default());
    let begin = "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\n";
    for body in [
        format!("DATA\r\n{MAIL}"),
        format!("BDAT 900 LAST\r\n{MAIL}"),
        format!("DATA\r\n{MAIL}.\r"),
    ] {
        let mut client = Client::connect(server.mx);
        client.send(format!("{begin}{body}"));
        client.reply();
        drop(client);
    }
    // A bare LF hides no second mail: one refusal, nothing delivered.
    let mut client = Client::connect(server.mx);
    client.send(format!(
        "{begin}DATA\r\na\n.\nMAIL FROM:<>\r\n.\r\n{begin}DATA\r\n{MAIL}.\r\n"
    ));
    let expected = [
        "250-",
        "250 2.1.0",
        "250 2.1.5",
        "354",
        "550 5.6.11",
        "250-",
        "250 2.1.0",
        "250 2.1.5",
    ];
    for expected in expected {
        let got = client.reply();
        assert!(got.starts_with(expected), "{expected}: {got}");
    }
    assert!(client.reply().starts_with("354"));
    assert!(client.reply().starts_with("250 2.0.0"));
    assert_eq!(server.inbox(server.alice, 1).len(), 1);
}

#[test]
fn submission_with_starttls() {
    let server = Server::start(Limits::default());
    let mut clear = Client::connect(server.submission);
    clear.talk(&[
        ("EHLO c", "250-"),
        (&login("secret"), "530 5.7.0"),
        ("MAIL FROM:<alice@example.org>", "530 5.7.0"),
    ]);
    // What is pipelined behind STARTTLS is dropped: it would answer before EHLO does.
    let mut client = Client::starttls(server.submission, "NOOP\r\nMAIL FROM:<x@example.org>\r\n");
    client.talk(&[
        ("MAIL FROM:<alice@example.org>", "503 5.5.1"),
        ("EHLO c", "250-"),
        ("MAIL FROM:<alice@example.org>", "530 5.7.0"),
        (&login("wrong"), "535 5.7.8"),
        (&login("secret"), "235 2.7.0"),
        ("MAIL FROM:<bob@example.org>", "553 5.7.1"),
        ("MAIL FROM:<Alice+x@example.org>", "250 2.1.0"),
        (
            "RCPT TO:<far@example.com>",
            "451 4.3.2 Outbound queue not running",
        ),
        ("RCPT TO:<bob@example.org>", "250 2.1.5"),
        ("DATA", "354"),
        ("Subject: no date\r\n\r\nBody.\r\n.", "250 2.0.0"),
    ]);
    let [bob] = &server.inbox(server.bob, 1)[..] else {
        unreachable!()
    };
    let octets = String::from_utf8(bob.octets.clone()).expect("text");
    assert!(
        octets.starts_with(
            "Received: from unknown (authenticated)\r\n\tby mx.example.org (Ringpost) with ESMTPSA\r\n\t(TLSv1.3 "
        ),
        "{octets}"
    );
    assert!(octets.contains(" for <bob@example.org>;"), "{octets}");
    let (_, rest) = octets.split_once("\r\nDate: ").expect("a Date was added");
    assert!(
        rest.contains("@mx.example.org>\r\nSubject: no date\r\n"),
        "{octets}"
    );
    assert!(!octets.contains("127.0.0.1"), "{octets}");
}

#[test]
fn submission_in_tls_from_the_start() {
    let server = Server::start(Limits::default());
    let mut client = Client::tls(server.submissions);
    client.talk(&[
        ("EHLO c", "250-"),
        ("AUTH PLAIN", "334"),
        ("*", "501 5.7.0"),
        (&login("secret"), "235 2.7.0"),
        ("MAIL FROM:<>", "250"),
        ("RCPT TO:<alice@example.org>", "250"),
        ("DATA", "354"),
    ]);
    assert!(client.say(&format!("{MAIL}.")).starts_with("250 2.0.0"));
    let [alice] = &server.inbox(server.alice, 1)[..] else {
        unreachable!()
    };
    // Nothing was missing, nothing was added.
    assert_eq!(
        String::from_utf8_lossy(&alice.octets)
            .matches("Date:")
            .count(),
        1
    );
    assert_eq!(
        alice.prefix,
        "Return-Path: <>\r\nDelivered-To: alice@example.org\r\n"
    );
}

#[test]
fn lmtp_answers_for_each_recipient() {
    let server = Server::start(Limits::default());
    let mut client = Client::lmtp(&server);
    client.talk(&[
        ("EHLO c", "500"),
        ("LHLO c", "250-"),
        ("MAIL FROM:<s@example.net>", "250"),
        ("RCPT TO:<alice@example.org>", "250"),
        ("RCPT TO:<x@example.org>", "550 5.1.1"),
        ("RCPT TO:<bob@example.org>", "250"),
        ("DATA", "354"),
        (&format!("{MAIL}."), "250 2.0.0"),
    ]);
    assert!(client.reply().starts_with("250 2.0.0"));
    assert!(client.say("NOOP").starts_with("250"));
    let [alice] = &server.inbox(server.alice, 1)[..] else {
        unreachable!()
    };
    assert!(
        alice
            .octets
            .starts_with(b"Received: from c (unix socket)\r\n")
    );
    assert_eq!(server.inbox(server.bob, 1).len(), 1);
}

#[test]
fn limits_of_a_strangers_session() {
    let limits = Limits {
        smtp_recipients_max: 10,
        message_octets_max: 2_000_000,
        message_memory_octets_max: 50_000,
        message_received_max: 3,
        ..Limits::default()
    };
    let server = Server::start(limits);
    let mut client = Client::connect(server.mx);
    client.talk(&[
        ("EHLO c", "250-"),
        ("MAIL FROM:<> SIZE=2000001", "552 5.3.4"),
        ("MAIL FROM:<>", "250"),
    ]);
    // 10,000 recipients: ten are taken, each other is answered, and the session lives.
    let sender = "RCPT TO:<alice@example.org>\r\n".repeat(10_000);
    for (number, lines) in sender.as_bytes().chunks(29 * 100).enumerate() {
        client.send(lines);
        for line in 0..lines.len() / 29 {
            let expected = if number * 100 + line < 10 {
                "250 2.1.5"
            } else {
                "452 4.5.3"
            };
            let got = client.reply();
            assert!(got.starts_with(expected), "{expected}: {got}");
        }
    }
    // More than the shard has room for: read to its end, then refused for now.
    client.talk(&[("DATA", "354")]);
    client.send(
        "0123456789012345678901234567890123456789012345678901234567890123456789\r\n".repeat(20_000),
    );
    client.talk(&[(".", "452 4.3.1")]);
    let begin = "MAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n";
    let hops = |count: usize| format!("{}\r\n.\r\n", "Received: x\r\n".repeat(count));
    client.send(format!("{begin}{}{begin}{}", hops(3), hops(4)));
    let expected = [
        "250",
        "250",
        "354",
        "250 2.0.0",
        "250",
        "250",
        "354",
        "554 5.4.6",
    ];
    for expected in expected {
        let got = client.reply();
        assert!(got.starts_with(expected), "{expected}: {got}");
    }
    assert_eq!(server.inbox(server.alice, 1).len(), 1);
}

/// What a stranger can make a session hold is counted, and gives way before memory is gone.
#[test]
fn envelopes_are_counted() {
    let budget = Budget::new(160_000);
    let server = Server::of(Wanted {
        budget: Some(budget.clone()),
        ..Wanted::default()
    });
    let mut client = Client::connect(server.mx);
    client.talk(&[("EHLO c", "250-"), ("MAIL FROM:<>", "250")]);
    assert_eq!(budget.taken_for(Use::Mails), 0);
    let mut taken = 0;
    let refusal = loop {
        let path = format!("alice+{taken:057}@example.org");
        let reply = client.say(&format!("RCPT TO:<{path}>"));
        if !reply.starts_with("250") {
            break reply;
        }
        taken += 1;
    };
    assert!(refusal.starts_with("452 4.3.1 "), "{refusal}");
    let held = budget.taken_for(Use::Mails);
    assert!(
        (50..1_000).contains(&taken) && held >= taken * 64,
        "{taken} {held}"
    );
    // What is there goes on, and then nothing of it is left.
    client.talk(&[("RSET", "250")]);
    assert_eq!(budget.taken_for(Use::Mails), 0);
    client.talk(&[
        ("MAIL FROM:<>", "250"),
        ("RCPT TO:<alice@example.org>", "250"),
        ("DATA", "354"),
        ("\r\n.", "250"),
    ]);
    assert_eq!(budget.taken_for(Use::Mails), 0);
}

#[test]
fn connections_up_to_the_limit_and_one_above() {
    let server = Server::start(Limits {
        smtp_session_connections_max: 2,
        ..Limits::default()
    });
    let first = Client::connect(server.mx);
    let mut second = Client::connect(server.mx);
    let mut third = std::net::TcpStream::connect(server.mx).expect("connected");
    let mut greeting = String::new();
    std::io::Read::read_to_string(&mut third, &mut greeting).expect("a reply");
    assert!(greeting.starts_with("421 4.3.2"), "{greeting}");
    assert!(second.say("QUIT").starts_with("221"));
    assert!(second.is_closed());
    drop(second);
    drop(first);
}

#[test]
fn silence_ends_a_session() {
    let server = Server::start(Limits {
        smtp_initial_ms: 100,
        smtp_idle_ms: 200,
        smtp_data_block_ms: 300,
        ..Limits::default()
    });
    let begin = "MAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n";
    for (said, replies) in [
        ("", 0),
        ("EHLO c\r\n", 1),
        (&format!("EHLO c\r\n{begin}"), 4),
    ] {
        let mut client = Client::connect(server.mx);
        client.send(said);
        for _ in 0..replies {
            assert!(!client.reply().starts_with('4'), "{said}");
        }
        let last = client.reply();
        assert!(last.starts_with("421 4.4.2"), "{said}: {last}");
        assert!(client.is_closed());
    }
}

/// Between chunks a mail is under way, and is waited for as within them; not as a session that has nothing to do.
#[test]
fn silence_between_chunks_ends_a_session() {
    let server = Server::start(Limits {
        smtp_data_block_ms: 300,
        ..Limits::default()
    });
    let mut client = Client::connect(server.mx);
    client.talk(&[
        ("EHLO c", "250-"),
        ("MAIL FROM:<>", "250"),
        ("RCPT TO:<alice@example.org>", "250"),
    ]);
    client.send(format!("BDAT 600\r\n{}", "x".repeat(600)));
    assert!(client.reply().starts_with("250 2.0.0"));
    let last = client.reply();
    assert!(last.starts_with("421 4.4.2"), "{last}");
    assert!(client.is_closed());
    drop(client);
    assert!(server.inbox(server.alice, 0).is_empty());
}

/// Octets that drip in end no silence: a command and a block of a mail have their whole time.
#[test]
fn drips_end_a_session() {
    let server = Server::start(Limits {
        smtp_command_ms: 100,
        smtp_data_block_ms: 100,
        ..Limits::default()
    });
    let begin = "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n";
    for said in ["EHLO c\r\nN", begin] {
        let mut stream = std::net::TcpStream::connect(server.mx).expect("connected");
        // The reading paces the writing.
        let pace = std::time::Duration::from_millis(5);
        stream.set_read_timeout(Some(pace)).expect("a timeout");
        stream.write_all(said.as_bytes()).expect("sent");
        let (mut heard, mut octets) = (String::new(), [0; 4_096]);
        let cut = (0..16_000).any(|_| {
            let _ = stream.write_all(b"x");
            match stream.read(&mut octets) {
                Ok(0) => true,
                Ok(count) => {
                    heard.push_str(&String::from_utf8_lossy(&octets[..count]));
                    false
                }
                Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
            }
        });
        assert!(cut, "the server waited for all of it");
        assert!(heard.contains("421 4.4.2 Too slow"), "{heard}");
    }
}

#[test]
fn draining_lets_a_transaction_finish() {
    let server = Server::start(Limits::default());
    let mut idle = Client::connect(server.mx);
    let mut busy = Client::connect(server.mx);
    busy.talk(&[
        ("EHLO c", "250-"),
        ("MAIL FROM:<>", "250"),
        ("RCPT TO:<alice@example.org>", "250"),
        ("DATA", "354"),
    ]);
    server.drain();
    assert!(idle.reply().starts_with("421 4.3.2"));
    assert!(idle.is_closed());
    busy.talk(&[(&format!("{MAIL}."), "250 2.0.0")]);
    assert!(busy.reply().starts_with("421 4.3.2"));
    assert!(busy.is_closed());
    drop((idle, busy));
    assert_eq!(server.inbox(server.alice, 1).len(), 1);
    assert_eq!(server.stop(), Ended::Finished);
}

/// A handshake that the peer does not finish holds nobody up.
#[test]
fn draining_does_not_wait_for_a_handshake() {
    let server = Server::start(Limits {
        drain_ms: 600_000,
        ..Limits::default()
    });
    let mut silent = std::net::TcpStream::connect(server.submissions).expect("connected");
    // The alert that answers this tells that the server has taken the connection; the other one is waited for too.
    let mut other = std::net::TcpStream::connect(server.submissions).expect("connected");
    other.write_all(b"EHLO c\r\n").expect("sent");
    let mut alert = Vec::new();
    other.read_to_end(&mut alert).expect("an alert");
    assert_eq!(alert.first(), Some(&21));
    let mut half = std::net::TcpStream::connect(server.submission).expect("connected");
    half.write_all(b"EHLO c\r\nSTARTTLS\r\n").expect("sent");
    let mut said = String::new();
    while !said.contains("220 2.0.0") {
        let mut octets = [0; 1_000];
        let count = half.read(&mut octets).expect("a reply");
        said.push_str(&String::from_utf8_lossy(&octets[..count]));
    }
    server.drain();
    for stream in [&mut silent, &mut half] {
        assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
    }
    assert_eq!(server.stop(), Ended::Finished);
}

/// Whoever sends a handshake octet by octet is never silent, and is not waited for all the same.
#[test]
fn a_handshake_is_bounded_as_a_whole() {
    let server = Server::start(Limits {
        tls_handshake_ms: 100,
        ..Limits::default()
    });
    let mut slow = std::net::TcpStream::connect(server.submissions).expect("connected");
    // The reading paces the writing.
    let pace = std::time::Duration::from_millis(5);
    slow.set_read_timeout(Some(pace)).expect("a timeout");
    slow.write_all(b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03")
        .expect("sent");
    let cut = (0..16_000).any(|_| {
        let ended = |error: &std::io::Error| error.kind() != std::io::ErrorKind::WouldBlock;
        let deaf = slow.write_all(b"a").is_err();
        deaf || slow.read(&mut [0]).as_ref().map_or_else(ended, |_| true)
    });
    assert!(cut, "the server waited for all of it");
}

/// RFC 2920 §3.2: what came in one segment is answered in one, up to the command that must wait.
#[test]
fn a_group_is_answered_in_one_write() {
    let server = Server::start(Limits::default());
    let mut stream = std::net::TcpStream::connect(server.mx).expect("connected");
    let mut octets = [0; 10_000];
    // (what is said, how its replies begin, how the last one begins)
    let groups = [
        ("", "220 ", "220 "),
        (
            "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\nRCPT TO:<x@example.org>\r\nDATA\r\n",
            "250-",
            "354 ",
        ),
        (
            ".\r\nMAIL FROM:<>\r\nRSET\r\nQUIT\r\n",
            "250 2.0.0 Ok, id",
            "221 ",
        ),
    ];
    for (group, first, last) in groups {
        stream.write_all(group.as_bytes()).expect("sent");
        let count = stream.read(&mut octets).expect("replies");
        let got = String::from_utf8_lossy(&octets[..count]);
        let end = got.lines().last().unwrap_or_default();
        assert!(got.starts_with(first) && end.starts_with(last), "{got}");
    }
}

#[test]
fn guessing_passwords_ends_a_session() {
    let server = Server::start(Limits {
        smtp_login_failures_max: 2,
        ..Limits::default()
    });
    let mut client = Client::tls(server.submissions);
    client.talk(&[
        ("EHLO c", "250-"),
        (&login("wrong"), "535 5.7.8"),
        (&login("worse"), "421 4.7.0"),
    ]);
    assert!(client.is_closed());
}

/// Not SMTP at all: answered, bounded, and the next session is served.
#[test]
fn strangers_of_other_protocols() {
    let server = Server::start(Limits::default());
    for octets in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        &[0; 100_000],
    ] {
        let mut stream = std::net::TcpStream::connect(server.mx).expect("connected");
        // The server may close while we still send.
        let _ = stream.write_all(octets);
    }
    let mut client = Client::connect(server.mx);
    assert!(client.say("NOOP").starts_with("250"));
}
