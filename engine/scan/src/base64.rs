//! Base64, decoded as mail needs it. RFC 2045 §6.8: octets outside the alphabet are passed over.
//!
//! `=` closes a group of four: what was collected is given out, the rest of the group is padding. What follows is decoded
//! again, since some programs join encoded pieces.

const PAD: u8 = 64;
const JUNK: u8 = 65;

/// Value of each octet, or [`PAD`], or [`JUNK`].
const VALUE: [u8; 256] = {
    let mut table = [JUNK; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut at = 0;
    while at < 64 {
        table[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    table[b'=' as usize] = PAD;
    table
};

/// Appends what `octets` encode to `out`.
pub fn decode_into(octets: &[u8], out: &mut Vec<u8>) {
    let mut group = Group::default();
    decode_piece(&mut group, octets, out);
    group.end(out);
}

/// Characters of a group of four that is not complete yet: what is kept between pieces of one text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Group {
    bits: u32,
    have: u32,
}

impl Group {
    /// The text ends here.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        let Group { bits, have } = std::mem::take(self);
        give(bits, have, out);
    }
}

/// As [`decode_into`], for a text that comes in pieces, cut anywhere; [`Group::end`] behind the last one.
pub fn decode_piece(group: &mut Group, octets: &[u8], out: &mut Vec<u8>) {
    out.reserve(octets.len() / 4 * 3 + 3);
    #[cfg(target_arch = "x86_64")]
    if crate::avx2() {
        // SAFETY: the processor has AVX2.
        return step(group, octets, out, |octets, out| unsafe {
            blocks_avx2(octets, out)
        });
    }
    step(group, octets, out, |_, _| 0)
}

/// `octets` decoded.
pub fn decode(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    decode_into(octets, &mut out);
    out
}

/// The plain form, for a whole text.
#[cfg(test)]
pub(crate) fn decode_with(
    octets: &[u8],
    out: &mut Vec<u8>,
    blocks: impl Fn(&[u8], &mut Vec<u8>) -> usize,
) {
    let mut group = Group::default();
    step(&mut group, octets, out, blocks);
    group.end(out);
}

/// The plain form. Wherever a group begins, `blocks` may take as many whole clean groups as it likes.
#[inline(always)]
fn step(
    state: &mut Group,
    octets: &[u8],
    out: &mut Vec<u8>,
    blocks: impl Fn(&[u8], &mut Vec<u8>) -> usize,
) {
    let mut at = 0;
    let Group {
        bits: mut group,
        mut have,
    } = *state;
    while at < octets.len() {
        if have == 0 {
            at += blocks(&octets[at..], out);
            at += clean_groups(&octets[at..], out);
            if at == octets.len() {
                break;
            }
        }
        match VALUE[octets[at] as usize] {
            JUNK => {}
            PAD => {
                give(group, have, out);
                (group, have) = (0, 0);
            }
            value => {
                group = group << 6 | u32::from(value);
                have += 1;
                if have == 4 {
                    give(group, have, out);
                    (group, have) = (0, 0);
                }
            }
        }
        at += 1;
    }
    *state = Group { bits: group, have };
}

/// Groups of four from the start of `octets` without padding or junk.
#[inline(always)]
fn clean_groups(octets: &[u8], out: &mut Vec<u8>) -> usize {
    let mut used = 0;
    for group in octets.chunks_exact(4) {
        let [a, b, c, d] = [0, 1, 2, 3].map(|at| VALUE[group[at] as usize]);
        if (a | b | c | d) >= PAD {
            break;
        }
        let [a, b, c, d] = [a, b, c, d].map(u32::from);
        give(a << 18 | b << 12 | c << 6 | d, 4, out);
        used += 4;
    }
    used
}

/// Gives out the whole octets of `have` characters. One alone has none.
#[inline(always)]
fn give(group: u32, have: u32, out: &mut Vec<u8>) {
    let [_, a, b, c] = (group << (6 * (4 - have.min(4)))).to_be_bytes();
    match have {
        4 => out.extend_from_slice(&[a, b, c]),
        3 => out.extend_from_slice(&[a, b]),
        2 => out.push(a),
        _ => {}
    }
}

/// Takes blocks of 32 clean characters from the start of `octets`; returns how many characters that was.
///
/// Each character's high four bits select what to add to make it its value, and which low four bits are allowed with it;
/// two multiply-adds pack four values of 6 bits into 24, two shuffles close the gaps. The method is Wojciech
/// Muła's and Daniel Lemire's ("Faster Base64 Encoding and Decoding Using AVX2 Instructions", 2018).
///
/// # Safety
/// - The processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn blocks_avx2(octets: &[u8], out: &mut Vec<u8>) -> usize {
    use crate::wide::{WIDTH, load};
    use std::arch::x86_64::*;
    let both = |half: [i8; 16]| {
        let half = _mm_setr_epi8(
            half[0], half[1], half[2], half[3], half[4], half[5], half[6], half[7], half[8],
            half[9], half[10], half[11], half[12], half[13], half[14], half[15],
        );
        _mm256_broadcastsi128_si256(half)
    };
    // Classes as bits: a character is refused where the bits of its low and of its high half meet.
    let low_bits = both([
        0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b,
        0x1a,
    ]);
    let high_bits = both([
        0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10,
        0x10,
    ]);
    let shift = both([0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0]);
    let pack = both([2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1]);
    let nibble = _mm256_set1_epi8(0x0f);
    let slash = _mm256_set1_epi8(b'/' as i8);
    let mut used = 0;
    while used + WIDTH <= octets.len() {
        // SAFETY: AVX2 by the caller; used + 32 <= octets.len() by the loop's condition.
        let text = unsafe { load(octets, used) };
        let high = _mm256_and_si256(_mm256_srli_epi32::<4>(text), nibble);
        let low = _mm256_and_si256(text, nibble);
        let refused = _mm256_and_si256(
            _mm256_shuffle_epi8(low_bits, low),
            _mm256_shuffle_epi8(high_bits, high),
        );
        if _mm256_testz_si256(refused, refused) == 0 {
            break;
        }
        // '/' shares its high half with '+' and needs another shift: one entry earlier.
        let is_slash = _mm256_cmpeq_epi8(text, slash);
        let values = _mm256_add_epi8(
            text,
            _mm256_shuffle_epi8(shift, _mm256_add_epi8(is_slash, high)),
        );
        let pairs = _mm256_maddubs_epi16(values, _mm256_set1_epi32(0x0140_0140));
        let fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x0001_1000));
        let packed = _mm256_shuffle_epi8(fours, pack);
        let packed = _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));
        let mut decoded = [0u8; WIDTH];
        // SAFETY: `decoded` has 32 octets; storeu takes any alignment.
        unsafe { _mm256_storeu_si256(decoded.as_mut_ptr().cast(), packed) };
        out.extend_from_slice(&decoded[..24]);
        used += WIDTH;
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases() {
        let cases: &[(&str, &[u8])] = &[
            ("", b""),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("Zm9v", b"foo"),
            ("Zm9vYg", b"foob"),
            ("Zm9vY", b"foo"),
            ("Zm\r\n9v", b"foo"),
            ("Z m!9*v", b"foo"),
            ("Zg==Zm8=", b"ffo"),
            ("====", b""),
            ("+/+/", b"\xfb\xff\xbf"),
        ];
        for (text, expected) in cases {
            assert_eq!(decode(text.as_bytes()), *expected, "{text:?}");
            let (mut group, mut out) = (Group::default(), Vec::new());
            for octet in text.as_bytes().chunks(1) {
                decode_piece(&mut group, octet, &mut out);
            }
            group.end(&mut out);
            assert_eq!(out, *expected, "{text:?}, octet by octet");
        }
    }
}
