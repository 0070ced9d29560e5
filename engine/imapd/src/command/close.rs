//! CLOSE and UNSELECT: nothing is selected afterwards. RFC 3501 §6.4.2, RFC 3691.

use crate::outcome::{Answer, Done};
use crate::session::Session;
use crate::view::Access;
use ringpost_api::{Error, Write};

/// CLOSE: expunges, without a word about it, what a SELECT allows to change.
pub(super) async fn run(session: &mut Session) -> Answer {
    let view = session.selected()?;
    let write = (view.access == Access::ReadWrite).then_some(Write::Expunge {
        account: view.account,
        mailbox: view.mailbox,
        uids: None,
    });
    session.view = None;
    if let Some(write) = write {
        match session.submit(write).await {
            Ok(_) | Err(Error::NoMailbox) => {}
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
