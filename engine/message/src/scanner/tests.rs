use super::*;
use crate::Digest;
use crate::digest::Kind;

/// `type/subtype` with, in brackets, the parts below; a leaf with its body and its lines.
fn show(digest: &Digest<'_>, index: usize, message: &[u8]) -> String {
    let part = digest.part(index).expect("there is one");
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).to_lowercase();
    let name = format!("{}/{}", text(part.media_type), text(part.subtype));
    if part.kind == Kind::Leaf {
        let body = String::from_utf8_lossy(part.body.of(message)).into_owned();
        return format!("{name}{body:?}{}", part.lines);
    }
    let below: Vec<String> = digest
        .children(index)
        .map(|child| show(digest, child.index, message))
        .collect();
    format!("{name}[{}]", below.join(" "))
}

/// The digest of a message that arrives up to each of `ends` in turn. What may be let go of is gone each time. No
/// window is longer than `window_octets_max`.
fn in_windows(
    limits: &Limits,
    message: &[u8],
    ends: impl IntoIterator<Item = usize>,
    window_octets_max: usize,
) -> Vec<u8> {
    let mut scanner = Scanner::new(limits);
    for end in ends {
        let base = scanner.keep_from();
        assert!(end - base <= window_octets_max, "{end} - {base}");
        scanner.feed(&message[base..end], base);
    }
    let base = scanner.keep_from();
    scanner.finish(&message[base..], base)
}

fn check(message: &[u8], expected: &str, faults: Faults) {
    let limits = Limits::default();
    let whole = Scanner::scan(&limits, message);
    let digest = Digest::read(&whole).expect("just written");
    let shown = String::from_utf8_lossy(message).into_owned();
    assert_eq!(show(&digest, 0, message), expected, "{shown:?}");
    assert_eq!(digest.faults(), faults, "{shown:?}");
    // The cut must not show: into two at every place, and into single octets; nor what was let go.
    for cut in 0..=message.len() {
        let mut scanner = Scanner::new(&limits);
        scanner.feed(&message[..cut], 0);
        assert_eq!(scanner.finish(message, 0), whole, "{shown:?} cut at {cut}");
        let windows = in_windows(&limits, message, [cut], usize::MAX);
        assert_eq!(windows, whole, "{shown:?} in windows, cut at {cut}");
    }
    let mut scanner = Scanner::new(&limits);
    for end in 0..=message.len() {
        scanner.feed(&message[..end], 0);
    }
    assert_eq!(
        scanner.finish(message, 0),
        whole,
        "{shown:?} octet by octet"
    );
    let windows = in_windows(&limits, message, 0..=message.len(), usize::MAX);
    assert_eq!(windows, whole, "{shown:?} in windows, octet by octet");
}

const NONE: Faults = Faults(0);

/// A header field for a multipart with boundary `b`.
macro_rules! mixed {
    ($($rest:literal),*) => {
        concat!("Content-Type: multipart/mixed; boundary=b\r\n\r\n", $($rest),*)
    };
}

#[test]
fn structure() {
    let cases: &[(&str, &str, Faults)] = &[
        (
            "Subject: a\r\n\r\none\r\ntwo\r\n",
            r#"text/plain"one\r\ntwo\r\n"2"#,
            NONE,
        ),
        ("Subject: a\r\n\r\n", r#"text/plain""0"#, NONE),
        (
            "Content-Type: TEXT/HTML; charset=x\r\n\r\n<p>",
            r#"text/html"<p>"0"#,
            NONE,
        ),
        (
            mixed!("--b\r\n\r\none\r\n--b--\r\n"),
            r#"multipart/mixed[text/plain"one"0]"#,
            NONE,
        ),
        (
            mixed!(
                "preamble\r\n--b\r\n\r\none\r\n\r\n--b\r\n\r\ntwo\r\n--b--\r\nepilogue\r\n--b\r\n"
            ),
            r#"multipart/mixed[text/plain"one\r\n"1 text/plain"two"0]"#,
            NONE,
        ),
        // No empty line between two delimiters: a part without octets.
        (
            mixed!("--b\r\n\r\n--b\r\n\r\n\r\n--b--"),
            r#"multipart/mixed[text/plain""0 text/plain""0]"#,
            NONE,
        ),
        (
            mixed!("--b  \t\r\n\r\none\r\n--b-- \r\n"),
            r#"multipart/mixed[text/plain"one"0]"#,
            NONE,
        ),
        (
            mixed!("--b\r\n\r\none\r\n--bb\r\n--b--"),
            r#"multipart/mixed[text/plain"one\r\n--bb"1]"#,
            NONE,
        ),
        (
            mixed!("--b\r\n\r\n--\r\n -- b\r\nx--b\r\n--b--"),
            r#"multipart/mixed[text/plain"--\r\n -- b\r\nx--b"2]"#,
            NONE,
        ),
        (
            "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: x\r\n\r\none\r\n--b\r\n\
             Content-Type: text/html\r\n\r\ntwo\r\n--b--\r\n",
            r#"multipart/digest[message/rfc822[text/plain"one"0] text/html"two"0]"#,
            NONE,
        ),
        (
            mixed!(
                "--b\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: multipart/alternative; boundary=\"c d\"\r\n\r\n",
                "--c d\r\n\r\none\r\n--c d--\r\n\r\n--b--\r\n"
            ),
            r#"multipart/mixed[message/rfc822[multipart/alternative[text/plain"one"0]]]"#,
            NONE,
        ),
        // The outer delimiter ends inner multiparts that were never closed.
        (
            mixed!(
                "--b\r\nContent-Type: multipart/related; boundary=c\r\n\r\n--c\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n"
            ),
            r#"multipart/mixed[multipart/related[text/plain"one"0] text/plain"two"0]"#,
            NONE,
        ),
        // The inner boundary begins with the outer one.
        (
            mixed!(
                "--b\r\nContent-Type: multipart/related; boundary=b1\r\n\r\n--b1\r\n\r\none\r\n--b1--\r\n--b--\r\n"
            ),
            r#"multipart/mixed[multipart/related[text/plain"one"0]]"#,
            NONE,
        ),
        // Both have the same: the inner one wins until it is closed.
        (
            mixed!(
                "--b\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\ntwo\r\n--b--\r\n"
            ),
            r#"multipart/mixed[multipart/related[text/plain"one"0] text/plain"two"0]"#,
            NONE,
        ),
        (
            "Content-Type: multipart/mixed; boundary*0=a;\r\n boundary*1=b\r\n\r\n--ab\r\n\r\none\r\n--ab--\r\n",
            r#"multipart/mixed[text/plain"one"0]"#,
            NONE,
        ),
        (
            "Content-Type: message/rfc822\r\n\r\nSubject: a\r\n\r\none\r\n",
            r#"message/rfc822[text/plain"one\r\n"1]"#,
            NONE,
        ),
        (
            "Content-Type: message/delivery-status\r\n\r\na: b\r\n",
            r#"message/delivery-status"a: b\r\n"1"#,
            NONE,
        ),
    ];
    for (message, expected, faults) in cases {
        check(message.as_bytes(), expected, *faults);
    }
}

#[test]
fn faults() {
    let with = |faults: &[Faults]| Faults(faults.iter().fold(0, |all, fault| all | fault.0));
    let cases: &[(&[u8], &str, Faults)] = &[
        (b"", r#"text/plain""0"#, NONE),
        (b"\r\n", r#"text/plain""0"#, NONE),
        (b"\r\nbody", r#"text/plain"body"0"#, NONE),
        (b"no header\r\nat all\r\n", r#"text/plain"no header\r\nat all\r\n"2"#, Faults::NO_HEADER),
        (b"Received: x\r\nno header\r\n", r#"text/plain"no header\r\n"1"#, Faults::NO_SEPARATOR),
        (b"Subject: a", r#"text/plain""0"#, NONE),
        (b"Subject: a\r\n", r#"text/plain""0"#, NONE),
        (b"Received: x\r\nFrom a Mon\r\nSubject: a\r\n\r\none", r#"text/plain"one"0"#, Faults::BAD_FIELD),
        (b"Subject: a\n\none\ntwo\n", r#"text/plain"one\ntwo\n"2"#, Faults::BARE_LF),
        (b"Subject: a\rb\r\n\r\none\rtwo\r", r#"text/plain"one\rtwo\r"0"#, NONE),
        (b"Subject: \0\r\n\r\n\0\r\n", r#"text/plain"\0\r\n"1"#, Faults::NUL),
        (b"Subject: \xc3\xbc\r\n\r\n", r#"text/plain""0"#, Faults::EIGHT_BIT_HEADER),
        (b" folded: x\r\n\r\none", "text/plain\" folded: x\\r\\n\\r\\none\"2", Faults::NO_HEADER),
        (b"Content-Type: nonsense\r\n\r\none", r#"text/plain"one"0"#, Faults::BAD_TYPE),
        (b"Content-Type: multipart/mixed\r\n\r\n--b\r\n", r#"text/plain"--b\r\n"1"#, Faults::NO_BOUNDARY),
        (mixed!("one\r\n").as_bytes(), r#"text/plain"one\r\n"1"#, with(&[Faults::NO_PARTS, Faults::UNCLOSED])),
        (mixed!("one\r\n--b--\r\n").as_bytes(), r#"text/plain"one\r\n--b--\r\n"2"#, Faults::NO_PARTS),
        (mixed!("--b\r\n\r\none\r\n").as_bytes(), r#"multipart/mixed[text/plain"one\r\n"1]"#, Faults::UNCLOSED),
        (
            mixed!("--b\r\n\r\none\r\n--b").as_bytes(),
            r#"multipart/mixed[text/plain"one"0 text/plain""0]"#,
            Faults::UNCLOSED,
        ),
        (
            mixed!("--b\r\nContent-Type: text/html\r\n--b\r\nnot a field\r\n--b--\r\n").as_bytes(),
            r#"multipart/mixed[text/html""0 text/plain"not a field"0]"#,
            Faults::NO_SEPARATOR,
        ),
        (
            mixed!("--b\r\nContent-Type: message/rfc822\r\n--b--\r\n").as_bytes(),
            r#"multipart/mixed[message/rfc822[text/plain""0]]"#,
            NONE,
        ),
        (
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQTogYg==\r\n",
            r#"application/octet-stream"QTogYg==\r\n"1"#,
            Faults::ENCODED_MESSAGE,
        ),
    ];
    for (message, expected, faults) in cases {
        check(message, expected, *faults);
    }
}

/// A mail with every field that BODYSTRUCTURE and ENVELOPE tell.
#[test]
fn fields_told() {
    let message = b"Received: a\r\nReceived: b\r\nDKIM-Signature: v=1;\r\n a=x\r\nDate: Mon\r\nDate: Tue\r\nSUBJECT : a\r\n =?utf-8?q?b?=\r\n\
From: A <a@x>\r\nTo: b@x\r\nTo: c@x\r\nCc: g: d@x;\r\nMessage-ID: <1@x>\r\nIn-Reply-To: <2@x>\r\n\
Content-Type: Text/Plain; Charset=utf-8; format=flowed\r\nContent-Transfer-Encoding: 8BIT (c)\r\nContent-ID: <3@x>\r\n\
Content-Description: d\r\nContent-MD5: m\r\nContent-Disposition: attachment; filename=\"a b\"\r\nContent-Language: en, de-CH\r\n\
Content-Location: l\r\n\r\nbody\r\n";
    let octets = Scanner::scan(&Limits::default(), message);
    let digest = Digest::read(&octets).expect("just written");
    let part = digest.root();
    assert_eq!((digest.received(), digest.is_signed()), (2, true));
    assert_eq!(
        (digest.octets(), digest.lines()),
        (message.len() as u64, 24)
    );
    assert_eq!(digest.body().of(message), b"body\r\n");
    assert!(part.is("text", "plain"));
    let parameters: Vec<_> = part.parameters.collect();
    assert_eq!(
        parameters,
        [(&b"Charset"[..], &b"utf-8"[..]), (b"format", b"flowed")]
    );
    assert_eq!(part.charset(), Some(&b"utf-8"[..]));
    assert_eq!(part.encoding, b"8BIT");
    assert_eq!(part.id, Some(&b"<3@x>"[..]));
    assert_eq!(part.description, Some(&b"d"[..]));
    assert_eq!(part.md5, Some(&b"m"[..]));
    assert_eq!(part.disposition, Some(&b"attachment"[..]));
    assert_eq!(
        part.disposition_parameters.value("FileName"),
        Some(&b"a b"[..])
    );
    assert_eq!(part.languages.collect::<Vec<_>>(), [&b"en"[..], b"de-CH"]);
    assert_eq!(part.location, Some(&b"l"[..]));
    let envelope = digest.envelope();
    assert_eq!(envelope.date, Some(&b"Mon"[..]));
    assert_eq!(envelope.subject, Some(&b"a =?utf-8?q?b?="[..]));
    assert_eq!(envelope.message_id, Some(&b"<1@x>"[..]));
    assert_eq!(envelope.in_reply_to, Some(&b"<2@x>"[..]));
    assert_eq!(
        (
            envelope.to.count(),
            envelope.cc.count(),
            envelope.bcc.count()
        ),
        (2, 3, 0)
    );
}

/// A leaf without Content-Type says what RFC 2045 §5.2 says of it.
#[test]
fn defaults_told() {
    let octets = Scanner::scan(&Limits::default(), b"\r\n");
    let part = Digest::read(&octets).expect("just written").root();
    assert!(part.is("TEXT", "PLAIN"));
    assert_eq!(
        (part.charset(), part.encoding),
        (Some(&b"us-ascii"[..]), &b"7BIT"[..])
    );
}

#[test]
fn header_is_there_before_the_body() {
    let message = b"Subject: a\r\nDKIM-Signature: 1\r\nDKIM-Signature: 2\r\n\r\nbody";
    let mut scanner = Scanner::new(&Limits::default());
    scanner.feed(&message[..48], 0);
    assert_eq!(scanner.header_end(), None);
    scanner.feed(message, 0);
    assert_eq!(scanner.header_end(), Some(message.len() - 4));
    let values: Vec<&[u8]> = scanner
        .signatures()
        .iter()
        .map(|span| span.of(message))
        .collect();
    assert_eq!(values, [b" 1", b" 2"]);
}

fn digest_with(limits: &[(&str, u64)], message: &str) -> (String, Faults) {
    let mut set = Limits::default();
    for (name, value) in limits {
        set.set(name, *value).expect("a limit of the table");
    }
    let octets = Scanner::scan(&set, message.as_bytes());
    let digest = Digest::read(&octets).expect("just written");
    (show(&digest, 0, message.as_bytes()), digest.faults())
}

/// At the limit everything is told apart; one above it, the rest is opaque.
#[test]
fn parts_limit() {
    let message = mixed!("--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b\r\n\r\nthree\r\n--b--\r\n");
    let at = digest_with(&[("message_parts_max", 4)], message);
    assert_eq!(
        at.0,
        r#"multipart/mixed[text/plain"one"0 text/plain"two"0 text/plain"three"0]"#
    );
    assert_eq!(at.1, NONE);
    let above = digest_with(&[("message_parts_max", 3)], message);
    let rest = r#"application/octet-stream"\r\nthree\r\n--b--\r\n"3"#;
    assert_eq!(
        above.0,
        format!(r#"multipart/mixed[text/plain"one"0 text/plain"two"0 {rest}]"#)
    );
    assert_eq!(above.1, Faults::PARTS_LIMIT);
}

#[test]
fn depth_limit() {
    let message = mixed!(
        "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\none\r\n--c--\r\n--b--\r\n"
    );
    let at = digest_with(&[("message_depth_max", 2)], message);
    assert_eq!(
        at,
        (
            r#"multipart/mixed[multipart/mixed[text/plain"one"0]]"#.into(),
            NONE
        )
    );
    let above = digest_with(&[("message_depth_max", 1)], message);
    let inner = r#"application/octet-stream"--c\r\n\r\none\r\n--c--"3"#;
    assert_eq!(
        above,
        (format!("multipart/mixed[{inner}]"), Faults::DEPTH_LIMIT)
    );
}

#[test]
fn fields_limit() {
    let message = "A: 1\r\nB: 2\r\nContent-Type: text/html\r\n\r\n";
    let at = digest_with(&[("message_header_fields_max", 3)], message);
    assert_eq!(at, (r#"text/html""0"#.into(), NONE));
    let above = digest_with(&[("message_header_fields_max", 2)], message);
    assert_eq!(above, (r#"text/plain""0"#.into(), Faults::FIELDS_LIMIT));
}

#[test]
fn digest_limit() {
    let message = format!("Subject: {}\r\n\r\n", "s".repeat(1_000));
    let before = 12; // Octets of the empty description, and of the date that is not there.
    for (octets_max, expected) in [(1_000, NONE), (999, Faults::DIGEST_LIMIT)] {
        let limit = ("message_digest_octets_max", octets_max + before);
        assert_eq!(digest_with(&[limit], &message).1, expected, "{octets_max}");
    }
    let many = format!("To: {}\r\n\r\n", "a@example.org, ".repeat(50_000));
    let octets = Scanner::scan(&Limits::default(), many.as_bytes());
    let limit = Limits::default().message_digest_octets_max as usize;
    assert!(
        (limit - 100..limit + 200).contains(&octets.len()),
        "{}",
        octets.len()
    );
    assert_eq!(
        Digest::read(&octets).expect("just written").faults(),
        Faults::DIGEST_LIMIT
    );
}

#[test]
fn signatures_limit() {
    for (given, kept) in [(8, 8), (9, 8)] {
        let message = "DKIM-Signature: x\r\n".repeat(given) + "\r\n";
        let mut scanner = Scanner::new(&Limits::default());
        scanner.feed(message.as_bytes(), 0);
        assert_eq!(scanner.signatures().len(), kept);
    }
}

/// A long line that comes in small pieces is looked at once.
#[test]
fn long_line_in_pieces() {
    let message = [&b"Subject: a\r\n\r\n"[..], &vec![b'x'; 2_000_000]].concat();
    let mut scanner = Scanner::new(&Limits::default());
    for end in (0..message.len()).step_by(100) {
        scanner.feed(&message[..end], 0);
    }
    assert_eq!(scanner.seen, 2_000_000);
    assert_eq!(scanner.at, 2_000_000);
}

/// A header that is as long as is read, and longer ones: what is known of them, and that cut and windows do not show.
#[test]
fn header_limit() {
    let limits = Limits {
        message_header_octets_max: 40,
        ..Limits::default()
    };
    let field = "X: 12345\r\n";
    // (header, subject, fault)
    let cases: &[(String, &str, Faults)] = &[
        (format!("{field}{field}{field}Subject: a"), "a", NONE),
        (
            format!("{field}{field}{field}Subject: ab"),
            "a",
            Faults::HEADER_LIMIT,
        ),
        (
            format!("{field}{field}{field}Subject: a\r\n b"),
            "a",
            Faults::HEADER_LIMIT,
        ),
        (
            format!("{field}{field}{field}X: 1\r\nSubject: a"),
            "",
            Faults::HEADER_LIMIT,
        ),
        (
            format!("{field}{field}{field}{field}Subject: a"),
            "",
            Faults::HEADER_LIMIT,
        ),
        (
            format!("Subject: a\r\n{}X: 1", field.repeat(10)),
            "a",
            Faults::HEADER_LIMIT,
        ),
    ];
    for (header, subject, fault) in cases {
        for (end, more) in [
            ("", NONE),
            ("\r\n\r\n", NONE),
            ("\r\n\r\nbody\r\n", NONE),
            ("\r\nno field\r\n", Faults::NO_SEPARATOR),
        ] {
            let message = format!("{header}{end}");
            let whole = Scanner::scan(&limits, message.as_bytes());
            let digest = Digest::read(&whole).expect("just written");
            let got = digest.envelope().subject.unwrap_or_default();
            assert_eq!(got, subject.as_bytes(), "{message:?}");
            assert_eq!(digest.faults(), Faults(fault.0 | more.0), "{message:?}");
            for cut in 0..=message.len() {
                let windows = in_windows(&limits, message.as_bytes(), [cut], usize::MAX);
                assert_eq!(windows, whole, "{message:?} cut at {cut}");
            }
            let ends = 0..=message.len();
            assert_eq!(
                in_windows(&limits, message.as_bytes(), ends, usize::MAX),
                whole,
                "{message:?}"
            );
        }
    }
}

/// What a stranger may send without end: no window grows, and the digest is that of the whole.
#[test]
fn endless_headers_and_lines() {
    const PIECE: usize = 10_000;
    let limits = Limits {
        message_header_octets_max: 100_000,
        ..Limits::default()
    };
    let at_most = 100_000 + LINE_OCTETS_MAX + 2 * PIECE;
    let octets = 3_000_000;
    let head = mixed!("--b\r\nContent-Type: text/html\r\n");
    let of = |unit: &str| unit.repeat(octets / unit.len());
    let cases: &[(&str, String, usize)] = &[
        ("fields", of("Subject: a\r\n"), at_most),
        (
            "one field",
            format!("To: {}", of("a@example.org, ")),
            at_most,
        ),
        (
            "one folded field",
            format!("To: {}", of("a@example.org,\r\n ")),
            at_most,
        ),
        ("a name", of("x"), LINE_OCTETS_MAX + 2 * PIECE),
        (
            "fields of a part",
            format!("{head}{}", of("X: \u{e9}\r\n")),
            at_most,
        ),
        (
            "one field of a part",
            format!("{head}X: {}", of("x")),
            at_most,
        ),
        (
            "a delimiter",
            mixed!("--b\r\n\r\n\r\n--b").to_owned() + &of(" "),
            LINE_OCTETS_MAX + 2 * PIECE,
        ),
        (
            "a body line",
            mixed!("--b\r\n\r\n").to_owned() + &of("x--b--"),
            2 * PIECE,
        ),
    ];
    for (name, message, window_octets_max) in cases {
        for end in ["", "\r\n\r\nbody\r\n--b--\r\n"] {
            let message = format!("{message}{end}");
            let ends = (0..message.len()).step_by(PIECE);
            let windows = in_windows(&limits, message.as_bytes(), ends, *window_octets_max);
            assert!(
                windows == Scanner::scan(&limits, message.as_bytes()),
                "{name}"
            );
        }
    }
}

/// A delimiter as long as one may be, and one octet longer.
#[test]
fn line_limit() {
    for (longer, expected) in [
        (0, r#"multipart/mixed[text/plain"one"0]"#),
        (1, r#"text/plain"..."2"#),
    ] {
        let padding = " ".repeat(LINE_OCTETS_MAX - "--b\r\n".len() + longer);
        let message = format!("{}{padding}\r\n\r\none", mixed!("--b"));
        let ends = (0..message.len()).step_by(1_000);
        let octets = in_windows(&Limits::default(), message.as_bytes(), ends, usize::MAX);
        assert_eq!(
            octets,
            Scanner::scan(&Limits::default(), message.as_bytes())
        );
        let digest = Digest::read(&octets).expect("just written");
        let shown = show(&digest, 0, message.as_bytes());
        let body = format!("--b{padding}\\r\\n\\r\\none");
        assert_eq!(shown.replace(&body, "..."), expected);
    }
}

/// What completes a user's mail hangs on these two.
#[test]
fn what_a_header_has() {
    let cases: &[(&str, bool, bool)] = &[
        ("Date: a\r\nMessage-ID: b\r\n\r\n", true, true),
        ("date:\r\n a\r\n\r\n", true, false),
        ("Message-Id: <a>\r\n\r\nDate: a\r\n\r\n", false, true),
        ("Date: \r\nDate: a\r\n\r\n", false, false),
        (
            "Content-Type: message/rfc822\r\n\r\nDate: a\r\n\r\n",
            false,
            false,
        ),
    ];
    for (message, date, message_id) in cases {
        let mut scanner = Scanner::new(&Limits::default());
        assert!(!scanner.header_is_read());
        scanner.feed(message.as_bytes(), 0);
        assert!(scanner.header_is_read());
        assert_eq!(
            (scanner.has_date(), scanner.has_message_id()),
            (*date, *message_id),
            "{message:?}"
        );
    }
}

proptest::proptest! {
    /// Pieces that mean something, in any order: a digest that reads, the same however it was cut and whatever was let go.
    #[test]
    fn any_order(
        pieces in proptest::collection::vec(proptest::sample::select(vec![
            "--b\r\n", "--b--\r\n", "--c\r\n", "--c--\r\n", "\r\n", "\n", "\r", "text\r\n", "-", "--", " ", "\0",
            "Content-Type: multipart/mixed; boundary=b\r\n", "Content-Type: multipart/digest; boundary=c\r\n",
            "Content-Type: message/rfc822\r\n", "Subject: x\r\n", "From: \"\r\n", "Content-Transfer-Encoding: base64\r\n",
            "Received: \u{e9}\r\n", "From a\r\n", "To: a@b,\r\n c@d\r\n", "X-Long: \0",
        ]), 0..40),
        parts_max in 1u64..12,
        depth_max in 0u64..5,
        header_octets_max in proptest::sample::select(vec![0u64, 1, 10, 40, 100, 1 << 20]),
        cuts in proptest::collection::vec(1usize..60, 1..20),
        long in proptest::option::of((0usize..40, proptest::sample::select(vec!["x", " ", "-", "x\r", "x: ", "\u{e9}", "a, "]))),
    ) {
        let mut pieces: Vec<String> = pieces.into_iter().map(str::to_owned).collect();
        if let Some((at, unit)) = long {
            pieces.insert(at.min(pieces.len()), unit.repeat((LINE_OCTETS_MAX + 50) / unit.len()));
        }
        let message = pieces.concat().into_bytes();
        let limits = Limits {
            message_parts_max: parts_max,
            message_depth_max: depth_max,
            message_header_octets_max: header_octets_max,
            ..Limits::default()
        };
        let whole = Scanner::scan(&limits, &message);
        let digest = Digest::read(&whole).expect("just written");
        proptest::prop_assert!(digest.parts() as u64 <= parts_max + 1);
        let mut ends = vec![0];
        for step in cuts.iter().cycle() {
            match ends.last().map(|end| end + step) {
                Some(end) if end < message.len() => ends.push(end),
                _ => break,
            }
        }
        let mut scanner = Scanner::new(&limits);
        for &end in &ends {
            scanner.feed(&message[..end], 0);
        }
        proptest::prop_assert_eq!(scanner.finish(&message, 0), whole.clone());
        proptest::prop_assert_eq!(in_windows(&limits, &message, ends, usize::MAX), whole);
    }
}
