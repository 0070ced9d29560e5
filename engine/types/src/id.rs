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

id!(
    /// One item of the outbound queue: a mail on its way to some recipients. Never reused. 0 is no item.
    ItemId(u64)
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
/// Written as 16 hexadecimal digits: shard (2 octets), the second in which it was given (4), its number in it (2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct TraceId(pub u64);

impl TraceId {
    /// Reads the 16 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 16 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        u64::from_str_radix(text, 16)
            .ok()
            .filter(|_| digits)
            .map(TraceId)
    }

    /// The shard that gave it.
    pub fn shard(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// When it was given, in seconds since 1970 UTC; or little later, where one second had more than 65,536.
    pub fn unix(self) -> u64 {
        self.0 >> 16 & 0xffff_ffff
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_come_back() {
        let trace = TraceId(0x0003_6b05_136e_0007);
        assert_eq!(TraceId::parse("00036b05136e0007"), Some(trace));
        assert_eq!(
            TraceId::parse(&trace.to_string().to_uppercase()),
            Some(trace)
        );
        assert_eq!((trace.shard(), trace.unix()), (3, 0x6b05_136e));
        for text in [
            "",
            "36b05136e0007",
            "00036b05136e00071",
            "+0036b05136e0007",
            "g0036b05136e0007",
        ] {
            assert_eq!(TraceId::parse(text), None, "{text}");
        }
    }
}
