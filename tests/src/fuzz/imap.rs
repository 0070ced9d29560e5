//! IMAP: sessions of commands with their literals, and mailbox names.

use super::{Target, cuts};
use crate::random::Random;
use ringpost_imap::command::Append;
use ringpost_imap::parse::{AppendEnd, Parsed, Then, end_of_append, parse};
use ringpost_imap::{Bump, Command, Progress, mailbox, response, write};
use ringpost_types::limit::Limits;

pub const COMMANDS: Target = Target {
    name: "imap-commands",
    seeds,
    words: &[
        b"\r\n",
        b"a ",
        b"UID ",
        b"FETCH ",
        b"SEARCH ",
        b"STORE ",
        b"LIST ",
        b"APPEND ",
        b"BODY.PEEK[",
        b"HEADER.FIELDS (",
        b"]<0.1>",
        b"1:*",
        b"(",
        b"((((",
        b")",
        b"NOT ",
        b"OR ",
        b"{3}\r\n",
        b"{3+}\r\n",
        b"{4294967295}\r\n",
        b"{4294967295+}\r\n",
        b"\"",
        b"\\",
        b"RETURN (",
        b"&AOk-",
        b"1,",
    ],
    check,
};

pub const MAILBOX: Target = Target {
    name: "imap-mailbox",
    seeds: || {
        let names: [&[u8]; 4] = [
            b"~peter/mail/&U,BTFw-/&ZeVnLIqe-",
            b"INBOX",
            b"Entw&APw-rfe",
            b"A&-B",
        ];
        names.map(<[u8]>::to_vec).to_vec()
    },
    words: &[b"&", b"-", b"&-", b"&AOk-", b"/", b"INBOX", b"*", b"%"],
    check: check_mailbox,
};

fn seeds() -> Vec<Vec<u8>> {
    const SESSIONS: &[&str] = &[
        "a LOGIN {5}\r\nalice {6+}\r\nsecret\r\nb SELECT INBOX\r\nc LOGOUT\r\n",
        "a UID FETCH 1:5,7,12:* (FLAGS UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM)]<0.100> BODY[1.2.MIME])\r\n",
        "a SEARCH RETURN (MIN COUNT) CHARSET UTF-8 OR (FROM x NOT SEEN) SINCE 1-Feb-1994 TEXT {2}\r\nab UID 1:*\r\n",
        "a APPEND {5}\r\nDraft (\\Seen $x) \"17-Jul-1996 02:44:25 -0700\" {12+}\r\nSubject: x\r\n\r\nb NOOP\r\n",
        "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (INBOX %) RETURN (CHILDREN STATUS (MESSAGES UNSEEN))\r\n",
        "a STORE 2:4 (UNCHANGEDSINCE 9) +FLAGS.SILENT (\\Deleted $Junk)\r\nb UID MOVE 1 Trash\r\nc EXPUNGE\r\n",
        "a ID (\"name\" \"x\" \"os\" NIL)\r\nb ENABLE CONDSTORE\r\nc AUTHENTICATE PLAIN AGEAYg==\r\n",
        "a CREATE \"Entw&APw-rfe/\" (USE (\\Drafts))\r\nb RENAME \"a \\\"b\\\\\" c\r\nc STATUS x (UIDNEXT SIZE)\r\n",
        "a LSUB \"\" *\r\nb NAMESPACE\r\nc IDLE\r\nd UNSELECT\r\ne COPY * Sent\r\nf UID EXPUNGE 7\r\n",
    ];
    SESSIONS
        .iter()
        .map(|session| session.as_bytes().to_vec())
        .collect()
}

fn check(input: &[u8], random: &mut Random) {
    let at_once = heard(input, &[input.len()]);
    let cuts = cuts(input.len(), random);
    assert_eq!(at_once, heard(input, &cuts), "cut at {cuts:?}");
}

/// What a session makes of `input`, which arrives in pieces, as text.
fn heard(input: &[u8], cuts: &[usize]) -> Vec<String> {
    let limits = Limits {
        imap_command_octets_max: 4096,
        imap_literal_octets_max: 4096,
        imap_append_octets_max: 10_000,
        ..Limits::default()
    };
    // No command needs more arena than this for each of its octets.
    let arena_octets_max =
        64 * (limits.imap_command_octets_max + limits.imap_literal_octets_max) as usize;
    let (mut progress, mut told) = (Progress::default(), Vec::new());
    let mut arena = Bump::new();
    let mut from = 0;
    let mut body: Option<u64> = None;
    for &to in cuts {
        loop {
            if let Some(left) = body.take() {
                let here = left.min((to - from) as u64);
                from += here as usize;
                if here < left {
                    body = Some(left - here);
                    break;
                }
                match end_of_append(&input[from..to]) {
                    AppendEnd::NeedMore => {
                        body = Some(0);
                        break;
                    }
                    AppendEnd::End { consumed } => from += consumed,
                    AppendEnd::Bad => told.push("BAD append".to_owned()),
                }
                continue;
            }
            arena.reset();
            let parsed = parse(&mut progress, &input[from..to], &arena, &limits);
            assert!(
                arena.allocated_bytes() <= arena_octets_max,
                "{}",
                arena.allocated_bytes()
            );
            match parsed {
                Parsed::NeedMore => break,
                Parsed::NeedLiteral { octets } => {
                    told.push(format!("+ {octets}"));
                    continue;
                }
                _ => told.push(format!("{parsed:?}")),
            }
            match parsed {
                Parsed::Command { consumed, .. } | Parsed::Bad { consumed, .. } => from += consumed,
                Parsed::TooBig {
                    then: Then::GoOn { consumed },
                    ..
                } => from += consumed,
                Parsed::TooBig {
                    then: Then::Bye, ..
                } => return told,
                Parsed::Append {
                    append, consumed, ..
                } => {
                    let Append { octets, .. } = append;
                    assert!(octets <= limits.imap_append_octets_max);
                    from += consumed;
                    body = Some(octets);
                }
                Parsed::NeedMore | Parsed::NeedLiteral { .. } => {}
            }
        }
        let held = limits.imap_command_octets_max + limits.imap_literal_octets_max;
        assert!(
            (to - from) as u64 <= held || body.is_some() || to == input.len() || cuts.len() == 1
        );
    }
    told
}

fn check_mailbox(input: &[u8], _: &mut Random) {
    let arena = Bump::new();
    let Ok(name) = mailbox::decode(input, &arena) else {
        return;
    };
    let mut wire = Vec::new();
    write::mailbox(&mut wire, name);
    assert!(!wire.contains(&b'\0'));
    // Read as an argument, what is written names the same mailbox.
    let command = [b"a DELETE ".as_slice(), &wire, b"\r\n"].concat();
    let (mut progress, limits) = (Progress::default(), Limits::default());
    let parsed = loop {
        match parse(&mut progress, &command, &arena, &limits) {
            Parsed::NeedLiteral { .. } => {}
            parsed => break parsed,
        }
    };
    let same = match parsed {
        Parsed::Command {
            command: Command::Delete(again),
            ..
        } => again.eq_ignore_ascii_case(name),
        _ => false,
    };
    assert!(same, "{parsed:?}");
    mailbox::Pattern::new("", name, &arena).matches("INBOX/a");
    response::untagged(&mut wire, ringpost_imap::Status::Ok, None, name);
}
