//! STATUS: counters that the store keeps. RFC 3501 §6.3.10, RFC 8438.

use crate::outcome::{Answer, Done, Refusal};
use crate::session::Session;
use ringpost_api::read;
use ringpost_api::table::MailboxRow;
use ringpost_imap::command::StatusItems;
use ringpost_imap::data;

/// STATUS.
pub(super) fn run(session: &mut Session, name: &str, items: StatusItems) -> Answer {
    let account = session.account()?;
    let snapshot = session.context.store.snapshot()?;
    let found = read::mailbox_by_name(&*snapshot, account, name)?;
    let (_, row) = found.ok_or(Refusal::NO_MAILBOX)?;
    write(session.connection.output(), &row, items);
    Ok(Done::plain("STATUS completed."))
}

/// The untagged response.
pub(super) fn write(out: &mut Vec<u8>, row: &MailboxRow<'_>, items: StatusItems) {
    data::status(out, row.name, items, |item| value(row, item));
}

fn value(row: &MailboxRow<'_>, item: StatusItems) -> u64 {
    match item {
        StatusItems::MESSAGES => row.messages.into(),
        // An upper bound, exact until one of them is expunged: counting would walk the mailbox for a number that
        // IMAP4rev2 has dropped.
        StatusItems::RECENT => row
            .uidnext
            .0
            .saturating_sub(row.recent_from.0)
            .min(row.messages)
            .into(),
        StatusItems::UIDNEXT => row.uidnext.0.into(),
        StatusItems::UIDVALIDITY => row.uidvalidity.into(),
        StatusItems::UNSEEN => row.unseen.into(),
        StatusItems::DELETED => row.deleted.into(),
        StatusItems::SIZE => row.octets,
        StatusItems::HIGHESTMODSEQ => row.highest_modseq.0,
        _ => 0,
    }
}
