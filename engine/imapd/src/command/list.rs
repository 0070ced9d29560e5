//! LIST: RFC 3501 §6.3.8; LIST-EXTENDED: RFC 5258; SPECIAL-USE: RFC 6154; LIST-STATUS: RFC 5819.

use super::status;
use crate::hierarchy::{self, Entry};
use crate::outcome::{Answer, Done, Refusal};
use crate::session::Session;
use crate::special;
use ringpost_api::read;
use ringpost_imap::Bump;
use ringpost_imap::command::{List, StatusItems};
use ringpost_imap::data::{self, Listed};
use ringpost_imap::mailbox::{DELIMITER, Pattern};
use ringpost_types::MailboxId;

/// LIST.
pub(super) async fn run(session: &mut Session, list: &List<'_>) -> Answer {
    // RFC 3501 §6.3.8: an empty pattern asks for the delimiter and the root.
    if !list.extended && list.patterns == [""] {
        session
            .out()
            .extend_from_slice(b"* LIST (\\Noselect) \"/\" \"\"\r\n");
        return Ok(Done::plain("LIST completed."));
    }
    let account = session.account()?;
    let tree = hierarchy::read(&*session.snapshot()?, account)?;
    for (name, entry) in &tree {
        if is_chosen(entry, list) && matches(name, list) {
            write(session.out(), name, entry, list);
            if let (Some(items), Some(id)) = (list.returns.status, entry.mailbox) {
                status(session, id, items)?;
            }
            session.breathe_if_full().await?;
        }
    }
    Ok(Done::plain("LIST completed."))
}

/// The arena of a pattern lives no longer than the look: a future must not hold one across its waits.
fn matches(name: &str, list: &List<'_>) -> bool {
    let arena = Bump::new();
    let mut patterns = list.patterns.iter();
    patterns.any(|pattern| Pattern::new(list.reference, pattern, &arena).matches(name))
}

/// Selection options. RFC 5258 §3.1.
fn is_chosen(entry: &Entry, list: &List<'_>) -> bool {
    let selection = list.selection;
    let of_use = !selection.special_use || special::attributes(entry.special).next().is_some();
    let chosen = match selection.subscribed {
        true => entry.is_subscribed() || selection.recursive_match && entry.subscribed_below,
        false => entry.mailbox.is_some() || entry.children,
    };
    chosen && of_use
}

fn write(out: &mut Vec<u8>, name: &str, entry: &Entry, list: &List<'_>) {
    let mut attributes: Vec<&str> = Vec::with_capacity(8);
    if entry.mailbox.is_none() {
        // RFC 5258 §3: \NonExistent implies \Noselect, which every client knows.
        attributes.push("\\Noselect");
        if list.extended {
            attributes.push("\\NonExistent");
        }
    }
    attributes.push(match entry.children {
        true => "\\HasChildren",
        false => "\\HasNoChildren",
    });
    if (list.selection.subscribed || list.returns.subscribed) && entry.is_subscribed() {
        attributes.push("\\Subscribed");
    }
    // RFC 6154 §2: plain LIST may tell them too, and older clients find them only there.
    attributes.extend(special::attributes(entry.special));
    let recursive = list.selection.subscribed && list.selection.recursive_match;
    data::list(
        out,
        Listed {
            response: "LIST",
            attributes: &attributes,
            delimiter: Some(DELIMITER),
            mailbox: name,
            child_subscribed: recursive && entry.subscribed_below,
        },
    );
}

/// RFC 5819 §2: a mailbox that is gone by now gets no STATUS, which the client must bear.
fn status(session: &mut Session, id: MailboxId, items: StatusItems) -> Result<(), Refusal> {
    let account = session.account()?;
    let snapshot = session.context.store.snapshot()?;
    if let Some(row) = read::mailbox(&*snapshot, account, id)? {
        status::write(session.connection.output(), &row, items);
    }
    Ok(())
}
