//! From right inputs to wrong ones: octets, chunks, words and numbers changed.

use crate::random::Random;

/// Octets that grammars treat in their own way.
const SPECIAL: &[u8] = b"\0\r\n\t \"\\(){}[]<>@:;,.*%+-=&~/0\x7f\x80\xc3\xff";
/// Numbers at the edges of what fits.
const NUMBERS: &[&[u8]] = &[
    b"0",
    b"1",
    b"4294967295",
    b"4294967296",
    b"9223372036854775807",
    b"18446744073709551615",
    b"18446744073709551616",
    b"99999999999999999999999999",
];

/// A seed with some mutations, at most `octets_max` long.
pub fn mutated(
    seeds: &[Vec<u8>],
    words: &[&[u8]],
    octets_max: usize,
    random: &mut Random,
) -> Vec<u8> {
    let mut input = random.pick(seeds).clone();
    for _ in 0..=random.below(8) {
        mutate(&mut input, seeds, words, random);
    }
    input.truncate(octets_max);
    input
}

fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&[u8]], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = at + random.below((input.len() - at).min(64) + 1);
    match random.below(11) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 if at < input.len() => input[at] = *random.pick(SPECIAL),
        2 => input.insert(at, *random.pick(SPECIAL)),
        3 => drop(input.drain(at..end)),
        4 => {
            let copy = input[at..end].to_vec();
            let to = random.below(input.len() + 1);
            insert(input, to, &copy);
        }
        5 => {
            // Many times the same: what is linear must stay so, what nests must end.
            let piece = match words.is_empty() {
                true => input[at..end].to_vec(),
                false => random.pick(words).to_vec(),
            };
            let times = 1 << random.below(12);
            insert(
                input,
                at,
                &piece.repeat(times.min(8192 / piece.len().max(1) + 1)),
            );
        }
        6 if !words.is_empty() => {
            let word = *random.pick(words);
            insert(input, at, word);
        }
        7 => {
            let other = random.pick(seeds);
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        8 => number(input, random),
        9 => input.truncate(at),
        _ => {
            let other = random.pick(seeds).clone();
            input.extend_from_slice(&other);
        }
    }
}

fn insert(input: &mut Vec<u8>, at: usize, octets: &[u8]) {
    drop(input.splice(at..at, octets.iter().copied()));
}

/// Puts another number in the place of one.
fn number(input: &mut Vec<u8>, random: &mut Random) {
    let digits: Vec<usize> = (0..input.len())
        .filter(|&at| input[at].is_ascii_digit())
        .collect();
    if digits.is_empty() {
        return;
    }
    let at = *random.pick(&digits);
    let length = input[at..]
        .iter()
        .take_while(|octet| octet.is_ascii_digit())
        .count();
    let number = *random.pick(NUMBERS);
    drop(input.splice(at..at + length, number.iter().copied()));
}
