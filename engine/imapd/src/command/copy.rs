//! COPY and MOVE, with COPYUID. RFC 3501 §6.4.7, RFC 6851, RFC 4315 §3.

use crate::outcome::{Answer, Done, DoneCode, Refusal};
use crate::session::Session;
use crate::view::Access;
use ringpost_api::write::Transfer;
use ringpost_api::{Error, Outcome, Write};
use ringpost_imap::command::{self, Numbers};
use ringpost_imap::{Code, Status, response};
use ringpost_types::{AccountId, MailboxId, Uid};

/// COPY: all of the messages or none. MOVE: each of them; its EXPUNGE responses are news and come before its OK.
pub(super) async fn run(
    session: &mut Session,
    command: &command::Transfer<'_>,
    mode: Transfer,
) -> Answer {
    let text = match mode {
        Transfer::Copy => "COPY completed.",
        Transfer::Move => "MOVE completed.",
    };
    let target = session
        .mailbox(command.mailbox)?
        .ok_or(Refusal::TRY_CREATE)?;
    let view = session.selected()?;
    if mode == Transfer::Move && view.access == Access::ReadOnly {
        return Err(Refusal::READ_ONLY);
    }
    let uids = view
        .chosen(&command.set, command.numbers)
        .ok_or(Refusal::Bad("There is no message of that number."))?;
    if uids.is_empty() {
        return Ok(Done::plain(text));
    }
    let order = Order {
        account: view.account,
        mailbox: view.mailbox,
        target,
        mode,
    };
    let asked = uids.len();
    let mut moved = 0;
    match mode {
        Transfer::Copy => {
            let (uidvalidity, pairs) = submit(session, order, uids).await?;
            moved += pairs.len();
            if moved == asked || (moved > 0 && command.numbers == Numbers::Uid) {
                return Ok(Done {
                    code: DoneCode::CopyUid { uidvalidity, pairs },
                    text,
                });
            }
        }
        Transfer::Move => {
            for some in uids.chunks(MOVE_MAX) {
                let (uidvalidity, pairs) = submit(session, order, some.to_vec()).await?;
                moved += pairs.len();
                if !pairs.is_empty() {
                    // RFC 6851 §4.3: before the EXPUNGE responses, thus untagged.
                    let pairs = &pairs;
                    let code = Code::CopyUid { uidvalidity, pairs };
                    response::untagged(session.out(), Status::Ok, Some(code), "Moved.");
                }
            }
        }
    }
    if moved < asked && command.numbers == Numbers::Sequence {
        // RFC 2180 §4.4.1: others have expunged some of them.
        return Err(Refusal::No(
            Some(Code::ExpungeIssued),
            "Some of the messages were gone.",
        ));
    }
    Ok(Done::plain(text))
}

/// Messages that one write moves, so that others write in between: RFC 6851 §3.3 wants each message here or there, COPY
/// all or none.
const MOVE_MAX: usize = 4_000;

/// What one write is to do with which messages.
#[derive(Clone, Copy)]
struct Order {
    account: AccountId,
    mailbox: MailboxId,
    target: MailboxId,
    mode: Transfer,
}

/// UIDVALIDITY of the target, and pairs of old and new UID.
async fn submit(
    session: &Session,
    order: Order,
    uids: Vec<Uid>,
) -> Result<(u32, Vec<(Uid, Uid)>), Refusal> {
    let write = Write::Transfer {
        account: order.account,
        mailbox: order.mailbox,
        uids,
        target: order.target,
        mode: order.mode,
    };
    let outcome = session.submit(write).await.map_err(|error| match error {
        Error::NoMailbox => Refusal::TRY_CREATE,
        error => error.into(),
    })?;
    match outcome {
        Outcome::Transferred { uidvalidity, pairs } => Ok((uidvalidity, pairs)),
        _ => Ok((0, Vec::new())),
    }
}
