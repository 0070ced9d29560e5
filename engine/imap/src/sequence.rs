//! Sets of message numbers: `1:5,7,12:*`. RFC 3501 §9, `sequence-set`.
//!
//! Invariants: ranges ascend, do not touch and hold no zero. `*` is the largest number in use, known only when the
//! set is used; as only numbers in use count, all ranges with `*` are one, from their lowest number on.

use std::ops::RangeInclusive;

/// A set of sequence numbers or UIDs, normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceSet<'c> {
    /// Without `*`: first and last number of each, ascending, apart.
    ranges: &'c [(u32, u32)],
    /// With `*`: the lowest number paired with it; `u32::MAX` for a lone `*`.
    star: Option<u32>,
}

impl<'c> SequenceSet<'c> {
    /// Normalises `ranges`, in any order, each either way round; `None` stands for `*`.
    pub fn new(ranges: &'c mut [(u32, u32)], star: Option<u32>) -> Self {
        ranges.sort_unstable();
        let mut kept = 0;
        for at in 0..ranges.len() {
            let (low, high) = ranges[at];
            if kept > 0 && low <= ranges[kept - 1].1.saturating_add(1) {
                ranges[kept - 1].1 = ranges[kept - 1].1.max(high);
            } else {
                ranges[kept] = (low, high);
                kept += 1;
            }
        }
        SequenceSet {
            ranges: &ranges[..kept],
            star,
        }
    }

    /// The largest number named; `*` does not count. A sequence number above the mailbox's size is the client's
    /// error, a UID is not. RFC 3501 §9, `seq-number`.
    pub fn highest(&self) -> u32 {
        let last = self.ranges.last().map_or(0, |range| range.1);
        last.max(self.star.filter(|&low| low != u32::MAX).unwrap_or(0))
    }

    /// Whether `number` is in the set when `largest` is the largest number in use.
    pub fn contains(&self, number: u32, largest: u32) -> bool {
        if number == 0 || number > largest {
            return false;
        }
        if self.star.is_some_and(|low| number >= low.min(largest)) {
            return true;
        }
        let after = self.ranges.partition_point(|range| range.0 <= number);
        after > 0 && self.ranges[after - 1].1 >= number
    }

    /// The ranges in use, ascending and apart, none above `largest`. Empty for an empty mailbox (`largest` 0).
    pub fn ranges(&self, largest: u32) -> Ranges<'c> {
        Ranges {
            ranges: self.ranges,
            star: self.star.map(|low| low.min(largest)),
            largest,
        }
    }

    /// Every number of the set up to `largest`, ascending.
    pub fn numbers(&self, largest: u32) -> impl Iterator<Item = u32> + 'c {
        self.ranges(largest).flatten()
    }
}

/// See [`SequenceSet::ranges`].
#[derive(Clone, Debug)]
pub struct Ranges<'c> {
    ranges: &'c [(u32, u32)],
    /// Not yet given: from here to `largest`.
    star: Option<u32>,
    largest: u32,
}

impl Iterator for Ranges<'_> {
    type Item = RangeInclusive<u32>;

    fn next(&mut self) -> Option<RangeInclusive<u32>> {
        if self.largest == 0 {
            return None;
        }
        if let [(low, high), rest @ ..] = self.ranges
            && *low <= self.largest
        {
            let high = (*high).min(self.largest);
            // The range with `*` takes in all that begin at or above it, and one that reaches it.
            match self.star {
                Some(star) if star <= high.saturating_add(1) => {
                    self.ranges = &[];
                    self.star = None;
                    return Some(star.min(*low)..=self.largest);
                }
                _ => {
                    self.ranges = rest;
                    return Some(*low..=high);
                }
            }
        }
        self.ranges = &[];
        self.star.take().map(|star| star..=self.largest)
    }
}
