//! Bounds of a session, each at its limit and one above; and replies that come from outside.

use super::played::*;

const MAIL: &[u8] = b"MAIL FROM:<a@b>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n.\r\n";

#[test]
fn greetings() {
    for (setting, text) in [
        (MX, "220 mx.example.org ESMTP Ringpost\r\n"),
        (SUBMISSION, "220 mx.example.org ESMTP Ringpost\r\n"),
        (LMTP, "220 mx.example.org LMTP Ringpost\r\n"),
    ] {
        let mut out = Vec::new();
        Session::new(options(setting, limits()), Tls::Absent)
            .greeting()
            .write(&mut out);
        assert_eq!(out, text.as_bytes());
    }
}

#[test]
fn errors() {
    let mut played = Played::new(MX);
    let refused = vec!["< 500 5.5.1 Command not recognized"; 20];
    assert_eq!(played.whole(&b"BLAH\r\n".repeat(20)), refused);
    assert_eq!(
        played.whole(b"NOOP\r\nBLAH\r\nNOOP\r\n"),
        ["< 250 2.0.0 Ok", "< 421 4.7.0 Too many errors", "* close"]
    );
}

/// A client that pipelines chunks has sent the next ones before it hears that one is refused.
#[test]
fn chunks_behind_a_refused_one_are_no_errors() {
    let mut played = Played::new(MX);
    let begin = b"HELO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<bob@example.org>\r\nBDAT 2\r\n\n\n";
    let said = played.whole(&[&begin[..], &b"BDAT 1\r\na".repeat(30)].concat());
    let follows = "< 503 5.5.1 Say MAIL first";
    assert_eq!(said[said.len() - 30..], vec![follows; 30]);
    assert_eq!(
        played.whole(b"BDAT 1 LAST\r\naNOOP\r\n"),
        [follows, "< 250 2.0.0 Ok"]
    );
    // Behind the last one they are.
    let said = played.whole(&b"BDAT 1\r\na".repeat(20));
    assert_eq!(said.last().map(String::as_str), Some("* close"));
}

#[test]
fn failed_logins() {
    let mut played = Played::new(SUBMISSION_TLS);
    let said = played.whole(
        b"EHLO a\r\nAUTH PLAIN AHRpbQB3cm9uZw==\r\nAUTH PLAIN !\r\nAUTH PLAIN AHRpbQB3cm9uZw==\r\n",
    );
    let refused = "< 535 5.7.8 Authentication credentials invalid";
    assert_eq!(said.iter().filter(|said| *said == refused).count(), 2);
    let last = "< 421 4.7.0 Too many failed logins";
    assert_eq!(
        played.whole(b"AUTH PLAIN AHRpbQB3cm9uZw==\r\nAUTH PLAIN AHRpbQBzZWNyZXQ=\r\n"),
        ["* login tim", last, "* close"]
    );
}

#[test]
fn transactions() {
    let mut played = Played::new(MX);
    let said = played.whole(&[&b"HELO a\r\n"[..], &MAIL.repeat(3)].concat());
    assert_eq!(said.iter().filter(|said| *said == "* deliver ").count(), 3);
    let last = "< 421 4.7.0 Too many mails on one connection, open another";
    assert_eq!(played.whole(MAIL), [last, "* close"]);
}

/// Twelve here; a mail that is taken begins the count anew, one that is not does not.
#[test]
fn idle_commands() {
    let last = ["< 421 4.7.0 Too many commands and no mail", "* close"];
    for idle in [
        "NOOP",
        "RSET",
        "VRFY a",
        "EXPN a",
        "HELP",
        "EHLO a",
        "HELO a",
        "VRFY \u{f6}",
    ] {
        let limits = Limits {
            smtp_errors_max: 1_000,
            ..limits()
        };
        let mut played = Played::with(MX, limits);
        let line = format!("{idle}\r\n");
        let said = played.whole(line.repeat(12).as_bytes());
        assert!(!said.contains(&last[0].into()), "{idle}");
        assert_eq!(played.whole(line.repeat(2).as_bytes()), last, "{idle}");
    }
    let mut played = Played::new(MX);
    played.whole(b"HELO a\r\n");
    played.whole(&b"NOOP\r\n".repeat(11));
    played.whole(MAIL);
    let said = played.whole(&b"NOOP\r\n".repeat(12));
    assert_eq!(said, vec!["< 250 2.0.0 Ok"; 12]);
    played.whole(b"MAIL FROM:<a@b>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\na\nb\r\n.\r\n");
    assert_eq!(played.whole(b"NOOP\r\n"), last);
}

/// The service may refuse while the body comes; the body is read to its end.
#[test]
fn refused_meanwhile() {
    let mut played = Played::new(MX);
    played.whole(b"HELO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nabc");
    played
        .session
        .refuse_body(Reply::new(452, Enhanced(4, 3, 1), "Full"));
    assert_eq!(
        played.whole(b"def\r\n.\r\nNOOP\r\n"),
        ["* reset", "< 452 4.3.1 Full", "< 250 2.0.0 Ok"]
    );
}

/// Whoever says 421 says it last. RFC 5321 §3.8.
#[test]
fn a_421_is_the_last_reply() {
    let busy = Reply::new(421, Enhanced(4, 7, 0), "Too much of you");
    let mut played = Played::new(MX);
    played.whole(b"HELO a\r\n");
    let wire = b"MAIL FROM:<a@b>\r\nNOOP\r\n";
    let (used, action) = played.session.step(wire);
    assert!(matches!(action, Action::Mail(_)));
    played.session.answer(Err(busy));
    assert_eq!(
        played.whole(&wire[used..]),
        ["< 421 4.7.0 Too much of you", "* close"]
    );
}

/// What a connection may log in by is told for it alone.
#[test]
fn mechanisms_of_one_connection() {
    let mut played = Played::new(SUBMISSION_TLS);
    played.session.offer_mechanisms(Rc::new(["STEPS"]));
    let said = played.whole(b"EHLO a\r\nAUTH PLAIN AHRpbQBzZWNyZXQ=\r\n");
    assert_eq!(said[said.len() - 2], "< 250 AUTH STEPS");
    assert_eq!(said[said.len() - 1], "< 504 5.5.4 Mechanism not offered");
}

/// What is waited for, place by place. RFC 5321 §4.5.3.2.
#[test]
fn patience() {
    let mut played = Played::new(SUBMISSION_TLS);
    let steps: &[(&[u8], Patience)] = &[
        (b"", Patience::Hello),
        (b"NOOP\r\n", Patience::Hello),
        (b"EHLO a\r\n", Patience::Command),
        (b"AUTH PLAIN\r\n", Patience::Response),
        (b"AHRpbQBzZWNyZXQ=\r\n", Patience::Command),
        (
            b"MAIL FROM:<a@b>\r\nRCPT TO:<bob@example.org>\r\n",
            Patience::Command,
        ),
        (b"DATA\r\na", Patience::Block),
        (b"\r\n.\r\n", Patience::Command),
        (
            b"MAIL FROM:<a@b>\r\nRCPT TO:<bob@example.org>\r\nBDAT 3\r\na",
            Patience::Block,
        ),
        (b"\r\n", Patience::Command),
    ];
    for (wire, expected) in steps {
        played.whole(wire);
        assert_eq!(
            played.session.phase_patience(),
            *expected,
            "{:?}",
            wire.escape_ascii().to_string()
        );
    }
}
