//! When a mail may leave, must arrive, and what goes first: HOLDFOR, HOLDUNTIL, BY, MT-PRIORITY.
//! RFC 4865, RFC 2852, RFC 6710.

use super::{BadParameter, number};
use crate::envelope::{By, ByMode, Hold};
use crate::extension::Circumstances;
use jiff::Timestamp;

/// `future-release-interval = 1*9DIGIT`, not 0. RFC 4865 §4.
pub(super) fn hold_for(value: &[u8], session: &Circumstances<'_>) -> Result<Hold, BadParameter> {
    let seconds = Some(value)
        .filter(|value| value.len() <= 9 && value[0] != b'0')
        .and_then(number)
        .filter(|&seconds| seconds <= session.limits.smtp_hold_seconds_max)
        .and_then(|seconds| u32::try_from(seconds).ok());
    seconds.map(Hold::For).ok_or(BadParameter::Hold)
}

/// `future-release-date-time = date-time` of RFC 3339 §5.6. RFC 4865 erratum 2040.
pub(super) fn hold_until(value: &[u8], session: &Circumstances<'_>) -> Result<Hold, BadParameter> {
    let until = date_time(value).ok_or(BadParameter::Hold)?;
    let latest = session
        .unix
        .saturating_add(session.limits.smtp_hold_seconds_max);
    match (session.unix..=latest).contains(&until) {
        true => Ok(Hold::Until(until)),
        false => Err(BadParameter::Hold),
    }
}

/// `by-value = by-time ";" by-mode [by-trace]`, `by-time = ["-" / "+"] 1*9DIGIT`, `by-mode = "N" / "R"`,
/// `by-trace = "T"`. RFC 2852 §4.
pub(super) fn by(value: &[u8]) -> Result<By, BadParameter> {
    let by = read_by(value).ok_or(BadParameter::By)?;
    // What is to come back when late cannot be late when it comes.
    match by.mode == ByMode::Return && by.seconds <= 0 {
        true => Err(BadParameter::By),
        false => Ok(by),
    }
}

fn read_by(value: &[u8]) -> Option<By> {
    let at = memchr::memchr(b';', value)?;
    let (time, words) = (&value[..at], &value[at + 1..]);
    let (sign, digits) = match time {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    if digits.len() > 9 {
        return None;
    }
    let (mode, trace) = match words {
        [mode] => (mode, false),
        [mode, b'T' | b't'] => (mode, true),
        _ => return None,
    };
    let mode = match mode.to_ascii_uppercase() {
        b'R' => ByMode::Return,
        b'N' => ByMode::Notify,
        _ => return None,
    };
    let seconds = sign * i64::try_from(number(digits)?).ok()?;
    Some(By {
        seconds,
        mode,
        trace,
    })
}

/// Whether a mail may leave before it is due: one that comes back when it is late would only be held for that. A notice
/// about being late is what the sender asked for. RFC 4865, RFC 2852 §4.
pub(super) fn agree(hold: Hold, by: By, session: &Circumstances<'_>) -> bool {
    let held_seconds = match hold {
        Hold::For(seconds) => u64::from(seconds),
        Hold::Until(unix) => unix.saturating_sub(session.unix),
    };
    by.mode == ByMode::Notify || by.seconds > i64::try_from(held_seconds).unwrap_or(i64::MAX)
}

/// `priority-value = ["-"] NZDIGIT / "0"`. RFC 6710 §6.
pub(super) fn priority(value: &[u8]) -> Result<i8, BadParameter> {
    match value {
        [digit @ b'0'..=b'9'] => Ok((digit - b'0') as i8),
        [b'-', digit @ b'1'..=b'9'] => Ok(-((digit - b'0') as i8)),
        _ => Err(BadParameter::Priority),
    }
}

/// `date-time`: `2026-11-25T04:30:00Z`, with a fraction or an offset where wanted. RFC 3339 §5.6.
fn date_time(value: &[u8]) -> Option<u64> {
    // The library reads more than RFC 3339 knows.
    let octet = |at: usize| value.get(at).copied();
    let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let separated = separators
        .iter()
        .all(|&(at, expected)| octet(at) == Some(expected));
    let known = |&octet: &u8| octet.is_ascii_digit() || b"-+:.TZtz".contains(&octet);
    if !separated || !matches!(octet(10), Some(b'T' | b't')) || !value.iter().all(known) {
        return None;
    }
    let read: Timestamp = std::str::from_utf8(value).ok()?.parse().ok()?;
    u64::try_from(read.as_second()).ok()
}

/// A time as RFC 3339 writes it.
pub(crate) fn date(unix: u64) -> Timestamp {
    let seconds = i64::try_from(unix).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}
