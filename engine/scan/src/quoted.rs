//! Quoted-printable, decoded. RFC 2045 §6.7.
//!
//! Lenient: an `=` that begins neither `=XX` nor a soft line end stays as it is, hexadecimal digits may be lower case,
//! LF alone ends a line too.

/// Appends what `octets` encode to `out`.
pub fn decode_into(octets: &[u8], out: &mut Vec<u8>) {
    let mut rest = octets;
    while !rest.is_empty() {
        let lf = memchr::memchr(b'\n', rest);
        let (line, behind) = rest.split_at(lf.map_or(rest.len(), |lf| lf + 1));
        rest = behind;
        let (text, end) = split_end(line);
        // RFC 2045 §6.7 rule 3: white space at the end of a line was added in transit.
        let text = trim_white(text);
        let (text, end) = match text.strip_suffix(b"=") {
            Some(text) => (text, &b""[..]), // Rule 5: a soft line end.
            None => (text, end),
        };
        decode_text(text, out);
        out.extend_from_slice(end);
    }
}

/// `octets` decoded.
pub fn decode(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len());
    decode_into(octets, &mut out);
    out
}

/// Decodes `=XX` and nothing else: also the body of RFC 2047's Q encoding, but for its underscores.
pub fn decode_text(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'=', text) {
        out.extend_from_slice(&text[..at]);
        text = &text[at..];
        let (octet, used) = match text {
            [_, high, low, ..] => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, 3),
                _ => (b'=', 1),
            },
            _ => (b'=', 1),
        };
        out.push(octet);
        text = &text[used..];
    }
    out.extend_from_slice(text);
}

fn digit(octet: u8) -> Option<u8> {
    (octet as char).to_digit(16).map(|digit| digit as u8)
}

fn split_end(line: &[u8]) -> (&[u8], &[u8]) {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    let text = match text.len() < line.len() {
        true => text.strip_suffix(b"\r").unwrap_or(text),
        false => text,
    };
    (text, &line[text.len()..])
}

fn trim_white(text: &[u8]) -> &[u8] {
    let white = |octet: &u8| matches!(octet, b' ' | b'\t');
    let kept = text.iter().rposition(|octet| !white(octet));
    &text[..kept.map_or(0, |at| at + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases() {
        let cases: &[(&[u8], &[u8])] = &[
            (b"", b""),
            (b"a=3Db", b"a=b"),
            (b"a=3db", b"a=b"),
            (b"a=\r\nb", b"ab"),
            (b"a= \t\r\nb", b"ab"),
            (b"a \r\nb\n", b"a\r\nb\n"),
            (b"a=", b"a"),
            (b"a=4", b"a=4"),
            (b"a=zz=41", b"a=zzA"),
            (b"=FF=00", b"\xff\0"),
        ];
        for (octets, expected) in cases {
            assert_eq!(decode(octets), *expected, "{octets:?}");
        }
    }
}
