//! A range of octets in a message that may still move in memory.

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
