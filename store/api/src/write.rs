//! What can be asked of a store: mail-level writes as values, and what came of each.
//!
//! A write names accounts, mailboxes and UIDs, never rows or keys; [`crate::apply`] turns it into rows inside the
//! backend's transaction. A write that fails leaves nothing behind and does not touch its neighbours.

use crate::credential::Scram;
use crate::item::Item;
use crate::network::Trap;
use crate::table::{Encoding, Stretch};
use ringpost_types::{AccountId, BlobId, Cidr, ItemId, MailboxId, ModSeq, TraceId, Uid};

/// How far a log has been applied: everything before `(segment, offset)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Number of the segment file.
    pub segment: u32,
    /// The next record's first octet.
    pub offset: u64,
    /// The next record's sequence number.
    pub sequence: u64,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// A mail that a log holds durably, into the mailboxes it goes to.
    Deliver(Deliver),
    /// A mail that another log holds durably at a new place: the old place becomes free. The same path as a delivery.
    Relocate(Relocate),
    /// Rows of tables free and segment that are done with: the stretches are holes now, the segments are gone.
    Tidied {
        holes: Vec<(u16, Stretch)>,
        segments: Vec<(u16, u32)>,
    },
    /// Change flags of messages. RFC 9051 §6.4.6.
    Store(StoreFlags),
    /// Remove messages that have `\Deleted`, or as many of them as one write may; with `uids`, only those among them.
    /// RFC 9051 §6.4.3, §6.4.9.
    Expunge {
        account: AccountId,
        mailbox: MailboxId,
        uids: Option<Vec<Uid>>,
    },
    /// Copy or move messages. RFC 9051 §6.4.7, §6.4.8. Flags, keywords, INTERNALDATE and prefix go along.
    Transfer {
        account: AccountId,
        mailbox: MailboxId,
        uids: Vec<Uid>,
        target: MailboxId,
        mode: Transfer,
    },
    /// A selecting session takes the `\Recent` ones: `recent_from` becomes `uidnext`. RFC 3501 §2.3.2.
    ClaimRecent {
        account: AccountId,
        mailbox: MailboxId,
    },
    /// Make a mailbox, and the ones above it that are missing. RFC 9051 §6.3.4.
    MailboxCreate {
        account: AccountId,
        name: String,
        special: u32,
    },
    /// Remove a mailbox and its messages; those below it stay. RFC 9051 §6.3.5.
    MailboxDelete { account: AccountId, name: String },
    /// Rename a mailbox and all below it; INBOX: move its messages into a new one. RFC 9051 §6.3.6.
    MailboxRename {
        account: AccountId,
        from: String,
        to: String,
    },
    /// RFC 9051 §6.3.7, §6.3.8. A name that is not there may be subscribed too.
    Subscribe {
        account: AccountId,
        name: String,
        on: bool,
    },
    /// A new UIDVALIDITY for every mailbox of an account: it stands where it stood before, and clients know UIDs that were given
    /// since. RFC 9051 §2.3.1.1.
    Revalidate { account: AccountId },
    /// Make an account with INBOX, Drafts, Sent, Junk, Trash and Archive.
    AccountCreate {
        name: String,
        secret: String,
        /// Keys of the same password.
        scram: Option<Scram>,
    },
    /// Remove an account, its mail and the addresses that lead only to it.
    AccountRemove { account: AccountId },
    /// Replace the password hash, and the keys of the old password by those of the new one, or by none.
    AccountSecret {
        account: AccountId,
        secret: String,
        scram: Option<Scram>,
    },
    /// Give an account one more password, for some program of its owner. Its name is its own within the account.
    CredentialAdd {
        account: AccountId,
        name: String,
        /// Bits of [`crate::credential::scope`].
        scopes: u32,
        secret: String,
        scram: Option<Scram>,
    },
    /// Keys of the main password, for an account that has none. Nobody waits for it; where `secret` is not its hash any
    /// more, the password was changed meanwhile, and nothing is done.
    AccountKeys {
        account: AccountId,
        secret: String,
        scram: Scram,
    },
    /// Take an app password away.
    CredentialRemove { account: AccountId, id: u32 },
    /// An app password was used just now. Nobody waits for it; one that is gone by now is no error.
    CredentialUsed { account: AccountId, id: u32 },
    /// What an account may have; 0: no bound. RFC 9208 §5.
    Quota {
        account: AccountId,
        octets: u64,
        messages: u32,
    },
    /// Refuse logins of an account, or let them in again. Its mail comes in all the same.
    AccountDisable { account: AccountId, disabled: bool },
    /// Forget what vanished in an account up to a modification sequence, or as much of it as one write may: see
    /// [`Outcome::Trimmed`]. RFC 7162 §3.2.5.2 allows it.
    Trim { account: AccountId, upto: ModSeq },
    /// Go on deleting rows of mailboxes and accounts that are gone: see [`Outcome::Swept`].
    Sweep,
    /// Put the text row of a mail that has none: one that came before there were such rows, or too large to be in memory
    /// when it arrived. The search that had to read it leaves it for the next.
    Text { blob: BlobId, row: Vec<u8> },
    /// Put a block of the search filter, which [`crate::search::build`] has made, behind those there are. Where the last
    /// one does not end at `first`, another search was quicker, and nothing is done.
    Filter {
        account: AccountId,
        mailbox: MailboxId,
        first: Uid,
        rows: Vec<Vec<u8>>,
    },
    /// Drop the search filter of a mailbox, or as much of it as one write may: see [`Outcome::Swept`].
    Unfilter {
        account: AccountId,
        mailbox: MailboxId,
    },
    /// Let `address` lead to `targets`; replaces what it led to. `@domain` stands for whatever of the domain has no
    /// address of its own.
    AliasPut {
        address: String,
        targets: Vec<AliasTarget>,
    },
    /// The same for many at once: all or none.
    AliasesPut {
        aliases: Vec<(String, Vec<AliasTarget>)>,
    },
    /// Remove an alias. The primary address of an account stays.
    AliasRemove { address: String },
    /// Hold items of the queue: nobody tries them until they are released. Items that are gone are passed over.
    QueueHold { items: Vec<ItemId>, why: String },
    /// Let held items go on when they are due.
    QueueRelease { items: Vec<ItemId> },
    /// Take items out of the queue without a word to anybody; their mail is let go of.
    QueueDrop { items: Vec<ItemId> },
    /// Keep what a session said; `row` by [`crate::transcript::encode`]. In place of an earlier one of the same trace.
    /// Nobody waits for it.
    Transcript { trace: TraceId, row: Vec<u8> },
    /// Ban a network until a time, in seconds since 1970 UTC; `u64::MAX`: for ever. In place of an earlier ban.
    Ban {
        network: Cidr,
        until: u64,
        reason: String,
    },
    /// Lift a ban. One that is not there is no error.
    Unban { network: Cidr },
    /// A network was caught once more. Nobody waits for it.
    Trap { kind: Trap, network: Cidr },
    /// Drop what expired up to `now`, in seconds since 1970 UTC: transcripts, bans, reputations, or as much as one
    /// write may: see [`Outcome::Swept`].
    Expire { now: u64 },
}

/// Where an alias leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AliasTarget {
    /// A local account.
    Account(AccountId),
    /// Another address, local or not.
    Address(String),
}

/// [`Write::Deliver`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deliver {
    /// The mail's name.
    pub blob: BlobId,
    /// Its segment.
    pub segment: u32,
    /// The first of its stored octets in the segment.
    pub offset: u64,
    /// Its length.
    pub octets: u64,
    /// Octets it takes in the segment.
    pub stored: u64,
    /// How those are to be read.
    pub encoding: Encoding,
    /// The record: what becomes free with the mail.
    pub record: Stretch,
    /// XXH3-64 of its octets.
    pub checksum: u64,
    /// What `message::digest` made of it.
    pub digest: Vec<u8>,
    /// Its row in table text; empty: none.
    pub text: Vec<u8>,
    /// One for each mailbox it goes to.
    pub targets: Vec<Target>,
    /// One for each envelope that it leaves in. Neither targets nor items: the record is applied and its octets are free.
    pub items: Vec<Item>,
    /// Where the log goes on after this record. A record before the applied position is passed over.
    pub next: Position,
}

/// [`Write::Relocate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocate {
    /// The mail's name, which it keeps.
    pub blob: BlobId,
    /// The log that holds it now.
    pub log: u16,
    /// Its segment.
    pub segment: u32,
    /// The first of its stored octets in the segment.
    pub offset: u64,
    /// Octets it takes there.
    pub stored: u64,
    /// How those are to be read.
    pub encoding: Encoding,
    /// XXH3-64 of the raw mail: a blob row with another is left alone.
    pub checksum: u64,
    /// The record.
    pub record: Stretch,
    /// Where that log goes on after this record. A record before the applied position is passed over.
    pub next: Position,
}

/// One mailbox that a mail goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub mailbox: MailboxId,
    /// What to do when that mailbox is gone by now.
    pub missing: Missing,
    /// Bits of [`crate::table::flag`].
    pub flags: u32,
    /// Keywords by name.
    pub keywords: Vec<String>,
    /// INTERNALDATE, seconds since 1970 UTC.
    pub internal_date: u64,
    /// Header octets for this recipient alone, CRLF-ended lines.
    pub prefix: Vec<u8>,
}

/// What becomes of a target whose mailbox is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Deliver into INBOX: accepted mail is never lost.
    Inbox,
    /// Refuse: APPEND answers NO \[TRYCREATE\]. RFC 9051 §6.3.12.
    Refuse,
}

/// [`Write::Store`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFlags {
    /// Whose.
    pub account: AccountId,
    /// Which mailbox.
    pub mailbox: MailboxId,
    /// Which messages, ascending. UIDs that are gone are passed over.
    pub uids: Vec<Uid>,
    /// What to do with the flags.
    pub change: FlagChange,
    /// Bits of [`crate::table::flag`].
    pub flags: u32,
    /// Keywords by name.
    pub keywords: Vec<String>,
    /// Only messages with a MODSEQ up to this. RFC 7162 §3.1.3.
    pub unchanged_since: Option<ModSeq>,
}

/// FLAGS, +FLAGS or -FLAGS. RFC 9051 §6.4.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]

pub enum FlagChange {
    Replace,
    Add,
    Remove,
}

/// COPY or MOVE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]

pub enum Transfer {
    Copy,
    Move,
}

/// What came of a write. Durable when it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done and there is nothing to say.
    Done,
    /// One for each target, in order: where the mail is. UID 0: the account is gone, or its rows are
    /// damaged, and there is no copy. A record
    /// that was applied before is [`Outcome::Done`].
    Delivered(Vec<Placed>),
    /// Messages whose flags are as asked for now (changed or already so), ascending, and those left out by `unchanged_since`.
    Stored {
        modseq: ModSeq,
        changed: Vec<Uid>,
        modified: Vec<Uid>,
    },
    /// UIDs that are gone, ascending; whether there are more: the same write again goes on.
    Expunged {
        modseq: ModSeq,
        uids: Vec<Uid>,
        more: bool,
    },
    /// COPYUID: the target's UIDVALIDITY, and pairs of old and new UID, ascending. RFC 9051 §7.1.
    Transferred {
        uidvalidity: u32,
        pairs: Vec<(Uid, Uid)>,
    },
    /// The messages that were `\Recent` to the claimant: those with a UID in this half-open range.
    Recent { from: Uid, to: Uid },
    /// Whether there is more to forget: the same write again goes on.
    Trimmed { more: bool },
    /// Whether rows of what is gone are left: the same write again goes on.
    Swept { more: bool },
    /// A new mailbox.
    Mailbox(MailboxId),
    /// A new account.
    Account(AccountId),
    /// A new app password.
    Credential(u32),
    /// Items of the queue that were there and to which it was done, in the order in which they were named.
    Items(Vec<ItemId>),
}

/// Where a target's message is. APPENDUID. RFC 9051 §7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]

pub struct Placed {
    pub account: AccountId,
    pub mailbox: MailboxId,
    pub uidvalidity: u32,
    pub uid: Uid,
}
