//! Large mails: written into the log while they come, by every way in; what they hold in memory; that small mails go past
//! them.

use ringpost_tests::client::Client;
use ringpost_tests::mail::{attached, numbered};
use ringpost_tests::server::{Listen, PASSWORD, PATIENCE, Server, USUAL};
use std::path::PathBuf;
use std::sync::Barrier;
use std::time::Instant;

/// One shard, so that whoever waits for another is seen; mails up to 150 MiB.
const CONFIGURATION: &str = "[runtime]\nshards = 1\n[limits]\nmessage_octets_max = 157286400\n\
                             imap_append_octets_max = 157286400\n";

const NO_FILES: [PathBuf; 0] = [];

fn start(listeners: &[Listen]) -> Server {
    let mut server = Server::prepare(listeners, &["alice", "bob"], CONFIGURATION);
    server.serve();
    server
}

fn smtp(server: &Server) -> Client {
    let mut client = Client::connect(server.address("smtp", "starttls"));
    client.reply();
    client.expect("EHLO x", 250);
    client
}

fn imap(server: &Server, account: &str) -> Client {
    let mut client = Client::connect_tls(server.address("imap", "implicit"));
    client.line();
    client.imap_ok(&format!("LOGIN {account}@example.test \"{PASSWORD}\""));
    client
}

/// Up to `DATA`'s 354.
fn begin(client: &mut Client, recipient: &str, parameters: &str) {
    client.expect(&format!("MAIL FROM:<a@example.org>{parameters}"), 250);
    client.expect(&format!("RCPT TO:<{recipient}@example.test>"), 250);
    client.expect("DATA", 354);
}

/// A literal that FETCH answers for `section`.
fn fetched(client: &mut Client, sequence: usize, section: &str) -> Vec<u8> {
    client.send(format!("t FETCH {sequence} BODY.PEEK[{section}]\r\n"));
    let line = client.line();
    let announced = line.rsplit_once('{');
    let octets = announced.and_then(|(_, rest)| rest.strip_suffix('}')?.parse().ok());
    let mail = client.octets(octets.unwrap_or_else(|| panic!("no literal: {line}")));
    assert_eq!(client.line(), ")");
    assert!(client.line().starts_with("t OK"));
    mail
}

/// The shard's files of large mails: those complete, and those that are not.
fn segments(server: &Server, ending: &str) -> Vec<PathBuf> {
    let folder = server.path("host/data/log-0");
    let files = std::fs::read_dir(folder).expect("the log's folder");
    let files = files.map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|known| known == ending))
        .collect();
    found.sort();
    found
}

/// While a mail of 60 MiB comes in, twenty small ones are delivered and read; then it is there, octet for octet.
#[test]
fn small_mails_go_past_a_large_one() {
    let server = start(USUAL);
    let large = attached(46_000_000, 60);
    assert!(large.len() > 60 << 20);
    let (first, second) = large.split_at(large.len() / 2);
    let mut sender = smtp(&server);
    let mut reader = imap(&server, "bob");
    let mut appender = imap(&server, "alice");
    begin(&mut sender, "alice", &format!(" SIZE={}", large.len()));
    sender.send(first);
    appender.send(format!("t APPEND Drafts {{{}+}}\r\n", large.len()));
    appender.send(first);
    let mut small = smtp(&server);
    for number in 0..20 {
        begin(&mut small, "bob", "");
        small.send(numbered(number, 2_048));
        small.expect(".", 250);
    }
    let selected = reader.imap_ok("SELECT INBOX");
    assert!(
        selected.contains(&"* 20 EXISTS".to_owned()),
        "{selected:#?}"
    );
    assert_eq!(segments(&server, "mail"), NO_FILES);
    assert_eq!(segments(&server, "part").len(), 2);
    sender.send(second);
    sender.expect(".", 250);
    appender.send(second);
    appender.send("\r\n");
    let answer = appender.imap_answer();
    assert!(answer.last().is_some_and(|line| line.starts_with("t OK")));
    assert_eq!(segments(&server, "part"), NO_FILES);
    assert_eq!(segments(&server, "mail").len(), 2);
    appender.imap_ok("SELECT INBOX");
    assert!(fetched(&mut appender, 1, "").ends_with(&large));
    appender.imap_ok("SELECT Drafts");
    assert!(fetched(&mut appender, 1, "") == large);
    only_the_part_is_read(&server, &mut appender);
}

/// The files are cut behind the first part's octets, and it can still be read: nothing behind it is looked at.
fn only_the_part_is_read(server: &Server, client: &mut Client) {
    let first = fetched(client, 1, "1");
    for path in segments(server, "mail") {
        let file = std::fs::OpenOptions::new().write(true).open(path);
        let cut = file.and_then(|file| file.set_len(8 * 1024));
        cut.expect("the file can be cut");
    }
    assert_eq!(fetched(client, 1, "1"), first);
}

/// A mail of 3 MiB by every way in: each is a file of its own, and whole.
#[test]
fn by_every_way_in() {
    let server = start(USUAL);
    let mail = attached(2_300_000, 3);
    let mut client = smtp(&server);
    client.expect("MAIL FROM:<a@example.org>", 250);
    client.expect("RCPT TO:<alice@example.test>", 250);
    let chunks: Vec<&[u8]> = mail.chunks(700_000).collect();
    for (at, chunk) in chunks.iter().enumerate() {
        let last = if at + 1 == chunks.len() { " LAST" } else { "" };
        client.send(format!("BDAT {}{last}\r\n", chunk.len()));
        client.send(chunk);
        assert_eq!(client.reply().0, 250);
    }
    let mut client = Client::connect_unix(&server.path("host/lmtp.sock"));
    client.reply();
    client.expect("LHLO x", 250);
    begin(&mut client, "alice", "");
    client.send(&mail);
    client.expect(".", 250);
    // Submission: the mail lacks Message-ID and Date, which are known to be missing before its first piece leaves.
    let mut client = Client::connect_tls(server.address("submission", "implicit"));
    client.reply();
    client.expect("EHLO x", 250);
    let plain = format!("\0alice@example.test\0{PASSWORD}");
    let plain = data_encoding::BASE64.encode(plain.as_bytes());
    client.expect(&format!("AUTH PLAIN {plain}"), 235);
    client.expect("MAIL FROM:<alice@example.test>", 250);
    client.expect("RCPT TO:<alice@example.test>", 250);
    client.expect("DATA", 354);
    let bare = [b"Subject: bare\r\n\r\n", &mail[..]].concat();
    client.send(&bare);
    client.expect(".", 250);
    assert_eq!(segments(&server, "mail").len(), 3);
    let mut client = imap(&server, "alice");
    client.imap_ok("SELECT INBOX");
    for sequence in [1, 2] {
        assert!(fetched(&mut client, sequence, "").ends_with(&mail));
    }
    let got = fetched(&mut client, 3, "");
    assert!(got.ends_with(&bare));
    let ours = String::from_utf8_lossy(&got[..got.len() - bare.len()]).into_owned();
    assert!(
        ours.contains("\r\nDate: ") && ours.contains("\r\nMessage-ID: <"),
        "{ours}"
    );
}

/// Who goes away in the middle, or is refused at the end, leaves no file.
#[test]
fn a_large_mail_that_is_not_taken_leaves_nothing() {
    let server = start(USUAL);
    let mail = attached(5_000_000, 5);
    let mut client = smtp(&server);
    begin(&mut client, "alice", "");
    client.send(&mail);
    drop(client);
    server.wait_for_line(|line| line.contains("left by the peer"));
    let mut client = smtp(&server);
    begin(&mut client, "alice", "");
    client.send("Received: a loop\r\n".repeat(200));
    client.send(&mail);
    client.expect(".", 554);
    assert_eq!(segments(&server, "mail"), NO_FILES);
    // Files are removed beside.
    let until = Instant::now() + PATIENCE;
    while !segments(&server, "part").is_empty() {
        assert!(Instant::now() < until, "{:?}", segments(&server, "part"));
        std::thread::yield_now();
    }
}

/// Forty mails of 8 MB on their way into one shard, 320 MB: they hold a few pieces each.
#[test]
fn what_forty_large_mails_hold_in_memory() {
    const MAILS: usize = 40;
    let server = start(USUAL);
    let mail = attached(6_000_000, 8);
    let (first, second) = mail.split_at(mail.len() - 1_000_000);
    let before = memory(&server, "VmRSS:");
    let under_way = Barrier::new(MAILS);
    std::thread::scope(|scope| {
        for _ in 0..MAILS {
            scope.spawn(|| {
                let mut client = smtp(&server);
                begin(&mut client, "alice", "");
                client.send(first);
                under_way.wait();
                client.send(second);
                client.expect(".", 250);
            });
        }
    });
    let grown = memory(&server, "VmHWM:").saturating_sub(before);
    assert!(grown < 150 << 20, "{grown} octets");
    assert_eq!(segments(&server, "mail").len(), MAILS);
}

/// A line of the process's status, in octets.
fn memory(server: &Server, name: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
    let status = status.expect("Linux tells the state of a process");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kib.expect("a number") * 1024
}
