//! A session's picture of its selected mailbox: which message has which number, and what the client knows.
//!
//! In:  rows of a snapshot, one bounded round at a time. Out: untagged responses.
//!
//! Invariants:
//! - `uids` ascends; a message's sequence number is its place in it, plus one. Nothing leaves `uids` without an
//!   EXPUNGE response, and nothing enters without an EXISTS. RFC 3501 §2.3.1.2, §7.4.1.
//! - What the store expunged and the client may not hear yet waits in `gone`, still in `uids`.
//! - All changes up to `at` are in `uids`, `gone` or told; where `compare` goes on, only for UIDs below its own. A round
//!   looks at [`ROWS`] rows of each kind at most.
//! - A session that slept while the change feed forgot what it has not seen compares all rows with what it knows, and
//!   tells the same. RFC 7162 §3.2.5.2.
//! - An empty mailbox owns no memory.

mod news;

use ringpost_api::table::{MessageRow, Place};
use ringpost_api::{Error, Snapshot, read};
use ringpost_imap::command::Numbers;
use ringpost_imap::{Code, SequenceSet, Status, data, flag, response};
use ringpost_types::{AccountId, MailboxId, ModSeq, Uid};
use std::ops::{ControlFlow, Range};

/// Rows that one round looks at: some hundred microseconds.
const ROWS: usize = 8_192;

/// Whether the session may change the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// SELECT.
    ReadWrite,
    /// EXAMINE.
    ReadOnly,
}

/// Whether sequence numbers may change now. RFC 3501 §7.4.1: not while FETCH, STORE or SEARCH is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renumber {
    Now,
    Later,
}

/// Whether a round has seen everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    More,
    Done,
}

/// How far all rows have been compared with what the session knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Compare {
    /// Messages from this UID on are still to be looked at.
    from: u32,
    /// Flags that changed after this are news.
    since: ModSeq,
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct View {
    pub account: AccountId,
    pub mailbox: MailboxId,
    pub access: Access,
    pub uidvalidity: u32,
    uids: Vec<u32>,
    /// Messages below this UID are in `uids`, or were.
    uidnext: u32,
    /// The last change taken in.
    at: Place,
    /// The last round stopped before the end of the changes.
    behind: bool,
    /// Where comparing goes on, if it does.
    compare: Option<Compare>,
    /// UIDs to be expunged from `uids` when that is allowed; in any order, maybe twice.
    gone: Vec<u32>,
    /// `\Recent` to this session. RFC 3501 §2.3.2.
    recent: Range<u32>,
    /// Some of them are still to be claimed in the store.
    unclaimed: bool,
    first_unseen: Option<u32>,
    /// Keywords of the mailbox that the client has been told.
    keywords: usize,
    /// This session's own changes of flags, which the command that made them has told: when, and which messages,
    /// ascending.
    own: Vec<(ModSeq, Vec<Uid>)>,
}

impl View {
    /// A view that knows no message yet; [`View::extend`] fills it.
    pub(crate) fn open(
        snapshot: &dyn Snapshot,
        account: AccountId,
        mailbox: MailboxId,
        access: Access,
    ) -> Result<Self, Error> {
        let modseq = read::account(snapshot, account)?
            .ok_or(Error::NoAccount)?
            .modseq;
        let row = read::mailbox(snapshot, account, mailbox)?.ok_or(Error::NoMailbox)?;
        Ok(View {
            account,
            mailbox,
            access,
            uidvalidity: row.uidvalidity,
            uids: Vec::with_capacity(row.messages as usize),
            uidnext: 1,
            at: Place::end_of(modseq),
            behind: false,
            compare: None,
            gone: Vec::new(),
            recent: 0..0,
            unclaimed: false,
            first_unseen: None,
            keywords: row.keywords().count(),
            own: Vec::new(),
        })
    }

    /// How many messages the client counts.
    pub(crate) fn messages(&self) -> u32 {
        self.uids.len() as u32
    }

    /// The UIDs in order of sequence numbers.
    pub(crate) fn uids(&self) -> &[u32] {
        &self.uids
    }

    /// The next UID that the session has not seen given out.
    pub(crate) fn uidnext(&self) -> Uid {
        Uid(self.uidnext)
    }

    /// How many of the mailbox's keywords the client knows.
    pub(crate) fn keywords(&self) -> usize {
        self.keywords
    }

    /// Sequence number of the first message without `\Seen`, as of when it was taken in. RFC 3501 §7.1, UNSEEN.
    pub(crate) fn first_unseen(&self) -> Option<u32> {
        self.first_unseen
    }

    /// Messages that are `\Recent` to the session.
    pub(crate) fn recent(&self) -> u32 {
        let below = |uid| self.uids.partition_point(|&known| known < uid);
        (below(self.recent.end) - below(self.recent.start)) as u32
    }

    /// Whether `uid` is `\Recent` to the session.
    #[inline]
    pub(crate) fn is_recent(&self, uid: u32) -> bool {
        self.recent.contains(&uid)
    }

    /// Makes messages `\Recent` to the session; ranges that follow each other are one.
    pub(crate) fn claim(&mut self, from: Uid, to: Uid) {
        if from < to {
            let start = if self.recent.is_empty() {
                from.0
            } else {
                self.recent.start
            };
            self.recent = start.min(from.0)..self.recent.end.max(to.0);
        }
    }

    /// Whether messages that came since are to be claimed in the store; asked once.
    pub(crate) fn unclaimed(&mut self) -> bool {
        std::mem::take(&mut self.unclaimed)
    }

    /// The flags as the session sees them: a row's, and `\Recent`.
    #[inline]
    pub(crate) fn flags(&self, uid: u32, row: &MessageRow) -> u32 {
        row.flags | if self.is_recent(uid) { flag::RECENT } else { 0 }
    }

    /// Marks a change of `uids`, ascending, as the session's own: the command that made it tells of it. The UIDs matter,
    /// for a change that was none has the MODSEQ of somebody else's.
    pub(crate) fn made(&mut self, modseq: ModSeq, uids: Vec<Uid>) {
        self.own.push((modseq, uids));
    }

    fn is_own(&self, modseq: ModSeq, uid: u32) -> bool {
        let mut own = self.own.iter();
        own.any(|(made, uids)| *made == modseq && uids.binary_search(&Uid(uid)).is_ok())
    }

    /// Places in [`View::uids`] of the messages in `set`, ascending. `None`: a sequence number above the last one,
    /// which is the client's error (RFC 3501 §9, `seq-number`); a UID that is not there is none. `4:*` of three messages
    /// is the last one, and `1:*` of none is nobody's error: clients ask so after an EXPUNGE.
    pub(crate) fn places(
        &self,
        set: &SequenceSet<'_>,
        numbers: Numbers,
    ) -> Option<Vec<Range<usize>>> {
        match numbers {
            Numbers::Sequence if self.uids.is_empty() && has_star(set) => Some(Vec::new()),
            Numbers::Sequence if set.highest() > self.messages() && !has_star(set) => None,
            Numbers::Sequence => {
                let ranges = set.ranges(self.messages());
                Some(
                    ranges
                        .map(|r| *r.start() as usize - 1..*r.end() as usize)
                        .collect(),
                )
            }
            Numbers::Uid => {
                let ranges = set.ranges(self.uids.last().copied().unwrap_or(0));
                let places = ranges.map(|r| {
                    let start = self.uids.partition_point(|&uid| uid < *r.start());
                    let end = self.uids.partition_point(|&uid| uid <= *r.end());
                    start..end
                });
                Some(places.filter(|range| !range.is_empty()).collect())
            }
        }
    }

    /// The UIDs of the messages in `set`; see [`View::places`].
    pub(crate) fn chosen(&self, set: &SequenceSet<'_>, numbers: Numbers) -> Option<Vec<Uid>> {
        let places = self.places(set, numbers)?;
        let uids = places.into_iter().flat_map(|range| &self.uids[range]);
        Some(uids.map(|&uid| Uid(uid)).collect())
    }

    /// Takes in messages that came since, one round of them.
    pub(crate) fn extend(&mut self, snapshot: &dyn Snapshot) -> Result<Progress, Error> {
        let row = read::mailbox(snapshot, self.account, self.mailbox)?.ok_or(Error::NoMailbox)?;
        if self.uidnext >= row.uidnext.0 {
            return Ok(Progress::Done);
        }
        let full = self.uids.len() + ROWS;
        let (account, mailbox, from) = (self.account, self.mailbox, Uid(self.uidnext));
        read::messages(snapshot, account, mailbox, from, |uid, message| {
            self.uids.push(uid.0);
            if message.flags & flag::SEEN == 0 && self.first_unseen.is_none() {
                self.first_unseen = Some(self.uids.len() as u32);
            }
            match self.uids.len() < full {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        if self.uids.len() == full {
            self.uidnext = self.uids.last().map_or(1, |uid| uid + 1);
            return Ok(Progress::More);
        }
        self.uidnext = row.uidnext.0;
        Ok(Progress::Done)
    }

    /// Tells the client of keywords it does not know yet; `keywords` are the mailbox's. RFC 3501 §7.2.6.
    pub(crate) fn announce(&mut self, keywords: &[&str], out: &mut Vec<u8>) {
        if keywords.len() > self.keywords {
            self.keywords = keywords.len();
            self.applicable(keywords, out);
        }
    }

    /// FLAGS and PERMANENTFLAGS. RFC 3501 §7.2.6, §7.1.
    pub(crate) fn applicable(&self, keywords: &[&str], out: &mut Vec<u8>) {
        let system = ringpost_api::table::flag::ALL;
        data::flags(out, system, keywords.iter().copied());
        let code = match self.access {
            Access::ReadWrite => Code::PermanentFlags {
                system,
                new: true,
                keywords,
            },
            Access::ReadOnly => Code::PermanentFlags {
                system: 0,
                new: false,
                keywords: &[],
            },
        };
        response::untagged(out, Status::Ok, Some(code), "Flags that stay.");
    }
}

/// Whether `*` is in the set: only then it reaches up to any number.
fn has_star(set: &SequenceSet<'_>) -> bool {
    set.contains(u32::MAX, u32::MAX)
}

/// The names of the keyword bits of a row.
#[inline]
pub(crate) fn named<'k>(names: &'k [&'k str], bits: u64) -> impl Iterator<Item = &'k str> {
    Bits(bits).filter_map(|bit| names.get(bit).copied())
}

/// The places of the bits set, ascending.
struct Bits(u64);

impl Iterator for Bits {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let bit = self.0.trailing_zeros() as usize;
        self.0 &= self.0.checked_sub(1)?;
        Some(bit)
    }
}

#[cfg(test)]
mod tests;
