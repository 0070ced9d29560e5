//! What structured fields are made of: white space and comments, quoted strings. RFC 5322 §3.2, RFC 2045 §5.1.
//!
//! In: an unfolded value. Nothing recurses and nothing fails: what is left open ends with the value.

use std::borrow::Cow;

/// A place in a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lexer<'v>(pub &'v [u8]);

impl<'v> Lexer<'v> {
    pub fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    pub fn skip(&mut self, octets: usize) {
        self.0 = &self.0[octets.min(self.0.len())..];
    }

    /// Whether `octet` is next; takes it then.
    pub fn takes(&mut self, octet: u8) -> bool {
        let is = self.peek() == Some(octet);
        self.skip(usize::from(is));
        is
    }

    /// Octets up to the first that `stops`.
    pub fn until(&mut self, stops: impl Fn(u8) -> bool) -> &'v [u8] {
        let end = self.0.iter().position(|octet| stops(*octet));
        let (run, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        run
    }

    /// CFWS; returns the last comment's inside. RFC 5322 §3.2.2.
    pub fn space(&mut self) -> Option<&'v [u8]> {
        let mut comment = None;
        loop {
            self.until(|octet| !octet.is_ascii_whitespace());
            if self.peek() != Some(b'(') {
                return comment;
            }
            comment = Some(self.comment());
        }
    }

    /// `(` … `)`, nested ones inside; returns what stands between the outer two.
    fn comment(&mut self) -> &'v [u8] {
        let inside = &self.0[1..];
        let mut depth = 1;
        let mut at = 0;
        while let Some(octet) = inside.get(at) {
            match octet {
                b'\\' => at += 1,
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.0 = &inside[at + 1..];
                return &inside[..at];
            }
            at += 1;
        }
        self.0 = &[];
        inside
    }

    /// A quoted string, if one is next: its inside with quoted pairs undone. RFC 5322 §3.2.4.
    pub fn quoted(&mut self) -> Option<Cow<'v, [u8]>> {
        let inside = self.0.strip_prefix(b"\"")?;
        let mut at = 0;
        let mut pairs = false;
        while let Some(octet) = inside.get(at) {
            match octet {
                b'"' => break,
                b'\\' => {
                    pairs = true;
                    at += 1;
                }
                _ => {}
            }
            at += 1;
        }
        let text = &inside[..at.min(inside.len())];
        self.0 = inside.get(at + 1..).unwrap_or_default();
        Some(match pairs {
            true => Cow::Owned(without_pairs(text)),
            false => Cow::Borrowed(text),
        })
    }
}

/// Undoes quoted pairs. RFC 5322 §3.2.1.
pub(crate) fn without_pairs(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut octets = text.iter();
    while let Some(&octet) = octets.next() {
        match octet {
            b'\\' => plain.extend(octets.next()),
            octet => plain.push(octet),
        }
    }
    plain
}
