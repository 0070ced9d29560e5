//! CREATE, with the use of RFC 6154 where asked for. RFC 3501 §6.3.3.

use crate::outcome::{Answer, Done, Refusal};
use crate::session::Session;
use crate::special;
use ringpost_api::Write;
use ringpost_imap::Code;
use ringpost_imap::command::SpecialUse;

/// CREATE.
pub(super) async fn run(session: &mut Session, name: &str, uses: &[SpecialUse]) -> Answer {
    let account = session.account()?;
    if name.is_empty() {
        return Err(Refusal::No(Some(Code::Cannot), "A mailbox needs a name."));
    }
    let write = Write::MailboxCreate {
        account,
        name: name.into(),
        special: uses.iter().fold(0, |bits, &each| bits | special::bit(each)),
    };
    session.submit(write).await?;
    Ok(Done::plain("CREATE completed."))
}
