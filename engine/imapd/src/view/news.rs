//! What changed in a mailbox since the session last looked: taken into the view, and told.
//!
//! In:  change rows behind the last one taken in; where they are forgotten, all message rows. One bounded round at a time.
//! Out: EXPUNGE, EXISTS, RECENT, FLAGS, FETCH.
//!
//! ```text
//!                    the feed knows all               .---- some of it is forgotten ----.
//!  changes behind `at` ------------------> told       |                                 v
//!        ^   '----------------------------------------'     rows from UID `from` on, ROWS at a time: gone, or changed
//!        '--------------------- the last round ----------------------------------------------'
//! ```

use super::{Access, Compare, Progress, ROWS, Renumber, View, named};
use ringpost_api::read::Since;
use ringpost_api::table::{ChangeKind, Place};
use ringpost_api::{Error, Snapshot, read};
use ringpost_imap::data;
use ringpost_types::{ModSeq, Uid};
use std::ops::ControlFlow;

impl View {
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
}
