//! Mails packed: zstd at rest.
//!
//! ```text
//! frame 0 | frame 1 | ... | frame n-1 | end of frame 0 u32 | ... | end of frame n-2 u32
//! ```
//! Each frame holds [`FRAME_OCTETS`] of the mail, the last one what is left, so that a range of it is read by frames. The
//! ends, little-endian, count from the first frame's begin; the last frame ends where they begin, and a mail of one frame has
//! none. A frame as long as what it holds holds it raw; no other is longer.
//!
//! In:  a mail, whole or in pieces. Out: what is stored, unless it saves less than an eighth: then nothing, and the mail
//! is stored raw. A stream cannot go back: it is judged by its first [`JUDGED_FRAMES`] frames, and no mail is packed
//! further that has saved too little by then.
//!
//! Invariant: unpacking writes [`FRAME_OCTETS`] at most, whatever the frame says; a frame that holds more or less than its
//! part of the mail is damage.
//!
//! Level 1. Text of words by how common they are, a third base64 of noise; stored octets, processor time to append, to read
//! whole, in µs (`cargo run --release -p ringpost-runtime --example commit -- packing 300`):
//!
//! | mail | raw | packed |
//! |---|---|---|
//! | 2 KiB | 4 to append, 1 to read | 71 %: 10, 4 |
//! | 30 KiB | 15, 5 | 62 %: 79, 37 |
//! | 200 KiB | 10, 35 | 56 %: 1,030, 186 |

use crate::error::LogError;
use std::ops::Range;
use zstd::bulk::{Compressor, Decompressor};

/// Octets of the mail in one frame.
pub const FRAME_OCTETS: usize = 64 * 1024;
/// Frames after which it is clear whether a mail is worth it.
const JUDGED_FRAMES: usize = 4;
const LEVEL: i32 = 1;
/// Octets of one end.
const END_OCTETS: u64 = 4;

/// Packs frames. Its memory, about a megabyte, is used again for each.
pub(crate) struct Packer {
    zstd: Compressor<'static>,
    frame: Vec<u8>,
}

impl Packer {
    /// `None` where there is no memory for it.
    pub fn new() -> Option<Self> {
        Some(Packer {
            zstd: Compressor::new(LEVEL).ok()?,
            frame: Vec::with_capacity(FRAME_OCTETS),
        })
    }

    /// Appends one frame.
    pub fn frame(&mut self, raw: &[u8], out: &mut Vec<u8>) {
        debug_assert!(raw.len() <= FRAME_OCTETS);
        self.frame.clear();
        // What does not fit does not shrink.
        match self.zstd.compress_to_buffer(raw, &mut self.frame) {
            Ok(octets) if octets < raw.len() => out.extend_from_slice(&self.frame),
            _ => out.extend_from_slice(raw),
        }
    }

    /// A whole mail, packed; `None` where it is to be stored raw.
    pub fn whole(&mut self, mail: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(mail.len() / 2);
        let mut ends = Ends::default();
        for (number, raw) in mail.chunks(FRAME_OCTETS).enumerate() {
            self.frame(raw, &mut out);
            ends.push(out.len() as u64);
            if number + 1 == JUDGED_FRAMES && !pays((number + 1) * FRAME_OCTETS, out.len()) {
                return None;
            }
        }
        out.extend_from_slice(ends.table());
        pays(mail.len(), out.len()).then_some(out)
    }
}

/// Whether packing saves an eighth.
fn pays(raw: usize, packed: usize) -> bool {
    raw > 0 && packed as u64 * 8 <= raw as u64 * 7
}

/// Ends of the frames so far.
#[derive(Debug, Default)]
pub(crate) struct Ends(Vec<u8>);

impl Ends {
    /// A frame ends here. Mails are shorter than 4 GiB, and so is what they come to.
    pub fn push(&mut self, end: u64) {
        self.0.extend_from_slice(&(end as u32).to_le_bytes());
    }

    /// What stands behind the frames.
    pub fn table(&self) -> &[u8] {
        &self.0[..self.0.len().saturating_sub(END_OCTETS as usize)]
    }
}

/// A large mail being packed while it comes.
pub(crate) struct Packing {
    packer: Packer,
    /// Not packed yet; while it is not judged, all of it.
    raw: Vec<u8>,
    /// Octets of `raw` that are in `out` already.
    packed: usize,
    /// Packed, and not taken yet.
    out: Vec<u8>,
    /// Octets taken.
    taken: u64,
    ends: Ends,
    judged: bool,
}

/// What came of more octets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fed {
    /// They are packed, or held.
    Held,
    /// The mail is to be stored raw: these are its octets so far.
    Raw(Vec<u8>),
}

impl Packing {
    pub fn new(packer: Packer) -> Self {
        Packing {
            packer,
            raw: Vec::new(),
            packed: 0,
            out: Vec::new(),
            taken: 0,
            ends: Ends::default(),
            judged: false,
        }
    }

    /// Takes more octets.
    pub fn feed(&mut self, mut octets: &[u8]) -> Fed {
        while !octets.is_empty() {
            let room = FRAME_OCTETS - (self.raw.len() - self.packed);
            let (now, later) = octets.split_at(room.min(octets.len()));
            self.raw.extend_from_slice(now);
            octets = later;
            if self.raw.len() - self.packed == FRAME_OCTETS {
                self.pack();
                let frames = self.raw.len() / FRAME_OCTETS;
                if !self.judged && frames == JUDGED_FRAMES {
                    if !pays(self.raw.len(), self.out.len()) {
                        let mut raw = std::mem::take(&mut self.raw);
                        raw.extend_from_slice(octets);
                        return Fed::Raw(raw);
                    }
                    self.judged = true;
                }
                if self.judged {
                    self.raw.clear();
                    self.packed = 0;
                }
            }
        }
        Fed::Held
    }

    fn pack(&mut self) {
        self.packer.frame(&self.raw[self.packed..], &mut self.out);
        self.packed = self.raw.len();
        self.ends.push(self.taken + self.out.len() as u64);
    }

    /// What is packed and decided on, to be written, once there are `octets` of it.
    pub fn take(&mut self, octets: usize) -> Option<Vec<u8>> {
        if !self.judged || self.out.len() < octets {
            return None;
        }
        self.taken += self.out.len() as u64;
        Some(std::mem::take(&mut self.out))
    }

    /// The rest, and whether the mail is packed; else the rest is all of it, raw.
    pub fn finish(mut self) -> (Vec<u8>, bool) {
        if self.raw.len() > self.packed {
            self.pack();
        }
        self.out.extend_from_slice(self.ends.table());
        if self.judged || pays(self.raw.len(), self.out.len()) {
            (self.out, true)
        } else {
            (self.raw, false)
        }
    }
}

/// Where the frames of a packed mail stand among its stored octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frames {
    octets: u64,
    /// Where the frames end and their ends begin.
    table: u64,
}

impl Frames {
    /// Of a mail of `octets` that takes `stored`.
    pub fn new(octets: u64, stored: u64) -> Result<Self, LogError> {
        let count = octets.div_ceil(FRAME_OCTETS as u64);
        let table = stored.checked_sub(count.saturating_sub(1) * END_OCTETS);
        let table = table.ok_or(LogError::Damaged)?;
        Ok(Frames { octets, table })
    }

    /// The frame that holds an octet of the mail.
    pub fn holding(octet: u64) -> u64 {
        octet / FRAME_OCTETS as u64
    }

    /// Which of the stored octets tell where a frame begins and ends; empty where nothing is to be read.
    pub fn ends_of(&self, frame: u64) -> Range<u64> {
        let last = Frames::holding(self.octets.saturating_sub(1));
        let begin = self.table + frame.saturating_sub(1) * END_OCTETS;
        let end = self.table + last.min(frame + 1) * END_OCTETS;
        begin..end.max(begin)
    }

    /// Where a frame stands, by what those octets say.
    pub fn place(&self, frame: u64, ends: &[u8]) -> Result<Range<u64>, LogError> {
        let mut ends = ends
            .chunks_exact(END_OCTETS as usize)
            .map(|end| u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]])));
        let begin = match frame {
            0 => 0,
            _ => ends.next().ok_or(LogError::Damaged)?,
        };
        let end = ends.next().unwrap_or(self.table);
        let sound = begin < end && end <= self.table && end - begin <= self.raw_octets(frame);
        sound.then_some(begin..end).ok_or(LogError::Damaged)
    }

    /// Octets of the mail in a frame.
    pub fn raw_octets(&self, frame: u64) -> u64 {
        let before = frame * FRAME_OCTETS as u64;
        self.octets.saturating_sub(before).min(FRAME_OCTETS as u64)
    }
}

/// Unpacks frames.
pub(crate) struct Unpacker {
    zstd: Decompressor<'static>,
}

impl Unpacker {
    /// `None` where there is no memory for it.
    pub fn new() -> Option<Self> {
        let zstd = Decompressor::new().ok()?;
        Some(Unpacker { zstd })
    }

    /// Unpacks a frame that holds `octets` of the mail, in place of what is in `out`.
    pub fn frame(
        &mut self,
        packed: &[u8],
        octets: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), LogError> {
        if octets > FRAME_OCTETS {
            return Err(LogError::Damaged);
        }
        out.clear();
        if packed.len() == octets {
            out.extend_from_slice(packed);
            return Ok(());
        }
        out.resize(octets, 0);
        match self.zstd.decompress_to_buffer(packed, &mut out[..]) {
            Ok(unpacked) if unpacked == octets => Ok(()),
            _ => {
                out.clear();
                Err(LogError::Damaged)
            }
        }
    }
}
