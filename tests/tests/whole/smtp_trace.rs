//! `ringpost trace`: what a refusal and an accepted mail lead to, while the server runs and afterwards.

use data_encoding::BASE64;
use ringpost_tests::client::Client;
use ringpost_tests::server::{PASSWORD, Server, USUAL, program};
use std::process::Command;

/// Asks until it is known: a transcript is written after the session, and nobody waits for it.
fn trace(server: &Server, id: &str, more: &[&str]) -> String {
    for _ in 0..200 {
        let output = Command::new(program("ringpost"))
            .args(["trace", id, "--config"])
            .arg(server.config())
            .args(more)
            .output()
            .expect("ringpost can be started");
        if output.status.success() {
            return String::from_utf8(output.stdout).expect("UTF-8");
        }
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }
    panic!("nothing is known of {id}");
}

/// The id behind `(trace ` or `id `.
fn id(reply: &str, before: &str) -> String {
    let (_, rest) = reply.split_once(before).expect("a trace id");
    rest[..16].to_owned()
}

#[test]
fn a_refusal_and_a_mail_are_traced() {
    let mut server = Server::start(USUAL, &["alice", "bob"]);
    let mut client = Client::connect(server.address("smtp", "starttls"));
    client.reply();
    client.expect("EHLO client.example", 250);
    client.expect("MAIL FROM:<a@example.org>", 250);
    client.send("RCPT TO:<nobody@example.test>\r\n");
    let (code, refusal) = client.reply();
    assert_eq!(code, 550);
    client.expect("RCPT TO:<alice@example.test>", 250);
    client.expect("RCPT TO:<bob@example.test>", 250);
    client.expect("DATA", 354);
    client.send("Subject: traced\r\n\r\nThe body is nobody's business.\r\n.\r\n");
    let (code, accepted) = client.reply();
    assert_eq!(code, 250);
    client.expect("QUIT", 221);

    let session = id(&refusal, "(trace ");
    let mail = id(&accepted, "Ok, id ");
    let text = trace(&server, &session, &[]);
    for part in [
        "session, ended ",
        " at smtp, in clear",
        "EHLO client.example",
        "RCPT TO:<nobody@example.test>",
        "550 5.1.1 No such user here",
        "closed; 1 mails accepted",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("business"), "{text}");
    assert!(text.contains(&mail), "the reply to the mail: {text}");

    let text = trace(&server, &mail, &[]);
    assert!(
        text.contains("alice@example.test  INBOX  UID 1\n"),
        "{text}"
    );
    assert!(text.contains("bob@example.test  INBOX  UID 1\n"), "{text}");
    // The same without a server.
    server.stop();
    let json: serde_json::Value =
        serde_json::from_str(&trace(&server, &mail, &["--json"])).expect("JSON");
    assert_eq!(json["mail"]["copies"].as_array().map(Vec::len), Some(2));
    assert_eq!(json["session"], serde_json::Value::Null);
}

/// A password is in no transcript, whatever became of it.
#[test]
fn passwords_are_not_kept() {
    let server = Server::start(USUAL, &["alice"]);
    let mut client = Client::connect(server.address("submission", "required"));
    client.reply();
    client.expect("EHLO x", 250);
    let secret = BASE64.encode(format!("\0alice@example.test\0{PASSWORD}").as_bytes());
    client.send(format!("AUTH PLAIN {secret}\r\n"));
    let (code, refusal) = client.reply();
    assert!((500..600).contains(&code));
    client.expect("STARTTLS", 220);
    client.start_tls();
    client.expect("EHLO x", 250);
    let wrong = BASE64.encode(b"\0alice@example.test\0a wrong secret");
    client.expect(&format!("AUTH PLAIN {wrong}"), 535);
    client.expect("AUTH LOGIN", 334);
    client.expect(&BASE64.encode(b"alice@example.test"), 334);
    client.expect(&BASE64.encode(PASSWORD.as_bytes()), 235);
    client.expect("QUIT", 221);
    let text = trace(&server, &id(&refusal, "(trace "), &[]);
    assert!(
        text.contains("AUTH PLAIN") && text.contains("AUTH LOGIN"),
        "{text}"
    );
    assert!(text.contains(" as alice@example.test"), "{text}");
    let secrets = [
        secret,
        wrong,
        BASE64.encode(PASSWORD.as_bytes()),
        PASSWORD.to_owned(),
    ];
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret}: {text}");
    }
}
