//! The uses of mailboxes: bits in the store, attributes on the wire. RFC 6154 §2.

use ringpost_api::table::special;
use ringpost_imap::command::SpecialUse;

/// The store's bit of a use.
pub(crate) fn bit(r#use: SpecialUse) -> u32 {
    match r#use {
        SpecialUse::All => special::ALL,
        SpecialUse::Archive => special::ARCHIVE,
        SpecialUse::Drafts => special::DRAFTS,
        SpecialUse::Flagged => special::FLAGGED,
        SpecialUse::Junk => special::JUNK,
        SpecialUse::Sent => special::SENT,
        SpecialUse::Trash => special::TRASH,
    }
}

/// The attributes of a mailbox row's word.
pub(crate) fn attributes(bits: u32) -> impl Iterator<Item = &'static str> {
    let uses = SpecialUse::ALL.iter();
    uses.filter(move |(each, _)| bits & bit(*each) != 0)
        .map(|(_, name)| *name)
}
