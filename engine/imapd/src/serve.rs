//! The life of a session: greeting, commands one after the other, BYE.
//!
//! In:  an accepted connection.
//! Out: nothing; when it returns the connection is closed and the session's end is told.
//!
//! Invariants: the tagged answer of every command is written here, once, after the news of the selected mailbox;
//! answers are sent when no further command is waiting in the input, so pipelined commands share a send. What a
//! command needs lives in one boxed future, so that a session that waits for its client is small.

use crate::command::{self, idle};
use crate::context::{Context, TlsMode};
use crate::outcome::{Answer, Done, End, Refusal};
use crate::session::Session;
use crate::view::Renumber;
use ringpost_imap::command::{Append, Numbers};
use ringpost_imap::parse::Then;
use ringpost_imap::{Bump, Code, Command, Parsed, Progress, Status, parse, response};
use ringpost_runtime::{Connection, event};
use std::rc::Rc;

/// Serves one connection to its end.
pub async fn serve(connection: Connection, context: Rc<Context>) {
    let entered = context.enter();
    let mut session = Session::new(connection, context);
    let end = match (shake_hands(&mut session).await, &entered) {
        (Err(end), _) => end,
        (Ok(()), Some(_)) => run(&mut session).await,
        (Ok(()), None) => End::Bye("Too many connections."),
    };
    Box::pin(farewell(session, end)).await;
}

/// TLS from the first octet on, where the listener has it so and has not seen to it itself. RFC 8314 §3.2.
async fn shake_hands(session: &mut Session) -> Result<(), End> {
    let tls = match (session.context.tls_mode, &session.context.tls) {
        (TlsMode::Implicit, Some(tls)) => tls.clone(),
        // The configuration does not get here without a certificate.
        (TlsMode::Implicit, None) => return Err(End::Lost),
        _ => return Ok(()),
    };
    if session.connection.tls().is_some() {
        return Ok(());
    }
    let shaken = Box::pin(session.connection.start_tls(&tls)).await;
    shaken.map_err(|error| {
        event!(session.trace, "imap: TLS failed: {error}");
        End::Lost
    })
}

/// Greeting and commands, until the session ends.
async fn run(session: &mut Session) -> End {
    greet(session);
    loop {
        let next = match next(session).await {
            // Pipelined commands share a send, up to a bound.
            Ok(Next::Command) => session.breathe_if_full().await,
            Ok(Next::Idle { tag }) => idle::run(session, tag).await,
            Err(end) => Err(end),
        };
        if let Err(end) = next {
            return end;
        }
    }
}

/// `* OK [CAPABILITY ...]`. RFC 3501 §7.1: it saves the client a round trip.
fn greet(session: &mut Session) {
    let capabilities = command::capability::names(session);
    let code = Code::Capability(&capabilities);
    response::untagged(session.out(), Status::Ok, Some(code), "Ringpost is ready.");
}

/// What [`next`] has done.
enum Next {
    /// One command, answered.
    Command,
    /// IDLE, which waits outside of the box.
    Idle { tag: String },
}

/// Reads one command and carries it out.
async fn next(session: &mut Session) -> Result<Next, End> {
    session.next_command().await?;
    let limits = session.context.limits.clone();
    let (mut octets, arena, mut progress) = (Vec::new(), Bump::new(), Progress::default());
    loop {
        session.more(&mut octets).await?;
        match parse(&mut progress, &octets, &arena, &limits) {
            Parsed::NeedMore => {}
            // The `+` goes out with the flush before the next wait.
            Parsed::NeedLiteral { .. } => response::continuation(session.out(), "Go on."),
            Parsed::Command {
                tag,
                command: Command::Idle,
                ..
            } if session.login.is_some() => return Ok(Next::Idle { tag: tag.into() }),
            Parsed::Command { tag, command, .. } => {
                Box::pin(execute(session, tag, command)).await?;
                return Ok(Next::Command);
            }
            Parsed::Append { tag, append, .. } => {
                Box::pin(take(session, tag, append)).await?;
                return Ok(Next::Command);
            }
            Parsed::Bad {
                tag, status, text, ..
            } => {
                let code = (status == Status::No).then_some(Code::Cannot);
                bad(session, tag, status, code, text)?;
                return Ok(Next::Command);
            }
            Parsed::TooBig {
                tag,
                status,
                text,
                then,
            } => {
                bad(session, tag, status, Some(Code::TooBig), text)?;
                return match then {
                    Then::GoOn { .. } => Ok(Next::Command),
                    Then::Bye => Err(End::Bye("That was too big.")),
                };
            }
        }
    }
}

/// Carries out one command and answers it.
async fn execute(session: &mut Session, tag: &str, command: Command<'_>) -> Result<(), End> {
    let renumber = renumber(&command);
    let answer = command::run(session, tag, command).await;
    finish(session, tag, renumber, answer).await
}

/// Carries out APPEND and answers it.
async fn take(session: &mut Session, tag: &str, append: Append<'_>) -> Result<(), End> {
    let answer = command::append::run(session, append).await;
    finish(session, tag, Renumber::Now, answer).await
}

/// News of the selected mailbox, then the tagged answer.
pub(crate) async fn finish(
    session: &mut Session,
    tag: &str,
    renumber: Renumber,
    answer: Answer,
) -> Result<(), End> {
    let answer = match answer {
        Err(Refusal::End(end)) => return Err(end),
        answer => session.news(renumber).await.and(answer),
    };
    match answer {
        Ok(Done { text: "", .. }) => Ok(()),
        Ok(Done { code, text }) => {
            response::tagged(session.out(), tag, Status::Ok, code.as_code(), text);
            Ok(())
        }
        Err(Refusal::No(code, text)) => {
            response::tagged(session.out(), tag, Status::No, code, text);
            Ok(())
        }
        Err(Refusal::Bad(text)) => bad(session, Some(tag), Status::Bad, None, text),
        Err(Refusal::End(end)) => Err(end),
    }
}

/// A refusal that counts: `imap_errors_max` of them end the session.
fn bad(
    session: &mut Session,
    tag: Option<&str>,
    status: Status,
    code: Option<Code<'_>>,
    text: &str,
) -> Result<(), End> {
    response::tagged(session.out(), tag.unwrap_or("*"), status, code, text);
    session.errors += 1;
    match session.errors < session.context.limits.imap_errors_max {
        true => Ok(()),
        false => Err(End::Bye("Too many errors.")),
    }
}

/// RFC 3501 §7.4.1: no EXPUNGE while FETCH, STORE or SEARCH is answered; the UID forms are other commands.
fn renumber(command: &Command<'_>) -> Renumber {
    let numbers = match command {
        Command::Fetch(fetch) => fetch.numbers,
        Command::Store(store) => store.numbers,
        Command::Search(search) => search.numbers,
        _ => Numbers::Uid,
    };
    match numbers {
        Numbers::Sequence => Renumber::Later,
        Numbers::Uid => Renumber::Now,
    }
}

/// BYE where there is one to say, what is written, and the end of the connection. RFC 3501 §7.1.5.
async fn farewell(mut session: Session, end: End) {
    let why = match end {
        End::Logout => "logout",
        End::Lost => "connection lost",
        End::Bye(text) => {
            response::untagged(session.out(), Status::Bye, None, text);
            text
        }
    };
    let name = session
        .login
        .as_ref()
        .map_or("-", |login| login.name.as_str());
    event!(
        session.trace,
        "imap: end account={name} peer={} errors={} why={why}",
        session.connection.peer(),
        session.errors
    );
    if end != End::Lost {
        session.connection.close().await;
    }
}
