//! Numbers that name things in the store and in traces. Each is its own type, so none passes for another.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// An account. Never reused. 0 is not an account.
    AccountId(u32)
);
id!(
    /// A mailbox within its account. Never reused within the account. 1 is INBOX.
    MailboxId(u32)
);
id!(
    /// Unique identifier of a message within its mailbox, 1 and up. RFC 9051 §2.3.1.1.
    Uid(u32)
);
id!(
    /// Modification sequence, counted per account, 1 and up. RFC 7162 §3.1.
    ModSeq(u64)
);

impl MailboxId {
    /// INBOX of every account. RFC 9051 §5.1.
    pub const INBOX: MailboxId = MailboxId(1);
}

/// One raw mail in the store: the number of the log that took it in (high 16 bits) and its record's
/// sequence number in that log (low 48 bits). Known before the record is written, never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct BlobId(pub u64);

impl BlobId {
    /// The blob of record `sequence` in log `log`.
    pub fn new(log: u16, sequence: u64) -> Self {
        debug_assert!(sequence < 1 << 48);
        BlobId(u64::from(log) << 48 | sequence)
    }

    /// The log that took the mail in.
    pub fn log(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// The record's sequence number in its log.
    pub fn sequence(self) -> u64 {
        self.0 & ((1 << 48) - 1)
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Names one connection or one message in every event and header that speaks of it.
/// Written as 16 hexadecimal digits: shard (2 octets), then a counter started from the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct TraceId(pub u64);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
