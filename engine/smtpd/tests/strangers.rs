//! Strangers: XCLIENT and PROXY, counts and bans, early talkers, traps, and what is kept of a session that failed.

mod server;

use ringpost_api::network::Trap;
use ringpost_api::read;
use ringpost_smtpd::Policy;
use ringpost_types::limit::Limits;
use ringpost_types::{Cidr, TraceId};
use server::{Client, Server, Wanted};

/// Refusals are counted, and nobody waits for the answer.
fn impatient() -> Limits {
    Limits {
        smtp_tarpit_ms_max: 1,
        admission_slow_ms_max: 1,
        ..Limits::default()
    }
}

fn counted(limits: Limits) -> Wanted {
    Wanted {
        limits,
        policy: Policy {
            xclient: vec!["127.0.0.1".parse().expect("a network")],
            ..Policy::default()
        },
        counted: true,
        ..Wanted::default()
    }
}

/// The id behind `(trace `.
fn trace(reply: &str) -> TraceId {
    let (_, rest) = reply.split_once("(trace ").expect("a trace");
    TraceId::parse(&rest[..16]).expect("16 digits")
}

#[test]
fn a_proxy_speaks_for_its_client() {
    let server = Server::of(counted(Limits::default()));
    let mut client = Client::connect(server.mx);
    let offer = client.say("EHLO proxy.example.net");
    assert!(offer.contains("XCLIENT NAME ADDR"), "{offer}");
    client.talk(&[
        ("XCLIENT ADDR=203.0.113.9 NAME=client.example.net", "220 "),
        ("EHLO client.example.net", "250-"),
        ("MAIL FROM:<s@example.net>", "250 2.1.0"),
        ("XCLIENT ADDR=203.0.113.9", "503 5.5.1"),
        ("RCPT TO:<alice@example.org>", "250 2.1.5"),
        ("DATA", "354"),
        ("\r\n.", "250 2.0.0"),
    ]);
    let text = server.inbox(server.alice, 1)[0].octets.clone();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(
        text.starts_with("Received: from client.example.net ([203.0.113.9])\r\n"),
        "{text}"
    );
    // Only who is listed may, and nobody becomes somebody who is not there.
    client.talk(&[("XCLIENT LOGIN=nobody@example.org", "550 5.7.1")]);
    assert!(client.is_closed());
    let other = Server::start(Limits::default());
    let mut client = Client::connect(other.mx);
    client.talk(&[
        ("EHLO c", "250-"),
        ("XCLIENT ADDR=203.0.113.9", "550 5.7.0"),
    ]);
}

/// A user whom the proxy has let in sends as himself alone.
#[test]
fn a_proxy_logs_somebody_in() {
    let server = Server::of(counted(Limits::default()));
    let mut client = Client::tls(server.submissions);
    client.talk(&[
        ("EHLO proxy.example.net", "250-"),
        ("XCLIENT ADDR=203.0.113.9 LOGIN=alice@example.org", "220 "),
        ("EHLO c", "250-"),
        ("MAIL FROM:<bob@example.org>", "553 5.7.1"),
        ("MAIL FROM:<alice@example.org>", "250 2.1.0"),
    ]);
}

#[test]
fn a_guesser_is_banned() {
    let server = Server::of(counted(Limits {
        admission_address_errors_per_hour: 3,
        ..impatient()
    }));
    let speak = |ip: &str| {
        let mut client = Client::connect(server.mx);
        client.send("EHLO c\r\n");
        client.reply();
        let greeting = client.say(&format!("XCLIENT ADDR={ip}"));
        (client, greeting)
    };
    let (mut client, greeting) = speak("203.0.113.9");
    assert!(greeting.starts_with("220 "), "{greeting}");
    client.talk(&[
        ("EHLO c", "250-"),
        ("MAIL FROM:<s@example.net>", "250"),
        ("RCPT TO:<a@example.org>", "550 5.1.1"),
        ("RCPT TO:<b@example.org>", "550 5.1.1"),
        ("RCPT TO:<c@example.org>", "550 5.1.1"),
    ]);
    assert!(client.reply().starts_with("421 4.7.0 Too many errors"));
    assert!(client.is_closed());
    let (_, greeting) = speak("203.0.113.9");
    assert!(
        greeting.starts_with("421 4.7.1 Your address is banned"),
        "{greeting}"
    );
    let (_, greeting) = speak("198.51.100.9");
    assert!(greeting.starts_with("220 "), "{greeting}");
}

#[test]
fn mails_and_recipients_are_counted() {
    let server = Server::of(counted(Limits {
        admission_address_messages_per_minute: 2,
        admission_address_recipients_per_minute: 3,
        ..impatient()
    }));
    let mut client = Client::connect(server.mx);
    client.talk(&[
        ("EHLO c", "250-"),
        ("XCLIENT ADDR=203.0.113.9", "220 "),
        ("EHLO c", "250-"),
        ("MAIL FROM:<s@example.net>", "250"),
        ("RCPT TO:<alice@example.org>", "250"),
        ("RCPT TO:<bob@example.org>", "250"),
        ("RCPT TO:<both@example.org>", "250"),
        (
            "RCPT TO:<alice+x@example.org>",
            "450 4.7.0 Too many recipients",
        ),
        ("RSET", "250"),
        ("MAIL FROM:<s@example.net>", "250"),
        ("RSET", "250"),
        ("MAIL FROM:<s@example.net>", "450 4.7.0 Too many messages"),
    ]);
}

/// RFC 5321 §4.3.1: a client waits for the greeting. A bot does not.
#[test]
fn early_talkers_are_sent_away() {
    let delayed = |greeting_delay_ms| {
        let mut wanted = counted(Limits::default());
        wanted.proxied = true;
        wanted.policy.greeting_delay_ms = greeting_delay_ms;
        Server::of(wanted)
    };
    // Nobody waits so long here: what comes is what ends the wait.
    let server = delayed(600_000);
    let mut client = Client::proxied(server.mx, "203.0.113.9");
    client.send("EHLO c\r\n");
    let reply = client.reply();
    assert!(
        reply.starts_with("554 5.5.1 Spoke before the greeting"),
        "{reply}"
    );
    assert!(client.is_closed());
    let kept =
        server.found(|snapshot| read::transcript(snapshot, trace(&reply)).expect("readable"));
    assert!(kept.1.contains("spoke before the greeting"), "{}", kept.1);
    // A user and loopback do not wait.
    let mut client = Client::proxied(server.submission, "203.0.113.9");
    assert!(client.reply().starts_with("220 "));
    let mut client = Client::proxied(server.mx, "127.0.0.1");
    assert!(client.reply().starts_with("220 "));
    // Whoever waits is greeted.
    let server = delayed(1);
    let mut client = Client::proxied(server.mx, "203.0.113.9");
    assert!(client.reply().starts_with("220 "));
}

#[test]
fn traps_remember_networks() {
    for (policy, to, kind) in [
        (Policy::default(), "trap@example.org", Trap::Address),
        (
            Policy {
                defer: true,
                ..Policy::default()
            },
            "alice@example.org",
            Trap::Defer,
        ),
    ] {
        let mut wanted = counted(impatient());
        wanted.policy.defer = policy.defer;
        let server = Server::of(wanted);
        for _ in 0..2 {
            let mut client = Client::connect(server.mx);
            client.talk(&[
                ("EHLO c", "250-"),
                ("XCLIENT ADDR=203.0.113.9", "220 "),
                ("EHLO c", "250-"),
                ("MAIL FROM:<s@example.net>", "250"),
            ]);
            let expected = match kind {
                Trap::Address => "550 5.1.1 No such user here",
                Trap::Defer => "451 4.7.1",
            };
            // However often it is tried, a session counts once.
            for _ in 0..3 {
                let got = client.say(&format!("RCPT TO:<{to}>"));
                assert!(got.starts_with(expected), "{got}");
            }
        }
        let network: Cidr = "203.0.113.0/24".parse().expect("a network");
        let row = server.found(|snapshot| {
            let row = read::reputation(snapshot, kind, network).expect("readable");
            row.filter(|row| row.hits >= 2)
        });
        assert_eq!(row.hits, 2);
    }
}

/// Kept are sessions that were refused or failed, and only those, up to the limit.
#[test]
fn transcripts_up_to_the_limit() {
    let server = Server::start(Limits {
        smtp_transcripts_per_minute: 1,
        ..Limits::default()
    });
    let session = |recipient: &str| {
        let mut client = Client::connect(server.mx);
        client.talk(&[("EHLO c", "250-"), ("MAIL FROM:<>", "250")]);
        let reply = client.say(&format!("RCPT TO:<{recipient}>"));
        client.talk(&[("QUIT", "221")]);
        assert!(client.is_closed());
        reply
    };
    assert!(session("alice@example.org").starts_with("250"));
    let first = session("nobody@example.org");
    let (_, text) =
        server.found(|snapshot| read::transcript(snapshot, trace(&first)).expect("readable"));
    assert!(text.contains("RCPT TO:<nobody@example.org>"), "{text}");
    assert!(text.contains("550 5.1.1 No such user here"), "{text}");
    let second = session("nobody@example.org");
    let looked = server.found(|snapshot| {
        let kept = read::transcript(snapshot, trace(&second)).expect("readable");
        Some(kept.is_some())
    });
    // Two minutes may have met here; then both are kept.
    assert!(!looked || trace(&second).unix() / 60 > trace(&first).unix() / 60);
}
