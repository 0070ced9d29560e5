//! Text inside parameters: xtext (RFC 3461 §4) and utf-8-addr-xtext (RFC 6533 §3), undone.
//!
//! In:  a parameter's value.
//! Out: the text it stands for, or nothing where it breaks its grammar or stands for a character that no header line
//! may hold. Both encodings can spell CR, LF and NUL; what is decoded goes into notices and logs.

use std::borrow::Cow;

/// `xtext = *( xchar / hexchar )`, `hexchar = "+" HEXDIG HEXDIG` in upper case. RFC 3461 §4.
///
/// Printable ASCII comes out, spaces included. RFC 3461 §4.2, §4.4.
pub fn undo(xtext: &[u8]) -> Option<Cow<'_, str>> {
    if !xtext.iter().all(|&octet| is_xchar(octet) || octet == b'+') {
        return None;
    }
    let text = std::str::from_utf8(xtext).ok()?;
    if !xtext.contains(&b'+') {
        return Some(Cow::Borrowed(text));
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = xtext.iter();
    while let Some(&octet) = rest.next() {
        let octet = match octet {
            b'+' => hex(*rest.next()?)? << 4 | hex(*rest.next()?)?,
            octet => octet,
        };
        // What is over 0x7e, and all controls: no header line may hold it.
        if !(b' '..=b'~').contains(&octet) {
            return None;
        }
        plain.push(char::from(octet));
    }
    Some(Cow::Owned(plain))
}

/// `utf-8-enc-addr`: QCHAR, and `\x{HEXPOINT}` for the rest; raw UTF-8 too where the transaction is SMTPUTF8. RFC 6533 §3.
pub fn undo_utf8(encoded: &[u8], utf8: bool) -> Option<String> {
    let encoded = std::str::from_utf8(encoded).ok()?;
    let mut plain = String::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some(c) = rest.chars().next() {
        let c = match c {
            '\\' => {
                let (digits, after) = rest.strip_prefix("\\x{")?.split_once('}')?;
                rest = after;
                hex_point(digits)?
            }
            '+' | '=' | ' ' => return None,
            c if c.is_ascii() || utf8 => {
                rest = &rest[c.len_utf8()..];
                c
            }
            _ => return None,
        };
        if breaks_lines(c) {
            return None;
        }
        plain.push(c);
    }
    Some(plain)
}

/// Whether a character may end a line somewhere, or is a control: never part of an envelope. The separators U+2028 and
/// U+2029 are line ends to some readers of logs and notices.
pub fn breaks_lines(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// `xchar = any ASCII CHAR between "!" and "~" inclusive, except for "+" and "="`. RFC 3461 §4.
fn is_xchar(octet: u8) -> bool {
    (b'!'..=b'~').contains(&octet) && octet != b'+' && octet != b'='
}

/// Upper case alone. RFC 3461 §4.
fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// `HEXPOINT`: a code point in two to six digits, no more than it needs, and none for what QCHAR can say. RFC 6533 §3.
fn hex_point(digits: &str) -> Option<char> {
    if !(2..=6).contains(&digits.len()) || digits.len() > 2 && digits.starts_with('0') {
        return None;
    }
    let digit = |sum: u32, digit: u8| Some(sum << 4 | u32::from(hex(digit)?));
    let point = digits.bytes().try_fold(0, digit)?;
    // QCHAR stands for itself: one address has one spelling.
    let plain = matches!(point, 0x21..=0x7e) && !matches!(point, 0x2b | 0x3d | 0x5c);
    char::from_u32(point).filter(|_| !plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xtext() {
        let cases: &[(&str, Option<&str>)] = &[
            ("", Some("")),
            ("QQ314159", Some("QQ314159")),
            // RFC 3461 §10, an address with a plus sign.
            ("Carol+2BTag@Ivory.EDU", Some("Carol+Tag@Ivory.EDU")),
            ("a+20b+3Dc", Some("a b=c")),
            ("+7E", Some("~")),
            // Line ends, NUL, DEL, eight bits: not in a header line.
            ("a+0D+0ABcc:x", None),
            ("a+0Ab", None),
            ("a+00b", None),
            ("a+09b", None),
            ("a+7Fb", None),
            ("a+C3+B6b", None),
            ("a+E2+80+A8b", None),
            // Not xtext.
            ("a+2b", None),
            ("a+", None),
            ("a+2", None),
            ("a+GG", None),
            ("a=b", None),
            ("a b", None),
            ("ö", None),
            ("a\r\nb", None),
        ];
        for (encoded, expected) in cases {
            assert_eq!(
                undo(encoded.as_bytes()).as_deref(),
                *expected,
                "{encoded:?}"
            );
        }
        assert_eq!(undo(b"a\xffb"), None);
    }

    #[test]
    fn utf8() {
        let cases: &[(&str, bool, Option<&str>)] = &[
            ("dan@example.com", false, Some("dan@example.com")),
            ("\\x{F6}@example.com", false, Some("ö@example.com")),
            ("\\x{8FF0}\\x{1F600}", false, Some("述😀")),
            ("a\\x{2B}b\\x{5C}\\x{3D}\\x{20}", false, Some("a+b\\= ")),
            ("ö@example.com", true, Some("ö@example.com")),
            ("ö@example.com", false, None),
            // Line ends in every spelling.
            ("a\\x{0D}\\x{0A}", false, None),
            ("a\\x{0A}", true, None),
            ("a\\x{00}", false, None),
            ("a\\x{85}", false, None),
            ("a\\x{2028}", false, None),
            ("a\u{2029}", true, None),
            ("a\\x{7F}", false, None),
            // Not in the grammar.
            ("a+2Bb", false, None),
            ("a=b", true, None),
            ("\\x{61}", false, None),
            ("\\x{00F6}", false, None),
            ("\\x{f6}", false, None),
            ("\\x{6}", false, None),
            ("\\x{D800}", false, None),
            ("\\x{110000}", false, None),
            ("\\x{1000000}", false, None),
            ("\\x{}", false, None),
            ("\\x{F6", false, None),
            ("\\xF6", false, None),
            ("\\", false, None),
            ("a\\x{+6}", false, None),
        ];
        for (encoded, utf8, expected) in cases {
            let got = undo_utf8(encoded.as_bytes(), *utf8);
            assert_eq!(got.as_deref(), *expected, "{encoded:?} {utf8}");
        }
        // Overlong: NUL in two octets, slash in two, LF in two.
        for octets in [
            &b"a\xc0\x80"[..],
            b"\xc0\xaf",
            b"a\xc0\x8a",
            b"\xed\xa0\x80",
        ] {
            assert_eq!(undo_utf8(octets, true), None, "{octets:x?}");
        }
    }
}
