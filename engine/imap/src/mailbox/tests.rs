//! Names and patterns, RFC 3501 §5.1.3 and §6.3.8 among them.

use super::*;
use proptest::prelude::*;

#[test]
fn names() {
    const CASES: &[(&str, &str)] = &[
        ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
        ("Entw&APw-rfe", "Entwürfe"),
        ("A&-B", "A&B"),
        ("&-&-", "&&"),
        ("&2D3eCg-", "\u{1F60A}"),
        ("Jos&AOk-/&-", "José/&"),
        ("INBOX", "INBOX"),
        ("", ""),
    ];
    let arena = Bump::new();
    for (wire, name) in CASES {
        assert_eq!(encode(name), *wire);
        assert_eq!(decode(wire.as_bytes(), &arena), Ok(*name));
    }
}

#[test]
fn bad_names() {
    const CASES: &[&[u8]] = &[
        b"a&",         // Shift without end.
        b"&AOk",       // The same with digits.
        b"&AG-",       // Bits left over.
        b"&AGE-",      // Plain `a` shifted.
        b"&AOk-&AOk-", // Two runs where one is due.
        b"&2D0-",      // Half a surrogate pair.
        b"&A/k-",      // `/` is not of this alphabet.
        b"&AOl-",      // Last bits not zero: 0x00E9 with rubbish behind.
        b"&AA0-",      // A CR.
        b"a\x01",
        b"\xff",
    ];
    let arena = Bump::new();
    for wire in CASES {
        assert!(decode(wire, &arena).is_err(), "{}", wire.escape_ascii());
    }
}

#[test]
fn inbox() {
    const CASES: &[(&str, &str)] = &[
        ("inbox", "INBOX"),
        ("INBOX", "INBOX"),
        ("iNbOx/a", "INBOX/a"),
        ("inboxes", "inboxes"),
        ("a/inbox", "a/inbox"),
        ("inbo", "inbo"),
    ];
    let arena = Bump::new();
    for (wire, name) in CASES {
        assert_eq!(read(wire.as_bytes(), &arena), Ok(*name));
    }
}

#[test]
fn patterns() {
    const CASES: &[(&str, &str, &str, bool)] = &[
        ("", "*", "a/b", true),
        ("", "%", "a/b", false),
        ("", "%", "a", true),
        ("", "%/%", "a/b", true),
        ("", "a%", "a/b", false),
        ("", "a*", "a/b", true),
        ("a/", "%", "a/b", true),
        ("a/", "%", "a/b/c", false),
        ("", "a/*", "a", false),
        ("", "", "a", false),
        ("", "", "", true),
        ("", "inbox", "INBOX", true),
        ("", "InB%", "INBOX", true),
        ("", "inbox/a", "INBOX/a", true),
        ("", "inbox/A", "INBOX/a", false),
        ("", "drafts", "Drafts", false),
        ("", "*%*%*", "x", true),
        ("", "%*x", "a/x", true),
        ("", "*a%b", "a/a/b", false),
        ("", "*a%b", "a/axb", true),
    ];
    let arena = Bump::new();
    for (reference, pattern, name, expected) in CASES {
        let got = Pattern::new(reference, pattern, &arena).matches(name);
        assert_eq!(got, *expected, "{reference} {pattern} {name}");
    }
    let long = "a".repeat(3 * NAME_OCTETS_MAX);
    assert!(!Pattern::new("", &long, &arena).matches("a"));
    assert!(Pattern::new("", &"%".repeat(3 * NAME_OCTETS_MAX), &arena).matches("a"));
}

/// The matcher as the RFC's words have it.
fn naive(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) if naive(rest, name) => true,
        ([b'%', rest @ ..], _) if naive(rest, name) => true,
        ([b'*', ..], [_, rest @ ..]) => naive(pattern, rest),
        ([b'%', ..], [octet, rest @ ..]) => *octet != b'/' && naive(pattern, rest),
        ([a, pattern @ ..], [b, name @ ..]) => a == b && naive(pattern, name),
        _ => false,
    }
}

proptest! {
    #[test]
    fn pattern_as_naive(pattern in "[ab/*%]{0,8}", name in "[ab/]{0,8}") {
        let arena = Bump::new();
        let got = Pattern::new("", &pattern, &arena).matches(&name);
        prop_assert_eq!(got, naive(pattern.as_bytes(), name.as_bytes()));
    }

    #[test]
    fn every_name_has_a_wire_form(name in "\\PC{0,20}") {
        let arena = Bump::new();
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        let wire = encode(&name);
        prop_assert!(wire.is_ascii());
        prop_assert_eq!(decode(wire.as_bytes(), &arena), Ok(&name[..]));
    }
}
