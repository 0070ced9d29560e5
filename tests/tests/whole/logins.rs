//! Every mechanism that is offered, over IMAP and submission alike: what goes well, and what goes wrong in each way that it can.
//!
//! What a client computes is written here by the RFCs, not by the code that is tested.

use aws_lc_rs::{digest, hmac, pbkdf2};
use data_encoding::BASE64;
use ringpost_tests::client::Client;
use ringpost_tests::server::{DOMAIN, Listen, PASSWORD, Server};
use std::num::NonZeroU32;

const LISTENERS: &[Listen] = &[
    Listen {
        protocol: "submission",
        tls: "implicit",
        bind: "127.0.0.1:0",
    },
    Listen {
        protocol: "imap",
        tls: "implicit",
        bind: "127.0.0.1:0",
    },
];

/// Failures cost no time, and end no session.
const MORE: &str = "[limits]\nlogin_failure_ms = 1\nadmission_account_login_failures_per_hour = 100000\n\
                    smtp_login_failures_max = 100\nimap_login_failures_max = 100\nimap_errors_max = 100\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Imap,
    Smtp,
}

const PROTOCOLS: [Protocol; 2] = [Protocol::Imap, Protocol::Smtp];

/// How a login may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    In,
    Refused,
    Cancelled,
    /// Not base64.
    Broken,
}

impl Protocol {
    /// How the answer begins.
    fn answer(self, end: End) -> &'static str {
        match (self, end) {
            (Protocol::Smtp, End::In) => "235 2.7.0 ",
            (Protocol::Smtp, End::Refused) => "535 5.7.8 ",
            (Protocol::Smtp, End::Cancelled) => "501 5.7.0 ",
            (Protocol::Smtp, End::Broken) => "501 5.5.2 ",
            (Protocol::Imap, End::In) => "t OK [CAPABILITY ",
            (Protocol::Imap, End::Refused) => "t NO [AUTHENTICATIONFAILED] ",
            (Protocol::Imap, End::Cancelled | End::Broken) => "t BAD ",
        }
    }
}

/// A session before its login.
struct Session {
    protocol: Protocol,
    client: Client,
    /// `tls-exporter`.
    exporter: [u8; 32],
    mechanisms: Vec<String>,
}

/// What the server says: a challenge, decoded, or the end.
type Said = Result<Vec<u8>, String>;

impl Session {
    fn begin(server: &Server, protocol: Protocol) -> Session {
        let name = match protocol {
            Protocol::Imap => "imap",
            Protocol::Smtp => "submission",
        };
        let (mut client, exporter) = Client::connect_bound(server.address(name, "implicit"));
        let offered = match protocol {
            Protocol::Imap => {
                let greeting = client.line();
                let names = greeting.split([' ', ']']);
                let names = names.filter_map(|name| name.strip_prefix("AUTH="));
                names.map(str::to_owned).collect()
            }
            Protocol::Smtp => {
                client.reply();
                let told = client.expect("EHLO c", 250);
                let line = told
                    .lines()
                    .find_map(|line| line.get(4..)?.strip_prefix("AUTH "));
                let names = line.expect("AUTH is offered").split(' ');
                names.map(str::to_owned).collect()
            }
        };
        Session {
            protocol,
            client,
            exporter,
            mechanisms: offered,
        }
    }

    fn open(&mut self, mechanism: &str, initial: Option<&str>) -> Said {
        let initial = initial.map_or(String::new(), |initial| format!(" {initial}"));
        self.client.send(match self.protocol {
            Protocol::Imap => format!("t AUTHENTICATE {mechanism}{initial}\r\n"),
            Protocol::Smtp => format!("AUTH {mechanism}{initial}\r\n"),
        });
        self.said()
    }

    fn respond(&mut self, line: &str) -> Said {
        self.client.send(format!("{line}\r\n"));
        self.said()
    }

    fn said(&mut self) -> Said {
        let line = self.client.line();
        let challenge = match self.protocol {
            Protocol::Imap => line.strip_prefix("+ "),
            Protocol::Smtp => line.strip_prefix("334 "),
        };
        match challenge {
            Some(text) => Ok(BASE64.decode(text.as_bytes()).expect("base64")),
            None => Err(line),
        }
    }

    /// The whole of it; how it ends.
    fn log_in(&mut self, mechanism: &str, who: &Who<'_>, with_initial: bool) -> String {
        let mut dance = Dance::new(mechanism, who, self.exporter);
        let mut said = match with_initial {
            true => {
                let first = BASE64.encode(&dance.respond(None));
                self.open(mechanism, Some(&first))
            }
            false => {
                let said = self.open(mechanism, None);
                if mechanism == "LOGIN" {
                    assert_eq!(said, Ok(b"Username:".to_vec()));
                } else {
                    assert_eq!(said, Ok(Vec::new()), "{mechanism}");
                }
                let first = BASE64.encode(&dance.respond(None));
                self.respond(&first)
            }
        };
        loop {
            match said {
                Ok(challenge) => {
                    let response = BASE64.encode(&dance.respond(Some(&challenge)));
                    said = self.respond(&response);
                }
                Err(end) => return end,
            }
        }
    }

    fn ends(&self, end: &str, expected: End, what: &str) {
        let answer = self.protocol.answer(expected);
        assert!(end.starts_with(answer), "{:?} {what}: {end}", self.protocol);
    }
}

/// Who logs in.
struct Who<'w> {
    name: &'w str,
    password: &'w str,
}

/// The client's side of an exchange.
struct Dance<'w> {
    mechanism: &'w str,
    who: &'w Who<'w>,
    /// The gs2 header of SCRAM, and what it binds to.
    header: &'static str,
    bound: Vec<u8>,
    steps: usize,
    /// What the server must sign with at the end.
    signature: Option<String>,
}

impl<'w> Dance<'w> {
    fn new(mechanism: &'w str, who: &'w Who<'w>, exporter: [u8; 32]) -> Self {
        let (header, bound) = match mechanism {
            "SCRAM-SHA-256-PLUS" => ("p=tls-exporter,,", exporter.to_vec()),
            _ => ("n,,", Vec::new()),
        };
        Dance {
            mechanism,
            who,
            header,
            bound,
            steps: 0,
            signature: None,
        }
    }

    fn respond(&mut self, challenge: Option<&[u8]>) -> Vec<u8> {
        self.steps += 1;
        let Who { name, password } = *self.who;
        match (self.mechanism, self.steps) {
            ("PLAIN", 1) => format!("\0{name}\0{password}").into(),
            ("LOGIN", 1) => name.into(),
            ("LOGIN", 2) => {
                assert_eq!(challenge, Some(&b"Password:"[..]));
                password.into()
            }
            ("SCRAM-SHA-256" | "SCRAM-SHA-256-PLUS", 1) => {
                format!("{}{}", self.header, self.bare()).into()
            }
            ("SCRAM-SHA-256" | "SCRAM-SHA-256-PLUS", 2) => {
                let first = String::from_utf8(challenge.expect("a challenge").to_vec());
                self.proof(&first.expect("ASCII")).into()
            }
            ("SCRAM-SHA-256" | "SCRAM-SHA-256-PLUS", 3) => {
                let signature = self.signature.take().expect("it comes behind the proof");
                assert_eq!(
                    challenge,
                    Some(signature.as_bytes()),
                    "the server knows it too"
                );
                Vec::new()
            }
            other => panic!("{other:?} has no such step: a mechanism that no test knows?"),
        }
    }

    fn bare(&self) -> String {
        format!("n={},r=fyko+d2lbbFgONRv9qkxdawL", self.who.name)
    }

    /// RFC 5802 §3.
    fn proof(&mut self, first: &str) -> String {
        let field = |name: char| {
            let mut fields = first.split(',');
            let found = fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
            found.expect("the server's first message")
        };
        let sign = |key: &[u8], text: &[u8]| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key);
            hmac::sign(&key, text).as_ref().to_vec()
        };
        let salt = BASE64.decode(field('s').as_bytes()).expect("base64");
        let rounds: NonZeroU32 = field('i').parse().expect("a number");
        let (mut salted, password) = ([0; 32], self.who.password.as_bytes());
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::derive(algorithm, rounds, &salt, password, &mut salted);
        let bound = [self.header.as_bytes(), &self.bound].concat();
        let unproved = format!("c={},r={}", BASE64.encode(&bound), field('r'));
        let message = format!("{},{first},{unproved}", self.bare());
        let client_key = sign(&salted, b"Client Key");
        let stored = digest::digest(&digest::SHA256, &client_key);
        let signature = sign(stored.as_ref(), message.as_bytes());
        let proof: Vec<u8> = client_key
            .iter()
            .zip(signature)
            .map(|(a, b)| a ^ b)
            .collect();
        let server = sign(&sign(&salted, b"Server Key"), message.as_bytes());
        self.signature = Some(format!("v={}", BASE64.encode(&server)));
        format!("{unproved},p={}", BASE64.encode(&proof))
    }
}

fn serving() -> Server {
    serving_with("")
}

/// With more `[limits]`.
fn serving_with(limits: &str) -> Server {
    let mut server = Server::prepare(LISTENERS, &["alice"], &format!("{MORE}{limits}"));
    server.serve();
    server
}

#[test]
fn every_mechanism_in_every_way() {
    let server = serving();
    let alice = format!("alice@{DOMAIN}");
    let good = Who {
        name: &alice,
        password: PASSWORD,
    };
    let nobody = format!("nobody@{DOMAIN}");
    let bad = [
        (&*alice, "wrong"),
        (&*nobody, PASSWORD),
        ("no address", PASSWORD),
    ];
    for protocol in PROTOCOLS {
        let mechanisms = Session::begin(&server, protocol).mechanisms;
        let expected = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"];
        assert_eq!(mechanisms, expected, "{protocol:?}");
        for mechanism in expected {
            for with_initial in [true, false] {
                // All that goes wrong goes wrong in one session, which must let its user in after all.
                let mut session = Session::begin(&server, protocol);
                for (name, password) in bad {
                    let who = Who { name, password };
                    let end = session.log_in(mechanism, &who, with_initial);
                    session.ends(&end, End::Refused, &format!("{mechanism} {name}"));
                }
                let end = session
                    .open(mechanism, Some("AA==AA=="))
                    .expect_err("no base64");
                session.ends(&end, End::Broken, mechanism);
                for (line, expected) in [
                    ("*", End::Cancelled),
                    ("YQ", End::Broken),
                    ("=?=", End::Broken),
                    ("YQ==YQ==", End::Broken),
                    (" YWE=", End::Broken),
                ] {
                    session.open(mechanism, None).expect("a challenge");
                    let end = session.respond(line).expect_err(line);
                    session.ends(&end, expected, &format!("{mechanism} {line:?}"));
                    // Later in the exchange, where there is a later.
                    let first = BASE64.encode(&Dance::new(mechanism, &good, [0; 32]).respond(None));
                    if mechanism != "PLAIN" && session.open(mechanism, Some(&first)).is_ok() {
                        let end = session.respond(line).expect_err(line);
                        session.ends(&end, expected, &format!("{mechanism} {line:?} later"));
                    }
                }
                let end = session.log_in(mechanism, &good, with_initial);
                session.ends(&end, End::In, mechanism);
                let again = session.open(mechanism, None).expect_err("it is logged in");
                let refused = ["503 5.5.1 ", "t BAD "];
                assert!(refused.iter().any(|no| again.starts_with(no)), "{again}");
            }
        }
    }
}

/// What an exchange is bound to is this connection, and who is told that there is nothing to bind to is told wrong.
#[test]
fn somebody_between() {
    let server = serving();
    let alice = format!("alice@{DOMAIN}");
    let who = Who {
        name: &alice,
        password: PASSWORD,
    };
    for protocol in PROTOCOLS {
        // A proof made for another channel, by whoever passes it on.
        let mut session = Session::begin(&server, protocol);
        session.exporter = Session::begin(&server, protocol).exporter;
        let end = session.log_in("SCRAM-SHA-256-PLUS", &who, true);
        session.ends(&end, End::Refused, "another channel");
        assert!(end.contains("channel binding"), "{end}");
        // A client that can bind and has been shown no -PLUS.
        let first = BASE64.encode(format!("y,,n={alice},r=abc").as_bytes());
        let end = session.open("SCRAM-SHA-256", Some(&first));
        session.ends(&end.expect_err("refused"), End::Refused, "no -PLUS seen");
    }
}

/// A password that is changed or taken away is over at once, wherever it was remembered.
#[test]
fn passwords_end_at_once() {
    let server = serving();
    let alice = format!("alice@{DOMAIN}");
    let shown = server.command(
        &["account", "app-password", "add", &alice, "--name", "phone"],
        "",
    );
    let app = shown.lines().next().expect("the password first").to_owned();
    let tries = |password: &str, expected: End| {
        for protocol in PROTOCOLS {
            // More often than there are shards, so that each has it in mind.
            for mechanism in ["PLAIN", "LOGIN", "PLAIN", "LOGIN"] {
                let mut session = Session::begin(&server, protocol);
                let who = Who {
                    name: &alice,
                    password,
                };
                let end = session.log_in(mechanism, &who, true);
                session.ends(&end, expected, &format!("{mechanism} {password:?}"));
            }
        }
    };
    tries(PASSWORD, End::In);
    tries(&app, End::In);
    server.command(
        &["account", "passwd", &alice, "--password-stdin"],
        "another horse",
    );
    tries(PASSWORD, End::Refused);
    tries("another horse", End::In);
    tries(&app, End::In);
    server.command(
        &[
            "account",
            "app-password",
            "remove",
            &alice,
            "--name",
            "phone",
        ],
        "",
    );
    tries(&app, End::Refused);
    let list = server.command(&["account", "app-password", "list", &alice], "");
    assert!(!list.contains("phone"), "{list}");
    // What is open ends with the account's right to send; what comes in for it comes in.
    let mut session = Session::begin(&server, Protocol::Smtp);
    let who = Who {
        name: &alice,
        password: "another horse",
    };
    let end = session.log_in("PLAIN", &who, true);
    session.ends(&end, End::In, "before it is disabled");
    let mut reader = Session::begin(&server, Protocol::Imap);
    let end = reader.log_in("PLAIN", &who, true);
    reader.ends(&end, End::In, "before it is disabled");
    reader.client.imap_ok("SELECT INBOX");
    server.command(&["account", "disable", &alice], "");
    reader.client.send("t FETCH 1:* ALL\r\n");
    let told = reader.client.line();
    assert_eq!(told, "* BYE The account is disabled.");
    tries("another horse", End::Refused);
    for from in [&*alice, ""] {
        let mail = format!("MAIL FROM:<{from}>");
        session.client.expect(&mail, 525);
    }
    let list = server.command(&["account", "list"], "");
    assert!(list.trim_end().ends_with("disabled"), "{list}");
    server.command(&["account", "enable", &alice], "");
    tries("another horse", End::In);
    session.client.expect("MAIL FROM:<>", 250);
    session.client.expect("RSET", 250);
    server.command(&["account", "remove", &alice], "");
    tries("another horse", End::Refused);
    session.client.expect("MAIL FROM:<>", 525);
}

/// Sessions of one account count together, whatever they speak; where there are too many of them, the last one waits.
#[test]
fn sessions_of_one_account_are_counted() {
    let server = serving_with("admission_account_connections_max = 2\n");
    let who = Who {
        name: &format!("alice@{DOMAIN}"),
        password: PASSWORD,
    };
    let enter = |protocol| {
        let mut session = Session::begin(&server, protocol);
        let end = session.log_in("PLAIN", &who, true);
        (session, end)
    };
    let (first, end) = enter(Protocol::Imap);
    first.ends(&end, End::In, "the first");
    let (second, end) = enter(Protocol::Smtp);
    second.ends(&end, End::In, "the second");
    let (mut third, end) = enter(Protocol::Imap);
    assert!(end.starts_with("t NO [LIMIT] "), "{end}");
    let (_, end) = enter(Protocol::Smtp);
    assert!(end.starts_with("454 4.7.0 "), "{end}");
    drop(first);
    // The same session, as soon as the other one's end has come through.
    while !third.log_in("PLAIN", &who, true).starts_with("t OK ") {
        std::thread::yield_now();
    }
}
