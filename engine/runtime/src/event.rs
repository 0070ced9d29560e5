//! One line for each fact, to standard error: time, trace id, what happened.
//!
//! In:  `event!(trace, "...")` on any thread. Never blocks: a full queue drops the line and counts it.
//! Out: lines as `2026-11-23T22:08:24.123Z 0001abcdef012345 text`, written in batches by one thread; how many
//! were dropped is told when there is room again.
//!
//! Control characters inside a line are written as `?`: what a peer sent cannot forge a second line.

use crossbeam::channel::{Receiver, Sender, bounded};
use ringpost_types::TraceId;
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Lines waiting to be written; at most some megabytes.
const LINES_MAX: usize = 16_384;
/// Pause between batches: the shards need not wake the writer for each line.
const BATCH_PAUSE: Duration = Duration::from_millis(10);

/// Tells one fact: `event!(trace, "accepted {octets} octets")`.
#[macro_export]
macro_rules! event {
    ($trace:expr, $($what:tt)+) => {
        $crate::event::tell($trace, ::std::format_args!($($what)+))
    };
}

enum Line {
    Fact(SystemTime, TraceId, String),
    /// Answered once everything before is written.
    Flush(Sender<()>),
}

static LINES: OnceLock<Sender<Line>> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// What [`event!`] calls.
pub fn tell(trace: TraceId, what: fmt::Arguments<'_>) {
    let fact = Line::Fact(SystemTime::now(), trace, what.to_string());
    if lines().try_send(fact).is_err() {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits until all lines told so far are written. For the end of the process.
pub fn flush() {
    let (done, written) = bounded(1);
    if LINES.get().is_some() && lines().send(Line::Flush(done)).is_ok() {
        let _ = written.recv_timeout(Duration::from_secs(2));
    }
}

fn lines() -> &'static Sender<Line> {
    LINES.get_or_init(|| {
        let (sender, receiver) = bounded(LINES_MAX);
        let writer = std::thread::Builder::new().name("events".into());
        // Without a thread the channel is disconnected and every line counts as dropped.
        let _ = writer.spawn(move || write_all(&receiver));
        sender
    })
}

fn write_all(lines: &Receiver<Line>) {
    let mut text = String::new();
    for first in lines {
        let mut flushed = Vec::new();
        for line in std::iter::once(first).chain(lines.try_iter()) {
            match line {
                Line::Fact(at, trace, what) => write_line(&mut text, at, trace, &what),
                Line::Flush(done) => {
                    flushed.push(done);
                    break;
                }
            }
        }
        let dropped = DROPPED.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let what = format!("{dropped} lines were dropped: the log could not keep up");
            write_line(&mut text, SystemTime::now(), TraceId(0), &what);
        }
        // Nobody is left to tell when standard error is gone.
        let _ = std::io::stderr().write_all(text.as_bytes());
        text.clear();
        text.shrink_to(1 << 20);
        for done in flushed.drain(..) {
            let _ = done.send(());
        }
        std::thread::sleep(BATCH_PAUSE);
    }
}

fn write_line(text: &mut String, at: SystemTime, trace: TraceId, what: &str) {
    write_time(text, at);
    let _ = write!(text, " {trace} ");
    text.extend(what.chars().map(|c| if c.is_control() { '?' } else { c }));
    text.push('\n');
}

/// RFC 3339 §5.6, UTC, milliseconds.
fn write_time(text: &mut String, at: SystemTime) {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let _ = write!(
        text,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
        since.subsec_millis()
    );
}

/// Year, month, day of a day since 1970-01-01, Gregorian. Counted from 0000-03-01, so that the leap day ends a year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12 + 1;
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        const CASES: &[(u64, &str)] = &[
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_000, "2024-02-29T23:59:59.000Z"),
            (1_795_471_704_123, "2026-11-23T22:08:24.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ];
        for (ms, expected) in CASES {
            let mut text = String::new();
            write_time(&mut text, UNIX_EPOCH + Duration::from_millis(*ms));
            assert_eq!(text, *expected);
        }
    }

    #[test]
    fn a_line_is_one_line() {
        let mut text = String::new();
        write_line(&mut text, UNIX_EPOCH, TraceId(0xab), "a\r\nb\u{1b}[0m");
        assert_eq!(text, "1970-01-01T00:00:00.000Z 00000000000000ab a??b?[0m\n");
    }
}
