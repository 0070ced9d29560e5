//! gsasl logs in: every mechanism that needs no third party, over IMAP and submission, after STARTTLS.

use super::{DOMAIN, PASSWORD, Server, USUAL, done, host_and_port, run};

/// A login by gsasl; what it and the server said. It ends well or not with the login.
fn gsasl(server: &Server, protocol: &str, tls: &str, user: &str, more: &[&str]) -> (bool, String) {
    let (host, port) = host_and_port(server.bound(protocol, tls));
    let kind = match protocol {
        "imap" => "--imap",
        _ => "--smtp",
    };
    // The certificate is self-signed and for another name: an empty file's name takes it anyway.
    let fixed = [kind, "--starttls", "--x509-ca-file=", "-a", user];
    let output = run("gsasl", &[&fixed[..], more, &[host, port]].concat(), b"");
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.success(), said)
}

const PLACES: [(&str, &str); 2] = [("imap", "starttls"), ("submission", "required")];

#[test]
fn gsasl_logs_in_by_every_mechanism() {
    let server = Server::start(USUAL, &["alice"]);
    let alice = format!("alice@{DOMAIN}");
    let with = |mechanism: &'static str, password: &'static str| ["-m", mechanism, "-p", password];
    for (protocol, tls) in PLACES {
        for mechanism in ["SCRAM-SHA-256-PLUS", "PLAIN", "LOGIN"] {
            let more = with(mechanism, PASSWORD);
            let (good, said) = gsasl(&server, protocol, tls, &alice, &more);
            assert!(
                good && said.contains(mechanism),
                "{protocol} {mechanism}: {said}"
            );
        }
        // It binds where it can; without binding it has to be told so.
        let more = [&with("SCRAM-SHA-256", PASSWORD)[..], &["--no-cb"]].concat();
        let (good, said) = gsasl(&server, protocol, tls, &alice, &more);
        assert!(good, "{protocol}: {said}");
        // In TLS 1.2 clients bind to what our TLS does not tell: there binding is not offered.
        let old = ["--no-cb", "--priority=NORMAL:-VERS-TLS1.3"];
        let more = [&with("SCRAM-SHA-256", PASSWORD)[..], &old].concat();
        let (good, said) = gsasl(&server, protocol, tls, &alice, &more);
        assert!(good && !said.contains("-PLUS"), "{protocol}: {said}");
        for mechanism in ["SCRAM-SHA-256-PLUS", "PLAIN"] {
            let (good, said) = gsasl(&server, protocol, tls, &alice, &with(mechanism, "wrong"));
            let refused = said.contains("535 5.7.8") || said.contains("NO [AUTHENTICATIONFAILED]");
            assert!(!good && refused, "{protocol} {mechanism}: {said}");
        }
    }
}

#[test]
fn gsasl_logs_in_with_an_app_password() {
    let server = Server::start(USUAL, &["alice"]);
    let alice = format!("alice@{DOMAIN}");
    let add = [
        "account",
        "app-password",
        "add",
        &alice,
        "--name",
        "phone",
        "--scope",
        "imap",
    ];
    let shown = server.command(&add, "");
    let password = shown.lines().next().expect("the password first").to_owned();
    let named = format!("{alice}/phone");
    let (imap, submission) = (PLACES[0], PLACES[1]);
    let cases = [
        (imap, &alice, "PLAIN", true),
        (imap, &named, "PLAIN", true),
        (imap, &named, "SCRAM-SHA-256-PLUS", true),
        (submission, &alice, "PLAIN", false),
        (submission, &named, "SCRAM-SHA-256-PLUS", false),
    ];
    for ((protocol, tls), user, mechanism, expected) in cases {
        let more = ["-m", mechanism, "-p", &password];
        let (good, said) = gsasl(&server, protocol, tls, user, &more);
        assert_eq!(good, expected, "{protocol} {user} {mechanism}: {said}");
    }
    let list = ["account", "app-password", "list", &alice, "--json"];
    let listed = server.command(&list, "");
    assert!(
        listed.contains("\"phone\"") && listed.contains("\"imap\""),
        "{listed}"
    );
    server.command(
        &[
            "account",
            "app-password",
            "remove",
            &alice,
            "--name",
            "phone",
        ],
        "",
    );
    let more = ["-m", "PLAIN", "-p", &password];
    let (good, said) = gsasl(&server, "imap", "starttls", &alice, &more);
    assert!(!good, "{said}");
}

#[test]
fn gsasl_logs_in_by_certificate() {
    let mut server = Server::prepare(USUAL, &["alice"], "");
    let file = |name: &str| server.path(name).to_str().expect("UTF-8").to_owned();
    let key = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ];
    // An authority of ours and one of nobody's.
    for authority in ["ca", "other"] {
        let (secret, out) = (
            file(&format!("{authority}.key")),
            file(&format!("{authority}.pem")),
        );
        let subject = format!("/CN={authority}");
        let made = ["-x509", "-subj", &subject, "-keyout", &secret, "-out", &out];
        done("openssl", &[&["req"], &key[..], &made].concat(), b"");
    }
    // Name, authority, address in the certificate.
    let alice = format!("alice@{DOMAIN}");
    let certificates = [
        ("named", "ca", format!("subjectAltName=email:{alice}\n")),
        (
            "laptop",
            "ca",
            "subjectAltName=DNS:laptop.example.test\n".to_owned(),
        ),
        (
            "unknown",
            "ca",
            "subjectAltName=DNS:unknown.example.test\n".to_owned(),
        ),
        ("forged", "other", format!("subjectAltName=email:{alice}\n")),
    ];
    for (name, authority, extension) in &certificates {
        let [secret, request, extensions, out] =
            ["key", "csr", "ext", "pem"].map(|end| file(&format!("{name}.{end}")));
        std::fs::write(&extensions, extension).expect("writes");
        let subject = format!("/CN={name}");
        let made = ["-subj", &subject, "-keyout", &secret, "-out", &request];
        done("openssl", &[&["req"], &key[..], &made].concat(), b"");
        let (above, above_key) = (
            file(&format!("{authority}.pem")),
            file(&format!("{authority}.key")),
        );
        let sign = [
            "x509", "-req", "-in", &request, "-CA", &above, "-CAkey", &above_key,
        ];
        let into = ["-CAcreateserial", "-extfile", &extensions, "-out", &out];
        done("openssl", &[&sign[..], &into].concat(), b"");
    }
    server.configure(&format!(
        "[auth]\nclient_ca = \"{}\"\n[[auth.certificate]]\nsubject = \"CN=laptop\"\naccount = \"{alice}\"\n",
        file("ca.pem")
    ));
    let files: Vec<_> = certificates
        .map(|(name, ..)| ["pem", "key"].map(|end| file(&format!("{name}.{end}"))))
        .into();
    server.serve();
    for (protocol, tls) in PLACES {
        for ([certificate, secret], expected) in files.iter().zip([true, true, false, false]) {
            let (shown, key) = (
                format!("--x509-cert-file={certificate}"),
                format!("--x509-key-file={secret}"),
            );
            let more = ["-m", "EXTERNAL", "-z", "", &shown, &key];
            let (good, said) = gsasl(&server, protocol, tls, "", &more);
            assert_eq!(good, expected, "{protocol} {certificate}: {said}");
            assert_eq!(
                said.contains("EXTERNAL "),
                expected,
                "offered where it works: {said}"
            );
        }
    }
}
