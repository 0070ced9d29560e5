//! EXPUNGE and UID EXPUNGE. RFC 3501 §6.4.3, RFC 4315 §2.1.

use crate::outcome::{Answer, Done};
use crate::session::Session;
use ringpost_api::Write;
use ringpost_imap::SequenceSet;
use ringpost_imap::command::Numbers;

/// Removes what has `\Deleted`, among `set` where given. The EXPUNGE responses are news like anyone's: they come
/// from the change rows when the command ends.
pub(super) async fn run(session: &mut Session, set: Option<SequenceSet<'_>>) -> Answer {
    let view = session.writable()?;
    let write = Write::Expunge {
        account: view.account,
        mailbox: view.mailbox,
        uids: set.map(|set| view.chosen(&set, Numbers::Uid).unwrap_or_default()),
    };
    session.submit(write).await?;
    Ok(Done::plain("EXPUNGE completed."))
}
