//! Two clients in one mailbox, and clients that wait: who is told what, and when. RFC 3501 §5.2, §7.4.1, RFC 2177.

mod server;

use ringpost_api::{Outcome, Write};
use ringpost_imapd::TlsMode;
use ringpost_types::limit::Limits;
use server::{Client, Server, submit};
use std::future::Future;

const MAIL: &[u8] = b"Subject: x\r\n\r\nbody\r\n";

/// Two sessions that have selected INBOX with `messages` in it.
fn two(server: &Server, messages: u32) -> (Client, Client) {
    let (mut one, mut other) = (server.login(), server.login());
    for _ in 0..messages {
        assert!(one.append("INBOX", MAIL).starts_with("OK"));
    }
    one.ok("SELECT INBOX");
    other.ok("SELECT INBOX");
    (one, other)
}

#[test]
fn flags_are_told_to_others_and_once() {
    let server = Server::start();
    let (mut one, mut other) = two(&server, 3);
    let told = one.ok("STORE 2 +FLAGS (\\Answered)");
    assert_eq!(told, ["* 2 FETCH (FLAGS (\\Answered \\Recent))"]);
    assert!(one.ok("NOOP").is_empty());
    assert_eq!(other.ok("NOOP"), ["* 2 FETCH (UID 2 FLAGS (\\Answered))"]);
    assert!(other.ok("NOOP").is_empty());
    // Silent for the one that asked, not for the other; a keyword is announced before it is used.
    assert_eq!(one.ok("STORE 3 +FLAGS.SILENT (Later)").len(), 2);
    let told = other.ok("NOOP");
    assert!(
        told[0].starts_with("* FLAGS (") && told[0].contains("Later"),
        "{told:?}"
    );
    assert_eq!(told[2..], ["* 3 FETCH (UID 3 FLAGS (Later))"]);
    // What the other did meanwhile is not hidden behind one's own silent change.
    other.ok("STORE 1 +FLAGS.SILENT (\\Flagged)");
    let told = one.ok("STORE 1 +FLAGS.SILENT (\\Seen)");
    assert_eq!(told, ["* 1 FETCH (UID 1 FLAGS (\\Flagged \\Recent))"]);
}

#[test]
fn numbers_change_only_when_they_may() {
    let server = Server::start();
    let (mut one, mut other) = two(&server, 5);
    one.ok("STORE 2,4 +FLAGS.SILENT (\\Deleted)");
    assert_eq!(one.ok("EXPUNGE"), ["* 2 EXPUNGE", "* 3 EXPUNGE"]);
    // FETCH, STORE and SEARCH by number leave the numbers as they were.
    let told = other.command("FETCH 1:5 (UID)");
    let uids: Vec<&str> = told
        .iter()
        .filter_map(|line| line.split("FETCH ").nth(1))
        .collect();
    assert_eq!(uids, ["(UID 1)", "(UID 3)", "(UID 5)"]);
    assert!(
        told.last()
            .is_some_and(|line| line.starts_with("NO [EXPUNGEISSUED]")),
        "{told:?}"
    );
    assert_eq!(other.ok("SEARCH ALL"), ["* SEARCH 1 3 5"]);
    let told = other.command("STORE 4:5 +FLAGS (\\Seen)");
    assert_eq!(told[0], "* 5 FETCH (FLAGS (\\Seen))");
    assert!(told[1].starts_with("NO [EXPUNGEISSUED]"), "{told:?}");
    // A UID command is another command.
    let told = other.ok("UID FETCH 5 (FLAGS)");
    assert_eq!(
        told,
        [
            "* 5 FETCH (UID 5 FLAGS (\\Seen))",
            "* 2 EXPUNGE",
            "* 3 EXPUNGE"
        ]
    );
    assert_eq!(other.ok("UID SEARCH ALL"), ["* SEARCH 1 3 5"]);
    // New messages come behind those that left.
    one.append("INBOX", MAIL);
    one.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    one.ok("EXPUNGE");
    assert_eq!(
        other.ok("NOOP"),
        ["* 1 EXPUNGE", "* 3 EXISTS", "* 0 RECENT"]
    );
}

/// What a client adds is refused beyond the quota, what is delivered is not. RFC 9208 §5.3.
#[test]
fn quota_is_told() {
    let server = Server::start();
    let (mut one, _) = two(&server, 2);
    let quota = |messages| {
        let write = Write::Quota {
            account: server.account,
            octets: 0,
            messages,
        };
        assert_eq!(submit(&server.store, write), Ok(Outcome::Done));
    };
    quota(2);
    assert!(one.append("INBOX", MAIL).starts_with("NO [OVERQUOTA]"));
    one.fails("COPY 1 Trash", "NO [OVERQUOTA]");
    one.ok("MOVE 1 Trash");
    server.deliver_to_index(MAIL);
    let told = one.ok("STATUS INBOX (MESSAGES)");
    assert_eq!(told[0], "* STATUS INBOX (MESSAGES 2)");
    quota(4);
    assert!(one.append("INBOX", MAIL).starts_with("OK"));
}

#[test]
fn idle_is_pushed_a_delivery() {
    let server = Server::start();
    let mut client = server.login();
    client.ok("SELECT INBOX");
    let tag = client.begin("IDLE");
    assert!(client.line().starts_with('+'));
    server.deliver(MAIL);
    assert_eq!(client.line(), "* 1 EXISTS");
    assert_eq!(client.line(), "* 1 RECENT");
    let mut other = server.login();
    other.ok("SELECT INBOX");
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    assert_eq!(
        client.line(),
        "* 1 FETCH (UID 1 FLAGS (\\Deleted \\Recent))"
    );
    other.ok("EXPUNGE");
    assert_eq!(client.line(), "* 1 EXPUNGE");
    // What is pipelined behind DONE is the next command.
    client.send("DONE\r\nz NOOP\r\n");
    assert_eq!(client.until(&tag), ["OK IDLE completed."]);
    assert_eq!(client.until("z"), ["OK NOOP completed."]);
    let tag = client.begin("IDLE");
    client.line();
    client.send("WAT\r\n");
    assert!(client.until(&tag)[0].starts_with("BAD"));
    // Without a mailbox there is nothing to tell, but it is allowed.
    client.ok("UNSELECT");
    let tag = client.begin("IDLE");
    client.line();
    client.send("DONE\r\n");
    assert_eq!(client.until(&tag), ["OK IDLE completed."]);
}

#[test]
fn delivered_mail_has_its_prefix() {
    let server = Server::start();
    server.deliver_to_index(MAIL);
    let mut client = server.login();
    client.ok("EXAMINE INBOX");
    let told = client.ok("FETCH 1 (RFC822.SIZE BODY[] BODY[HEADER.FIELDS (Delivered-To Subject)])");
    let (head, rest) = told[0].split_once("BODY[] {").expect("a body");
    let (octets, rest) = rest.split_once("}\r\n").expect("a literal");
    assert!(head.contains(&format!("RFC822.SIZE {octets} ")), "{told:?}");
    assert!(
        rest.starts_with("Return-Path: <>\r\nDelivered-To: alice@example.test\r\n"),
        "{rest}"
    );
    assert!(
        rest.contains("}\r\nDelivered-To: alice@example.test\r\nSubject: x\r\n\r\n"),
        "{rest}"
    );
    // Across the seam of prefix and mail.
    let told = client.ok("FETCH 1 BODY[]<14.100>");
    assert!(
        told[0].contains(">\r\nDelivered-To: alice@example.test\r\nSubject: x\r\n\r\nbody\r\n)"),
        "{told:?}"
    );
}

#[test]
fn large_messages_come_whole() {
    let server = Server::start();
    let mut client = server.login();
    let mut mail = b"Subject: large\r\n\r\n".to_vec();
    for line in 0..60_000 {
        mail.extend_from_slice(format!("line {line}\r\n").as_bytes());
    }
    assert!(client.append("INBOX", &mail).starts_with("OK"));
    client.ok("SELECT INBOX");
    let told = client.ok("FETCH 1 BODY.PEEK[]");
    let expected = format!(
        "* 1 FETCH (BODY[] {{{}}}\r\n{})",
        mail.len(),
        String::from_utf8_lossy(&mail)
    );
    assert!(told == [expected]);
    let told = client.ok("FETCH 1 BODY.PEEK[]<65530.20>");
    let part = String::from_utf8_lossy(&mail[65_530..65_550]).into_owned();
    assert_eq!(
        told,
        [format!("* 1 FETCH (BODY[]<65530> {{20}}\r\n{part})")]
    );
}

/// Chosen messages far apart are sought, those close together walked to; those that are gone are passed over.
#[test]
fn chosen_messages_far_apart() {
    let server = Server::start();
    let (mut one, mut other) = two(&server, 0);
    for _ in 1..300 {
        server.deliver(MAIL);
    }
    // A delivery is durable before it is indexed; an APPEND is both, in the same order.
    one.append("INBOX", MAIL);
    one.ok("NOOP");
    other.ok("NOOP");
    assert_eq!(one.ok("SEARCH ALL")[0].split(' ').count(), 302);
    one.ok("STORE 2,100:200,300 +FLAGS.SILENT (\\Deleted)");
    one.ok("EXPUNGE");
    let told = other.command("FETCH 1:3,66,99:101,150,199:201,290,299:300 (UID)");
    let uids: Vec<&str> = told
        .iter()
        .filter_map(|line| line.split("UID ").nth(1))
        .collect();
    assert_eq!(uids, ["1)", "3)", "66)", "99)", "201)", "290)", "299)"]);
    assert!(
        told.last()
            .is_some_and(|line| line.starts_with("NO [EXPUNGEISSUED]"))
    );
    assert_eq!(other.ok("UID FETCH 120:180 (FLAGS)").len(), 103);
    assert_eq!(
        other.ok("UID SEARCH UID 1:4,295:*"),
        ["* SEARCH 1 3 4 295 296 297 298 299"]
    );
    assert_eq!(other.ok("FETCH 1:2,195:197 (UID)").len(), 5);
}

#[test]
fn silence_and_crowds_are_answered_with_bye() {
    let limits = Limits {
        imap_preauth_idle_ms: 1_000,
        imap_connections_max: 2,
        ..Limits::default()
    };
    let server = Server::with(limits, TlsMode::Absent);
    let (mut one, _other) = (server.connect(), server.connect());
    assert!(one.greeting.starts_with("* OK"));
    let crowded = server.connect();
    assert!(
        crowded.greeting.starts_with("* BYE"),
        "{}",
        crowded.greeting
    );
    assert!(one.line().starts_with("* BYE"));
    assert_eq!(one.line(), "");
}

#[test]
fn recent_is_told_to_one_session() {
    let server = Server::start();
    server.deliver_to_index(MAIL);
    let (mut one, mut other) = (server.login(), server.login());
    assert!(one.ok("SELECT INBOX").contains(&"* 1 RECENT".to_owned()));
    assert!(other.ok("SELECT INBOX").contains(&"* 0 RECENT".to_owned()));
    assert_eq!(
        other.ok("STATUS INBOX (RECENT)"),
        ["* STATUS INBOX (RECENT 0)"]
    );
}

#[test]
fn a_mailbox_deleted_under_a_session() {
    let server = Server::start();
    let (mut one, mut other) = (server.login(), server.login());
    one.ok("CREATE gone");
    other.ok("SELECT gone");
    one.ok("DELETE gone");
    other.send("x NOOP\r\n");
    assert!(other.line().starts_with("* BYE"));
    assert_eq!(other.line(), "");
}

#[test]
fn draining_says_bye() {
    let server = Server::start();
    let (mut idle, mut waiting) = (server.login(), server.login());
    idle.ok("SELECT INBOX");
    idle.begin("IDLE");
    idle.line();
    server.drain();
    assert!(idle.line().starts_with("* BYE"));
    assert!(waiting.line().starts_with("* BYE"));
}

/// A session that waits is this future, its connection and its view; the rest is boxed and gone.
#[test]
fn a_waiting_session_is_small() {
    fn octets<A, B, F: Future>(_: fn(A, B) -> F) -> usize {
        size_of::<F>()
    }
    let octets = octets(ringpost_imapd::serve);
    assert!(
        octets <= 2_048,
        "the future of a session takes {octets} octets"
    );
}
