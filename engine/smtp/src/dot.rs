//! DATA transparency: take out stuffed dots, find the end of the body. RFC 5321 §4.5.2.
//!
//! In:  body octets, in chunks of any size, as the network hands them over.
//! Out: borrowed runs of those octets, in order; then [`Step::End`]. Nothing is copied.
//!
//! Invariant: only CRLF "." CRLF ends a body. RFC 5321 §2.3.8 knows one line ending, CRLF. A bare
//! CR or LF is passed on and counted in [`Undot::bare`]; policy decides what it costs. A server
//! that takes LF "." LF for the end lets the sender hide a second message in the first.
//!
//! The plain algorithm is one `match` on (place, octet), octet after octet; it stands in `dot/plain.rs` as the twin
//! that the tests compare with. Nearly all octets are ordinary ones in a line: here the kernel [`plain_run`] passes over
//! those, ordinary line ends included, so that a run is as long as the chunk unless a dot cuts it.

use ringpost_scan::dot::plain_run;

/// One result of [`Undot::step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'b> {
    /// Body octets, dots undone. Never empty.
    Run(&'b [u8]),
    /// The chunk is used up; the body goes on in the next one.
    More,
    /// The body is complete. What remains of the chunk is the next command.
    End,
}

/// Where the next octet stands in its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    LineStart,
    /// After the dot that opens a line. The dot is never body: it is stuffing or the end.
    Dot,
    /// After the dot and a CR: one octet decides.
    DotCr,
    Line,
    Cr,
}

/// What is kept between chunks: eight octets, no buffer.
#[derive(Clone, Copy, Debug)]
pub struct Undot {
    place: Place,
    /// CRs without LF and LFs without CR so far, in octets.
    pub bare: u32,
}

impl Default for Undot {
    fn default() -> Self {
        Undot::new()
    }
}

impl Undot {
    /// Starts at the first octet after the 354 reply.
    pub fn new() -> Self {
        Undot {
            place: Place::LineStart,
            bare: 0,
        }
    }

    /// Takes the next step in `chunk`; returns it with the octets not yet looked at.
    pub fn step<'b>(&mut self, chunk: &'b [u8]) -> (Step<'b>, &'b [u8]) {
        use Place::*;
        let mut run = 0; // start of the octets not yet returned
        let mut at = 0; // the next octet
        while at < chunk.len() {
            if matches!(self.place, Line | LineStart) {
                at = self.pass_over(chunk, at);
                if at == chunk.len() {
                    break;
                }
            }
            let octet = chunk[at];
            self.place = match (self.place, octet) {
                (LineStart, b'.') => {
                    self.place = Dot;
                    if run < at {
                        return (Step::Run(&chunk[run..at]), &chunk[at + 1..]);
                    }
                    run = at + 1;
                    at += 1;
                    continue;
                }
                (Dot, b'\r') => DotCr,
                (DotCr, b'\n') => return (Step::End, &chunk[at + 1..]),
                (DotCr, _) if at == 0 => {
                    // The CR was body after all, and it went by with the last chunk.
                    self.place = Cr;
                    return (Step::Run(b"\r"), chunk);
                }
                (Cr, b'\n') => LineStart,
                (before, _) => {
                    let lone_cr = matches!(before, Cr | DotCr);
                    let lone_lf = octet == b'\n';
                    self.bare = self
                        .bare
                        .saturating_add(u32::from(lone_cr) + u32::from(lone_lf));
                    if octet == b'\r' { Cr } else { Line }
                }
            };
            at += 1;
        }
        let held = usize::from(self.place == DotCr && run < chunk.len());
        match &chunk[run..chunk.len() - held] {
            [] => (Step::More, &[]),
            rest => (Step::Run(rest), &[]),
        }
    }

    /// Passes over ordinary octets from `at`, which is inside a line or at its start; returns where `step` must look
    /// closer: at a dot that opens a line, at a bare LF, behind a bare CR, or at the end.
    fn pass_over(&mut self, chunk: &[u8], at: usize) -> usize {
        if self.place == Place::LineStart && chunk[at] == b'.' {
            return at;
        }
        let end = at + plain_run(&chunk[at..]);
        if at < end {
            self.place = match chunk[end - 1] {
                b'\n' => Place::LineStart,
                b'\r' => Place::Cr,
                _ => Place::Line,
            };
        }
        end
    }
}

#[cfg(test)]
mod plain;
#[cfg(test)]
mod tests;
