//! The fixed parts of values as types: field for field what [`crate::table`] draws, read where they lie in the map.
//!
//! In:  octets of a value, at any address: LMDB aligns values to two octets.
//! Out: a view of them without a copy; back to octets as they are in memory.
//!
//! Integers are little-endian on every machine. Counted by callgrind over 100,000 message rows, of each what FETCH FLAGS
//! wants: 29 instructions for a row, 27 without the typed copy; fields put together from octets by hand took 46.

use crate::{Error, Table};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What every fixed part is: any octets are one.
pub(crate) trait Fixed: FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned {
    /// The table whose values begin with it.
    const TABLE: Table;

    /// A value that is this alone.
    #[inline]
    fn of(octets: &[u8]) -> Result<&Self, Error> {
        Self::ref_from_bytes(octets).map_err(|_| wrong(Self::TABLE))
    }

    /// The beginning of a value, and the rest.
    fn before(octets: &[u8]) -> Result<(&Self, &[u8]), Error> {
        Self::ref_from_prefix(octets).map_err(|_| wrong(Self::TABLE))
    }
}

#[cold]
fn wrong(table: Table) -> Error {
    Error::Damaged(format!("table {}: row of a wrong length", table.name()))
}

macro_rules! layouts {
    ($($(#[$doc:meta])* $name:ident = $octets:literal { $($field:ident: $word:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
        #[repr(C)]
        pub(crate) struct $name {
            $(pub $field: $word,)*
        }

        const _: () = assert!(size_of::<$name>() == $octets);

        impl Fixed for $name {
            const TABLE: Table = Table::$name;
        }
    )*};
}

layouts! {
    Account = 64 {
        next_mailbox: U32,
        mailboxes: U32,
        modseq: U64,
        octets: U64,
        secret_octets: U16,
        flags: U16,
        messages: U32,
        quota_octets: U64,
        quota_messages: U32,
        vanished: U32,
        trimmed_modseq: U64,
        trimmed_mailbox: U32,
        trimmed_uid: U32,
    }

    Mailbox = 56 {
        uidvalidity: U32,
        uidnext: U32,
        highest_modseq: U64,
        messages: U32,
        unseen: U32,
        deleted: U32,
        recent_from: U32,
        octets: U64,
        special: U32,
        keyword_octets: U32,
        trimmed: U64,
    }

    Message = 48 {
        modseq: U64,
        blob: U64,
        keywords: U64,
        internal_date: U64,
        octets: U32,
        flags: U32,
        prefix_octets: U16,
        zero: [u8; 6],
    }

    Blob = 64 {
        offset: U64,
        checksum: U64,
        octets: U64,
        stored: U64,
        record_offset: U64,
        record_octets: U64,
        segment: U32,
        record_segment: U32,
        references: U32,
        log: U16,
        encoding: u8,
        zero: u8,
    }

    Segment = 16 {
        dead_octets: U64,
        dead_records: U32,
        zero: U32,
    }

    Applied = 20 {
        segment: U32,
        offset: U64,
        sequence: U64,
    }

    Credential = 32 {
        created: U64,
        used: U64,
        scopes: U32,
        iterations: U32,
        secret_octets: U16,
        name_octets: U16,
        salt_octets: u8,
        key_octets: u8,
        zero: U16,
    }

    Queue = 80 {
        blob: U64,
        trace: U64,
        created: U64,
        due: U64,
        hold: U64,
        expires: U64,
        by: U64,
        attempts: U32,
        flags: U16,
        recipients: U16,
        sender_octets: U16,
        envid_octets: U16,
        route_octets: U16,
        why_octets: U16,
        layout: u8,
        kind: u8,
        state: u8,
        priority: i8,
        body: u8,
        zero: [u8; 3],
    }

    Transcript = 16 {
        unix: U64,
        octets: U32,
        encoding: u8,
        zero: [u8; 3],
    }

    Ban = 20 {
        until: U64,
        since: U64,
        count: U32,
    }

    Reputation = 20 {
        first: U64,
        last: U64,
        hits: U32,
    }
}

/// A recipient in a value of table queue.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Recipient {
    pub due: U64,
    pub attempts: U16,
    pub address_octets: U16,
    pub orcpt_octets: U16,
    pub reply_octets: U16,
    pub type_octets: u8,
    pub state: u8,
    pub notify: u8,
    pub zero: u8,
}

const _: () = assert!(size_of::<Recipient>() == 20);

impl Fixed for Recipient {
    const TABLE: Table = Table::Queue;
}
