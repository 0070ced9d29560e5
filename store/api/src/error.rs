//! Why a store operation did not succeed.

use std::fmt;

/// One variant for each thing a caller does differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// No such account. The caller's knowledge is stale; permanent.
    NoAccount,
    /// No such mailbox: deleted meanwhile, or never there. IMAP answers NO \[NONEXISTENT\] or \[TRYCREATE\].
    NoMailbox,
    /// The name is taken. IMAP answers NO \[ALREADYEXISTS\].
    Exists,
    /// The name may not be used thus: INBOX deleted, a mailbox put under itself, too long. IMAP answers NO \[CANNOT\].
    Cannot(&'static str),
    /// A bound of the limit table is reached; its name. IMAP answers NO \[LIMIT\].
    Limit(&'static str),
    /// The account has no room for it. IMAP answers NO \[OVERQUOTA\]. RFC 9208 §5.3.
    Quota,
    /// The disk is full. Temporary: 452 4.3.1, NO \[OVERQUOTA\] is not meant here.
    Full,
    /// The file system or the engine failed. Temporary for the peer, an alarm for the operator.
    Io(String),
    /// Stored octets contradict themselves: what, and where. An alarm for the operator.
    Damaged(String),
    /// The store is closing. Temporary.
    Closed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoAccount => f.write_str("no such account"),
            Error::NoMailbox => f.write_str("no such mailbox"),
            Error::Exists => f.write_str("that name exists already"),
            Error::Cannot(why) => f.write_str(why),
            Error::Limit(name) => write!(f, "limit {name} reached"),
            Error::Quota => f.write_str("the account's quota is used up"),
            Error::Full => f.write_str("the disk is full"),
            Error::Io(what) => write!(f, "store: {what}"),
            Error::Damaged(what) => write!(f, "store damaged: {what}"),
            Error::Closed => f.write_str("the store is closing"),
        }
    }
}

impl std::error::Error for Error {}
