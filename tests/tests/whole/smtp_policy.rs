//! What the configuration says of mail, as a client hears it: rules, traps, a listener that defers.

use ringpost_tests::client::Client;
use ringpost_tests::server::{Listen, Server};

const LISTENERS: &[Listen] = &[
    Listen {
        protocol: "smtp",
        tls: "starttls",
        bind: "127.0.0.1:0",
    },
    Listen {
        protocol: "imap",
        tls: "none",
        bind: "127.0.0.1:0",
    },
];

const MORE: &str = r#"
[[domain]]
name = "trapped.example"
traps = ["fred@trapped.example"]

[[rule]]
sender = ["@junk.example", ".junk.example"]
action = "reject"
text = "Nothing of yours, thank you"

[[rule]]
recipient = ["sink@example.test"]
action = "discard"

[[rule]]
domain = ["moved.example"]
action = "forward"
to = ["alice@example.test"]

[[rule]]
recipient = ["alice@example.test"]
action = "tag"
tag = "known"
"#;

#[test]
fn the_configuration_decides() {
    let mut server = Server::prepare(LISTENERS, &["alice"], MORE);
    server.serve();
    let mut client = Client::connect(server.address("smtp", "starttls"));
    client.reply();
    client.expect("EHLO x", 250);
    for sender in ["a@junk.example", "a@deep.junk.example"] {
        let refusal = client.expect(&format!("MAIL FROM:<{sender}>"), 550);
        assert!(
            refusal.contains("Nothing of yours, thank you (trace "),
            "{refusal}"
        );
    }
    client.expect("MAIL FROM:<a@example.org>", 250);
    let refusal = client.expect("RCPT TO:<fred@trapped.example>", 550);
    assert!(
        refusal.starts_with("550 5.1.1 No such user here (trace "),
        "{refusal}"
    );
    let refusal = client.expect("RCPT TO:<x@elsewhere.example>", 550);
    assert!(refusal.starts_with("550 5.7.1 "), "{refusal}");
    for recipient in [
        "sink@example.test",
        "alice@example.test",
        "who@moved.example",
    ] {
        client.expect(&format!("RCPT TO:<{recipient}>"), 250);
    }
    client.expect("DATA", 354);
    client.expect("Subject: once\r\n\r\nbody\r\n.", 250);
    client.expect("QUIT", 221);

    // One copy for alice, whatever led to her, with the word of her rule in front.
    // The index follows the log.
    let is_there = (0..200).any(|_| {
        let usage = server.command(&["usage", "--json"], "");
        usage.contains("\"messages\":1,")
    });
    assert!(is_there);
    server.wait_for_line(|line| line.contains(" accepted from=<a@example.org> recipients=3 "));
    server.wait_for_line(|line| line.contains(" tag=known "));
    server.wait_for_line(|line| line.contains("caught 127.0.0.0/24: mail to a trap address"));
}
