//! Line ends, and the lines that begin with two hyphens.

/// Where the next CRLF begins. RFC 5321 §2.3.8.
#[inline]
pub fn find_crlf(octets: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let lf = from + memchr::memchr(b'\n', &octets[from..])?;
        if lf > 0 && octets[lf - 1] == b'\r' {
            return Some(lf - 1);
        }
        from = lf + 1;
    }
}

/// Where the next LF is.
#[inline]
pub fn find_lf(octets: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', octets)
}

/// Where the last LF is.
#[inline]
pub fn find_last_lf(octets: &[u8]) -> Option<usize> {
    memchr::memrchr(b'\n', octets)
}

/// Where the next CR, LF or NUL is.
#[inline]
pub fn find_special(octets: &[u8]) -> Option<usize> {
    memchr::memchr3(b'\r', b'\n', 0, octets)
}

/// Whether any octet is above 127.
#[inline]
pub fn is_8bit(octets: &[u8]) -> bool {
    !octets.is_ascii() // The standard library has the kernel.
}

/// LFs in `octets`.
#[inline]
pub fn count_lf(octets: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', octets).count()
}

/// How far [`to_hyphens`] went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Where a line begins with `--`, just behind an LF; or the end of the octets.
    pub at: usize,
    /// LFs before that.
    pub lines: usize,
}

/// Goes to the next line that begins with `--`, counting lines: what a MIME delimiter must begin with. The first octets
/// count as the middle of a line. RFC 2046 §5.1.1.
#[inline]
pub fn to_hyphens(octets: &[u8]) -> Reached {
    #[cfg(target_arch = "x86_64")]
    if crate::avx2() {
        // SAFETY: the processor has AVX2.
        return unsafe { to_hyphens_avx2(octets) };
    }
    to_hyphens_scalar(octets, 0, 0)
}

/// From `from` on, with `lines` already counted.
pub(crate) fn to_hyphens_scalar(octets: &[u8], from: usize, mut lines: usize) -> Reached {
    for lf in memchr::memchr_iter(b'\n', &octets[from..]) {
        lines += 1;
        let at = from + lf + 1;
        if octets[at..].starts_with(b"--") {
            return Reached { at, lines };
        }
    }
    let at = octets.len();
    Reached { at, lines }
}

/// The plain form jumps from LF to LF. Lines of mail are short, so most of its time goes into starting anew: here 32
/// octets are compared with LF, those one behind with `-`, those two behind with `-`, and LFs are counted by the way.
///
/// # Safety
/// - The processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt,bmi1")]
pub(crate) unsafe fn to_hyphens_avx2(octets: &[u8]) -> Reached {
    use crate::wide::{WIDTH, equal, load};
    let (mut at, mut lines) = (0, 0);
    while at + WIDTH + 2 <= octets.len() {
        // SAFETY: AVX2 by the caller; at + 2 + 32 <= octets.len() by the loop's condition.
        let [here, next, after] =
            unsafe { [load(octets, at), load(octets, at + 1), load(octets, at + 2)] };
        let ends = equal(here, b'\n');
        let found = ends & equal(next, b'-') & equal(after, b'-');
        if found != 0 {
            let bit = found.trailing_zeros();
            let before = ends & (u32::MAX >> (31 - bit));
            lines += before.count_ones() as usize;
            at += bit as usize + 1;
            return Reached { at, lines };
        }
        lines += ends.count_ones() as usize;
        at += WIDTH;
    }
    to_hyphens_scalar(octets, at, lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crlf() {
        let cases: &[(&[u8], Option<usize>)] = &[
            (b"", None),
            (b"\n", None),
            (b"\r", None),
            (b"\r\n", Some(0)),
            (b"a\nb\rc\r\n", Some(5)),
            (b"\n\r\n", Some(1)),
        ];
        for (octets, expected) in cases {
            assert_eq!(find_crlf(octets), *expected, "{octets:?}");
        }
    }

    #[test]
    fn special() {
        assert_eq!(find_special(b"ab\0\r"), Some(2));
        assert_eq!(find_special(b"ab\xff"), None);
        assert!(is_8bit(b"a\x80") && !is_8bit(b"a\x7f"));
        assert_eq!(find_last_lf(b"a\nb\nc"), Some(3));
        assert_eq!(count_lf(b"a\nb\nc"), 2);
    }
}
