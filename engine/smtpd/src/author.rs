//! Whose name a user's mail bears: every address of From, Sender, Resent-From and Resent-Sender must belong to the account.
//! RFC 6409 §6.1, §8.1. Whoever sends a stranger's mail on forwards it or attaches it: Resent- fields make nobody's From his.
//!
//! In:  a mail that has arrived, and who sent it. Out: nothing, or the refusal that names the address.
//!
//! Invariant: what cannot be checked is not sent: a header too large to be read whole is refused, and a From that says
//! something and names neither address nor group. A mail without From claims to be nobody's, and passes.

use crate::refusal;
use ringpost_api::Snapshot;
use ringpost_delivery::Arrived;
use ringpost_directory::Directory;
use ringpost_message::address::{Item, parse};
use ringpost_message::digest::{Address as Written, Addresses};
use ringpost_message::{Digest, Faults};
use ringpost_types::limit::Limits;
use ringpost_types::{AccountId, Address, Domain, Reply};

/// Characters of an address that a reply shows.
const SHOWN_MAX: usize = 100;

/// See the head of this file.
pub(crate) fn check(
    directory: &Directory,
    snapshot: &dyn Snapshot,
    account: AccountId,
    mail: &Arrived,
    limits: &Limits,
) -> Result<(), Reply> {
    let digest = Digest::read(&mail.digest).map_err(|_| refusal::TROUBLE)?;
    let unread = [
        Faults::HEADER_LIMIT,
        Faults::FIELDS_LIMIT,
        Faults::DIGEST_LIMIT,
    ];
    if unread.iter().any(|fault| digest.faults().has(*fault)) {
        return Err(refusal::HEADER_UNREAD);
    }
    let envelope = digest.envelope();
    let mut room = limits.smtp_authors_max;
    let mut owns = |local: &[u8], host: &[u8]| {
        room = room.checked_sub(1).ok_or(refusal::TOO_MANY_AUTHORS)?;
        let own = match address(local, host) {
            Some(address) => directory
                .may_send_as(snapshot, account, &address)
                .map_err(|_| refusal::TROUBLE)?,
            None => false,
        };
        match own {
            true => Ok(()),
            false => Err(refusal::not_your_author(&shown(local, host))),
        }
    };
    if mail.authors.has_from && envelope.from.count() == 0 {
        return Err(refusal::NO_AUTHOR);
    }
    for list in [envelope.from, envelope.sender] {
        mailboxes(list).try_for_each(|(local, host)| owns(local, host))?;
    }
    mail.authors.resent.iter().try_for_each(|value| {
        let mut owned = Ok(());
        parse(value, &mut |item| {
            if let (Item::Mailbox { mailbox, host, .. }, Ok(())) = (item, &owned) {
                owned = owns(mailbox, host);
            }
        });
        owned
    })
}

fn mailboxes<'d>(list: Addresses<'d>) -> impl Iterator<Item = (&'d [u8], &'d [u8])> {
    list.filter_map(|item| match item {
        Written::Mailbox { mailbox, host, .. } => Some((mailbox, host)),
        Written::GroupStart(_) | Written::GroupEnd => None,
    })
}

fn address(local: &[u8], host: &[u8]) -> Option<Address> {
    let (local, host) = (std::str::from_utf8(local).ok()?, std::str::from_utf8(host));
    Address::from_parts(local, Domain::parse(host.ok()?).ok()?).ok()
}

/// As a reply may show it: bounded, printable, in ASCII.
fn shown(local: &[u8], host: &[u8]) -> String {
    let octets = [local, b"@", host].concat();
    let text = String::from_utf8_lossy(&octets);
    let plain = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    text.chars().take(SHOWN_MAX).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reply_shows() {
        assert_eq!(shown(b"a\r\nb", "b\u{e9}".as_bytes()), "a??b@b?");
        assert_eq!(shown(&[b'a'; 1_000], b"b").len(), SHOWN_MAX);
    }

    #[test]
    fn what_is_no_address_belongs_to_nobody() {
        assert!(address(b"alice", b"").is_none());
        assert!(address(b"", b"example.org").is_none());
        assert!(address(b"\xff", b"example.org").is_none());
        assert!(address(b"alice", b"example.org").is_some());
    }
}
