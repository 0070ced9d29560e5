//! Status responses and their codes. RFC 3501 §7.1, RFC 5530.

use crate::data::flag_list;
use crate::write::{number, set};
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
    /// RFC 5530 §3: a message of the command was expunged by another session.
    ExpungeIssued,
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
    out.extend_from_slice(tag.as_bytes());
    out.extend_from_slice(match status {
        Status::Ok => b" OK ",
        Status::No => b" NO ",
        Status::Bad => b" BAD ",
        Status::Bye => b" BYE ",
        Status::PreAuth => b" PREAUTH ",
    });
    if let Some(code) = code {
        out.push(b'[');
        write_code(out, code);
        out.extend_from_slice(b"] ");
    }
    human(out, text);
    out.extend_from_slice(b"\r\n");
}

/// `* OK [code] text`.
pub fn untagged(out: &mut Vec<u8>, status: Status, code: Option<Code<'_>>, text: &str) {
    tagged(out, "*", status, code, text);
}

/// `+ text`. RFC 3501 §7.5.
pub fn continuation(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b"+ ");
    human(out, text);
    out.extend_from_slice(b"\r\n");
}

/// resp-text may not be empty nor hold a line end. RFC 3501 §9, `text`.
fn human(out: &mut Vec<u8>, text: &str) {
    debug_assert!(!text.contains(['\r', '\n', '\0']));
    out.extend(
        text.bytes()
            .filter(|octet| !matches!(octet, b'\r' | b'\n' | 0)),
    );
}

/// resp-text-code, without its brackets.
fn write_code(out: &mut Vec<u8>, code: Code<'_>) {
    match code {
        Code::AppendUid { uidvalidity, uid } => {
            named(out, "APPENDUID ", uidvalidity.into());
            named(out, " ", uid.0.into());
        }
        Code::Capability(names) => {
            out.extend_from_slice(b"CAPABILITY ");
            out.extend_from_slice(names.as_bytes());
        }
        Code::CopyUid { uidvalidity, pairs } => {
            named(out, "COPYUID ", uidvalidity.into());
            out.push(b' ');
            set(out, pairs.iter().map(|(source, _)| source.0));
            out.push(b' ');
            set(out, pairs.iter().map(|(_, target)| target.0));
        }
        Code::Modified(uids) => {
            out.extend_from_slice(b"MODIFIED ");
            set(out, uids.iter().map(|uid| uid.0));
        }
        Code::PermanentFlags {
            system,
            new,
            keywords,
        } => {
            out.extend_from_slice(b"PERMANENTFLAGS ");
            flag_list(
                out,
                system,
                keywords.iter().copied().chain(new.then_some("\\*")),
            );
        }
        Code::HighestModSeq(modseq) => named(out, "HIGHESTMODSEQ ", modseq),
        Code::UidNext(uid) => named(out, "UIDNEXT ", uid.0.into()),
        Code::UidValidity(uidvalidity) => named(out, "UIDVALIDITY ", uidvalidity.into()),
        Code::Unseen(sequence) => named(out, "UNSEEN ", sequence.into()),
        _ => out.extend_from_slice(name(code).as_bytes()),
    }
}

fn named(out: &mut Vec<u8>, name: &str, value: u64) {
    out.extend_from_slice(name.as_bytes());
    number(out, value);
}

/// Codes that are a name and nothing else.
fn name(code: Code<'_>) -> &'static str {
    match code {
        Code::Alert => "ALERT",
        Code::AlreadyExists => "ALREADYEXISTS",
        Code::AuthenticationFailed => "AUTHENTICATIONFAILED",
        Code::AuthorizationFailed => "AUTHORIZATIONFAILED",
        Code::BadCharset => "BADCHARSET",
        Code::Cannot => "CANNOT",
        Code::ClientBug => "CLIENTBUG",
        Code::Closed => "CLOSED",
        Code::ExpungeIssued => "EXPUNGEISSUED",
        Code::InUse => "INUSE",
        Code::Limit => "LIMIT",
        Code::NonExistent => "NONEXISTENT",
        Code::NoPerm => "NOPERM",
        Code::OverQuota => "OVERQUOTA",
        Code::Parse => "PARSE",
        Code::PrivacyRequired => "PRIVACYREQUIRED",
        Code::ReadOnly => "READ-ONLY",
        Code::ReadWrite => "READ-WRITE",
        Code::ServerBug => "SERVERBUG",
        Code::TooBig => "TOOBIG",
        Code::TryCreate => "TRYCREATE",
        Code::UidNotSticky => "UIDNOTSTICKY",
        Code::Unavailable => "UNAVAILABLE",
        Code::UnknownCte => "UNKNOWN-CTE",
        Code::AppendUid { .. }
        | Code::Capability(_)
        | Code::CopyUid { .. }
        | Code::HighestModSeq(_)
        | Code::Modified(_)
        | Code::PermanentFlags { .. }
        | Code::UidNext(_)
        | Code::UidValidity(_)
        | Code::Unseen(_) => unreachable!("write_code writes these with their values"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let pairs = [(304, 3956), (319, 3957), (320, 3958)].map(|(a, b)| (Uid(a), Uid(b)));
        let cases: &[(Status, Option<Code<'_>>, &str)] = &[
            (Status::Ok, None, "a OK done\r\n"),
            (
                Status::No,
                Some(Code::TryCreate),
                "a NO [TRYCREATE] done\r\n",
            ),
            (
                Status::Bad,
                Some(Code::UidNext(Uid(7))),
                "a BAD [UIDNEXT 7] done\r\n",
            ),
            (
                Status::Ok,
                Some(Code::AppendUid {
                    uidvalidity: 38505,
                    uid: Uid(3955),
                }),
                "a OK [APPENDUID 38505 3955] done\r\n",
            ),
            (
                Status::Ok,
                Some(Code::CopyUid {
                    uidvalidity: 38505,
                    pairs: &pairs,
                }),
                "a OK [COPYUID 38505 304,319:320 3956:3958] done\r\n",
            ),
            (
                Status::Ok,
                Some(Code::PermanentFlags {
                    system: crate::flag::DELETED | crate::flag::SEEN,
                    new: true,
                    keywords: &["$Junk"],
                }),
                "a OK [PERMANENTFLAGS (\\Seen \\Deleted $Junk \\*)] done\r\n",
            ),
            (
                Status::Ok,
                Some(Code::PermanentFlags {
                    system: 0,
                    new: false,
                    keywords: &[],
                }),
                "a OK [PERMANENTFLAGS ()] done\r\n",
            ),
        ];
        for (status, code, expected) in cases {
            let mut out = Vec::new();
            tagged(&mut out, "a", *status, *code, "done");
            assert_eq!(String::from_utf8(out).unwrap(), *expected);
        }
    }
}
