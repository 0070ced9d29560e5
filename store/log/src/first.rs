//! Records of version 1 that are no more: of each the index knew its mail alone, and lets go of that alone.
//!
//! ```text
//! | header, decisions, digest | mail            | header, decisions, digest | mail
//!       nobody's                free, or zero         nobody's                free, or zero
//! ```
//! In:  a stretch of a segment of version 1. Out: what of it must be free for all of it to be.

use crate::header::{Header, LOOK_OCTETS, Version};
use crate::recover::Window;
use crate::segment::{self, HEAD_OCTETS, Head};
use ringpost_api::table::Stretch;
use std::io;
use std::path::Path;

/// The mails of a stretch by the headers in front of them, sound or not, and what is neither header nor zero, as it stands.
/// `None` where the segment is not of version 1.
pub fn mails(data: &Path, log: u16, within: Stretch) -> io::Result<Option<Vec<Stretch>>> {
    let Stretch {
        segment,
        offset,
        octets,
    } = within;
    let mut window = Window::open(&segment::path(data, log, segment))?;
    let head = match Head::read(window.upto(0, HEAD_OCTETS as usize)?) {
        Ok(head) if head.version == Version::First => head,
        _ => return Ok(None),
    };
    let mut found: Vec<Stretch> = Vec::new();
    let mut at = offset;
    while let Some(some) = window.data(at)?
        && some < offset + octets
    {
        let header = Header::read(window.upto(some, LOOK_OCTETS)?, head.version, head.salt);
        let (begin, length, next) = match header {
            Ok(header) if header.log == log => {
                let begin = some + head.version.header_octets() as u64 + header.meta_octets();
                let next = some.saturating_add(header.record_octets());
                (begin, header.stored_octets, next)
            }
            _ => (some, 8, some + 8),
        };
        at = next;
        match found.last_mut() {
            Some(last) if last.offset + last.octets == begin => last.octets += length,
            _ => found.push(Stretch {
                segment,
                offset: begin,
                octets: length,
            }),
        }
    }
    Ok(Some(found))
}
