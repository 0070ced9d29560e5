//! Whole mails to sections; and that the way octets are cut does not show.

use super::*;
use crate::Scanner;
use ringpost_types::limit::Limits;

fn digest_of(mail: &[u8]) -> Vec<u8> {
    let mut scanner = Scanner::new(&Limits::default());
    scanner.feed(mail, 0);
    scanner.finish(mail, 0)
}

fn searchable(mail: &[u8]) -> Searchable {
    let digest = digest_of(mail);
    let digest = Digest::read(&digest).expect("a digest");
    of(&digest, mail, 1 << 20).expect("little text")
}

/// The text as a search without a row reads it: piece by piece, in chunks of `chunk` octets.
fn in_chunks(mail: &[u8], chunk: usize) -> Vec<u8> {
    let digest = digest_of(mail);
    let digest = Digest::read(&digest).expect("a digest");
    let (mut reader, mut text) = (Reader::default(), Vec::new());
    for piece in pieces(&digest) {
        reader.begin(&piece);
        for octets in piece.span.of(mail).chunks(chunk) {
            reader.feed(octets, &mut text);
        }
        reader.finish(&mut text);
    }
    text
}

/// (mail, keys, header, inner, body); `|` stands for NUL, `~` for CRLF.
const CASES: &[(&[u8], &str, &str, &str, &str)] = &[
    (b"", "", "|", "", "|"),
    (
        b"Subject: =?utf-8?q?GR=C3=9CN?=\r\n and Folded\r\nX-A:\tB\r\n\r\nHello\r\nWorld\r\n",
        "",
        "subject: grün and folded~x-a: b~|",
        "",
        "hello~world~|",
    ),
    // What the envelope shows in another form; what stands there letter by letter is not repeated.
    (
        b"From: \"Doe, J\" <j@x.org>\r\nTo: K L <k@x.org>\r\n\r\n",
        "doe, j <j@x.org>|",
        "from: \"doe, j\" <j@x.org>~to: k l <k@x.org>~|",
        "",
        "|",
    ),
    // A line end that an encoded word brings in ends no line.
    (
        b"Subject: =?utf-8?q?a=0D=0Ab=00?=\r\n\r\n",
        "a\r\nb\0|",
        "subject: a  b ~|",
        "",
        "|",
    ),
    (
        b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nPHA+QSZhbX\r\nA7PC9wPjxiPkI8L2I+\r\n",
        "",
        "content-type: text/html; charset=utf-8~content-transfer-encoding: base64~|",
        "",
        "a&~b|",
    ),
    (
        b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=\r\nn \r\n=DF",
        "",
        "content-type: text/plain; charset=iso-8859-1~content-transfer-encoding: quoted-printable~|",
        "",
        "grün~ß|",
    ),
    (
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\npreamble\r\n--x\r\n\r\nOne\r\n--x\r\nContent-Type: image/png; name=A.PNG\r\n\r\nnot text\r\n\
--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: Inner\r\n\r\nTwo\r\n--x--\r\n",
        "",
        "content-type: multipart/mixed; boundary=x~|",
        "|content-type: image/png; name=a.png~|content-type: message/rfc822~|",
        "subject: inner~|one|two|",
    ),
];

#[test]
fn cases() {
    for (mail, keys, header, inner, body) in CASES {
        let found = searchable(mail);
        let plain = |octets: &[u8]| {
            let text = std::str::from_utf8(octets).expect("UTF-8").to_owned();
            text.replace("\r\n", "~").replace('\0', "|")
        };
        let shown = String::from_utf8_lossy(mail);
        assert_eq!(
            plain(&found.keys),
            keys.replace("\r\n", "~").replace('\0', "|"),
            "{shown}"
        );
        assert_eq!(plain(&found.text[..found.inner]), *header, "{shown}");
        assert_eq!(
            plain(&found.text[found.inner..found.body]),
            *inner,
            "{shown}"
        );
        assert_eq!(plain(&found.text[found.body..]), *body, "{shown}");
        for chunk in 1..40 {
            assert_eq!(in_chunks(mail, chunk), found.text, "{shown} by {chunk}");
        }
    }
}

#[test]
fn the_limit_and_one_above() {
    let mail = [b"A: b\r\n\r\n", &[b'x'; 100][..]].concat();
    let digest = digest_of(&mail);
    let digest = Digest::read(&digest).expect("a digest");
    let octets = searchable(&mail).text.len();
    assert!(of(&digest, &mail, octets).is_some());
    assert!(of(&digest, &mail, octets - 1).is_none());
}

/// Lines, guesses and lone surrogates of an encoding that are longer than what is looked at together.
#[test]
fn long_runs() {
    let head = |encoding: &str, charset: &str| {
        format!(
            "Content-Type: text/plain{charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
        )
    };
    let long = "ü".repeat(LINE_OCTETS_MAX);
    let cases = [
        [head("8bit", "").as_bytes(), long.as_bytes()].concat(),
        [head("8bit", "").as_bytes(), b"a", long.as_bytes(), b"\xff"].concat(),
        [
            head("quoted-printable", "; charset=utf-8").as_bytes(),
            "=C3=BC ".repeat(20_000).as_bytes(),
        ]
        .concat(),
        [
            head("quoted-printable", "; charset=utf-8").as_bytes(),
            &b" ".repeat(3 * LINE_OCTETS_MAX),
            b"\r\n",
        ]
        .concat(),
        [
            head("base64", "; charset=utf-16le").as_bytes(),
            &b"YQBi\r\n".repeat(30_000),
        ]
        .concat(),
    ];
    for mail in cases {
        let found = searchable(&mail);
        for chunk in [1_000, 65_535, 65_536, 65_537, 1 << 20] {
            assert_eq!(in_chunks(&mail, chunk), found.text, "by {chunk}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn cuts_do_not_show(
        encoding in "base64|quoted-printable|8bit",
        charset in "|; charset=(utf-8|iso-2022-jp|utf-16be|koi8-r|gb18030|x-none)",
        kind in "plain|html",
        body in "([A-Za-z0-9+/=]{0,8}|=[0-9A-F]{2}|[ \r\n]{0,3}|<[a-z/]{0,6}>|&[a-z]{0,5};|\\PC){0,60}",
        chunk in 1usize..70,
    ) {
        let mail = format!("Content-Type: text/{kind}{charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}");
        proptest::prop_assert_eq!(in_chunks(mail.as_bytes(), chunk), searchable(mail.as_bytes()).text);
    }
}
