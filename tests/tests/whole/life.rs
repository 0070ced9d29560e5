//! A server's life: start refused with a reason, reload, drain.

use ringpost_tests::client::Client;
use ringpost_tests::server::{DOMAIN, Listen, PASSWORD, Server, program};
use std::process::{Command, Output};

const LISTENERS: &[Listen] = &[
    Listen {
        protocol: "smtp",
        tls: "starttls",
        bind: "127.0.0.1:0",
    },
    Listen {
        protocol: "imap",
        tls: "none",
        bind: "127.0.0.1:0",
    },
];

/// Runs `ringpost serve` on the configuration of `server`, which must refuse.
fn refused(server: &Server) -> (Option<i32>, String) {
    let output: Output = Command::new(program("ringpost"))
        .args(["serve", "--config"])
        .arg(server.config())
        .output()
        .expect("ringpost can be started");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    (output.status.code(), text)
}

fn messages(server: &Server) -> String {
    let mut client = Client::connect(server.address("imap", "none"));
    client.line();
    client.imap_ok(&format!("LOGIN alice@{DOMAIN} \"{PASSWORD}\""));
    client.imap_ok("STATUS INBOX (MESSAGES)").remove(0)
}

/// SIGTERM while a mail is arriving: it is taken, nobody else is, and the process ends well.
#[test]
fn drain_lets_a_transaction_finish() {
    let mut server = Server::prepare(LISTENERS, &["alice"], "[limits]\ndrain_ms = 30000\n");
    server.serve();
    let address = server.address("smtp", "starttls");
    let mut idle = Client::connect(address);
    idle.reply();
    let mut client = Client::connect(address);
    client.reply();
    client.expect("EHLO x", 250);
    client.expect("MAIL FROM:<a@example.org>", 250);
    client.expect(&format!("RCPT TO:<alice@{DOMAIN}>"), 250);
    client.expect("DATA", 354);
    client.send("Subject: half\r\n\r\nfirst half\r\n");
    server.signal(libc::SIGTERM);
    // The idle session is told; then the drain has begun.
    assert_eq!(idle.reply().0, 421);
    assert!(idle.is_closed());
    client.send("second half\r\n.\r\n");
    assert_eq!(client.reply().0, 250);
    assert!(client.try_reply().map_or(true, |(code, _)| code == 421));
    drop(client);
    assert!(server.wait().success(), "{:#?}", server.lines());
    assert!(
        Client::try_connect(address).is_err(),
        "nobody listens any more"
    );
    server.serve();
    assert_eq!(messages(&server), "* STATUS INBOX (MESSAGES 1)");
    assert!(server.stop().success());
}

/// SIGHUP: a good configuration is in force for the next connection, a bad one is refused and the old one stays.
#[test]
fn reload_takes_the_good_and_refuses_the_bad() {
    let mut server = Server::prepare(LISTENERS, &["alice"], "");
    server.serve();
    let offered = |server: &Server| {
        let mut client = Client::connect(server.address("smtp", "starttls"));
        client.reply();
        client.expect("EHLO x", 250)
    };
    server.configure("[limits]\nmessage_octets_max = 12345\n");
    server.signal(libc::SIGHUP);
    server.wait_for_line(|line| line.contains("reloaded") && !line.contains("not reloaded"));
    assert!(offered(&server).contains("SIZE 12345"));
    server.configure("[limits]\nmessage_octets_may = 99\n");
    server.signal(libc::SIGHUP);
    server.wait_for_line(|line| line.contains("not reloaded"));
    assert!(offered(&server).contains("SIZE 12345"));
    // A certificate that cannot be read is refused as well.
    server.configure("");
    let certificate = server.path("host/tls/cert.pem");
    let good = std::fs::read(&certificate).expect("init made it");
    std::fs::write(&certificate, "not a certificate").expect("the folder can be written");
    server.signal(libc::SIGHUP);
    server.wait_for_line(|line| line.contains("cert.pem"));
    let mut client = Client::connect(server.address("smtp", "starttls"));
    client.reply();
    client.expect("STARTTLS", 220);
    client.start_tls();
    client.expect("EHLO x", 250);
    std::fs::write(&certificate, good).expect("the folder can be written");
    assert!(server.stop().success());
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let mut server = Server::start(LISTENERS, &["alice"]);
    let (code, text) = refused(&server);
    assert_eq!(code, Some(3), "{text}");
    assert!(
        text.contains(&server.pid().to_string()),
        "it names the process: {text}"
    );
    assert!(messages(&server).starts_with("* STATUS INBOX"));
    assert!(server.stop().success());
}

#[test]
fn an_occupied_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let server = Server::prepare(LISTENERS, &[], "");
    let config = std::fs::read_to_string(server.config()).expect("just written");
    let config = config.replacen("127.0.0.1:0", &format!("127.0.0.1:{port}"), 1);
    std::fs::write(server.config(), config).expect("the folder can be written");
    let (code, text) = refused(&server);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&port), "{text}");
}

#[test]
fn bad_files_are_named_with_their_remedy() {
    let server = Server::prepare(LISTENERS, &[], "");
    let certificate = server.path("host/tls/cert.pem");
    let good = std::fs::read(&certificate).expect("init made it");
    std::fs::write(&certificate, "not a certificate").expect("the folder can be written");
    let (code, text) = refused(&server);
    assert!(
        code == Some(1) && text.contains("cert.pem"),
        "{code:?}: {text}"
    );
    std::fs::remove_file(&certificate).expect("it is there");
    let (code, text) = refused(&server);
    assert!(
        code == Some(1) && text.contains("cert.pem"),
        "{code:?}: {text}"
    );
    std::fs::write(&certificate, good).expect("the folder can be written");

    server.configure("[limits]\nmessage_octets_mx = 1\n");
    let (code, text) = refused(&server);
    assert!(
        code == Some(1) && text.contains("message_octets_max"),
        "it names the nearest key: {text}"
    );
    let line = std::fs::read_to_string(server.config()).expect("just written");
    let line = line
        .lines()
        .position(|line| line.contains("_mx"))
        .expect("just written")
        + 1;
    assert!(
        text.contains(&format!("ringpost.toml:{line}:")),
        "it names the line: {text}"
    );

    server.configure("this is not TOML");
    let (code, text) = refused(&server);
    assert!(code == Some(1) && text.contains("ringpost.toml:"), "{text}");
}
