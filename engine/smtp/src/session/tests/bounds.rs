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
    let chunk = [&b"BDAT 512\r\n"[..], &[b'a'; 512]].concat();
    let said = played.whole(&[&begin[..], &chunk.repeat(30)].concat());
    let follows = "< 503 5.5.1 Say MAIL first";
    assert_eq!(said[said.len() - 30..], vec![follows; 30]);
    assert_eq!(
        played.whole(b"BDAT 1 LAST\r\naNOOP\r\n"),
        [follows, "< 250 2.0.0 Ok"]
    );
    // Behind the last one they are.
    let said = played.whole(&chunk.repeat(20));
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

/// Chunks of next to nothing bring no mail nearer, whether they are taken or refused; the last one may be small.
#[test]
fn small_chunks() {
    let begin = b"HELO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<bob@example.org>\r\n";
    let last = ["< 421 4.7.0 Too many commands and no mail", "* close"];
    for (first, chunk) in [
        ("", "BDAT 0\r\n"),
        ("", "BDAT 1\r\na"),
        ("BDAT 2\r\n\n\n", "BDAT 0\r\n"),
    ] {
        let limits = Limits {
            smtp_idle_commands_max: 12 + 1 + u64::from(!first.is_empty()),
            ..limits()
        };
        let mut played = Played::with(MX, limits.clone());
        played.whole(begin);
        played.whole(first.as_bytes());
        let said = played.whole(chunk.repeat(12).as_bytes());
        assert!(!said.contains(&last[1].into()), "{said:?}");
        assert_eq!(played.whole(chunk.as_bytes()), last, "{chunk:?}");
        let mut played = Played::with(MX, limits);
        played.whole(begin);
        played.whole(first.as_bytes());
        played.whole(chunk.repeat(12).as_bytes());
        let said = played.whole(b"BDAT 0 LAST\r\n");
        assert!(!said.contains(&last[1].into()), "{said:?}");
    }
}

/// Temporary refusals are nobody's fault, and yet not for ever: as many as there may be mails, three, and as
/// twelve commands that others may say for nothing here.
#[test]
fn deferrals() {
    let mut played = Played::new(MX);
    played.whole(b"HELO a\r\nMAIL FROM:<a@b>\r\n");
    played.whole(&b"RCPT TO:<bob@example.org>\r\n".repeat(3));
    let refused = "< 452 4.5.3 Too many recipients";
    let said = played.whole(&b"RCPT TO:<bob@example.org>\r\n".repeat(15));
    assert_eq!(said, vec![refused; 15]);
    let said = played.whole(b"DATA\r\n.\r\nMAIL FROM:<a@b>\r\n");
    assert_eq!(
        said.last().map(String::as_str),
        Some("< 250 2.1.0 Sender ok")
    );
    // A mail that is taken begins the count anew.
    played.whole(&b"RCPT TO:<bob@example.org>\r\n".repeat(3 + 15));
    assert_eq!(
        played.whole(b"RCPT TO:<bob@example.org>\r\n"),
        ["< 421 4.7.0 Too many errors", "* close"]
    );
}

/// A refused mail is read on for 64 KiB here, and not for ever; a chunk that announces more is not waited for.
#[test]
fn discarded_octets() {
    const BEGIN: &[u8] = b"HELO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<bob@example.org>\r\n";
    const MAX: usize = 64 * 1024;
    let last = "< 552 5.3.4 Message too large";
    let data = |octets: usize, end: &str| {
        let mut played = Played::new(MX);
        played.whole(BEGIN);
        played.whole(b"DATA\r\n");
        played.whole(&vec![b'a'; octets / 2]);
        let mut said = played.whole(&vec![b'a'; octets - octets / 2]);
        said.extend(played.whole(end.as_bytes()));
        said
    };
    let refused = ["* abandon", "* reset", last, "< 250 2.0.0 Ok"];
    let said = data(MAX - 2, "\r\n.\r\nNOOP\r\n");
    assert!(
        refused.ends_with(&said.iter().map(String::as_str).collect::<Vec<_>>()),
        "{said:?}"
    );
    assert_eq!(data(MAX + 1, "")[..2], [last, "* close"]);
    let chunk = |octets: u64, swallowed: usize| {
        let mut played = Played::new(MX);
        played.whole(BEGIN);
        let mut said = played.whole(format!("BDAT {octets} LAST\r\n").as_bytes());
        said.extend(played.whole(&vec![b'a'; swallowed]));
        said
    };
    assert_eq!(
        chunk(MAX as u64, MAX).last().map(String::as_str),
        Some(last)
    );
    for octets in [MAX as u64 + 1, u64::MAX] {
        assert_eq!(chunk(octets, 0)[..2], [last, "* close"]);
    }
    // Out of order, too.
    let said = Played::new(MX).whole(b"BDAT 65537\r\n");
    assert_eq!(said, [last, "* close"]);
}

/// Nobody knows where the octets of such a chunk end, however the line came.
#[test]
fn a_chunk_announced_in_a_line_too_long() {
    let line = [&b"HELO a\r\nBDAT 6"[..], &[b' '; 200], b"LAST\r\nNOOP\r\n"].concat();
    let said = [
        "< 250 mx.example.org",
        "< 521 5.5.4 No telling where that chunk ends",
        "* close",
    ];
    for step in [1, 7, line.len()] {
        let mut played = Played::new(MX);
        let ends: Vec<usize> = (1..=line.len())
            .filter(|at| at % step == 0 || *at == line.len())
            .collect();
        played.play(&line, &ends);
        assert_eq!(played.said, said, "{step}");
    }
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
        (b"\r\n", Patience::Block),
        (b"BDAT 1 LAST\r\na", Patience::Command),
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
