//! The small pieces every response is made of. RFC 3501 §4, §9.
//!
//! Out: octets appended to a `Vec<u8>`. A string goes out as the plainest form that holds it: quoted where it is
//! short, printable ASCII; a literal otherwise, which holds everything.

/// Octets up to which a string is quoted rather than sent as a literal.
const QUOTED_OCTETS_MAX: usize = 1024;

/// A number in decimal.
pub fn number(out: &mut Vec<u8>, value: u64) {
    const DIGITS_MAX: usize = 20;
    let mut digits = [0u8; DIGITS_MAX];
    let mut at = DIGITS_MAX;
    let mut rest = value;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// `"..."`, with `"` and `\` escaped. The text has no CR, LF, NUL or 8-bit octets; see [`string`].
pub fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    debug_assert!(quotable(text));
    out.push(b'"');
    for &octet in text {
        if matches!(octet, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(octet);
    }
    out.push(b'"');
}

/// `{n}` CRLF: what follows is the literal's `octets` octets.
pub fn literal_header(out: &mut Vec<u8>, octets: u64) {
    out.push(b'{');
    number(out, octets);
    out.extend_from_slice(b"}\r\n");
}

/// A literal.
pub fn literal(out: &mut Vec<u8>, octets: &[u8]) {
    literal_header(out, octets.len() as u64);
    out.extend_from_slice(octets);
}

/// string = quoted / literal. NUL has no place in either (RFC 3501 §9, `CHAR8`) and goes out as 0x80, as it would
/// by RFC 3501 §4.3 only in a literal8.
pub fn string(out: &mut Vec<u8>, text: &[u8]) {
    if quotable(text) {
        quoted(out, text);
    } else {
        literal_header(out, text.len() as u64);
        out.extend(
            text.iter()
                .map(|&octet| if octet == 0 { 0x80 } else { octet }),
        );
    }
}

/// nstring = string / nil.
pub fn nstring(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        Some(text) => string(out, text),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// astring = 1*ASTRING-CHAR / string. An atom that reads NIL is quoted, so that nobody takes it for nothing.
pub fn astring(out: &mut Vec<u8>, text: &[u8]) {
    let plain = !text.is_empty()
        && text.iter().all(|&octet| crate::cursor::is_astring(octet))
        && !text.eq_ignore_ascii_case(b"NIL");
    if plain {
        out.extend_from_slice(text);
    } else {
        string(out, text);
    }
}

/// A mailbox name, given in UTF-8, in modified UTF-7. RFC 3501 §5.1.3.
pub fn mailbox(out: &mut Vec<u8>, name: &str) {
    if crate::mailbox::is_plain(name) {
        astring(out, name.as_bytes());
    } else {
        astring(out, crate::mailbox::encode(name).as_bytes());
    }
}

/// Numbers as a sequence-set, runs as ranges: `1:3,7`. They ascend; none at all writes nothing.
pub fn set(out: &mut Vec<u8>, numbers: impl IntoIterator<Item = u32>) {
    let mut numbers = numbers.into_iter();
    let Some(first) = numbers.next() else { return };
    let mut run = (first, first);
    for next in numbers {
        if next == run.1.wrapping_add(1) {
            run.1 = next;
            continue;
        }
        range(out, run);
        out.push(b',');
        run = (next, next);
    }
    range(out, run);
}

fn range(out: &mut Vec<u8>, (low, high): (u32, u32)) {
    number(out, low.into());
    if high > low {
        out.push(b':');
        number(out, high.into());
    }
}

/// Printable ASCII and tab, and not too long. RFC 3501 §9, `QUOTED-CHAR`, allows more controls; old clients do not.
fn quotable(text: &[u8]) -> bool {
    text.len() <= QUOTED_OCTETS_MAX
        && text
            .iter()
            .all(|&octet| matches!(octet, b'\t' | b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn numbers() {
        for value in [0, 1, 9, 10, 99, 100, 4_294_967_295, u64::MAX] {
            assert_eq!(
                written(|out| number(out, value)),
                value.to_string().as_bytes()
            );
        }
    }

    #[test]
    fn strings() {
        let long = [b'a'; QUOTED_OCTETS_MAX + 1];
        let at = written(|out| string(out, &long[1..]));
        assert_eq!((at[0], at.len()), (b'"', QUOTED_OCTETS_MAX + 2));
        assert_eq!(written(|out| string(out, &long))[..8], *b"{1025}\r\n");
        const CASES: &[(&[u8], &[u8])] = &[
            (b"", b"\"\""),
            (b"a", b"a"),
            (b"nil", b"\"nil\""),
            (b"a b", b"\"a b\""),
            (b"a]", b"a]"),
            (b"a*", b"\"a*\""),
            (b"a\"\\", b"\"a\\\"\\\\\""),
            (b"a\r\n", b"{3}\r\na\r\n"),
            (b"\xC3\xA9", b"{2}\r\n\xC3\xA9"),
            (b"\0", b"{1}\r\n\x80"),
        ];
        for (text, expected) in CASES {
            assert_eq!(written(|out| astring(out, text)), *expected);
        }
        assert_eq!(written(|out| nstring(out, None)), b"NIL");
        assert_eq!(written(|out| nstring(out, Some(b"NIL"))), b"\"NIL\"");
    }

    #[test]
    fn sets() {
        const CASES: &[(&[u32], &str)] = &[
            (&[], ""),
            (&[7], "7"),
            (&[1, 2, 3, 5, 7, 8], "1:3,5,7:8"),
            (&[u32::MAX - 1, u32::MAX], "4294967294:4294967295"),
        ];
        for (numbers, expected) in CASES {
            let out = written(|out| set(out, numbers.iter().copied()));
            assert_eq!(out, expected.as_bytes());
        }
    }
}
