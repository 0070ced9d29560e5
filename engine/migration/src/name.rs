//! Folder names: what other servers call a folder, what we call a mailbox, and back.
//!
//! In:  names of files and directories, levels of mailbox names.
//! Out: levels in UTF-8; names that are safe to make on a disk.
//!
//! A name on disk is read as modified UTF-7 (RFC 3501 §5.1.3) if it is that, else as UTF-8. Octets that a name on disk
//! or a mailbox name cannot have are escaped as `\` and two hexadecimal digits, as Dovecot's listescape does.
//!
//! Invariant: no level becomes `.`, `..` or a path: `/` and a leading dot never reach the disk.

use bumpalo::Bump;
use ringpost_api::table::special;
use ringpost_imap::mailbox;
use std::borrow::Cow;

/// Octets of a file name at most, on every file system that matters.
pub const FILE_OCTETS_MAX: usize = 255;

/// The top levels that say what a folder is for, in lower case, under the names that mail programs gave them.
const WELL_KNOWN: &[(&str, u32)] = &[
    ("drafts", special::DRAFTS),
    ("draft", special::DRAFTS),
    ("sent", special::SENT),
    ("sent items", special::SENT),
    ("sent messages", special::SENT),
    ("sent mail", special::SENT),
    ("sent-mail", special::SENT),
    ("junk", special::JUNK),
    ("junk e-mail", special::JUNK),
    ("junk email", special::JUNK),
    ("junk mail", special::JUNK),
    ("spam", special::JUNK),
    ("bulk mail", special::JUNK),
    ("trash", special::TRASH),
    ("deleted items", special::TRASH),
    ("deleted messages", special::TRASH),
    ("archive", special::ARCHIVE),
    ("archives", special::ARCHIVE),
];

/// What a folder of this name is for, as a bit of [`special`]. RFC 6154 §2.
pub fn r#use(level: &str) -> Option<u32> {
    let lower = level.to_lowercase();
    let known = WELL_KNOWN.iter().find(|(name, _)| *name == lower);
    known.map(|(_, bit)| *bit)
}

/// A level of a name as it stands on disk, in UTF-8, escapes undone.
pub fn from_disk(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    let arena = Bump::new();
    let plain = match mailbox::decode(text.as_bytes(), &arena) {
        Ok(decoded) => Cow::Borrowed(decoded),
        Err(_) => text,
    };
    unescape(&plain)
}

/// A level as a file name: modified UTF-7, or UTF-8 where that would be too long; `None` where both are. Octets that
/// `unsafe_octets` names are escaped, and what no file name may have; in UTF-8 `&` too, which would begin modified UTF-7.
pub fn to_disk(level: &str, unsafe_octets: &str) -> Option<String> {
    let wire = mailbox::encode(&escape(level, unsafe_octets));
    let plain = escape(level, &format!("{unsafe_octets}&"));
    [wire, plain]
        .into_iter()
        .find(|name| name.len() <= FILE_OCTETS_MAX)
}

/// Escapes a backslash, a slash, control characters, a dot in front, and the characters of `more`.
pub fn escape(level: &str, more: &str) -> String {
    let mut name = String::with_capacity(level.len());
    for (at, c) in level.char_indices() {
        let unsafe_here = matches!(c, '\\' | '/') || (at == 0 && c == '.') || c.is_ascii_control();
        if unsafe_here || more.contains(c) {
            name.push_str(&format!("\\{:02x}", u32::from(c)));
        } else {
            name.push(c);
        }
    }
    name
}

/// Undoes [`escape`]. A backslash without two hexadecimal digits stands for itself.
fn unescape(name: &str) -> String {
    let mut level = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('\\') {
        level.push_str(before);
        let digits = after
            .get(..2)
            .filter(|two| two.bytes().all(|octet| octet.is_ascii_hexdigit()));
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(octet) if octet.is_ascii() => {
                level.push(char::from(octet));
                rest = &after[2..];
            }
            _ => {
                level.push('\\');
                rest = after;
            }
        }
    }
    level.push_str(rest);
    level
}

/// The mailbox name of these levels, below `into` if that is given. What a mailbox name must not have is `_`.
pub fn mailbox(levels: &[String], into: Option<&str>) -> String {
    let mut name = into.unwrap_or_default().to_owned();
    // Into a folder, INBOX is that folder itself.
    let skipped = usize::from(into.is_some() && is_inbox(levels));
    for level in &levels[skipped..] {
        if !name.is_empty() {
            name.push('/');
        }
        let fits = |c: char| !matches!(c, '/' | '*' | '%') && !c.is_control();
        name.extend(level.chars().map(|c| if fits(c) { c } else { '_' }));
        if level.is_empty() {
            name.push('_');
        }
    }
    name
}

fn is_inbox(levels: &[String]) -> bool {
    levels
        .first()
        .is_some_and(|level| level.eq_ignore_ascii_case(mailbox::INBOX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_disk() {
        let cases: &[(&str, &str)] = &[
            ("Sent", "Sent"),
            ("Entw&APw-rfe", "Entwürfe"),
            ("Entwürfe", "Entwürfe"),
            ("&ZeVnLIqe-", "日本語"),
            ("a&-b", "a&b"),
            // Neither is modified UTF-7: taken as it stands.
            ("R&D", "R&D"),
            ("&AGE-", "&AGE-"),
            ("a\\2eb", "a.b"),
            ("a\\zz\\", "a\\zz\\"),
        ];
        for (disk, level) in cases {
            assert_eq!(from_disk(disk.as_bytes()), *level, "{disk:?}");
        }
        assert_eq!(from_disk(b"a\xff"), "a\u{fffd}");
    }

    #[test]
    fn levels_come_back() {
        let long = "ü".repeat(127);
        let levels = [
            "a",
            "..",
            ".",
            ".hidden",
            "a.b",
            "a/b",
            "../../etc/passwd",
            "back\\slash",
            "\\2e",
            "R&D",
            "&AGE-",
            "Entwürfe",
            "a\u{1}b",
            "🦀",
            &long,
        ];
        for level in levels {
            let name = to_disk(level, ".").expect("short enough");
            assert!(!name.contains(['/', '.']), "{name:?}");
            assert!(name.len() <= FILE_OCTETS_MAX);
            assert_eq!(from_disk(name.as_bytes()), level, "{name:?}");
        }
        assert_eq!(to_disk(&"x".repeat(256), ""), None);
        // Too long as modified UTF-7; as it stands, `&-` would be read as `&`.
        let level = format!("{}&-", "ü".repeat(120));
        let name = to_disk(&level, "").expect("short enough in UTF-8");
        assert_eq!(from_disk(name.as_bytes()), level);
    }

    #[test]
    fn mailbox_names() {
        let levels = |name: &str| name.split('|').map(str::to_owned).collect::<Vec<_>>();
        let cases: &[(&str, Option<&str>, &str)] = &[
            ("INBOX", None, "INBOX"),
            ("Sent", None, "Sent"),
            ("a|b", None, "a/b"),
            ("a/b|100%", None, "a_b/100_"),
            ("a||c", None, "a/_/c"),
            ("INBOX", Some("Old"), "Old"),
            ("inbox|x", Some("Old"), "Old/x"),
            ("Sent", Some("Old/1"), "Old/1/Sent"),
        ];
        for (from, into, expected) in cases {
            assert_eq!(mailbox(&levels(from), *into), *expected);
        }
    }

    #[test]
    fn uses() {
        assert_eq!(r#use("Sent Items"), Some(special::SENT));
        assert_eq!(r#use("SPAM"), Some(special::JUNK));
        assert_eq!(r#use("Work"), None);
    }
}
