//! Who comes in: bans, bounds, the PROXY header, and who gives way when memory is short; as peers of a whole server see it.
//!
//! Loopback is never counted, so peers come from elsewhere by a PROXY header: 127.0.0.1 is a listed proxy here.

use data_encoding::BASE64;
use ringpost_tests::client::Client;
use ringpost_tests::server::{Listen, PASSWORD, Server};
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const LISTENERS: &[Listen] = &[
    Listen {
        protocol: "smtp",
        tls: "starttls",
        bind: "127.0.0.1:0",
    },
    Listen {
        protocol: "submission",
        tls: "implicit",
        bind: "127.0.0.1:0",
    },
    Listen {
        protocol: "imap",
        tls: "none",
        bind: "127.0.0.1:0",
    },
    Listen {
        protocol: "imap",
        tls: "implicit",
        bind: "127.0.0.1:0",
    },
];

/// A server whose every listener takes PROXY headers from this machine.
fn server(more: &str) -> Server {
    let mut server = Server::prepare(LISTENERS, &["alice"], more);
    let text = std::fs::read_to_string(server.config()).expect("a configuration");
    let listed = text.replace("bind = ", "proxy = [\"127.0.0.0/8\"]\nbind = ");
    std::fs::write(server.config(), listed).expect("written");
    server.serve();
    server
}

/// A header, version 1.
fn line(ip: &str) -> Vec<u8> {
    let (family, ours) = match ip.contains(':') {
        true => ("TCP6", "2001:db8::1"),
        false => ("TCP4", "198.51.100.1"),
    };
    format!("PROXY {family} {ip} {ours} 4000 25\r\n").into_bytes()
}

/// The same, version 2, with a field behind the addresses.
fn binary(ip: [u8; 4]) -> Vec<u8> {
    let mut octets = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0f".to_vec();
    octets.extend(ip);
    octets.extend([198, 51, 100, 1, 0x0f, 0xa0, 0, 25, 4, 0, 0]);
    octets
}

fn connect(address: SocketAddr, header: &[u8]) -> Client {
    let mut client = Client::connect(address);
    client.send(header);
    client
}

/// A peer from `ip` at the MX.
fn smtp(server: &Server, ip: &str) -> Client {
    connect(server.address("smtp", "starttls"), &line(ip))
}

/// The first word to a peer from `ip`; it leaves then.
fn greeting(server: &Server, ip: &str) -> (u16, String) {
    let mut client = smtp(server, ip);
    let reply = client.reply();
    if reply.0 == 220 {
        client.expect("QUIT", 221);
    } else {
        assert!(client.is_closed());
    }
    reply
}

/// Asks until `done`; the server's control plane looks once a second.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::yield_now();
    }
}

fn deliver(client: &mut Client, subject: &str) {
    client.expect("MAIL FROM:<a@example.org>", 250);
    client.expect("RCPT TO:<alice@example.test>", 250);
    client.expect("DATA", 354);
    client.expect(&format!("Subject: {subject}\r\n\r\nText\r\n."), 250);
}

/// Waits until there are `count` mails of `subject`: what was answered is in the log, and soon in the index.
fn arrive(server: &Server, subject: &str, count: usize) {
    until(subject, || {
        let found = found(server, subject);
        assert!(found <= count, "{subject}: {found} of {count}");
        found == count
    });
}

/// How many mails of `subject` there are.
fn found(server: &Server, subject: &str) -> usize {
    let mut imap = connect(server.address("imap", "none"), &line("203.0.113.250"));
    imap.line();
    imap.imap_ok(&format!("LOGIN alice@example.test \"{PASSWORD}\""));
    imap.imap_ok("SELECT INBOX");
    let lines = imap.imap_ok(&format!("SEARCH HEADER Subject \"{subject}\""));
    lines[0].split_ascii_whitespace().skip(2).count()
}

#[test]
fn a_ban_by_hand_is_in_force_at_once_and_after_a_restart() {
    let mut server = server("");
    assert_eq!(greeting(&server, "192.0.2.9").0, 220);
    server.command(
        &["ban", "add", "192.0.2.0/24", "--reason", "enough of it"],
        "",
    );
    server.command(&["ban", "add", "2001:db8::/64", "--for", "1d"], "");
    for restarted in [false, true] {
        let (code, text) = greeting(&server, "192.0.2.9");
        assert_eq!(code, 554, "for ever, after a restart {restarted}: {text}");
        assert!(text.contains("5.7.1 Your address is banned"), "{text}");
        assert_eq!(greeting(&server, "2001:db8::77").0, 421, "for a time");
        assert_eq!(greeting(&server, "192.0.3.9").0, 220, "a neighbour");
        let mut imap = connect(server.address("imap", "none"), &line("192.0.2.10"));
        assert!(imap.line().starts_with("* BYE Your address is banned"));
        let list = server.command(&["ban", "list"], "");
        assert!(
            list.contains("192.0.2.0/24") && list.contains("enough of it"),
            "{list}"
        );
        assert!(list.contains("2001:db8::/64"), "{list}");
        if !restarted {
            server.kill();
            server.serve();
        }
    }
    server.command(&["ban", "remove", "192.0.2.0/24"], "");
    assert_eq!(greeting(&server, "192.0.2.9").0, 220);
    assert_eq!(greeting(&server, "2001:db8::77").0, 421);
    server.command(&["ban", "remove", "2001:db8::/64"], "");
    // One that is over by itself.
    server.command(&["ban", "add", "192.0.2.9", "--for", "1s"], "");
    until("the ban ends", || greeting(&server, "192.0.2.9").0 == 220);
    assert!(!server.command(&["ban", "list"], "").contains("192.0.2"));
    server.kill();
    server.serve();
    assert_eq!(greeting(&server, "192.0.2.9").0, 220, "removed for good");
}

#[test]
fn guessers_are_banned_and_their_neighbours_are_not() {
    let more = "[limits]\nlogin_failure_ms = 1\nadmission_slow_ms_max = 1\n\
                admission_address_login_failures_per_hour = 4\nadmission_network_login_failures_per_hour = 9\n";
    let mut server = server(more);
    let guess = |server: &Server, ip: &str| {
        let mut client = connect(server.address("submission", "implicit"), &line(ip));
        client.start_tls();
        if client.try_reply().is_err() {
            return false;
        }
        client.expect("EHLO x", 250);
        let wrong = BASE64.encode(b"\0alice@example.test\0wrong");
        let (code, text) = client.smtp(&format!("AUTH PLAIN {wrong}"));
        assert!([535, 421, 454].contains(&code), "{text}");
        true
    };
    let listed = |server: &Server, network: &str| {
        let list = server.command(&["ban", "list"], "");
        list.lines().any(|line| line.starts_with(network))
    };
    for _ in 0..4 {
        assert!(guess(&server, "192.0.2.9"), "not yet banned");
    }
    until("it is written down", || listed(&server, "192.0.2.9/32"));
    assert!(!listed(&server, "192.0.2.0/24"));
    assert_eq!(greeting(&server, "192.0.2.9").0, 421);
    assert_eq!(greeting(&server, "192.0.2.10").0, 220, "a neighbour");
    // The network's own bound, reached by several.
    for last in 10..16 {
        guess(&server, &format!("192.0.2.{last}"));
    }
    until("the network, too", || listed(&server, "192.0.2.0/24"));
    assert_eq!(greeting(&server, "192.0.2.200").0, 421);
    assert_eq!(greeting(&server, "192.0.3.9").0, 220);
    // Whoever knows the password is let in from elsewhere.
    assert_eq!(found(&server, "nothing"), 0);
    // It was written down.
    server.wait_for_line(|line| line.contains("banned 192.0.2.0/24"));
    server.stop();
    server.serve();
    assert!(listed(&server, "192.0.2.0/24"));
    assert_eq!(greeting(&server, "192.0.2.200").0, 421);
}

#[test]
fn connections_are_bounded_by_address_and_by_network() {
    let more =
        "[limits]\nadmission_address_connections_max = 2\nadmission_network_connections_max = 3\n";
    let server = server(more);
    let come = |ip: &str| {
        let mut client = smtp(&server, ip);
        let (code, text) = client.reply();
        (code, text, client)
    };
    let held: Vec<_> = (0..2).map(|_| come("192.0.2.1")).collect();
    assert!(held.iter().all(|(code, ..)| *code == 220));
    let (code, text, _) = come("192.0.2.1");
    assert_eq!(code, 421, "{text}");
    assert!(
        text.contains("4.7.0 Too many connections from your address"),
        "{text}"
    );
    let other = come("192.0.2.2");
    assert_eq!(other.0, 220, "another address, {}", other.1);
    let (code, text, _) = come("192.0.2.3");
    assert_eq!(code, 421);
    assert!(text.contains("from your network"), "{text}");
    let elsewhere = come("192.0.3.1");
    assert_eq!(elsewhere.0, 220, "another network");
    // Nobody is kept out for longer than the others stay; in IPv6 a /64 is one network.
    drop((held, other));
    until("there is room again", || come("192.0.2.1").0 == 220);
    let held: Vec<_> = (1..=3).map(|n| come(&format!("2001:db8::{n}"))).collect();
    assert!(held.iter().any(|(code, ..)| *code == 220));
    assert_eq!(come("2001:db8::4").0, 421);
    assert_eq!(come("2001:db8:0:1::4").0, 220);
}

#[test]
fn a_proxy_says_for_whom_it_comes_everywhere() {
    let server = server("");
    for (number, header) in [line("203.0.113.9"), binary([203, 0, 113, 9])]
        .into_iter()
        .enumerate()
    {
        // In clear, and after STARTTLS.
        for tls in [false, true] {
            let mut client = connect(server.address("smtp", "starttls"), &header);
            client.reply();
            client.expect("EHLO x", 250);
            if tls {
                client.expect("STARTTLS", 220);
                client.start_tls();
                client.expect("EHLO x", 250);
            }
            deliver(&mut client, &format!("proxied {number}"));
        }
        // Before TLS begins, in SMTP and IMAP; and before IMAP in clear.
        let mut client = connect(server.address("submission", "implicit"), &header);
        client.start_tls();
        assert_eq!(client.reply().0, 220);
        for tls in ["implicit", "none"] {
            let mut client = connect(server.address("imap", tls), &header);
            if tls == "implicit" {
                client.start_tls();
            }
            assert!(client.line().starts_with("* OK"));
            client.imap_ok("NOOP");
        }
        arrive(&server, &format!("proxied {number}"), 2);
    }
    let mut imap = connect(server.address("imap", "none"), &line("203.0.113.1"));
    imap.line();
    imap.imap_ok(&format!("LOGIN alice@example.test \"{PASSWORD}\""));
    imap.imap_ok("SELECT INBOX");
    let all = imap.imap_ok("SEARCH HEADER Received \"[203.0.113.9]\"");
    assert_eq!(all[0].trim_end(), "* SEARCH 1 2 3 4");
    // A listed proxy that sends none, or nonsense, has nothing to say.
    for nonsense in [&b"EHLO x\r\n"[..], b"PROXY TCP4 1.2.3.4\r\n"] {
        let mut client = Client::connect(server.address("smtp", "starttls"));
        client.send(nonsense);
        assert!(client.is_closed());
    }
}

#[test]
fn from_a_stranger_a_header_is_a_bad_command() {
    let server = Server::start(LISTENERS, &["alice"]);
    let mut client = Client::connect(server.address("smtp", "starttls"));
    client.reply();
    let (code, text) = client.smtp("PROXY TCP4 203.0.113.9 198.51.100.1 4000 25");
    assert_eq!(code, 500, "{text}");
    client.expect("EHLO x", 250);
    let mut imap = Client::connect(server.address("imap", "none"));
    imap.line();
    imap.send("PROXY TCP4 203.0.113.9 198.51.100.1 4000 25\r\n");
    let answer = imap.line();
    assert!(answer.contains("BAD"), "{answer}");
}

/// `[limits] memory` of the test below, the mails that fill it, and how much of one goes at once.
const MEMORY: usize = 16 << 20;
const FILLERS: usize = 20;
const PIECE: usize = 200_000;
/// Less than `message_stream_octets`: it stays in memory until it ends.
const MAIL_MAX: usize = 1_000_000;

/// Mails of this machine, which is exempt at the door: they begin at once, grow in turn, and end at the end.
struct Fillers<'s> {
    server: &'s Server,
    mails: Vec<Client>,
    sent: usize,
}

impl<'s> Fillers<'s> {
    fn begin(server: &'s Server) -> Fillers<'s> {
        let begin = |_| {
            let mut client = connect(server.address("smtp", "starttls"), b"PROXY UNKNOWN\r\n");
            client.reply();
            client.expect("EHLO x", 250);
            client.expect("MAIL FROM:<a@example.org>", 250);
            client.expect("RCPT TO:<alice@example.test>", 250);
            client.expect("DATA", 354);
            client.send("Subject: filler\r\n\r\n");
            client
        };
        Fillers {
            server,
            mails: (0..FILLERS).map(begin).collect(),
            sent: 0,
        }
    }

    /// One piece more, and the server has taken it.
    fn feed(&mut self) {
        let each = MAIL_MAX / PIECE;
        let mail = self.sent / each;
        assert!(
            mail < FILLERS,
            "{} octets are not enough",
            self.sent * PIECE
        );
        let piece = "x".repeat(70) + "\r\n";
        self.mails[mail].send(piece.repeat(PIECE / piece.len()));
        self.sent += 1;
        settle(self.server);
    }

    /// Feeds until `reached`.
    fn feed_until(&mut self, mut reached: impl FnMut() -> bool) {
        while !reached() {
            self.feed();
        }
    }

    /// Ends all mails; how many were taken.
    fn end(self) -> usize {
        let mut taken = 0;
        for mut client in self.mails {
            let (code, text) = client.smtp(".");
            assert!(code == 250 || code == 452, "{text}");
            taken += usize::from(code == 250);
        }
        taken
    }
}

#[test]
fn who_gives_way_when_memory_is_short_has_an_order() {
    let more = format!("[runtime]\nshards = 1\n[limits]\nmemory = {MEMORY}\nadmission_crowd = 3\n");
    let server = server(&more);
    let begin = |ip: &str| {
        let mut client = smtp(&server, ip);
        assert_eq!(client.reply().0, 220);
        client.expect("EHLO x", 250);
        client
    };
    // A network with history: it sends a mail, begins another, and has a user who idles.
    let mut known = begin("203.0.113.1");
    deliver(&mut known, "before");
    let mut established = begin("203.0.113.1");
    established.expect("MAIL FROM:<a@example.org>", 250);
    established.expect("RCPT TO:<alice@example.test>", 250);
    established.expect("DATA", 354);
    established.send("Subject: established\r\n\r\n");
    let mut user = connect(server.address("imap", "none"), &line("203.0.114.1"));
    user.line();
    user.imap_ok(&format!("LOGIN alice@example.test \"{PASSWORD}\""));
    user.imap_ok("SELECT INBOX");
    user.send("t IDLE\r\n");
    while !user.line().starts_with('+') {}
    // A crowd of strangers that idles.
    let mut crowd: Vec<Client> = (0..3).map(|_| begin("198.51.100.1")).collect();
    let mut lurker = connect(server.address("imap", "none"), &line("192.0.2.77"));
    assert!(lurker.line().starts_with("* OK"));
    let mut fillers = Fillers::begin(&server);
    assert_eq!(greeting(&server, "198.51.100.1").0, 220, "all are welcome");
    let crowds = || greeting(&server, "198.51.100.1");
    let strangers = || greeting(&server, "192.0.2.1");
    let acquaintances = || greeting(&server, "203.0.113.2");
    let new_mail = || {
        let mut client = begin("203.0.113.2");
        let reply = client.smtp("MAIL FROM:<a@example.org>");
        client.expect("QUIT", 221);
        reply
    };

    // 70: crowds. Strangers are welcome.
    fillers.feed_until(|| crowds().0 == 421);
    assert!(crowds().1.contains("4.3.1 The server is short of memory"));
    assert_eq!(strangers().0, 220);

    // 80: strangers. Those with a history are welcome, and nobody is sent away.
    fillers.feed_until(|| strangers().0 == 421);
    assert_eq!(acquaintances().0, 220);

    // 85: who idles without login. Mails begin.
    (0..5).for_each(|_| fillers.feed());
    for idler in crowd.iter_mut().chain([&mut known]) {
        let (code, text) = idler.reply();
        assert_eq!(code, 421, "{text}");
    }
    let bye = lurker.line();
    assert!(bye.contains("BYE The server is short of memory"), "{bye}");
    assert_eq!(new_mail().0, 250);
    assert_eq!(acquaintances().0, 220);

    // 90: new mails. Whoever has a history may still come in.
    fillers.feed_until(|| new_mail().0 == 452);
    assert!(new_mail().1.contains("4.3.1"));
    assert_eq!(acquaintances().0, 220);

    // Never: the mail that is being taken, and the user who idles, who is told of it.
    established.expect("Text\r\n.", 250);
    assert!(user.line().contains("EXISTS"));

    // Over: what does not fit is refused, the rest is kept, and everybody is let in again.
    (0..8).for_each(|_| fillers.feed());
    let taken = fillers.end();
    assert!(taken >= FILLERS - 3, "established mails complete: {taken}");
    until("everybody is let in again", || {
        strangers().0 == 220 && crowds().0 == 220
    });
    let mut after = begin("192.0.2.1");
    deliver(&mut after, "after");
    server.wait_for_line(|line| line.contains("everybody is let in again"));
    user.send("DONE\r\n");
    user.imap_answer();
    for subject in ["before", "established", "after"] {
        arrive(&server, subject, 1);
    }
    // Of those answered 250 none is lost.
    arrive(&server, "filler", taken);
}

/// Waits until the server has read all that was sent to it: nothing is in the queues of its sockets.
fn settle(server: &Server) {
    let port = format!(":{:04X}", server.address("smtp", "starttls").port());
    // Columns: number, local and remote address, state, octets to be sent and to be read.
    let waits = |line: &str| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, local, remote, "01", queues, ..] = columns[..] else {
            return false;
        };
        let (to_send, to_read) = queues.split_once(':').unwrap_or_default();
        let waits = |queue: &str| queue.bytes().any(|digit| digit != b'0');
        (local.ends_with(&port) && waits(to_read)) || (remote.ends_with(&port) && waits(to_send))
    };
    until("the server reads", || {
        let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        !sockets.lines().any(waits)
    });
}

/// A refusal at the door takes no task: a hundred peers of a banned network cost nobody a greeting.
#[test]
fn many_that_are_banned_do_not_hinder_others() {
    let server = server("");
    server.command(&["ban", "add", "192.0.2.0/24"], "");
    let address = server.address("smtp", "starttls");
    let banned: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut socket = TcpStream::connect(address).expect("the server listens");
            socket.write_all(&line("192.0.2.7")).expect("a header");
            socket
        })
        .collect();
    let mut client = smtp(&server, "203.0.113.1");
    client.reply();
    client.expect("EHLO x", 250);
    deliver(&mut client, "beside them");
    drop(banned);
    arrive(&server, "beside them", 1);
}
