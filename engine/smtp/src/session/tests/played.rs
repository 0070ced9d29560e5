//! How a dialogue is written, and the service that answers it.
//!
//! `> line` goes to the server with CRLF, `>> octets` as written with `\r \n \0 \xHH` undone. What follows up to the next
//! `>` is what must come: `< line` of a reply, `= offer A|B` for the reply to EHLO with A and B beside what always is,
//! `* event` for the service.
//!
//! The service knows alice, bob, carol and postmaster at example.org, and tim with the password secret; it refuses the
//! sender banned@example.net, a client named bad.example, and, in LMTP, carol's mails when they have come. Its mechanism
//! STEPS asks `one` and `two` and takes the answer `two`. Its clock stands at 2026-11-24T04:00:00Z.

pub(super) use crate::session::*;
pub(super) use crate::{Recipient, reply};
pub(super) use ringpost_types::reply::Enhanced;

/// What listener and client are like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub role: Role,
    pub tls: Tls,
    pub queue: bool,
    pub xclient: bool,
    /// In TLS.
    pub mechanisms: &'static [&'static str],
    /// Without.
    pub clear: &'static [&'static str],
}

pub(super) const MX: Setting = Setting {
    role: Role::Mx,
    tls: Tls::Absent,
    queue: false,
    xclient: false,
    mechanisms: &[],
    clear: &[],
};
pub(super) const MX_STARTTLS: Setting = Setting {
    tls: Tls::Offered,
    ..MX
};
pub(super) const MX_QUEUE: Setting = Setting { queue: true, ..MX };
pub(super) const MX_PROXIED: Setting = Setting {
    xclient: true,
    ..MX
};
pub(super) const SUBMISSION: Setting = Setting {
    role: Role::Submission,
    tls: Tls::Required,
    mechanisms: &["PLAIN"],
    ..MX
};
pub(super) const SUBMISSION_TLS: Setting = Setting {
    tls: Tls::Active,
    ..SUBMISSION
};
pub(super) const SUBMISSION_QUEUE: Setting = Setting {
    queue: true,
    ..SUBMISSION_TLS
};
pub(super) const SUBMISSION_CLEAR: Setting = Setting {
    tls: Tls::Absent,
    ..SUBMISSION
};
pub(super) const LMTP: Setting = Setting {
    role: Role::Lmtp,
    ..MX
};

/// 2026-11-24T04:00:00Z.
pub(super) const NOW: u64 = 1_795_492_800_000;

/// What it shows, where, and what is said.
pub(super) type Dialogue = (&'static str, Setting, &'static str);

pub(super) fn limits() -> Limits {
    Limits {
        smtp_command_octets_max: 100,
        smtp_auth_octets_max: 122,
        smtp_recipients_max: 3,
        smtp_errors_max: 20,
        smtp_login_failures_max: 3,
        smtp_transactions_max: 3,
        smtp_idle_commands_max: 12,
        smtp_hold_seconds_max: 3_600,
        message_octets_max: 40,
        ..Limits::default()
    }
}

pub(super) fn options(setting: Setting, limits: Limits) -> Rc<Options> {
    Rc::new(Options {
        role: setting.role,
        hostname: "mx.example.org".into(),
        limits,
        queue: setting.queue,
        mechanisms: Mechanisms {
            clear: setting.clear.to_vec(),
            tls: setting.mechanisms.to_vec(),
        },
        xclient: setting.xclient,
    })
}

/// One turn: what the client sends, and what must come.
type Turn = (Vec<u8>, Vec<String>);

fn turns(script: &str) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for line in script.lines().map(str::trim_start) {
        let waits = |(_, expected): &Turn| !expected.is_empty();
        if line.starts_with('>') && turns.last().is_none_or(waits) {
            turns.push((Vec::new(), Vec::new()));
        }
        let (sent, expected) = turns.last_mut().expect("a script begins with >");
        if let Some(octets) = line.strip_prefix(">> ") {
            sent.extend(unescape(octets));
        } else if let Some(line) = line.strip_prefix("> ") {
            sent.extend_from_slice(line.as_bytes());
            sent.extend_from_slice(b"\r\n");
        } else if let Some(more) = line.strip_prefix("= offer") {
            expected.extend(offer(more.trim_start()));
        } else {
            expected.push(line.into());
        }
    }
    turns
}

fn offer(more: &str) -> Vec<String> {
    const ALWAYS: &str = "mx.example.org|PIPELINING|SIZE 40|8BITMIME|BINARYMIME|CHUNKING|SMTPUTF8|ENHANCEDSTATUSCODES|LIMITS MAILMAX=3 RCPTMAX=3";
    let words = ALWAYS.split('|').chain(more.split_terminator('|'));
    let mut lines: Vec<String> = words.map(|word| format!("< 250-{word}")).collect();
    if let Some(last) = lines.last_mut() {
        *last = last.replacen("250-", "250 ", 1);
    }
    lines
}

/// Undoes `\r`, `\n`, `\0` and `\xHH`.
pub(super) fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'\\' => match rest.next() {
                Some(b'r') => b'\r',
                Some(b'n') => b'\n',
                Some(b'0') => 0,
                Some(b'\\') => b'\\',
                Some(b'x') => {
                    let digits = [rest.next(), rest.next()].map(|digit| digit.expect("a digit"));
                    let digits = std::str::from_utf8(&digits).expect("ASCII");
                    u8::from_str_radix(digits, 16).expect("two digits")
                }
                other => panic!("unknown escape {other:?}"),
            },
            octet => octet,
        });
    }
    octets
}

/// A session, its service, and what both said.
pub(super) struct Played {
    pub session: Session,
    pub body: Vec<u8>,
    pub said: Vec<String>,
    /// Recipients of the transaction.
    names: Vec<String>,
    role: Role,
    /// Answers to STEPS so far.
    steps: u8,
}

impl Played {
    pub fn new(setting: Setting) -> Self {
        Played::with(setting, limits())
    }

    pub fn with(setting: Setting, limits: Limits) -> Self {
        let mut session = Session::new(options(setting, limits), setting.tls);
        session.at(NOW);
        Played {
            session,
            body: Vec::new(),
            said: Vec::new(),
            names: Vec::new(),
            role: setting.role,
            steps: 0,
        }
    }

    /// Hands over what must not be cut.
    pub fn whole(&mut self, wire: &[u8]) -> Vec<String> {
        self.play(wire, &[wire.len()]);
        std::mem::take(&mut self.said)
    }

    /// Hands over one turn, cut at `ends`.
    pub fn play(&mut self, wire: &[u8], ends: &[usize]) {
        let mut at = 0;
        for &end in ends {
            // STARTTLS may have dropped what came later.
            while at <= end {
                let (used, action) = self.session.step(&wire[at..end]);
                assert!(used <= end - at);
                at += used;
                match action {
                    Action::More => break,
                    Action::Reply(reply) => self.hear(&reply),
                    Action::StartTls => {
                        self.session.tls_started();
                        self.said.push("* tls".into());
                        return;
                    }
                    Action::Close => {
                        self.said.push("* close".into());
                        return;
                    }
                    Action::Body(run) => self.body.extend_from_slice(run),
                    action => {
                        let event = self.act(action);
                        self.said.push(event);
                    }
                }
            }
        }
    }

    fn hear(&mut self, reply: &Reply) {
        let mut octets = Vec::new();
        reply.write(&mut octets);
        let lines = String::from_utf8(octets).expect("replies are text");
        let lines = lines.split_terminator("\r\n");
        self.said.extend(lines.map(|line| format!("< {line}")));
    }

    /// Does what is asked; what is told of it.
    fn act(&mut self, action: Action<'_>) -> String {
        match action {
            Action::Mail(mail) => {
                self.names.clear();
                let banned = mail
                    .reverse_path
                    .as_ref()
                    .is_some_and(|path| path.local() == "banned");
                let refusal = Reply::new(550, Enhanced(5, 7, 1), "Not you");
                self.session
                    .answer(if banned { Err(refusal) } else { Ok(()) });
                format!("* mail {}", told(&mail))
            }
            Action::Recipient(rcpt) => self.recipient(&rcpt),
            Action::Begin { .. } => {
                self.session.answer(Ok(()));
                "* begin".into()
            }
            Action::Deliver => {
                self.finish();
                let body = std::mem::take(&mut self.body);
                format!("* deliver {}", body.escape_ascii())
            }
            Action::Abandon => {
                self.body.clear();
                "* abandon".into()
            }
            Action::Reset => {
                self.body.clear();
                "* reset".into()
            }
            Action::Authenticate { mechanism, initial } => {
                self.steps = 0;
                self.login(mechanism, initial)
            }
            Action::Response(response) if self.steps > 0 => self.login("STEPS", Some(response)),
            Action::Response(response) => self.login("PLAIN", Some(response)),
            Action::Cancelled => "* cancelled".into(),
            Action::Client(client) => {
                let bad = client
                    .name
                    .value()
                    .is_some_and(|name| &**name == "bad.example");
                let refusal = Reply::new(550, Enhanced(5, 7, 1), "Not that one");
                self.session.answer(if bad { Err(refusal) } else { Ok(()) });
                let (addr, login) = (client.addr.value(), client.login.value());
                let (name, helo) = (client.name.value(), client.helo.value());
                format!("* client {addr:?} {name:?} {helo:?} {login:?}").replace("None", "-")
            }
            Action::More
            | Action::Reply(_)
            | Action::Body(_)
            | Action::StartTls
            | Action::Close => unreachable!("done by play"),
        }
    }

    fn recipient(&mut self, rcpt: &Rcpt) -> String {
        let name = match &rcpt.path {
            Recipient::Postmaster => "postmaster".to_string(),
            Recipient::Mailbox(address) => address.to_string(),
        };
        let local = name.split('@').next().unwrap_or_default();
        let known = ["alice", "bob", "carol", "postmaster"].contains(&local);
        if known {
            self.names.push(name.clone());
        }
        let refusal = Reply::new(550, Enhanced(5, 1, 1), "No such user");
        self.session
            .answer(if known { Ok(()) } else { Err(refusal) });
        let notify = rcpt
            .notify
            .map_or(String::new(), |set| format!(" notify {}", set.bits()));
        let orcpt = rcpt.orcpt.as_ref().map_or(String::new(), |orcpt| {
            format!(" orcpt {};{}", orcpt.kind, orcpt.address)
        });
        format!("* rcpt {name}{notify}{orcpt}")
    }

    fn finish(&mut self) {
        let taken = Reply::new(250, Enhanced(2, 0, 0), "taken");
        let outcome = |name: &String| match name.starts_with("carol") {
            true => Reply::new(452, Enhanced(4, 2, 2), "full"),
            false => taken.clone(),
        };
        match self.role {
            Role::Lmtp => self
                .session
                .finish_each(self.names.iter().map(outcome).collect()),
            _ => self.session.finish(taken),
        }
    }

    fn login(&mut self, mechanism: &str, response: Option<Vec<u8>>) -> String {
        let said = response
            .as_deref()
            .map(|octets| octets.escape_ascii().to_string());
        match (mechanism, &response, self.steps) {
            ("STEPS", _, 0) => {
                self.steps = 1;
                let told = said.map_or("-".into(), |said| format!("\"{said}\""));
                self.session.challenge(b"one");
                format!("* steps {told}")
            }
            ("STEPS", Some(response), 1) => {
                self.steps = 2;
                self.session.challenge(b"two");
                format!("* step {}", response.escape_ascii())
            }
            ("STEPS", Some(response), _) => {
                self.steps = 0;
                let right = response == b"two";
                self.session.answer(if right {
                    Ok(())
                } else {
                    Err(reply::AUTH_FAILED)
                });
                format!("* step {}", response.escape_ascii())
            }
            (_, None, _) => {
                self.session.challenge(b"");
                "* challenge".into()
            }
            (_, Some(response), _) => {
                let text = String::from_utf8_lossy(response);
                let mut parts = text.split('\0').skip(1);
                let (name, password) = (parts.next(), parts.next());
                let right = password == Some("secret");
                self.session.answer(if right {
                    Ok(())
                } else {
                    Err(reply::AUTH_FAILED)
                });
                let name = name.map_or(String::new(), |name| format!(" {name}"));
                format!("* login{name}")
            }
        }
    }
}

/// A transaction in words.
fn told(mail: &Mail) -> String {
    use std::fmt::Write;
    let path = mail.reverse_path.as_ref();
    let mut told = path.map_or("<>".into(), |path| path.to_string());
    let mut word = |word: Option<String>| {
        if let Some(word) = word {
            write!(told, " {word}").expect("a String takes every write");
        }
    };
    word(mail.size.map(|size| format!("size {size}")));
    word(mail.utf8.then(|| "utf8".into()));
    word((mail.body == Body::Binary).then(|| "binary".into()));
    word(mail.ret.map(|ret| format!("ret {ret:?}")));
    word(mail.envid.as_ref().map(|envid| format!("envid {envid}")));
    word(mail.require_tls.then(|| "requiretls".into()));
    word(mail.hold.map(|hold| format!("hold {hold:?}")));
    word(
        mail.by
            .map(|by| format!("by {} {:?} {}", by.seconds, by.mode, by.trace)),
    );
    word(mail.priority.map(|priority| format!("priority {priority}")));
    told
}

/// Plays a dialogue with turn `cut.0` cut at `cut.1`, or every turn octet by octet.
fn check(name: &str, setting: Setting, turns: &[Turn], cut: Option<(usize, usize)>) {
    let mut played = Played::new(setting);
    for (number, (wire, expected)) in turns.iter().enumerate() {
        let ends: Vec<usize> = match cut {
            None => (0..=wire.len()).collect(),
            Some((turn, at)) if turn == number => vec![at, wire.len()],
            Some(_) => vec![wire.len()],
        };
        played.play(wire, &ends);
        assert_eq!(&played.said, expected, "{name}: turn {number}, cut {cut:?}");
        played.said.clear();
    }
}

/// Each dialogue whole, cut at every place, and octet by octet.
pub(super) fn check_all(dialogues: &[Dialogue]) {
    for &(name, setting, script) in dialogues {
        let turns = turns(script);
        check(name, setting, &turns, None);
        for (number, (wire, _)) in turns.iter().enumerate() {
            for at in 0..=wire.len() {
                check(name, setting, &turns, Some((number, at)));
            }
        }
    }
}
