//! Both twins of every kernel on the same octets.

use crate::{ascii, base64, canon, dot, line, search};
use proptest::prelude::*;

/// Octets in which every kernel finds something to stop at, and octets in which none does.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let dense = prop::sample::select(b"\r\n.- \ta".to_vec());
    let lines = "([ -~]{0,70}\r\n){0,8}".prop_map(String::into_bytes);
    prop_oneof![
        prop::collection::vec(dense, 0..200),
        prop::collection::vec(any::<u8>(), 0..200),
        lines,
    ]
}

proptest! {
    #[test]
    fn agree(octets in octets()) {
        prop_assume!(crate::avx2());
        // SAFETY: the processor has AVX2, by the line above.
        let wide = unsafe {
            (
                line::to_hyphens_avx2(&octets),
                dot::plain_run_avx2(&octets),
                canon::run_avx2::<false>(&octets),
                canon::run_avx2::<true>(&octets),
            )
        };
        let scalar = (
            line::to_hyphens_scalar(&octets, 0, 0),
            dot::plain_run_scalar(&octets, 0),
            canon::run_scalar::<false>(&octets, 0),
            canon::run_scalar::<true>(&octets, 0),
        );
        prop_assert_eq!(wide, scalar);
    }

    #[test]
    fn fold_agrees(octets in octets()) {
        prop_assume!(crate::avx2());
        let (mut wide, mut scalar) = (octets.clone(), octets);
        // SAFETY: the processor has AVX2, by the line above.
        unsafe { ascii::fold_avx2(&mut wide) };
        ascii::fold_scalar(&mut scalar);
        prop_assert_eq!(wide, scalar);
    }

    #[test]
    fn base64_agrees(text in "[A-Za-z0-9+/]{0,150}|[A-Za-z0-9+/]{30,70}[\r\n=*~\u{80}-\u{ff}]{0,3}[A-Za-z0-9+/=]{0,90}") {
        prop_assume!(crate::avx2());
        let (mut wide, mut scalar) = (Vec::new(), Vec::new());
        // SAFETY: the processor has AVX2, by the line above.
        base64::decode_with(text.as_bytes(), &mut wide, |octets, out| unsafe { base64::blocks_avx2(octets, out) });
        base64::decode_with(text.as_bytes(), &mut scalar, |_, _| 0);
        prop_assert_eq!(wide, scalar);
    }

    #[test]
    fn candidates_agree(hay in "[abAB@` ]{0,150}", needle in "[abAB@` ]{1,5}", from in 0usize..40) {
        prop_assume!(crate::avx2());
        let needle = needle.as_bytes();
        let anchor = |at: usize| {
            let octet = needle[at].to_ascii_lowercase();
            let fold = if octet.is_ascii_lowercase() { 0x20 } else { 0 };
            search::Anchor { at, octet, fold }
        };
        let (first, second) = (anchor(0), anchor(needle.len() - 1));
        let hay = hay.as_bytes();
        // SAFETY: the processor has AVX2, by the line above.
        let wide = unsafe { search::candidate_avx2(hay, from, needle.len(), first, second) };
        prop_assert_eq!(wide, search::candidate_scalar(hay, from, needle.len(), first, second));
    }
}

/// Every octet at every place of a block: base64's classes by their bits.
#[test]
fn base64_every_octet() {
    if !crate::avx2() {
        return;
    }
    for octet in 0..=255u8 {
        let mut block = [b'A'; 32];
        block[(octet % 32) as usize] = octet;
        let (mut wide, mut scalar) = (Vec::new(), Vec::new());
        // SAFETY: the processor has AVX2, by the lines above.
        base64::decode_with(&block, &mut wide, |octets, out| unsafe {
            base64::blocks_avx2(octets, out)
        });
        base64::decode_with(&block, &mut scalar, |_, _| 0);
        assert_eq!(wide, scalar, "{octet}");
    }
}
