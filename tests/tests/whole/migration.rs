//! Import and export through the command line, with a server and without; killed in the middle, and begun again.

use ringpost_tests::client::Client;
use ringpost_tests::random::Random;
use ringpost_tests::server::{DOMAIN, Listen, PASSWORD, PATIENCE, Server, program};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

const LISTENERS: &[Listen] = &[Listen {
    protocol: "imap",
    tls: "none",
    bind: "127.0.0.1:0",
}];

/// Mails of the Maildir that is imported while processes are killed.
const MAILS: usize = 6_000;
const KILLS: usize = 6;
const SEED: u64 = 0x6d61;

/// A Maildir with two folders.
fn maildir(server: &Server) -> PathBuf {
    let root = server.path("Maildir");
    for (name, octets) in [
        ("cur/1.a:2,FS", "Subject: one\n\nx\n"),
        ("new/2.b", "Subject: two\n\n"),
        (".Entw&APw-rfe/cur/3.c:2,Da", "Subject: three\n\n"),
        (".Entw&APw-rfe/dovecot-keywords", "0 Work\n"),
        (".Spam/new/4.d", "Subject: spam\n\n"),
    ] {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("below the root")).expect("writable");
        fs::write(path, octets).expect("writable");
    }
    root
}

fn login(server: &Server) -> Client {
    let mut client = Client::connect(server.address("imap", "none"));
    client.line();
    client.imap_ok(&format!("LOGIN alice@{DOMAIN} \"{PASSWORD}\""));
    client
}

/// What IMAP shows of a mailbox: flags and octets of each message.
fn fetch(client: &mut Client, mailbox: &str) -> Vec<String> {
    client.imap_ok(&format!("SELECT {mailbox}"));
    let lines = client.imap_ok("FETCH 1:* (FLAGS BODY.PEEK[])");
    let lines = lines.into_iter();
    lines.filter(|line| line.contains(" FETCH (")).collect()
}

fn check(server: &Server) {
    let mut client = login(server);
    let inbox = fetch(&mut client, "INBOX");
    assert_eq!(inbox.len(), 2, "{inbox:?}");
    assert!(inbox[0].contains("\\Flagged") && inbox[0].contains("\\Seen"));
    assert!(inbox[0].contains("Subject: one\r\n\r\nx\r\n"), "{inbox:?}");
    assert!(inbox[1].contains("Subject: two\r\n\r\n"), "{inbox:?}");
    let drafts = fetch(&mut client, "Entw&APw-rfe");
    assert!(
        drafts[0].contains("\\Draft") && drafts[0].contains("Work"),
        "{drafts:?}"
    );
    let junk = fetch(&mut client, "Junk");
    assert!(junk[0].contains("Subject: spam"), "{junk:?}");
}

fn ringpost(server: &Server, arguments: &[&str]) -> Output {
    let mut command = Command::new(program("ringpost"));
    let command = command.args(arguments).arg("--config").arg(server.config());
    command.output().expect("ringpost can be started")
}

/// Imports, exports and imports again; `with` says whether a server runs.
fn there_and_back(with: bool) {
    let mut server = Server::prepare(LISTENERS, &["alice", "bob"], "");
    let root = maildir(&server);
    let root = root.to_str().expect("UTF-8 path");
    let alice = format!("alice@{DOMAIN}");
    if with {
        server.serve();
    }
    let import = ["import", "maildir", root, "--account", &alice];
    let dry = server.command(&[&import[..], &["--dry-run"]].concat(), "");
    assert!(dry.contains("4 mails to import"), "{dry}");
    let said = server.command(&import, "");
    assert!(
        said.contains(&format!("{alice}: 4 mails imported")),
        "{said}"
    );
    let again = server.command(&[&import[..], &["--json"]].concat(), "");
    let again: serde_json::Value = serde_json::from_str(&again).expect("JSON");
    let known = again["folders"].as_array().expect("a list").iter();
    assert_eq!(
        known
            .map(|folder| folder["known"].as_u64().expect("a number"))
            .sum::<u64>(),
        4
    );
    for (format, bob) in [("maildir", "bob/m"), ("mbox", "bob/b")] {
        let out = server.path(format);
        let out = out.to_str().expect("UTF-8 path");
        let said = server.command(&["export", format, out, "--account", &alice], "");
        assert!(said.ends_with("4 mails exported\n"), "{said}");
        let bobs = format!("bob@{DOMAIN}");
        let back = ["import", format, out, "--account", &bobs, "--into", bob];
        let said = server.command(&back, "");
        assert!(said.contains("4 mails imported"), "{said}");
    }
    // What is not well, not understood, or not there.
    let cases: &[(&[&str], i32)] = &[
        (
            &[
                "import",
                "maildir",
                root,
                "--account",
                "nobody@example.test",
            ],
            1,
        ),
        (
            &["import", "maildir", "/nonexistent", "--account", &alice],
            1,
        ),
        (&["import", "maildir", root], 2),
        (
            &[
                "import",
                "mbox",
                root,
                "--account",
                &alice,
                "--dialect",
                "x",
            ],
            2,
        ),
        (
            &[
                "export",
                "maildir",
                root,
                "--account",
                &alice,
                "--mailbox",
                "None",
            ],
            1,
        ),
    ];
    for (arguments, code) in cases {
        let output = ringpost(&server, arguments);
        assert_eq!(
            output.status.code(),
            Some(*code),
            "{arguments:?} {output:?}"
        );
    }
    std::os::unix::fs::symlink("/etc/passwd", Path::new(root).join("cur/9.z:2,")).expect("linked");
    let output = ringpost(&server, &import);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("9.z:2,: a symbolic link"), "{errors}");
    if !with {
        server.serve();
    }
    check(&server);
    assert!(server.stop().success());
}

#[test]
fn mail_goes_in_and_out_while_the_server_runs() {
    there_and_back(true);
}

#[test]
fn mail_goes_in_and_out_without_a_server() {
    there_and_back(false);
}

fn many(server: &Server) -> String {
    let cur = server.path("Maildir/cur");
    fs::create_dir_all(&cur).expect("writable");
    for number in 0..MAILS {
        let mail = format!("Subject: message {number}\n\nx\n");
        fs::write(cur.join(format!("{number:05}.x:2,")), mail).expect("writable");
    }
    server
        .path("Maildir")
        .to_str()
        .expect("UTF-8 path")
        .to_owned()
}

/// `ringpost import`, begun.
fn begin(server: &Server, source: &str) -> Child {
    let mut command = Command::new(program("ringpost"));
    command
        .args(["import", "maildir", source, "--json", "--account"])
        .arg(format!("alice@{DOMAIN}"))
        .arg("--config")
        .arg(server.config())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().expect("ringpost can be started")
}

/// Looks at the journal until it has grown, and then `looks` times more, or the import has ended.
fn wait_for_growth(server: &Server, import: &mut Child, looks: usize) {
    let journal = server.path("host/data/import.journal");
    let octets = || fs::metadata(&journal).map_or(0, |metadata| metadata.len());
    let (before, deadline) = (octets(), Instant::now() + PATIENCE);
    let ended = |import: &mut Child| import.try_wait().expect("a child").is_some();
    while octets() == before && !ended(import) {
        assert!(Instant::now() < deadline, "the import does nothing");
        std::thread::yield_now();
    }
    for _ in 0..looks {
        std::hint::black_box(octets());
    }
}

/// Every mail once.
fn all_once(server: &Server) {
    let mut client = login(server);
    client.imap_ok("SELECT INBOX");
    let lines = client.imap_ok("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
    let numbers: Vec<usize> = lines
        .iter()
        .filter_map(|line| line.split("Subject: message ").nth(1))
        .map(|rest| {
            rest.split('\r')
                .next()
                .expect("a number")
                .parse()
                .expect("a number")
        })
        .collect();
    let set: BTreeSet<usize> = numbers.iter().copied().collect();
    assert_eq!((numbers.len(), set.len()), (MAILS, MAILS), "each once");
}

#[test]
fn an_import_that_is_killed_goes_on() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED);
    let mut server = Server::prepare(LISTENERS, &["alice"], "");
    let source = many(&server);
    for _ in 0..KILLS {
        let mut import = begin(&server, &source);
        wait_for_growth(&server, &mut import, random.below(3_000));
        // An error here means that it has ended already.
        let _ended = import.kill();
        import.wait().expect("a child can be waited for");
    }
    server.command(
        &[
            "import",
            "maildir",
            &source,
            "--account",
            &format!("alice@{DOMAIN}"),
        ],
        "",
    );
    server.serve();
    all_once(&server);
    assert!(server.stop().success());
}

#[test]
fn a_server_that_is_killed_while_it_imports_goes_on() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED + 1);
    let mut server = Server::prepare(LISTENERS, &["alice"], "");
    let source = many(&server);
    for round in 0..KILLS {
        server.serve();
        let mut import = begin(&server, &source);
        wait_for_growth(&server, &mut import, random.below(3_000));
        // Drained, or killed.
        match round % 3 {
            0 => server.stop(),
            _ => server.kill(),
        };
        import.wait().expect("a child can be waited for");
    }
    server.serve();
    server.command(
        &[
            "import",
            "maildir",
            &source,
            "--account",
            &format!("alice@{DOMAIN}"),
        ],
        "",
    );
    all_once(&server);
    assert!(server.stop().success());
}
