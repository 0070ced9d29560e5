//! Where a command ends: lines and the literals between them. RFC 3501 §4.3, RFC 7888.

/// What is known of a command that is still arriving: a few numbers, no buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The current line's first octet.
    pub(crate) line: usize,
    /// Octets that need no second look.
    pub(crate) seen: usize,
    /// Octets of all literals so far.
    pub(crate) literals: u64,
}
