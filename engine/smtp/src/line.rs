//! Cutting the input into command lines. RFC 5321 §2.3.8, §4.5.3.1.4.
//!
//! In:  the octets received and not yet consumed.
//! Out: a line without its CRLF; or that more is needed; or that a line was too long, after it has been skipped.
//!
//! Invariants: only CRLF ends a line. A line never needs more of the input buffer than its limit. How the octets were
//! cut on their way does not show: an over-long line is told at its end, once.

use crate::command::announces_chunk;

/// One result of [`Lines::next`], with the octets it used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'i> {
    /// A whole line; its octets with the CRLF are used up.
    Whole(&'i [u8]),
    /// The line goes on.
    More,
    /// A line over the limit has ended and is gone.
    TooLong,
}

/// What is kept between chunks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lines {
    /// Inside a line that is too long already.
    skipping: bool,
    /// It, or the one that was too long last, announces a chunk.
    of_chunk: bool,
}

impl Lines {
    /// Cuts the next line off `input`; `octets_max` counts the CRLF too.
    pub fn next<'i>(&mut self, input: &'i [u8], octets_max: usize) -> (usize, Line<'i>) {
        match find_crlf(input) {
            Some(end) if self.skipping || end + 2 > octets_max => {
                self.begin_skipping(input);
                self.skipping = false;
                (end + 2, Line::TooLong)
            }
            Some(end) => (end + 2, Line::Whole(&input[..end])),
            None if self.skipping || input.len() >= octets_max => {
                self.begin_skipping(input);
                // A CR at the end may be half of the CRLF that ends the line.
                let held = usize::from(input.last() == Some(&b'\r'));
                (input.len() - held, Line::More)
            }
            None => (0, Line::More),
        }
    }

    #[cold]
    fn begin_skipping(&mut self, input: &[u8]) {
        if !self.skipping {
            self.of_chunk = announces_chunk(input);
        }
        self.skipping = true;
    }

    /// Whether the line that was [`Line::TooLong`] announces a chunk, so that octets follow that are no commands.
    pub fn of_chunk(&self) -> bool {
        self.of_chunk
    }
}

/// Where the first CRLF begins. Command lines are short: one search for LF finds it.
fn find_crlf(input: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', input).find_map(|lf| {
        let before = lf.checked_sub(1)?;
        (input[before] == b'\r').then_some(before)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (octets on the wire, lines with `!` for one too long), at a limit of 6 octets.
    const CASES: &[(&str, &[&str])] = &[
        ("ab\r\ncd\r\n", &["ab", "cd"]),
        ("\r\n", &[""]),
        ("abcd\r\n", &["abcd"]),
        ("abcde\r\nx\r\n", &["!", "x"]),
        ("abcdefghijk\r\nx\r\n", &["!", "x"]),
        ("abcdefg\r\r\nx\r\n", &["!", "x"]),
        ("a\nb\r\n", &["a\nb"]),
        ("\nab\r\n", &["\nab"]),
        ("a\rb\r\n", &["a\rb"]),
        ("\n\n\n\n\n\n\n\n\r\nx\r\n", &["!", "x"]),
    ];

    #[test]
    fn cuts_do_not_show() {
        for (wire, expected) in CASES {
            for cut in 0..=wire.len() {
                for step in [1, wire.len()] {
                    let mut ends: Vec<usize> = (0..wire.len()).step_by(step).collect();
                    ends.extend([cut, wire.len()]);
                    ends.sort_unstable();
                    assert_eq!(
                        &lines(wire.as_bytes(), &ends),
                        expected,
                        "{wire:?} {ends:?}"
                    );
                }
            }
        }
    }

    fn lines(wire: &[u8], ends: &[usize]) -> Vec<String> {
        let (mut lines, mut at, mut got) = (Lines::default(), 0, Vec::new());
        for &end in ends {
            loop {
                let (used, line) = lines.next(&wire[at..end], 6);
                at += used;
                match line {
                    Line::Whole(line) => got.push(String::from_utf8_lossy(line).into_owned()),
                    Line::TooLong => got.push("!".into()),
                    Line::More => break,
                }
                assert!(end - at <= wire.len());
            }
            assert!(end - at < 6, "kept more than the limit");
        }
        got
    }
}
