//! `kill -9` under load, again and again: every mail that got 250 is there, whole, once; flags answered OK are kept.
//!
//! Senders give each mail a number and send it once. A mail without an answer may be there or not; there twice, or in
//! part, it may not.
//!
//! `RINGPOST_KILLS` sets how often: 30 times unless it says otherwise, 500 is a long test.

use ringpost_tests::client::Client;
use ringpost_tests::mail::numbered;
use ringpost_tests::random::Random;
use ringpost_tests::server::{Listen, PASSWORD, PATIENCE, Server};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Instant;

const ROUNDS: u64 = 30;
const SENDERS: usize = 4;
/// Mails that are answered in a round before the kill, at most.
const ANSWERED_MAX: usize = 60;
const SEED: u64 = 0xc4a5;

const LISTENERS: &[Listen] = &[
    Listen {
        protocol: "smtp",
        tls: "none",
        bind: "127.0.0.1:0",
    },
    Listen {
        protocol: "imap",
        tls: "none",
        bind: "127.0.0.1:0",
    },
];

/// What was promised so far.
#[derive(Default)]
struct Promises {
    /// Numbers of mails that got 250.
    mails: Mutex<BTreeSet<u64>>,
    grew: Condvar,
    /// UIDs whose `\Flagged` was answered OK.
    flagged: Mutex<BTreeSet<u32>>,
    /// The next mail's number.
    next: AtomicU64,
}

/// A size for each number, the same for sender and checker.
fn size(number: u64) -> usize {
    200 + Random::new(number).below(6000)
}

#[test]
fn what_was_answered_survives() {
    let rounds = std::env::var("RINGPOST_KILLS").ok();
    let rounds = rounds.map_or(ROUNDS, |rounds| rounds.parse().expect("a number of kills"));
    println!("seed {SEED:#x}, {rounds} kills");
    let mut random = Random::new(SEED);
    let promises = Promises::default();
    let mut server = Server::prepare(LISTENERS, &["alice"], "");
    for round in 0..rounds {
        server.serve();
        let (smtp, imap) = (
            server.address("smtp", "none"),
            server.address("imap", "none"),
        );
        let wanted = promises.mails.lock().expect("no panic holds it").len()
            + 1
            + random.below(ANSWERED_MAX);
        std::thread::scope(|scope| {
            for _ in 0..SENDERS {
                scope.spawn(|| send(smtp, &promises));
            }
            scope.spawn(|| flag(imap, &promises));
            promises.wait_for(wanted, round);
            server.kill();
        });
    }
    server.serve();
    check(server.address("imap", "none"), &promises, rounds);
    assert!(
        server.stop().success(),
        "after all that it drains as ever: {:#?}",
        server.lines()
    );
}

impl Promises {
    fn wait_for(&self, wanted: usize, round: u64) {
        let deadline = Instant::now() + PATIENCE;
        let mut mails = self.mails.lock().expect("no panic holds it");
        while mails.len() < wanted {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "round {round}: {} of {wanted} answered",
                mails.len()
            );
            mails = self
                .grew
                .wait_timeout(mails, left)
                .expect("no panic holds it")
                .0;
        }
    }
}

/// Sends mails until the server dies.
fn send(address: SocketAddr, promises: &Promises) {
    // How it dies is not of interest: what was answered before counts.
    let _died: io::Result<()> = (|| {
        let mut client = Client::try_connect(address)?;
        client.try_reply()?;
        client.try_send(b"EHLO load\r\n")?;
        client.try_reply()?;
        loop {
            let number = promises.next.fetch_add(1, Ordering::Relaxed);
            let mail = numbered(number, size(number));
            client.try_send(
                b"MAIL FROM:<load@example.org>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n",
            )?;
            for expected in [250, 250, 354] {
                let (code, text) = client.try_reply()?;
                assert_eq!(code, expected, "{text}");
            }
            client.try_send(&[&mail[..], b".\r\n"].concat())?;
            let (code, text) = client.try_reply()?;
            assert_eq!(code, 250, "{text}");
            promises
                .mails
                .lock()
                .expect("no panic holds it")
                .insert(number);
            promises.grew.notify_all();
        }
    })();
}

/// Flags one message after the other until the server dies.
fn flag(address: SocketAddr, promises: &Promises) {
    let _died: io::Result<()> = (|| {
        let mut client = Client::try_connect(address)?;
        client.try_line()?;
        talk(
            &mut client,
            &format!("LOGIN alice@example.test \"{PASSWORD}\""),
        )?;
        talk(&mut client, "SELECT INBOX")?;
        let from = promises
            .flagged
            .lock()
            .expect("no panic holds it")
            .last()
            .map_or(1, |uid| uid + 1);
        let mut uid = from;
        loop {
            let lines = talk(&mut client, &format!("UID STORE {uid} +FLAGS (\\Flagged)"))?;
            let told = format!("UID {uid}");
            let there = lines
                .iter()
                .any(|line| line.contains("FETCH") && line.contains(&told));
            if there {
                promises
                    .flagged
                    .lock()
                    .expect("no panic holds it")
                    .insert(uid);
                uid += 1;
            }
        }
    })();
}

/// A command and its lines; its answer must be OK.
fn talk(client: &mut Client, command: &str) -> io::Result<Vec<String>> {
    client.try_send(format!("t {command}\r\n").as_bytes())?;
    let mut lines = Vec::new();
    loop {
        let line = client.try_line()?;
        if line.starts_with("t ") {
            assert!(line.starts_with("t OK"), "{command}: {line}");
            return Ok(lines);
        }
        lines.push(line);
    }
}

fn check(address: SocketAddr, promises: &Promises, rounds: u64) {
    let mut client = Client::connect(address);
    client.line();
    client.imap_ok(&format!("LOGIN alice@example.test \"{PASSWORD}\""));
    client.imap_ok("SELECT INBOX");
    let mut found: BTreeMap<u64, u32> = BTreeMap::new();
    let mut flagged = BTreeSet::new();
    let lines = client.imap_ok("UID FETCH 1:* (UID FLAGS BODY.PEEK[])");
    for line in lines.iter().filter(|line| line.contains(" FETCH (")) {
        let uid: u32 = between(line, "UID ", &[' ', ')']).parse().expect("a UID");
        let number: u64 = between(line, "Subject: message ", &['\r'])
            .parse()
            .expect("a number");
        let mail = String::from_utf8(numbered(number, size(number))).expect("mails are ASCII");
        assert!(line.contains(&mail), "message {number} is not whole");
        let before = found.insert(number, uid);
        assert!(
            before.is_none(),
            "message {number} is there twice: {before:?} and {uid}"
        );
        if between(line, "FLAGS (", &[')']).contains("\\Flagged") {
            flagged.insert(uid);
        }
    }
    let mails = promises.mails.lock().expect("no panic holds it");
    let lost: Vec<&u64> = mails
        .iter()
        .filter(|number| !found.contains_key(number))
        .collect();
    assert!(lost.is_empty(), "answered 250 and not there: {lost:?}");
    let kept = promises.flagged.lock().expect("no panic holds it");
    let lost: Vec<&u32> = kept.difference(&flagged).collect();
    assert!(lost.is_empty(), "answered OK and not flagged: {lost:?}");
    assert!(
        !kept.is_empty() && mails.len() as u64 >= rounds,
        "the load was one"
    );
}

/// What stands between `start` and the first of `ends`.
fn between<'l>(line: &'l str, start: &str, ends: &[char]) -> &'l str {
    let at = line
        .find(start)
        .unwrap_or_else(|| panic!("no {start:?} in {line:?}"));
    let rest = &line[at + start.len()..];
    &rest[..rest.find(ends).unwrap_or(rest.len())]
}
