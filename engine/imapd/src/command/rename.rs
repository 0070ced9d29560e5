//! RENAME: a mailbox and all below it; INBOX gives its messages away and stays. RFC 3501 §6.3.5.

use crate::outcome::{Answer, Done, Refusal};
use crate::session::Session;
use ringpost_api::Write;
use ringpost_imap::Code;

/// RENAME.
pub(super) async fn run(session: &mut Session, from: &str, to: &str) -> Answer {
    let account = session.account()?;
    if to.is_empty() {
        return Err(Refusal::No(Some(Code::Cannot), "A mailbox needs a name."));
    }
    let write = Write::MailboxRename {
        account,
        from: from.into(),
        to: to.into(),
    };
    session.submit(write).await?;
    Ok(Done::plain("RENAME completed."))
}
