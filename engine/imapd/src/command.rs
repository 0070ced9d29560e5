//! Commands, one per file, and the table of which one may come when. RFC 3501 §6.
//!
//! Each is `run(session, arguments) -> Answer`; it writes its untagged responses and leaves the tagged one to
//! [`crate::serve`].

pub(crate) mod append;
mod authenticate;
pub(crate) mod capability;
mod close;
mod copy;
mod create;
mod delete;
mod enable;
mod expunge;
mod fetch;
mod id;
pub(crate) mod idle;
mod list;
mod login;
mod logout;
mod lsub;
mod namespace;
mod noop;
mod rename;
mod search;
mod select;
mod starttls;
mod status;
mod store;
mod subscribe;

use crate::outcome::{Answer, Refusal};
use crate::session::Session;
use crate::view::Access;
use ringpost_api::write::Transfer;
use ringpost_imap::Command;

/// When a command may come. RFC 3501 §3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Any,
    NotAuthenticated,
    Authenticated,
    Selected,
}

fn state(command: &Command<'_>) -> State {
    match command {
        Command::Capability | Command::Noop | Command::Logout | Command::Id(_) => State::Any,
        Command::StartTls | Command::Authenticate { .. } | Command::Login { .. } => {
            State::NotAuthenticated
        }
        Command::Enable(_)
        | Command::Select(_)
        | Command::Examine(_)
        | Command::Create { .. }
        | Command::Delete(_)
        | Command::Rename { .. }
        | Command::Subscribe(_)
        | Command::Unsubscribe(_)
        | Command::List(_)
        | Command::Lsub { .. }
        | Command::Namespace
        | Command::Status { .. }
        | Command::Idle => State::Authenticated,
        Command::Check
        | Command::Close
        | Command::Unselect
        | Command::Expunge
        | Command::UidExpunge(_)
        | Command::Search(_)
        | Command::Fetch(_)
        | Command::Store(_)
        | Command::Copy(_)
        | Command::Move(_) => State::Selected,
    }
}

fn permit(session: &Session, command: &Command<'_>) -> Result<(), Refusal> {
    match state(command) {
        State::NotAuthenticated if session.login.is_some() => {
            Err(Refusal::Bad("Already logged in."))
        }
        State::Authenticated | State::Selected if session.login.is_none() => {
            Err(Refusal::Bad("Log in first."))
        }
        State::Selected if session.view.is_none() => Err(Refusal::Bad("Select a mailbox first.")),
        State::Authenticated | State::Selected => session.is_welcome(),
        _ => Ok(()),
    }
}

/// Carries out one command.
pub(crate) async fn run(session: &mut Session, tag: &str, command: Command<'_>) -> Answer {
    permit(session, &command)?;
    match command {
        Command::Capability => capability::run(session),
        Command::Noop => noop::run("NOOP completed."),
        Command::Check => noop::run("CHECK completed."),
        Command::Logout => logout::run(session, tag),
        Command::Id(fields) => id::run(session, fields),
        Command::StartTls => starttls::run(session, tag).await,
        Command::Authenticate { mechanism, initial } => {
            authenticate::run(session, mechanism, initial).await
        }
        Command::Login { user, password } => login::run(session, user, password).await,
        Command::Enable(names) => enable::run(session, names),
        Command::Select(name) => select::run(session, name, Access::ReadWrite).await,
        Command::Examine(name) => select::run(session, name, Access::ReadOnly).await,
        Command::Create { mailbox, special } => create::run(session, mailbox, special).await,
        Command::Delete(name) => delete::run(session, name).await,
        Command::Rename { from, to } => rename::run(session, from, to).await,
        Command::Subscribe(name) => subscribe::run(session, name, true).await,
        Command::Unsubscribe(name) => subscribe::run(session, name, false).await,
        Command::List(list) => list::run(session, &list).await,
        Command::Lsub { reference, pattern } => lsub::run(session, reference, pattern).await,
        Command::Namespace => namespace::run(session),
        Command::Status { mailbox, items } => status::run(session, mailbox, items),
        // Waits outside of this future: [`idle::run`].
        Command::Idle => Err(Refusal::Bad("Log in first.")),
        Command::Close => close::run(session).await,
        Command::Unselect => close::unselect(session),
        Command::Expunge => expunge::run(session, None).await,
        Command::UidExpunge(set) => expunge::run(session, Some(set)).await,
        Command::Search(search) => search::run(session, tag, &search).await,
        Command::Fetch(fetch) => fetch::run(session, &fetch).await,
        Command::Store(store) => store::run(session, &store).await,
        Command::Copy(copy) => copy::run(session, &copy, Transfer::Copy).await,
        Command::Move(copy) => copy::run(session, &copy, Transfer::Move).await,
    }
}
