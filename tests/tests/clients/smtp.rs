//! Programs that send: Python's smtplib, msmtp, Postfix's smtp-source; each in clear and through TLS.

use super::{done, host_and_port, mailbox, run};
use ringpost_tests::server::{DOMAIN, PASSWORD, Server, USUAL};
use std::os::unix::fs::PermissionsExt;

/// Every way in, every extension that smtplib knows, and 50 MB by BDAT.
#[test]
fn smtplib_goes_through_a_day() {
    let server = Server::start(USUAL, &["alice", "bob"]);
    let (mx, submission, submissions) = (
        server.bound("smtp", "starttls"),
        server.bound("submission", "required"),
        server.bound("submission", "implicit"),
    );
    let lmtp = server.path("host/lmtp.sock");
    let lmtp = lmtp.to_str().expect("UTF-8 path");
    let script = include_str!("smtplib_day.py");
    let arguments = [
        "-c",
        script,
        mx,
        submission,
        submissions,
        lmtp,
        DOMAIN,
        PASSWORD,
    ];
    let said = done("python3", &arguments, b"");
    assert_eq!(said.trim(), "the day is over");
    let mails = mailbox(&server, "alice", "INBOX");
    let large = mails.values().max_by_key(|mail| mail.len()).expect("mails");
    let lines = large.split_inclusive(|&octet| octet == b'\n');
    let numbered = lines.filter(|line| line.starts_with(b"line ")).count();
    assert_eq!((mails.len(), numbered), (11, 700_000));
}

#[test]
fn msmtp_on_every_way_in() {
    let server = Server::start(USUAL, &["alice", "bob"]);
    let certificate = server.path("host/tls/cert.pem");
    let certificate = certificate.to_str().expect("UTF-8 path");
    let account = |name: &str, protocol: &str, tls: &str, more: &str| {
        let (host, port) = host_and_port(server.bound(protocol, tls));
        format!("account {name}\nhost {host}\nport {port}\nfrom bob@{DOMAIN}\n{more}\n")
    };
    let trusting = format!(
        "tls on\ntls_trust_file {certificate}\ntls_host_override mx.example.test\nauth plain\n\
         user bob@{DOMAIN}\npassword \"{PASSWORD}\"\n"
    );
    let text = [
        account("clear", "smtp", "starttls", "tls off\nauth off\n"),
        account(
            "tls",
            "smtp",
            "starttls",
            &trusting.replace("auth plain", "auth off"),
        ),
        account("submission", "submission", "required", &trusting),
        account(
            "submissions",
            "submission",
            "implicit",
            &format!("{trusting}tls_starttls off\n"),
        ),
    ];
    let rc = server.path("msmtprc");
    std::fs::write(&rc, text.concat()).expect("the configuration can be written");
    // msmtp wants a file with a password to be its owner's alone.
    std::fs::set_permissions(&rc, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    let rc = rc.to_str().expect("UTF-8 path");
    let names = ["clear", "tls", "submission", "submissions"];
    for name in names {
        let mail = format!(
            "From: bob@{DOMAIN}\nTo: alice@{DOMAIN}\nSubject: by msmtp {name}\n\n.a dot\nFrom here\n"
        );
        let to = format!("alice@{DOMAIN}");
        done("msmtp", &["-C", rc, "-a", name, &to], mail.as_bytes());
    }
    let mails = mailbox(&server, "alice", "INBOX");
    assert_eq!(mails.len(), names.len());
    for (name, mail) in names.iter().zip(mails.values()) {
        let text = String::from_utf8_lossy(mail);
        assert!(
            text.contains(&format!("Subject: by msmtp {name}\r\n"))
                && text.ends_with("\r\n\r\n.a dot\r\nFrom here\r\n"),
            "{text}"
        );
        let with = match *name {
            "clear" => " with ESMTP\r\n",
            "tls" => " with ESMTPS\r\n",
            _ => " with ESMTPSA\r\n",
        };
        assert!(text.contains(with), "{text}");
    }
    // What is refused is told with its reason and its trace.
    let output = run(
        "msmtp",
        &["-C", rc, "-a", "clear", "nobody@example.test"],
        b"\n",
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("550 5.1.1 No such user here (trace "),
        "{said}"
    );
}

/// Sessions at once, many mails for a session, many recipients, no HELO, LMTP.
#[test]
fn smtp_source_in_all_its_modes() {
    let server = Server::start(USUAL, &["alice", "bob"]);
    let mx = server.bound("smtp", "starttls").to_owned();
    let lmtp = format!("unix:{}", server.path("host/lmtp.sock").display());
    let to = format!("alice@{DOMAIN}");
    // (more arguments, where to, mails that alice has afterwards)
    let cases: [(&[&str], &str, usize); 6] = [
        (&["-s", "10", "-m", "100"], &mx, 100),
        (&["-d", "-s", "5", "-m", "50", "-l", "30000"], &mx, 150),
        (&["-m", "3", "-S", "a subject"], &mx, 153),
        (&["-L", "-m", "20", "-s", "4"], &lmtp, 173),
        (&["-L", "-d", "-m", "20"], &lmtp, 193),
        (&["-m", "2", "-l", "5000000"], &mx, 195),
    ];
    for (more, target, count) in cases {
        let fixed = ["-M", "client.example", "-f", "s@example.org", "-t", &to];
        done("smtp-source", &[&fixed[..], more, &[target]].concat(), b"");
        let status = ["-c", COUNT, server.bound("imap", "none"), &to, PASSWORD];
        let found = done("python3", &status, b"");
        assert_eq!(found.trim(), count.to_string(), "{more:?}");
    }
    // Several recipients: it puts numbers in front of the address, and a subaddress takes what is behind.
    let arguments = ["-r", "5", "-m", "1", "-t", &to, &mx];
    let output = run("smtp-source", &arguments, b"");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("550 5.1.1"), "{said}");
    // The old mode sends no HELO, which RFC 5321 §4.1.4 wants of everyone who sends mail.
    let output = run("smtp-source", &["-o", "-t", &to, &mx], b"");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("503 5.5.1"), "{said}");
}

/// Messages in INBOX.
const COUNT: &str = r#"
import imaplib, sys
address, user, password = sys.argv[1:]
host, port = address.rsplit(":", 1)
m = imaplib.IMAP4(host, int(port)); m.login(user, password)
print(int(m.select("INBOX", readonly=True)[1][0]))
m.logout()
"#;
