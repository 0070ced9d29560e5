//! Names and passwords made comparable: SASLprep. RFC 4013.
//!
//! ASCII without control characters is its own prepared form, and is what nearly everybody types; it costs a look.

use std::borrow::Cow;

/// Octets of a name at most: an address has 320, and an application's name may follow it.
pub const NAME_OCTETS_MAX: usize = 512;

/// A name as it is looked up. `None`: empty, too long, or with characters that no name has.
pub fn name(text: &str) -> Option<Cow<'_, str>> {
    let prepared = prepared(text)?;
    (!prepared.is_empty() && prepared.len() <= NAME_OCTETS_MAX).then_some(prepared)
}

/// A password as it is hashed. What cannot be prepared, because it is no text or has control characters, stays as
/// it is: such a password works where it comes in the same octets. RFC 4616 §2 leaves that to us.
pub fn password(octets: &[u8]) -> Cow<'_, [u8]> {
    let text = std::str::from_utf8(octets).ok();
    match text.and_then(prepared) {
        Some(Cow::Owned(prepared)) => Cow::Owned(prepared.into_bytes()),
        _ => Cow::Borrowed(octets),
    }
}

fn prepared(text: &str) -> Option<Cow<'_, str>> {
    if text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        return Some(Cow::Borrowed(text));
    }
    // NFKC makes at most 18 characters of one; nothing that is too long already is worth the work.
    if text.len() > 2 * 1_024 {
        return None;
    }
    stringprep::saslprep(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4013 §3, and what lies beside it.
    #[test]
    fn examples() {
        const CASES: &[(&str, Option<&str>)] = &[
            ("I\u{ad}X", Some("IX")),
            ("user", Some("user")),
            ("USER", Some("USER")),
            ("\u{aa}", Some("a")),
            ("\u{2168}", Some("IX")),
            ("\u{7}", None),
            ("\u{627}1", None),
            ("a\u{a0}b", Some("a b")),
            ("", None),
            ("a\0b", None),
            ("u\u{308}ber", Some("\u{fc}ber")),
        ];
        for (text, expected) in CASES {
            assert_eq!(name(text).as_deref(), *expected, "{text:?}");
        }
    }

    #[test]
    fn bounds() {
        let at = "a".repeat(NAME_OCTETS_MAX);
        assert!(name(&at).is_some());
        assert!(name(&(at + "a")).is_none());
    }

    #[test]
    fn passwords_that_are_no_text_stay() {
        assert_eq!(&*password(b"pa ss"), b"pa ss");
        assert_eq!(&*password(b"\xff\xfe"), b"\xff\xfe");
        assert_eq!(&*password(b"a\x07"), b"a\x07");
        assert_eq!(&*password("u\u{308}".as_bytes()), "\u{fc}".as_bytes());
    }
}
