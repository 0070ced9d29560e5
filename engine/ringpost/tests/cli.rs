//! The program as its operator meets it: files, exit codes, a server's life.

mod house;

use house::{House, PATIENCE, Server, expect, imap, run, smtp, text};
use rustix::process::Signal;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

#[test]
fn init_lays_out_a_folder_once() {
    let house = House::new();
    for file in ["ringpost.toml", "tls/cert.pem", "tls/key.pem", "data"] {
        assert!(house.path(file).exists(), "{file}");
    }
    use std::os::unix::fs::PermissionsExt;
    let mode = |file| {
        fs::metadata(house.path(file))
            .expect("there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode("tls/key.pem"), mode("data")), (0o600, 0o700));
    expect(
        &house.run(&["config", "check"], ""),
        0,
        "ringpost.toml: ok",
        "",
    );

    let path = house.dir.path().to_str().expect("UTF-8");
    let again = [
        "init",
        "--dir",
        path,
        "--hostname",
        "mx.example.test",
        "--domain",
        "example.test",
    ];
    let before = fs::read(&house.config).expect("reads");
    expect(
        &run(&again, ""),
        1,
        "",
        "is there already; nothing is overwritten",
    );
    assert_eq!(fs::read(&house.config).expect("reads"), before);
}

#[test]
fn init_prints_the_records_to_publish() {
    let dir = tempfile::tempdir().expect("a scratch folder");
    let path = dir.path().join("new/house");
    let path = path.to_str().expect("UTF-8");
    let output = run(
        &[
            "init",
            "--dir",
            path,
            "--hostname",
            "mx.example.org",
            "--domain",
            "example.org",
            "--domain",
            "example.net",
        ],
        "",
    );
    expect(&output, 0, "_submissions._tcp.example.net.", "");
    for record in [
        "MX   10 mx.example.org.",
        "TXT  \"v=spf1 mx -all\"",
        "\"v=DMARC1; p=none; rua=mailto:postmaster@example.org\"",
        "SRV  0 1 993 mx.example.org.",
        "SRV  10 1 587 mx.example.org.",
    ] {
        assert!(text(&output.stdout).contains(record), "{record}");
    }
    let config = format!("{path}/ringpost.toml");
    let records = run(
        &[
            "dns",
            "records",
            "example.net",
            "--json",
            "--config",
            &config,
        ],
        "",
    );
    expect(
        &records,
        0,
        r#"{"name":"example.net.","type":"MX","value":"10 mx.example.org."}"#,
        "",
    );
    let records = run(&["dns", "records", "example.com", "--config", &config], "");
    expect(&records, 1, "", "example.com is not in");
}

#[test]
fn usage_errors_are_2() {
    for arguments in [
        &["frobnicate"][..],
        &["init", "--dir", "x"],
        &[
            "init",
            "--dir",
            "x",
            "--hostname",
            "[192.0.2.1]",
            "--domain",
            "example.org",
        ],
        &["account", "add"],
        &["queue", "frobnicate"],
        &["account", "app-password", "add", "a@example.test"],
        &[
            "account",
            "add",
            "noaddress",
            "--password-stdin",
            "--config",
            "/nonexistent",
        ],
    ] {
        let code = run(arguments, "").status.code();
        let expected = if arguments.contains(&"/nonexistent") {
            1
        } else {
            2
        };
        assert_eq!(code, Some(expected), "{arguments:?}");
    }
}

#[test]
fn a_bad_configuration_is_told_by_file_line_and_column() {
    let house = House::new();
    let check = || house.run(&["config", "check"], "");
    house.append("smtp_recipient_max = 1\n");
    let lines = fs::read_to_string(&house.config)
        .expect("reads")
        .lines()
        .count();
    let place = format!(
        "ringpost.toml:{lines}:1: unknown key \"smtp_recipient_max\" in [limits]; did you mean \"smtp_recipients_max\"?"
    );
    expect(&check(), 1, "", &place);
    expect(&house.run(&["serve"], ""), 1, "", &place);
    let missing = run(
        &["config", "check", "--config", "/nonexistent/ringpost.toml"],
        "",
    );
    expect(
        &missing,
        1,
        "",
        "/nonexistent/ringpost.toml: cannot be read",
    );
}

#[test]
fn a_bad_certificate_is_told() {
    let house = House::new();
    for arguments in [&["config", "check"][..], &["serve"]] {
        fs::write(house.path("tls/cert.pem"), "not a certificate").expect("writes");
        let output = house.run(arguments, "");
        expect(&output, 1, "", "tls/cert.pem");
        fs::remove_file(house.path("tls/cert.pem")).expect("removes");
        let output = house.run(arguments, "");
        expect(&output, 1, "", "[tls] certificate cannot be read");
    }
    let other = House::new();
    fs::copy(other.path("tls/cert.pem"), house.path("tls/cert.pem")).expect("copies");
    expect(&house.run(&["config", "check"], ""), 1, "", "[tls] in");
}

#[test]
fn accounts_and_aliases_without_a_server() {
    let house = House::new();
    let add = |name: &str, password: &str| {
        house.run(&["account", "add", name, "--password-stdin"], password)
    };
    expect(
        &add("alice@example.test", "open sesame\n"),
        0,
        "account alice@example.test added",
        "",
    );
    expect(&add("bob@example.test", "twelve dwarfs"), 0, "", "");
    expect(
        &add("ALICE@example.test", "twelve dwarfs"),
        1,
        "",
        "exists already",
    );
    expect(
        &add("alice@elsewhere.example", "twelve dwarfs"),
        1,
        "",
        "not of a local domain",
    );
    expect(
        &add("carol@example.test", ""),
        1,
        "",
        "the password is empty",
    );
    expect(
        &add("carol@example.test", "seven!!\n"),
        1,
        "",
        "fewer than 8 characters",
    );
    expect(&add("carol", "x"), 2, "", "is not an address");
    let passwd = [
        "account",
        "passwd",
        "alice@example.test",
        "--password-stdin",
    ];
    expect(&house.run(&passwd, "new sesame"), 0, "changed", "");

    let alias = [
        "alias",
        "add",
        "sales@example.test",
        "alice@example.test",
        "bob@example.test",
    ];
    expect(&house.run(&alias, ""), 0, "leads to", "");
    let alias = ["alias", "add", "loop@example.test", "nobody@example.test"];
    expect(
        &house.run(&alias, ""),
        1,
        "",
        "neither an account nor an alias",
    );
    expect(
        &house.run(&["alias", "list", "--json"], ""),
        0,
        r#"[{"name":"sales@example.test","targets":["alice@example.test","bob@example.test"]}]"#,
        "",
    );
    expect(
        &house.run(&["alias", "remove", "sales@example.test"], ""),
        0,
        "removed",
        "",
    );
    expect(
        &house.run(&["alias", "remove", "sales@example.test"], ""),
        1,
        "",
        "no alias",
    );

    expect(
        &house.run(&["account", "remove", "bob@example.test"], ""),
        0,
        "removed",
        "",
    );
    expect(
        &house.run(&["account", "remove", "bob@example.test"], ""),
        1,
        "",
        "no account",
    );
    let list = house.run(&["account", "list", "--json"], "");
    expect(
        &list,
        0,
        r#"[{"id":1,"name":"alice@example.test","mailboxes":6,"#,
        "",
    );
    let quota = ["account", "quota", "alice@example.test", "--octets", "1000"];
    expect(
        &house.run(&quota, ""),
        0,
        "quota of alice@example.test changed",
        "",
    );
    let quota = ["account", "quota", "alice@example.test", "--messages", "7"];
    expect(&house.run(&quota, ""), 0, "changed", "");
    let nothing = ["account", "quota", "alice@example.test"];
    expect(&house.run(&nothing, ""), 2, "", "--octets");
    let list = house.run(&["account", "list"], "");
    expect(
        &list,
        0,
        "6 mailboxes         0 messages of 7             0 octets of 1000",
        "",
    );
}

#[test]
fn app_passwords() {
    let house = House::new();
    let alice = "alice@example.test";
    let app = |verb: &str, more: &[&str]| {
        let command = [&["account", "app-password", verb, alice], more].concat();
        house.run(&command, "")
    };
    let none = app("add", &["--name", "phone"]);
    expect(&none, 1, "", "there is no account alice@example.test");
    let added = house.run(
        &["account", "add", alice, "--password-stdin"],
        "twelve dwarfs\n",
    );
    expect(&added, 0, "added", "");
    let made = app("add", &["--name", "phone", "--scope", "imap"]);
    expect(&made, 0, "This is shown once", "");
    let shown = text(&made.stdout);
    let password = shown.lines().next().expect("the password first");
    assert_eq!(
        password.split('-').map(str::len).collect::<Vec<_>>(),
        [5, 5, 5, 5, 6]
    );
    let again = app("add", &["--name", "phone"]);
    expect(&again, 1, "", "phone exists already");
    expect(
        &app("add", &["--name", "a\nb"]),
        1,
        "",
        "is no name for an app password",
    );
    expect(&app("add", &["--name", "desk"]), 0, "", "");
    let unknown = app("add", &["--name", "tv", "--scope", "pop"]);
    expect(&unknown, 2, "", "imap");
    let listed = text(&app("list", &[]).stdout);
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines[0].starts_with("phone  imap "), "{listed}");
    assert!(lines[1].starts_with("desk   smtp imap sieve "), "{listed}");
    assert!(lines[1].ends_with("last used never"), "{listed}");
    expect(&app("remove", &["--name", "phone"]), 0, "removed", "");
    let gone = app("remove", &["--name", "phone"]);
    expect(&gone, 1, "", "there is no app password phone");
    // A name is kept in its plain letters, and found in those it was given in.
    expect(&app("add", &["--name", "\u{2168}"]), 0, "", "");
    expect(&app("add", &["--name", "IX"]), 1, "", "exists already");
    expect(&app("remove", &["--name", "\u{2168}"]), 0, "removed", "");
    let listed = text(&app("list", &["--json"]).stdout);
    assert!(
        listed.contains("\"desk\"") && !listed.contains("phone"),
        "{listed}"
    );
    assert!(!listed.contains("sha256"), "no hash is shown");
}

#[test]
fn a_server_takes_mail_and_shows_it() {
    let house = House::new();
    let add = ["account", "add", "alice@example.test", "--password-stdin"];
    expect(&house.run(&add, "open sesame\n"), 0, "added", "");
    let server = Server::start(&["serve", "--config", &house.config]);
    let answers = smtp(
        server.address("smtp"),
        &[
            "EHLO client.example\r\n",
            "MAIL FROM:<you@example.org>\r\n",
            "RCPT TO:<Alice+shop@example.test>\r\n",
            "RCPT TO:<postmaster>\r\n",
            "RCPT TO:<nobody@example.test>\r\n",
            "DATA\r\n",
            "Subject: hello\r\n\r\nIt works.\r\n.\r\n",
            "QUIT\r\n",
        ],
    );
    let codes: Vec<&str> = answers.iter().filter_map(|line| line.get(..4)).collect();
    assert_eq!(codes.last(), Some(&"221 "), "{answers:?}");
    assert_eq!(
        codes[codes.len() - 3..],
        ["354 ", "250 ", "221 "],
        "{answers:?}"
    );
    assert_eq!(
        codes.iter().filter(|code| **code == "550 ").count(),
        1,
        "{answers:?}"
    );
    let answers = imap(
        server.address("imap"),
        &[
            "a LOGIN alice@example.test \"open sesame\"\r\n",
            "a SELECT INBOX\r\n",
            "a FETCH 1 BODY[TEXT]\r\n",
            "a LOGOUT\r\n",
        ],
    )
    .concat();
    assert!(
        answers.contains("* 1 EXISTS"),
        "one mail though two addresses: {answers}"
    );
    assert!(answers.contains("It works.\r\n"), "{answers}");
    assert_eq!(server.stop(), Some(0));
    let list = house.run(&["account", "list", "--json"], "");
    assert!(
        !text(&list.stdout).contains("\"octets\":0"),
        "the mail is there after the end"
    );
}

#[test]
fn commands_reach_a_running_server() {
    let house = House::new();
    let server = Server::start(&["serve", "--config", &house.config]);
    let add = ["account", "add", "alice@example.test", "--password-stdin"];
    expect(&house.run(&add, "first-word"), 0, "added", "");
    expect(&house.run(&add, "first-word"), 1, "", "exists already");
    let login = |password: &str| {
        let line = format!("a LOGIN alice@example.test {password}\r\n");
        let answers = imap(server.address("imap"), &[&line, "a LOGOUT\r\n"]);
        answers
            .iter()
            .any(|line| line.starts_with("a OK") && !line.contains("LOGOUT"))
            && !answers.iter().any(|line| line.starts_with("a NO"))
    };
    assert!(login("first-word"));
    let passwd = [
        "account",
        "passwd",
        "alice@example.test",
        "--password-stdin",
    ];
    expect(&house.run(&passwd, "second-word"), 0, "changed", "");
    assert!(
        !login("first-word"),
        "a remembered login ends with its password"
    );
    assert!(login("second-word"));
    expect(
        &house.run(&["account", "list"], ""),
        0,
        "alice@example.test",
        "",
    );
    assert_eq!(server.stop(), Some(0));
    assert!(!house.path("data/control.sock").exists());
}

#[test]
fn the_store_tells_how_it_is() {
    let house = House::new();
    let status = ["store", "status"];
    expect(&house.run(&status, ""), 0, "state        well\n", "");
    let add = ["account", "add", "alice@example.test", "--password-stdin"];
    expect(&house.run(&add, "open sesame\n"), 0, "added", "");
    // More room than any disk has: new mail is refused before it comes, and everyone is told.
    let serve = [
        "serve",
        "--config",
        &house.config,
        "--set",
        "limits.disk_free_octets_min=9000000000000000000",
    ];
    let server = Server::start(&serve);
    expect(&house.run(&status, ""), 1, "degraded", "make room");
    let json = [&status[..], &["--json"]].concat();
    expect(&house.run(&json, ""), 1, "\"state\":\"degraded\"", "");
    let answers = smtp(
        server.address("smtp"),
        &[
            "EHLO client.example\r\n",
            "MAIL FROM:<you@example.org>\r\n",
            "QUIT\r\n",
        ],
    );
    assert!(
        answers[answers.len() - 2].starts_with("452 4.3.1 "),
        "{answers:?}"
    );
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let house = House::new();
    let server = Server::start(&["serve", "--config", &house.config]);
    let pid = server.child.id().to_string();
    expect(&house.run(&["serve"], ""), 3, "", &pid);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn an_occupied_port_is_told() {
    let house = House::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let listener = format!("listener=[{{protocol=\"smtp\",bind=\"{address}\"}}]");
    let output = house.run(&["serve", "--set", &listener], "");
    expect(&output, 1, "", &format!("cannot listen on {address}"));
}

/// A certificate's octets.
fn der(file: &Path) -> Vec<u8> {
    let pem = fs::read(file).expect("reads");
    let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).expect("PEM");
    pem.contents
}

/// Whether the next handshake serves this certificate: TLS 1.2 shows it in clear, so a ClientHello will do.
fn shows_certificate(server: &Server, der: &[u8]) -> bool {
    const EXTENSIONS: &[u8] = &[
        0, 10, 0, 4, 0, 2, 0, 23, // groups: P-256
        0, 11, 0, 2, 1, 0, // points: uncompressed
        0, 13, 0, 4, 0, 2, 4, 3, // signatures: ECDSA with SHA-256
        0, 23, 0, 0, // extended master secret
    ];
    let mut body = vec![3, 3];
    body.extend([7; 32]); // random
    body.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]); // no session, ECDHE-ECDSA-AES128-GCM-SHA256, no compression
    body.extend([0, EXTENSIONS.len() as u8]);
    body.extend(EXTENSIONS);
    let mut hello = vec![22, 3, 1, 0, body.len() as u8 + 4, 1, 0, 0, body.len() as u8];
    hello.extend(body);

    let mut stream = TcpStream::connect(server.address("smtp")).expect("accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut said = Vec::new();
    let mut octets = [0; 4096];
    let mut until = |stream: &mut TcpStream, end: &[u8]| loop {
        match stream.read(&mut octets).expect("reads") {
            0 => return false,
            count => said.extend_from_slice(&octets[..count]),
        }
        if said.windows(end.len()).any(|window| window == end) {
            return true;
        }
    };
    stream.write_all(b"STARTTLS\r\n").expect("writes");
    assert!(until(&mut stream, b"220 2.0.0"));
    stream.write_all(&hello).expect("writes");
    // ServerHelloDone ends the server's part: what has not come by then does not come.
    stream.shutdown(std::net::Shutdown::Write).expect("shuts");
    until(&mut stream, der)
}

#[test]
fn reload_swaps_what_is_good_and_refuses_what_is_bad() {
    let house = House::new();
    let server = Server::start(&["serve", "--config", &house.config]);
    let recipient = |domain: &str| {
        let lines = ["EHLO c\r\n", "MAIL FROM:<>\r\n", "RCPT TO:<x@"];
        let rcpt = format!("{}{domain}>\r\n", lines[2]);
        let answers = smtp(
            server.address("smtp"),
            &[lines[0], lines[1], &rcpt, "QUIT\r\n"],
        );
        answers[answers.len() - 2].clone()
    };
    let add = ["account", "add", "x@example.test", "--password-stdin"];
    expect(&house.run(&add, "open sesame"), 0, "", "");
    assert!(recipient("example.test").starts_with("250"));
    assert!(recipient("new.test").starts_with("550 5.7.1"));

    let old_certificate = der(&house.path("tls/cert.pem"));
    let good = fs::read_to_string(&house.config).expect("reads");
    house.append("[[domain]]\nnam = \"new.test\"\n");
    server.signal(Signal::HUP);
    let told = server.until("not reloaded").concat();
    assert!(told.contains("unknown key \"nam\" in [domain]"), "{told}");
    assert!(recipient("example.test").starts_with("250"));

    let better =
        "message_octets_max = 1000000\ntls_handshake_ms = 5000\n[[domain]]\nname = \"new.test\"\n";
    fs::write(&house.config, good + better).expect("writes");
    fs::write(house.path("tls/key.pem"), "not a key").expect("writes");
    server.signal(Signal::HUP);
    server.until("not reloaded");
    assert!(
        recipient("new.test").starts_with("550 5.7.1"),
        "all or nothing"
    );

    let other = House::new();
    for file in ["tls/cert.pem", "tls/key.pem"] {
        fs::copy(other.path(file), house.path(file)).expect("copies");
    }
    assert!(shows_certificate(&server, &old_certificate));
    server.signal(Signal::HUP);
    let told = server.until("reloaded").concat();
    assert!(
        told.contains("[limits] tls_handshake_ms changed: it comes into force with the next start"),
        "{told}"
    );
    let new_certificate = der(&house.path("tls/cert.pem"));
    assert_ne!(old_certificate, new_certificate);
    assert!(shows_certificate(&server, &new_certificate));
    let answers = smtp(server.address("smtp"), &["EHLO c\r\n", "QUIT\r\n"]);
    assert!(
        answers.iter().any(|line| line.contains("SIZE 1000000")),
        "{answers:?}"
    );
    assert!(
        recipient("new.test").starts_with("550 5.1.1"),
        "{}",
        recipient("new.test")
    );
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn draining_waits_a_bounded_time() {
    let house = House::new();
    let server = Server::start(&[
        "serve",
        "--config",
        &house.config,
        "--set",
        "limits.drain_ms=1",
    ]);
    // A transaction that never ends.
    let mut stream = TcpStream::connect(server.address("smtp")).expect("accepts");
    stream
        .write_all(b"EHLO c\r\nMAIL FROM:<>\r\n")
        .expect("writes");
    let mut octet = [0];
    stream.read_exact(&mut octet).expect("a greeting");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn demo_runs_and_leaves_nothing_behind() {
    let mut server = Server::start(&["demo"]);
    let stdout = server.child.stdout.take().expect("a pipe");
    let mut lines = BufReader::new(stdout).lines();
    let folder = lines.find_map(|line| {
        let line = line.expect("reads");
        line.split_once("Files are in ")
            .map(|(_, dir)| dir.trim_end_matches('.').to_owned())
    });
    let folder = folder.expect("the demo says where its files are");
    assert!(Path::new(&folder).join("ringpost.toml").exists());
    let password = lines.find_map(|line| {
        let line = line.expect("reads");
        line.split_once("alice@example.test  password ")
            .map(|(_, word)| word.to_owned())
    });
    let login = format!(
        "a LOGIN alice@example.test {}\r\n",
        password.expect("a password")
    );
    let answers = imap(server.address("imap"), &[&login, "a LOGOUT\r\n"]).concat();
    assert!(answers.contains("a OK"), "{answers}");
    server.signal(Signal::INT);
    assert_eq!(server.child.wait().expect("it ends").code(), Some(0));
    assert!(!Path::new(&folder).exists());
}
