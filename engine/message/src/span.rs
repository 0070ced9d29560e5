//! A range of octets in a message that may still move in memory, and the part of a message that is still in memory.

use std::ops::Range;

/// Octets from `start` up to but not including `end`, counted from the message's first octet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first octet.
    pub start: usize,
    /// One after the last octet; never below `start`.
    pub end: usize,
}

impl Span {
    /// A span; an `end` below `start` makes it empty.
    pub fn new(start: usize, end: usize) -> Self {
        Span {
            start,
            end: end.max(start),
        }
    }

    /// Length in octets.
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether it holds no octet.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The octets it names; those that `octets` does not have are left out.
    pub fn of(self, octets: &[u8]) -> &[u8] {
        let end = self.end.min(octets.len());
        &octets[self.start.min(end)..end]
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        span.start..span.end
    }
}

/// The octets of a message that are in memory, up to the last one received. What was before them has been let go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'m> {
    octets: &'m [u8],
    /// The message's octets in front.
    base: usize,
}

impl<'m> Window<'m> {
    pub fn new(octets: &'m [u8], base: usize) -> Self {
        Window { octets, base }
    }

    /// Octets of the message up to its end.
    pub fn end(self) -> usize {
        self.base + self.octets.len()
    }

    /// The octets from `start` up to but not including `end`; those that are not here are left out.
    #[inline]
    pub fn range(self, start: usize, end: usize) -> &'m [u8] {
        let end = end.saturating_sub(self.base).min(self.octets.len());
        let start = start.saturating_sub(self.base).min(end);
        &self.octets[start..end]
    }

    /// The octets that `span` names.
    pub fn of(self, span: Span) -> &'m [u8] {
        self.range(span.start, span.end)
    }
}
