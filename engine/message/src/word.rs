//! Encoded words of header values. RFC 2047, RFC 2231 §5.
//!
//! In:  a header value as it stands or unfolded. Out: readable text; a word that cannot be read stays as it is.

use crate::{header, text};
use encoding_rs::{Encoding, UTF_8};
use ringpost_scan::{base64, quoted};

/// A name of a charset, its language and its encoding are shorter.
const NAME_OCTETS_MAX: usize = 80;
/// RFC 2047 §2 allows 75 octets; programs write more. Bounded, so that a value full of words that never end is not
/// searched to its end for each of them.
const WORD_OCTETS_MAX: usize = 4_096;

/// One `=?charset?encoding?text?=`, its text decoded and its charset not yet.
struct Word<'v> {
    charset: &'v [u8],
    octets: Vec<u8>,
    /// Octets of the word in the value.
    length: usize,
}

/// Where the first `=?` stands. Two octets need no searcher, which costs more to make than to use: fields are short.
pub(crate) fn opening(value: &[u8]) -> Option<usize> {
    let marks = memchr::memchr_iter(b'?', value);
    let mut openings = marks.filter_map(|at| at.checked_sub(1));
    openings.find(|&before| value[before] == b'=')
}

/// Unfolds a header value and decodes its words; what stands outside of words is UTF-8 where it can be, else windows-1252.
pub fn decode(value: &[u8]) -> String {
    let value = header::unfolded(value);
    let mut readable = String::with_capacity(value.len());
    let mut rest = &value[..];
    // Words next to each other, of one charset: some writers cut them within a character, so they are joined first.
    let mut joined: Option<(&[u8], Vec<u8>)> = None;
    while !rest.is_empty() {
        let start = opening(rest).unwrap_or(rest.len());
        let (before, from) = rest.split_at(start);
        let word = word(from);
        // RFC 2047 §6.2: white space between two words is not text.
        let between = joined.is_some() && word.is_some() && before.trim_ascii().is_empty();
        if !between {
            finish(&mut joined, &mut readable);
            readable.push_str(&text::charset_decode(before, None));
        }
        match word {
            Some(word) => {
                rest = &from[word.length..];
                match &mut joined {
                    Some((charset, octets)) if charset.eq_ignore_ascii_case(word.charset) => {
                        octets.extend_from_slice(&word.octets);
                    }
                    _ => {
                        finish(&mut joined, &mut readable);
                        joined = Some((word.charset, word.octets));
                    }
                }
            }
            None => {
                finish(&mut joined, &mut readable);
                let passed = from.len().min(2);
                readable.push_str(&text::charset_decode(&from[..passed], None));
                rest = &from[passed..];
            }
        }
    }
    finish(&mut joined, &mut readable);
    readable
}

fn finish(joined: &mut Option<(&[u8], Vec<u8>)>, readable: &mut String) {
    if let Some((charset, octets)) = joined.take() {
        let encoding = Encoding::for_label(charset).unwrap_or(UTF_8);
        let (text, _) = encoding.decode_without_bom_handling(&octets);
        readable.push_str(&text);
    }
}

/// `encoded-word = "=?" charset "?" encoding "?" encoded-text "?="`. RFC 2047 §2. The text may hold spaces: programs
/// write that, and no other reading would serve.
fn word(value: &[u8]) -> Option<Word<'_>> {
    let rest = value.strip_prefix(b"=?")?;
    let (charset, rest) = cut(rest)?;
    let (encoding, rest) = cut(rest)?;
    // RFC 2231 §5: a language may follow the charset.
    let charset = charset.split(|octet| *octet == b'*').next()?;
    let known = Encoding::for_label(charset).is_some();
    let end = memchr::memmem::find(&rest[..rest.len().min(WORD_OCTETS_MAX)], b"?=")?;
    let encoded = &rest[..end];
    let octets = match encoding {
        _ if !known || encoded.contains(&b'?') => return None,
        b"B" | b"b" => base64::decode(encoded),
        b"Q" | b"q" => q_decode(encoded),
        _ => return None,
    };
    let length = value.len() - rest.len() + end + 2;
    Some(Word {
        charset,
        octets,
        length,
    })
}

/// What stands before the next `?`, and behind it.
fn cut(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let mark = memchr::memchr(b'?', &value[..value.len().min(NAME_OCTETS_MAX)])?;
    Some((&value[..mark], &value[mark + 1..]))
}

/// RFC 2047 §4.2: as quoted-printable, and `_` is a space.
fn q_decode(encoded: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = encoded
        .iter()
        .map(|octet| if *octet == b'_' { b' ' } else { *octet })
        .collect();
    let mut octets = Vec::with_capacity(spaced.len());
    quoted::decode_text(&spaced, &mut octets);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_word_may_begin() {
        let cases: &[(&str, Option<usize>)] = &[
            ("", None),
            ("=", None),
            ("?=", None),
            ("?=?", Some(1)),
            ("=?", Some(0)),
            ("a? b=? =?", Some(4)),
            ("why? = what", None),
        ];
        for &(value, expected) in cases {
            assert_eq!(opening(value.as_bytes()), expected, "{value:?}");
            let naive = memchr::memmem::find(value.as_bytes(), b"=?");
            assert_eq!(naive, expected, "{value:?}");
        }
    }

    #[test]
    fn cases() {
        let cases: &[(&str, &str)] = &[
            ("plain", "plain"),
            ("=?utf-8?Q?Gr=C3=BCn?=", "Grün"),
            ("=?UTF-8*de?b?R3LDvG4=?= x", "Grün x"),
            // RFC 2047 §8.
            ("(=?ISO-8859-1?Q?a?=)", "(a)"),
            ("(=?ISO-8859-1?Q?a?= b)", "(a b)"),
            ("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a?=\r\n       =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
            ("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
            (
                "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=",
                "If you can read this yo",
            ),
            // A character cut in two by its writer.
            ("=?utf-8?b?w7w=?= =?utf-8?b?w4==?= =?utf-8?b?vA==?=", "üü"),
            ("=?utf-8?q?a b?=", "a b"),
            ("=?no-such?q?a?=", "=?no-such?q?a?="),
            ("=?utf-8?x?a?= b", "=?utf-8?x?a?= b"),
            ("=?utf-8?q?open", "=?utf-8?q?open"),
            ("a =? b ?=", "a =? b ?="),
            ("=?", "=?"),
            ("=?=?utf-8?q?a?=", "=?a"),
        ];
        for (value, expected) in cases {
            assert_eq!(decode(value.as_bytes()), *expected, "{value:?}");
        }
        assert_eq!(decode(b"Gr\xfcn"), "Grün");
    }

    proptest::proptest! {
        #[test]
        fn never_panics(value in "([=?]{1,2}|utf-8|[qb]|[a-zA-Z0-9_=]{0,5}| ){0,20}") {
            let _ = decode(value.as_bytes());
        }
    }
}
