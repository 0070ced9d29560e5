//! Items of the outbound queue: an envelope, what became of each recipient, when to try again. Drawn in [`crate::table`].
//!
//! In:  an [`Item`], made when a mail is accepted or changed by who tries it; octets of a row, or of a log record.
//! Out: octets; an [`ItemRow`] that borrows from them, so that a scheduler walks through a million without a copy.
//!
//! | state | in table due | goes to |
//! |---|---|---|
//! | queued: nobody has tried it | at `due` | deferred, held, gone |
//! | deferred: tried, and some recipients are left | at `due` | deferred, held, gone |
//! | held: waits for an operator | not there | as it was before, when it is released; gone, when it is dropped |
//!
//! An item that is gone has no row, and its reference to the mail went with it. Being tried is no state of a row: who
//! does it knows, and after a crash nobody does. RFC 3461 (NOTIFY, ORCPT, ENVID, RET), 2852 (BY), 4865 (HOLD), 6710
//! (MT-PRIORITY), 8689 (REQUIRETLS).
//!
//! Octets are written and read in `octets`.

use ringpost_types::{BlobId, TraceId};

mod octets;

/// What an item is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A mail to be sent.
    #[default]
    Mail = 0,
    /// A notice that is due to the sender: of recipients that got the mail here and were asked to be told of.
    /// RFC 3461 §5.2.2.
    Notice = 1,
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    #[default]
    Queued = 0,
    Deferred = 1,
    Held = 2,
}

/// Where one recipient stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Fate {
    /// Not tried yet, or to be tried again.
    #[default]
    Waiting = 0,
    /// The next hop has it.
    Relayed = 1,
    /// It is in its mailbox: of a notice.
    Delivered = 2,
    /// Nobody will have it.
    Failed = 3,
}

/// What of the mail a notice is to carry. RFC 3461 §4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    Full,
    Headers,
}

/// What the octets of the mail need of the next hop. RFC 6152, 3030.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Body {
    #[default]
    SevenBit = 0,
    EightBit = 1,
    Binary = 2,
}

/// By when it is to be there. RFC 2852 §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By {
    /// Milliseconds since 1970 UTC.
    pub at: u64,
    /// Mode N: a notice, and it goes on; else R: it comes back.
    pub notify: bool,
    /// Tell of each relay.
    pub trace: bool,
}

/// Bits of [`Recipient::notify`]. None: as if FAILURE and DELAY. RFC 3461 §4.1.
pub mod notify {
    pub const NEVER: u8 = 1;
    pub const SUCCESS: u8 = 1 << 1;
    pub const FAILURE: u8 = 1 << 2;
    pub const DELAY: u8 = 1 << 3;
    /// All there are.
    pub const ALL: u8 = NEVER | SUCCESS | FAILURE | DELAY;
}

/// What of an item is of one size. Times are milliseconds since 1970 UTC; 0: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The mail. Of a mail that is accepted the log knows it, and what stands here is not looked at.
    pub blob: BlobId,
    /// Names the mail in every event.
    pub trace: TraceId,
    pub kind: Kind,
    pub state: State,
    /// When it was accepted.
    pub created: u64,
    /// When it is to be tried, the soonest of its recipients; of a held one, when it would have been.
    pub due: u64,
    /// HOLDFOR or HOLDUNTIL: not before this.
    pub hold: u64,
    /// When it comes back to its sender; 0: when the queue thinks it has waited long enough.
    pub expires: u64,
    pub by: Option<By>,
    /// How often it was tried.
    pub attempts: u32,
    /// MT-PRIORITY, -9 to 9.
    pub priority: i8,
    pub body: Body,
    /// SMTPUTF8: the next hop must know it. RFC 6531.
    pub utf8: bool,
    /// REQUIRETLS.
    pub require_tls: bool,
    pub ret: Option<Ret>,
}

/// An item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    pub head: Head,
    /// `None` is `<>`.
    pub sender: Option<String>,
    /// ENVID, as the sender meant it: xtext undone.
    pub envid: Option<String>,
    /// The relay of the configuration by whose name it goes; empty: by MX.
    pub route: String,
    /// Why it is held or put off, for a human.
    pub why: String,
    /// At least one.
    pub recipients: Vec<Recipient>,
}

/// One recipient of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipient {
    /// As RCPT gave it, or as what it led to.
    pub address: String,
    /// Bits of [`mod@notify`].
    pub notify: u8,
    /// ORCPT: type and address, xtext undone.
    pub orcpt: Option<(String, String)>,
    pub fate: Fate,
    /// How often it was tried.
    pub attempts: u16,
    /// When it is to be tried, in milliseconds since 1970 UTC.
    pub due: u64,
    /// What the next hop last said of it.
    pub reply: String,
}

/// An item as a row lends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRow<'t> {
    pub head: Head,
    pub sender: Option<&'t str>,
    pub envid: Option<&'t str>,
    pub route: &'t str,
    pub why: &'t str,
    count: u16,
    recipients: &'t [u8],
}

/// A recipient as a row lends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecipientRow<'t> {
    pub address: &'t str,
    pub notify: u8,
    pub orcpt: Option<(&'t str, &'t str)>,
    pub fate: Fate,
    pub attempts: u16,
    pub due: u64,
    pub reply: &'t str,
}
