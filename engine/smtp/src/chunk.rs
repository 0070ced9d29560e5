//! The octets of BDAT chunks: counted, not dotted. RFC 3030 §2.
//!
//! In:  runs of body octets, in order, cut anywhere.
//! Out: how many line ends are bare.
//!
//! Invariant: a bare CR or LF is refused in a chunk as it is in DATA. The length keeps it from ending the mail here,
//! but the mail may be handed on by DATA, and there it would hide a second one. BODY=BINARYMIME allows them, in the body:
//! there the header alone is looked at, for a bare LF in it would be a line end to some reader. RFC 3030 §3.

use memchr::memchr2;

/// Counts CRs without LF and LFs without CR.
#[derive(Clone, Copy, Debug)]
pub struct LineEnds {
    /// The last octet was a CR.
    cr: bool,
    /// No octet of this line came yet.
    fresh: bool,
    watch: Watch,
    /// Bare ones so far.
    bare: u32,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// The mail.
    All,
    /// The header of a binary mail.
    Header,
    /// A binary mail's body: nothing.
    Nothing,
}

impl Default for LineEnds {
    fn default() -> Self {
        LineEnds {
            cr: false,
            fresh: true,
            watch: Watch::All,
            bare: 0,
        }
    }
}

impl LineEnds {
    /// Of a binary mail: those of its header.
    pub fn of_binary() -> Self {
        LineEnds {
            watch: Watch::Header,
            ..LineEnds::default()
        }
    }

    /// Looks at the next octets.
    pub fn feed(&mut self, mut run: &[u8]) {
        if self.watch == Watch::Nothing {
            return;
        }
        while let Some(&first) = run.first() {
            if self.cr {
                self.cr = false;
                if first == b'\n' {
                    run = &run[1..];
                    if self.fresh && self.watch == Watch::Header {
                        self.watch = Watch::Nothing;
                        return;
                    }
                    self.fresh = true;
                    continue;
                }
                self.fresh = false;
                self.bare = self.bare.saturating_add(1);
            }
            let Some(at) = memchr2(b'\r', b'\n', run) else {
                self.fresh = false;
                return;
            };
            self.fresh &= at == 0;
            if run[at] == b'\r' {
                self.cr = true;
            } else {
                self.fresh = false;
                self.bare = self.bare.saturating_add(1);
            }
            run = &run[at + 1..];
        }
    }

    /// Bare line ends so far; a CR that is the last octet yet is none until more comes.
    pub fn bare(&self) -> u32 {
        self.bare
    }

    /// Bare line ends of the whole, which ends here.
    pub fn finish(&self) -> u32 {
        self.bare.saturating_add(u32::from(self.cr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_however_cut() {
        let cases: &[(&str, u32)] = &[
            ("", 0),
            ("a\r\nb\r\n", 0),
            ("a\nb", 1),
            ("a\rb", 1),
            ("a\r", 1),
            ("\r\r\n", 1),
            ("\n\r\n\n", 2),
            ("\r\r\r", 3),
        ];
        for &(wire, bare) in cases {
            for cut in 0..=wire.len() {
                let mut ends = LineEnds::default();
                ends.feed(&wire.as_bytes()[..cut]);
                ends.feed(&wire.as_bytes()[cut..]);
                assert_eq!(ends.finish(), bare, "{wire:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn of_a_binary_mail_the_header_counts() {
        let cases: &[(&str, u32)] = &[
            ("A: b\r\n\r\nx\ny\rz", 0),
            ("\r\n\n\r\n\r", 0),
            ("A: b\nC: d\r\n\r\nx\ny", 1),
            ("A: b\r\n\nx\ny", 2),
            ("A: b\r\r\n\r\n\n", 1),
            ("A: b\r\n\r\r\n\n", 2),
            ("A: b\r", 1),
        ];
        for &(wire, bare) in cases {
            for cut in 0..=wire.len() {
                let mut ends = LineEnds::of_binary();
                ends.feed(&wire.as_bytes()[..cut]);
                ends.feed(&wire.as_bytes()[cut..]);
                assert_eq!(ends.finish(), bare, "{wire:?} cut at {cut}");
            }
        }
    }
}
