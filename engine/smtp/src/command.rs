//! One command line, read in place. RFC 5321 §4.1.1, and the extensions' own verbs.
//!
//! In:  a line without its CRLF.
//! Out: a [`Command`] that borrows from it, or a [`BadCommand`]. Whether the command fits the state is the session's affair.
//!
//! Invariants: a line with NUL, CR, LF or another control octet is no command, whatever it begins with. Outside of
//! addresses and their parameters a command is ASCII. RFC 5321 §2.4, RFC 6531 §3.4.

use crate::parameter::number;
use crate::path::{self, Path};
use crate::word::Word;

/// A command. Arguments are as written; names and paths are not yet checked for meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'c> {
    /// RFC 5321 §4.1.1.1: the client's name.
    Helo(&'c str),
    /// RFC 5321 §4.1.1.1: the client's name.
    Ehlo(&'c str),
    /// RFC 2033 §4.1: the client's name.
    Lhlo(&'c str),
    /// RFC 5321 §4.1.1.2: reverse-path, and its parameters still in one piece.
    Mail(Path<'c>, &'c [u8]),
    /// RFC 5321 §4.1.1.3: forward-path, and its parameters still in one piece.
    Rcpt(Path<'c>, &'c [u8]),
    /// RFC 5321 §4.1.1.4.
    Data,
    /// RFC 3030 §2: octets that follow, and whether they are the last.
    Bdat { octets: u64, last: bool },
    /// RFC 5321 §4.1.1.5.
    Rset,
    /// RFC 5321 §4.1.1.9.
    Noop,
    /// RFC 5321 §4.1.1.10.
    Quit,
    /// RFC 5321 §4.1.1.6; whether the name needs SMTPUTF8 and does not say so. RFC 6531 §3.7.4.2.
    Vrfy { needs_utf8: bool },
    /// RFC 5321 §4.1.1.7.
    Expn,
    /// RFC 5321 §4.1.1.8.
    Help,
    /// RFC 3207 §4.
    StartTls,
    /// RFC 4954 §4: mechanism, and the initial response in base64 if there is one.
    Auth {
        mechanism: &'c str,
        initial: Option<&'c str>,
    },
    /// Postfix's: attributes, still in one piece.
    Xclient(&'c [u8]),
    /// A verb that RFCs know and that is not to be had here: ETRN and others.
    Absent,
}

/// Why a line is not a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadCommand {
    /// No such verb: 500 5.5.1.
    Unknown,
    /// A verb of HTTP: a browser may have been made to send commands in what it believes to be a form. 521 5.5.1 and the
    /// end.
    Web,
    /// A control octet, or octets that are not UTF-8 where text must be: 500 5.5.2.
    Octets,
    /// BDAT without a readable length, so that nobody knows where its octets end: 521 5.5.4 and the end.
    Chunk,
    /// An argument is missing, malformed, or given where none may be: 501 5.5.4.
    Argument,
    /// MAIL without a readable path: 501 5.1.7.
    ReversePath,
    /// RCPT without a readable path: 501 5.1.3.
    ForwardPath,
}

/// Reads one line.
pub fn parse(line: &[u8]) -> Result<Command<'_>, BadCommand> {
    if has_control(line) {
        let mut pieces = line.split(|octet| matches!(octet, b'\r' | b'\n'));
        return Err(match pieces.any(announces_chunk) {
            true => BadCommand::Chunk,
            false => BadCommand::Octets,
        });
    }
    // Trailing white space is tolerated. RFC 5321 §4.1.1.
    let line = line.trim_ascii_end();
    let (verb, rest) = match memchr::memchr(b' ', line) {
        Some(at) => (&line[..at], line[at + 1..].trim_ascii_start()),
        None => (line, &[][..]),
    };
    match Word::of(verb) {
        MAIL => {
            let path = after(rest, b"FROM:").ok_or(BadCommand::Argument)?;
            let (path, rest) = path::parse(path).map_err(|_| BadCommand::ReversePath)?;
            Ok(Command::Mail(path, rest))
        }
        RCPT => {
            let path = after(rest, b"TO:").ok_or(BadCommand::Argument)?;
            let (path, rest) = path::parse(path).map_err(|_| BadCommand::ForwardPath)?;
            Ok(Command::Rcpt(path, rest))
        }
        DATA => alone(rest, Command::Data),
        BDAT => bdat(rest),
        EHLO => Ok(Command::Ehlo(text(rest)?)),
        HELO => Ok(Command::Helo(text(rest)?)),
        LHLO => Ok(Command::Lhlo(text(rest)?)),
        RSET => alone(rest, Command::Rset),
        QUIT => alone(rest, Command::Quit),
        NOOP => ascii(rest).map(|_| Command::Noop),
        HELP => ascii(rest).map(|_| Command::Help),
        VRFY => vrfy(rest),
        EXPN => text(rest).map(|_| Command::Expn),
        STARTTLS => alone(rest, Command::StartTls),
        AUTH => auth(rest),
        XCLIENT => Ok(Command::Xclient(rest)),
        ETRN | ATRN | TURN | SEND | SOML | SAML | BURL => ascii(rest).map(|()| Command::Absent),
        GET | POST | PUT | CONNECT | OPTIONS => Err(BadCommand::Web),
        _ if announces_chunk(line) => Err(BadCommand::Chunk),
        _ => Err(BadCommand::Unknown),
    }
}

/// Whether a line that is no command may be a BDAT to somebody else: behind blanks or controls, or with one of them, or
/// something stranger, where its space belongs. Whoever takes it for one sends octets that are no commands.
pub(crate) fn announces_chunk(line: &[u8]) -> bool {
    let blank = |octet: &&u8| **octet <= b' ' || **octet == 0x7f;
    let verb = &line[line.iter().take_while(blank).count()..];
    after(verb, b"BDAT").is_some_and(|rest| !rest.first().is_some_and(u8::is_ascii_alphanumeric))
}

macro_rules! verbs {
    ($($verb:ident)*) => {
        $(const $verb: Word = Word::of(stringify!($verb).as_bytes());)*
    };
}

verbs! {
    MAIL RCPT DATA BDAT EHLO HELO LHLO RSET QUIT NOOP HELP VRFY EXPN STARTTLS AUTH XCLIENT
    ETRN ATRN TURN SEND SOML SAML BURL GET POST PUT CONNECT OPTIONS
}

/// Whether there is a control octet other than TAB. All are looked at, none decides alone: it compiles to vectors.
fn has_control(line: &[u8]) -> bool {
    let control = |octet: u8| (octet < b' ') & (octet != b'\t') | (octet == 0x7f);
    line.iter()
        .fold(false, |found, &octet| found | control(octet))
}

/// What follows `keyword`, in any case.
fn after<'c>(text: &'c [u8], keyword: &[u8]) -> Option<&'c [u8]> {
    let (head, rest) = text.split_at_checked(keyword.len())?;
    head.eq_ignore_ascii_case(keyword).then_some(rest)
}

/// A verb that takes no argument.
fn alone<'c>(rest: &[u8], command: Command<'c>) -> Result<Command<'c>, BadCommand> {
    if rest.is_empty() {
        Ok(command)
    } else {
        Err(BadCommand::Argument)
    }
}

/// A verb that takes one.
fn text(rest: &[u8]) -> Result<&str, BadCommand> {
    match std::str::from_utf8(rest) {
        Ok("") => Err(BadCommand::Argument),
        Ok(text) => Ok(text),
        Err(_) => Err(BadCommand::Octets),
    }
}

/// An argument that nobody reads.
fn ascii(rest: &[u8]) -> Result<(), BadCommand> {
    match rest.is_ascii() {
        true => Ok(()),
        false => Err(BadCommand::Octets),
    }
}

/// `"VRFY" SP ( uLocal-part / uMailbox ) [ SP "SMTPUTF8" ]`. RFC 6531 §3.7.4.2.
fn vrfy(rest: &[u8]) -> Result<Command<'_>, BadCommand> {
    let name = text(rest)?;
    let says_utf8 = name
        .rsplit_once(' ')
        .is_some_and(|(_, last)| last.eq_ignore_ascii_case("SMTPUTF8"));
    Ok(Command::Vrfy {
        needs_utf8: !name.is_ascii() && !says_utf8,
    })
}

/// `bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CR LF`, `end-marker = "LAST"`. RFC 3030 §2.
fn bdat(rest: &[u8]) -> Result<Command<'_>, BadCommand> {
    let mut words = rest
        .split(|&octet| octet == b' ')
        .filter(|word| !word.is_empty());
    let octets = words.next().and_then(number).ok_or(BadCommand::Chunk)?;
    let last = match (words.next(), words.next()) {
        (None, _) => false,
        (Some(word), None) if word.eq_ignore_ascii_case(b"LAST") => true,
        _ => return Err(BadCommand::Chunk),
    };
    Ok(Command::Bdat { octets, last })
}

/// `AUTH mechanism [initial-response]`. RFC 4954 §4.
fn auth(rest: &[u8]) -> Result<Command<'_>, BadCommand> {
    ascii(rest)?;
    let rest = text(rest)?;
    let (mechanism, initial) = match rest.split_once(' ') {
        Some((mechanism, initial)) => (mechanism, Some(initial.trim_start())),
        None => (rest, None),
    };
    Ok(Command::Auth { mechanism, initial })
}

#[cfg(test)]
mod tests {
    use super::*;
    use BadCommand::*;

    const CASES: &[(&[u8], Result<Command<'static>, BadCommand>)] = &[
        (b"EHLO mx.example.org", Ok(Command::Ehlo("mx.example.org"))),
        (b"helo [192.0.2.1] ", Ok(Command::Helo("[192.0.2.1]"))),
        (b"LHLO  a", Ok(Command::Lhlo("a"))),
        (b"EHLO", Err(Argument)),
        (b"EHLO \xff", Err(Octets)),
        (b"MAIL FROM:<>", Ok(Command::Mail(Path::Null, b""))),
        (
            b"mail from: <a@b> SIZE=1",
            Ok(Command::Mail(Path::Mailbox("a@b"), b"SIZE=1")),
        ),
        (b"MAIL TO:<a@b>", Err(Argument)),
        (b"MAIL", Err(Argument)),
        (b"MAIL FROM:a@b", Err(ReversePath)),
        (
            b"RCPT TO:<postmaster>",
            Ok(Command::Rcpt(Path::Postmaster, b"")),
        ),
        (b"RCPT TO:a", Err(ForwardPath)),
        (b"DATA", Ok(Command::Data)),
        (b"DATA x", Err(Argument)),
        (
            b"BDAT 0",
            Ok(Command::Bdat {
                octets: 0,
                last: false,
            }),
        ),
        (
            b"bdat 86 last",
            Ok(Command::Bdat {
                octets: 86,
                last: true,
            }),
        ),
        (b"BDAT", Err(Chunk)),
        (b"BDAT -1", Err(Chunk)),
        (b"BDAT 1 FIRST", Err(Chunk)),
        (b"BDAT 1 LAST x", Err(Chunk)),
        (b"bdat 1\0", Err(Chunk)),
        (b"BDAT\t1", Err(Chunk)),
        (b"BDAT\x001", Err(Chunk)),
        (b"BDAT=1", Err(Chunk)),
        (b" BDAT 1", Err(Chunk)),
        (b"\x01\tbdat 1", Err(Chunk)),
        (b"NOOP\nBDAT 1", Err(Chunk)),
        (b"NOOP\rBDAT", Err(Chunk)),
        (b"BDATA 1", Err(Unknown)),
        (b"NOOP BDAT\n1", Err(Octets)),
        (b"RSET", Ok(Command::Rset)),
        (b"NOOP what so ever", Ok(Command::Noop)),
        (b"QUIT \t", Ok(Command::Quit)),
        (b"NOOP \xc3\xb6", Err(Octets)),
        (b"HELP \xff", Err(Octets)),
        (b"VRFY a", Ok(Command::Vrfy { needs_utf8: false })),
        (b"VRFY \xc3\xb6", Ok(Command::Vrfy { needs_utf8: true })),
        (
            b"VRFY \xc3\xb6 smtputf8",
            Ok(Command::Vrfy { needs_utf8: false }),
        ),
        (b"VRFY \xc0\x8a", Err(Octets)),
        (b"VRFY", Err(Argument)),
        (b"ETRN example.org", Ok(Command::Absent)),
        (b"etrn", Ok(Command::Absent)),
        (b"XCLIENT NAME=a", Ok(Command::Xclient(b"NAME=a"))),
        (b"AUTH PLAIN \xc3\xb6", Err(Octets)),
        (b"EXPN", Err(Argument)),
        (b"HELP", Ok(Command::Help)),
        (b"STARTTLS", Ok(Command::StartTls)),
        (b"STARTTLS now", Err(Argument)),
        (
            b"AUTH PLAIN",
            Ok(Command::Auth {
                mechanism: "PLAIN",
                initial: None,
            }),
        ),
        (
            b"AUTH PLAIN =",
            Ok(Command::Auth {
                mechanism: "PLAIN",
                initial: Some("="),
            }),
        ),
        (b"AUTH", Err(Argument)),
        (b"", Err(Unknown)),
        (b"MAI", Err(Unknown)),
        (b"POST / HTTP/1.1", Err(Web)),
        (b"MAILFROM:<a@b>", Err(Unknown)),
        (b"NO\0OP", Err(Octets)),
        (b"NOOP\nQUIT", Err(Octets)),
        (b"NOOP\rQUIT", Err(Octets)),
        (b"\xff\xff\xff\xff", Err(Unknown)),
    ];

    #[test]
    fn cases() {
        for (line, expected) in CASES {
            assert_eq!(
                &parse(line),
                expected,
                "{:?}",
                line.escape_ascii().to_string()
            );
        }
    }
}
