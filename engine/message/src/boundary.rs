//! Delimiter lines. RFC 2046 §5.1.1.

/// What a line is to a boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delimiter {
    /// `--boundary`: a part begins behind it.
    Next,
    /// `--boundary--`: the last part ends before it.
    Close,
}

/// Whether `line`, which begins with `--`, is a delimiter of `boundary`. White space may pad its end.
///
/// RFC 2046 §5.1.1 lets a longer line match too, by its beginning alone. Here the whole line must match: otherwise `--ab` of an inner
/// multipart ends an outer one with boundary `a`, which mail programs do write.
pub(crate) fn delimiter(line: &[u8], boundary: &[u8]) -> Option<Delimiter> {
    let rest = line.get(2..)?.strip_prefix(boundary)?;
    match rest.trim_ascii_end() {
        b"" => Some(Delimiter::Next),
        b"--" => Some(Delimiter::Close),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases() {
        let cases: &[(&str, &str, Option<Delimiter>)] = &[
            ("--a\r\n", "a", Some(Delimiter::Next)),
            ("--a", "a", Some(Delimiter::Next)),
            ("--a \t\n", "a", Some(Delimiter::Next)),
            ("--a--\r\n", "a", Some(Delimiter::Close)),
            ("--a-- \r\n", "a", Some(Delimiter::Close)),
            ("--a--", "a--", Some(Delimiter::Next)),
            ("--ab\r\n", "a", None),
            ("--a--b\r\n", "a", None),
            ("--\r\n", "a", None),
            ("--A\r\n", "a", None),
        ];
        for (line, boundary, expected) in cases {
            let got = delimiter(line.as_bytes(), boundary.as_bytes());
            assert_eq!(got, *expected, "{line:?} {boundary:?}");
        }
    }
}
