//! What goes along with a mail's octets: flags, keywords, the date it came.

use ringpost_api::table::flag;

/// Octets of a keyword at most: its length is one octet in the store.
const KEYWORD_OCTETS_MAX: usize = 255;

/// A mail that was forwarded, as a keyword. Maildir has a letter for it. RFC 9051 §2.3.2.
pub const FORWARDED: &str = "$Forwarded";

/// Flags, keywords and INTERNALDATE of one mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Bits of [`flag`].
    pub flags: u32,
    /// Keywords by name, each once.
    pub keywords: Vec<String>,
    /// Seconds since 1970 UTC, where the source tells.
    pub date: Option<u64>,
}

impl Marks {
    /// Adds a keyword; one that IMAP could not name is left off. `flag-keyword = "$MDNSent" / … / atom`, RFC 9051 §9.
    pub fn add_keyword(&mut self, keyword: &str) {
        let known = |each: &String| each.eq_ignore_ascii_case(keyword);
        if is_keyword(keyword) && !self.keywords.iter().any(known) {
            self.keywords.push(keyword.to_owned());
        }
    }

    /// Whether the flag is set.
    pub fn has(&self, bit: u32) -> bool {
        self.flags & bit != 0
    }
}

/// Letters of flags, in the order of the alphabet, as Maildir and mbox write them.
pub const LETTERS: [(u8, u32); 5] = [
    (b'D', flag::DRAFT),
    (b'F', flag::FLAGGED),
    (b'R', flag::ANSWERED),
    (b'S', flag::SEEN),
    (b'T', flag::DELETED),
];

/// Whether IMAP can name the keyword: an atom. RFC 9051 §9, atom-specials.
pub fn is_keyword(keyword: &str) -> bool {
    let fits = |octet| matches!(octet, b'!'..=b'~') && !b"(){%*\"\\]".contains(&octet);
    (1..=KEYWORD_OCTETS_MAX).contains(&keyword.len()) && keyword.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords() {
        let mut marks = Marks::default();
        let long = "x".repeat(256);
        for keyword in [
            "Work", "work", "", "a b", "ü", "a]", "\\Seen", "$Junk", "a%", &long,
        ] {
            marks.add_keyword(keyword);
        }
        marks.add_keyword(&long[1..]);
        assert_eq!(marks.keywords, ["Work", "$Junk", &long[1..]]);
    }
}
