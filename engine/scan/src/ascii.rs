//! ASCII case folding: A to Z become a to z, every other octet stays.

/// Folds in place.
#[inline]
pub fn fold(octets: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if crate::avx2() {
        // SAFETY: the processor has AVX2.
        return unsafe { fold_avx2(octets) };
    }
    fold_scalar(octets)
}

/// Appends `octets`, folded, to `out`.
pub fn fold_into(octets: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(octets);
    fold(&mut out[start..]);
}

/// The compiler makes vector code of this loop, as wide as it may.
#[inline(always)]
pub(crate) fn fold_scalar(octets: &mut [u8]) {
    for octet in octets {
        *octet = octet.to_ascii_lowercase();
    }
}

/// The same loop, compiled for 32 octets at a time.
///
/// # Safety
/// - The processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn fold_avx2(octets: &mut [u8]) {
    fold_scalar(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet() {
        let mut octets: Vec<u8> = (0..=255).collect();
        fold(&mut octets);
        for (octet, folded) in (0..=255u8).zip(octets) {
            assert_eq!(folded, octet.to_ascii_lowercase());
        }
        let mut out = b"A".to_vec();
        fold_into(b"B[", &mut out);
        assert_eq!(out, b"Ab[");
    }
}
