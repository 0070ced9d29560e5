//! How texts are compared when case does not matter: Unicode's simple case folding. RFC 9051 §6.4.4 leaves the rule
//! for what is not ASCII to the server.
//!
//! In:  UTF-8. Out: UTF-8 in which each character stands for all its cases (CaseFolding.txt, status C and S).
//!
//! Simple folding maps a character to one character, so a part of a text folds to a part of the folded text: what makes
//! a substring stays one. Lower case does not serve: Σ has two, σ and ς, and İ becomes two characters. `ß` is `ẞ`
//! and not `ss`; `İ` and `ı` are letters of their own.

use ringpost_scan::ascii;

/// Appends `text`, folded, to `out`.
pub fn fold_into(text: &str, out: &mut Vec<u8>) {
    match text.is_ascii() {
        true => ascii::fold_into(text.as_bytes(), out),
        false => out.extend_from_slice(fold(text).as_bytes()),
    }
}

/// `text`, folded.
pub fn fold(text: &str) -> String {
    casefold::simple_fold(text.to_owned())
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
