//! Header fields: walk over them, unfold their values, select some of them.
//!
//! In:  the octets of one header, with or without the empty line that ends it. Out: borrowed names and values.

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
    let value = value.trim_ascii();
    for (at, &octet) in value.iter().enumerate() {
        let folds = |at: usize| matches!(value.get(at), Some(b' ' | b'\t'));
        match octet {
            b'\r' if value.get(at + 1) == Some(&b'\n') && folds(at + 2) => {}
            b'\n' if folds(at + 1) => {}
            b'\r' | b'\n' | 0 => plain.push(b' '),
            octet => plain.push(octet),
        }
    }
    plain
}
