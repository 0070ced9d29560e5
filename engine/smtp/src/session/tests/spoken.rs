//! What the transcript tells of a session, and what it does not.

use super::played::*;

fn lines(played: &Played) -> Vec<String> {
    let text = played.session.transcript();
    let without_time = |line: &str| {
        line.trim_start()
            .split_once(' ')
            .map(|(_, line)| line.into())
    };
    text.lines().filter_map(without_time).collect()
}

#[test]
fn no_secret_and_no_mail() {
    let mut played = Played::new(SUBMISSION);
    played.session.greeting();
    played.whole(b"AUTH PLAIN AHRpbQBzZWNyZXQ=\r\nEHLO a\r\nSTARTTLS\r\n");
    played.whole(b"EHLO a\r\nAUTH NOSUCH c2VjcmV0\r\nc2VjcmV0\r\nAUTH c2VjcmV0\r\n");
    played.whole(b"AUTH PLAIN\r\nAHRpbQBzZWNyZXQ=\r\n");
    played.whole(b"MAIL FROM:<a@b>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n");
    played.whole(b"secret\r\n.\r\nMAIL FROM:<a@b>\r\nRCPT TO:<bob@example.org>\r\n");
    played.whole(b"BDAT 8\r\nsecret\r\nBDAT 8 LAST\r\nsecret\r\n");
    played.whole(b"NOOP secret\r\nsecret\0\r\nPOST /secret\r\n");
    let expected = [
        "S: 220 mx.example.org ESMTP Ringpost",
        "C: AUTH PLAIN <16 octets>",
        "S: 530 5.7.0 Say STARTTLS first",
        "C: EHLO a",
        "S: 250 mx.example.org (and 9 lines)",
        "C: STARTTLS",
        "S: 220 2.0.0 Ready to start TLS",
        "TLS",
        "C: EHLO a",
        "S: 250 mx.example.org (and 9 lines)",
        "C: AUTH <14 octets>",
        "S: 504 5.5.4 Mechanism not offered",
        "C: <8 octets>",
        "S: 500 5.5.1 Command not recognized",
        "C: AUTH <8 octets>",
        "S: 504 5.5.4 Mechanism not offered",
        "C: AUTH PLAIN",
        "S: 334 ",
        "C: <16 octets>",
        "S: 235 2.7.0 Authenticated",
        "C: MAIL FROM:<a@b>",
        "S: 250 2.1.0 Sender ok",
        "C: RCPT TO:<bob@example.org>",
        "S: 250 2.1.5 Recipient ok",
        "C: DATA",
        "S: 354 End with CRLF . CRLF",
        "C: <mail of 8 octets>",
        "S: 250 2.0.0 taken",
        "C: MAIL FROM:<a@b>",
        "S: 250 2.1.0 Sender ok",
        "C: RCPT TO:<bob@example.org>",
        "S: 250 2.1.5 Recipient ok",
        "C: BDAT 8",
        "S: 250 2.0.0 Chunk taken",
        "C: BDAT 8 LAST",
        "S: 250 2.0.0 taken",
        "C: NOOP <7 octets>",
        "S: 250 2.0.0 Ok",
        "C: <7 octets>",
        "S: 500 5.5.2 A command is text, ended by CRLF",
        "C: <12 octets>",
        "S: 521 5.5.1 This is no web server",
    ];
    assert_eq!(lines(&played), expected);
}

#[test]
fn challenges_are_secrets_too_where_they_answer_one() {
    let mut played = Played::new(Setting {
        mechanisms: &["STEPS"],
        ..SUBMISSION_TLS
    });
    played.whole(b"EHLO a\r\nAUTH STEPS\r\nb25l\r\n*\r\n");
    let said = lines(&played);
    let expected = ["C: AUTH <5 octets>", "S: 334 <4 octets>", "C: <4 octets>"];
    assert_eq!(said[2..5], expected);
    assert_eq!(said[6..], ["C: *", "S: 501 5.7.0 Authentication cancelled"]);
}

#[test]
fn what_came_of_a_mail_so_far_and_what_the_service_says() {
    let mut played = Played::new(MX);
    played.whole(b"HELO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nabcd");
    played.session.at(NOW + 5_000);
    played.session.record(&reply::IDLE_TOO_LONG);
    let text = played.session.transcript();
    assert!(
        text.ends_with("    5000 S: 421 4.4.2 Nothing heard for too long\n         … 4 octets of a mail so far\n"),
        "{text}"
    );
}

/// Whatever a client says, a session remembers no more than its limit.
#[test]
fn bounded() {
    let limits = Limits {
        smtp_transcript_octets_max: 2_000,
        smtp_idle_commands_max: 1_000_000,
        ..limits()
    };
    let mut played = Played::with(MX, limits);
    played.whole(b"HELO first\r\n");
    for _ in 0..1_000 {
        played.whole(b"NOOP x\r\n");
    }
    played.whole(b"HELO last\r\n");
    let text = played.session.transcript();
    assert!(text.len() < 3_000, "{}", text.len());
    assert!(
        text.contains("HELO first") && text.contains("HELO last"),
        "{text}"
    );
    assert!(text.contains("lines left out"), "{text}");
}
