//! How texts are compared when case does not matter: Unicode's simple case folding. RFC 9051 §6.4.4 leaves the rule
//! for what is not ASCII to the server.
//!
//! In:  UTF-8. Out: UTF-8 in which each character stands for all its cases (CaseFolding.txt, status C and S).
//!
//! Simple folding maps a character to one character, so a part of a text folds to a part of the folded text: what makes
//! a substring stays one. Lower case does not serve: Σ has two, σ and ς, and İ becomes two characters. `ß` is `ẞ`
//! and not `ss`; `İ` and `ı` are letters of their own.

use ringpost_scan::ascii;

/// Octets looked at together for being ASCII.
const BLOCK: usize = 32;

/// Appends `text`, folded, to `out`.
pub fn fold_into(text: &str, out: &mut Vec<u8>) {
    let mut rest = text;
    while !rest.is_empty() {
        let (plain, behind) = rest.split_at(ascii_octets(rest.as_bytes()));
        ascii::fold_into(plain.as_bytes(), out);
        rest = others_into(behind, out);
    }
}

/// `text`, folded.
pub fn fold(text: &str) -> String {
    casefold::simple_fold(text.to_owned())
}

/// Octets of ASCII at the start.
fn ascii_octets(octets: &[u8]) -> usize {
    let blocks = octets.chunks(BLOCK).take_while(|block| block.is_ascii());
    let clean = blocks.map(<[u8]>::len).sum();
    let rest = &octets[clean..];
    clean + rest.iter().take_while(|octet| octet.is_ascii()).count()
}

/// Folds the characters at the start that are not ASCII, and spaces between them; what is left.
fn others_into<'t>(text: &'t str, out: &mut Vec<u8>) -> &'t str {
    for (at, character) in text.char_indices() {
        match character {
            ' ' => out.push(b' '),
            _ if character.is_ascii() => return &text[at..],
            _ => {
                let folded = casefold::simple_fold_char(character);
                out.extend_from_slice(folded.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        let mut out = Vec::new();
        fold_into(text, &mut out);
        String::from_utf8(out).expect("folding keeps UTF-8")
    }

    #[test]
    fn cases() {
        let cases: &[(&str, &str)] = &[
            ("", ""),
            ("Hello World", "hello world"),
            ("GRÜN grün", "grün grün"),
            ("ΣΊΣΥΦΟΣ σίσυφος", "σίσυφοσ σίσυφοσ"),
            ("Straße STRAẞE", "straße straße"),
            ("İIıi", "İiıi"),
            ("\u{212a}elvin \u{1fc}", "kelvin \u{1fd}"),
            ("Привет МИР", "привет мир"),
            ("Ⱥ𐐀\u{1e900}", "ⱥ𐐨\u{1e922}"),
            (
                "漢字 かな العربية 😀 e\u{301}É",
                "漢字 かな العربية 😀 e\u{301}é",
            ),
            ("ﬁ ŉ", "ﬁ ŉ"),
        ];
        for (text, expected) in cases {
            assert_eq!(folded(text), *expected, "{text:?}");
            assert_eq!(fold(text), *expected, "{text:?}");
        }
    }

    proptest::proptest! {
        /// Cut anywhere, the halves fold to halves of the whole: what SEARCH rests on.
        #[test]
        fn parts_fold_to_parts(one in "[a-zA-Z ]{0,40}\\PC{0,8}", other in "\\PC{0,8}[A-Z]{0,40}\\PC{0,3}") {
            let whole = folded(&format!("{one}{other}"));
            proptest::prop_assert_eq!(&whole, &(folded(&one) + &folded(&other)));
            proptest::prop_assert_eq!(&whole, &fold(&format!("{one}{other}")));
        }
    }
}
