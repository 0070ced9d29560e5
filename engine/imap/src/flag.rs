//! Message flags: system flags as bits, keywords by name. RFC 3501 §2.3.2.

/// `\Seen`. The bits are those of the store's message rows, so that a row's word is written as it is.
pub const SEEN: u32 = 1;
/// `\Answered`.
pub const ANSWERED: u32 = 1 << 1;
/// `\Flagged`.
pub const FLAGGED: u32 = 1 << 2;
/// `\Deleted`.
pub const DELETED: u32 = 1 << 3;
/// `\Draft`.
pub const DRAFT: u32 = 1 << 4;
/// `\Recent`: written, never stored, never set by a client.
pub const RECENT: u32 = 1 << 5;

/// Every flag with its name, in bit order.
pub const TABLE: [(u32, &str); 6] = [
    (SEEN, "\\Seen"),
    (ANSWERED, "\\Answered"),
    (FLAGGED, "\\Flagged"),
    (DELETED, "\\Deleted"),
    (DRAFT, "\\Draft"),
    (RECENT, "\\Recent"),
];

/// Flags a client names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags<'c> {
    /// System flags, never [`RECENT`].
    pub system: u32,
    /// Keywords as written, each an atom; may repeat.
    pub keywords: &'c [&'c str],
}

/// The bit of a system flag's name, with its backslash, case-blind.
pub fn system(name: &str) -> Option<u32> {
    let named = TABLE
        .iter()
        .find(|(_, known)| known.eq_ignore_ascii_case(name));
    named.map(|(bit, _)| *bit)
}
