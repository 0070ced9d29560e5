//! SMTP: one command line, dot transparency; whole sessions, chunks, parameters and XCLIENT in rooms of their own.

mod chunks;
mod parameters;
mod session;

use super::{Target, cuts, lines};
use crate::random::Random;
use ringpost_smtp::dot::{Step, Undot};
use ringpost_smtp::{Command, command};

pub use chunks::BDAT;
pub use parameters::{PARAMETERS, XCLIENT};
pub use session::SESSION;

pub const COMMAND: Target = Target {
    name: "smtp-command",
    seeds: || LINES.iter().map(|line| line.as_bytes().to_vec()).collect(),
    words: WORDS,
    check: |input, _| {
        let read = command::parse(input);
        // RFC 5321 §2.3.8: a command has no bare line end, whatever it is.
        let broken = |octet: &u8| matches!(octet, b'\r' | b'\n' | 0);
        assert!(read.is_err() || !input.iter().any(broken), "{read:?}");
        // RFC 5321 §2.4: outside of addresses and their parameters it is ASCII, or is told that it is not.
        match read {
            Ok(Command::Mail(..) | Command::Rcpt(..) | Command::Xclient(_)) | Err(_) => {}
            Ok(Command::Vrfy { .. } | Command::Expn) => {}
            // The session judges the name.
            Ok(Command::Ehlo(_) | Command::Helo(_) | Command::Lhlo(_)) => {}
            Ok(read) => assert!(input.is_ascii(), "{read:?}"),
        }
    },
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
    "AUTH STEPS =",
    "XCLIENT NAME=a ADDR=192.0.2.1",
    "MAIL FROM:<a@b.example> RET=HDRS ENVID=x BY=60;N HOLDFOR=60 MT-PRIORITY=-1 REQUIRETLS",
    "RCPT TO:<b@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bc@example.org",
    "ETRN example.org",
    "VRFY d\u{f6}rte SMTPUTF8",
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
    b"AUTH STEPS\r\n",
    b"b25l\r\n",
    b"*\r\n",
    b"LHLO x\r\n",
    b"XCLIENT HELO=a\r\n",
    b"BODY=BINARYMIME",
    b"ORCPT=rfc822;",
    b"\0.\r\n",
    b"<",
    b">",
    b"@",
    b"\"",
];

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
