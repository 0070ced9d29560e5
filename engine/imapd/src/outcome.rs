//! How a command ends: with OK, with a refusal, or with the session.
//!
//! A command returns [`Done`] or [`Refusal`]; the tagged answer is written in one place, [`crate::serve`], after
//! the untagged news of the mailbox. What a store error means to a client is decided here and nowhere else.

use ringpost_api::Error;
use ringpost_imap::Code;
use ringpost_types::Uid;

/// The command did what it was asked for: tagged OK, where it has not written that itself.
#[derive(Debug, PartialEq)]
pub(crate) struct Done {
    pub code: DoneCode,
    /// Empty: the command has answered itself.
    pub text: &'static str,
}

/// What a program may want to know of a success. Owns its lists, unlike [`Code`].
#[derive(Debug, PartialEq)]
pub(crate) enum DoneCode {
    None,
    Plain(Code<'static>),
    Capability(String),
    CopyUid {
        uidvalidity: u32,
        pairs: Vec<(Uid, Uid)>,
    },
    Modified(Vec<Uid>),
}

impl Done {
    pub(crate) fn plain(text: &'static str) -> Self {
        Done {
            code: DoneCode::None,
            text,
        }
    }

    /// Done and already answered.
    pub(crate) fn silent() -> Self {
        Done::plain("")
    }

    pub(crate) fn coded(code: Code<'static>, text: &'static str) -> Self {
        Done {
            code: DoneCode::Plain(code),
            text,
        }
    }
}

impl DoneCode {
    pub(crate) fn as_code(&self) -> Option<Code<'_>> {
        match self {
            DoneCode::None => None,
            DoneCode::Plain(code) => Some(*code),
            DoneCode::Capability(names) => Some(Code::Capability(names)),
            DoneCode::CopyUid { uidvalidity, pairs } => Some(Code::CopyUid {
                uidvalidity: *uidvalidity,
                pairs,
            }),
            DoneCode::Modified(uids) => Some(Code::Modified(uids)),
        }
    }
}

/// The command did not do it.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    /// Tagged NO: well asked, not done.
    No(Option<Code<'static>>, &'static str),
    /// Tagged BAD: wrongly asked. Counted.
    Bad(&'static str),
    /// The session is over.
    End(End),
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// LOGOUT, answered.
    Logout,
    /// The peer is gone, or the connection failed.
    Lost,
    /// A BYE with this text, still to be written.
    Bye(&'static str),
}

impl End {
    /// Drain has begun. RFC 3501 §7.1.5.
    pub(crate) const DRAIN: End = End::Bye("The server is going down.");

    /// What an error of the connection means.
    pub(crate) fn of(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::TimedOut => End::Bye("Silent for too long."),
            std::io::ErrorKind::OutOfMemory => {
                End::Bye("The server is short of memory; try again later.")
            }
            _ => End::Lost,
        }
    }
}

pub(crate) type Answer = Result<Done, Refusal>;

impl Refusal {
    pub(crate) const NO_MAILBOX: Refusal =
        Refusal::No(Some(Code::NonExistent), "There is no such mailbox.");
    pub(crate) const TRY_CREATE: Refusal = Refusal::No(
        Some(Code::TryCreate),
        "There is no such mailbox; create it first.",
    );
    pub(crate) const READ_ONLY: Refusal =
        Refusal::No(Some(Code::ReadOnly), "The mailbox is open read-only.");
}

impl From<End> for Refusal {
    fn from(end: End) -> Self {
        Refusal::End(end)
    }
}

/// Codes of RFC 5530 §3. What went wrong inside is the operator's to read, not the client's.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::NoMailbox => Refusal::NO_MAILBOX,
            Error::Exists => Refusal::No(
                Some(Code::AlreadyExists),
                "A mailbox of that name exists already.",
            ),
            Error::Cannot(why) => Refusal::No(Some(Code::Cannot), why),
            Error::Limit(_) => Refusal::No(Some(Code::Limit), "A limit of this server is reached."),
            // RFC 9208 §5.3.
            Error::Quota => Refusal::No(
                Some(Code::OverQuota),
                "The account has no room for that; delete something first.",
            ),
            Error::NoAccount => Refusal::End(End::Bye("The account is gone.")),
            Error::Full => Refusal::No(Some(Code::Unavailable), "The server's disk is full."),
            Error::Io(_) | Error::Damaged(_) => {
                Refusal::No(Some(Code::ServerBug), "The server's store has failed.")
            }
            Error::Closed => Refusal::End(End::Bye("The server is closing.")),
        }
    }
}
