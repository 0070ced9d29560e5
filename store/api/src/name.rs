//! Mailbox names: UTF-8, levels separated by `/`, INBOX in any case. RFC 9051 §5.1.
//!
//! In:  a name as a client gave it, decoded to UTF-8.
//! Out: the one form under which the store knows it, or why it is none.

use crate::{Error, key};
use ringpost_types::limit::Limits;
use std::borrow::Cow;

/// Octets of the longest name, whatever limit `mailbox_name_octets_max` says: it stands in a key behind an account.
pub const OCTETS_MAX: usize = key::OCTETS_MAX - 4;

/// What separates levels.
pub const SEPARATOR: char = '/';

/// The name with INBOX as its first level in upper case. RFC 9051 §5.1.
pub fn canonical(name: &str) -> Cow<'_, str> {
    let level = name.split(SEPARATOR).next().unwrap_or_default();
    if level.eq_ignore_ascii_case("INBOX") && level != "INBOX" {
        return Cow::Owned(format!("INBOX{}", &name[level.len()..]));
    }
    Cow::Borrowed(name)
}

/// The canonical form of a name that may be made. One separator at the end is taken off: it says that the client
/// means to make names below this one. RFC 9051 §6.3.4.
pub fn check(name: &str, limits: &Limits) -> Result<String, Error> {
    let name = name.strip_suffix(SEPARATOR).unwrap_or(name);
    if name.len() as u64 > limits.mailbox_name_octets_max.min(OCTETS_MAX as u64) {
        return Err(Error::Limit("mailbox_name_octets_max"));
    }
    if name.split(SEPARATOR).any(str::is_empty) {
        return Err(Error::Cannot("a mailbox name has an empty level"));
    }
    // LIST could not name it: both are wildcards there. RFC 9051 §5.1 lets a server refuse them.
    if name.contains(['*', '%']) {
        return Err(Error::Cannot("a mailbox name must not have * or %"));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::Cannot(
            "a mailbox name must not have control characters",
        ));
    }
    Ok(canonical(name).into_owned())
}

/// The names above `name`, outermost first.
pub fn above(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices(SEPARATOR).map(|(at, _)| &name[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let long = "x".repeat(255);
        let longer = "x".repeat(256);
        let limits = Limits::default();
        let cases: &[(&str, Option<&str>)] = &[
            ("Archive", Some("Archive")),
            ("inbox", Some("INBOX")),
            ("InBox/a", Some("INBOX/a")),
            ("a/inbox", Some("a/inbox")),
            ("inboxes", Some("inboxes")),
            ("a/b/", Some("a/b")),
            ("Entwürfe/ä", Some("Entwürfe/ä")),
            (&long, Some(&long)),
            (&longer, None),
            ("", None),
            ("/", None),
            ("/a", None),
            ("a//b", None),
            ("a//", None),
            ("a*", None),
            ("a\nb", None),
        ];
        for (name, expected) in cases {
            assert_eq!(check(name, &limits).ok().as_deref(), *expected, "{name:?}");
        }
        for (limit, most) in [(1, 1), (300, 300), (u64::MAX, OCTETS_MAX)] {
            let limits = Limits {
                mailbox_name_octets_max: limit,
                ..Limits::default()
            };
            assert!(check(&"x".repeat(most), &limits).is_ok(), "{limit}");
            assert_eq!(
                check(&"x".repeat(most + 1), &limits),
                Err(Error::Limit("mailbox_name_octets_max"))
            );
        }
        assert_eq!(above("a/b/c").collect::<Vec<_>>(), ["a", "a/b"]);
    }
}
