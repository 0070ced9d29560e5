//! What a mail's file name says: `UNIQUE[,S=octets][,W=octets][:2,FLAGS]`.
//!
//! In:  a file name in `cur` or `new`. Out: its parts, borrowed; and back: the name of an exported mail.
//!
//! The part in front of the colon stays with a mail as long as it is in the folder, whatever its flags become; up to the
//! first comma it is unique.

use crate::marks::{FORWARDED, LETTERS, Marks};
use ringpost_types::Uid;

/// Keywords that have a letter: `a` to `z`.
pub const KEYWORDS_MAX: usize = 26;

/// A file name, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'n> {
    /// In front of the colon.
    pub base: &'n [u8],
    /// Letters behind `:2,`.
    pub letters: &'n [u8],
}

impl<'n> Name<'n> {
    /// Takes a name apart; `None` where it is none of a mail: readers pass names over that begin with a dot.
    pub fn read(name: &'n [u8]) -> Option<Self> {
        if matches!(name.first(), None | Some(b'.')) {
            return None;
        }
        let (base, info) = match name.iter().position(|&octet| octet == b':') {
            Some(colon) => (&name[..colon], &name[colon + 1..]),
            None => (name, &[][..]),
        };
        let letters = info.strip_prefix(b"2,").unwrap_or_default();
        // What Dovecot and others put behind another comma is not of the format.
        let letters = letters
            .split(|&octet| octet == b',')
            .next()
            .unwrap_or_default();
        (!base.is_empty()).then_some(Name { base, letters })
    }

    /// The unique part.
    pub fn unique(&self) -> &'n [u8] {
        let comma = self.base.iter().position(|&octet| octet == b',');
        &self.base[..comma.unwrap_or(self.base.len())]
    }

    /// The number behind `,S=`: octets of the file, before any compression.
    pub fn size(&self) -> Option<u64> {
        let mut fields = self.base.split(|&octet| octet == b',').skip(1);
        let digits = fields.find_map(|field| field.strip_prefix(b"S="))?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// Flags and keywords, `known` being those of the folder in the order of their letters.
    pub fn marks(&self, known: &[String]) -> Marks {
        let mut marks = Marks::default();
        for &letter in self.letters {
            match letter {
                b'P' => marks.add_keyword(FORWARDED),
                b'a'..=b'z' => {
                    if let Some(keyword) = known.get(usize::from(letter - b'a')) {
                        marks.add_keyword(keyword);
                    }
                }
                _ => {
                    let flag = LETTERS.iter().find(|(known, _)| *known == letter);
                    marks.flags |= flag.map_or(0, |(_, bit)| *bit);
                }
            }
        }
        marks
    }
}

/// The unique part of an exported mail's name: the same mail has the same in every export.
pub fn unique(date: u64, uidvalidity: u32, uid: Uid) -> String {
    format!("{date}.V{uidvalidity}U{uid}.ringpost")
}

/// What stands behind the colon, in the order of the alphabet, `known` being the folder's keywords in the order of their
/// letters. A keyword without a letter is left off; whether there was one is told.
pub fn letters(marks: &Marks, known: &[String]) -> (String, bool) {
    let mut upper = Vec::new();
    let flags = LETTERS.iter().filter(|(_, bit)| marks.has(*bit));
    upper.extend(flags.map(|(letter, _)| *letter));
    let (mut lower, mut left_off) = (Vec::new(), false);
    for keyword in &marks.keywords {
        let place = known
            .iter()
            .position(|each| each.eq_ignore_ascii_case(keyword));
        match place {
            _ if keyword.eq_ignore_ascii_case(FORWARDED) => upper.push(b'P'),
            Some(place) if place < KEYWORDS_MAX => lower.push(b'a' + place as u8),
            _ => left_off = true,
        }
    }
    upper.sort_unstable();
    lower.sort_unstable();
    let letters = upper.into_iter().chain(lower).map(char::from);
    (format!("2,{}", letters.collect::<String>()), left_off)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringpost_api::table::flag::*;

    #[test]
    fn names() {
        /// Name; base, unique part, size, flags, keywords.
        type Case = (
            &'static str,
            Option<(&'static str, &'static str, Option<u64>, u32, &'static str)>,
        );
        let known = ["$Label1".to_owned(), "Work".to_owned()];
        let cases: &[Case] = &[
            (
                "1.M2P3.host",
                Some(("1.M2P3.host", "1.M2P3.host", None, 0, "")),
            ),
            (
                "1.M2.h,S=12,W=13:2,FSb",
                Some((
                    "1.M2.h,S=12,W=13",
                    "1.M2.h",
                    Some(12),
                    FLAGGED | SEEN,
                    "Work",
                )),
            ),
            (
                "1.h:2,DFPRSTabcz",
                Some((
                    "1.h",
                    "1.h",
                    None,
                    DRAFT | FLAGGED | ANSWERED | SEEN | DELETED,
                    "$Forwarded $Label1 Work",
                )),
            ),
            ("1.h:2,S,x", Some(("1.h", "1.h", None, SEEN, ""))),
            ("1.h:1,S", Some(("1.h", "1.h", None, 0, ""))),
            ("1.h,S=x:2,", Some(("1.h,S=x", "1.h", None, 0, ""))),
            (":2,S", None),
            (".nfs0001", None),
            ("", None),
        ];
        for (name, expected) in cases {
            let read = Name::read(name.as_bytes());
            assert_eq!(read.is_some(), expected.is_some(), "{name:?}");
            let (Some(read), Some((base, unique, size, flags, keywords))) = (read, expected) else {
                continue;
            };
            let marks = read.marks(&known);
            assert_eq!(
                (read.base, read.unique()),
                (base.as_bytes(), unique.as_bytes())
            );
            assert_eq!((read.size(), marks.flags), (*size, *flags), "{name:?}");
            assert_eq!(marks.keywords.join(" "), *keywords, "{name:?}");
        }
    }

    #[test]
    fn letters_come_back() {
        let known: Vec<String> = (0..30).map(|n| format!("k{n}")).collect();
        let mut marks = Marks {
            flags: SEEN | DRAFT,
            keywords: vec!["K25".into(), "$forwarded".into(), "k0".into()],
            date: None,
        };
        let (letters, left_off) = super::letters(&marks, &known);
        assert_eq!((&*letters, left_off), ("2,DPSaz", false));
        let name = format!("x:{letters}");
        let read = Name::read(name.as_bytes()).expect("a name").marks(&known);
        assert_eq!(read.flags, marks.flags);
        assert_eq!(read.keywords, ["$Forwarded", "k0", "k25"]);
        marks.keywords.push("k26".into());
        assert_eq!(super::letters(&marks, &known), (letters, true));
    }
}
