//! The plain form of [`super::Undot`], octet by octet: the twin that the fast one is compared with.

use super::{Place, Step};

pub(super) struct Undot {
    place: Place,
    pub(super) bare: u32,
}

impl Undot {
    pub(super) fn new() -> Self {
        Undot {
            place: Place::LineStart,
            bare: 0,
        }
    }

    pub(super) fn step<'b>(&mut self, chunk: &'b [u8]) -> (Step<'b>, &'b [u8]) {
        use Place::*;
        let mut run = 0;
        for (at, &octet) in chunk.iter().enumerate() {
            self.place = match (self.place, octet) {
                (LineStart, b'.') => {
                    self.place = Dot;
                    if run < at {
                        return (Step::Run(&chunk[run..at]), &chunk[at + 1..]);
                    }
                    run = at + 1;
                    continue;
                }
                (Dot, b'\r') => DotCr,
                (DotCr, b'\n') => return (Step::End, &chunk[at + 1..]),
                (DotCr, _) if at == 0 => {
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
        }
        let held = usize::from(self.place == DotCr && run < chunk.len());
        match &chunk[run..chunk.len() - held] {
            [] => (Step::More, &[]),
            rest => (Step::Run(rest), &[]),
        }
    }
}
