//! Header fields: walk over them, unfold their values, select some of them.
//!
//! In:  the octets of one header, with or without the empty line that ends it. Out: borrowed names and values.

use std::borrow::Cow;

/// One header field as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'m> {
    /// What stands before the colon, without white space.
    pub name: &'m [u8],
    /// What stands behind the colon, folding and all, without the last line end.
    pub value: &'m [u8],
    /// The whole field with its line ends.
    pub octets: &'m [u8],
}

/// The fields of a header, in order. Lines that are no field are passed over.
pub fn fields(header: &[u8]) -> Fields<'_> {
    Fields { rest: header }
}

/// See [`fields`].
#[derive(Clone, Debug)]
pub struct Fields<'m> {
    rest: &'m [u8],
}

impl<'m> Iterator for Fields<'m> {
    type Item = Field<'m>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let (octets, rest) = self.rest.split_at(field_octets(self.rest));
            self.rest = rest;
            if let Some(colon) = colon(octets) {
                let end = octets.len() - line_end_octets(octets);
                return Some(Field {
                    name: octets[..colon].trim_ascii_end(),
                    value: &octets[colon + 1..end.max(colon + 1)],
                    octets,
                });
            }
        }
        None
    }
}

/// Octets of the line at the start of `rest` and of the continuation lines behind it. RFC 5322 §2.2.3.
fn field_octets(rest: &[u8]) -> usize {
    let mut end = 0;
    loop {
        end = match memchr::memchr(b'\n', &rest[end..]) {
            Some(at) => end + at + 1,
            None => return rest.len(),
        };
        if !matches!(rest.get(end), Some(b' ' | b'\t')) {
            return end;
        }
    }
}

/// Octets of the CRLF or LF at the end of `line`.
pub(crate) fn line_end_octets(line: &[u8]) -> usize {
    match line {
        [.., b'\r', b'\n'] => 2,
        [.., b'\n'] => 1,
        _ => 0,
    }
}

/// Where the colon of a field is, in a line that begins one. RFC 5322 §3.6.8: a name is printable ASCII without the
/// colon; §4.5: white space may stand before the colon.
pub(crate) fn colon(line: &[u8]) -> Option<usize> {
    let name = line
        .iter()
        .position(|octet| !matches!(octet, b'!'..=b'9' | b';'..=b'~'))?;
    let space = line[name..]
        .iter()
        .position(|octet| !matches!(octet, b' ' | b'\t'))?;
    (name > 0 && line[name + space] == b':').then_some(name + space)
}

/// Which fields [`select`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Those named: HEADER.FIELDS.
    Named,
    /// All the others: HEADER.FIELDS.NOT.
    Others,
}

/// Appends the chosen fields of `header` to `out`, as they stand, without the empty line behind the header: the caller
/// may have several headers to take from and adds it once. RFC 9051 §6.4.5.1.
pub fn select<N: AsRef<[u8]>>(header: &[u8], names: &[N], take: Take, out: &mut Vec<u8>) {
    for field in fields(header) {
        let named = names
            .iter()
            .any(|name| name.as_ref().eq_ignore_ascii_case(field.name));
        if named == (take == Take::Named) {
            out.extend_from_slice(field.octets);
        }
    }
}

/// Undoes folding: line ends go, the white space behind them stays; white space at both ends goes. A NUL, or a CR or LF
/// that folds nothing, becomes a space. RFC 5322 §2.2.3.
pub fn unfold(value: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(value.len());
    unfold_into(value, &mut plain);
    plain
}

/// As [`unfold`], appended to `out`.
pub fn unfold_into(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value.trim_ascii();
    while let Some(at) = ringpost_scan::line::find_special(rest) {
        out.extend_from_slice(&rest[..at]);
        let (used, space) = match &rest[at..] {
            [b'\r', b'\n', b' ' | b'\t', ..] => (2, false),
            [b'\n', b' ' | b'\t', ..] => (1, false),
            _ => (1, true),
        };
        if space {
            out.push(b' ');
        }
        rest = &rest[at + used..];
    }
    out.extend_from_slice(rest);
}

/// [`unfold`], borrowed where there is nothing to undo.
pub fn unfolded(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    match ringpost_scan::line::find_special(value) {
        Some(_) => Cow::Owned(unfold(value)),
        None => Cow::Borrowed(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walk() {
        let header = b"From a Mon\r\nA: b\r\nC : d\r\n e\r\njunk\r\nF:\nG:g\r\n\r\n";
        let got: Vec<_> = fields(header)
            .map(|field| (field.name, field.value, field.octets))
            .collect();
        let expected: &[(&[u8], &[u8], &[u8])] = &[
            (b"A", b" b", b"A: b\r\n"),
            (b"C", b" d\r\n e", b"C : d\r\n e\r\n"),
            (b"F", b"", b"F:\n"),
            (b"G", b"g", b"G:g\r\n"),
        ];
        assert_eq!(got, expected);
    }

    #[test]
    fn selection() {
        let header = b"A: 1\r\nb: 2\r\n 3\r\nC: 4\r\n\r\n";
        let cases: &[(&[&str], Take, &[u8])] = &[
            (&["B"], Take::Named, b"b: 2\r\n 3\r\n"),
            (&["B"], Take::Others, b"A: 1\r\nC: 4\r\n"),
            (&["x"], Take::Named, b""),
            (&["c", "a"], Take::Named, b"A: 1\r\nC: 4\r\n"),
        ];
        for (names, take, expected) in cases {
            let mut out = Vec::new();
            select(header, names, *take, &mut out);
            assert_eq!(out, *expected, "{names:?} {take:?}");
        }
    }

    #[test]
    fn unfolding() {
        let cases: &[(&[u8], &[u8])] = &[
            (b" a ", b"a"),
            (b"a\r\n b", b"a b"),
            (b"a\n\tb", b"a\tb"),
            (b"a\rb\0c\nd", b"a b c d"),
            (b"\r\n a\r\n", b"a"),
        ];
        for (value, expected) in cases {
            assert_eq!(unfold(value), *expected, "{value:?}");
            assert_eq!(&*unfolded(value), *expected, "{value:?}");
        }
    }
}
