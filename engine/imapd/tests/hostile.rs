//! What a client does that means harm, or does not know better: the session answers or ends, and nothing it sent as
//! content is taken for a command.

mod server;

use ringpost_imapd::TlsMode;
use ringpost_types::limit::Limits;
use server::{Client, Server};

/// Responses until the connection ends.
fn rest(client: &mut Client) -> Vec<String> {
    std::iter::from_fn(|| Some(client.line()).filter(|line| !line.is_empty())).collect()
}

#[test]
fn talk_without_login_ends() {
    let limits = Limits {
        imap_preauth_ms: 200,
        ..Limits::default()
    };
    let server = Server::with(limits, TlsMode::Absent);
    let mut client = server.connect();
    loop {
        client.send("a NOOP\r\n");
        match &client.line()[..] {
            "a OK NOOP completed." => {}
            bye => {
                assert_eq!(bye, "* BYE Nobody has logged in.");
                break;
            }
        }
    }
    let mut silent = server.connect();
    assert!(silent.line().starts_with("* BYE"));
}

#[test]
fn a_stranger_sends_no_megabytes() {
    let server = Server::start();
    let mut client = server.connect();
    client.send("a APPEND INBOX {5+}\r\nhello\r\nb NOOP\r\nc APPEND INBOX {70000+}\r\n");
    assert_eq!(
        rest(&mut client),
        [
            "a BAD Log in first.",
            "b OK NOOP completed.",
            "* BYE Log in first."
        ]
    );
}

/// RFC 3502 is not offered. A client that does not care must not have its second message read as commands.
#[test]
fn a_second_message_is_no_command() {
    let server = Server::start();
    let mut client = server.login();
    client.send("x APPEND INBOX {3+}\r\nabc {18+}\r\ny DELETE Drafts\r\n\r\nz NOOP\r\n");
    assert_eq!(rest(&mut client), ["* BYE APPEND takes one message."]);
    let mut client = server.login();
    client.ok("STATUS Drafts (MESSAGES)");
    // One that waits is told, and goes on.
    client.send("x APPEND INBOX {3+}\r\nabc {18}\r\nz NOOP\r\n");
    assert_eq!(client.line(), "x BAD APPEND takes one message.");
    assert_eq!(client.line(), "z OK NOOP completed.");
}

/// Thousands of sections in one command are answered one after the other, not gathered.
#[test]
fn many_sections_of_a_large_header() {
    let server = Server::start();
    let mut client = server.login();
    let header = "X-Line: 0123456789\r\n".repeat(4_000);
    let mail = format!("Subject: s\r\n{header}\r\nbody\r\n");
    client.ok(&format!("APPEND INBOX {{{}+}}\r\n{mail}", mail.len()));
    client.ok("SELECT INBOX");
    let sections = "BODY.PEEK[HEADER.FIELDS.NOT (Subject)] ".repeat(1_000);
    let lines = client.ok(&format!("FETCH 1 ({sections}UID)"));
    assert_eq!(lines.len(), 1);
    let each = "BODY[HEADER.FIELDS.NOT (SUBJECT)] {80002}".len() + 2 + header.len() + 2 + 1;
    assert_eq!(lines[0].len(), "* 1 FETCH (UID 1)".len() + 1_000 * each);
}

#[test]
fn texts_of_one_search_are_bounded() {
    let limits = Limits {
        imap_search_texts_max: 3,
        ..Limits::default()
    };
    let server = Server::with(limits, TlsMode::Absent);
    let mut client = server.login();
    client.ok("APPEND INBOX {21+}\r\nSubject: s\r\n\r\nGR\u{dc}N\r\n");
    client.ok("SELECT INBOX");
    let found = ["* SEARCH 1"];
    assert_eq!(
        client.ok("SEARCH CHARSET UTF-8 BODY \"gr\u{fc}n\" NOT TEXT x OR SUBJECT s ALL"),
        found
    );
    client.fails("SEARCH BODY b NOT TEXT x OR SUBJECT s (TO t)", "NO [LIMIT]");
    assert_eq!(
        client.ok(&format!("SEARCH {}ALL", "ALL ".repeat(10_000))),
        found
    );
}
