//! COPY and MOVE, with COPYUID. RFC 3501 §6.4.7, RFC 6851, RFC 4315 §3.

use crate::outcome::{Answer, Done, DoneCode, Refusal};
use crate::session::Session;
use crate::view::Access;
use ringpost_api::write::Transfer;
use ringpost_api::{Error, Outcome, Write};
use ringpost_imap::command::{self, Numbers};
use ringpost_imap::{Code, Status, response};

/// COPY, MOVE: all of the messages or none. The EXPUNGE responses of MOVE are news and come before its OK.
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
    let asked = uids.len();
    let write = Write::Transfer {
        account: view.account,
        mailbox: view.mailbox,
        uids,
        target,
        mode,
    };
    let outcome = session.submit(write).await.map_err(|error| match error {
        Error::NoMailbox => Refusal::TRY_CREATE,
        error => error.into(),
    })?;
    let Outcome::Transferred { uidvalidity, pairs } = outcome else {
        return Ok(Done::plain(text));
    };
    if pairs.len() < asked && command.numbers == Numbers::Sequence {
        // RFC 2180 §4.4.1: others have expunged some of them.
        return Err(Refusal::No(
            Some(Code::ExpungeIssued),
            "Some of the messages were gone.",
        ));
    }
    match mode {
        _ if pairs.is_empty() => Ok(Done::plain(text)),
        Transfer::Copy => Ok(Done {
            code: DoneCode::CopyUid { uidvalidity, pairs },
            text,
        }),
        // RFC 6851 §4.3: before the EXPUNGE responses, thus untagged.
        Transfer::Move => {
            let code = Code::CopyUid {
                uidvalidity,
                pairs: &pairs,
            };
            response::untagged(session.out(), Status::Ok, Some(code), "Moved.");
            Ok(Done::plain(text))
        }
    }
}
