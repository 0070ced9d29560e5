//! The schema: every table, its key and its value, octet by octet.
//!
//! Keys are big-endian so that octet order is scan order, at most 400 octets. Values of fixed layout are
//! little-endian integers read in place through the row views below; what varies in length stands behind them.
//!
//! | table | key | value |
//! |---|---|---|
//! | account | account u32 | [`AccountRow`] ++ secret ++ name |
//! | address | address key (UTF-8, lower case) | target count u16, then each: kind u8 (0 account u32, 1 address len u16 ++ UTF-8) |
//! | mailbox | account u32, mailbox u32 | [`MailboxRow`] ++ keywords ++ name |
//! | mailbox_name | account u32, name (UTF-8) | mailbox u32, or empty: subscribed but not there |
//! | message | account u32, mailbox u32, uid u32 | [`MessageRow`], 48 octets |
//! | prefix | account u32, mailbox u32, uid u32 | header octets of this recipient alone, in front of the shared mail |
//! | change | account u32, modseq u64, mailbox u32, uid u32 | kind u8 ([`ChangeKind`]) |
//! | blob | blob u64 | [`BlobRow`], 64 octets |
//! | digest | blob u64 | digest octets as `message::digest` writes them |
//! | text | blob u64; for each further piece blob u64, piece u16 | what SEARCH TEXT looks through, see [`mod@crate::text`]; none where the mail itself is to be read |
//! | filter | account u32, mailbox u32, first UID u32, row u16 | lets SEARCH TEXT pass over messages, see [`crate::search::block`] |
//! | free | log u16, segment u32, offset u64 | octets u64: a stretch that became free and is not yet given back to the file system |
//! | segment | log u16, segment u32 | [`SegmentRow`], 16 octets; none while all of the segment is alive |
//! | sweep | account u32, mailbox u32 | empty: rows of a mailbox that is gone, still to be deleted; mailbox 2^32-1: of an account |
//! | applied | log u16 | segment u32, offset u64, next sequence u64 |
//! | setting | name (UTF-8) | octets; `version` u32, `next_account` u32, `uidvalidity` u32 (the last one given) |
//!
//! A message row is kept small and of one size because FETCH FLAGS walks all of them: the recipient's prefix has
//! a table of its own. The name of an account is its primary address.
//!
//! A message that exists has one row in `change`, its newest; it is the UID, at or above the UIDNEXT one knew, that
//! tells a new message. One that left has its row for good.

use ringpost_types::{BlobId, MailboxId, ModSeq, Uid};

/// Version of this schema, stored under setting `version`.
pub const VERSION: u32 = 2;

/// One table of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(usize)]
pub enum Table {
    Account,
    Address,
    Mailbox,
    MailboxName,
    Message,
    Prefix,
    Change,
    Blob,
    Digest,
    Text,
    Filter,
    Free,
    Segment,
    Sweep,
    Applied,
    Setting,
}

impl Table {
    /// All tables, in the order of their numbers.
    pub const ALL: [Table; 16] = [
        Table::Account,
        Table::Address,
        Table::Mailbox,
        Table::MailboxName,
        Table::Message,
        Table::Prefix,
        Table::Change,
        Table::Blob,
        Table::Digest,
        Table::Text,
        Table::Filter,
        Table::Free,
        Table::Segment,
        Table::Sweep,
        Table::Applied,
        Table::Setting,
    ];

    /// The name a backend gives it.
    pub fn name(self) -> &'static str {
        match self {
            Table::Account => "account",
            Table::Address => "address",
            Table::Mailbox => "mailbox",
            Table::MailboxName => "mailbox_name",
            Table::Message => "message",
            Table::Prefix => "prefix",
            Table::Change => "change",
            Table::Blob => "blob",
            Table::Digest => "digest",
            Table::Text => "text",
            Table::Filter => "filter",
            Table::Free => "free",
            Table::Segment => "segment",
            Table::Sweep => "sweep",
            Table::Applied => "applied",
            Table::Setting => "setting",
        }
    }
}

/// System flags and widely used keywords as bits of [`MessageRow::flags`]. RFC 9051 §2.3.2.
pub mod flag {
    /// `\Seen`.
    pub const SEEN: u32 = 1;
    /// `\Answered`.
    pub const ANSWERED: u32 = 1 << 1;
    /// `\Flagged`.
    pub const FLAGGED: u32 = 1 << 2;
    /// `\Deleted`.
    pub const DELETED: u32 = 1 << 3;
    /// `\Draft`.
    pub const DRAFT: u32 = 1 << 4;
    /// Every bit that a client may set.
    pub const ALL: u32 = SEEN | ANSWERED | FLAGGED | DELETED | DRAFT;
}

/// What a mailbox is for, as a bit. RFC 6154 §2.
pub mod special {
    /// `\Drafts`.
    pub const DRAFTS: u32 = 1;
    /// `\Sent`.
    pub const SENT: u32 = 1 << 1;
    /// `\Junk`.
    pub const JUNK: u32 = 1 << 2;
    /// `\Trash`.
    pub const TRASH: u32 = 1 << 3;
    /// `\Archive`.
    pub const ARCHIVE: u32 = 1 << 4;
    /// `\All`.
    pub const ALL: u32 = 1 << 5;
    /// `\Flagged`.
    pub const FLAGGED: u32 = 1 << 6;
    /// Subscribed. RFC 9051 §6.3.7. Not a use, but a bit of the same word.
    pub const SUBSCRIBED: u32 = 1 << 31;
}

/// Kind of a change row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ChangeKind {
    /// The message is new in the mailbox: delivered, appended, copied or moved in.
    Added = 1,
    /// Its flags or keywords changed.
    Flags = 2,
    /// It left the mailbox: expunged or moved out. RFC 7162 §3.2.10.
    Vanished = 3,
    /// The mailbox itself was made, renamed, (un)subscribed or removed; uid is 0.
    Mailbox = 4,
}

/// Fixed part of an account row, 64 octets: next mailbox u32, mailbox count u32, modseq u64, octets u64,
/// secret octets u16, flags u16 (bit 0: may not log in), messages u32, quota octets u64, quota messages u32, vanished u32,
/// trimmed modseq u64, trimmed mailbox u32, trimmed uid u32. Behind it the secret, then the name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountRow<'t> {
    /// The next mailbox's id.
    pub next_mailbox: MailboxId,
    /// Mailboxes now.
    pub mailboxes: u32,
    /// The highest modification sequence given out in this account.
    pub modseq: ModSeq,
    /// Octets of all its messages.
    pub octets: u64,
    /// All its messages.
    pub messages: u32,
    /// Octets it may have; 0: as many as there is room for. RFC 9208 §5.1.
    pub quota_octets: u64,
    /// Messages it may have; 0: any number. RFC 9208 §5.2.
    pub quota_messages: u32,
    /// Its rows in table change that no message keeps: what vanished, and changes of mailboxes.
    pub vanished: u32,
    /// Up to this row of table change, itself included, such rows are gone: whoever knew less is to compare all.
    /// RFC 7162 §3.2.5.2.
    pub trimmed: Place,
    /// Whether login is refused.
    pub disabled: bool,
    /// The password hash as a PHC string; empty: no password works.
    pub secret: &'t str,
    /// The primary address, as it was given.
    pub name: &'t str,
}

/// Fixed part of a mailbox row, 56 octets: uidvalidity u32, uidnext u32, highestmodseq u64, messages u32, unseen u32,
/// deleted u32, recent_from u32, octets u64, special u32, keyword octets u32, trimmed u64.
/// Behind it the keywords in bit order, each length u8 ++ octets, then the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxRow<'t> {
    /// RFC 9051 §2.3.1.1.
    pub uidvalidity: u32,
    /// The next message's UID.
    pub uidnext: Uid,
    /// RFC 7162 §3.1.2.1.
    pub highest_modseq: ModSeq,
    /// Messages now.
    pub messages: u32,
    /// Of them without `\Seen`.
    pub unseen: u32,
    /// Of them with `\Deleted`.
    pub deleted: u32,
    /// Messages from this UID on are `\Recent` to the next session that selects. RFC 3501 §2.3.2.
    pub recent_from: Uid,
    /// Octets of its messages.
    pub octets: u64,
    /// Bits of [`special`].
    pub special: u32,
    /// The last of its rows in table change that was forgotten: whoever knew less is to compare all.
    pub trimmed: ModSeq,
    /// Encoded keywords; see [`MailboxRow::keywords`].
    pub keyword_octets: &'t [u8],
    /// UTF-8, levels separated by `/`.
    pub name: &'t str,
}

/// A message in a mailbox, 48 octets: modseq u64, blob u64, keywords u64, internal_date u64, octets u32, flags u32,
/// prefix octets u16, zero u16, zero u32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageRow {
    /// When it last changed. RFC 7162 §3.1.
    pub modseq: ModSeq,
    /// The shared mail.
    pub blob: BlobId,
    /// Bit n: the mailbox's keyword n.
    pub keywords: u64,
    /// INTERNALDATE, seconds since 1970 UTC. RFC 9051 §2.3.3.
    pub internal_date: u64,
    /// RFC822.SIZE: prefix and shared mail together. RFC 9051 §2.3.4.
    pub octets: u32,
    /// Bits of [`flag`].
    pub flags: u32,
    /// Of those, octets of the prefix.
    pub prefix_octets: u16,
}

/// How a mail's octets stand in their segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Encoding {
    /// As they are.
    #[default]
    Raw = 0,
    /// Packed by zstd, in frames that are read one by one; see `ringpost_log`.
    Zstd = 1,
}

/// A place in the change feed of an account: the key of a row in table change, in the order of the feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When.
    pub modseq: ModSeq,
    /// Where.
    pub mailbox: MailboxId,
    /// Which message; 0 where the mailbox itself changed.
    pub uid: Uid,
}

impl Place {
    /// Behind everything of `modseq`.
    pub fn end_of(modseq: ModSeq) -> Self {
        Place {
            modseq,
            mailbox: MailboxId(u32::MAX),
            uid: Uid(u32::MAX),
        }
    }
}

/// What of a segment is no longer wanted, 16 octets: octets u64, records u32, zero u32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentRow {
    /// Octets of records whose mail nobody refers to.
    pub dead_octets: u64,
    /// Such records.
    pub dead_records: u32,
}

/// Where a mail's octets are, 64 octets: offset u64, checksum u64, octets u64, stored u64, record offset u64,
/// record octets u64, segment u32, record segment u32, references u32, log u16, encoding u8, zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobRow {
    /// The log whose segment holds it.
    pub log: u16,
    /// Number of the segment file.
    pub segment: u32,
    /// Where the stored octets of the mail begin in it.
    pub offset: u64,
    /// Length of the raw mail.
    pub octets: u64,
    /// Octets it takes in the segment.
    pub stored: u64,
    /// How they are to be read.
    pub encoding: Encoding,
    /// XXH3-64 of the raw mail.
    pub checksum: u64,
    /// The record that brought it, in the same segment unless the mail, a large one, has a segment of its own.
    pub record: Stretch,
    /// Message rows that point here.
    pub references: u32,
}

/// Some octets of one segment of a log that is known from beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// Number of the segment file.
    pub segment: u32,
    /// The first octet.
    pub offset: u64,
    /// How many.
    pub octets: u64,
}
