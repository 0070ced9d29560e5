//! The octets of BDAT chunks: counted, not dotted. RFC 3030 §2.
//!
//! In:  runs of body octets, in order, cut anywhere.
//! Out: how many line ends are bare.
//!
//! Invariant: a bare CR or LF is refused in a chunk as it is in DATA. The length keeps it from ending the mail here,
//! but the mail may be handed on by DATA, and there it would hide a second one.

use memchr::memchr2;

/// Counts CRs without LF and LFs without CR.
#[derive(Clone, Copy, Debug, Default)]
pub struct LineEnds {
    /// The last octet was a CR.
    cr: bool,
    /// Bare ones so far.
    bare: u32,
}

impl LineEnds {
    /// Looks at the next octets.
    pub fn feed(&mut self, mut run: &[u8]) {
        while let Some(&first) = run.first() {
            if self.cr {
                self.cr = false;
                if first == b'\n' {
                    run = &run[1..];
                    continue;
                }
                self.bare = self.bare.saturating_add(1);
            }
            let Some(at) = memchr2(b'\r', b'\n', run) else {
                return;
            };
            if run[at] == b'\r' {
                self.cr = true;
            } else {
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
}
