//! Whole sessions, with SASL, BDAT, LMTP and XCLIENT.
//!
//! What holds, whatever comes in whichever pieces: the pieces do not show; each command has one reply and each mail one,
//! or in LMTP one for each recipient; a login that began ends once; what is delivered has a sender, a recipient, octets
//! within the limit, and no line end that could hide another mail; an envelope has nothing that could end a line; no line is
//! held beyond its limit.

use super::chunks::{MESSAGE_OCTETS_MAX, is_broken};
use super::{LINES, WORDS};
use crate::fuzz::{Target, cuts};
use crate::random::Random;
use ringpost_smtp::session::{Action, Mechanisms, Options, Session};
use ringpost_smtp::xtext::breaks_lines;
use ringpost_smtp::{Body, Client, Mail, Rcpt, Recipient, Role, Tls, reply};
use ringpost_types::Reply;
use ringpost_types::limit::Limits;
use ringpost_types::reply::Enhanced;
use std::rc::Rc;

pub const SESSION: Target = Target {
    name: "smtp-session",
    seeds,
    words: WORDS,
    check: check_session,
};

/// A listener, and whether mail can leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    role: Role,
    tls: Tls,
    queue: bool,
}

impl Setting {
    pub const ALL: [Setting; 4] = [
        Setting {
            role: Role::Mx,
            tls: Tls::Offered,
            queue: false,
        },
        Setting {
            role: Role::Mx,
            tls: Tls::Offered,
            queue: true,
        },
        Setting {
            role: Role::Submission,
            tls: Tls::Active,
            queue: true,
        },
        Setting {
            role: Role::Lmtp,
            tls: Tls::Absent,
            queue: true,
        },
    ];

    pub fn is_lmtp(self) -> bool {
        self.role == Role::Lmtp
    }

    pub fn has_login(self) -> bool {
        self.role == Role::Submission
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let envelope = "EHLO client.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<b@c.example>\r\n";
    let local = "LHLO x\r\nMAIL FROM:<a@b.example> RET=FULL\r\nRCPT TO:<b@c.example>\r\nRCPT TO:<full@c.example> NOTIFY=NEVER\r\n";
    let login =
        "EHLO x\r\nAUTH STEPS\r\nb25l\r\ndHdv\r\nMAIL FROM:<a@b.example> HOLDFOR=60 BY=120;R\r\n";
    let all: String = LINES.iter().map(|line| format!("{line}\r\n")).collect();
    [
        format!("{envelope}DATA\r\nSubject: x\r\n\r\n..hello\r\n.\r\nQUIT\r\n"),
        format!(
            "{envelope}RCPT TO:<nobody@c.example>\r\nBDAT 5\r\nhelloBDAT 5 LAST\r\nworldRSET\r\n"
        ),
        format!("{envelope}DATA\r\nbare\nline\r\n.\r\nMAIL FROM:<>\r\n"),
        format!("{envelope}BDAT 4\r\na\r\n\0BDAT 3 LAST\r\n.\r\n"),
        format!("{local}DATA\r\nhello\r\n.\r\nNOOP\r\n"),
        format!("{local}BDAT 5\r\nhelloBDAT 0 LAST\r\nQUIT\r\n"),
        format!("{login}RCPT TO:<b@c.example> ORCPT=rfc822;b\r\nDATA\r\n.\r\n"),
        "EHLO x\r\nAUTH STEPS =\r\n*\r\nAUTH PLAIN\r\n\r\nAUTH PLAIN AGEAYg==\r\nNOOP\r\n".into(),
        format!("XCLIENT ADDR=192.0.2.1 LOGIN=a HELO=b\r\n{envelope}RSET\r\nXCLIENT NAME=c\r\n"),
        "EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<nobody@c.example>\r\nDATA\r\nSubject: x\r\n"
            .into(),
        all,
    ]
    .map(String::into_bytes)
    .into()
}

fn check_session(input: &[u8], random: &mut Random) {
    let setting = *random.pick(&Setting::ALL);
    let at_once = hear(input, &[input.len()], setting);
    let cuts = cuts(input.len(), random);
    assert_eq!(at_once, hear(input, &cuts, setting), "cut at {cuts:?}");
    match setting.is_lmtp() {
        // One more for each recipient of a mail beyond the first.
        true => assert!(at_once.answers + 1 >= at_once.commands, "{at_once:#?}"),
        false => assert_eq!(at_once.answers, at_once.commands, "{at_once:#?}"),
    }
}

/// What a session was heard to say, and what came of it; up to a TLS handshake, where what is dropped depends on the
/// pieces.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub replies: String,
    pub delivered: Vec<Vec<u8>>,
    /// Commands, responses and mails by the transcript, less a chunk that is not yet whole.
    pub commands: usize,
    /// Replies by the transcript.
    pub answers: usize,
}

/// The service of a session that is sent `input` in pieces.
#[derive(Default)]
struct Service {
    out: Vec<u8>,
    body: Vec<u8>,
    delivered: Vec<Vec<u8>>,
    sender: Option<Body>,
    recipients: Vec<bool>,
    /// Steps of a login under way.
    login: Option<u8>,
}

pub(super) fn hear(input: &[u8], cuts: &[usize], setting: Setting) -> Heard {
    let options = Options {
        role: setting.role,
        hostname: "mx.example".into(),
        limits: Limits {
            message_octets_max: MESSAGE_OCTETS_MAX,
            smtp_recipients_max: 10,
            smtp_idle_commands_max: 50,
            smtp_transcript_octets_max: 100_000_000,
            ..Limits::default()
        },
        queue: setting.queue,
        mechanisms: Mechanisms {
            clear: Vec::new(),
            tls: vec!["STEPS", "PLAIN"],
        },
        xclient: true,
    };
    let mut session = Session::new(Rc::new(options), setting.tls);
    session.at(1_795_492_800_000);
    let mut service = Service::default();
    let (mut from, mut steps) = (0, 0);
    'session: for &to in cuts {
        loop {
            steps += 1;
            assert!(
                steps < 64 + 64 * (input.len() + cuts.len()),
                "the session does not advance"
            );
            let (used, action) = session.step(&input[from..to]);
            from += used;
            match action {
                Action::More => break,
                Action::StartTls | Action::Close => break 'session,
                action => service.act(action, &mut session),
            }
        }
        assert!(
            to - from <= session.line_octets_max(),
            "a line is held beyond its limit"
        );
    }
    let text = session.transcript();
    let spoken = |who: &str| {
        text.lines()
            .filter(|line| line.get(9..12) == Some(who))
            .count()
    };
    // A chunk that is not whole has no answer yet; a DATA has its 354.
    let open_chunk = text
        .lines()
        .rev()
        .find(|line| matches!(line.get(9..12), Some("C: " | "S: ")))
        .and_then(|line| line[9..].strip_prefix("C: "))
        .is_some_and(|said| said.to_ascii_uppercase().starts_with("BDAT"));
    Heard {
        replies: service
            .out
            .escape_ascii()
            .to_string()
            .replace("\\r\\n", "\n"),
        delivered: service.delivered,
        commands: spoken("C: ") - usize::from(open_chunk),
        answers: spoken("S: "),
    }
}

impl Service {
    fn act(&mut self, action: Action<'_>, session: &mut Session) {
        match action {
            Action::Reply(reply) => reply.write(&mut self.out),
            Action::Mail(mail) => {
                check_mail(&mail);
                self.sender = Some(mail.body);
                self.recipients.clear();
                session.answer(Ok(()));
            }
            Action::Recipient(rcpt) => {
                assert!(self.sender.is_some(), "a recipient without a sender");
                let answer = self.judge(&rcpt);
                session.answer(answer);
            }
            Action::Begin { .. } => {
                assert!(!self.recipients.is_empty(), "a body without a recipient");
                self.body.clear();
                session.answer(Ok(()));
            }
            Action::Body(octets) => {
                assert!(!octets.is_empty());
                self.body.extend_from_slice(octets);
            }
            // What arrived of a mail that is refused depends on the pieces; that it is refused does not.
            Action::Abandon => self.body.clear(),
            Action::Reset => {
                self.body.clear();
                self.sender = None;
            }
            Action::Deliver => self.deliver(session),
            Action::Authenticate { mechanism, initial } => {
                assert!(self.login.is_none(), "a login within a login");
                self.login = Some(0);
                self.answer(mechanism, initial.is_some(), session);
            }
            Action::Response(_) => {
                let step = self.login.expect("a response belongs to a login");
                let mechanism = if step == 0 { "PLAIN" } else { "STEPS" };
                self.answer(mechanism, true, session);
            }
            Action::Cancelled => {
                assert!(self.login.take().is_some(), "a login ends once");
            }
            Action::Client(client) => {
                check_client(&client);
                self.sender = None;
                session.answer(Ok(()));
            }
            Action::More | Action::StartTls | Action::Close => unreachable!("not done here"),
        }
    }

    /// STEPS asks twice, PLAIN takes what it gets; nobody is let in who answers with nothing.
    fn answer(&mut self, mechanism: &str, response: bool, session: &mut Session) {
        let step = self.login.expect("a login is under way");
        if mechanism == "STEPS" && step < 2 {
            self.login = Some(step + 1);
            session.challenge(b"one");
        } else if !response {
            session.challenge(b"");
        } else {
            self.login = None;
            session.answer(Ok(()));
        }
    }

    fn judge(&mut self, rcpt: &Rcpt) -> Result<(), Reply> {
        if let Some(orcpt) = &rcpt.orcpt {
            assert!(!orcpt.address.chars().any(breaks_lines), "{orcpt:?}");
        }
        match &rcpt.path {
            Recipient::Mailbox(address) => {
                let text = address.to_string();
                assert!(!text.chars().any(breaks_lines), "{text:?}");
                if address.local() == "nobody" {
                    return Err(Reply::new(550, Enhanced(5, 1, 1), "No such user."));
                }
                self.recipients.push(address.local() != "full");
            }
            Recipient::Postmaster => self.recipients.push(true),
        }
        Ok(())
    }

    fn deliver(&mut self, session: &mut Session) {
        let body = std::mem::take(&mut self.body);
        assert!(body.len() as u64 <= MESSAGE_OCTETS_MAX);
        let sender = self.sender.take().expect("a mail has a sender");
        assert!(
            !is_broken(&body, sender == Body::Binary),
            "{:?}",
            body.escape_ascii()
        );
        self.delivered.push(body);
        let taken = Reply::new(250, Enhanced(2, 0, 0), "Taken.");
        if session.outcomes() == 1 {
            return session.finish(taken);
        }
        let outcome = |&taken_in: &bool| match taken_in {
            true => taken.clone(),
            false => reply::NO_OUTCOME,
        };
        session.finish_each(self.recipients.iter().map(outcome).collect());
    }
}

fn check_mail(mail: &Mail) {
    let path = mail.reverse_path.as_ref().map(ToString::to_string);
    for text in [path.as_deref(), mail.envid.as_deref()]
        .into_iter()
        .flatten()
    {
        assert!(!text.chars().any(breaks_lines), "{text:?}");
    }
}

fn check_client(client: &Client) {
    for text in [&client.name, &client.helo, &client.login] {
        let broken = text
            .value()
            .is_some_and(|text| text.chars().any(breaks_lines));
        assert!(!broken, "{text:?}");
    }
}
