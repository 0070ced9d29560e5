//! SMTP: one command line, whole sessions, dot transparency.

use super::{Target, cuts, lines};
use crate::random::Random;
use ringpost_smtp::dot::{Step, Undot};
use ringpost_smtp::session::{Action, Mechanisms, Options, Session};
use ringpost_smtp::{Recipient, Role, Tls, command};
use ringpost_types::Reply;
use ringpost_types::limit::Limits;
use ringpost_types::reply::Enhanced;
use std::rc::Rc;

pub const COMMAND: Target = Target {
    name: "smtp-command",
    seeds: || LINES.iter().map(|line| line.as_bytes().to_vec()).collect(),
    words: WORDS,
    check: |input, _| {
        let read = command::parse(input);
        // RFC 5321 §2.3.8: a command has no bare line end, whatever it is.
        let broken = |octet: &u8| matches!(octet, b'\r' | b'\n' | 0);
        assert!(read.is_err() || !input.iter().any(broken), "{read:?}");
    },
};

pub const SESSION: Target = Target {
    name: "smtp-session",
    seeds: sessions,
    words: WORDS,
    check: check_session,
};

pub const DOT: Target = Target {
    name: "smtp-dot",
    seeds: || {
        lines(&[
            "a\r\n.",
            "..a\r\n.\r\n.",
            ".",
            "a\r.\r\n\n.\n.\r\n.",
            "\r\n..\r\r\n.\r\n\r\n.",
        ])
    },
    words: &[
        b"\r\n.\r\n",
        b"\n.\n",
        b"\r\n.",
        b"..",
        b"\r.\r",
        b"\r\n\r\n",
    ],
    check: check_dot,
};

const LINES: &[&str] = &[
    "EHLO client.example",
    "HELO [192.0.2.1]",
    "LHLO x",
    "MAIL FROM:<a@example.org> SIZE=1000 BODY=8BITMIME SMTPUTF8",
    "MAIL FROM:<>",
    "RCPT TO:<b@example.org>",
    "RCPT TO:<\"b c\"@example.org>",
    "RCPT TO:<@relay.example,@two.example:b@example.org>",
    "RCPT TO:<Postmaster>",
    "RCPT TO:<d\u{f6}rte@s\u{f6}rensen.example>",
    "DATA",
    "BDAT 5",
    "BDAT 0 LAST",
    "RSET",
    "VRFY someone",
    "EXPN list",
    "HELP",
    "NOOP x",
    "STARTTLS",
    "AUTH PLAIN AGEAYg==",
    "AUTH LOGIN",
    "QUIT",
];

const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"MAIL FROM:<a@b.example>\r\n",
    b"RCPT TO:<b@c.example>\r\n",
    b"DATA\r\n",
    b"\r\n.\r\n",
    b"BDAT ",
    b" LAST\r\n",
    b"RSET\r\n",
    b"EHLO x\r\n",
    b"STARTTLS\r\n",
    b"SIZE=",
    b"AUTH PLAIN ",
    b"<",
    b">",
    b"@",
    b"\"",
];

fn sessions() -> Vec<Vec<u8>> {
    let envelope = "EHLO client.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<b@c.example>\r\n";
    let all: String = LINES.iter().map(|line| format!("{line}\r\n")).collect();
    vec![
        format!("{envelope}DATA\r\nSubject: x\r\n\r\n..hello\r\n.\r\nQUIT\r\n").into_bytes(),
        format!(
            "{envelope}RCPT TO:<nobody@c.example>\r\nBDAT 5\r\nhelloBDAT 5 LAST\r\nworldRSET\r\n"
        )
        .into_bytes(),
        format!("{envelope}DATA\r\nbare\nline\r\n.\r\nMAIL FROM:<>\r\n").into_bytes(),
        all.into_bytes(),
    ]
}

fn check_session(input: &[u8], random: &mut Random) {
    let roles = [
        (Role::Mx, Tls::Offered),
        (Role::Submission, Tls::Active),
        (Role::Lmtp, Tls::Absent),
    ];
    let (role, tls) = *random.pick(&roles);
    let at_once = heard(input, &[input.len()], role, tls);
    let cuts = cuts(input.len(), random);
    assert_eq!(at_once, heard(input, &cuts, role, tls), "cut at {cuts:?}");
}

/// All replies and bodies of a session that is sent `input` in pieces; up to a TLS handshake, where what is
/// dropped depends on the pieces.
fn heard(input: &[u8], cuts: &[usize], role: Role, tls: Tls) -> String {
    let options = Options {
        role,
        hostname: "mx.example".into(),
        limits: Limits {
            message_octets_max: 10_000,
            smtp_recipients_max: 10,
            ..Limits::default()
        },
        queue: true,
        mechanisms: Mechanisms::default(),
        xclient: false,
    };
    let mut session = Session::new(Rc::new(options), tls);
    let (mut from, mut out, mut body) = (0, Vec::new(), Vec::new());
    let mut steps = 0;
    for &to in cuts {
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
                Action::Reply(reply) => reply.write(&mut out),
                Action::Mail(_) | Action::Begin { .. } | Action::Authenticate { .. } => {
                    session.answer(Ok(()));
                }
                Action::Response(_) | Action::Client(_) => session.answer(Ok(())),
                Action::Recipient(recipient) => session.answer(known(&recipient.path)),
                Action::Body(octets) => {
                    assert!(!octets.is_empty());
                    body.extend_from_slice(octets);
                }
                // What arrived of a mail that is refused depends on the pieces; that it is refused does not.
                Action::Abandon | Action::Reset => body.clear(),
                Action::Cancelled => {}
                Action::Deliver => {
                    out.append(&mut body);
                    session.finish(Reply::new(250, Enhanced(2, 0, 0), "Taken."));
                }
                Action::StartTls | Action::Close => return told(&out),
            }
        }
        assert!(
            to - from <= session.line_octets_max(),
            "a line is held beyond its limit"
        );
    }
    told(&out)
}

fn told(octets: &[u8]) -> String {
    octets.escape_ascii().to_string().replace("\\r\\n", "\n")
}

fn known(recipient: &Recipient) -> Result<(), Reply> {
    match recipient {
        Recipient::Mailbox(address) if address.local() == "nobody" => {
            Err(Reply::new(550, Enhanced(5, 1, 1), "No such user."))
        }
        _ => Ok(()),
    }
}

fn check_dot(input: &[u8], random: &mut Random) {
    let at_once = undotted(input, &[input.len()]);
    let cuts = cuts(input.len(), random);
    assert_eq!(at_once, undotted(input, &cuts), "cut at {cuts:?}");
    // Sent as RFC 5321 §4.5.2 has it, a body comes back as it was.
    let mut wire = Vec::new();
    let body = input.escape_ascii().to_string().replace("\\r\\n", "\r\n");
    for line in body.split_inclusive("\r\n") {
        wire.extend_from_slice(if line.starts_with('.') { b"." } else { b"" });
        wire.extend_from_slice(line.as_bytes());
    }
    wire.extend_from_slice(if body.ends_with("\r\n") || body.is_empty() {
        b".\r\n"
    } else {
        b"\r\n.\r\n"
    });
    let whole = if body.ends_with("\r\n") || body.is_empty() {
        body
    } else {
        body + "\r\n"
    };
    let (back, ended, _, rest) = undotted(&wire, &[wire.len()]);
    assert_eq!((&back[..], ended, rest), (whole.as_bytes(), true, 0));
}

/// Body, whether it ended, bare line ends, octets behind the end.
fn undotted(input: &[u8], cuts: &[usize]) -> (Vec<u8>, bool, u32, usize) {
    let (mut undot, mut body, mut from) = (Undot::new(), Vec::new(), 0);
    for &to in cuts {
        let mut chunk = &input[from..to];
        from = to;
        while !chunk.is_empty() {
            let (step, rest) = undot.step(chunk);
            assert!(rest.len() <= chunk.len());
            chunk = rest;
            match step {
                Step::Run(run) => body.extend_from_slice(run),
                Step::More => {}
                Step::End => return (body, true, undot.bare, chunk.len() + input.len() - to),
            }
        }
    }
    (body, false, undot.bare, 0)
}
