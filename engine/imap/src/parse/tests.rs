//! Every command, right and wrong; each case cut at every place, for the cut must not show.

#[path = "tests/wire.rs"]
mod wire;

use super::*;
use proptest::prelude::*;
use wire::wire;

/// (what the client sends, what is understood). `~` is CRLF. Right commands end with one that is not written here.
const RIGHT: &[(&str, &str)] = &[
    ("a CAPABILITY", "a CAPABILITY"),
    ("a.1-2] noop", "a.1-2] NOOP"),
    ("a NOOP", "a NOOP"),
    ("a LOGOUT", "a LOGOUT"),
    ("a ID NIL", "a ID NIL"),
    ("a ID ()", "a ID NIL"),
    (
        "a ID (\"name\" \"x\" \"os\" nil)",
        "a ID (\"name\" \"x\" \"os\" NIL)",
    ),
    ("a starttls", "a STARTTLS"),
    ("a AUTHENTICATE PLAIN", "a AUTHENTICATE PLAIN"),
    (
        "a AUTHENTICATE PLAIN AHRlc3Q=",
        "a AUTHENTICATE PLAIN AHRlc3Q=",
    ),
    ("a AUTHENTICATE EXTERNAL =", "a AUTHENTICATE EXTERNAL ="),
    ("a LOGIN mrc secret", "a LOGIN mrc secret"),
    (
        "a LOGIN \"m c\" \"s\\\"e\\\\\"",
        "a LOGIN \"m c\" \"s\\\"e\\\\\"",
    ),
    (
        "a LOGIN {11+}~FRED FOOBAR {7+}~fat man",
        "a LOGIN \"FRED FOOBAR\" \"fat man\"",
    ),
    ("a ENABLE CONDSTORE X-Y", "a ENABLE CONDSTORE X-Y"),
    ("a SELECT inbox", "a SELECT INBOX"),
    ("a SELECT \"Entw&APw-rfe\"", "a SELECT Entw&APw-rfe"),
    ("a EXAMINE {5+}~a b c", "a EXAMINE \"a b c\""),
    ("a CREATE owatagusiam/", "a CREATE owatagusiam"),
    (
        "a CREATE X (USE (\\Sent \\drafts))",
        "a CREATE X (USE (\\Sent \\Drafts))",
    ),
    ("a DELETE foo/bar", "a DELETE foo/bar"),
    ("a RENAME Inbox old-mail", "a RENAME INBOX old-mail"),
    (
        "a SUBSCRIBE #news.comp.mail.mime",
        "a SUBSCRIBE #news.comp.mail.mime",
    ),
    ("a UNSUBSCRIBE x]", "a UNSUBSCRIBE x]"),
    ("a LIST \"\" \"\"", "a LIST \"\" \"\""),
    ("a LIST ~/Mail/ %", "a LIST ~/Mail/ \"%\""),
    ("a LIST \"\" a&b%", "a LIST \"\" \"a&-b%\""),
    ("a LIST \"\" *", "a LIST \"\" \"*\""),
    (
        "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (a %)",
        "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (a \"%\")",
    ),
    (
        "a LIST () \"\" % RETURN (children special-use status (unseen messages))",
        "a LIST \"\" (\"%\") RETURN (CHILDREN SPECIAL-USE STATUS (MESSAGES UNSEEN))",
    ),
    (
        "a LIST (REMOTE SPECIAL-USE) \"\" x RETURN ()",
        "a LIST (REMOTE SPECIAL-USE) \"\" (x)",
    ),
    ("a LSUB \"#news.\" \"comp.%\"", "a LSUB #news. \"comp.%\""),
    ("a NAMESPACE", "a NAMESPACE"),
    (
        "a STATUS blurdybloop (UIDNEXT MESSAGES recent uidvalidity size)",
        "a STATUS blurdybloop (MESSAGES RECENT UIDNEXT UIDVALIDITY SIZE)",
    ),
    ("a CHECK", "a CHECK"),
    ("a CLOSE", "a CLOSE"),
    ("a UNSELECT", "a UNSELECT"),
    ("a EXPUNGE", "a EXPUNGE"),
    ("a UID EXPUNGE 3000:3002", "a UID EXPUNGE 3000:3002"),
    ("a IDLE", "a IDLE"),
    ("a SEARCH ALL", "a SEARCH ALL"),
    (
        "a SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
        "a SEARCH FLAGGED SINCE 1-Feb-1994 NOT HEADER FROM Smith",
    ),
    (
        "a SEARCH CHARSET UTF-8 TEXT {6+}~\u{436}\u{435}\u{43b}",
        "a SEARCH CHARSET UTF-8 TEXT {6}\r\n\u{436}\u{435}\u{43b}",
    ),
    (
        "a uid search 2,4:7,9,12:* uid 5:3",
        "a UID SEARCH 2,4:7,9,12:* UID 3:5",
    ),
    (
        "a SEARCH OR SEEN (UNSEEN NEW) OLD",
        "a SEARCH OR SEEN (NOT SEEN (RECENT NOT SEEN)) NOT RECENT",
    ),
    (
        "a SEARCH RETURN (MIN count) UNKEYWORD $x",
        "a SEARCH RETURN (MIN COUNT) NOT KEYWORD $x",
    ),
    (
        "a SEARCH RETURN () LARGER 10 SMALLER 20 MODSEQ 9",
        "a SEARCH RETURN (ALL) LARGER 10 SMALLER 20 MODSEQ 9",
    ),
    (
        "a SEARCH HEADER X-Spam \"\" SENTON \"1-Jan-2000\"",
        "a SEARCH HEADER X-Spam \"\" SENTON 1-Jan-2000",
    ),
    (
        "a SEARCH BODY x CC y BCC z SUBJECT s TO t",
        "a SEARCH BODY x HEADER CC y HEADER BCC z HEADER SUBJECT s HEADER TO t",
    ),
    ("a SEARCH (ALL)", "a SEARCH ALL"),
    ("a FETCH 1:* FLAGS", "a FETCH 1:* (FLAGS)"),
    (
        "a fetch 2:4 all",
        "a FETCH 2:4 (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)",
    ),
    (
        "a FETCH 1 FAST",
        "a FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)",
    ),
    (
        "a FETCH 1 FULL",
        "a FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY)",
    ),
    (
        "a UID FETCH 2:4,3:9,10,* (UID FLAGS BODY[HEADER.FIELDS (DATE \"FROM\")])",
        "a UID FETCH 2:10,* (UID FLAGS BODY[HEADER.FIELDS (DATE FROM)])",
    ),
    (
        "a FETCH 1 (BODY BODY[] body.peek[1.2.mime] BODY[3]<0.2048> BODYSTRUCTURE MODSEQ)",
        "a FETCH 1 (BODY BODY[] BODY.PEEK[1.2.MIME] BODY[3]<0.2048> BODYSTRUCTURE MODSEQ)",
    ),
    (
        "a FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE BODY.PEEK[4.HEADER.FIELDS.NOT (X)]<5.1>)",
        "a FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE BODY.PEEK[4.HEADER.FIELDS.NOT (X)]<5.1>)",
    ),
    ("a FETCH 1 BODY[TEXT]", "a FETCH 1 (BODY[TEXT])"),
    (
        "a FETCH 1 (ENVELOPE UID envelope BODY[1] BODY BODY[1] BODY UID)",
        "a FETCH 1 (ENVELOPE UID BODY[1] BODY BODY[1])",
    ),
    (
        "a STORE 2:4 +FLAGS (\\Deleted)",
        "a STORE 2:4 +FLAGS (\\Deleted)",
    ),
    (
        "a STORE 1 -flags.silent \\Seen $Junk \\seen",
        "a STORE 1 -FLAGS.SILENT (\\Seen $Junk)",
    ),
    (
        "a UID STORE * (UNCHANGEDSINCE 12) FLAGS ()",
        "a UID STORE * (UNCHANGEDSINCE 12) FLAGS ()",
    ),
    (
        "a STORE 1  FLAGS  (\\DELETED)",
        "a STORE 1 FLAGS (\\Deleted)",
    ),
    ("a COPY 2:4 MEETING", "a COPY 2:4 MEETING"),
    ("a UID MOVE 42:69 foo", "a UID MOVE 42:69 foo"),
];

/// (what the client sends, the answer). Nothing is added.
const WRONG: &[(&str, &str)] = &[
    ("~", "[None BAD expected a tag]"),
    ("a~", "[None BAD expected a space]"),
    (" a NOOP~", "[None BAD expected a tag]"),
    ("+ NOOP~", "[None BAD expected a tag]"),
    ("a  NOOP~", "[Some(\"a\") BAD expected a command]"),
    ("a XYZZY~", "[Some(\"a\") BAD unknown command]"),
    ("a UID~", "[Some(\"a\") BAD expected a space]"),
    ("a UID NOOP~", "[Some(\"a\") BAD unknown command]"),
    (
        "a NOOP ~",
        "[Some(\"a\") BAD unexpected octets at the end of the command]",
    ),
    ("a NOOP\n", "[Some(\"a\") BAD a line must end in CRLF]"),
    ("a LOGIN x~", "[Some(\"a\") BAD expected a space]"),
    ("a LOGIN x\ry z~", "[Some(\"a\") BAD expected a space]"),
    (
        "a LOGIN \"x y~",
        "[Some(\"a\") BAD quoted string is not closed]",
    ),
    (
        "a LOGIN \"x {5}~",
        "[Some(\"a\") BAD quoted string is not closed]",
    ),
    (
        "a LOGIN \"\\x\" y~",
        "[Some(\"a\") BAD only \\\" and \\\\ are escapes in a quoted string]",
    ),
    ("a LOGIN x\0 y~", "[Some(\"a\") BAD expected a space]"),
    ("a LOGIN {1+}~\0 y~", "[Some(\"a\") BAD NUL in a literal]"),
    ("a LOGIN {2}x y~", "[Some(\"a\") BAD expected a literal]"),
    ("a LOGIN {x}~", "[Some(\"a\") BAD expected a number]"),
    (
        "a LOGIN {4294967296}~",
        "[Some(\"a\") literal is too long GoOn { consumed: 22 }]",
    ),
    (
        "a LOGIN {99999999999999999999}~",
        "[Some(\"a\") literal is too long GoOn { consumed: 32 }]",
    ),
    (
        "a LOGIN {4294967296+}~",
        "[Some(\"a\") literal is too long Bye]",
    ),
    ("a NOSUCH {5}~", "[Some(\"a\") BAD unknown command]"),
    ("a NOSUCH {5+}~hello~", "[Some(\"a\") BAD unknown command]"),
    ("{5}~", "[None BAD expected a tag]"),
    (
        "a SELECT a&b~",
        "[Some(\"a\") NO mailbox name is not in modified UTF-7]",
    ),
    (
        "a SELECT {3+}~a~~",
        "[Some(\"a\") BAD control character in a mailbox name]",
    ),
    (
        "a CREATE X (USE (\\Nope))~",
        "[Some(\"a\") BAD unknown special use]",
    ),
    (
        "a LIST (RECURSIVEMATCH) \"\" %~",
        "[Some(\"a\") BAD RECURSIVEMATCH needs another selection option]",
    ),
    (
        "a LIST (X) \"\" %~",
        "[Some(\"a\") BAD unknown selection option]",
    ),
    ("a LIST \"\" ()~", "[Some(\"a\") BAD expected a pattern]"),
    (
        "a LIST \"\" % RETURN (X)~",
        "[Some(\"a\") BAD unknown return option]",
    ),
    ("a STATUS x ()~", "[Some(\"a\") BAD unknown status item]"),
    (
        "a STATUS x (MESSAGES NOPE)~",
        "[Some(\"a\") BAD unknown status item]",
    ),
    (
        "a FETCH 0 FLAGS~",
        "[Some(\"a\") BAD 0 is no message number]",
    ),
    (
        "a FETCH 4294967296 FLAGS~",
        "[Some(\"a\") BAD number is too large]",
    ),
    ("a FETCH 1:2:3 FLAGS~", "[Some(\"a\") BAD expected a space]"),
    ("a FETCH 1, FLAGS~", "[Some(\"a\") BAD expected a number]"),
    (
        "a FETCH 1 ()~",
        "[Some(\"a\") BAD expected an item to fetch]",
    ),
    (
        "a FETCH 1 (ALL)~",
        "[Some(\"a\") BAD unknown item to fetch]",
    ),
    ("a FETCH 1 BODY[MIME]~", "[Some(\"a\") BAD unknown section]"),
    (
        "a FETCH 1 BODY[1.]~",
        "[Some(\"a\") BAD expected a part or a section]",
    ),
    (
        "a FETCH 1 BODY[0]~",
        "[Some(\"a\") BAD 0 is no message number]",
    ),
    (
        "a FETCH 1 BODY[1~",
        "[Some(\"a\") BAD expected a closing bracket]",
    ),
    (
        "a FETCH 1 BODY[]<0.0>~",
        "[Some(\"a\") BAD a partial range has at least one octet]",
    ),
    (
        "a FETCH 1 BODY[HEADER.FIELDS ()]~",
        "[Some(\"a\") BAD expected a header field name]",
    ),
    (
        "a STORE 1 +FLAGS (\\Recent)~",
        "[Some(\"a\") BAD \\Recent cannot be set]",
    ),
    (
        "a STORE 1 +FLAGS (\\Nope)~",
        "[Some(\"a\") BAD unknown system flag]",
    ),
    ("a STORE 1 FLAG x~", "[Some(\"a\") BAD expected FLAGS]"),
    ("a SEARCH~", "[Some(\"a\") BAD expected a space]"),
    ("a SEARCH NOPE~", "[Some(\"a\") BAD unknown search key]"),
    (
        "a SEARCH (ALL~",
        "[Some(\"a\") BAD expected a closing parenthesis]",
    ),
    ("a SEARCH ()~", "[Some(\"a\") BAD unknown search key]"),
    (
        "a SEARCH SINCE 31-Feb-2020~",
        "[Some(\"a\") BAD not a date]",
    ),
    ("a APPEND x~", "[Some(\"a\") BAD expected a space]"),
    (
        "a APPEND x (\\Recent) {5}~",
        "[Some(\"a\") BAD \\Recent cannot be set]",
    ),
    (
        "a APPEND x \"yesterday\" {5}~",
        "[Some(\"a\") BAD not a date and time]",
    ),
    (
        "a APPEND x {52428801}~",
        "[Some(\"a\") message is too big GoOn { consumed: 23 }]",
    ),
    (
        "a APPEND x {52428801+}~",
        "[Some(\"a\") message is too big Bye]",
    ),
];

/// APPEND up to its message.
const APPENDS: &[(&str, &str)] = &[
    ("a APPEND inbox {310}~", "a APPEND INBOX {310}\r\n"),
    (
        "a APPEND x (\\Seen $A) {0+}~",
        "a APPEND x (\\Seen $A) {0+}\r\n",
    ),
    (
        "a APPEND {3+}~a b () \"17-Jul-1996 02:44:25 -0700\" {5}~",
        "a APPEND \"a b\" \"17-Jul-1996 09:44:25 +0000\" {5}\r\n",
    ),
    ("a APPEND x {52428800}~", "a APPEND x {52428800}\r\n"),
];

fn octets(text: &str) -> Vec<u8> {
    // A tilde that is part of a mailbox name is not a line end.
    text.replace("~/", "\u{1}/")
        .replace('~', "\r\n")
        .replace('\u{1}', "~")
        .into_bytes()
}

/// Feeds `input` in pieces that end at `cuts`, answering every literal asked for.
fn fed<'c>(input: &'c [u8], cuts: &[usize], arena: &'c Bump, limits: &Limits) -> Parsed<'c> {
    let mut progress = Progress::default();
    for &cut in cuts.iter().chain([&input.len()]) {
        loop {
            match parse(&mut progress, &input[..cut], arena, limits) {
                Parsed::NeedMore => break,
                Parsed::NeedLiteral { .. } => {}
                parsed => return parsed,
            }
        }
    }
    Parsed::NeedMore
}

fn check(input: &[u8], expected: &str) {
    let limits = Limits::default();
    let single: Vec<usize> = (0..input.len()).collect();
    for cut in 0..=input.len() {
        let arena = Bump::new();
        assert_eq!(
            wire(&fed(input, &[cut], &arena, &limits)),
            expected,
            "cut {cut}"
        );
    }
    let arena = Bump::new();
    assert_eq!(wire(&fed(input, &single, &arena, &limits)), expected);
    // What follows a command is not looked at.
    let more = [input, b"b \"{7}\r\n"].concat();
    assert_eq!(wire(&fed(&more, &[], &arena, &limits)), expected);
}

#[test]
fn right() {
    for (input, expected) in RIGHT {
        let mut input = octets(input);
        input.extend_from_slice(b"\r\n");
        check(&input, expected);
        // The canonical form says the same.
        let arena = Bump::new();
        let again = [expected.as_bytes(), b"\r\n"].concat();
        assert_eq!(
            wire(&fed(&again, &[], &arena, &Limits::default())),
            *expected
        );
    }
}

#[test]
fn wrong_and_appended() {
    for (input, expected) in WRONG.iter().chain(APPENDS) {
        check(&octets(input), expected);
    }
}

#[test]
fn every_command_has_a_case() {
    let said = |name: &str| {
        let (plain, uid) = (format!("a {name}"), format!("a UID {name}"));
        RIGHT
            .iter()
            .chain(APPENDS)
            .any(|(_, text)| text.starts_with(&plain) || text.starts_with(&uid))
    };
    for (name, _) in COMMANDS
        .iter()
        .chain(&UID_COMMANDS)
        .filter(|(name, _)| *name != "UID")
    {
        assert!(said(name), "{name}");
    }
}

/// The dialogue of a synchronizing literal: asked for once, then waited for.
#[test]
fn literals_are_asked_for_once() {
    let input = b"a LOGIN {5}\r\nalice {6}\r\nsecret\r\n";
    let (arena, limits) = (Bump::new(), Limits::default());
    let mut progress = Progress::default();
    let mut asked = Vec::new();
    for end in 0..=input.len() {
        loop {
            match parse(&mut progress, &input[..end], &arena, &limits) {
                Parsed::NeedMore => break,
                Parsed::NeedLiteral { octets } => asked.push((end, octets)),
                parsed => {
                    assert_eq!(
                        (wire(&parsed), end),
                        ("a LOGIN alice secret".into(), input.len())
                    );
                    assert_eq!(asked, [(13, 5), (24, 6)]);
                    return;
                }
            }
        }
    }
    panic!("the command was not seen");
}

#[test]
fn limits_at_and_above() {
    let mut limits = Limits {
        imap_command_octets_max: 20,
        imap_literal_octets_max: 8,
        imap_nesting_max: 3,
        ..Limits::default()
    };
    let arena = Bump::new();
    let told = |input: &str| wire(&fed(&octets(input), &[], &arena, &limits));
    assert_eq!(told("a SELECT 456789012~"), "a SELECT 456789012");
    assert_eq!(
        told("a SELECT 4567890123~"),
        "[Some(\"a\") command is too long Bye]"
    );
    assert_eq!(
        told("a SELECT 456789012345"),
        "[Some(\"a\") command is too long Bye]"
    );
    assert_eq!(told("a SELECT {8}~12345678~"), "a SELECT 12345678");
    assert_eq!(
        told("a SELECT {9}~"),
        "[Some(\"a\") literal is too long GoOn { consumed: 14 }]"
    );
    // The bound holds for all literals of a command together.
    assert_eq!(
        told("a LOGIN {8}~12345678 {0}~~"),
        "[Some(\"a\") command is too long Bye]"
    );
    limits.imap_command_octets_max = 40;
    let told = |input: &str| wire(&fed(&octets(input), &[], &arena, &limits));
    assert_eq!(told("a LOGIN {8}~12345678 {0}~~"), "a LOGIN 12345678 \"\"");
    assert_eq!(
        told("a LOGIN {8+}~12345678 {1+}~"),
        "[Some(\"a\") literal is too long Bye]"
    );
    assert_eq!(told("a SEARCH (((ALL)))~"), "a SEARCH ALL");
    assert_eq!(
        told("a SEARCH ((((ALL))))~"),
        "[Some(\"a\") BAD nested too deeply]"
    );
    assert_eq!(
        told("a SEARCH NOT NOT NOT ALL~"),
        "a SEARCH NOT NOT NOT ALL"
    );
    assert_eq!(
        told("a SEARCH NOT NOT NOT NOT ALL~"),
        "[Some(\"a\") BAD nested too deeply]"
    );
}

#[test]
fn lines_that_are_no_commands() {
    let whole = |line, consumed| Line::Whole { line, consumed };
    let cases: &[(&[u8], Line<'_>)] = &[
        (b"", Line::NeedMore),
        (b"DONE\r", Line::NeedMore),
        (b"DONE\r\nx", whole(b"DONE", 6)),
        (b"\r\n", whole(b"", 2)),
        (b"DONE\n", Line::Bad),
        (b"12345678\r\n", whole(b"12345678", 10)),
        (b"123456789\r\n", Line::Bad),
        (b"123456789", Line::NeedMore),
        (b"1234567890", Line::Bad),
    ];
    for (input, expected) in cases {
        assert_eq!(line(input, 8), *expected, "{}", input.escape_ascii());
    }
    assert_eq!(end_of_append(b"\na"), AppendEnd::End { consumed: 1 });
    assert!(done(b"done") && !done(b"DONE "));
    assert_eq!(end_of_append(b"\r"), AppendEnd::NeedMore);
    assert_eq!(end_of_append(b"\r\na"), AppendEnd::End { consumed: 2 });
    assert_eq!(end_of_append(b" {5}\r\n"), AppendEnd::Bad);
}

/// Pieces from which random commands are made, so that many come far into the grammar.
fn pieces() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "a",
        " ",
        " ",
        " ",
        "(",
        ")",
        "UID",
        "FETCH",
        "SEARCH",
        "STORE",
        "LIST",
        "APPEND",
        "1:*",
        "7,3",
        "FLAGS",
        "BODY[",
        "]",
        "<0.9>",
        "\"",
        "\\",
        "\\Seen",
        "{3+}\r\n",
        "{0}\r\n",
        "NOT",
        "OR",
        "ALL",
        "\"x\"",
        "NIL",
        "&AOk-",
        "&",
        "%",
        "*",
        "\r\n",
        "RETURN",
        "HEADER.FIELDS",
        "CHARSET",
        "STATUS",
        "1-Feb-1994",
        "LOGIN",
        "TEXT",
        "+",
        "-",
        "4294967295",
        "SINCE",
        "\0",
        "\u{e9}",
    ]);
    prop::collection::vec(words, 0..24).prop_map(|words| format!("a {}\r\n", words.concat()))
}

proptest! {
    #[test]
    fn any_input_any_cut(input in pieces(), cut in 0usize..64) {
        let (arena, limits) = (Bump::new(), Limits::default());
        let input = input.as_bytes();
        let at_once = wire(&fed(input, &[], &arena, &limits));
        let cut = wire(&fed(input, &[cut.min(input.len())], &arena, &limits));
        prop_assert_eq!(&at_once, &cut);
    }

    #[test]
    fn written_and_parsed_again(case in 0..RIGHT.len(), low in 1u32.., high in 1u32..) {
        let (arena, limits) = (Bump::new(), Limits::default());
        let text = RIGHT[case].0.replace("2:4", &format!("{low}:{high}"));
        let mut input = octets(&text);
        input.extend_from_slice(b"\r\n");
        let once = wire(&fed(&input, &[], &arena, &limits));
        let again = format!("{once}\r\n");
        prop_assert_eq!(&once, &wire(&fed(again.as_bytes(), &[], &arena, &limits)));
    }

    #[test]
    fn any_octets(input in prop::collection::vec(any::<u8>(), 0..200)) {
        let (arena, limits) = (Bump::new(), Limits::default());
        let _ = wire(&fed(&input, &[], &arena, &limits));
    }
}
