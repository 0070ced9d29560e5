//! Smuggling and injection: every variant that was published, what it is answered, and that nothing of it is delivered.
//! Each is played at once, cut at every place, and octet by octet. RFC 5321 §2.3.8, §4.1.1.4.
//!
//! A body here is what a sending host would hand on unchanged because to it there is no end in it; behind the variant
//! stands the second mail that the sender hides.

use super::played::*;

/// A trick in a body, and whether the mail is taken (as one) or refused (as one).
const BODIES: &[(&str, &str, Fate)] = &[
    // Timo Longin, "SMTP Smuggling", 2023; CVE-2023-51764, -51765, -51766.
    ("LF . LF", "\\n.\\n", Fate::Refused),
    ("LF . CR LF", "\\n.\\r\\n", Fate::Refused),
    ("CR LF . LF", "\\r\\n.\\n", Fate::Refused),
    ("CR . CR LF", "\\r.\\r\\n", Fate::Refused),
    ("CR . CR", "\\r.\\r", Fate::Refused),
    ("CR . LF", "\\r.\\n", Fate::Refused),
    ("LF . CR", "\\n.\\r", Fate::Refused),
    ("CR LF . CR", "\\r\\n.\\r", Fate::Refused),
    ("CR LF . CR CR LF", "\\r\\n.\\r\\r\\n", Fate::Refused),
    ("CR CR LF . CR CR LF", "\\r\\r\\n.\\r\\r\\n", Fate::Refused),
    ("LF CR . LF CR", "\\n\\r.\\n\\r", Fate::Refused),
    ("LF LF . LF LF", "\\n\\n.\\n\\n", Fate::Refused),
    ("LF alone", "\\n", Fate::Refused),
    ("CR alone", "\\r", Fate::Refused),
    // With NUL: to a host that drops it these are CR LF . CR LF.
    ("CR LF NUL . CR LF", "\\r\\n\\0.\\r\\n", Fate::Refused),
    ("CR LF . NUL CR LF", "\\r\\n.\\0\\r\\n", Fate::Refused),
    (
        "CR LF NUL . NUL CR LF",
        "\\r\\n\\0.\\0\\r\\n",
        Fate::Refused,
    ),
    ("CR NUL LF . CR LF", "\\r\\0\\n.\\r\\n", Fate::Refused),
    ("CR LF . CR NUL LF", "\\r\\n.\\r\\0\\n", Fate::Refused),
    ("NUL LF . NUL LF", "\\0\\n.\\0\\n", Fate::Refused),
    ("CR LF . . NUL CR LF", "\\r\\n..\\0\\r\\n", Fate::Refused),
    // What is no line end to anybody who reads RFC 5321, and passes as text.
    ("NEL", "\\x85.\\x85", Fate::Taken),
    ("NEL in UTF-8", "\\xc2\\x85.\\xc2\\x85", Fate::Taken),
    (
        "LINE SEPARATOR",
        "\\xe2\\x80\\xa8.\\xe2\\x80\\xa8",
        Fate::Taken,
    ),
    ("LF, overlong", "\\xc0\\x8a.\\xc0\\x8a", Fate::Taken),
    ("VT and FF", "\\x0b.\\x0c", Fate::Taken),
    ("CR LF . . CR LF", "\\r\\n..\\r\\n", Fate::Taken),
    ("CR LF SP . CR LF", "\\r\\n .\\r\\n", Fate::Taken),
    ("CR LF . SP CR LF", "\\r\\n. \\r\\n", Fate::Taken),
    ("NUL within a line", "a\\0.\\0b", Fate::Taken),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Refused,
    Taken,
}

const HIDDEN: &str =
    "MAIL FROM:<evil@example.net>\\r\\nRCPT TO:<carol@example.org>\\r\\nDATA\\r\\nhidden\\r\\n";

fn roomy() -> Limits {
    Limits {
        message_octets_max: 10_000,
        ..limits()
    }
}

/// Everything that is heard when `wire` comes in one piece; it must be the same in all others.
fn heard(setting: Setting, wire: &[u8], name: &str) -> Vec<String> {
    let play = |ends: &[usize]| {
        let mut played = Played::with(setting, roomy());
        played.play(wire, ends);
        played.said
    };
    let whole = play(&[wire.len()]);
    for cut in 0..wire.len() {
        assert_eq!(play(&[cut, wire.len()]), whole, "{name}: cut at {cut}");
    }
    let single: Vec<usize> = (0..=wire.len()).collect();
    assert_eq!(play(&single), whole, "{name}: octet by octet");
    whole
}

#[test]
fn bodies_by_data() {
    for setting in [MX, LMTP] {
        let hello = if setting.role == Role::Lmtp {
            "LHLO"
        } else {
            "HELO"
        };
        for (name, trick, fate) in BODIES {
            for before in ["", "A: b\\r\\n\\r\\ntext"] {
                let wire = format!(
                    "{hello} a\\r\\nMAIL FROM:<a@b>\\r\\nRCPT TO:<bob@example.org>\\r\\nDATA\\r\\n{before}{trick}{HIDDEN}\\r\\n.\\r\\nNOOP\\r\\nQUIT\\r\\n"
                );
                judge(&heard(setting, &unescape(&wire), name), *fate, name);
            }
        }
    }
}

/// In a chunk nothing ends but by count; the variants are refused all the same, for the mail may leave by DATA.
#[test]
fn bodies_by_bdat() {
    for (name, trick, fate) in BODIES {
        let body = unescape(&format!("A: b\\r\\n\\r\\ntext{trick}{HIDDEN}"));
        for last in [true, false] {
            let begin = "HELO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<bob@example.org>\r\nBDAT ";
            let (word, end) = match last {
                true => (" LAST", ""),
                false => ("", "BDAT 0 LAST\r\n"),
            };
            let octets = body.len();
            let mut wire = format!("{begin}{octets}{word}\r\n").into_bytes();
            wire.extend_from_slice(&body);
            wire.extend_from_slice(format!("{end}NOOP\r\nQUIT\r\n").as_bytes());
            let mut said = heard(MX, &wire, name);
            // A refused chunk in the middle ends the transaction; what comes behind it is out of order.
            said.retain(|line| {
                !line.starts_with("< 250 2.0.0 Chunk") && !line.starts_with("< 503 5.5.1 Say MAIL")
            });
            judge(&said, *fate, name);
        }
    }
}

/// One mail, refused or taken as one, and then the client's own commands.
fn judge(said: &[String], fate: Fate, name: &str) {
    let begun = said
        .iter()
        .filter(|line| line.starts_with("* mail"))
        .count();
    assert_eq!(begun, 1, "{name}: {said:?}");
    let delivered = said.iter().filter(|line| line.starts_with("* deliver"));
    assert_eq!(
        delivered.count(),
        usize::from(fate == Fate::Taken),
        "{name}: {said:?}"
    );
    let outcome = match fate {
        Fate::Refused => "< 550 5.6.11 ",
        Fate::Taken => "< 250 2.0.0 taken",
    };
    let [.., answer, noop, quit, close] = said else {
        panic!("{name}: {said:?}");
    };
    assert!(answer.starts_with(outcome), "{name}: {said:?}");
    let end = ["< 250 2.0.0 Ok", "< 221 2.0.0 Bye", "* close"];
    assert_eq!([noop, quit, close], end, "{name}");
}

/// Commands that carry a line end, an eighth bit or a header in what they say; the answer to the last one.
const ENVELOPES: &[(&str, &str)] = &[
    // Line ends and NUL as they are.
    ("EHLO a\\nMAIL FROM:<evil@b>", "500 5.5.2"),
    ("EHLO a\\rMAIL FROM:<evil@b>", "500 5.5.2"),
    ("EHLO a\\0", "500 5.5.2"),
    ("MAIL FROM:<a@b>\\nRCPT TO:<bob@example.org>", "500 5.5.2"),
    ("MAIL FROM:<a@b>\\rRCPT TO:<bob@example.org>", "500 5.5.2"),
    ("MAIL FROM:<a@b>\\0", "500 5.5.2"),
    ("MAIL FROM:<\"a\\nX: y\"@b>", "500 5.5.2"),
    ("MAIL FROM:<\"a\\\\\\nX: y\"@b>", "500 5.5.2"),
    ("MAIL FROM:<\"a\\\\\\0b\"@b>", "500 5.5.2"),
    ("MAIL FROM:<\"a\\x09b\"@b>", "501 5.1.7"),
    ("MAIL FROM:<a@b> ENVID=a\\nb", "500 5.5.2"),
    ("MAIL FROM:<a@b\\x7f>", "500 5.5.2"),
    // The same encoded.
    ("MAIL FROM:<a@b> ENVID=a+0D+0AX:+20y", "501 5.5.4"),
    ("MAIL FROM:<a@b> ENVID=a+0AX:+20y", "501 5.5.4"),
    ("MAIL FROM:<a@b> ENVID=a+0Db", "501 5.5.4"),
    ("MAIL FROM:<a@b> ENVID=a+00b", "501 5.5.4"),
    ("MAIL FROM:<a@b> ENVID=a+C2+85b", "501 5.5.4"),
    ("MAIL FROM:<a@b> ENVID=a+E2+80+A8b", "501 5.5.4"),
    ("MAIL FROM:<a@b> AUTH=a+0D+0Ab", "501 5.5.4"),
    ("XCLIENT NAME=a+0D+0Ab", "501 5.5.4"),
    ("XCLIENT LOGIN=a+0D+0Ab", "501 5.5.4"),
    ("XCLIENT HELO=a+20b", "501 5.5.4"),
    // Eight bits without SMTPUTF8, and what is no UTF-8 at all.
    ("EHLO d\\xc3\\xb6rte", "501 5.5.4"),
    ("EHLO \\xff", "500 5.5.2"),
    ("NOOP \\xc3\\xb6", "500 5.5.2"),
    ("HELP \\xff", "500 5.5.2"),
    ("VRFY \\xc3\\xb6", "553 5.6.7"),
    ("MAIL FROM:<d\\xc3\\xb6rte@b>", "553 5.6.7"),
    ("MAIL FROM:<a@d\\xc3\\xb6rte>", "553 5.6.7"),
    ("MAIL FROM:<a\\xff@b>", "501 5.1.7"),
    ("MAIL FROM:<a\\xff@b> SMTPUTF8", "501 5.1.7"),
    ("MAIL FROM:<a@b> ENVID=\\xc3\\xb6 SMTPUTF8", "501 5.5.4"),
    ("MAIL FROM:<a@b> SMTPUTF8=\\xc3\\xb6", "501 5.5.4"),
    ("MAIL FROM:<a@b> SIZE=\\xef\\xbc\\x91", "501 5.5.4"),
    // Overlong forms of NUL, LF and slash; a surrogate; beyond Unicode.
    ("MAIL FROM:<a\\xc0\\x80@b> SMTPUTF8", "501 5.1.7"),
    ("MAIL FROM:<a\\xc0\\x8ab@b> SMTPUTF8", "501 5.1.7"),
    ("MAIL FROM:<a\\xe0\\x80\\x8ab@b> SMTPUTF8", "501 5.1.7"),
    ("MAIL FROM:<a\\xed\\xa0\\x80@b> SMTPUTF8", "501 5.1.7"),
    ("MAIL FROM:<a\\xf4\\x90\\x80\\x80@b> SMTPUTF8", "501 5.1.7"),
    // Separators that some readers take for line ends.
    ("MAIL FROM:<a\\xc2\\x85b@b> SMTPUTF8", "501 5.1.7"),
    ("MAIL FROM:<a\\xe2\\x80\\xa8b@b> SMTPUTF8", "501 5.1.7"),
    ("MAIL FROM:<\"a\\xe2\\x80\\xa9b\"@b> SMTPUTF8", "501 5.1.7"),
    ("MAIL FROM:<a@b\\xe2\\x80\\xa8> SMTPUTF8", "501 5.1.7"),
    // A path that goes on, or says two things.
    ("MAIL FROM:<a@b>SIZE=1", "501 5.1.7"),
    ("MAIL FROM:<a@b><c@d>", "501 5.1.7"),
    ("MAIL FROM:<a@b> <c@d>", "501 5.5.4"),
    ("MAIL FROM:<a@b@c>", "501 5.1.7"),
    ("MAIL FROM:<a b@c>", "501 5.1.7"),
    ("MAIL FROM:<a@b,c@d>", "501 5.1.7"),
    ("MAIL FROM:<@x\\n:a@b>", "500 5.5.2"),
];

#[test]
fn envelopes() {
    let setting = Setting {
        queue: true,
        xclient: true,
        ..MX
    };
    for (line, code) in ENVELOPES {
        let wire = unescape(&format!("HELO a\\r\\n{line}\\r\\nQUIT\\r\\n"));
        let said = heard(setting, &wire, line);
        assert_eq!(said.len(), 4, "{line}: {said:?}");
        assert!(
            said[1].starts_with(&format!("< {code} ")),
            "{line}: {said:?}"
        );
    }
}

/// The recipient's side of the same.
const RECIPIENTS: &[(&str, &str)] = &[
    ("RCPT TO:<bob@example.org>\\nDATA", "500 5.5.2"),
    ("RCPT TO:<\"bob\\\\\\n\"@example.org>", "500 5.5.2"),
    ("RCPT TO:<bob\\x09@example.org>", "501 5.1.3"),
    ("RCPT TO:<b\\xc3\\xb6b@example.org>", "553 5.6.7"),
    ("RCPT TO:<b\\xffb@example.org>", "501 5.1.3"),
    (
        "RCPT TO:<bob@example.org> ORCPT=rfc822;a+0D+0ABcc:+20b",
        "501 5.5.4",
    ),
    ("RCPT TO:<bob@example.org> ORCPT=rfc822;a+00", "501 5.5.4"),
    (
        "RCPT TO:<bob@example.org> ORCPT=utf-8;a\\\\x{0D}\\\\x{0A}b",
        "501 5.5.4",
    ),
    (
        "RCPT TO:<bob@example.org> ORCPT=utf-8;a\\\\x{2028}b",
        "501 5.5.4",
    ),
    ("RCPT TO:<bob@example.org> NOTIFY=\\xc3\\xb6", "501 5.5.4"),
];

#[test]
fn recipients() {
    for (line, code) in RECIPIENTS {
        let wire = unescape(&format!(
            "HELO a\\r\\nMAIL FROM:<a@b>\\r\\n{line}\\r\\nDATA\\r\\nQUIT\\r\\n"
        ));
        let said = heard(MX_QUEUE, &wire, line);
        let told: Vec<&str> = said.iter().map(String::as_str).collect();
        let [
            _,
            "* mail a@b",
            _,
            answer,
            "< 503 5.5.1 Say RCPT first",
            _,
            "* close",
        ] = told[..]
        else {
            panic!("{line}: {said:?}");
        };
        assert!(
            answer.starts_with(&format!("< {code} ")),
            "{line}: {said:?}"
        );
    }
}

const MIXES: &[Dialogue] = &[
    (
        "DATA between chunks is refused, and what it would have brought is no script",
        MX,
        "> HELO a
         > MAIL FROM:<a@b>
         > RCPT TO:<bob@example.org>
         >> BDAT 3\\r\\na\\r\\nDATA\\r\\nb\\r\\n.\\r\\n
         > MAIL FROM:<evil@b>
         < 250 mx.example.org
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 250 2.0.0 Chunk taken
         < 503 5.5.1 BDAT is under way
         < 521 5.5.1 DATA was refused, and what follows is no command
         * close",
    ),
    (
        "BDAT within DATA is text, and ends with it",
        MX,
        "> HELO a
         > MAIL FROM:<a@b>
         > RCPT TO:<bob@example.org>
         > DATA
         < 250 mx.example.org
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 354 End with CRLF . CRLF
         > BDAT 9999 LAST
         > .
         > QUIT
         * deliver BDAT 9999 LAST\\r\\n
         < 250 2.0.0 taken
         < 221 2.0.0 Bye
         * close",
    ),
    (
        "the end of DATA in a chunk ends nothing; commands behind LAST are the client's",
        MX,
        "> HELO a
         > MAIL FROM:<a@b>
         > RCPT TO:<bob@example.org>
         >> BDAT 17 LAST\\r\\na\\r\\n.\\r\\nRCPT TO:<QUIT\\r\\n
         < 250 mx.example.org
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         * deliver a\\r\\n.\\r\\nRCPT TO:<QU
         < 250 2.0.0 taken
         < 500 5.5.1 Command not recognized",
    ),
    (
        "a CR at a chunk's end and an LF at the next one's begin are one line end",
        MX,
        "> HELO a
         > MAIL FROM:<a@b>
         > RCPT TO:<bob@example.org>
         >> BDAT 2\\r\\na\\rBDAT 1\\r\\n\\nBDAT 2\\r\\n.\\rBDAT 1 LAST\\r\\n\\nNOOP\\r\\n
         < 250 mx.example.org
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 250 2.0.0 Chunk taken
         < 250 2.0.0 Chunk taken
         < 250 2.0.0 Chunk taken
         * deliver a\\r\\n.\\r\\n
         < 250 2.0.0 taken
         < 250 2.0.0 Ok",
    ),
    (
        "a chunk whose length cannot be read, or is followed by more, ends the session",
        MX,
        "> HELO a
         > MAIL FROM:<a@b>
         > RCPT TO:<bob@example.org>
         > BDAT 3 LAST LAST
         > MAIL FROM:<evil@b>
         < 250 mx.example.org
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         < 521 5.5.4 No telling where that chunk ends
         * close",
    ),
    (
        "RFC 3207 §4.2: commands in clear behind STARTTLS are dropped",
        MX_STARTTLS,
        "> EHLO a
         = offer STARTTLS
         > STARTTLS
         > EHLO evil
         > MAIL FROM:<evil@b>
         < 220 2.0.0 Ready to start TLS
         * tls
         > MAIL FROM:<a@b>
         < 503 5.5.1 Say EHLO first",
    ),
    (
        "half a command in clear is not continued in TLS",
        MX_STARTTLS,
        ">> STARTTLS\\r\\nNOO
         < 220 2.0.0 Ready to start TLS
         * tls
         >> P\\r\\n
         < 500 5.5.1 Command not recognized",
    ),
    (
        "STARTTLS within a transaction ends it",
        MX_STARTTLS,
        "> HELO a
         > MAIL FROM:<a@b>
         > STARTTLS
         < 250 mx.example.org
         * mail a@b
         < 250 2.1.0 Sender ok
         * reset
         < 220 2.0.0 Ready to start TLS
         * tls
         > RCPT TO:<bob@example.org>
         < 503 5.5.1 Say MAIL first",
    ),
];

#[test]
fn mixes() {
    check_all(MIXES);
}
