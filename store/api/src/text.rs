//! Rows of table text: a mail's searchable text, as SEARCH TEXT and BODY look through it.
//!
//! In:  folded text in sections, as the mail's arrival made it. What is in it is not this store's to know.
//! Out: one row, and the sections back, lent by the snapshot where the row is one raw piece: then a search copies nothing.
//!
//! The first piece lies under the blob's own key, piece n under blob u64 ++ n u16. Each piece but the last has
//! [`PIECE_OCTETS`]. The row, little-endian:
//!
//! ```text
//!  0        1         2       4           8         12         16        20          24
//!  | version | encoding | zero  | stored    | keys     | inner     | body     | octets     | stored octets ...
//! ```
//! `stored` counts what follows, `octets` what it unpacks to: `keys` octets that are only there for the filter, then the
//! text; `inner` and `body` say where in the text those sections begin.
//!
//! | how a row lies in LMDB, 100,000 rows of 3,036 octets (mean) | octets of index for each | whole scan, relative |
//! |---|---|---|
//! | lz4, leaf pieces of 1,900 octets | 5,082 | 3.7 |
//! | lz4, leaf pieces of 1,340 | 3,990 | 3.3 |
//! | lz4, leaf pieces of 1,000 | 3,555 | 3.2 |
//! | lz4, leaf pieces of 500 | 3,094 | 3.5 |
//! | lz4, whole | 3,703 | 2.0 |
//! | raw, leaf pieces of 1,000 | 4,508 | 1.8 |
//! | raw, whole | 4,473 | 1 |
//! | raw, or lz4 where that saves a page, one page a piece (kept) | 4,245, reckoned | as raw, but for the 12 % that are packed |
//!
//! A leaf page that is filled in order is left with one row less than it holds, so that rows of half a page fill half of
//! each page. A page of its own, and no more than one in a row so that none has to be sought, is the better place.
//! Packing to fewer octets of the same page gains nothing; so a row is packed only where that saves a page.
//! zstd at level 1 packs to 0.56 of the raw octets and not 0.79, and unpacks at a fifth of lz4's speed.

use crate::edits::Edits;
use crate::{Error, Snapshot, Table, key};
use ringpost_types::BlobId;

/// Octets of one piece: a page of LMDB without its head.
pub const PIECE_OCTETS: usize = 4_080;
/// More a row does not unpack to, whatever it says: limit `message_text_octets_max` is far below.
const OCTETS_MAX: usize = 64 << 20;

const VERSION: u8 = 1;
const RAW: u8 = 0;
const LZ4: u8 = 1;
const HEAD_OCTETS: usize = 24;

/// A mail's searchable text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'t> {
    /// `keys`, then the sections.
    octets: &'t [u8],
    keys: usize,
    inner: usize,
    body: usize,
}

impl<'t> Text<'t> {
    /// Sections in order: `text` is header, inner and body, the latter two from `inner` and from `body` on; `None`
    /// where that cannot be.
    fn new(octets: &'t [u8], keys: usize, inner: usize, body: usize) -> Option<Self> {
        let text = octets.len().checked_sub(keys)?;
        (inner <= body && body <= text).then_some(Text {
            octets,
            keys,
            inner,
            body,
        })
    }

    /// Everything: what a filter is made of.
    pub fn all(&self) -> &'t [u8] {
        self.octets
    }

    /// What TEXT looks through.
    pub fn text(&self) -> &'t [u8] {
        &self.octets[self.keys..]
    }

    /// What BODY looks through.
    pub fn body(&self) -> &'t [u8] {
        &self.text()[self.body..]
    }

    /// The mail's own header fields: what HEADER looks through.
    pub fn header(&self) -> &'t [u8] {
        &self.text()[..self.inner]
    }
}

/// Buffers that are kept from row to row.
#[derive(Debug, Default)]
pub struct Scratch {
    row: Vec<u8>,
    text: Vec<u8>,
}

/// Makes the row of a mail: `keys`, and `text` whose sections inner and body begin at `inner` and at `body`. Empty, for no
/// row, where that is more than any row holds.
pub fn encode(keys: &[u8], text: &[u8], inner: usize, body: usize) -> Vec<u8> {
    debug_assert!(inner <= body && body <= text.len(), "sections in order");
    let octets = keys.len() + text.len();
    if octets > OCTETS_MAX {
        return Vec::new();
    }
    let mut row = Vec::with_capacity(HEAD_OCTETS + octets);
    row.extend_from_slice(&[0; HEAD_OCTETS]);
    row.extend_from_slice(keys);
    row.extend_from_slice(text);
    let encoding = match packed(&row) {
        Some(packed) => {
            row = packed;
            LZ4
        }
        None => RAW,
    };
    let stored = row.len() - HEAD_OCTETS;
    row[..2].copy_from_slice(&[VERSION, encoding]);
    for (at, number) in [stored, keys.len(), inner, body, octets]
        .into_iter()
        .enumerate()
    {
        row[4 + 4 * at..8 + 4 * at].copy_from_slice(&(number as u32).to_le_bytes());
    }
    row
}

/// The row with what is behind the head packed, where that saves a piece.
fn packed(row: &[u8]) -> Option<Vec<u8>> {
    let pieces = row.len().div_ceil(PIECE_OCTETS);
    if pieces == 1 {
        return None;
    }
    let text = &row[HEAD_OCTETS..];
    let mut packed = vec![0; HEAD_OCTETS + lz4_flex::block::get_maximum_output_size(text.len())];
    let stored = lz4_flex::block::compress_into(text, &mut packed[HEAD_OCTETS..]).ok()?;
    packed.truncate(HEAD_OCTETS + stored);
    (packed.len().div_ceil(PIECE_OCTETS) < pieces).then_some(packed)
}

/// The text of a mail; `None` where there is no row and the mail itself is to be read.
pub fn read<'s>(
    snapshot: &'s (dyn Snapshot + 's),
    blob: BlobId,
    scratch: &'s mut Scratch,
) -> Result<Option<Text<'s>>, Error> {
    let Some(first) = snapshot.get(Table::Text, &key::blob(blob))? else {
        return Ok(None);
    };
    let damaged = || Error::Damaged(format!("table text: row of blob {blob}"));
    let head = Head::read(first).ok_or_else(damaged)?;
    let Scratch { row, text } = scratch;
    let stored = match head.pieces() {
        1 => &first[HEAD_OCTETS..],
        pieces => {
            row.clear();
            row.extend_from_slice(&first[HEAD_OCTETS..]);
            for piece in 1..pieces {
                let octets = snapshot.get(Table::Text, &piece_key(blob, piece))?;
                row.extend_from_slice(octets.ok_or_else(damaged)?);
            }
            &row[..]
        }
    };
    if stored.len() != head.stored {
        return Err(damaged());
    }
    let octets = match head.encoding {
        RAW => stored,
        _ => {
            text.resize(head.octets, 0);
            let unpacked = lz4_flex::block::decompress_into(stored, text);
            let whole = unpacked.is_ok_and(|octets| octets == head.octets);
            if whole {
                &text[..]
            } else {
                return Err(damaged());
            }
        }
    };
    match Text::new(octets, head.keys, head.inner, head.body) {
        Some(text) if octets.len() == head.octets => Ok(Some(text)),
        _ => Err(damaged()),
    }
}

/// Notes the puts of a row.
pub(crate) fn put(edits: &mut Edits, blob: BlobId, row: &[u8]) {
    for (piece, octets) in row.chunks(PIECE_OCTETS).enumerate() {
        match piece {
            0 => edits.put(Table::Text, &key::blob(blob), octets),
            _ => edits.put(Table::Text, &piece_key(blob, piece), octets),
        }
    }
}

/// Notes the deletes of a row, if there is one.
pub(crate) fn delete(rows: &dyn Snapshot, edits: &mut Edits, blob: BlobId) -> Result<(), Error> {
    let Some(first) = rows.get(Table::Text, &key::blob(blob))? else {
        return Ok(());
    };
    edits.delete(Table::Text, &key::blob(blob));
    // A row that is damaged has as many pieces as can be found.
    let pieces = Head::read(first).map_or(1, |head| head.pieces());
    for piece in 1..pieces {
        edits.delete(Table::Text, &piece_key(blob, piece));
    }
    Ok(())
}

/// Key of piece `piece`, which is not the first.
fn piece_key(blob: BlobId, piece: usize) -> [u8; 10] {
    let mut key = [0; 10];
    key[..8].copy_from_slice(&key::blob(blob));
    key[8..].copy_from_slice(&(piece as u16).to_be_bytes());
    key
}

/// What the first octets of a row say.
struct Head {
    encoding: u8,
    stored: usize,
    keys: usize,
    inner: usize,
    body: usize,
    octets: usize,
}

impl Head {
    fn read(row: &[u8]) -> Option<Self> {
        let head = row.first_chunk::<HEAD_OCTETS>()?;
        let number = |at: usize| {
            let octets = [head[at], head[at + 1], head[at + 2], head[at + 3]];
            u32::from_le_bytes(octets) as usize
        };
        let read = Head {
            encoding: head[1],
            stored: number(4),
            keys: number(8),
            inner: number(12),
            body: number(16),
            octets: number(20),
        };
        let known = head[0] == VERSION && matches!(read.encoding, RAW | LZ4);
        (known && read.octets <= OCTETS_MAX && read.stored <= OCTETS_MAX).then_some(read)
    }

    fn pieces(&self) -> usize {
        (HEAD_OCTETS + self.stored).div_ceil(PIECE_OCTETS)
    }
}
