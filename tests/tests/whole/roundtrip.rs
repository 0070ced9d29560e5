//! Mails of every shape, in by SMTP and by APPEND, out by FETCH: octet for octet what was sent.

use ringpost_tests::client::Client;
use ringpost_tests::mail::{Sample, attached, samples};
use ringpost_tests::server::{Listen, PASSWORD, Server};

const LISTENERS: &[Listen] = &[
    Listen {
        protocol: "smtp",
        tls: "starttls",
        bind: "127.0.0.1:0",
    },
    Listen {
        protocol: "imap",
        tls: "implicit",
        bind: "127.0.0.1:0",
    },
];

/// The samples and one with an attachment of 20 MB.
fn mails() -> Vec<Sample> {
    let mut mails = samples();
    mails.push(Sample {
        name: "twenty_megabytes",
        octets: attached(20_000_000, 20),
    });
    mails
}

fn imap(server: &Server) -> Client {
    let mut client = Client::connect_tls(server.address("imap", "implicit"));
    client.line();
    client.imap_ok(&format!("LOGIN alice@example.test \"{PASSWORD}\""));
    client
}

/// `BODY[]` of a message: the octets of its literal.
fn fetched(client: &mut Client, sequence: usize) -> Vec<u8> {
    client.send(format!("t FETCH {sequence} BODY.PEEK[]\r\n"));
    let line = client.line();
    let announced = line
        .rsplit_once('{')
        .and_then(|(_, rest)| rest.strip_suffix('}'));
    let octets = announced.and_then(|digits| digits.parse().ok());
    let mail = client.octets(octets.unwrap_or_else(|| panic!("no literal: {line}")));
    assert_eq!(client.line(), ")");
    assert!(client.line().starts_with("t OK"));
    mail
}

/// Whether every parenthesis closes, outside of strings.
fn balanced(line: &str) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0i32, false, false);
    for octet in line.bytes() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0 && !quoted
}

/// A bare CR or LF is no line end, and SMTP refuses it.
fn has_bare_line_end(mail: &[u8]) -> bool {
    let pairs = mail.windows(2).filter(|pair| pair == b"\r\n").count();
    let ends = mail
        .iter()
        .filter(|octet| matches!(octet, b'\r' | b'\n'))
        .count();
    ends != 2 * pairs
}

fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(mail.len() + 8);
    for line in mail.split_inclusive(|&octet| octet == b'\n') {
        wire.extend_from_slice(if line.starts_with(b".") { b"." } else { b"" });
        wire.extend_from_slice(line);
    }
    let line_is_open = !mail.is_empty() && !mail.ends_with(b"\r\n");
    wire.extend_from_slice(if line_is_open { b"\r\n.\r\n" } else { b".\r\n" });
    wire
}

#[test]
fn by_smtp() {
    let server = Server::start(LISTENERS, &["alice"]);
    let mut smtp = Client::connect(server.address("smtp", "starttls"));
    smtp.reply();
    smtp.expect("EHLO x", 250);
    let mut taken = Vec::new();
    for mail in mails() {
        smtp.expect("MAIL FROM:<a@example.org> BODY=8BITMIME", 250);
        smtp.expect("RCPT TO:<alice@example.test>", 250);
        smtp.expect("DATA", 354);
        smtp.send(stuffed(&mail.octets));
        let (code, text) = smtp.reply();
        let expected = if has_bare_line_end(&mail.octets) {
            550
        } else {
            250
        };
        assert_eq!(code, expected, "{}: {text}", mail.name);
        if code == 250 {
            taken.push(mail);
        }
    }
    assert!(taken.len() > 20);
    let mut client = imap(&server);
    client.imap_ok("SELECT INBOX");
    for (at, mail) in taken.iter().enumerate() {
        let got = fetched(&mut client, at + 1);
        assert!(
            got.ends_with(&mail.octets),
            "{} is not as it was sent",
            mail.name
        );
        // In front stand our lines, and nothing else.
        let ours = String::from_utf8_lossy(&got[..got.len() - mail.octets.len()]).into_owned();
        assert!(
            ours.starts_with("Return-Path: <a@example.org>\r\n"),
            "{ours}"
        );
        assert!(
            ours.contains("\r\nDelivered-To: alice@example.test\r\n"),
            "{ours}"
        );
        assert!(
            ours.contains("\r\nReceived: from ") && ours.ends_with("\r\n"),
            "{ours}"
        );
        structure(&mut client, at + 1, mail);
    }
}

fn structure(client: &mut Client, sequence: usize, mail: &Sample) {
    let command = format!("FETCH {sequence} (ENVELOPE BODYSTRUCTURE RFC822.SIZE)");
    let lines = client.imap_ok(&command);
    let answer = lines.iter().find(|line| line.contains("BODYSTRUCTURE ("));
    let answer = answer.unwrap_or_else(|| panic!("{}: {lines:?}", mail.name));
    assert!(
        answer.contains('{') || balanced(answer),
        "{}: {answer}",
        mail.name
    );
}

#[test]
fn by_append() {
    let server = Server::start(LISTENERS, &["alice"]);
    let mut client = imap(&server);
    let mut taken = Vec::new();
    for mail in mails() {
        client.send(format!("t APPEND INBOX {{{}+}}\r\n", mail.octets.len()));
        client.send(&mail.octets);
        client.send("\r\n");
        let answer = client.imap_answer();
        let last = answer.last().map_or("", String::as_str);
        // Nothing is no message; NUL has no place in a literal, and may be refused.
        let may_refuse = mail.octets.is_empty() || mail.octets.contains(&0);
        assert!(
            last.starts_with("t OK") || may_refuse,
            "{}: {last}",
            mail.name
        );
        if last.starts_with("t OK") {
            taken.push(mail);
        }
    }
    client.imap_ok("SELECT INBOX");
    for (at, mail) in taken.iter().enumerate() {
        let got = fetched(&mut client, at + 1);
        assert!(
            got == mail.octets,
            "{} is not as it was appended",
            mail.name
        );
        structure(&mut client, at + 1, mail);
    }
}
