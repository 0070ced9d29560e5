//! Status responses and their codes. RFC 3501 §7.1, RFC 5530.

use ringpost_types::Uid;

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    No,
    Bad,
    Bye,
    PreAuth,
}

/// What a program may want to know of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Code<'r> {
    Alert,
    AlreadyExists,
    /// RFC 4315 §3.
    AppendUid {
        uidvalidity: u32,
        uid: Uid,
    },
    AuthenticationFailed,
    AuthorizationFailed,
    BadCharset,
    Cannot,
    /// Names separated by spaces.
    Capability(&'r str),
    ClientBug,
    Closed,
    /// Source and target UIDs, pairwise. RFC 4315 §3.
    CopyUid {
        uidvalidity: u32,
        pairs: &'r [(Uid, Uid)],
    },
    HighestModSeq(u64),
    InUse,
    Limit,
    Modified(&'r [Uid]),
    NonExistent,
    NoPerm,
    OverQuota,
    Parse,
    /// System flags; whether `\*` is among them; keywords.
    PermanentFlags {
        system: u32,
        new: bool,
        keywords: &'r [&'r str],
    },
    PrivacyRequired,
    ReadOnly,
    ReadWrite,
    ServerBug,
    TooBig,
    TryCreate,
    UidNext(Uid),
    UidNotSticky,
    UidValidity(u32),
    Unavailable,
    UnknownCte,
    /// Sequence number of the first message without `\Seen`.
    Unseen(u32),
}

/// `tag OK [code] text`.
pub fn tagged(out: &mut Vec<u8>, tag: &str, status: Status, code: Option<Code<'_>>, text: &str) {
    let _ = (out, tag, status, code, text);
}

/// `* OK [code] text`.
pub fn untagged(out: &mut Vec<u8>, status: Status, code: Option<Code<'_>>, text: &str) {
    tagged(out, "*", status, code, text);
}

/// `+ text`. RFC 3501 §7.5.
pub fn continuation(out: &mut Vec<u8>, text: &str) {
    let _ = (out, text);
}
