use super::*;
use crate::marks::Marks;
use crate::mbox::write;
use ringpost_api::table::flag::SEEN;
use std::io::Cursor;

const FROM: &str = "From a@b Thu Jan  1 00:00:07 1970\n";

/// All mails of a file; those that are too large as `None`.
fn mails(file: &str, dialect: Dialect) -> Vec<Option<String>> {
    let mut mails = Mails::new(Cursor::new(file.as_bytes()), dialect, 200);
    let mut found = Vec::new();
    while let Some(one) = mails.step().expect("an mbox") {
        let text = |mail: Vec<u8>| String::from_utf8(mail).expect("ASCII");
        found.push(one.mail.map(text));
    }
    assert_eq!(mails.position(), file.len() as u64);
    found
}

#[test]
fn mails_of_a_file() {
    let cases: &[(&str, &[&str])] = &[
        ("", &[]),
        ("\n\n", &[]),
        ("@A: b\n\nx\n\n", &["A: b\r\n\r\nx\r\n"]),
        // No empty line behind the last one.
        ("@A: b\n\nx\n", &["A: b\r\n\r\nx\r\n"]),
        ("@A: b\n\nx", &["A: b\r\n\r\nx"]),
        (
            "\n@A: b\n\nx\n\n@C: d\n\ny\n\n",
            &["A: b\r\n\r\nx\r\n", "C: d\r\n\r\ny\r\n"],
        ),
        // Without a body, without anything.
        ("@A: b\n\n@C: d\n\n", &["A: b\r\n", "C: d\r\n"]),
        ("@\n@\n", &["", ""]),
        ("@@", &["", ""]),
        // Not behind an empty line, not a From_ line.
        (
            "@A: b\n\nx\n@y\n\n",
            &["A: b\r\n\r\nx\r\nFrom a@b Thu Jan  1 00:00:07 1970\r\ny\r\n"],
        ),
        (
            "@A: b\n\nFrom here on\n\n",
            &["A: b\r\n\r\nFrom here on\r\n"],
        ),
        // The first one needs no date.
        ("From me\nA: b\n\n", &["A: b\r\n"]),
        // CRLF throughout.
        (
            "From me\r\nA: b\r\n\r\nx\r\n\r\n@C: d\n\n",
            &["A: b\r\n\r\nx\r\n", "C: d\r\n"],
        ),
    ];
    for (file, expected) in cases {
        let found = mails(&file.replace('@', FROM), Dialect::Guess);
        let found: Vec<_> = found
            .iter()
            .map(|mail| mail.as_deref().expect("small"))
            .collect();
        assert_eq!(found, *expected, "{file:?}");
    }
}

#[test]
fn quoting() {
    let file = "@A: b\n\n>From x\n>>From x\n>from x\n";
    let cases = [
        (Dialect::Guess, "From x\r\n>From x\r\n>from x\r\n"),
        (Dialect::Mboxrd, "From x\r\n>From x\r\n>from x\r\n"),
        (Dialect::Mboxo, "From x\r\n>>From x\r\n>from x\r\n"),
        (Dialect::Mboxcl2, ">From x\r\n>>From x\r\n>from x\r\n"),
    ];
    for (dialect, body) in cases {
        let found = mails(&file.replace('@', FROM), dialect);
        assert_eq!(found, [Some(format!("A: b\r\n\r\n{body}"))], "{dialect:?}");
    }
}

#[test]
fn content_length_counts_where_it_fits() {
    let cases: &[(&str, &[&str])] = &[
        // A From_ line in the body, and no quoting.
        (
            "@Content-Length: 46\nA: b\n\nx\n\n@>From y\n\n\n@C: d\n\n",
            &[
                "A: b\r\n\r\nx\r\n\r\nFrom a@b Thu Jan  1 00:00:07 1970\r\n>From y\r\n\r\n",
                "C: d\r\n",
            ],
        ),
        // Too long, too short, in the middle of a line, no number.
        (
            "@Content-Length: 99\nA: b\n\n>From x\n\n",
            &["A: b\r\n\r\nFrom x\r\n"],
        ),
        (
            "@Content-Length: 2\nA: b\n\n>From x\ny\n\n",
            &["A: b\r\n\r\nFrom x\r\ny\r\n"],
        ),
        (
            "@Content-Length: 99999999999999999999\n\nx\n",
            &["\r\nx\r\n"],
        ),
        (
            "@Content-Length: 0\nA: b\n\n\n@C: d\n\n",
            &["A: b\r\n\r\n", "C: d\r\n"],
        ),
        // The end of the file, with and without the empty line.
        ("@Content-Length: 4\n\nx\ny\n", &["\r\nx\r\ny\r\n"]),
        ("@Content-Length: 3\n\nx\ny", &["\r\nx\r\ny"]),
    ];
    for (file, expected) in cases {
        let found = mails(&file.replace('@', FROM), Dialect::Guess);
        let found: Vec<_> = found
            .iter()
            .map(|mail| mail.as_deref().expect("small"))
            .collect();
        assert_eq!(found, *expected, "{file:?}");
    }
}

#[test]
fn what_is_too_large_is_passed_over() {
    let large = "y".repeat(190);
    let file = format!("@A: b\n\n{large}\n\n@C: d\n\nx\n\n").replace('@', FROM);
    let text = format!("A: b\r\n\r\n{large}\r\n");
    assert_eq!(mails(&file, Dialect::Guess)[0].as_deref(), Some(&*text));
    let larger = "y\n".repeat(100_000);
    let longer = "y".repeat(200_000);
    for body in [larger, longer] {
        let file = format!("@A: b\n\n{body}\n\n@C: d\n\nx\n\n").replace('@', FROM);
        let found = mails(&file, Dialect::Guess);
        assert_eq!(found, [None, Some("C: d\r\n\r\nx\r\n".to_owned())]);
    }
    // A From_ line of any length is one line.
    let from = format!("From {} Thu Jan  1 00:00:07 1970\n", "a".repeat(100_000));
    assert_eq!(
        mails(&format!("{from}A: b\n\n"), Dialect::Guess),
        [Some("A: b\r\n".to_owned())]
    );
}

/// Each mail claims to be as long as all that follows, and is not: the file is not read once for each of them.
#[test]
fn false_lengths_cost_little() {
    struct Counting<'o>(Cursor<&'o [u8]>, u64);
    impl Read for Counting<'_> {
        fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
            let read = self.0.read(octets)?;
            self.1 += read as u64;
            Ok(read)
        }
    }
    impl Seek for Counting<'_> {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }
    let count = 2_000;
    let body = "y".repeat(4_000);
    let mut file = String::new();
    for number in (0..count).rev() {
        // In the middle of another one's body.
        let length = number * 4_063 + 1_000;
        file += &format!("{FROM}Content-Length: {length:09}\n\n{body}\n\n");
    }
    let counting = Counting(Cursor::new(file.as_bytes()), 0);
    let mut mails = Mails::new(counting, Dialect::Guess, usize::MAX);
    let mut found = 0;
    while let Some(one) = mails.step().expect("an mbox") {
        assert_eq!(one.mail.map(|mail| mail.len()), Some(4_004));
        found += 1;
    }
    assert_eq!(found, count);
    let read = mails.file.get_ref().1;
    assert!(read < count * 600_000, "{read} octets were read");
}

#[test]
fn no_mbox() {
    for file in ["x", "\nx", ">From a\n", "\u{1f}\u{8b}"] {
        let mut mails = Mails::new(Cursor::new(file.as_bytes()), Dialect::Guess, 200);
        let error = mails.step().expect_err("no mbox");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}

/// Whatever the mail is, it comes back, and so does its neighbour.
#[test]
fn written_mails_come_back() {
    let bodies = [
        "",
        "x",
        "x\r\n",
        "\r\n",
        "\r\n\r\n",
        "A: b\r\n",
        "A: b\r\n\r\n",
        "A: b\r\n\r\nx",
        " folded\r\n\r\nx\r\n",
        "Status: RO\r\nX-Keywords: mine\r\nContent-Length: 3\r\n\r\nx\r\n",
        "A: b\r\n\r\n\r\nFrom a@b Thu Jan  1 00:00:07 1970\r\nA: c\r\n\r\n",
        "A: b\r\n\r\n>From x\r\n>>From\r\nFrom \r\n>>>From y",
        "A: b\r\n\r\nx\ry\r\r\n\r\n",
        "X-Ringpost-Octets: 3\r\nStatus: O\r\n\r\n",
        "A: b\r\n\r\nx\r\n\r\n\r\n\r\n",
    ];
    let marks = Marks {
        flags: SEEN,
        keywords: vec!["Work".into()],
        date: Some(1_000_000_007),
    };
    let mut file = Vec::new();
    for body in bodies {
        write::write("a@b", &marks, body.as_bytes(), &mut file);
    }
    let mut mails = Mails::new(Cursor::new(&file), Dialect::Guess, 1_000);
    for body in bodies {
        let found = mails.step().expect("an mbox").expect("one more");
        assert_eq!(found.told.marks, marks);
        let mail = found.mail.expect("small");
        assert_eq!(String::from_utf8_lossy(&mail), body);
    }
    assert_eq!(mails.step().expect("an mbox"), None);
}
