//! DELETE: a mailbox and its messages; those below it stay. RFC 3501 §6.3.4.

use crate::outcome::{Answer, Done};
use crate::session::Session;
use ringpost_api::Write;
use ringpost_imap::{Code, Status, response};

/// DELETE. Where it is the selected one, nothing is selected afterwards.
pub(super) async fn run(session: &mut Session, name: &str) -> Answer {
    let account = session.account()?;
    let id = session.mailbox(name)?;
    let write = Write::MailboxDelete {
        account,
        name: name.into(),
    };
    session.submit(write).await?;
    if session
        .view
        .as_ref()
        .is_some_and(|view| Some(view.mailbox) == id)
    {
        session.view = None;
        let text = "The selected mailbox is gone.";
        response::untagged(session.out(), Status::Ok, Some(Code::Closed), text);
    }
    Ok(Done::plain("DELETE completed."))
}
