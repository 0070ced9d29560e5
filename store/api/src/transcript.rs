//! Rows of table transcript: what a session said that was refused or failed. Drawn in [`crate::table`].
//!
//! In:  its text, secrets removed: by the shard that had the session, which packs it.
//! Out: one row, of at most [`OCTETS_MAX`] octets of text; the text back, and when it was.
//!
//! Invariant: no octets, however damaged, make a panic or take more than [`OCTETS_MAX`].

use crate::layout::{self, Fixed};
use crate::row::damaged;
use crate::{Error, Table};
use zerocopy::IntoBytes;

/// Octets of the longest text that is kept; of a longer one, its beginning.
pub const OCTETS_MAX: usize = 64 * 1024;

const RAW: u8 = 0;
const LZ4: u8 = 1;

/// Makes the row of a session's text, which ended at `unix`, in seconds since 1970 UTC.
pub fn encode(unix: u64, text: &str) -> Vec<u8> {
    let text = &text.as_bytes()[..text.floor_char_boundary(OCTETS_MAX)];
    let packed = lz4_flex::block::compress(text);
    let (encoding, stored) = match packed.len() < text.len() {
        true => (LZ4, &packed[..]),
        false => (RAW, text),
    };
    let fixed = layout::Transcript {
        unix: unix.into(),
        octets: (text.len() as u32).into(),
        encoding,
        zero: [0; 3],
    };
    [fixed.as_bytes(), stored].concat()
}

/// When the session of a row ended.
pub(crate) fn unix(row: &[u8]) -> Result<u64, Error> {
    Ok(layout::Transcript::before(row)?.0.unix.get())
}

/// When the session ended, and what it said.
pub fn read(row: &[u8]) -> Result<(u64, String), Error> {
    let wrong = || damaged(Table::Transcript, "row contradicts itself");
    let (fixed, stored) = layout::Transcript::before(row)?;
    let octets = fixed.octets.get() as usize;
    if octets > OCTETS_MAX {
        return Err(wrong());
    }
    let text = match fixed.encoding {
        RAW => stored.to_vec(),
        LZ4 => lz4_flex::block::decompress(stored, octets).map_err(|_| wrong())?,
        _ => return Err(wrong()),
    };
    match String::from_utf8(text) {
        Ok(text) if text.len() == octets => Ok((fixed.unix.get(), text)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_and_damage_is_told() {
        let long = "C: RCPT TO:<x@example.test>\nS: 550 5.1.1 nobody\n".repeat(40);
        for text in ["", "S: 421", &long] {
            let row = encode(7, text);
            assert_eq!(read(&row), Ok((7, text.to_owned())));
            assert_eq!(unix(&row), Ok(7));
            for at in 0..row.len() {
                let mut changed = row.clone();
                changed[at] ^= 0xff;
                let _ = read(&changed);
                assert!(read(&row[..at]).is_err(), "cut at {at}");
            }
        }
        assert!(encode(7, &long).len() < long.len() / 4);
    }

    /// At the limit, one above it, and where a letter stands across it.
    #[test]
    fn a_text_is_cut_at_the_limit() {
        let read = |text: &str| read(&encode(0, text)).expect("readable").1.len();
        assert_eq!(read(&"a".repeat(OCTETS_MAX)), OCTETS_MAX);
        assert_eq!(read(&"a".repeat(OCTETS_MAX + 1)), OCTETS_MAX);
        assert_eq!(
            read(&format!("a{}", "ä".repeat(OCTETS_MAX / 2))),
            OCTETS_MAX - 1
        );
    }
}
