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

use ringpost_api::read::Since;
use ringpost_api::table::{ChangeKind, MessageRow, Place};
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

    /// Takes in one round of what changed since and tells the client of it: EXPUNGE where `renumber` allows it, then
    /// EXISTS and RECENT, then flags. RFC 3501 §5.2.
    pub(crate) fn sync(
        &mut self,
        snapshot: &dyn Snapshot,
        renumber: Renumber,
        out: &mut Vec<u8>,
    ) -> Result<Progress, Error> {
        let row = read::mailbox(snapshot, self.account, self.mailbox)?.ok_or(Error::NoMailbox)?;
        let (before, first_new) = (self.uids.len(), self.uidnext);
        let extended = self.extend(snapshot)?;
        let mut changed = match self.behind || row.highest_modseq > self.at.modseq {
            true => self.changes(snapshot, first_new)?,
            false => Vec::new(),
        };
        if let Some(compare) = self.compare {
            changed.extend(self.compare(snapshot, compare, first_new)?);
        }
        if !self.is_behind() {
            // Also those of a STORE that changed nothing and left no row.
            self.own.clear();
        }
        changed.sort_unstable();
        changed.dedup();
        if self.uidnext > first_new && row.recent_from.0 <= first_new {
            self.claim(Uid(first_new), Uid(self.uidnext));
            self.unclaimed = self.access == Access::ReadWrite;
        }
        let came = self.uids.len() > before;
        if renumber == Renumber::Now {
            self.expunge(out);
        }
        if came {
            data::exists(out, self.messages());
            data::recent(out, self.recent());
        }
        let keywords: Vec<&str> = row.keywords().collect();
        self.announce(&keywords, out);
        for uid in changed {
            let message = read::message(snapshot, self.account, self.mailbox, Uid(uid))?;
            let Some(message) = message else { continue };
            if let Ok(place) = self.uids.binary_search(&uid) {
                data::fetch(out, place as u32 + 1);
                data::item_uid(out, uid);
                data::item_flags(
                    out,
                    self.flags(uid, &message),
                    named(&keywords, message.keywords),
                );
                data::fetch_end(out);
            }
        }
        Ok(match (extended, self.is_behind()) {
            (Progress::Done, false) => Progress::Done,
            _ => Progress::More,
        })
    }

    /// Whether there is more to take in than new messages.
    fn is_behind(&self) -> bool {
        self.behind || self.compare.is_some()
    }

    /// Reads changes behind `at`. Fills `gone`; returns messages whose flags others changed. Those from `first_new` on
    /// are news to the client anyway. Changes that are forgotten: all rows are to be compared.
    fn changes(&mut self, snapshot: &dyn Snapshot, first_new: u32) -> Result<Vec<u32>, Error> {
        let mut changed: Vec<u32> = Vec::new();
        let modseq = read::account(snapshot, self.account)?
            .ok_or(Error::NoAccount)?
            .modseq;
        if read::since(snapshot, self.account, Some(self.mailbox), self.at)? == Since::Trimmed {
            // What comparing had not yet told stays untold since then.
            let known = self.compare.map(|compare| compare.since);
            self.compare = Some(Compare {
                from: 1,
                since: known.unwrap_or(self.at.modseq),
            });
            self.at = Place::end_of(modseq);
            self.behind = false;
            return Ok(changed);
        }
        let mut rows = 0;
        read::changes(snapshot, self.account, self.at, |change| {
            self.at = change.place;
            if change.place.mailbox == self.mailbox {
                let uid = change.place.uid.0;
                if change.kind == ChangeKind::Vanished {
                    if self.uids.binary_search(&uid).is_ok() {
                        self.gone.push(uid);
                    }
                } else if self.is_news(change.place.modseq, uid, first_new) {
                    changed.push(uid);
                }
            }
            rows += 1;
            match rows < ROWS {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        self.behind = rows == ROWS;
        if !self.behind {
            self.at = Place::end_of(modseq);
        }
        Ok(changed)
    }

    /// Compares one round of rows with `uids`, as of this snapshot. Fills `gone`; returns messages whose flags others
    /// changed, as [`View::changes`] does.
    fn compare(
        &mut self,
        snapshot: &dyn Snapshot,
        compare: Compare,
        first_new: u32,
    ) -> Result<Vec<u32>, Error> {
        let mut changed = Vec::new();
        let mut known = self.uids.partition_point(|&uid| uid < compare.from);
        let (mut rows, mut next) = (0, None);
        let from = Uid(compare.from);
        read::messages(snapshot, self.account, self.mailbox, from, |uid, row| {
            if rows == ROWS {
                next = Some(uid.0);
                return ControlFlow::Break(());
            }
            rows += 1;
            while let Some(&missing) = self.uids.get(known).filter(|&&known| known < uid.0) {
                self.gone.push(missing);
                known += 1;
            }
            known += usize::from(self.uids.get(known) == Some(&uid.0));
            if row.modseq > compare.since && self.is_news(row.modseq, uid.0, first_new) {
                changed.push(uid.0);
            }
            ControlFlow::Continue(())
        })?;
        let end = match next {
            Some(next) => self.uids.partition_point(|&uid| uid < next),
            // Messages that came since the last round are not in `uids` yet, if there were many.
            None => self.uids.len(),
        };
        self.gone.extend_from_slice(&self.uids[known.min(end)..end]);
        self.compare = next.map(|from| Compare { from, ..compare });
        Ok(changed)
    }

    /// Whether a message with flags of `modseq` is to be told of: not one that is new anyway, nor a change of one's own.
    fn is_news(&self, modseq: ModSeq, uid: u32, first_new: u32) -> bool {
        0 < uid && uid < first_new && !self.is_own(modseq, uid)
    }

    /// Writes EXPUNGE for all that is gone, from the lowest number on, and lets it go.
    fn expunge(&mut self, out: &mut Vec<u8>) {
        if self.gone.is_empty() {
            return;
        }
        let mut gone = std::mem::take(&mut self.gone);
        gone.sort_unstable();
        let mut left = gone.into_iter().peekable();
        let mut number = 1; // of the next message kept
        self.uids.retain(|&uid| {
            while left.next_if(|&gone| gone < uid).is_some() {}
            let expunged = left.peek() == Some(&uid);
            if expunged {
                data::expunge(out, number);
            } else {
                number += 1;
            }
            !expunged
        });
        if self.uids.is_empty() {
            self.uids = Vec::new();
        }
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
mod tests {
    use super::*;
    use ringpost_api::store::Sink;
    use ringpost_api::{Outcome, ReplyTo, Store, Write};
    use ringpost_lmdb::{Lmdb, Options};
    use std::sync::{Arc, mpsc};

    struct Answers(mpsc::Sender<Outcome>);

    impl Sink for Answers {
        fn complete(&self, answers: Vec<(u64, Result<Outcome, Error>)>) {
            for (_, answer) in answers {
                let _ = self.0.send(answer.expect("done"));
            }
        }
    }

    /// A STORE of what is so already has no change row; what the session remembers of it must still end.
    #[test]
    fn changes_that_were_none_are_forgotten() {
        let dir = tempfile::tempdir().expect("a scratch directory");
        let store = Lmdb::open(dir.path(), Options::default()).expect("a store");
        let (sender, answers) = mpsc::channel();
        let reply = ReplyTo {
            sink: Arc::new(Answers(sender)),
            token: 0,
        };
        let (name, secret) = ("alice@example.test".into(), String::new());
        store.submit(Write::AccountCreate { name, secret }, Some(reply));
        let Ok(Outcome::Account(account)) = answers.recv() else {
            panic!("no account");
        };
        let snapshot = store.snapshot().expect("a snapshot");
        let inbox = read::mailbox_id(&*snapshot, account, "INBOX").expect("rows");
        let inbox = inbox.expect("INBOX is there");
        let mut view = View::open(&*snapshot, account, inbox, Access::ReadWrite).expect("a view");
        for _ in 0..3 {
            view.made(ModSeq(1), vec![Uid(1)]);
            let synced = view.sync(&*snapshot, Renumber::Later, &mut Vec::new());
            assert_eq!(synced.expect("rows"), Progress::Done);
            assert!(view.own.is_empty());
        }
        drop(snapshot);
        store.close();
    }
}
