//! Every dialogue of `tests/dialog` against a real server, whole and octet by octet; and what is too long to write down.

use data_encoding::BASE64;
use ringpost_tests::client::Client;
use ringpost_tests::dialog::play;
use ringpost_tests::server::{PASSWORD, Server, USUAL};
use std::fs::read_to_string;
use std::path::Path;

/// (file, protocol, TLS of the listener)
const DIALOGS: &[(&str, &str, &str)] = &[
    ("smtp_mx", "smtp", "starttls"),
    ("smtp_pipelined", "smtp", "starttls"),
    ("smtp_bdat", "smtp", "starttls"),
    ("smtp_bad_input", "smtp", "starttls"),
    ("smtp_smuggling", "smtp", "starttls"),
    ("smtp_errors", "smtp", "starttls"),
    ("smtp_starttls", "smtp", "starttls"),
    ("smtp_submission", "submission", "required"),
    ("lmtp", "lmtp", "none"),
    ("imap_states", "imap", "none"),
    ("imap_mailboxes", "imap", "none"),
    ("imap_messages", "imap", "none"),
    ("imap_bad_input", "imap", "none"),
    ("imap_bomb", "imap", "none"),
    ("imap_long", "imap", "none"),
    ("imap_errors", "imap", "none"),
    ("imap_logins", "imap", "none"),
    ("imap_starttls", "imap", "starttls"),
];

fn script(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialog");
    let path = folder.join(format!("{name}.txt"));
    read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn connect(server: &Server, protocol: &str, tls: &str) -> Client {
    match protocol {
        "lmtp" => Client::connect_unix(&server.path("host/lmtp.sock")),
        _ => Client::connect(server.address(protocol, tls)),
    }
}

fn plain(user: &str, password: &str) -> String {
    BASE64.encode(format!("\0{user}\0{password}").as_bytes())
}

fn run(prefix: &[&str]) {
    let server = Server::start(USUAL, &["alice", "bob"]);
    let name = "alice@example.test";
    let (alice, wrong) = (plain(name, PASSWORD), plain(name, "wrong"));
    let values = [
        ("name", name),
        ("password", PASSWORD),
        ("alice", &alice),
        ("wrong", &wrong),
    ];
    let chosen = DIALOGS
        .iter()
        .filter(|(name, ..)| prefix.iter().any(|prefix| name.starts_with(prefix)));
    for (name, protocol, tls) in chosen {
        println!("{name}");
        play(
            name,
            &script(name),
            &mut connect(&server, protocol, tls),
            &values,
        );
    }
    // Whatever was said, the server is well.
    let mut client = connect(&server, "imap", "none");
    client.line();
    client.imap_ok(&format!("LOGIN {name} \"{PASSWORD}\""));
}

#[test]
fn smtp_and_lmtp() {
    run(&["smtp", "lmtp"]);
}

#[test]
fn imap() {
    run(&["imap"]);
}

#[test]
fn every_dialog_is_played() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialog");
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("readable").path();
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .expect("UTF-8 names");
        assert!(DIALOGS.iter().any(|(known, ..)| *known == name), "{name}");
    }
}

/// One octet in each packet; and a client that leaves in the middle of a mail, of which nothing is delivered.
#[test]
fn octet_by_octet_and_cut_off() {
    let server = Server::start(USUAL, &["alice"]);
    let mut client = connect(&server, "smtp", "starttls");
    let session = "EHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n";
    for octet in session.bytes() {
        client.send([octet]);
    }
    for expected in [220, 250, 250, 250, 354] {
        assert_eq!(client.reply().0, expected);
    }
    for octet in b"Subject: slow\r\n\r\nbody\r\n.\r\n" {
        client.send([*octet]);
    }
    assert_eq!(client.reply().0, 250);
    client.send(format!(
        "RSET\r\n{}Subject: never ends\r\n\r\nbody\r\n",
        &session[8..]
    ));
    for expected in [250, 250, 250, 354] {
        assert_eq!(client.reply().0, expected);
    }
    drop(client);

    let mut imap = connect(&server, "imap", "none");
    imap.line();
    imap.imap_ok(&format!("LOGIN alice@example.test \"{PASSWORD}\""));
    let status = imap.imap_ok("STATUS INBOX (MESSAGES)");
    assert_eq!(status[0], "* STATUS INBOX (MESSAGES 1)");
}

/// 10,000 recipients: as many as the limit are taken, the others are told to come later.
#[test]
fn ten_thousand_recipients() {
    const RECIPIENTS: usize = 10_000;
    const LIMIT: usize = 1_000;
    let server = Server::start(USUAL, &["alice"]);
    let mut client = connect(&server, "smtp", "starttls");
    client.reply();
    client.expect("EHLO x", 250);
    client.expect("MAIL FROM:<a@example.org>", 250);
    // A thousand at a time, so that neither side waits for the other to read.
    let mut codes = Vec::new();
    for chunk in 0..RECIPIENTS / LIMIT {
        let commands = (0..LIMIT).map(|n| format!("RCPT TO:<alice+{chunk}-{n}@example.test>\r\n"));
        client.send(commands.collect::<String>());
        for _ in 0..LIMIT {
            match client.try_reply() {
                Ok((code, _)) => codes.push(code),
                Err(_) => break,
            }
        }
        if codes.last() == Some(&421) {
            break;
        }
    }
    assert!(
        codes[..LIMIT].iter().all(|&code| code == 250),
        "{:?}",
        &codes[..LIMIT]
    );
    // Then 452, until the session has had its errors.
    assert!(
        codes[LIMIT..]
            .iter()
            .all(|&code| code == 452 || code == 421)
    );
    assert!(codes.len() > LIMIT);
}

/// An idling client hears of a new mail, and of what another session does. RFC 2177.
#[test]
fn idle_is_pushed() {
    let server = Server::start(USUAL, &["alice"]);
    let session = || {
        let mut client = connect(&server, "imap", "none");
        client.line();
        client.imap_ok(&format!("LOGIN alice@example.test \"{PASSWORD}\""));
        client.imap_ok("SELECT INBOX");
        client
    };
    let (mut idle, mut other) = (session(), session());
    idle.send("t IDLE\r\n");
    assert!(idle.line().starts_with("+ "));
    let mut smtp = connect(&server, "smtp", "starttls");
    smtp.reply();
    smtp.expect("EHLO x", 250);
    smtp.expect("MAIL FROM:<a@example.org>", 250);
    smtp.expect("RCPT TO:<alice@example.test>", 250);
    smtp.expect("DATA", 354);
    smtp.expect("Subject: pushed\r\n\r\nbody\r\n.", 250);
    while idle.line() != "* 1 EXISTS" {}
    other.imap_ok("NOOP");
    other.imap_ok("STORE 1 +FLAGS (\\Seen \\Deleted)");
    let mut line = idle.line();
    while !(line.starts_with("* 1 FETCH (") && line.contains("\\Deleted")) {
        line = idle.line();
    }
    other.imap_ok("EXPUNGE");
    while idle.line() != "* 1 EXPUNGE" {}
    idle.send("DONE\r\n");
    let lines = idle.imap_answer();
    assert!(
        lines.last().is_some_and(|line| line.starts_with("t OK")),
        "{lines:?}"
    );
}
