//! From octets to a [`Command`]. RFC 3501 §9.
//!
//! In:  the session's input from the first octet of a command on, grown by every read; what was learnt of it in a
//!      [`Progress`]; an arena that is reset between commands.
//! Out: [`Parsed`]: the command, or what is needed or wrong.
//!
//! [`crate::frame`] finds the command's end first, so the grammar itself never meets one that is cut; only APPEND,
//! whose message is not ours to hold, is read as far as its literal.

mod fetch;
mod mailboxes;
mod messages;
mod search;
mod session;

use crate::command::{Append, Command, Numbers};
use crate::cursor::{Cursor, Fault, LITERAL_CUT};
use crate::date;
use crate::flag::Flags;
use crate::frame::{Frame, Literal, Progress};
use crate::mailbox::NOT_UTF7;
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
    /// Not a command: answer `status`, BAD mostly, with the tag, or untagged where there is none.
    Bad {
        tag: Option<&'c str>,
        status: Status,
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

impl Then {
    fn after(synchronizing: bool, consumed: usize) -> Then {
        match synchronizing {
            true => Then::GoOn { consumed },
            false => Then::Bye,
        }
    }
}

/// Reads one command at the start of `input`. A [`Progress`] is as new again once a command was given or refused.
pub fn parse<'c>(
    progress: &mut Progress,
    input: &'c [u8],
    arena: &'c Bump,
    limits: &Limits,
) -> Parsed<'c> {
    loop {
        let parsed = match progress.advance(input, limits) {
            Frame::NeedMore => return Parsed::NeedMore,
            Frame::Whole { end } => whole(&input[..end], arena, limits),
            Frame::BareLf { end } => Parsed::Bad {
                tag: tag_of(input, arena),
                status: Status::Bad,
                text: "a line must end in CRLF",
                consumed: end,
            },
            Frame::TooLong => Parsed::TooBig {
                // Of what is within the limit, so that it does not matter how much more has come.
                tag: tag_of(&input[..limits.imap_command_octets_max as usize], arena),
                status: Status::Bad,
                text: "command is too long",
                then: Then::Bye,
            },
            Frame::Literal { end, literal } => {
                match announced(progress, &input[..end], literal, arena, limits) {
                    Announced::Refused(parsed) => parsed,
                    Announced::Waited(octets) => return Parsed::NeedLiteral { octets },
                    Announced::OnItsWay => continue,
                }
            }
        };
        *progress = Progress::default();
        return parsed;
    }
}

/// What is to be done about a literal.
enum Announced<'c> {
    /// Nothing more: the answer is known.
    Refused(Parsed<'c>),
    /// Ask the client for it.
    Waited(u64),
    /// It comes unasked.
    OnItsWay,
}

/// Decides on a literal before its octets are there: a hopeless command is refused at once where the client waits,
/// APPEND's message is the caller's, and what is too big never arrives. RFC 3501 §4.3, RFC 7888 §4.
fn announced<'c>(
    progress: &mut Progress,
    input: &'c [u8],
    literal: Literal,
    arena: &'c Bump,
    limits: &Limits,
) -> Announced<'c> {
    let Literal {
        octets,
        synchronizing,
    } = literal;
    let consumed = input.len();
    let mut cursor = Cursor::new(input, arena, limits.imap_nesting_max);
    let (tag, fault) = match head(&mut cursor) {
        Ok((tag, Word::Append)) => match append(&mut cursor) {
            Ok(append) => return Announced::Refused(appended(tag, append, consumed, limits)),
            Err(LITERAL_CUT) => (Some(tag), None),
            Err(fault) => (Some(tag), Some(fault)),
        },
        Ok((tag, _)) => (Some(tag), None),
        Err((tag, fault)) => (tag, Some(fault)),
    };
    if let Some(text) = fault.filter(|_| synchronizing) {
        return Announced::Refused(Parsed::Bad {
            tag,
            status: status(text),
            text,
            consumed,
        });
    }
    let together = progress.literals().saturating_add(octets);
    if together > limits.imap_literal_octets_max {
        return Announced::Refused(Parsed::TooBig {
            tag,
            status: Status::Bad,
            text: "literal is too long",
            then: Then::after(synchronizing, consumed),
        });
    }
    progress.expect(octets);
    match synchronizing {
        true => Announced::Waited(octets),
        false => Announced::OnItsWay,
    }
}

/// APPEND's header is read; its message may still be too big. RFC 7889 §4.
fn appended<'c>(tag: &'c str, append: Append<'c>, consumed: usize, limits: &Limits) -> Parsed<'c> {
    if append.octets > limits.imap_append_octets_max {
        return Parsed::TooBig {
            tag: Some(tag),
            status: Status::No,
            text: "message is too big",
            then: Then::after(append.synchronizing, consumed),
        };
    }
    Parsed::Append {
        tag,
        append,
        consumed,
    }
}

/// Reads a command that is all there, CRLF included.
fn whole<'c>(input: &'c [u8], arena: &'c Bump, limits: &Limits) -> Parsed<'c> {
    let consumed = input.len();
    let octets = &input[..consumed - 2];
    let mut cursor = Cursor::new(octets, arena, limits.imap_nesting_max);
    let (tag, command) = match head(&mut cursor) {
        Ok((tag, word)) => {
            let command = body(&mut cursor, word);
            (
                Some(tag),
                command.and_then(|command| cursor.end().map(|()| command)),
            )
        }
        Err((tag, fault)) => (tag, Err(fault)),
    };
    match (tag, command) {
        (Some(tag), Ok(command)) => Parsed::Command {
            tag,
            command,
            consumed,
        },
        (tag, command) => {
            let text = command.err().unwrap_or("expected a tag");
            Parsed::Bad {
                tag,
                status: status(text),
                text,
                consumed,
            }
        }
    }
}

/// An astring that is no mailbox name is well written, and names nothing: NO.
fn status(fault: Fault) -> Status {
    match fault {
        NOT_UTF7 => Status::No,
        _ => Status::Bad,
    }
}

/// The tag of a command that is not whole.
fn tag_of<'c>(input: &'c [u8], arena: &'c Bump) -> Option<&'c str> {
    let mut cursor = Cursor::new(input, arena, 0);
    cursor.tag().ok().filter(|_| cursor.peek() == Some(b' '))
}

/// tag SP command-name; without the tag only where there is none.
fn head<'c>(cursor: &mut Cursor<'c>) -> Result<(&'c str, Word), (Option<&'c str>, Fault)> {
    let tag = cursor.tag().map_err(|fault| (None, fault))?;
    cursor.one_space().map_err(|fault| (None, fault))?;
    let told = |fault| (Some(tag), fault);
    let mut word = name(cursor, &COMMANDS).map_err(told)?;
    if word == Word::Uid {
        cursor.space().map_err(told)?;
        word = name(cursor, &UID_COMMANDS).map_err(told)?;
    }
    Ok((tag, word))
}

fn name(cursor: &mut Cursor<'_>, table: &[(&str, Word)]) -> Result<Word, Fault> {
    let name = cursor.atom().map_err(|_| "expected a command")?;
    let known = table
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map(|(_, word)| *word).ok_or("unknown command")
}

/// The name of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Append,
    Authenticate,
    Capability,
    Check,
    Close,
    Copy(Numbers),
    Create,
    Delete,
    Enable,
    Examine,
    Expunge,
    Fetch(Numbers),
    Id,
    Idle,
    List,
    Login,
    Logout,
    Lsub,
    Move(Numbers),
    Namespace,
    Noop,
    Rename,
    Search(Numbers),
    Select,
    StartTls,
    Status,
    Store(Numbers),
    Subscribe,
    Uid,
    UidExpunge,
    Unselect,
    Unsubscribe,
}

/// Every command, the ones a session says most first.
const COMMANDS: [(&str, Word); 31] = [
    ("UID", Word::Uid),
    ("FETCH", Word::Fetch(Numbers::Sequence)),
    ("NOOP", Word::Noop),
    ("IDLE", Word::Idle),
    ("STORE", Word::Store(Numbers::Sequence)),
    ("STATUS", Word::Status),
    ("SELECT", Word::Select),
    ("LIST", Word::List),
    ("APPEND", Word::Append),
    ("SEARCH", Word::Search(Numbers::Sequence)),
    ("LOGIN", Word::Login),
    ("AUTHENTICATE", Word::Authenticate),
    ("CAPABILITY", Word::Capability),
    ("STARTTLS", Word::StartTls),
    ("LOGOUT", Word::Logout),
    ("ID", Word::Id),
    ("ENABLE", Word::Enable),
    ("EXAMINE", Word::Examine),
    ("NAMESPACE", Word::Namespace),
    ("CHECK", Word::Check),
    ("CLOSE", Word::Close),
    ("UNSELECT", Word::Unselect),
    ("EXPUNGE", Word::Expunge),
    ("COPY", Word::Copy(Numbers::Sequence)),
    ("MOVE", Word::Move(Numbers::Sequence)),
    ("CREATE", Word::Create),
    ("DELETE", Word::Delete),
    ("RENAME", Word::Rename),
    ("SUBSCRIBE", Word::Subscribe),
    ("UNSUBSCRIBE", Word::Unsubscribe),
    ("LSUB", Word::Lsub),
];

/// What may stand after UID. RFC 3501 §6.4.8, RFC 4315 §2.1, RFC 6851 §3.2.
const UID_COMMANDS: [(&str, Word); 6] = [
    ("FETCH", Word::Fetch(Numbers::Uid)),
    ("STORE", Word::Store(Numbers::Uid)),
    ("SEARCH", Word::Search(Numbers::Uid)),
    ("COPY", Word::Copy(Numbers::Uid)),
    ("MOVE", Word::Move(Numbers::Uid)),
    ("EXPUNGE", Word::UidExpunge),
];

/// What stands after the command's name.
fn body<'c>(cursor: &mut Cursor<'c>, word: Word) -> Result<Command<'c>, Fault> {
    Ok(match word {
        Word::Capability => Command::Capability,
        Word::Check => Command::Check,
        Word::Close => Command::Close,
        Word::Expunge => Command::Expunge,
        Word::Idle => Command::Idle,
        Word::Logout => Command::Logout,
        Word::Namespace => Command::Namespace,
        Word::Noop => Command::Noop,
        Word::StartTls => Command::StartTls,
        Word::Unselect => Command::Unselect,
        Word::Authenticate => session::authenticate(cursor)?,
        Word::Enable => session::enable(cursor)?,
        Word::Id => session::id(cursor)?,
        Word::Login => session::login(cursor)?,
        Word::Create => mailboxes::create(cursor)?,
        Word::Delete => Command::Delete(mailboxes::one(cursor)?),
        Word::Examine => Command::Examine(mailboxes::one(cursor)?),
        Word::List => mailboxes::list(cursor)?,
        Word::Lsub => mailboxes::lsub(cursor)?,
        Word::Rename => mailboxes::rename(cursor)?,
        Word::Select => Command::Select(mailboxes::one(cursor)?),
        Word::Status => mailboxes::status(cursor)?,
        Word::Subscribe => Command::Subscribe(mailboxes::one(cursor)?),
        Word::Unsubscribe => Command::Unsubscribe(mailboxes::one(cursor)?),
        Word::Copy(numbers) => Command::Copy(messages::transfer(cursor, numbers)?),
        Word::Move(numbers) => Command::Move(messages::transfer(cursor, numbers)?),
        Word::Store(numbers) => messages::store(cursor, numbers)?,
        Word::UidExpunge => messages::uid_expunge(cursor)?,
        Word::Fetch(numbers) => fetch::command(cursor, numbers)?,
        Word::Search(numbers) => search::command(cursor, numbers)?,
        // Its message would have been announced, and the command handed over there.
        Word::Append => return Err(append(cursor).err().unwrap_or("expected a literal")),
        Word::Uid => return Err("expected a command"),
    })
}

/// append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal; up to the literal's octets.
fn append<'c>(cursor: &mut Cursor<'c>) -> Result<Append<'c>, Fault> {
    cursor.space()?;
    let mailbox = cursor.mailbox()?;
    cursor.space()?;
    let mut flags = Flags::default();
    if cursor.peek() == Some(b'(') {
        flags = messages::flag_list(cursor)?;
        cursor.space()?;
    }
    let mut date = None;
    if cursor.peek() == Some(b'"') {
        let text = cursor.string()?;
        date = Some(date::parse(text).ok_or("not a date and time")?);
        cursor.space()?;
    }
    let (octets, synchronizing) = cursor.literal_header()?;
    cursor.end()?;
    Ok(Append {
        mailbox,
        flags,
        date,
        octets,
        synchronizing,
    })
}

/// A line that is not a command: `DONE`, or an answer to an AUTHENTICATE challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'c> {
    NeedMore,
    /// Without its CRLF.
    Whole {
        line: &'c [u8],
        consumed: usize,
    },
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

/// What stands after an APPEND's message. RFC 3501 §9, `append`: CRLF, for the literal is its last argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendEnd {
    NeedMore,
    /// The command is complete; `consumed` octets end it.
    End {
        consumed: usize,
    },
    /// Something else, up to the next line end: BAD.
    Bad,
}

/// Looks at the input behind an APPEND's message.
pub fn end_of_append(input: &[u8]) -> AppendEnd {
    match input {
        [b'\r', b'\n', ..] => AppendEnd::End { consumed: 2 },
        // The CR was counted in: clients do so, and a line end behind counted octets hides nothing.
        [b'\n', ..] => AppendEnd::End { consumed: 1 },
        [] | [b'\r'] => AppendEnd::NeedMore,
        _ => AppendEnd::Bad,
    }
}

#[cfg(test)]
mod tests;
