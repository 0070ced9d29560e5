//! The tarpit: whoever is refused again and again is answered ever more slowly.
//!
//! In:  how many permanent refusals a session has had. Out: how long the next one waits.
//!
//! A guesser of addresses or passwords lives from the number of its tries. What it costs us is a socket and a timer:
//! the caller waits without a buffer.

use ringpost_types::limit::Limits;

/// The first delay; each next one is twice as long.
const FIRST_MS: u64 = 500;

/// How long the answer to refusal number `count`, from 1, is held back, in milliseconds.
pub(crate) fn delay_ms(count: u32, limits: &Limits) -> u64 {
    let beyond = u64::from(count).saturating_sub(limits.smtp_tarpit_errors);
    match beyond {
        0 => 0,
        beyond => FIRST_MS
            .saturating_mul(1 << (beyond - 1).min(32))
            .min(limits.smtp_tarpit_ms_max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_the_limit_and_one_above() {
        let limits = Limits {
            smtp_tarpit_errors: 3,
            smtp_tarpit_ms_max: 1_700,
            ..Limits::default()
        };
        let cases = [
            (0, 0),
            (3, 0),
            (4, 500),
            (5, 1_000),
            (6, 1_700),
            (7, 1_700),
            (u32::MAX, 1_700),
        ];
        for (count, expected) in cases {
            assert_eq!(delay_ms(count, &limits), expected, "{count}");
        }
    }
}
