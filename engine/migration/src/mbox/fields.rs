//! Flags in the header, as programs that keep mbox write them; and our own block in front.
//!
//! In:  a mail as it stands in the file. Out: its marks, and the mail without what they were written in.
//!
//! | field | value |
//! |---|---|
//! | Status | `R` read, `O` not new |
//! | X-Status | `A` answered, `F` flagged, `D` or `T` deleted or draft, by the program's taste: `D` deleted, `T` draft, as UW, Dovecot and mutt have it |
//! | X-Keywords, X-Mozilla-Keys | keywords with spaces between |
//! | X-Mozilla-Status | bits in hexadecimal: 1 read, 2 answered, 4 flagged, 8 gone, 1000 forwarded |

use super::read::is_empty;
use crate::marks::{FORWARDED, Marks};
use ringpost_api::table::flag;
use ringpost_message::header;

/// How long the mail behind our block is, in octets of the file.
pub const OCTETS: &str = "X-Ringpost-Octets";
/// Octets of our block at most: 64 keywords of 255 octets, and the rest.
pub const BLOCK_OCTETS_MAX: usize = 20 * 1_024;

/// What a mail's header said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Flags and keywords.
    pub marks: Marks,
    /// The program has thrown the mail away and not yet cut it out of the file.
    pub gone: bool,
}

/// Our block in front of a mail: `length` octets of the mail follow.
pub fn write(marks: &Marks, length: usize, out: &mut Vec<u8>) {
    let mut block = format!("{OCTETS}: {length}\n");
    if !marks.keywords.is_empty() {
        block += &format!("X-Keywords: {}\n", marks.keywords.join(" "));
    }
    let status = [
        (flag::ANSWERED, 'A'),
        (flag::DELETED, 'D'),
        (flag::FLAGGED, 'F'),
        (flag::DRAFT, 'T'),
    ];
    let letters = status.iter().filter(|(bit, _)| marks.has(*bit));
    let letters: String = letters.map(|(_, letter)| *letter).collect();
    if !letters.is_empty() {
        block += &format!("X-Status: {letters}\n");
    }
    let read = if marks.has(flag::SEEN) { "RO" } else { "O" };
    block += &format!("Status: {read}\n");
    out.extend_from_slice(block.as_bytes());
}

/// Our block, if the mail begins with one: what it tells, its length, and the length of the mail behind it.
pub fn block(mail: &[u8]) -> Option<(Told, usize, usize)> {
    let (mut told, mut at, mut length) = (Told::default(), 0, None);
    let mail = &mail[..mail.len().min(BLOCK_OCTETS_MAX)];
    loop {
        let line = mail[at..].split_inclusive(|&octet| octet == b'\n').next()?;
        let text = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
        let (name, value) = text.split_once(": ")?;
        match (name, length) {
            (OCTETS, None) => length = Some(value.parse().ok()?),
            ("X-Keywords" | "X-Status", Some(_)) if take(&mut told, name, value) => {}
            ("Status", Some(length)) if take(&mut told, name, value) => {
                return Some((told, at + line.len(), length));
            }
            _ => return None,
        }
        at += line.len();
    }
}

/// Takes the fields of other programs out of the header of `mail`, which keeps its line ends.
pub fn strip(mail: Vec<u8>) -> (Told, Vec<u8>) {
    let mut told = Told::default();
    let mut cut = Vec::new();
    let mut at = 0;
    for line in mail.split_inclusive(|&octet| octet == b'\n') {
        if is_empty(line) {
            break;
        }
        let end = at + line.len();
        if !matches!(line[0], b' ' | b'\t') {
            let field = end + folded(&mail[end..]);
            if is_taken(&mut told, &mail[at..field]) {
                cut.push(at..field);
            }
        }
        at = end;
    }
    if cut.is_empty() {
        return (told, mail);
    }
    let mut kept = Vec::with_capacity(mail.len());
    let mut from = 0;
    for range in cut {
        kept.extend_from_slice(&mail[from..range.start]);
        from = range.end;
    }
    kept.extend_from_slice(&mail[from..]);
    (told, kept)
}

/// Octets of the lines that continue a field.
fn folded(rest: &[u8]) -> usize {
    let lines = rest.split_inclusive(|&octet| octet == b'\n');
    lines
        .take_while(|line| matches!(line.first(), Some(b' ' | b'\t')))
        .map(<[u8]>::len)
        .sum()
}

fn is_taken(told: &mut Told, field: &[u8]) -> bool {
    let Some(colon) = field.iter().position(|&octet| octet == b':') else {
        return false;
    };
    let Ok(name) = std::str::from_utf8(&field[..colon]) else {
        return false;
    };
    // Most fields are others: their values are not looked at.
    if !FIELDS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return false;
    }
    let value = header::unfold(&field[colon + 1..]);
    let value = String::from_utf8_lossy(&value);
    take(told, name, value.trim())
}

const FIELDS: [&str; 11] = [
    // Of a mail that we wrote and another program has changed.
    OCTETS,
    "Status",
    "X-Status",
    "X-Keywords",
    "X-UID",
    "X-IMAP",
    "X-IMAPbase",
    "Content-Length",
    "X-Mozilla-Status",
    "X-Mozilla-Status2",
    "X-Mozilla-Keys",
];

/// Notes what a field tells; whether its value is one that such a program writes.
fn take(told: &mut Told, name: &str, value: &str) -> bool {
    let all = |octets: &str| {
        value
            .bytes()
            .all(|octet| octets.as_bytes().contains(&octet))
    };
    match &*name.to_ascii_lowercase() {
        "status" if all("RONU") => letters(&mut told.marks, value, &[(b'R', flag::SEEN)]),
        "x-status" if all("AFDTRSO") => letters(
            &mut told.marks,
            value,
            &[
                (b'A', flag::ANSWERED),
                (b'F', flag::FLAGGED),
                (b'D', flag::DELETED),
                (b'T', flag::DRAFT),
            ],
        ),
        "x-keywords" | "x-mozilla-keys" => {
            let words = value.split_ascii_whitespace();
            words.for_each(|word| told.marks.add_keyword(word));
        }
        "x-mozilla-status" => match u32::from_str_radix(value, 16) {
            Ok(bits) => mozilla(told, bits),
            Err(_) => return false,
        },
        "x-mozilla-status2" if all("0123456789abcdefABCDEF") => {}
        "x-uid" | "content-length" | "x-ringpost-octets"
            if !value.is_empty() && all("0123456789") => {}
        "x-imap" | "x-imapbase" if value.starts_with(|c: char| c.is_ascii_digit()) => {}
        _ => return false,
    }
    true
}

fn letters(marks: &mut Marks, value: &str, known: &[(u8, u32)]) {
    for (letter, bit) in known {
        if value.as_bytes().contains(letter) {
            marks.flags |= bit;
        }
    }
}

fn mozilla(told: &mut Told, bits: u32) {
    let known = [(1, flag::SEEN), (2, flag::ANSWERED), (4, flag::FLAGGED)];
    for (bit, flag) in known {
        if bits & bit != 0 {
            told.marks.flags |= flag;
        }
    }
    if bits & 0x1000 != 0 {
        told.marks.add_keyword(FORWARDED);
    }
    told.gone |= bits & 8 != 0;
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringpost_api::table::flag::*;

    #[test]
    fn fields_of_others() {
        /// Mail; flags, keywords, gone, mail without them.
        type Case = (&'static str, u32, &'static str, bool, &'static str);
        let cases: &[Case] = &[
            (
                "A: b\nStatus: RO\n\nStatus: R\n",
                SEEN,
                "",
                false,
                "A: b\n\nStatus: R\n",
            ),
            (
                "status:RO\r\nA: b\r\n\r\nx",
                SEEN,
                "",
                false,
                "A: b\r\n\r\nx",
            ),
            (
                "X-Status: AFDT\nX-Keywords: $Label1\n Work  \nX-UID: 7\nA: b\n c\n\n",
                ANSWERED | FLAGGED | DELETED | DRAFT,
                "$Label1 Work",
                false,
                "A: b\n c\n\n",
            ),
            (
                "X-IMAPbase: 1134 9 NonJunk\nContent-Length: 12\nContent-Type: text/plain\n\n",
                0,
                "",
                false,
                "Content-Type: text/plain\n\n",
            ),
            (
                "X-Mozilla-Status: 1007\nX-Mozilla-Status2: 00800000\nX-Mozilla-Keys: a b   \n\n",
                SEEN | ANSWERED | FLAGGED,
                "$Forwarded a b",
                false,
                "\n",
            ),
            ("X-Mozilla-Status: 0009\n\n", SEEN, "", true, "\n"),
            // Ours, as Dovecot leaves it behind.
            (
                "X-Ringpost-Octets: 16\nX-Status: F\nStatus: RO\nA: b\nX-UID: 1    \n\n",
                SEEN | FLAGGED,
                "",
                false,
                "A: b\n\n",
            ),
            // Values that no such program writes are the mail's own.
            (
                "Status: fixed\nX-UID: x\n\n",
                0,
                "",
                false,
                "Status: fixed\nX-UID: x\n\n",
            ),
            ("", 0, "", false, ""),
            ("\nStatus: R\n", 0, "", false, "\nStatus: R\n"),
            (" Status: R\n\n", 0, "", false, " Status: R\n\n"),
        ];
        for (mail, flags, keywords, gone, expected) in cases {
            let (told, kept) = strip(mail.as_bytes().to_vec());
            assert_eq!((told.marks.flags, told.gone), (*flags, *gone), "{mail:?}");
            assert_eq!(told.marks.keywords.join(" "), *keywords, "{mail:?}");
            assert_eq!(String::from_utf8_lossy(&kept), *expected);
        }
    }

    #[test]
    fn our_block_comes_back() {
        for flags in 0..=flag::ALL {
            for keywords in [vec![], vec!["$Label1".to_owned(), "Work".to_owned()]] {
                let marks = Marks {
                    flags,
                    keywords,
                    date: None,
                };
                let mut octets = Vec::new();
                write(&marks, 9, &mut octets);
                let length = octets.len();
                octets.extend_from_slice(b" a: b\nStatus: R\n");
                let (told, at, mail) = block(&octets).expect("a block");
                assert_eq!((told.marks, at, mail), (marks, length, 9));
            }
        }
        for other in [
            "",
            "Status: R\n",
            "X-Ringpost-Octets: 5\n",
            "X-Ringpost-Octets: 5\nA: b\nStatus: R\n",
            "X-Ringpost-Octets: 5\nStatus: R",
            "X-Ringpost-Octets: x\nStatus: R\n",
            "X-Ringpost-Octets: 5\nStatus: R\r\n",
        ] {
            assert_eq!(block(other.as_bytes()), None, "{other:?}");
        }
    }
}
