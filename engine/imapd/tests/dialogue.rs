//! One client and the server: what each command answers. RFC 3501 §6.

mod server;

use ringpost_imapd::TlsMode;
use ringpost_types::limit::Limits;
use server::{PASSWORD, Server, USER};

const MAIL: &[u8] = b"From: Fred Foobar <foobar@Blurdybloop.example>\r\n\
    Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\r\n\
    Subject: afternoon meeting\r\n\
    To: mooch@owatagu.example\r\n\
    Message-Id: <B27397-0100000@Blurdybloop.example>\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\
    \r\n\
    Hello Joe, do you think we can meet at 3:30 tomorrow?\r\n";

const MIXED: &[u8] = b"From: a@example.test\r\n\
    Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\
    \r\n\
    --b\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Transfer-Encoding: base64\r\n\
    \r\n\
    R3LDvMOfZSBhdXMgS8O2bG4K\r\n\
    --b\r\n\
    Content-Type: message/rfc822\r\n\
    \r\n\
    From: inner@example.test\r\n\
    Subject: inner subject\r\n\
    \r\n\
    inner body\r\n\
    --b--\r\n";

fn has(lines: &[String], part: &str) -> bool {
    lines.iter().any(|line| line.contains(part))
}

#[test]
fn greeting_and_login() {
    let server = Server::start();
    let mut client = server.connect();
    assert!(
        client.greeting.starts_with("* OK [CAPABILITY IMAP4rev1 "),
        "{}",
        client.greeting
    );
    assert!(client.greeting.contains("AUTH=PLAIN") && !client.greeting.contains("LOGINDISABLED"));
    client.fails("SELECT INBOX", "BAD");
    client.fails("FROB", "BAD");
    client.fails(&format!("LOGIN {USER} wrong"), "NO [AUTHENTICATIONFAILED]");
    let lines = client.command(&format!(
        "LOGIN {USER} {{{}+}}\r\n{PASSWORD}",
        PASSWORD.len()
    ));
    assert!(
        lines[0].starts_with("OK [CAPABILITY ") && lines[0].contains(" IDLE "),
        "{lines:?}"
    );
    client.fails(&format!("LOGIN {USER} x"), "BAD");
    assert!(has(&client.ok("NAMESPACE"), "((\"\" \"/\")) NIL NIL"));
    client.ok("ID NIL");
    client.ok("ENABLE CONDSTORE");
    let lines = client.command("LOGOUT");
    assert!(
        lines[0].starts_with("* BYE") && lines[1].starts_with("OK"),
        "{lines:?}"
    );
    assert_eq!(client.line(), "");
}

#[test]
fn authenticate_plain() {
    let server = Server::start();
    let mut client = server.connect();
    let plain = format!("\0{USER}\0{PASSWORD}");
    let response = base64(plain.as_bytes());
    let tag = client.begin("AUTHENTICATE PLAIN");
    assert_eq!(client.line(), "+ ");
    client.send("*\r\n");
    assert!(client.until(&tag)[0].starts_with("BAD"));
    client.fails("AUTHENTICATE CRAM-MD5", "NO");
    client.fails("AUTHENTICATE PLAIN ?", "BAD");
    client.ok(&format!("AUTHENTICATE PLAIN {response}"));
    let mut client = server.connect();
    let tag = client.begin("authenticate plain");
    assert_eq!(client.line(), "+ ");
    client.send(format!("{response}\r\n"));
    assert!(client.until(&tag)[0].starts_with("OK"));
}

fn base64(octets: &[u8]) -> String {
    data_encoding::BASE64.encode(octets)
}

#[test]
fn no_password_in_clear_where_tls_is_offered() {
    let server = Server::with(Limits::default(), TlsMode::Offered);
    let mut client = server.connect();
    assert!(client.greeting.contains("LOGINDISABLED") && !client.greeting.contains("AUTH=PLAIN"));
    client.fails(
        &format!("LOGIN {USER} \"{PASSWORD}\""),
        "NO [PRIVACYREQUIRED]",
    );
    client.fails("STARTTLS", "BAD");
}

#[test]
fn failures_end_the_session() {
    let limits = Limits {
        imap_login_failures_max: 1,
        imap_errors_max: 3,
        ..Limits::default()
    };
    let server = Server::with(limits, TlsMode::Absent);
    let mut client = server.connect();
    client.send("x LOGIN nobody@example.test x\r\n");
    assert!(client.line().starts_with("* BYE"));
    assert_eq!(client.line(), "");
    let mut client = server.connect();
    for _ in 0..3 {
        client.send("x NOSUCH\r\n");
        assert!(client.line().starts_with("x BAD"));
    }
    assert!(client.line().starts_with("* BYE"));
}

#[test]
fn an_empty_mailbox() {
    let server = Server::start();
    let mut client = server.login();
    let lines = client.ok("SELECT inbox");
    for part in [
        "* FLAGS (",
        "* 0 EXISTS",
        "* 0 RECENT",
        "[UIDVALIDITY ",
        "[UIDNEXT 1]",
        "[PERMANENTFLAGS (",
    ] {
        assert!(has(&lines, part), "{part}: {lines:?}");
    }
    assert!(client.ok("FETCH 1:* (FLAGS)").is_empty());
    assert!(client.ok("UID FETCH 1:* (FLAGS)").is_empty());
    assert_eq!(client.ok("SEARCH ALL"), ["* SEARCH"]);
    client.fails("FETCH 1 FLAGS", "BAD");
    client.fails("FETCH 1:3 FLAGS", "BAD");
    client.ok("CLOSE");
    client.fails("CHECK", "BAD");
    client.fails("SELECT nosuch", "NO [NONEXISTENT]");
}

#[test]
fn fetch_items() {
    let server = Server::start();
    let mut client = server.login();
    let answer = client.append(
        "INBOX (\\Flagged $Label) \"17-Jul-1996 02:44:25 -0700\"",
        MAIL,
    );
    assert!(answer.starts_with("OK [APPENDUID "), "{answer}");
    assert!(answer.contains(" 1] "), "{answer}");
    let lines = client.ok("SELECT INBOX");
    assert!(has(&lines, "* 1 EXISTS") && has(&lines, "* 1 RECENT") && has(&lines, "[UNSEEN 1]"));
    assert!(has(&lines, "$Label"), "{lines:?}");
    let lines = client.ok("FETCH 1 (FLAGS UID INTERNALDATE RFC822.SIZE)");
    let expected = format!(
        "* 1 FETCH (FLAGS (\\Flagged \\Recent $Label) UID 1 INTERNALDATE \"17-Jul-1996 09:44:25 +0000\" RFC822.SIZE {})",
        MAIL.len()
    );
    assert_eq!(lines, [expected]);
    // RFC 3501 §7.4.2: sender and reply-to are from's where the header has none.
    let fred = "((\"Fred Foobar\" NIL \"foobar\" \"Blurdybloop.example\"))";
    let envelope = format!(
        "* 1 FETCH (ENVELOPE (\"Mon, 7 Feb 1994 21:52:25 -0800 (PST)\" \"afternoon meeting\" {fred} {fred} {fred} \
         ((NIL NIL \"mooch\" \"owatagu.example\")) NIL NIL NIL \"<B27397-0100000@Blurdybloop.example>\"))"
    );
    assert_eq!(client.ok("FETCH 1 ENVELOPE"), [envelope]);
    assert_eq!(
        client.ok("FETCH 1 BODY"),
        ["* 1 FETCH (BODY (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 55 1))"]
    );
    let whole = String::from_utf8_lossy(MAIL);
    assert_eq!(
        client.ok("FETCH 1 BODY.PEEK[]"),
        [format!("* 1 FETCH (BODY[] {{{}}}\r\n{whole})", MAIL.len())]
    );
    assert_eq!(
        client.ok("FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject X-None)]"),
        [
            "* 1 FETCH (BODY[HEADER.FIELDS (Subject X-None)] {30}\r\nSubject: afternoon meeting\r\n\r\n)"
        ]
    );
    assert_eq!(
        client.ok("FETCH 1 BODY.PEEK[TEXT]<6.3>"),
        ["* 1 FETCH (BODY[TEXT]<6> {3}\r\nJoe)"]
    );
    assert_eq!(
        client.ok("FETCH 1 BODY.PEEK[TEXT]<999.3>"),
        ["* 1 FETCH (BODY[TEXT]<999> {0}\r\n)"]
    );
    assert_eq!(
        client.ok("FETCH 1 BODY.PEEK[2]"),
        ["* 1 FETCH (BODY[2] NIL)"]
    );
    // Reading marks it, once, and says so.
    let lines = client.ok("UID FETCH 1 BODY[1]");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].starts_with("* 1 FETCH (UID 1 BODY[1] {55}\r\nHello Joe"),
        "{lines:?}"
    );
    assert!(
        lines[0].ends_with(" FLAGS (\\Seen \\Flagged \\Recent $Label))"),
        "{lines:?}"
    );
    let lines = client.ok("FETCH 1 RFC822.TEXT");
    assert!(!has(&lines, "FLAGS"), "{lines:?}");
    client.fails("FETCH 2 FLAGS", "BAD");
    assert!(client.ok("UID FETCH 2:7 FLAGS").is_empty());
}

#[test]
fn sections_of_a_multipart() {
    let server = Server::start();
    let mut client = server.login();
    client.append("INBOX", MIXED);
    client.ok("EXAMINE INBOX");
    let lines = client.ok("FETCH 1 BODYSTRUCTURE");
    assert!(
        lines[0].contains("\"message\" \"rfc822\"") && lines[0].contains("\"inner subject\""),
        "{lines:?}"
    );
    const CASES: &[(&str, &str)] = &[
        ("1", "R3LDvMOfZSBhdXMgS8O2bG4K"),
        (
            "1.MIME",
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n",
        ),
        (
            "2.HEADER",
            "From: inner@example.test\r\nSubject: inner subject\r\n\r\n",
        ),
        ("2.TEXT", "inner body"),
        ("2.1", "inner body"),
        (
            "2.HEADER.FIELDS (SUBJECT)",
            "Subject: inner subject\r\n\r\n",
        ),
        (
            "HEADER.FIELDS.NOT (From MIME-Version Content-Type)",
            "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n",
        ),
    ];
    for (section, expected) in CASES {
        let lines = client.ok(&format!("FETCH 1 BODY[{section}]"));
        let wanted = format!(
            "* 1 FETCH (BODY[{section}] {{{}}}\r\n{expected})",
            expected.len()
        );
        assert_eq!(lines, [wanted], "{section}");
    }
    // EXAMINE sets nothing.
    assert_eq!(client.ok("FETCH 1 FLAGS"), ["* 1 FETCH (FLAGS (\\Recent))"]);
    client.fails("STORE 1 +FLAGS (\\Seen)", "NO [READ-ONLY]");
}

#[test]
fn searches() {
    let server = Server::start();
    let mut client = server.login();
    client.append("INBOX (\\Seen) \"01-Jan-2020 00:00:00 +0000\"", MAIL);
    client.append("INBOX ($Label) \"02-Jan-2020 12:00:00 +0000\"", MIXED);
    client.append("INBOX (\\Answered) \"03-Jan-2020 00:00:00 +0000\"", MAIL);
    client.ok("SELECT INBOX");
    const CASES: &[(&str, &str)] = &[
        ("ALL", " 1 2 3"),
        ("SEEN", " 1"),
        ("UNSEEN", " 2 3"),
        ("NOT SEEN ANSWERED", " 3"),
        ("OR SEEN KEYWORD $label", " 1 2"),
        ("UNKEYWORD $nosuch", " 1 2 3"),
        ("2:*", " 2 3"),
        ("UID 1,3", " 1 3"),
        ("9", ""),
        ("ON 2-Jan-2020", " 2"),
        ("BEFORE 2-Jan-2020", " 1"),
        ("SINCE 2-Jan-2020", " 2 3"),
        ("SENTON 7-Feb-1994", " 1 3"),
        ("SENTBEFORE 8-Feb-1994", " 1 3"),
        ("LARGER 340", " 2"),
        ("SMALLER 340", " 1 3"),
        ("FROM foobar@BLURDY", " 1 3"),
        ("FROM \"fred f\"", " 1 3"),
        ("TO mooch", " 1 3"),
        ("SUBJECT \"AFTERNOON\"", " 1 3"),
        ("CHARSET UTF-8 SUBJECT {7+}\r\ngrüße", " 2"),
        ("CHARSET UTF-8 BODY {5+}\r\nKÖLN", " 2"),
        ("BODY \"inner body\"", " 2"),
        ("BODY \"3:30\" SEEN", " 1"),
        ("TEXT mime-version", " 1 2 3"),
        ("HEADER MIME-Version \"\"", " 1 2 3"),
        ("HEADER Content-Type multipart", " 2"),
        ("NOT TEXT inner", " 1 3"),
        ("RECENT", " 1 2 3"),
        ("(OR (SEEN) (DELETED)) 1:2", " 1"),
    ];
    for (keys, expected) in CASES {
        assert_eq!(
            client.ok(&format!("SEARCH {keys}")),
            [format!("* SEARCH{expected}")],
            "{keys}"
        );
    }
    client.fails("SEARCH CHARSET KOI8-R ALL", "NO [BADCHARSET");
    let tag = client.begin("UID SEARCH RETURN (MIN MAX COUNT ALL) ALL");
    let lines = client.until(&tag);
    assert_eq!(
        lines[0],
        format!("* ESEARCH (TAG \"{tag}\") UID MIN 1 MAX 3 COUNT 3 ALL 1:3")
    );
}

#[test]
fn flags_expunge_copy_move() {
    let server = Server::start();
    let mut client = server.login();
    for _ in 0..4 {
        client.append("INBOX", MAIL);
    }
    client.ok("SELECT INBOX");
    let lines = client.ok("STORE 1:2 +FLAGS (\\Deleted NewWord)");
    assert!(
        has(&lines, "* FLAGS (") && has(&lines, "[PERMANENTFLAGS ("),
        "{lines:?}"
    );
    assert!(
        has(&lines, "* 1 FETCH (FLAGS (\\Deleted \\Recent NewWord))"),
        "{lines:?}"
    );
    assert_eq!(
        lines.iter().filter(|line| line.contains(" FETCH ")).count(),
        2,
        "{lines:?}"
    );
    assert!(client.ok("STORE 3 FLAGS.SILENT (\\Seen)").is_empty());
    assert_eq!(
        client.ok("UID STORE 3 -FLAGS (\\Seen)"),
        ["* 3 FETCH (UID 3 FLAGS (\\Recent))"]
    );
    client.fails("COPY 1 nosuch", "NO [TRYCREATE]");
    let lines = client.command("UID COPY 1:3 Archive");
    assert!(
        lines[0].starts_with("OK [COPYUID ") && lines[0].contains(" 1:3 1:3]"),
        "{lines:?}"
    );
    assert_eq!(client.ok("UID EXPUNGE 2:9"), ["* 2 EXPUNGE"]);
    assert_eq!(client.ok("EXPUNGE"), ["* 1 EXPUNGE"]);
    let lines = client.ok("MOVE 1 Trash");
    assert!(
        lines[0].starts_with("* OK [COPYUID ") && lines[0].contains(" 3 1]"),
        "{lines:?}"
    );
    assert_eq!(lines[1..], ["* 1 EXPUNGE"]);
    assert_eq!(
        client.ok("STATUS Archive (MESSAGES UIDNEXT UNSEEN SIZE)"),
        [format!(
            "* STATUS Archive (MESSAGES 3 UIDNEXT 4 UNSEEN 3 SIZE {})",
            3 * MAIL.len()
        )]
    );
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    assert!(client.ok("CLOSE").is_empty());
    assert_eq!(
        client.ok("STATUS INBOX (MESSAGES)"),
        ["* STATUS INBOX (MESSAGES 0)"]
    );
}

#[test]
fn names() {
    let server = Server::start();
    let mut client = server.login();
    assert_eq!(
        client.ok("LIST \"\" \"\""),
        ["* LIST (\\Noselect) \"/\" \"\""]
    );
    let lines = client.ok("LIST \"\" *");
    assert!(
        has(&lines, "(\\HasNoChildren \\Sent) \"/\" Sent"),
        "{lines:?}"
    );
    assert!(has(&lines, "\"/\" INBOX"), "{lines:?}");
    client.ok("CREATE work/a/b");
    client.fails("CREATE work/a", "NO [ALREADYEXISTS]");
    client.fails("DELETE inbox", "NO [CANNOT]");
    assert_eq!(
        client.ok("LIST \"\" work/%"),
        ["* LIST (\\HasChildren) \"/\" work/a"]
    );
    client.ok("DELETE work/a");
    assert_eq!(
        client.ok("LIST \"\" work/%"),
        ["* LIST (\\Noselect \\HasChildren) \"/\" work/a"]
    );
    client.ok("RENAME work Arbeit");
    client.ok("CREATE &ZeVnLIqe-");
    assert_eq!(client.ok("LIST \"\" Arbeit/*").len(), 2);
    assert_eq!(
        client.ok("LIST \"\" &ZeVnLIqe-"),
        ["* LIST (\\HasNoChildren) \"/\" &ZeVnLIqe-"]
    );
    client.ok("SUBSCRIBE Arbeit/a/b");
    client.ok("SUBSCRIBE later");
    let lines = client.ok("LSUB \"\" *");
    assert!(
        has(&lines, "Arbeit/a/b") && has(&lines, "later"),
        "{lines:?}"
    );
    let lines = client.ok("LSUB \"\" %");
    assert!(has(&lines, "* LSUB (\\Noselect) \"/\" Arbeit"), "{lines:?}");
    let lines = client.ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" Arbeit");
    assert!(
        lines[0].ends_with("Arbeit (\"CHILDINFO\" (\"SUBSCRIBED\"))"),
        "{lines:?}"
    );
    let lines = client.ok("LIST (SPECIAL-USE) \"\" * RETURN (STATUS (MESSAGES))");
    assert!(
        has(&lines, "\\Trash") && has(&lines, "* STATUS Trash (MESSAGES 0)"),
        "{lines:?}"
    );
    assert!(!has(&lines, "INBOX"), "{lines:?}");
    client.ok("UNSUBSCRIBE later");
    assert!(!has(&client.ok("LSUB \"\" *"), "later"));
    client.ok("SELECT Trash");
    client.ok("DELETE Trash");
    client.fails("CHECK", "BAD");
}

#[test]
fn appends_that_are_refused() {
    let limits = Limits {
        imap_append_octets_max: 400,
        ..Limits::default()
    };
    let server = Server::with(limits, TlsMode::Absent);
    let mut client = server.login();
    assert!(client.append("nosuch", MAIL).starts_with("NO [TRYCREATE]"));
    assert!(
        client
            .append("INBOX", &[b'a'; 401])
            .starts_with("NO [TOOBIG]")
    );
    assert!(client.append("INBOX", &[b'a'; 400]).starts_with("OK"));
    assert!(client.append("INBOX", b"").starts_with("NO"));
    // Unasked, and refused: it is read and thrown away, and the session goes on.
    client.fails("APPEND nosuch {5+}\r\nhello", "NO [TRYCREATE]");
    client.fails("APPEND INBOX {5+}\r\nhello (", "BAD");
    client.ok("NOOP");
    client.ok("APPEND INBOX {5+}\r\nhello");
    client.send("x APPEND INBOX {4294967295+}\r\n");
    let mut line = client.line();
    while !line.starts_with("* BYE") {
        assert!(line.starts_with("x "), "{line}");
        line = client.line();
    }
}

#[test]
fn pipelines_and_single_octets() {
    let server = Server::start();
    let mut client = server.login();
    client.send("1 NOOP\r\n2 CAPABILITY\r\n3 SELECT INBOX\r\n4 FETCH 1:* FLAGS\r\n");
    for tag in ["1", "2", "3", "4"] {
        assert!(client.until(tag).pop().expect("tagged").starts_with("OK"));
    }
    for octet in b"5 STATUS {5}\r\n" {
        client.send([*octet]);
    }
    assert!(client.line().starts_with('+'));
    client.send("INBOX (MESSAGES)\r\n");
    assert_eq!(client.until("5").len(), 2);
}
