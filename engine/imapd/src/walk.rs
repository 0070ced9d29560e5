//! Going through chosen messages of the selected mailbox, a snapshot at a time.
//!
//! In:  places in the view. Out: each message's row, in order, in rounds that the visitor ends.
//!
//! The message table and the view are both sorted by UID, so a round walks them side by side: no look-up for each
//! message. Only over a wide gap between chosen messages it seeks anew.

use crate::view::{Progress, View};
use ringpost_api::table::MessageRow;
use ringpost_api::{Error, Snapshot, read};
use ringpost_types::Uid;
use std::ops::{ControlFlow, Range};

/// UIDs passed over rather than sought past.
const GAP: u32 = 64;

/// How far a walk has come.
#[derive(Debug)]
pub(crate) struct Walk {
    /// Places not yet visited, ascending, apart; the first of them is at `next`.
    ranges: std::vec::IntoIter<Range<usize>>,
    next: Range<usize>,
    /// Messages passed over because they are gone from the store.
    pub missing: usize,
}

impl Walk {
    pub(crate) fn new(places: Vec<Range<usize>>) -> Self {
        let mut ranges = places.into_iter();
        let next = ranges.next().unwrap_or(0..0);
        Walk {
            ranges,
            next,
            missing: 0,
        }
    }

    /// The UID to visit next.
    #[inline]
    fn wanted(&self, uids: &[u32]) -> Option<u32> {
        match self.next.is_empty() {
            true => None,
            false => uids.get(self.next.start).copied(),
        }
    }

    #[inline]
    fn advance(&mut self) {
        self.next.start += 1;
        if self.next.is_empty() {
            self.next = self.ranges.next().unwrap_or(0..0);
        }
    }

    /// Shows rows with their places until `visit` breaks, which ends the round behind the row it was shown.
    #[inline]
    pub(crate) fn round(
        &mut self,
        view: &View,
        snapshot: &dyn Snapshot,
        mut visit: impl FnMut(usize, u32, &MessageRow) -> ControlFlow<()>,
    ) -> Result<Progress, Error> {
        let uids = view.uids();
        while let Some(first) = self.wanted(uids) {
            // Left as it is, the table ended before the walk did.
            let mut ended = Ended::OfTable;
            read::messages(
                snapshot,
                view.account,
                view.mailbox,
                Uid(first),
                |uid, row| {
                    loop {
                        let Some(wanted) = self.wanted(uids) else {
                            ended = Ended::OfWalk;
                            return ControlFlow::Break(());
                        };
                        if wanted < uid.0 {
                            self.missing += 1;
                            self.advance();
                        } else if wanted == uid.0 {
                            break;
                        } else if wanted - uid.0 > GAP {
                            ended = Ended::AtGap;
                            return ControlFlow::Break(());
                        } else {
                            return ControlFlow::Continue(());
                        }
                    }
                    let place = self.next.start;
                    self.advance();
                    let flow = visit(place, uid.0, &row);
                    if flow.is_break() {
                        ended = Ended::OfRound;
                    }
                    flow
                },
            )?;
            match ended {
                Ended::OfRound => return Ok(Progress::More),
                Ended::OfWalk => return Ok(Progress::Done),
                Ended::AtGap => {}
                Ended::OfTable => {
                    while self.wanted(uids).is_some() {
                        self.missing += 1;
                        self.advance();
                    }
                }
            }
        }
        Ok(Progress::Done)
    }
}

/// Why a scan ended.
enum Ended {
    OfTable,
    OfWalk,
    OfRound,
    AtGap,
}
