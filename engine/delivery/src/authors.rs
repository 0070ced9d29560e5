//! Whom the header of a user's mail names beside what its digest keeps: whoever sent it on. RFC 5322 §3.6.6, RFC 6409 §8.1.
//!
//! In:  the user's own header, once it is read. Out: [`Authors`], for whoever asks whether these are the user's addresses.
//!
//! A mail that no user sends has none: a stranger's fields are not asked about.

use ringpost_message::header;

/// See the head of this file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authors {
    /// Whether there is a From that says something, be it an address or not.
    pub has_from: bool,
    /// Unfolded values of Resent-From and Resent-Sender.
    pub resent: Vec<Vec<u8>>,
}

impl Authors {
    /// Reads `header`.
    pub(crate) fn read(header: &[u8]) -> Authors {
        let mut authors = Authors::default();
        for field in header::fields(header) {
            let is = |name: &[u8]| field.name.eq_ignore_ascii_case(name);
            if is(b"From") {
                authors.has_from |= !field.value.trim_ascii().is_empty();
            } else if is(b"Resent-From") || is(b"Resent-Sender") {
                authors.resent.push(header::unfold(field.value));
            }
        }
        authors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        const CASES: &[(&str, bool, &[&str])] = &[
            ("", false, &[]),
            ("Subject: From: x\r\n", false, &[]),
            ("From:\r\n \r\n", false, &[]),
            ("fROM : (nobody)\r\n", true, &[]),
            (
                "resent-FROM: a,\r\n b\r\nFrom: c\r\nResent-Sender: d\r\nResent-To: e\r\n",
                true,
                &["a, b", "d"],
            ),
        ];
        for (header, has_from, resent) in CASES {
            let resent = resent.iter().map(|value| value.as_bytes().to_vec());
            let expected = Authors {
                has_from: *has_from,
                resent: resent.collect(),
            };
            assert_eq!(Authors::read(header.as_bytes()), expected, "{header:?}");
        }
    }
}
