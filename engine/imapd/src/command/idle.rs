//! IDLE: news as they come, until DONE. RFC 2177.
//!
//! The one state in which most sessions of a mail server live: it holds no buffer, no snapshot, no boxed command;
//! what it waits for is a socket to become readable, a mailbox to change, the server to drain, or time to pass.

use crate::outcome::{Done, End, Refusal};
use crate::serve;
use crate::session::Session;
use crate::view::Renumber;
use ringpost_imap::{parse, response};
use ringpost_runtime::Watch;
use ringpost_runtime::time::{self, First};

/// `DONE`, and room for one that mistypes it.
const LINE_OCTETS_MAX: usize = 64;

/// What ended a wait.
enum Woken {
    Input,
    Changed,
}

/// IDLE, in the authenticated or the selected state.
pub(crate) async fn run(session: &mut Session, tag: String) -> Result<(), End> {
    // Watching begins before the first look: no change falls between them.
    let mut watch = session
        .view
        .as_ref()
        .map(|view| session.context.shard.hub.watch(view.account, view.mailbox));
    response::continuation(session.out(), "Waiting.");
    loop {
        Box::pin(news(session)).await?;
        if session.connection.input().is_empty() {
            session.flush().await?;
            match wait(session, watch.as_mut()).await? {
                Woken::Changed => continue,
                Woken::Input => {}
            }
        }
        break;
    }
    drop(watch);
    Box::pin(done(session, &tag)).await
}

/// News: EXPUNGE is allowed, for IDLE is a command in progress that numbers nothing. RFC 2177 §3.
async fn news(session: &mut Session) -> Result<(), End> {
    match session.news(Renumber::Now).await {
        Err(Refusal::End(end)) => Err(end),
        Err(_) => Err(End::Bye("The server's store has failed.")),
        Ok(()) => Ok(()),
    }
}

async fn wait(session: &mut Session, watch: Option<&mut Watch>) -> Result<Woken, End> {
    let changed = async {
        match watch {
            Some(watch) => watch.changed().await,
            None => std::future::pending().await,
        }
    };
    let news = time::first(changed, session.context.shard.drain());
    match time::first(session.connection.readable(), news).await {
        First::A(Ok(())) => Ok(Woken::Input),
        First::A(Err(error)) => Err(End::of(&error)),
        First::B(First::A(_)) => Ok(Woken::Changed),
        First::B(First::B(())) => Err(End::DRAIN),
    }
}

/// Reads the line that ends IDLE and answers it.
async fn done(session: &mut Session, tag: &str) -> Result<(), End> {
    let line = match session.line(LINE_OCTETS_MAX).await {
        Ok(line) => line,
        Err(Refusal::End(end)) => return Err(end),
        Err(_) => return Err(End::Bye("IDLE ends with DONE.")),
    };
    let answer = match parse::done(&line) {
        true => Ok(Done::plain("IDLE completed.")),
        false => Err(Refusal::Bad("IDLE ends with DONE.")),
    };
    serve::finish(session, tag, Renumber::Now, answer).await
}
