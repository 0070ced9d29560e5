//! EXPUNGE and UID EXPUNGE. RFC 3501 §6.4.3, RFC 4315 §2.1.

use crate::outcome::{Answer, Done};
use crate::session::Session;
use ringpost_api::apply::EXPUNGE_MAX;
use ringpost_api::{Error, Outcome, Write};
use ringpost_imap::SequenceSet;
use ringpost_imap::command::Numbers;
use ringpost_types::{AccountId, MailboxId};

/// Removes what has `\Deleted`, among `set` where given. The EXPUNGE responses are news like anyone's: they come
/// from the change rows when the command ends.
pub(super) async fn run(session: &mut Session, set: Option<SequenceSet<'_>>) -> Answer {
    let view = session.writable()?;
    let (account, mailbox) = (view.account, view.mailbox);
    match set {
        None => everything(session, account, mailbox).await?,
        Some(set) => {
            let chosen = view.chosen(&set, Numbers::Uid).unwrap_or_default();
            for uids in chosen.chunks(EXPUNGE_MAX) {
                let write = Write::Expunge {
                    account,
                    mailbox,
                    uids: Some(uids.to_vec()),
                };
                session.submit(write).await?;
            }
        }
    }
    Ok(Done::plain("EXPUNGE completed."))
}

/// Removes all that has `\Deleted`, in as many writes as that takes: others write in between.
pub(super) async fn everything(
    session: &Session,
    account: AccountId,
    mailbox: MailboxId,
) -> Result<(), Error> {
    loop {
        let write = Write::Expunge {
            account,
            mailbox,
            uids: None,
        };
        match session.submit(write).await? {
            Outcome::Expunged { more: true, .. } => {}
            _ => return Ok(()),
        }
    }
}
