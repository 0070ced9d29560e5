//! Line ends: CRLF in the store, LF in Maildir and mbox.
//!
//! In:  a mail in one form. Out: the same mail in the other.
//!
//! Invariant: `to_crlf(to_lf(mail)) == mail` for every mail whose lines all end with CRLF, bare CRs among its octets or
//! not. A mail for which that would not hold (a CR in front of a CRLF, a bare LF) keeps the line ends it has when it is
//! written; a bare LF becomes CRLF when it is read, since IMAP knows no other line end. RFC 3501 §4.3.

use memchr::memchr_iter;
use std::borrow::Cow;

/// The mail as the store keeps it: each bare LF becomes CRLF.
pub fn to_crlf(octets: Vec<u8>) -> Vec<u8> {
    let bare = memchr_iter(b'\n', &octets)
        .filter(|&lf| is_bare(&octets, lf))
        .count();
    if bare == 0 {
        return octets;
    }
    let mut mail = Vec::with_capacity(octets.len() + bare);
    let mut from = 0;
    for lf in memchr_iter(b'\n', &octets) {
        if is_bare(&octets, lf) {
            mail.extend_from_slice(&octets[from..lf]);
            mail.extend_from_slice(b"\r\n");
            from = lf + 1;
        }
    }
    mail.extend_from_slice(&octets[from..]);
    mail
}

/// The mail as Maildir and mbox have it: LF ends a line. One that could not be read back keeps its octets.
pub fn to_lf(mail: &[u8]) -> Cow<'_, [u8]> {
    let mut lines = 0;
    for lf in memchr_iter(b'\n', mail) {
        if is_bare(mail, lf) || mail[..lf].ends_with(b"\r\r") {
            return Cow::Borrowed(mail);
        }
        lines += 1;
    }
    let mut octets = Vec::with_capacity(mail.len() - lines);
    let mut from = 0;
    for lf in memchr_iter(b'\n', mail) {
        octets.extend_from_slice(&mail[from..lf - 1]);
        octets.push(b'\n');
        from = lf + 1;
    }
    octets.extend_from_slice(&mail[from..]);
    Cow::Owned(octets)
}

fn is_bare(octets: &[u8], lf: usize) -> bool {
    lf == 0 || octets[lf - 1] != b'\r'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (in a file, in the store)
    const READ: &[(&str, &str)] = &[
        ("", ""),
        ("a", "a"),
        ("\n", "\r\n"),
        ("a\nb\n\nc", "a\r\nb\r\n\r\nc"),
        ("a\r\nb\r\n", "a\r\nb\r\n"),
        ("a\r\nb\nc\r", "a\r\nb\r\nc\r"),
        ("a\rb\n", "a\rb\r\n"),
        ("\n\n", "\r\n\r\n"),
    ];

    #[test]
    fn reading() {
        for (file, store) in READ {
            let mail = to_crlf(file.as_bytes().to_vec());
            assert_eq!(mail, store.as_bytes(), "{file:?}");
        }
    }

    /// All strings of up to seven octets from CR, LF and `a`: what has no bare LF comes back.
    #[test]
    fn writing_is_reversible() {
        for length in 0..=7u32 {
            for number in 0..3u32.pow(length) {
                let octet = |place| b"\r\na"[(number / 3u32.pow(place) % 3) as usize];
                let mail: Vec<u8> = (0..length).map(octet).collect();
                let bare = memchr_iter(b'\n', &mail).any(|lf| is_bare(&mail, lf));
                let written = to_lf(&mail);
                if bare || mail.windows(3).any(|three| three == b"\r\r\n") {
                    assert_eq!(written, &mail[..]);
                } else {
                    assert!(!written.windows(2).any(|two| two == b"\r\n"));
                }
                if !bare {
                    assert_eq!(to_crlf(written.into_owned()), mail);
                }
            }
        }
    }
}
