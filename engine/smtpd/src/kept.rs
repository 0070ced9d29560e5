//! Which sessions are kept for `ringpost trace`, and what of them.
//!
//! In:  a session that has ended. Out: one write that nobody waits for, where something was refused or failed.
//!
//! A session without a refusal has said nothing that its mails' own lines do not tell. How many are kept in a minute is
//! bounded here, how many in all and for how long by the store.

use crate::context::Context;
use ringpost_api::{Write, transcript};
use ringpost_types::TraceId;
use std::cell::Cell;
use std::fmt;

/// How many of this minute are kept already.
#[derive(Debug, Default)]
pub(crate) struct Quota(Cell<(u64, u64)>);

impl Quota {
    /// Whether one more may be kept.
    pub fn take(&self, unix: u64, per_minute_max: u64) -> bool {
        let (minute, count) = match self.0.get() {
            (minute, count) if minute == unix / 60 => (minute, count),
            _ => (unix / 60, 0),
        };
        self.0.set((minute, count + 1));
        count < per_minute_max
    }
}

/// Keeps a session: a line on who it was, what was said, how it ended.
pub(crate) fn keep(
    context: &Context,
    trace: TraceId,
    unix: u64,
    who: fmt::Arguments<'_>,
    said: &str,
    end: fmt::Arguments<'_>,
) {
    let setup = &context.setup;
    if !context
        .kept
        .take(unix, setup.limits.smtp_transcripts_per_minute)
    {
        return;
    }
    let text = format!("{who}\n{said}{end}\n");
    let row = transcript::encode(unix, &text);
    setup.store.submit(Write::Transcript { trace, row }, None);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_the_limit_in_each_minute() {
        let quota = Quota::default();
        let taken: Vec<bool> = [60, 61, 119, 120, 121, 122, 60]
            .map(|unix| quota.take(unix, 2))
            .into();
        assert_eq!(taken, [true, true, false, true, true, false, true]);
    }
}
