//! The tree of parts: children, section numbers, and the check that it is a tree.

use super::read::{HAS_ENVELOPE, envelope, part};
use super::{DEPTH_MAX, Digest, Kind, Part};

/// The parts right below one part, in order.
#[derive(Clone, Copy, Debug)]
pub struct Children<'d> {
    digest: Digest<'d>,
    next: usize,
    end: usize,
}

impl<'d> Iterator for Children<'d> {
    type Item = Part<'d>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let part = self.digest.part(self.next)?;
        self.next += 1 + part.descendants;
        Some(part)
    }
}

impl<'d> Digest<'d> {
    /// The parts right below part `index`: those of a multipart, or the one body of a message.
    pub fn children(&self, index: usize) -> Children<'d> {
        let below = self.part(index).map_or(0, |part| part.descendants);
        Children {
            digest: *self,
            next: index.saturating_add(1),
            end: index.saturating_add(1 + below),
        }
    }

    /// The part that a section part such as `1.2.3` names; an empty path names nothing, for the whole message is no
    /// part. A message that is not multipart has one part, 1. RFC 9051 §6.4.5.1.
    pub fn find(&self, path: &[u32]) -> Option<Part<'d>> {
        let (&first, rest) = path.split_first()?;
        let mut part = self.numbered(self.root(), first)?;
        for &number in rest {
            part = match part.kind {
                Kind::Leaf => return None,
                Kind::Multipart => self.child(part.index, number)?,
                Kind::Message => self.numbered(self.nested(part.index)?, number)?,
            };
        }
        Some(part)
    }

    /// Part `number` of a message whose body is `body`.
    fn numbered(&self, body: Part<'d>, number: u32) -> Option<Part<'d>> {
        match body.kind {
            Kind::Multipart => self.child(body.index, number),
            _ => (number == 1).then_some(body),
        }
    }

    fn child(&self, index: usize, number: u32) -> Option<Part<'d>> {
        let before = usize::try_from(number).ok()?.checked_sub(1)?;
        self.children(index).nth(before)
    }
}

/// Reads every record once and makes sure that they are one tree whose spans lie in the message.
pub(super) fn check(digest: &Digest<'_>) -> Option<()> {
    let parts = digest.parts();
    let mut open: Vec<(usize, Kind)> = Vec::new(); // (one after the last descendant, kind)
    for index in 0..parts {
        let mut cursor = digest.record(index)?;
        let (part, flags) = part(&mut cursor, index)?;
        while open.last().is_some_and(|(end, _)| *end <= index) {
            open.pop();
        }
        let parent = open.last().copied();
        let end = index.checked_add(1)?.checked_add(part.descendants)?;
        let (room, of_message) = match parent {
            None if index > 0 => return None,
            None => (parts, true),
            Some((room, kind)) => (room, kind == Kind::Message),
        };
        let fills = end == room;
        let fits = end <= room && u64::try_from(part.body.end).ok()? <= digest.octets;
        if !fits || of_message && !fills || open.len() >= DEPTH_MAX {
            return None;
        }
        if (part.descendants == 0) != (part.kind == Kind::Leaf) {
            return None;
        }
        if (flags & HAS_ENVELOPE != 0) != of_message {
            return None;
        }
        if of_message {
            envelope(&mut cursor)?;
        }
        open.push((end, part.kind));
    }
    (parts > 0).then_some(())
}
