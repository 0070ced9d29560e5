//! What a client can say, as plain data borrowed from the command buffer (or from the command's arena, where an
//! escape had to be undone). RFC 3501 §6, §9.
//!
//! Invariants: a mailbox name is UTF-8 with INBOX in capitals; a number in a set is not zero; lists and trees are
//! no deeper and no longer than the limit table allows.

use crate::flag::Flags;
use crate::sequence::SequenceSet;

/// One command, without its tag.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command<'c> {
    /// RFC 3501 §6.1.1.
    Capability,
    /// RFC 3501 §6.1.2.
    Noop,
    /// RFC 3501 §6.1.3.
    Logout,
    /// Field and value pairs; none for `ID NIL`. RFC 2971 §3.1.
    Id(&'c [(&'c [u8], Option<&'c [u8]>)]),
    /// RFC 3501 §6.2.1.
    StartTls,
    /// The mechanism as written; `initial` is base64, or `=` for an empty response. RFC 3501 §6.2.2, RFC 4959 §3.
    Authenticate {
        mechanism: &'c str,
        initial: Option<&'c [u8]>,
    },
    /// RFC 3501 §6.2.3.
    Login { user: &'c [u8], password: &'c [u8] },
    /// Names of extensions, as written. RFC 5161 §3.1.
    Enable(&'c [&'c str]),
    /// RFC 3501 §6.3.1.
    Select(&'c str),
    /// RFC 3501 §6.3.2.
    Examine(&'c str),
    /// A trailing `/` is kept off `mailbox`. RFC 3501 §6.3.3, RFC 6154 §3.
    Create {
        mailbox: &'c str,
        special: &'c [SpecialUse],
    },
    /// RFC 3501 §6.3.4.
    Delete(&'c str),
    /// RFC 3501 §6.3.5.
    Rename { from: &'c str, to: &'c str },
    /// RFC 3501 §6.3.6.
    Subscribe(&'c str),
    /// RFC 3501 §6.3.7.
    Unsubscribe(&'c str),
    /// RFC 3501 §6.3.8, RFC 5258.
    List(List<'c>),
    /// RFC 3501 §6.3.9.
    Lsub {
        reference: &'c str,
        pattern: &'c str,
    },
    /// RFC 2342 §5.
    Namespace,
    /// RFC 3501 §6.3.10.
    Status {
        mailbox: &'c str,
        items: StatusItems,
    },
    /// RFC 2177 §3. What ends it is [`crate::parse::done`].
    Idle,
    /// RFC 3501 §6.4.1.
    Check,
    /// RFC 3501 §6.4.2.
    Close,
    /// RFC 3691 §2.
    Unselect,
    /// RFC 3501 §6.4.3.
    Expunge,
    /// UID EXPUNGE. RFC 4315 §2.1.
    UidExpunge(SequenceSet<'c>),
    /// RFC 3501 §6.4.4.
    Search(Search<'c>),
    /// RFC 3501 §6.4.5.
    Fetch(Fetch<'c>),
    /// RFC 3501 §6.4.6.
    Store(Store<'c>),
    /// RFC 3501 §6.4.7.
    Copy(Transfer<'c>),
    /// RFC 6851 §3.1.
    Move(Transfer<'c>),
}

/// What the numbers of a command, or of its answer, are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Message sequence numbers. RFC 3501 §2.3.1.2.
    Sequence,
    /// Unique identifiers: the command came with the prefix UID. RFC 3501 §6.4.8.
    Uid,
}

/// What a mailbox is for. RFC 6154 §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecialUse {
    All,
    Archive,
    Drafts,
    Flagged,
    Junk,
    Sent,
    Trash,
}

impl SpecialUse {
    /// Every use with the attribute that names it.
    pub const ALL: [(SpecialUse, &'static str); 7] = [
        (SpecialUse::All, "\\All"),
        (SpecialUse::Archive, "\\Archive"),
        (SpecialUse::Drafts, "\\Drafts"),
        (SpecialUse::Flagged, "\\Flagged"),
        (SpecialUse::Junk, "\\Junk"),
        (SpecialUse::Sent, "\\Sent"),
        (SpecialUse::Trash, "\\Trash"),
    ];
}

/// LIST. RFC 3501 §6.3.8, RFC 5258 §3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct List<'c> {
    /// What patterns are relative to; UTF-8.
    pub reference: &'c str,
    /// At least one; UTF-8, with `*` and `%`; see [`crate::mailbox::Pattern`].
    pub patterns: &'c [&'c str],
    /// Which mailboxes.
    pub selection: Selection,
    /// What to tell of them.
    pub returns: Returns,
    /// Whether anything of RFC 5258 was used: then a lone empty pattern does not ask for the delimiter.
    pub extended: bool,
}

/// Selection options. RFC 5258 §3.1, RFC 6154 §5.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub subscribed: bool,
    pub remote: bool,
    pub recursive_match: bool,
    pub special_use: bool,
}

/// Return options. RFC 5258 §3.2, RFC 6154 §5.2, RFC 5819 §2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Returns {
    pub subscribed: bool,
    pub children: bool,
    pub special_use: bool,
    /// STATUS responses asked for with the list.
    pub status: Option<StatusItems>,
}

/// A set of STATUS items. RFC 3501 §6.3.10, RFC 8438 §3, RFC 7162 §3.1.7, RFC 9051 §6.3.11.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusItems(pub u8);

impl StatusItems {
    pub const MESSAGES: StatusItems = StatusItems(1);
    pub const RECENT: StatusItems = StatusItems(1 << 1);
    pub const UIDNEXT: StatusItems = StatusItems(1 << 2);
    pub const UIDVALIDITY: StatusItems = StatusItems(1 << 3);
    pub const UNSEEN: StatusItems = StatusItems(1 << 4);
    pub const DELETED: StatusItems = StatusItems(1 << 5);
    pub const SIZE: StatusItems = StatusItems(1 << 6);
    pub const HIGHESTMODSEQ: StatusItems = StatusItems(1 << 7);

    /// Every item with its name, in the order they are answered.
    pub const TABLE: [(StatusItems, &'static str); 8] = [
        (Self::MESSAGES, "MESSAGES"),
        (Self::RECENT, "RECENT"),
        (Self::UIDNEXT, "UIDNEXT"),
        (Self::UIDVALIDITY, "UIDVALIDITY"),
        (Self::UNSEEN, "UNSEEN"),
        (Self::DELETED, "DELETED"),
        (Self::SIZE, "SIZE"),
        (Self::HIGHESTMODSEQ, "HIGHESTMODSEQ"),
    ];

    /// Whether all of `items` are in the set.
    pub fn contains(self, items: StatusItems) -> bool {
        self.0 & items.0 == items.0
    }
}

/// APPEND up to its literal, which is handed over as a stream. RFC 3501 §6.3.11.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Append<'c> {
    pub mailbox: &'c str,
    pub flags: Flags<'c>,
    /// INTERNALDATE in seconds since 1970 UTC, where given.
    pub date: Option<u64>,
    /// Octets of the message that follows. Behind them stands a CRLF that ends the command.
    pub octets: u64,
    /// Whether the client waits for `+` before it sends them.
    pub synchronizing: bool,
}

/// SEARCH. RFC 3501 §6.4.4, RFC 4731 §3.1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search<'c> {
    pub numbers: Numbers,
    /// As written. Texts of the keys are in it; US-ASCII where absent.
    pub charset: Option<&'c [u8]>,
    /// The RETURN options, where given: then the answer is ESEARCH.
    pub returns: Option<SearchReturns>,
    /// The whole criterion; several keys are one [`SearchKey::And`].
    pub key: SearchKey<'c>,
}

/// RETURN options of SEARCH; `RETURN ()` means ALL. RFC 4731 §3.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SearchReturns {
    pub min: bool,
    pub max: bool,
    pub all: bool,
    pub count: bool,
}

/// A search key. RFC 3501 §6.4.4. UNSEEN and its like are `Not`, NEW is `And(Recent, Not(Seen))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SearchKey<'c> {
    All,
    /// Has all these flags: bits of [`crate::flag`].
    Flag(u32),
    /// Has this keyword, ASCII case-blind.
    Keyword(&'c str),
    Recent,
    Sequence(SequenceSet<'c>),
    Uid(SequenceSet<'c>),
    /// Octets strictly more than this.
    Larger(u64),
    /// Octets strictly fewer than this.
    Smaller(u64),
    /// INTERNALDATE, disregarding time and zone, in days since 1970-01-01.
    Before(i32),
    On(i32),
    Since(i32),
    /// The Date header, likewise.
    SentBefore(i32),
    SentOn(i32),
    SentSince(i32),
    /// BCC, CC, FROM, SUBJECT, TO and HEADER: a header field of this name contains the text; an empty text asks
    /// whether the field is there.
    Header {
        field: &'c [u8],
        text: &'c [u8],
    },
    Body(&'c [u8]),
    Text(&'c [u8]),
    /// RFC 7162 §3.1.5.
    ModSeq(u64),
    Not(&'c SearchKey<'c>),
    Or(&'c SearchKey<'c>, &'c SearchKey<'c>),
    And(&'c [SearchKey<'c>]),
}

/// FETCH. RFC 3501 §6.4.5. Macros are expanded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fetch<'c> {
    pub numbers: Numbers,
    pub set: SequenceSet<'c>,
    /// As asked for, in order. UID FETCH answers UID even where it is not here.
    pub items: &'c [FetchItem<'c>],
}

/// A data item to fetch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FetchItem<'c> {
    Flags,
    Uid,
    InternalDate,
    /// RFC822.SIZE.
    Size,
    Envelope,
    /// BODY: BODYSTRUCTURE without extension data.
    Body,
    BodyStructure,
    /// RFC 7162 §3.1.4.
    ModSeq,
    /// BODY[...] and BODY.PEEK[...].
    Section(Section<'c>),
    /// Answered under its own name; content of BODY[].
    Rfc822,
    /// Content of BODY.PEEK[HEADER].
    Rfc822Header,
    /// Content of BODY[TEXT].
    Rfc822Text,
}

impl<'c> FetchItem<'c> {
    /// The section whose octets answer this item, if it is one that reads the mail.
    pub fn section(&self) -> Option<Section<'c>> {
        let whole = |text, peek| Section {
            part: &[],
            text,
            partial: None,
            peek,
        };
        match *self {
            FetchItem::Section(section) => Some(section),
            FetchItem::Rfc822 => Some(whole(SectionText::Whole, false)),
            FetchItem::Rfc822Header => Some(whole(SectionText::Header, true)),
            FetchItem::Rfc822Text => Some(whole(SectionText::Text, false)),
            _ => None,
        }
    }
}

/// BODY[`part`.`text`]<`partial`>. RFC 3501 §6.4.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'c> {
    /// Part numbers from the outside in; empty: the message itself.
    pub part: &'c [u32],
    pub text: SectionText<'c>,
    /// First octet and at most how many.
    pub partial: Option<(u64, u64)>,
    /// Whether `\Seen` stays as it is.
    pub peek: bool,
}

/// What of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionText<'c> {
    /// All of it: for the message, header and body; for a part, its body.
    Whole,
    Header,
    /// Names as written.
    HeaderFields(&'c [&'c [u8]]),
    HeaderFieldsNot(&'c [&'c [u8]]),
    Text,
    /// A part's own MIME header; never with an empty `part`.
    Mime,
}

/// STORE. RFC 3501 §6.4.6.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Store<'c> {
    pub numbers: Numbers,
    pub set: SequenceSet<'c>,
    pub change: FlagChange,
    /// `.SILENT`: no FETCH answers.
    pub silent: bool,
    pub flags: Flags<'c>,
    /// RFC 7162 §3.1.3.
    pub unchanged_since: Option<u64>,
}

/// FLAGS, +FLAGS or -FLAGS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagChange {
    Replace,
    Add,
    Remove,
}

/// COPY and MOVE.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transfer<'c> {
    pub numbers: Numbers,
    pub set: SequenceSet<'c>,
    pub mailbox: &'c str,
}
