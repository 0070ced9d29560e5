//! A verb or keyword as one number: compared at once, in any case. RFC 5321 §2.4: keywords are case-insensitive.

/// Up to sixteen octets, upper case, in a register.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(u128);

impl Word {
    /// Longer ones are all the same word, which is none of ours; so is one with an octet of zero.
    pub(crate) const fn of(text: &[u8]) -> Word {
        if text.len() > 16 {
            return Word(u128::MAX);
        }
        let mut word = 0;
        let mut at = 0;
        while at < text.len() {
            if text[at] == 0 {
                return Word(u128::MAX);
            }
            word = word << 8 | text[at].to_ascii_uppercase() as u128;
            at += 1;
        }
        Word(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart() {
        assert!(Word::of(b"mail") == Word::of(b"MAIL"));
        assert!(Word::of(b"") != Word::of(b"\0"));
        assert!(Word::of(b"\0MAIL") != Word::of(b"MAIL"));
        assert!(Word::of(b"MAIL ") != Word::of(b"MAIL"));
        let sixteen = [b'A'; 16];
        assert!(Word::of(&sixteen) == Word::of(&[b'a'; 16]));
        assert!(Word::of(&sixteen) != Word::of(&[b'A'; 17]));
        assert!(Word::of(&[0xff; 16]) == Word::of(&[b'A'; 17]));
    }
}
