//! From octets to a [`Command`]. RFC 3501 §9.
//!
//! In:  the session's input from the first octet of a command on, grown by every read; what was learnt of it in a
//!      [`Progress`]; an arena that is reset between commands.
//! Out: [`Parsed`]: the command, or what is needed or wrong.

use crate::command::{Append, Command};
use crate::frame::Progress;
use crate::response::Status;
use bumpalo::Bump;
use ringpost_types::limit::Limits;

/// What [`parse`] made of the input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Parsed<'c> {
    /// The command is not whole. Read more, then ask again with the same [`Progress`].
    NeedMore,
    /// The client waits for `+` before it sends a literal. Said once for each: write a continuation, then read more.
    NeedLiteral { octets: u64 },
    /// A whole command. Octets after `consumed` are the next one.
    Command {
        tag: &'c str,
        command: Command<'c>,
        consumed: usize,
    },
    /// APPEND: what follows `consumed` is the message, [`Append::octets`] long, then CRLF ([`end_of_append`]).
    /// Where [`Append::synchronizing`], the client waits for `+` first, or for a refusal.
    Append {
        tag: &'c str,
        append: Append<'c>,
        consumed: usize,
    },
    /// Not a command: answer BAD with the tag, or untagged where there is none.
    Bad {
        tag: Option<&'c str>,
        text: &'static str,
        consumed: usize,
    },
    /// Over a limit: answer `status` \[TOOBIG\] with the tag; then, where `then` says so, BYE.
    TooBig {
        tag: Option<&'c str>,
        status: Status,
        text: &'static str,
        then: Then,
    },
}

/// How a session goes on after something too big. RFC 7888 §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The client has not sent it: the next command stands after `consumed`.
    GoOn { consumed: usize },
    /// The octets are on their way and would be taken for commands: BYE and close.
    Bye,
}

/// Reads one command at the start of `input`.
pub fn parse<'c>(
    progress: &mut Progress,
    input: &'c [u8],
    arena: &'c Bump,
    limits: &Limits,
) -> Parsed<'c> {
    let _ = (progress, input, arena, limits);
    Parsed::NeedMore
}

/// A line that is not a command: `DONE`, or an answer to an AUTHENTICATE challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'c> {
    NeedMore,
    /// Without its CRLF.
    Whole { line: &'c [u8], consumed: usize },
    /// No line end within the bound, or one that is not CRLF: BAD and BYE.
    Bad,
}

/// Takes a line of at most `octets_max`, without its CRLF.
pub fn line(input: &[u8], octets_max: usize) -> Line<'_> {
    match memchr::memchr(b'\n', &input[..input.len().min(octets_max + 2)]) {
        Some(at) if at > 0 && input[at - 1] == b'\r' => Line::Whole {
            line: &input[..at - 1],
            consumed: at + 1,
        },
        Some(_) => Line::Bad,
        None if input.len() < octets_max + 2 => Line::NeedMore,
        None => Line::Bad,
    }
}

/// Whether `line` ends IDLE. RFC 2177 §3.
pub fn done(line: &[u8]) -> bool {
    line.eq_ignore_ascii_case(b"DONE")
}

/// What stands after an APPEND's message: the octets of the CRLF once it is there, `None` while it is not.
/// `Err`: something else; the command is BAD, and its octets go up to the next line end. RFC 3501 §6.3.11.
pub fn end_of_append(input: &[u8]) -> Result<Option<usize>, ()> {
    match input {
        [b'\r', b'\n', ..] => Ok(Some(2)),
        [] | [b'\r'] => Ok(None),
        _ => Err(()),
    }
}
