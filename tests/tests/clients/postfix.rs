//! A real Postfix that relays into us: in clear, in TLS with our certificate verified, logged in, and by LMTP.
//!
//! It lives below a scratch directory with its own configuration and queue, on a port of loopback; its master needs root,
//! by sudo where the tests have none. It is stopped by its own command, which knows its master's process id.

use super::{done, host_and_port, mailbox};
use ringpost_tests::server::{DOMAIN, Listen, PASSWORD, Server, USUAL};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

/// One address for each way.
const WAYS: [(&str, &str); 4] = [
    ("clear", "ESMTP"),
    ("verified", "ESMTPS"),
    ("submitted", "ESMTPSA"),
    ("handed", "LMTP"),
];
/// Mails for each of them.
const MAILS: usize = 40;

/// A Postfix in a directory.
struct Postfix {
    directory: tempfile::TempDir,
    address: String,
}

/// A command that needs root.
fn as_root(program: &str) -> Command {
    let user = done("id", &["-u"], b"");
    if user.trim() == "0" {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["-n", program]);
    command
}

fn must(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{command:?} cannot be run ({error}); .ci/install brings it")
    });
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
}

impl Postfix {
    /// A Postfix whose mail goes to `server`.
    fn start(server: &Server) -> Postfix {
        let directory = tempfile::tempdir().expect("a scratch directory");
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = port.local_addr().expect("bound").to_string();
        drop(port);
        let postfix = Postfix { directory, address };
        for folder in ["etc", "queue", "state", "log"] {
            std::fs::create_dir(postfix.path(folder)).expect("folders can be made");
        }
        std::fs::write(postfix.path("etc/main.cf"), postfix.main(server)).expect("writable");
        std::fs::write(postfix.path("etc/transport"), transports(server)).expect("writable");
        let submission = server.bound("submission", "required").replace(':', "]:");
        let secret = format!("[{submission} alice@{DOMAIN}:{PASSWORD}\n");
        std::fs::write(postfix.path("etc/secret"), secret).expect("writable");
        std::fs::write(postfix.path("etc/master.cf"), postfix.master()).expect("writable");
        // Its parts run as user postfix.
        must(as_root("chmod").arg("755").arg(postfix.directory.path()));
        must(as_root("chown").arg("postfix").arg(postfix.path("state")));
        must(
            as_root("chown")
                .arg("-R")
                .arg("root")
                .arg(postfix.path("etc")),
        );
        must(&mut postfix.command("start"));
        postfix
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = as_root("/usr/sbin/postfix");
        command.arg("-c").arg(self.path("etc")).arg(verb);
        command
    }

    fn main(&self, server: &Server) -> String {
        let dir = self.directory.path().display();
        let certificate = server.path("host/tls/cert.pem");
        let certificate = certificate.display();
        format!(
            "compatibility_level = 3.6\nmyhostname = relay.example.test\nmydestination =\n\
             mynetworks = 127.0.0.0/8\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
             queue_directory = {dir}/queue\ndata_directory = {dir}/state\n\
             maillog_file = {dir}/log/postfix.log\nmaillog_file_prefixes = {dir}/log\n\
             alias_maps =\nalias_database =\ntransport_maps = texthash:{dir}/etc/transport\n\
             smtp_dns_support_level = disabled\nsmtp_host_lookup = native\n\
             smtp_tls_CAfile = {certificate}\nsmtp_tls_verify_cert_match = mx.example.test\n\
             smtp_sasl_password_maps = texthash:{dir}/etc/secret\n\
             smtp_sasl_tls_security_options = noanonymous\n"
        )
    }

    /// Debian's table of services, without chroot and without foreign programs, and a service for each way.
    fn master(&self) -> String {
        let usual = std::fs::read_to_string("/usr/share/postfix/master.cf.dist")
            .expect("Debian's package postfix has it");
        let mut table = String::new();
        let mut skipped = false;
        for line in usual.lines().filter(|line| !line.starts_with('#')) {
            let mut words: Vec<&str> = line.split_whitespace().collect();
            if line.starts_with([' ', '\t']) {
                if !skipped {
                    table += &format!("{line}\n");
                }
                continue;
            }
            skipped = words.get(7) == Some(&"pipe");
            if skipped || words.len() < 8 {
                continue;
            }
            if words[0] == "smtp" && words[1] == "inet" {
                words[0] = &self.address;
            }
            words[4] = "n";
            table += &format!("{}\n", words.join(" "));
        }
        let way = |name: &str, program: &str, options: &str| {
            format!("{name} unix - - n - - {program} {options}\n")
        };
        table
            + &way("clear", "smtp", "-o smtp_tls_security_level=none")
            + &way("verified", "smtp", "-o smtp_tls_security_level=verify")
            + &way(
                "submitted",
                "smtp",
                "-o smtp_tls_security_level=verify -o smtp_sasl_auth_enable=yes",
            )
            + &way("handed", "lmtp", "")
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        // The test tells of its own failure; a master that does not stop is told of here.
        let stopped = self.command("stop").output();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.path("log/postfix.log")).unwrap_or_default();
            eprintln!("{stopped:?}\nPostfix said:\n{log}");
        }
        let _owned_by_others = as_root("chmod")
            .arg("-R")
            .arg("a+rwX")
            .arg(self.directory.path())
            .output();
        let _owned_by_others = as_root("rm")
            .arg("-rf")
            .arg(self.path("queue"))
            .arg(self.path("state"))
            .output();
    }
}

/// Which way the mail of each recipient goes.
fn transports(server: &Server) -> String {
    let hop = |bound: &str| {
        let (host, port) = host_and_port(bound);
        format!("[{host}]:{port}")
    };
    let (mx, submission) = (
        hop(server.bound("smtp", "starttls")),
        hop(server.bound("submission", "required")),
    );
    let (host, port) = host_and_port(server.bound("lmtp", "starttls"));
    format!(
        "clear@{DOMAIN} clear:{mx}\nverified@{DOMAIN} verified:{mx}\nsubmitted@{DOMAIN} submitted:{submission}\n\
         handed@{DOMAIN} handed:inet:[{host}]:{port}\n"
    )
}

/// Sends through Postfix to all four at once.
fn send(postfix: &Postfix, number: usize) {
    let mut stream = TcpStream::connect(&postfix.address).expect("Postfix listens");
    let mut lines = BufReader::new(stream.try_clone().expect("a clone"));
    let mut say = |line: &str, expected: &str| {
        if !line.is_empty() {
            std::io::Write::write_all(&mut stream, format!("{line}\r\n").as_bytes()).expect("sent");
        }
        let mut reply = String::new();
        while reply.as_bytes().get(3) != Some(&b' ') {
            reply.clear();
            lines.read_line(&mut reply).expect("a reply");
            assert!(!reply.is_empty(), "{line:?}: Postfix left");
        }
        assert!(reply.starts_with(expected), "{line:?}: {reply}");
    };
    say("", "220");
    say("EHLO client.example.test", "250");
    // The user whose password Postfix has, for the way that logs in.
    say(&format!("MAIL FROM:<alice@{DOMAIN}> BODY=8BITMIME"), "250");
    for (name, _) in WAYS {
        say(&format!("RCPT TO:<{name}@{DOMAIN}>"), "250");
    }
    say("DATA", "354");
    let body = format!("line\r\n..dots\r\nMarkt f\u{fc}r {number}\r\n").repeat(number * 50 + 1);
    let mail = format!(
        "From: alice@{DOMAIN}\r\nTo: list@{DOMAIN}\r\nSubject: relayed {number}\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}."
    );
    say(&mail, "250");
    say("QUIT", "221");
}

#[test]
fn postfix_relays_into_us() {
    // Postfix's LMTP client runs as another user, whom a socket in a scratch directory is closed to: a port is not.
    let lmtp = Listen {
        protocol: "lmtp",
        tls: "starttls",
        bind: "127.0.0.1:0",
    };
    let listeners = [USUAL, &[lmtp]].concat();
    let accounts = ["alice", "clear", "verified", "submitted", "handed"];
    let server = Server::start(&listeners, &accounts);
    must(
        as_root("chmod")
            .arg("a+x")
            .arg(server.path(""))
            .arg(server.path("host"))
            .arg(server.path("host/tls")),
    );
    let postfix = Postfix::start(&server);
    for number in 0..MAILS {
        send(&postfix, number);
    }
    server.wait_for_lines(MAILS * WAYS.len(), |line| line.contains(" accepted from=<"));
    for (name, with) in WAYS {
        let mails = mailbox(&server, name, "INBOX");
        assert_eq!(mails.len(), MAILS, "{name}");
        let mut subjects = BTreeSet::new();
        for mail in mails.values() {
            let text = String::from_utf8_lossy(mail);
            // Ours is the first one, Postfix's own the second.
            assert!(
                text.contains(&format!(" with {with}\r\n")),
                "{name}: {text}"
            );
            assert!(text.contains("by relay.example.test (Postfix)"), "{text}");
            assert!(
                text.contains("\r\n\r\nline\r\n.dots\r\nMarkt f\u{fc}r "),
                "{text}"
            );
            let subject = text.lines().find(|line| line.starts_with("Subject: "));
            subjects.insert(subject.expect("a Subject").to_owned());
        }
        assert_eq!(subjects.len(), MAILS, "{name}: each once");
    }
}
