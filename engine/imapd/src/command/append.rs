//! APPEND: a message from the client, through the same door as mail from the network. RFC 3501 §6.3.11, RFC 4315 §3.
//!
//! In:  the command up to its literal; the literal is taken as it comes, and a large one goes to disk meanwhile.
//! Out: OK [APPENDUID] when it is there.
//!
//! Whatever can be refused is refused before the literal is asked for. A literal that comes unasked (RFC 7888) is read
//! and thrown away first, up to the size of the largest message; beyond that the session ends.

use crate::outcome::{Answer, Done, End, Refusal};
use crate::session::Session;
use ringpost_api::Error as StoreError;
use ringpost_api::read::{self, Room};
use ringpost_api::write::Placed;
use ringpost_delivery::{Append as Order, Error, Ingest};
use ringpost_imap::command::Append;
use ringpost_imap::parse::{AppendEnd, end_of_append};
use ringpost_imap::{Code, response};
use ringpost_log::LogError;
use ringpost_runtime::{event, time};

const TOO_BIG: Refusal = Refusal::No(Some(Code::TooBig), "That message is too big.");

/// APPEND.
pub(crate) async fn run(session: &mut Session, append: Append<'_>) -> Answer {
    let octets_max = session.context.limits.imap_append_octets_max;
    let ready = prepare(session, &append, octets_max);
    let (order, ingest) = match ready {
        Ok(ready) => ready,
        Err(refusal) if append.synchronizing => return Err(refusal),
        Err(_) if append.octets > octets_max => return Err(End::Bye("That is too big.").into()),
        // A stranger does not get to send megabytes for nothing.
        Err(_)
            if session.login.is_none()
                && append.octets > session.context.limits.imap_literal_octets_max =>
        {
            return Err(End::Bye("Log in first.").into());
        }
        Err(refusal) => {
            skip(session, append.octets).await?;
            end(session).await?;
            return Err(refusal);
        }
    };
    if append.synchronizing {
        response::continuation(session.out(), "Send the message.");
    }
    // What goes wrong meanwhile refuses the message, after the rest of it.
    let received = receive(session, append.octets, ingest).await?;
    end(session).await?;
    let placed = match received {
        Ok(ingest) => place(session, order, ingest).await,
        Err(error) => Err(error),
    };
    let placed = placed.map_err(|error| {
        event!(session.trace, "imap: append failed: {error}");
        refuse(error)
    })?;
    let code = Code::AppendUid {
        uidvalidity: placed.uidvalidity,
        uid: placed.uid,
    };
    Ok(Done::coded(code, "APPEND completed."))
}

/// Everything that can be known before the message is there.
fn prepare(
    session: &Session,
    append: &Append<'_>,
    octets_max: u64,
) -> Result<(Order, Ingest), Refusal> {
    if session.login.is_none() {
        return Err(Refusal::Bad("Log in first."));
    }
    if append.octets > octets_max {
        return Err(TOO_BIG);
    }
    if append.octets == 0 {
        // RFC 3502 §6.3.11: an empty message is one that the client has given up.
        return Err(Refusal::No(Some(Code::Cannot), "The message is empty."));
    }
    if append.flags.keywords.len() as u64 > session.context.limits.imap_keywords_max {
        return Err(Refusal::No(Some(Code::Limit), "Too many keywords."));
    }
    let mailbox = session
        .mailbox(append.mailbox)?
        .ok_or(Refusal::TRY_CREATE)?;
    let account = session.account()?;
    if read::room(&*session.snapshot()?, account, append.octets)? != Room::Enough {
        return Err(StoreError::Quota.into());
    }
    let post = &session.context.post;
    let room = post.has_room_for(append.octets);
    let ingest = room.and_then(|()| post.ingest(Some(append.octets), b""));
    let ingest = ingest.map_err(refuse)?;
    let order = Order {
        account,
        mailbox,
        flags: append.flags.system,
        keywords: append
            .flags
            .keywords
            .iter()
            .map(|&keyword| keyword.into())
            .collect(),
        internal_date: append.date.unwrap_or_else(time::now_unix),
    };
    Ok((order, ingest))
}

/// The message is there: into the mailbox.
async fn place(session: &Session, order: Order, ingest: Ingest) -> Result<Placed, Error> {
    let arrived = ingest.finish().await?;
    session.context.post.append(order, arrived).await
}

/// Takes a literal of `octets` octets as it comes, a large one no faster than the disk does. After an error the rest of it
/// goes nowhere.
async fn receive(
    session: &mut Session,
    octets: u64,
    ingest: Ingest,
) -> Result<Result<Ingest, Error>, End> {
    let mut received = Ok(ingest);
    let mut left = octets;
    while left > 0 {
        session.input().await?;
        let run = run_of(session, left);
        if let Ok(ingest) = &mut received
            && let Err(error) = ingest.body(&session.connection.input()[..run]).await
        {
            received = Err(error);
        }
        session.connection.consume(run);
        left -= run as u64;
    }
    Ok(received)
}

/// Throws a literal of `octets` octets away.
async fn skip(session: &mut Session, octets: u64) -> Result<(), End> {
    let mut left = octets;
    while left > 0 {
        session.input().await?;
        let run = run_of(session, left);
        session.connection.consume(run);
        left -= run as u64;
    }
    Ok(())
}

/// How much of the input belongs to a literal that has `left` octets to come.
fn run_of(session: &Session, left: u64) -> usize {
    let input = session.connection.input().len();
    input.min(usize::try_from(left).unwrap_or(usize::MAX))
}

/// Takes the CRLF that ends the command. Anything else, a second message (RFC 3502) among it, is refused up to the
/// end of its line.
async fn end(session: &mut Session) -> Result<(), Refusal> {
    let mut octets = Vec::new();
    loop {
        session.more(&mut octets).await?;
        match end_of_append(&octets) {
            AppendEnd::End { .. } => return Ok(()),
            AppendEnd::NeedMore => {}
            // The octets of a second message are on their way and must not be taken for commands. RFC 7888 §4.
            AppendEnd::Bad if octets.ends_with(b"+}\r\n") => {
                return Err(End::Bye("APPEND takes one message.").into());
            }
            AppendEnd::Bad if octets.ends_with(b"\n") => {
                return Err(Refusal::Bad("APPEND takes one message."));
            }
            AppendEnd::Bad
                if octets.len() as u64 > session.context.limits.imap_command_octets_max =>
            {
                return Err(End::Bye("That line is too long.").into());
            }
            AppendEnd::Bad => {}
        }
    }
}

/// What went wrong on the way into the store.
fn refuse(error: Error) -> Refusal {
    match error {
        Error::Memory | Error::Lag => {
            Refusal::No(Some(Code::Unavailable), "The server is busy; try again.")
        }
        Error::Log(LogError::Full) => {
            Refusal::No(Some(Code::Unavailable), "The disk is full; try again.")
        }
        Error::Log(_) => Refusal::No(Some(Code::ServerBug), "The server's mail log has failed."),
        Error::Store(StoreError::NoMailbox) => Refusal::TRY_CREATE,
        Error::Store(error) => error.into(),
    }
}
