//! The schema: every table, its key and its value, octet by octet. Read this first.
//!
//! Keys are big-endian so that octet order is scan order, at most [`crate::key::OCTETS_MAX`] octets; values are
//! little-endian. A fixed layout is read where it lies, at any address; what varies in length stands behind it. Numbers in
//! drawings are octets from the beginning of the value; `zero` is written as zeros and not read. Records of the logs are
//! drawn in `ringpost_log::record`.
//!
//! | table | key | value |
//! |---|---|---|
//! | account | account u32 | drawn below: counters, quota, secret, name |
//! | address | address key: domain in A-labels, local part in lower case and NFC; or `@domain` | drawn below: where it leads |
//! | mailbox | account u32, mailbox u32 | drawn below: counters, keywords, name |
//! | mailbox_name | account u32, name (UTF-8) | mailbox u32, or empty: subscribed but not there |
//! | message | account u32, mailbox u32, uid u32 | drawn below |
//! | prefix | account u32, mailbox u32, uid u32 | header octets of this recipient alone, in front of the shared mail |
//! | change | account u32, modseq u64, mailbox u32, uid u32 | kind u8 ([`ChangeKind`]) |
//! | blob | blob u64 | drawn below: where a mail is |
//! | digest | blob u64 | digest octets as `message::digest` writes them |
//! | text | blob u64; for each further piece blob u64, piece u16 | what SEARCH TEXT looks through, see [`mod@crate::text`]; none where the mail itself is to be read |
//! | filter | account u32, mailbox u32, first UID u32, row u16 | lets SEARCH TEXT pass over messages, see [`crate::search::block`] |
//! | free | log u16, segment u32, offset u64 | octets u64: a stretch that became free and is not yet given back to the file system |
//! | segment | log u16, segment u32 | drawn below; none while all of the segment is alive |
//! | sweep | account u32, mailbox u32 | empty: rows of a mailbox that is gone, still to be deleted; mailbox 2^32-1: change rows of an account |
//! | credential | account u32, kind u8, id u32 | drawn below: [`crate::credential`]; kind 1, id 0: keys of the main password; kind 2: an app password |
//! | queue | item u64 | drawn below: [`crate::item`], an envelope on its way out |
//! | due | ms since 1970 u64, item u64 | empty: when an item is to be tried; none while it is held |
//! | transcript | trace u64 | drawn below: [`crate::transcript`], what a session said |
//! | ban | family u8 (4, 6), prefix u8, address 4 or 16 octets | drawn below: [`crate::network`] |
//! | reputation | kind u8 ([`crate::network::Trap`]), network as in ban | drawn below: [`crate::network`] |
//! | expire | kind u8 (1 transcript, 2 ban, 3 reputation), seconds since 1970 u64, key of the row | empty: rows of those tables by age; a transcript's time is when its session ended, a ban's when it ends, a reputation's the last hit, up to the next full hour |
//! | applied | log u16 | drawn below: how far a log is in the index |
//! | setting | name (UTF-8) | u32 each: `version` of the schema, `next_account`, `next_credential`, `uidvalidity` (the last one given), `transcripts`, `bans`, `reputations` (rows there are); u64: `next_item` |
//!
//! ```text
//! account   0               4               8                               16
//!           | next mailbox  | mailboxes     | modseq                        |
//!           16                              24      26      28              32
//!           | octets                        | secret| flags | messages      |
//!           32                              40              44              48
//!           | quota: octets                 | messages      | vanished      |
//!           48                              56              60              64
//!           | trimmed: modseq               | mailbox       | UID           |
//!           secret: its octets; flags: bit 0, may not log in. Behind it the secret, then the name.
//!
//! mailbox   0               4               8                               16
//!           | uidvalidity   | uidnext       | highest modseq                |
//!           16              20              24              28              32
//!           | messages      | unseen        | deleted       | recent from   |
//!           32                              40              44              48
//!           | octets                        | special       | keywords      |
//!           48                              56
//!           | trimmed: modseq               |
//!           keywords: their octets. Behind it each keyword in bit order, octets u8 and text; then the name.
//!
//! message   0                               8                               16
//!           | modseq                        | blob                          |
//!           16                              24                              32
//!           | keywords: bit n, keyword n    | internal date, seconds        |
//!           32              36              40      42                      48
//!           | octets        | flags         | prefix| zero                  |
//!           octets: prefix and mail; prefix: octets of the row in table prefix.
//!
//! blob      0                               8                               16
//!           | offset of the mail            | XXH3-64 of the raw mail       |
//!           16                              24                              32
//!           | octets of the raw mail        | octets it takes               |
//!           32                              40                              48
//!           | offset of its record          | octets of its record          |
//!           48              52              56              60      62  63  64
//!           | segment       | record's      | references    | log   | en| 0 |
//!           en: [`Encoding`]. The record is in another segment where the mail has one of its own.
//!
//! segment   0                               8               12              16
//!           | dead octets                   | dead records  | zero          |
//!
//! applied   0               4                               12
//!           | segment       | offset of the next record     |
//!           12                              20
//!           | its sequence                  |
//!
//! address   count u16, then each target: 0 u8, account u32, or 1 u8, octets u16, address
//!
//! credential
//!           0                               8                               16
//!           | created, seconds              | last used, seconds; 0: never  |
//!           16              20              24      26      28  29  30      32
//!           | scopes        | iterations    | secret| name  |slt|key| zero  |
//!           secret, name, slt: their octets; key: 32, or 0 without SCRAM keys. Behind it secret (PHC), name, salt,
//!           StoredKey, ServerKey. RFC 5802 §3.
//!
//! queue     0                               8                               16
//!           | blob                          | trace                         |
//!           16                              24                              32
//!           | created, ms                   | due, ms                       |
//!           32                              40                              48
//!           | hold, ms                      | expires, ms                   |
//!           48                              56              60      62      64
//!           | deliver by, ms                | attempts      | flags | rcpts |
//!           64      66      68      70      72  73  74  75  76  77          80
//!           | sender| envid | route | why   |lay|knd|sta|pri|bod| zero      |
//!           rcpts: their count; sender, envid, route, why: their octets; lay: 1, the layout. Times: 0, none.
//!           flags: 1 SMTPUTF8, 2 REQUIRETLS, 4 RET=FULL, 8 RET=HDRS, 16 BY mode N (else R), 32 BY trace.
//!           Behind it sender, envid, route, why, then each recipient:
//!           0                               8       10      12      14      16  17  18  19  20
//!           | due, ms                       | tries | addr  | orcpt | reply |typ|sta|ntf| 0 |
//!           tries: attempts; addr, orcpt, reply, typ: octets of address, of ORCPT's address and type, of the last reply.
//!           Behind it address, type, ORCPT address, reply.
//!
//! transcript
//!           0                               8               12  13          16
//!           | seconds                       | octets        |enc| zero      |
//!           octets: of the text; enc: 0 as it is, 1 lz4. Behind it the text.
//!
//! ban       0                               8                               16
//!           | until, seconds; 2^64-1: ever  | since, seconds                |
//!           16              20
//!           | count         |
//!           Behind it the reason.
//!
//! reputation
//!           0                               8                               16
//!           | first, seconds                | last, seconds                 |
//!           16              20
//!           | hits          |
//! ```
//!
//! An item has the same octets in its log record, where they lie until the record does; `lay` tells how to read them there.
//! The envelope keeps its key while it is put off again and again; what a scheduler walks through is `due`, 16 octets a row.
//!
//! What is to expire has its time in `expire`, which is scanned from the beginning; the row itself is found by what it is
//! about. A trace tells when its session began, behind the shard's number, and sessions end in another order.
//!
//! A message row is kept small and of one size because FETCH FLAGS walks all of them: the recipient's prefix has
//! a table of its own. The name of an account is its primary address.
//!
//! A message that exists has one row in `change`, its newest; it is the UID, at or above the UIDNEXT one knew, that
//! tells a new message. One that left has its row until it is trimmed: the account then knows up to which row all such
//! are gone, each mailbox the MODSEQ of the last one that was its own.
//!
//! What an account or mailbox leaves behind when it is removed is not counted by anybody and waits in `sweep`, except that
//! its messages still count in `references`.
//!
//! # Versions
//!
//! A store of an older version becomes one of this when it is opened ([`mod@crate::upgrade`]); a newer one is left alone.
//!
//! | version | what it brought |
//! |---|---|
//! | 1 | account rows of 32 octets, without what follows `flags`; blob rows of 40 octets, without stored form and record; none of text, filter, free, segment, sweep |
//! | 2 | messages, quota and trimming; mails stored packed or in a segment of their own; space given back |
//! | 3 | credential, queue, due, transcript, ban, reputation, expire: tables that were not there |

use ringpost_types::{BlobId, MailboxId, ModSeq, Uid};

/// Version of this schema, stored under setting `version`.
pub const VERSION: u32 = 3;

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
    Credential,
    Queue,
    Due,
    Transcript,
    Ban,
    Reputation,
    Expire,
    Applied,
    Setting,
}

impl Table {
    /// All tables, in the order of their numbers.
    pub const ALL: [Table; 23] = [
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
        Table::Credential,
        Table::Queue,
        Table::Due,
        Table::Transcript,
        Table::Ban,
        Table::Reputation,
        Table::Expire,
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
            Table::Credential => "credential",
            Table::Queue => "queue",
            Table::Due => "due",
            Table::Transcript => "transcript",
            Table::Ban => "ban",
            Table::Reputation => "reputation",
            Table::Expire => "expire",
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

/// An account.
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

/// A mailbox.
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

/// A message in a mailbox.
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

/// What of a segment is no longer wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentRow {
    /// Octets of records whose mail nobody refers to.
    pub dead_octets: u64,
    /// Such records.
    pub dead_records: u32,
}

/// Where a mail's octets are.
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
    /// Message rows and queue items that point here.
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
