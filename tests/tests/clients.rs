//! The server as programs see it that this project did not write: swaks, curl, openssl, mbsync, Python's imaplib and
//! smtplib, msmtp, smtp-source, gsasl, and a real Postfix.
//!
//! Built with `--features clients`; `.ci/install` brings the programs. A program that is missing fails its test.

#[path = "clients/logins.rs"]
mod logins;
#[path = "clients/postfix.rs"]
mod postfix;
#[path = "clients/smtp.rs"]
mod smtp;

use ringpost_tests::mail::{Sample, attached, samples};
use ringpost_tests::server::{DOMAIN, PASSWORD, Server, USUAL};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Runs a program to its end; its output, whatever its exit code.
fn run(program: &str, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} cannot be run ({error}); .ci/install brings it"));
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // A program that ends before it has read everything is judged by its exit code.
        let _unread = std::io::Write::write_all(&mut stdin, &input);
    });
    let output = child.wait_with_output().expect("a child can be waited for");
    writer.join().expect("the writer does not panic");
    output
}

/// The same, and it must succeed; its standard output.
fn done(program: &str, arguments: &[&str], input: &[u8]) -> String {
    let output = run(program, arguments, input);
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}\n{out}\n{err}",
        output.status
    );
    out.into_owned()
}

fn host_and_port(bound: &str) -> (&str, &str) {
    bound.rsplit_once(':').expect("address:port")
}

/// Messages in a mailbox, as imaplib sees them: UID to octets.
fn mailbox(server: &Server, user: &str, name: &str) -> BTreeMap<u32, Vec<u8>> {
    let (host, port) = host_and_port(server.bound("imap", "none"));
    let into = server.path("fetched");
    let script = r#"
import imaplib, sys, os
host, port, user, password, name, into = sys.argv[1:]
imaplib._MAXLINE = 1 << 26
os.makedirs(into, exist_ok=True)
for old in os.listdir(into): os.unlink(os.path.join(into, old))
m = imaplib.IMAP4(host, int(port)); m.login(user, password)
assert m.select(name, readonly=True)[0] == "OK"
uids = m.uid("SEARCH", "ALL")[1][0].split()
for uid in uids:
    data = m.uid("FETCH", uid, "(BODY.PEEK[])")[1]
    open(os.path.join(into, uid.decode()), "wb").write(data[0][1])
m.logout()
"#;
    let user = format!("{user}@{DOMAIN}");
    let into_text = into.to_str().expect("UTF-8 path");
    done(
        "python3",
        &["-c", script, host, port, &user, PASSWORD, name, into_text],
        b"",
    );
    files(&into)
        .into_iter()
        .map(|path| {
            let uid = path
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.parse().ok());
            (
                uid.expect("files are named by UID"),
                std::fs::read(&path).expect("just written"),
            )
        })
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    paths
}

#[test]
fn swaks_on_every_way_in() {
    let server = Server::start(USUAL, &["alice", "bob"]);
    let lmtp = server.path("host/lmtp.sock");
    let lmtp = lmtp.to_str().expect("UTF-8 path").to_owned();
    let auth = [
        "--auth",
        "PLAIN",
        "--auth-user",
        "bob@example.test",
        "--auth-password",
        PASSWORD,
    ];
    let (mx, submission, submissions) = (
        server.bound("smtp", "starttls"),
        server.bound("submission", "required"),
        server.bound("submission", "implicit"),
    );
    let ways: [(&str, Vec<&str>); 6] = [
        ("mx in clear", vec!["--server", mx]),
        ("mx with STARTTLS", vec!["--server", mx, "--tls"]),
        ("mx pipelined", vec!["--server", mx, "--pipeline"]),
        (
            "submission with STARTTLS",
            [&["--server", submission, "--tls"], &auth[..]].concat(),
        ),
        (
            "submission with TLS",
            [&["--server", submissions, "--tls-on-connect"], &auth[..]].concat(),
        ),
        ("lmtp", vec!["--protocol", "LMTP", "--socket", &lmtp]),
    ];
    for (subject, way) in &ways {
        let header = format!("Subject: {subject}");
        let fixed = [
            "--from",
            "bob@example.test",
            "--to",
            "alice@example.test",
            "--header",
            &header,
            "--body",
            "hello\n.dot\n..dots",
        ];
        done("swaks", &[&fixed[..], way].concat(), b"");
    }
    let mails = mailbox(&server, "alice", "INBOX");
    assert_eq!(mails.len(), ways.len());
    for ((subject, _), mail) in ways.iter().zip(mails.values()) {
        let text = String::from_utf8_lossy(mail);
        assert!(text.contains(&format!("Subject: {subject}\r\n")), "{text}");
        assert!(
            text.starts_with("Return-Path: <bob@example.test>\r\n"),
            "{text}"
        );
        assert!(
            text.contains("Delivered-To: alice@example.test\r\n"),
            "{text}"
        );
        // A submitting user's own address is nobody's business.
        let from = match *subject {
            "lmtp" => " (unix socket)\r\n",
            subject if subject.starts_with("submission") => "unknown (authenticated)\r\n",
            _ => " ([127.0.0.1])\r\n",
        };
        let received = text.lines().nth(2).expect("a third line");
        let received = format!("{received}\r\n");
        let fits = received.starts_with("Received: from ") && received.ends_with(from);
        assert!(fits, "{text}");
        assert!(text.contains("hello\r\n.dot\r\n..dots"), "{text}");
    }
}

#[test]
fn swaks_is_refused() {
    let server = Server::start(USUAL, &["alice", "bob"]);
    let (mx, submission) = (
        server.bound("smtp", "starttls"),
        server.bound("submission", "required"),
    );
    // (arguments, swaks' exit code, part of the reply)
    let cases: [(Vec<&str>, i32, &str); 5] = [
        (
            vec![
                "--server",
                mx,
                "--from",
                "x@elsewhere.example",
                "--to",
                "y@elsewhere.example",
            ],
            24,
            "550 5.7.1",
        ),
        (
            vec![
                "--server",
                mx,
                "--from",
                "x@elsewhere.example",
                "--to",
                "nobody@example.test",
            ],
            24,
            "550 5.1.1",
        ),
        (
            vec![
                "--server",
                submission,
                "--from",
                "bob@example.test",
                "--to",
                "alice@example.test",
            ],
            23,
            "530 5.7.0",
        ),
        (
            vec![
                "--server",
                submission,
                "--tls",
                "--auth",
                "PLAIN",
                "--auth-user",
                "bob@example.test",
                "--auth-password",
                "wrong",
                "--to",
                "alice@example.test",
            ],
            28,
            "535 5.7.8",
        ),
        (
            vec![
                "--server",
                submission,
                "--tls",
                "--auth",
                "PLAIN",
                "--auth-user",
                "bob@example.test",
                "--auth-password",
                PASSWORD,
                "--from",
                "bob@example.test",
                "--to",
                "y@elsewhere.example",
            ],
            24,
            "4.3.2",
        ),
    ];
    for (arguments, code, reply) in cases {
        let output = run("swaks", &arguments, b"");
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(reply), "{arguments:?}: {said}");
    }
    assert!(mailbox(&server, "alice", "INBOX").is_empty());
}

#[test]
fn curl_sends_and_reads() {
    let server = Server::start(USUAL, &["alice", "bob"]);
    let urls = [
        format!("smtp://{}", server.bound("smtp", "starttls")),
        format!("smtp://{}", server.bound("submission", "required")),
        format!("smtps://{}", server.bound("submission", "implicit")),
    ];
    let user = format!("bob@{DOMAIN}:{PASSWORD}");
    for (at, url) in urls.iter().enumerate() {
        let mail = format!(
            "From: bob@{DOMAIN}\r\nTo: alice@{DOMAIN}\r\nSubject: by curl {at}\r\n\r\nBody {at}.\r\n"
        );
        let mut arguments = vec![
            "-sS",
            "-k",
            url,
            "--mail-from",
            "bob@example.test",
            "--mail-rcpt",
            "alice@example.test",
            "-T",
            "-",
        ];
        if at > 0 {
            arguments.extend(["--ssl-reqd", "--user", &user]);
        }
        done("curl", &arguments, mail.as_bytes());
    }
    let user = format!("alice@{DOMAIN}:{PASSWORD}");
    for (scheme, tls) in [("imap", "starttls"), ("imaps", "implicit")] {
        let base = format!("{scheme}://{}", server.bound("imap", tls));
        let common = ["-sS", "-k", "--ssl-reqd", "--user", &user];
        let folders = done("curl", &[&common[..], &[&format!("{base}/")]].concat(), b"");
        for special in [
            "\\Sent",
            "\\Drafts",
            "\\Junk",
            "\\Trash",
            "\\Archive",
            "INBOX",
        ] {
            assert!(folders.contains(special), "{special}: {folders}");
        }
        let mail = done(
            "curl",
            &[&common[..], &[&format!("{base}/INBOX;MAILINDEX=2")]].concat(),
            b"",
        );
        assert!(
            mail.contains("Subject: by curl 1\r\n") && mail.ends_with("Body 1.\r\n"),
            "{mail}"
        );
        let part = done(
            "curl",
            &[&common[..], &[&format!("{base}/INBOX;UID=3;SECTION=TEXT")]].concat(),
            b"",
        );
        assert_eq!(part, "Body 2.\r\n");
        let found = done(
            "curl",
            &[
                &common[..],
                &[&format!("{base}/INBOX?SUBJECT%20%22curl%202%22")],
            ]
            .concat(),
            b"",
        );
        assert_eq!(found.trim(), "* SEARCH 3");
    }
    // APPEND, with a literal of 20 MB.
    let mut big = b"From: a@example.test\r\nSubject: big\r\n\r\n".to_vec();
    for line in 0..280_000 {
        big.extend_from_slice(format!("{line:08} {:064}\r\n", line * 7).as_bytes());
    }
    let base = format!("imaps://{}", server.bound("imap", "implicit"));
    let file = server.path("big.eml");
    std::fs::write(&file, &big).expect("writable");
    let (file, url) = (
        file.to_str().expect("UTF-8 path"),
        format!("{base}/Archive"),
    );
    done(
        "curl",
        &["-sS", "-k", "--user", &user, &url, "-T", file],
        b"",
    );
    assert_eq!(
        mailbox(&server, "alice", "Archive")
            .into_values()
            .collect::<Vec<_>>(),
        [big]
    );
}

/// Every shape of mail: in by curl, out by imaplib octet for octet, and by mbsync into a Maildir, once.
#[test]
fn mails_of_every_shape() {
    let server = Server::start(USUAL, &["alice"]);
    let url = format!("smtp://{}", server.bound("smtp", "starttls"));
    let mut sent = Vec::new();
    let mut mails = samples();
    mails.push(Sample {
        name: "twenty_megabytes",
        octets: attached(20_000_000, 20),
    });
    for Sample { name, octets } in mails {
        let file = server.path(name);
        std::fs::write(&file, &octets).expect("writable");
        let file = file.to_str().expect("UTF-8 path");
        let fixed = [
            "-sS",
            "--mail-from",
            "x@example.org",
            "--mail-rcpt",
            "alice@example.test",
        ];
        let output = run("curl", &[&fixed[..], &["-T", file, &url]].concat(), b"");
        // Without a line end a body has no end either: curl puts one there. A bare LF is refused.
        let taken = name != "bare_line_ends";
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), taken, "{name}: {said}");
        if taken {
            let end: &[u8] = if octets.is_empty() || octets.ends_with(b"\r\n") {
                b""
            } else {
                b"\r\n"
            };
            sent.push((name, [&octets[..], end].concat()));
        }
    }
    let found = mailbox(&server, "alice", "INBOX");
    assert_eq!(found.len(), sent.len());
    for ((name, octets), mail) in sent.iter().zip(found.values()) {
        assert!(mail.ends_with(octets), "{name} is altered");
        let head = String::from_utf8_lossy(&mail[..mail.len() - octets.len()]);
        assert!(
            head.starts_with("Return-Path: <x@example.org>\r\nDelivered-To: "),
            "{name}: {head}"
        );
    }
    let (host, port) = host_and_port(server.bound("imap", "none"));
    let local = server.path("maildir");
    let inbox = local.join("INBOX");
    for sub in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(inbox.join(sub)).expect("folders can be made");
    }
    let rc = mbsync_rc(&server, host, port, &local);
    for _ in 0..2 {
        done("mbsync", &["-c", &rc, "both"], b"");
        let pulled = files(&inbox.join("new")).len() + files(&inbox.join("cur")).len();
        // mbsync takes no mail whose header has no end; two samples are such.
        assert_eq!(pulled, sent.len() - 2);
    }
    assert_eq!(mailbox(&server, "alice", "INBOX"), found);
}

#[test]
fn openssl_sees_tls_everywhere() {
    let server = Server::start(USUAL, &["alice"]);
    // (listener, protocol, STARTTLS or TLS from the first octet)
    let ways = [
        ("smtp", "starttls", true),
        ("submission", "required", true),
        ("submission", "implicit", false),
        ("imap", "starttls", true),
        ("imap", "implicit", false),
    ];
    for (protocol, tls, starttls) in ways {
        let address = server.bound(protocol, tls);
        for version in ["-tls1_2", "-tls1_3"] {
            let mut arguments = vec![
                "s_client", "-connect", address, version, "-ign_eof", "-crlf",
            ];
            if starttls {
                let protocol = if protocol == "imap" { "imap" } else { "smtp" };
                arguments.extend(["-starttls", protocol]);
            }
            let (goodbye, answer) = match protocol {
                "imap" => ("a LOGOUT\n", "a OK"),
                _ => ("QUIT\n", "221 2.0.0"),
            };
            let said = done("openssl", &arguments, goodbye.as_bytes());
            assert!(said.contains(answer), "{protocol} {tls} {version}: {said}");
            assert!(
                said.contains("CN = mx.example.test"),
                "{protocol} {tls} {version}: {said}"
            );
        }
    }
}

#[test]
fn imaplib_goes_through_a_day() {
    let server = Server::start(USUAL, &["alice", "bob"]);
    let mx = server.bound("smtp", "starttls");
    let (host, port) = host_and_port(server.bound("imap", "none"));
    let script = include_str!("imaplib_day.py");
    let said = done(
        "python3",
        &[
            "-c",
            script,
            host,
            port,
            &format!("alice@{DOMAIN}"),
            PASSWORD,
            mx,
        ],
        b"",
    );
    assert_eq!(said.trim(), "the day is over");
}

/// A mail without the field that mbsync adds to what it uploads.
fn without_tuid(mail: &[u8]) -> Vec<u8> {
    let lines = mail.split_inclusive(|&octet| octet == b'\n');
    lines
        .filter(|line| !line.starts_with(b"X-TUID: "))
        .flatten()
        .copied()
        .collect()
}

/// A configuration that keeps alice's INBOX and the Maildir `local` equal; its path.
fn mbsync_rc(server: &Server, host: &str, port: &str, local: &Path) -> String {
    let local = local.to_str().expect("UTF-8 path");
    let text = format!(
        "IMAPAccount ringpost\nHost {host}\nPort {port}\nUser alice@{DOMAIN}\nPass \"{PASSWORD}\"\nSSLType None\nAuthMechs LOGIN\n\n\
         IMAPStore far\nAccount ringpost\n\nMaildirStore near\nPath {local}/\nInbox {local}/INBOX\nSubFolders Verbatim\n\n\
         Channel both\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Both\nExpunge Both\nSyncState *\nCopyArrivalDate yes\n"
    );
    let rc = server.path("mbsyncrc");
    std::fs::write(&rc, text).expect("the configuration can be written");
    rc.to_str().expect("UTF-8 path").to_owned()
}

/// Two Maildirs kept equal with a mailbox: nothing lost, nothing double, and a second run has nothing to do.
#[test]
fn mbsync_both_ways() {
    let server = Server::start(USUAL, &["alice"]);
    let (host, port) = host_and_port(server.bound("imap", "none"));
    let local = server.path("maildir");
    for sub in ["INBOX/cur", "INBOX/new", "INBOX/tmp"] {
        std::fs::create_dir_all(local.join(sub)).expect("folders can be made");
    }
    let rc = mbsync_rc(&server, host, port, &local);
    let local = local.to_str().expect("UTF-8 path");
    let sync = || done("mbsync", &["-c", &rc, "both"], b"");

    // 250 on each side.
    let mail = |side: &str, at: usize| {
        format!(
            "From: {side}{at}@example.org\r\nTo: alice@{DOMAIN}\r\nSubject: =?UTF-8?Q?{side}_{at}_=C3=A4?=\r\n\
             Message-ID: <{side}.{at}@example.org>\r\n\r\n{}",
            format!("Line of {side} {at}.\r\n").repeat(at % 40)
        )
    };
    for at in 0..250 {
        let name = format!(
            "INBOX/cur/{}.{at}.near:2,{}",
            1_700_000_000 + at,
            if at % 3 == 0 { "S" } else { "" }
        );
        // A Maildir has local line ends.
        std::fs::write(
            Path::new(local).join(name),
            mail("near", at).replace("\r\n", "\n"),
        )
        .expect("writable");
    }
    let append = r#"
import imaplib, sys
host, port, user, password = sys.argv[1:]
m = imaplib.IMAP4(host, int(port)); m.login(user, password)
for block in sys.stdin.buffer.read().split(b"\0"):
    assert m.append("INBOX", "(\\Flagged)", None, block)[0] == "OK"
m.logout()
"#;
    let far: Vec<_> = (0..250).map(|at| mail("far", at)).collect();
    done(
        "python3",
        &[
            "-c",
            append,
            host,
            port,
            &format!("alice@{DOMAIN}"),
            PASSWORD,
        ],
        far.join("\0").as_bytes(),
    );

    sync();
    let near = || {
        let mut found = files(&Path::new(local).join("INBOX/cur"));
        found.extend(files(&Path::new(local).join("INBOX/new")));
        found
    };
    let far = || mailbox(&server, "alice", "INBOX");
    assert_eq!((near().len(), far().len()), (500, 500));
    let mails: Vec<_> = far()
        .into_values()
        .map(|octets| without_tuid(&octets))
        .collect();
    for side in ["near", "far"] {
        for at in 0..250 {
            let sent = mail(side, at);
            let same = mails.iter().filter(|octets| **octets == sent.as_bytes());
            assert_eq!(same.count(), 1, "{side} {at}");
        }
    }

    // Nothing to do the second time.
    let listing = || {
        near()
            .into_iter()
            .map(|path| path.file_name().expect("a file").to_owned())
            .collect::<Vec<_>>()
    };
    let before = (listing(), far());
    sync();
    assert_eq!(before, (listing(), far()));

    // Flags and removals go both ways.
    let flagged = near()
        .into_iter()
        .find(|path| path.to_string_lossy().ends_with(":2,"))
        .expect("an unseen one");
    std::fs::rename(&flagged, flagged.to_string_lossy().replace(":2,", ":2,RS")).expect("renamed");
    let removed = near()
        .into_iter()
        .find(|path| path.to_string_lossy().ends_with(":2,S"))
        .expect("a seen one");
    std::fs::remove_file(&removed).expect("removed");
    let change = r#"
import imaplib, sys
host, port, user, password = sys.argv[1:]
m = imaplib.IMAP4(host, int(port)); m.login(user, password); m.select("INBOX")
uid = m.uid("SEARCH", "HEADER", "Message-ID", "far.7@example.org")[1][0]
assert m.uid("STORE", uid, "+FLAGS", "(\\Deleted)")[0] == "OK"
assert m.expunge()[0] == "OK"
m.logout()
"#;
    done(
        "python3",
        &[
            "-c",
            change,
            host,
            port,
            &format!("alice@{DOMAIN}"),
            PASSWORD,
        ],
        b"",
    );
    sync();
    assert_eq!((near().len(), far().len()), (498, 498));
    let answered = r#"
import imaplib, sys
host, port, user, password = sys.argv[1:]
m = imaplib.IMAP4(host, int(port)); m.login(user, password); m.select("INBOX")
print(len(m.uid("SEARCH", "ANSWERED")[1][0].split()))
m.logout()
"#;
    let count = done(
        "python3",
        &[
            "-c",
            answered,
            host,
            port,
            &format!("alice@{DOMAIN}"),
            PASSWORD,
        ],
        b"",
    );
    assert_eq!(count.trim(), "1");
    let before = (listing(), far());
    sync();
    assert_eq!(before, (listing(), far()));
}
