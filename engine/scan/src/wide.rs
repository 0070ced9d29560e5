//! What the AVX2 kernels share: 32 octets as a vector, and masks with one bit for each octet.

use std::arch::x86_64::*;

/// Octets in a vector.
pub const WIDTH: usize = 32;

/// The 32 octets of `octets` from `at` on.
///
/// # Safety
/// - The processor has AVX2.
/// - `at + 32 <= octets.len()`.
#[inline]
#[target_feature(enable = "avx2")]
pub unsafe fn load(octets: &[u8], at: usize) -> __m256i {
    debug_assert!(at + WIDTH <= octets.len());
    // SAFETY: the caller keeps the 32 octets inside the slice; loadu takes any alignment.
    unsafe { _mm256_loadu_si256(octets.as_ptr().add(at).cast()) }
}

/// One bit for each octet of `vector` that is `octet`; bit 0 for the first.
#[inline]
#[target_feature(enable = "avx2")]
pub fn equal(vector: __m256i, octet: u8) -> u32 {
    _mm256_movemask_epi8(_mm256_cmpeq_epi8(vector, _mm256_set1_epi8(octet as i8))) as u32
}
