//! CLOSE and UNSELECT: nothing is selected afterwards. RFC 3501 §6.4.2, RFC 3691.

use super::expunge::everything;
use crate::outcome::{Answer, Done};
use crate::session::Session;
use crate::view::Access;
use ringpost_api::Error;

/// CLOSE: expunges, without a word about it, what a SELECT allows to change.
pub(super) async fn run(session: &mut Session) -> Answer {
    let view = session.selected()?;
    let (account, mailbox) = (view.account, view.mailbox);
    let may_change = view.access == Access::ReadWrite;
    session.view = None;
    if may_change {
        match everything(session, account, mailbox).await {
            Ok(()) | Err(Error::NoMailbox) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Done::plain("CLOSE completed."))
}

/// UNSELECT: no message is removed.
pub(super) fn unselect(session: &mut Session) -> Answer {
    session.view = None;
    Ok(Done::plain("UNSELECT completed."))
}
