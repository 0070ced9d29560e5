//! SMTP transparency: skip what passes through DATA as it is. RFC 5321 §4.5.2.

/// Octets at the start of `octets` that pass as they are, when they stand in the middle of a line: whole lines that end
/// in CRLF and do not begin with a dot. Stops at
/// - a dot that opens a line,
/// - an LF without a CR before it,
/// - the octet behind a CR that is not LF,
///
/// or at the end. What was passed last tells where the next octet stands: LF, it opens a line; CR, it may
/// close one; anything else, it is in the middle of a line.
#[inline]
pub fn plain_run(octets: &[u8]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if crate::avx2() {
        // SAFETY: the processor has AVX2.
        return unsafe { plain_run_avx2(octets) };
    }
    plain_run_scalar(octets, 0)
}

/// From `from` on; octets before it are plain.
pub(crate) fn plain_run_scalar(octets: &[u8], from: usize) -> usize {
    let mut before = if from > 0 { octets[from - 1] } else { b'a' };
    for (at, &octet) in octets.iter().enumerate().skip(from) {
        let ends = octet == b'\n';
        if (before == b'\r') != ends || before == b'\n' && octet == b'.' {
            return at;
        }
        before = octet;
    }
    octets.len()
}

/// The plain form keeps the octet before; here the masks of CR and LF, moved by one bit with the last bit carried over,
/// say the same for 32 octets at once.
///
/// # Safety
/// - The processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1")]
pub(crate) unsafe fn plain_run_avx2(octets: &[u8]) -> usize {
    use crate::wide::{WIDTH, equal, load};
    let (mut cr_carried, mut lf_carried) = (0, 0);
    let mut at = 0;
    while at + WIDTH <= octets.len() {
        // SAFETY: AVX2 by the caller; at + 32 <= octets.len() by the loop's condition.
        let here = unsafe { load(octets, at) };
        let (cr, lf, dot) = (equal(here, b'\r'), equal(here, b'\n'), equal(here, b'.'));
        let behind_cr = cr << 1 | cr_carried;
        let behind_lf = lf << 1 | lf_carried;
        let stops = (behind_cr ^ lf) | (behind_lf & dot);
        if stops != 0 {
            return at + stops.trailing_zeros() as usize;
        }
        (cr_carried, lf_carried) = (cr >> 31, lf >> 31);
        at += WIDTH;
    }
    plain_run_scalar(octets, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops() {
        let cases: &[(&[u8], usize)] = &[
            (b"", 0),
            (b".", 1),
            (b"a.b", 3),
            (b"\n", 0),
            (b"\r", 1),
            (b"\r\n", 2),
            (b"\r\n.", 2),
            (b"a\rb", 2),
            (b"a\r\rb", 2),
            (b"a\nb", 1),
            (b"a\r\nb\r\n..", 6),
            (b"a\r\n\r\n\n", 5),
        ];
        for (octets, expected) in cases {
            assert_eq!(plain_run(octets), *expected, "{octets:?}");
        }
    }
}
