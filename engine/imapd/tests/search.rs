//! SEARCH for texts: with text rows and without them, with a filter and before there is one, the answers are the same.

mod server;

use ringpost_api::search;
use ringpost_api::{Store, Table};
use ringpost_imapd::TlsMode;
use ringpost_types::limit::Limits;
use ringpost_types::{MailboxId, Uid};
use server::{Client, Server};
use std::ops::ControlFlow;

const NONE: [u32; 0] = [];

const MAILS: &[&[u8]] = &[
    b"From: \"Doe, Jane\" <jane@one.test>\r\nTo: a@x.test, b@x.test\r\nSubject: First =?utf-8?q?Gr=C3=9C=C3=9Fe?=\r\n\
      X-Mailer: Example\r\n 1.0\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\nplain text of the first\r\nline two\r\n",
    b"From: bob@two.test\r\nSubject: Second\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
      <style>hidden { }</style><p>Visible <b>te</b>xt &amp; =\r\nmore</p><p title=3D\"attribute\">=D0=9F=D0=A0=D0=98=D0=92=D0=95=D0=A2</p>",
    b"From: c@three.test\r\nSubject: Third\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n\
      Content-Type: text/plain; charset=iso-8859-7\r\nContent-Transfer-Encoding: base64\r\n\r\n09/z9fb/8g0K\r\n--b\r\n\
      Content-Type: application/pdf; name=\"Report.pdf\"\r\n\r\nopaque octets\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
      Subject: Enclosed\r\nX-Inner: mark\r\n\r\ninner words\r\n--b--\r\n",
    b"Subject:\r\nX-Empty:\r\n\r\n",
    b"",
];

/// (key, sequence numbers)
const KEYS: &[(&str, &[u32])] = &[
    ("TEXT \"\"", &[1, 2, 3, 4, 5]),
    ("TEXT plain", &[1, 3]),
    ("BODY PLAIN", &[1]),
    ("BODY \"first\"", &[1]),
    ("TEXT First", &[1]),
    ("NOT TEXT first", &[2, 3, 4, 5]),
    ("SUBJECT \"gr\u{fc}\u{1e9e}e\"", &[1]),
    ("SUBJECT \"\"", &[1, 2, 3]),
    ("TEXT \"subject: first gr\"", &[1]),
    ("HEADER X-Mailer \"example 1\"", &[1]),
    ("HEADER x-mailer \"\"", &[1]),
    ("HEADER X-Empty \"\"", &[4]),
    ("HEADER X-Mail \"\"", &[]),
    ("HEADER X-Inner mark", &[]),
    ("HEADER Return-Path \"\"", &[1, 2, 3, 4, 5]),
    ("TEXT \"delivered-to: alice\"", &[1, 2, 3, 4, 5]),
    ("BODY alice", &[]),
    ("FROM \"doe, jane <jane\"", &[1]),
    ("FROM \"\\\"doe\"", &[]),
    ("TEXT \"\\\"doe, jane\\\" <jane\"", &[1]),
    ("TO \", <b@\"", &[1]),
    ("TEXT \", <b@\"", &[]),
    ("BODY \"visible text & more\"", &[2]),
    ("TEXT hidden", &[]),
    ("TEXT attribute", &[]),
    ("BODY \"\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442}\"", &[2]),
    (
        "BODY \"\u{3c3}\u{3af}\u{3c3}\u{3c5}\u{3c6}\u{3bf}\u{3c2}\"",
        &[],
    ),
    ("BODY \"\u{3a3}\u{3bf}\u{3c3}\"", &[]),
    ("TEXT report.PDF", &[3]),
    ("BODY report.pdf", &[]),
    ("TEXT opaque", &[]),
    ("TEXT preamble", &[]),
    ("BODY enclosed", &[3]),
    ("TEXT \"x-inner: mark\"", &[3]),
    ("BODY \"inner words\"", &[3]),
    ("OR SUBJECT second TEXT enclosed", &[2, 3]),
    ("OR FROM one.test HEADER X-Mailer none", &[1]),
    ("TEXT x SUBJECT first", &[1]),
    ("BODY te NOT BODY two", &[2]),
    ("SENTSINCE 1-Jan-2026 TEXT line", &[1]),
    ("2:* TEXT text", &[2, 3]),
];

fn numbers(client: &mut Client, key: &str) -> Vec<u32> {
    let lines = client.ok(&format!("SEARCH CHARSET UTF-8 {key}"));
    let found = lines.iter().find_map(|line| line.strip_prefix("* SEARCH"));
    let found = found.expect("an answer").split_ascii_whitespace();
    found
        .map(|number| number.parse().expect("a number"))
        .collect()
}

fn rows(server: &Server, table: Table) -> usize {
    let snapshot = server.store.snapshot().expect("a snapshot");
    let mut count = 0;
    let scan = snapshot.scan(table, &[], &[], &mut |_, _| {
        count += 1;
        ControlFlow::Continue(())
    });
    scan.expect("readable");
    count
}

/// A server whose mails have text rows, or have none.
fn filled(text_octets_max: u64) -> Server {
    let limits = Limits {
        message_text_octets_max: text_octets_max,
        ..Limits::default()
    };
    let server = Server::with(limits, TlsMode::Absent);
    for mail in MAILS {
        server.deliver_to_index(mail);
    }
    server
}

#[test]
fn with_rows_and_without() {
    for (text_octets_max, expected) in [(1 << 20, MAILS.len()), (0, 0)] {
        let server = filled(text_octets_max);
        assert_eq!(rows(&server, Table::Text), expected);
        let mut client = server.login();
        client.ok("SELECT INBOX");
        for (key, expected) in KEYS {
            let found = numbers(&mut client, key);
            assert_eq!(found, *expected, "{key} with texts of {text_octets_max}");
        }
    }
}

/// Texts that are longer than the pieces a mail is read in, so that what is looked for lies across two of them.
#[test]
fn a_long_mail_without_a_row() {
    let server = filled(0);
    let mut mail = b"Subject: long\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n".to_vec();
    for line in 0..40_000 {
        mail.extend_from_slice(format!("this is line {line}=\r\n of many\r\n").as_bytes());
    }
    server.deliver_to_index(mail.leak());
    let mut client = server.login();
    client.ok("SELECT INBOX");
    // One that spans each place where a piece can end.
    for line in (0..40_000).step_by(997) {
        let key = format!("BODY \"line {line} of many\"");
        assert_eq!(numbers(&mut client, &key), [6], "{key}");
    }
    assert_eq!(numbers(&mut client, "BODY \"line 40000\""), NONE);
}

/// A mail that is too large to be in memory has no row; the first search that reads it leaves one, the same that a
/// smaller mail has from the start.
#[test]
fn a_row_is_left_by_the_search_that_misses_it() {
    let mut mail = b"Subject: With =?utf-8?q?=C3=9C?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsome Text\r\n--b\r\n\
        Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n".to_vec();
    mail.extend_from_slice(&b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n".repeat(100_000));
    mail.extend_from_slice(b"--b--\r\n");
    let start = |message_stream_octets| {
        let limits = Limits {
            message_stream_octets,
            ..Limits::default()
        };
        let server = Server::with(limits, TlsMode::Absent);
        let answer = server.login().append("INBOX", &mail);
        assert!(answer.starts_with("OK"), "{answer}");
        server
    };
    let row = |server: &Server| {
        let snapshot = server.store.snapshot().expect("a snapshot");
        let row = snapshot.last(Table::Text, &[]).expect("readable");
        row.map(|(_, row)| row.to_vec())
    };
    let (streamed, whole) = (start(1 << 20), start(8 << 20));
    assert_eq!(row(&streamed), None);
    let mut client = streamed.login();
    client.ok("SELECT INBOX");
    for _ in 0..2 {
        assert_eq!(numbers(&mut client, "TEXT nowhere"), NONE);
        assert_eq!(numbers(&mut client, "BODY \"SOME TEXT\""), [1]);
        assert!(row(&whole).is_some() && row(&streamed) == row(&whole));
    }
}

/// The first search of many messages has a filter made; with it the answers are what they were, also when messages
/// came and went since.
#[test]
fn before_and_behind_a_filter() {
    let server = filled(1 << 20);
    let count = search::SLOTS as u32 + 20;
    for number in MAILS.len() as u32 + 1..=count {
        let mail = format!(
            "Subject: number {number} of many\r\n\r\nsome text, {}\r\n",
            number % 7
        );
        server.deliver(mail.into_bytes().leak());
    }
    while server.store.lag_octets() > 0 {
        std::thread::yield_now();
    }
    let mut client = server.login();
    client.ok("SELECT INBOX");
    let last = format!("SUBJECT \"number {count} of\"");
    let sevens = (6..=count)
        .filter(|number| number % 7 == 3)
        .collect::<Vec<_>>();
    let check = |client: &mut Client| {
        for (key, expected) in KEYS.iter().filter(|(key, _)| !key.contains("text")) {
            let found = numbers(client, key);
            let found: Vec<u32> = found.into_iter().filter(|number| *number <= 5).collect();
            assert_eq!(found, *expected, "{key}");
        }
        assert_eq!(numbers(client, &last), [count]);
        assert_eq!(numbers(client, "TEXT \"some text, 3\""), sevens);
        assert_eq!(numbers(client, "TEXT \"number 700 of\""), [700]);
        assert_eq!(numbers(client, "TEXT \"number 7000 of\""), NONE);
        assert_eq!(numbers(client, "600:800 TEXT \"number 700 of\""), [700]);
        assert_eq!(numbers(client, "1:600 TEXT \"number 700 of\""), NONE);
    };
    check(&mut client);
    let end = || {
        let snapshot = server.store.snapshot().expect("a snapshot");
        search::end(&*snapshot, server.account, MailboxId::INBOX).expect("readable")
    };
    // Made by a task of its own.
    while end() == Uid(1) {
        std::thread::yield_now();
    }
    assert_eq!(end(), Uid(search::SLOTS as u32 + 1));
    check(&mut client);
    client.ok("STORE 700,702 +FLAGS (\\Deleted)");
    client.ok("EXPUNGE");
    assert_eq!(numbers(&mut client, "TEXT \"number 700 of\""), NONE);
    assert_eq!(numbers(&mut client, "TEXT \"number 701 of\""), [700]);
    assert_eq!(numbers(&mut client, "TEXT \"number 703 of\""), [701]);
    client.append("INBOX", b"Subject: number 700 of again\r\n\r\n");
    assert_eq!(numbers(&mut client, "TEXT \"number 700 of\""), [count - 1]);
}
