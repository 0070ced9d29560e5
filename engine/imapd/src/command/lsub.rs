//! LSUB: subscribed names, there or not. RFC 3501 §6.3.9.

use crate::hierarchy::{self, Entry};
use crate::outcome::{Answer, Done};
use crate::session::Session;
use ringpost_imap::Bump;
use ringpost_imap::data::{self, Listed};
use ringpost_imap::mailbox::{DELIMITER, Pattern};

/// LSUB.
pub(super) async fn run(session: &mut Session, reference: &str, pattern: &str) -> Answer {
    if pattern.is_empty() {
        session
            .out()
            .extend_from_slice(b"* LSUB (\\Noselect) \"/\" \"\"\r\n");
        return Ok(Done::plain("LSUB completed."));
    }
    let account = session.account()?;
    let tree = hierarchy::read(&*session.snapshot()?, account)?;
    let chosen: Vec<(&String, &Entry)> = {
        let arena = Bump::new();
        let wanted = Pattern::new(reference, pattern, &arena);
        // RFC 3501 §6.3.9: % shows the level above a subscribed name, as \Noselect, though itself unsubscribed.
        let levels = pattern.ends_with('%');
        let shown = |entry: &Entry| entry.is_subscribed() || levels && entry.subscribed_below;
        tree.iter()
            .filter(|(name, entry)| shown(entry) && wanted.matches(name))
            .collect()
    };
    for (name, entry) in chosen {
        let attributes: &[&str] = match entry.is_subscribed() {
            true => &[],
            false => &["\\Noselect"],
        };
        data::list(
            session.out(),
            Listed {
                response: "LSUB",
                attributes,
                delimiter: Some(DELIMITER),
                mailbox: name,
                child_subscribed: false,
            },
        );
        session.breathe_if_full().await?;
    }
    Ok(Done::plain("LSUB completed."))
}
