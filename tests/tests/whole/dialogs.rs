//! Every dialogue of `tests/dialog` against a real server; and what is too long to write down.
//!
//! Those of IMAP are played as written. Those of SMTP are one case each, in `dialog/smtp/`, and are played as written,
//! pipelined and octet by octet: how the octets came must not show.

use data_encoding::BASE64;
use ringpost_tests::client::Client;
use ringpost_tests::dialog::{Manner, listener, play, play_so};
use ringpost_tests::server::{PASSWORD, Server, USUAL};
use std::fs::read_to_string;
use std::path::Path;

/// (file, protocol, TLS of the listener)
const DIALOGS: &[(&str, &str, &str)] = &[
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

/// A server with alice and bob; and the values of a dialogue.
fn server() -> (Server, Vec<(&'static str, String)>) {
    let server = Server::start(USUAL, &["alice", "bob"]);
    let values = vec![
        ("name", NAME.into()),
        ("password", PASSWORD.into()),
        ("alice", plain(NAME, PASSWORD)),
        ("wrong", plain(NAME, "wrong")),
    ];
    (server, values)
}

const NAME: &str = "alice@example.test";

fn lent<'v>(values: &'v [(&'static str, String)]) -> Vec<(&'static str, &'v str)> {
    let lend = |(name, value): &'v (&'static str, String)| (*name, value.as_str());
    values.iter().map(lend).collect()
}

/// Whatever was said, the server is well.
fn still_well(server: &Server) {
    let mut client = connect(server, "imap", "none");
    client.line();
    client.imap_ok(&format!("LOGIN {NAME} \"{PASSWORD}\""));
}

#[test]
fn imap() {
    let (server, values) = server();
    for (name, protocol, tls) in DIALOGS {
        println!("{name}");
        let mut client = connect(&server, protocol, tls);
        play(name, &script(name), &mut client, &lent(&values));
    }
    still_well(&server);
}

#[test]
fn smtp_and_lmtp() {
    let (server, values) = server();
    for name in names("smtp") {
        let name = format!("smtp/{name}");
        let script = script(&name);
        let (protocol, tls) = listener(&script).unwrap_or_else(|| panic!("{name}: no ON line"));
        for manner in Manner::ALL {
            println!("{name} {manner:?}");
            let mut client = connect(&server, protocol, tls);
            play_so(manner, &name, &script, &mut client, &lent(&values));
        }
    }
    still_well(&server);
    // What the smuggling dialogues hide has this subject; the mails they hide it in do not.
    for account in ["alice", "bob"] {
        let mut client = connect(&server, "imap", "none");
        client.line();
        client.imap_ok(&format!("LOGIN {account}@example.test \"{PASSWORD}\""));
        client.imap_ok("SELECT INBOX");
        let found = client.imap_ok("SEARCH SUBJECT smuggled");
        assert_eq!(found[0].trim_end(), "* SEARCH", "{account}");
        let found = client.imap_ok("SEARCH SUBJECT \"in one piece\"");
        assert_eq!(account == "bob", found[0].len() > 9, "{found:?}");
    }
}

/// Names of the scripts in a folder of `tests/dialog`, in order.
fn names(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("dialog")
        .join(folder);
    let files = std::fs::read_dir(folder).expect("the folder is there");
    let paths = files.map(|entry| entry.expect("readable").path());
    let files = paths.filter(|path| path.is_file());
    let name = |path: std::path::PathBuf| {
        let stem = path.file_stem().and_then(|name| name.to_str());
        stem.expect("UTF-8 names").to_owned()
    };
    let mut names: Vec<String> = files.map(name).collect();
    names.sort_unstable();
    names
}

#[test]
fn every_dialog_is_played() {
    for name in names("") {
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
