//! Makes readable UTF-8 of parts. Header values: [`crate::word`]; what SEARCH looks through: [`crate::searchable`].
//!
//! In:  octets of a part's body as they stand, its transfer encoding, its charset.
//! Out: a `String`. Nothing fails: what cannot be decoded becomes U+FFFD or stays as it is.

use crate::digest::Part;
use encoding_rs::{Encoding, WINDOWS_1252};
use ringpost_scan::{base64, quoted};
use std::borrow::Cow;

/// Undoes the transfer encoding. RFC 2045 §6. One that is not known leaves the octets as they are.
pub fn transfer_decode<'m>(body: &'m [u8], encoding: &[u8]) -> Cow<'m, [u8]> {
    if encoding.eq_ignore_ascii_case(b"base64") {
        Cow::Owned(base64::decode(body))
    } else if encoding.eq_ignore_ascii_case(b"quoted-printable") {
        Cow::Owned(quoted::decode(body))
    } else {
        Cow::Borrowed(body)
    }
}

/// Octets in `charset` to UTF-8. Where it is missing, is not known or claims ASCII for what is none: UTF-8 if it is
/// that, else windows-1252, which every octet fits.
pub fn charset_decode<'m>(octets: &'m [u8], charset: Option<&[u8]>) -> Cow<'m, str> {
    let known = charset.and_then(Encoding::for_label);
    match known {
        // The WHATWG list reads us-ascii and iso-8859-1 as windows-1252; mail that says so is often UTF-8.
        None => guess(octets),
        Some(encoding) if encoding == WINDOWS_1252 => guess(octets),
        Some(encoding) => encoding.decode_without_bom_handling(octets).0,
    }
}

fn guess(octets: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(octets) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(octets).0,
    }
}

/// Undoes transfer encoding and charset.
pub fn decode<'m>(body: &'m [u8], encoding: &[u8], charset: Option<&[u8]>) -> Cow<'m, str> {
    match transfer_decode(body, encoding) {
        Cow::Borrowed(octets) => charset_decode(octets, charset),
        Cow::Owned(octets) => Cow::Owned(charset_decode(&octets, charset).into_owned()),
    }
}

/// The readable text of `part`, whose body lies in `message`; `None` where it is no text.
pub fn of_part<'m>(part: &Part<'_>, message: &'m [u8]) -> Option<Cow<'m, str>> {
    let is_text = part.is_text() && part.kind == crate::digest::Kind::Leaf;
    is_text.then(|| decode(part.body.of(message), part.encoding, part.charset()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases() {
        // (body, encoding, charset, text)
        let cases: &[(&[u8], &str, Option<&str>, &str)] = &[
            (b"plain", "7BIT", None, "plain"),
            (b"R3LDvG4=", "Base64", Some("UTF-8"), "Grün"),
            (b"R3L8bg==", "base64", Some("iso-8859-1"), "Grün"),
            (
                b"Gr=FCn=\r\n!",
                "quoted-printable",
                Some("iso-8859-15"),
                "Grün!",
            ),
            (b"Gr\xc3\xbcn", "8bit", Some("us-ascii"), "Grün"),
            (b"Gr\xfcn", "8bit", None, "Grün"),
            (b"\x1b$B4A\x1b(B", "7bit", Some("iso-2022-jp"), "漢"),
            (b"\xd0\xd2", "8bit", Some("koi8-r"), "пр"),
            (b"a\xff", "8bit", Some("utf-8"), "a\u{fffd}"),
            (b"a=41", "x-none", Some("no-such"), "a=41"),
        ];
        for (body, encoding, charset, expected) in cases {
            let charset = charset.map(str::as_bytes);
            assert_eq!(
                decode(body, encoding.as_bytes(), charset),
                *expected,
                "{body:?}"
            );
        }
    }
}
