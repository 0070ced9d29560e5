//! Case-blind substring search. ASCII letters match in either case, every other octet matches itself.
//!
//! Two octets of the needle that are rare in mail choose the places worth comparing. A haystack made to match
//! them everywhere is searched in a folded copy by memchr's two-way search, so time stays linear.

/// A needle made ready.
#[derive(Clone, Debug)]
pub struct Needle {
    folded: Vec<u8>,
    first: Anchor,
    second: Anchor,
}

/// An octet of the needle to look for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchor {
    /// Its place in the needle.
    pub at: usize,
    /// The folded octet.
    pub octet: u8,
    /// 0x20 for a letter, 0 otherwise: what to set in the haystack before comparing. Sets `@` and `` ` `` alike, so a hit
    /// is only a candidate.
    pub fold: u8,
}

impl Needle {
    /// A needle; its case does not matter.
    pub fn new(needle: &[u8]) -> Self {
        let mut folded = needle.to_vec();
        crate::ascii::fold(&mut folded);
        let mut places: Vec<usize> = (0..folded.len()).collect();
        places.sort_by_key(|&at| frequency(folded[at]));
        let anchor = |place: usize| {
            let at = places.get(place).or(places.first()).copied().unwrap_or(0);
            let octet = folded.get(at).copied().unwrap_or(0);
            let fold = if octet.is_ascii_lowercase() { 0x20 } else { 0 };
            Anchor { at, octet, fold }
        };
        let (first, second) = (anchor(0), anchor(1));
        Needle {
            folded,
            first,
            second,
        }
    }

    /// Where the needle is in `hay` first.
    pub fn find(&self, hay: &[u8]) -> Option<usize> {
        if self.folded.is_empty() {
            return Some(0);
        }
        let mut from = 0;
        let mut compared = 0;
        while let Some(at) = candidate(hay, from, self.folded.len(), self.first, self.second) {
            if hay[at..at + self.folded.len()].eq_ignore_ascii_case(&self.folded) {
                return Some(at);
            }
            from = at + 1;
            compared += self.folded.len();
            if compared > 4 * from + 4_096 {
                return self.find_folded(hay, from);
            }
        }
        None
    }

    /// Whether the needle is in `hay`.
    pub fn is_in(&self, hay: &[u8]) -> bool {
        self.find(hay).is_some()
    }

    fn find_folded(&self, hay: &[u8], from: usize) -> Option<usize> {
        let mut rest = hay[from..].to_vec();
        crate::ascii::fold(&mut rest);
        memchr::memmem::find(&rest, &self.folded).map(|at| from + at)
    }
}

/// Whether `hay` has `folded_needle` in any case. Make a [`Needle`] to look into more than one haystack.
pub fn contains_caseless(hay: &[u8], folded_needle: &[u8]) -> bool {
    Needle::new(folded_needle).is_in(hay)
}

/// Rank of an octet among those of mail, folded; low is rare.
fn frequency(octet: u8) -> u8 {
    const OFTEN: &[u8] = b"zqjxkvbpygfwmucldrhsnioate \r\n";
    match OFTEN.iter().position(|known| *known == octet) {
        Some(rank) => rank as u8 + 3,
        None if octet.is_ascii_digit() => 2,
        None if octet.is_ascii() => 1,
        None => 0,
    }
}

/// The first place from `from` on where both anchors match and a needle of `length` has room.
#[inline]
fn candidate(
    hay: &[u8],
    from: usize,
    length: usize,
    first: Anchor,
    second: Anchor,
) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    if crate::avx2() {
        // SAFETY: the processor has AVX2.
        return unsafe { candidate_avx2(hay, from, length, first, second) };
    }
    candidate_scalar(hay, from, length, first, second)
}

pub(crate) fn candidate_scalar(
    hay: &[u8],
    from: usize,
    length: usize,
    first: Anchor,
    second: Anchor,
) -> Option<usize> {
    let end = (hay.len() + 1).saturating_sub(length);
    let matches =
        |place: usize, anchor: Anchor| hay[place + anchor.at] | anchor.fold == anchor.octet;
    (from..end).find(|&place| matches(place, first) && matches(place, second))
}

/// The same for 32 places at once.
///
/// # Safety
/// - The processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1")]
pub(crate) unsafe fn candidate_avx2(
    hay: &[u8],
    from: usize,
    length: usize,
    first: Anchor,
    second: Anchor,
) -> Option<usize> {
    use crate::wide::{WIDTH, equal, load};
    use std::arch::x86_64::{_mm256_or_si256, _mm256_set1_epi8};
    let reach = first.at.max(second.at);
    let mut place = from;
    let hits = |place: usize, anchor: Anchor| {
        // SAFETY: AVX2 by the caller; place + reach + 32 <= hay.len() by the loop's condition.
        let here = unsafe { load(hay, place + anchor.at) };
        equal(
            _mm256_or_si256(here, _mm256_set1_epi8(anchor.fold as i8)),
            anchor.octet,
        )
    };
    while place + reach + WIDTH <= hay.len() {
        let found = hits(place, first) & hits(place, second);
        if found != 0 {
            let at = place + found.trailing_zeros() as usize;
            return (at + length <= hay.len()).then_some(at);
        }
        place += WIDTH;
    }
    candidate_scalar(hay, place, length, first, second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases() {
        let cases: &[(&str, &str, Option<usize>)] = &[
            ("", "", Some(0)),
            ("abc", "", Some(0)),
            ("", "a", None),
            ("Hello World", "wORLD", Some(6)),
            ("Hello World", "worlds", None),
            ("@@@`", "`", Some(3)),
            ("grün", "GRün", Some(0)),
            ("a{b", "A[B", None),
        ];
        for (hay, needle, expected) in cases {
            assert_eq!(
                Needle::new(needle.as_bytes()).find(hay.as_bytes()),
                *expected,
                "{hay:?} {needle:?}"
            );
        }
        assert!(contains_caseless(b"SUBJECT", b"ject"));
    }

    /// A haystack that is a candidate everywhere goes the linear way.
    #[test]
    fn hostile_haystack() {
        let hay = b"ab".repeat(20_000);
        let needle = [&b"ab".repeat(5_000)[..], b"a\xffb"].concat();
        assert_eq!(Needle::new(&needle).find(&hay), None);
        let needle = [&b"ab".repeat(5_000)[..], b"aa"].concat();
        assert_eq!(Needle::new(&needle).find(&hay), None);
        let hay = [&hay[..], b"aa"].concat();
        assert_eq!(
            Needle::new(&needle).find(&hay),
            Some(hay.len() - needle.len())
        );
    }

    proptest::proptest! {
        #[test]
        fn as_folding_both(hay in "[abAB@` ]{0,150}", needle in "[abAB@` ]{0,4}") {
            let folded = |text: &str| text.to_ascii_lowercase();
            let found = Needle::new(needle.as_bytes()).find(hay.as_bytes());
            proptest::prop_assert_eq!(found, folded(&hay).find(&folded(&needle)));
        }
    }
}
