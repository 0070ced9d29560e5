//! Files of other mail programs: mbox, and the names and lists of a Maildir.

use super::Target;
use crate::random::Random;
use ringpost_migration::maildir::file;
use ringpost_migration::mbox::{Dialect, fields, from, read, write};
use ringpost_migration::{line, name};
use std::io::Cursor;

const FROM: &str = "From a@b Fri Nov 21 15:55:06 1997\n";

pub const MBOX: Target = Target {
    name: "mbox",
    seeds: || {
        const FILES: &[&str] = &[
            "@Status: RO\nSubject: a\n\nb\n\n@Subject: c\n\n>From d\n>>From e\n\n",
            "@Content-Length: 40\nX-Status: AF\n\nb\n\n@c\n\n@Subject: d\n\n",
            "@X-Ringpost-Octets: 16\nX-Keywords: Work\nStatus: RO\nSubject: one\n\nx\n\n@\n",
            "@X-Mozilla-Status: 0009\nX-IMAPbase: 1 2 a\n b\nX-UID: 3\n\n\r\n\n@\r\nA: b\r\n\r\n",
            "From me\n\n\n@",
        ];
        let file = |file: &&str| file.replace('@', FROM).into_bytes();
        FILES.iter().map(file).collect()
    },
    words: &[
        b"From a@b Fri Nov 21 15:55:06 1997\n",
        b"\n\nFrom - Fri Nov 21 15:55:06 1997\n",
        b"\n",
        b"\r\n",
        b"\r\r\n",
        b">From ",
        b"Content-Length: ",
        b"X-Ringpost-Octets: ",
        b"X-Keywords: a b\n",
        b"Status: RO\n",
        b"X-Status: AFDT\n",
        b"0",
        b"18446744073709551615",
    ],
    check: check_mbox,
};

/// However the file is taken, all of it is read, nothing is larger than may be, and what we write of it comes back.
fn check_mbox(input: &[u8], random: &mut Random) {
    let (dialect, _) = Dialect::ALL[random.below(Dialect::ALL.len())];
    let octets_max = [20, 1_000, 1 << 20][random.below(3)];
    let mut mails = read::Mails::new(Cursor::new(input), dialect, octets_max);
    let (mut found, mut file) = (Vec::new(), Vec::new());
    loop {
        match mails.step() {
            Ok(Some(one)) => {
                let Some(mail) = one.mail else { continue };
                // Each of its octets may be an LF that became two.
                assert!(mail.len() <= 2 * octets_max);
                assert!(
                    !mail
                        .windows(2)
                        .any(|two| two[1] == b'\n' && two[0] != b'\r')
                );
                write::write("a@b", &one.told.marks, &mail, &mut file);
                found.push((one.told.marks, mail));
            }
            Ok(None) => break,
            // No mbox at all.
            Err(_) => return,
        }
    }
    assert_eq!(mails.position(), input.len() as u64);
    let mut again = read::Mails::new(Cursor::new(&file), Dialect::Guess, usize::MAX);
    for (mut marks, mail) in found {
        let one = again.step().expect("an mbox").expect("as many mails");
        marks.date.get_or_insert(0);
        // From_ lines end with the year 9999.
        marks.date = marks.date.map(|date| date.min(253_402_300_799));
        assert_eq!(one.told.marks, marks);
        assert_eq!(one.mail, Some(mail));
    }
    assert_eq!(again.step().expect("an mbox"), None);
}

pub const NAMES: Target = Target {
    name: "maildir-names",
    seeds: || {
        const NAMES: &[&str] = &[
            "1700000000.M1P2.host,S=12,W=13:2,FSab",
            "Entw&APw-rfe",
            "a\\2eb\\",
            "../../etc/passwd",
            "From a@b Fri Nov 21 15:55:06 1997 +0100",
            "Content-Type: a\nStatus: RO\n b\nX-UID: 1\n\nStatus: R",
        ];
        NAMES.iter().map(|name| name.as_bytes().to_vec()).collect()
    },
    words: &[
        b":2,", b",S=", b"&", b"-", b"\\", b"\\2e", b"/", b"..", b"\0", b"\n", b"\r\n", b"Fri ",
    ],
    check: check_names,
};

/// A name on disk is never a path, and says the same when it is read back; a mail survives both line ends.
fn check_names(input: &[u8], _: &mut Random) {
    if let Some(read) = file::Name::read(input) {
        assert!(input.starts_with(read.base) && read.base.starts_with(read.unique()));
        let known: Vec<String> = (b'a'..=b'z')
            .map(|letter| char::from(letter).into())
            .collect();
        let mut marks = read.marks(&known);
        let (letters, _) = file::letters(&marks, &known);
        let written = [b"x:", letters.as_bytes()].concat();
        let mut again = file::Name::read(&written).expect("a name").marks(&known);
        marks.keywords.sort();
        again.keywords.sort();
        assert_eq!(again, marks);
    }
    let level = name::from_disk(input);
    if let Some(disk) = name::to_disk(&level, ".") {
        assert!(!disk.contains(['/', '.', '\0']) && disk.len() <= name::FILE_OCTETS_MAX);
        assert_eq!(name::from_disk(disk.as_bytes()), level);
    }
    let mailbox = name::mailbox(&[level.clone(), level], None);
    assert_eq!(mailbox.matches('/').count(), 1);
    let mail = line::to_crlf(input.to_vec());
    assert_eq!(line::to_crlf(line::to_lf(&mail).into_owned()), mail);
    let (told, kept) = fields::strip(input.to_vec());
    assert!(kept.len() <= input.len());
    assert!(told.marks.keywords.len() <= input.len());
    let _ = (from::read(input), fields::block(input));
}
