//! mbox: mails one behind the other in a file, each behind a line that begins with `From `. RFC 4155, appendix A.
//!
//! What mbox adds to a mail is taken off again, and nothing else: the From_ line (its date is INTERNALDATE), the empty
//! line behind the mail, `>` in front of lines that look like From_ lines, and the fields in which programs keep what
//! they know (`Status`, `X-Status`, `X-Keywords`, `X-UID`, `X-IMAP`, `X-IMAPbase`, `Content-Length`, `X-Mozilla-Status`,
//! `X-Mozilla-Status2`, `X-Mozilla-Keys`), as far as their values are such ones. Signatures of mails do not cover them.
//!
//! | dialect | a line `>*From ` in a body | a mail ends |
//! |---|---|---|
//! | mboxrd | has one `>` more | in front of an empty line and a From_ line |
//! | mboxo | has a `>` if it had none | likewise |
//! | mboxcl2 | as it is | where Content-Length says, if it fits; else likewise |
//!
//! Nothing in a file says which one it is. [`Dialect::Guess`] takes Content-Length where it fits, and such a mail as it
//! is; others are read as mboxrd, which does with mboxo what is right but for lines that had a `>` before.
//!
//! We write mboxrd, and as the first fields of each mail a block of our own: `X-Ringpost-Octets` (how long the mail is
//! behind the block as it stands in the file), `X-Keywords`, `X-Status` and at last `Status`. Whoever reads mbox finds flags
//! there; we take exactly this block off again, and the mail is as it was, even one that has such fields of its own or
//! no line end at its end.
//!
//! Reading order: `from` (From_ lines), `fields` (flags in the header), `read`, `write`, `tree` (files of a directory).

pub mod fields;
pub mod from;
pub mod read;
pub mod tree;
pub mod write;

use serde::{Deserialize, Serialize};

/// How a file tells mails apart, and what it does to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// Content-Length where it fits, else mboxrd.
    #[default]
    Guess,
    /// `>From ` is quoted as `>>From `.
    Mboxrd,
    /// Only `From ` is quoted.
    Mboxo,
    /// Nothing is quoted: Content-Length tells where a mail ends.
    Mboxcl2,
}

impl Dialect {
    /// Every dialect with its name.
    pub const ALL: [(Dialect, &'static str); 4] = [
        (Dialect::Guess, "guess"),
        (Dialect::Mboxrd, "mboxrd"),
        (Dialect::Mboxo, "mboxo"),
        (Dialect::Mboxcl2, "mboxcl2"),
    ];

    /// The dialect of that name.
    pub fn named(name: &str) -> Option<Self> {
        let known = Self::ALL.iter().find(|(_, known)| *known == name);
        known.map(|(dialect, _)| *dialect)
    }
}

/// How many `>` stand in front of `From ` at the beginning of a line; `None` where no `From ` does.
pub(crate) fn depth(line: &[u8]) -> Option<usize> {
    let depth = line.iter().take_while(|&&octet| octet == b'>').count();
    line[depth..].starts_with(b"From ").then_some(depth)
}
