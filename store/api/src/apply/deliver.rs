//! Delivery: a mail of a log into its mailboxes, exactly once.
//!
//! In:  a record of a log, which is durable there.
//! Out: a message row for each target, a queue row for each item, one blob row for all; the applied position, whatever
//! became of the record.
//!
//! Invariant: what was accepted is not lost. A target whose mailbox is gone goes to INBOX unless it said otherwise;
//! keywords beyond the limit are left off; only an account that is gone drops its copy. Rows of one account that are
//! damaged keep the mail from that one alone, which is told in [`Edits::missed`]. Quota refuses what is asked for with
//! [`Missing::Refuse`], an APPEND, and no mail that was accepted: whoever accepts asks [`read::room`] first.

use super::Terms;
use super::draft::Draft;
use super::queue;
use super::space::Space;
use crate::edits::Edits;
use crate::table::{BlobRow, MessageRow, flag};
use crate::write::{Deliver, Missing, Placed, Target};
use crate::{Error, Outcome, Snapshot, Table, key, read, text};
use ringpost_types::{MailboxId, Uid};

pub(super) fn deliver(
    rows: &dyn Snapshot,
    deliver: &Deliver,
    terms: Terms<'_>,
    edits: &mut Edits,
) -> Result<Outcome, Error> {
    let log = deliver.blob.log();
    if deliver.next.sequence <= read::applied(rows, log)?.sequence {
        return Ok(Outcome::Done);
    }
    let mut draft = Draft::new(rows, edits, terms);
    let outcome = match place(&mut draft, deliver) {
        Ok(placed) => draft.finish().map(|()| Outcome::Delivered(placed)),
        Err(error) => Err(error),
    };
    // Where rows are damaged or a number has run out, the mail's octets are kept for whoever repairs that.
    let nowhere = match &outcome {
        Ok(Outcome::Delivered(placed)) => {
            deliver.items.is_empty() && placed.iter().all(|placed| placed.uid == Uid(0))
        }
        outcome => matches!(
            outcome,
            Err(Error::NoMailbox | Error::NoAccount | Error::Quota)
        ),
    } && edits.missed.is_empty();
    if outcome.is_err() {
        edits.clear();
    }
    if nowhere {
        let mut space = Space::default();
        space.free(rows, edits, &blob_row(deliver, 0))?;
        space.finish(edits);
    }
    edits.put(Table::Applied, &key::log(log), &deliver.next.encode());
    outcome
}

/// Puts the rows; where each target's message is, in the order of the targets.
fn place(draft: &mut Draft<'_>, deliver: &Deliver) -> Result<Vec<Placed>, Error> {
    // All that may be refused is refused before the first edit counts for anything.
    for target in &deliver.targets {
        if target.missing == Missing::Refuse {
            draft.account(target.account)?;
            draft.mailbox(target.account, target.mailbox)?;
        }
    }
    let mut placed = Vec::with_capacity(deliver.targets.len());
    let mut references = 0;
    for target in &deliver.targets {
        let one = match place_one(draft, deliver, target) {
            Ok(one) => one,
            Err(Error::NoAccount) => dropped(target),
            // The others get it all the same. What the engine failed at is for all of the mail.
            Err(error @ (Error::Damaged(_) | Error::Limit(_) | Error::Cannot(_)))
                if target.missing == Missing::Inbox =>
            {
                draft.edits.missed.push((target.account, error));
                dropped(target)
            }
            Err(error) => return Err(error),
        };
        references += u32::from(one.uid != Uid(0));
        placed.push(one);
    }
    for target in &deliver.targets {
        if target.missing == Missing::Refuse {
            draft.within_quota(target.account)?;
        }
    }
    let is_local = references > 0;
    for item in &deliver.items {
        queue::put(draft, deliver.blob, item)?;
        references += 1;
    }
    if references > 0 {
        let key = key::blob(deliver.blob);
        let row = blob_row(deliver, references);
        draft.edits.put(Table::Blob, &key, &row.encode());
        draft.edits.put(Table::Digest, &key, &deliver.digest);
    }
    // Nobody searches the queue.
    if is_local {
        text::put(draft.edits, deliver.blob, &deliver.text);
    }
    Ok(placed)
}

fn blob_row(deliver: &Deliver, references: u32) -> BlobRow {
    BlobRow {
        log: deliver.blob.log(),
        segment: deliver.segment,
        offset: deliver.offset,
        octets: deliver.octets,
        stored: deliver.stored,
        encoding: deliver.encoding,
        checksum: deliver.checksum,
        record: deliver.record,
        references,
    }
}

/// What is told of a target that nothing was put for.
fn dropped(target: &Target) -> Placed {
    Placed {
        account: target.account,
        mailbox: MailboxId(0),
        uidvalidity: 0,
        uid: Uid(0),
    }
}

fn place_one(draft: &mut Draft<'_>, deliver: &Deliver, target: &Target) -> Result<Placed, Error> {
    let account = target.account;
    draft.account(account)?;
    let id = match draft.mailbox(account, target.mailbox) {
        Ok(_) => target.mailbox,
        Err(Error::NoMailbox) => MailboxId::INBOX,
        Err(error) => return Err(error),
    };
    let keywords_max = draft.keywords_max();
    let mailbox = draft.mailbox(account, id).map_err(|error| match error {
        Error::NoMailbox => Error::Damaged(format!("account {account} has no INBOX")),
        error => error,
    })?;
    let uidvalidity = mailbox.uidvalidity;
    let mut keywords = 0;
    for keyword in &target.keywords {
        keywords |= mailbox.add_keyword(keyword, keywords_max).unwrap_or(0);
    }
    let prefix_octets = u16::try_from(target.prefix.len())
        .map_err(|_| Error::Cannot("a prefix has at most 65,535 octets"))?;
    let octets = deliver.octets.saturating_add(prefix_octets.into());
    let row = MessageRow {
        modseq: Default::default(),
        blob: deliver.blob,
        keywords,
        internal_date: target.internal_date,
        octets: u32::try_from(octets).unwrap_or(u32::MAX),
        flags: target.flags & flag::ALL,
        prefix_octets,
    };
    let uid = draft.add_message(account, id, row, &target.prefix)?;
    Ok(Placed {
        account,
        mailbox: id,
        uidvalidity,
        uid,
    })
}
