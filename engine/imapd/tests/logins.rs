//! AUTHENTICATE by every mechanism that needs neither TLS nor anybody else, and what is told of those that do.

mod server;

use aws_lc_rs::{digest, hmac, pbkdf2};
use data_encoding::BASE64;
use ringpost_api::credential::{Scram, scope};
use ringpost_api::{Outcome, Write};
use ringpost_directory::app_password;
use ringpost_imapd::TlsMode;
use ringpost_sasl::Keys;
use ringpost_types::limit::Limits;
use server::{Client, PASSWORD, Server, USER, submit};
use std::num::NonZeroU32;

fn base64(text: &str) -> String {
    BASE64.encode(text.as_bytes())
}

/// The challenge in a continuation line.
fn challenge(line: &str) -> String {
    let text = line.strip_prefix("+ ").expect("a continuation");
    let octets = BASE64.decode(text.as_bytes()).expect("base64");
    String::from_utf8(octets).expect("ASCII")
}

/// An exchange line by line: what is sent, after the command, for each challenge; the challenges, and the end.
fn exchange(client: &mut Client, command: &str, responses: &[&str]) -> (Vec<String>, String) {
    let tag = client.begin(command);
    let mut challenges = Vec::new();
    for response in responses {
        challenges.push(challenge(&client.line()));
        client.send(format!("{response}\r\n"));
    }
    (challenges, client.until(&tag)[0].clone())
}

/// What a client that knows the password answers to the server's first message; and what the server must say then.
/// RFC 5802 §3.
fn proof(bare: &str, first: &str, password: &str) -> (String, String) {
    let field = |name: char| {
        let mut fields = first.split(',');
        let found = fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        found.expect("the server's first message")
    };
    let sign = |key: &[u8], text: &[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::sign(&key, text).as_ref().to_vec()
    };
    let (salt, rounds) = (BASE64.decode(field('s').as_bytes()), field('i').parse());
    let rounds: NonZeroU32 = rounds.expect("a number");
    let mut salted = [0; 32];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        rounds,
        &salt.expect("base64"),
        password.as_bytes(),
        &mut salted,
    );
    let unproved = format!("c=biws,r={}", field('r'));
    let message = format!("{bare},{first},{unproved}");
    let client_key = sign(&salted, b"Client Key");
    let stored = digest::digest(&digest::SHA256, &client_key);
    let signature = sign(stored.as_ref(), message.as_bytes());
    let proof: Vec<u8> = client_key
        .iter()
        .zip(signature)
        .map(|(a, b)| a ^ b)
        .collect();
    let server = sign(&sign(&salted, b"Server Key"), message.as_bytes());
    (
        format!("{unproved},p={}", BASE64.encode(&proof)),
        format!("v={}", BASE64.encode(&server)),
    )
}

/// SCRAM-SHA-256 by hand; the tagged answer.
fn scram(client: &mut Client, name: &str, password: &str) -> String {
    let bare = format!("n={name},r=fyko+d2lbbFgONRv9qkxdawL");
    let initial = base64(&format!("n,,{bare}"));
    let tag = client.begin(&format!("AUTHENTICATE SCRAM-SHA-256 {initial}"));
    let first = challenge(&client.line());
    let (last, signature) = proof(&bare, &first, password);
    client.send(format!("{}\r\n", base64(&last)));
    let line = client.line();
    if !line.starts_with("+ ") {
        return line;
    }
    assert_eq!(challenge(&line), signature, "the server knows it too");
    client.send("\r\n");
    client.until(&tag)[0].clone()
}

fn quick() -> Server {
    let limits = Limits {
        imap_login_failures_max: 100,
        imap_errors_max: 100,
        ..Limits::default()
    };
    Server::with(limits, TlsMode::Absent)
}

fn stored(keys: &Keys) -> Scram {
    Scram {
        iterations: keys.iterations,
        salt: keys.salt.to_vec(),
        stored_key: keys.stored,
        server_key: keys.server,
    }
}

#[test]
fn login_mechanism_with_and_without_initial_response() {
    let server = quick();
    let (name, password) = (base64(USER), base64(PASSWORD));
    let asked = ["Username:", "Password:"];
    let mut client = server.connect();
    let (challenges, end) = exchange(&mut client, "AUTHENTICATE LOGIN", &[&name, &password]);
    assert_eq!(challenges, asked);
    assert!(end.starts_with("OK [CAPABILITY "), "{end}");
    let mut client = server.connect();
    let command = format!("AUTHENTICATE LOGIN {name}");
    let (challenges, end) = exchange(&mut client, &command, &[&base64("wrong")]);
    assert_eq!(challenges, asked[1..]);
    assert!(end.starts_with("NO [AUTHENTICATIONFAILED]"), "{end}");
    let (_, end) = exchange(&mut client, &command, &[&password]);
    assert!(end.starts_with("OK"), "{end}");
}

#[test]
fn scram_once_there_are_keys() {
    let server = quick();
    // The account has a hash alone; keys of nobody are shown, and the same each time.
    let bare = base64(&format!("n,,n={USER},r=x"));
    let salt = |client: &mut Client| {
        let command = format!("AUTHENTICATE SCRAM-SHA-256 {bare}");
        let (challenges, end) = exchange(client, &command, &["*"]);
        assert!(end.starts_with("BAD"), "{end}");
        let at = challenges[0].find(",s=").expect("a salt");
        challenges[0][at..].to_owned()
    };
    let mut client = server.connect();
    let nobody = salt(&mut client);
    assert_eq!(salt(&mut client), nobody);
    let end = scram(&mut client, USER, PASSWORD);
    assert!(end.contains("NO [AUTHENTICATIONFAILED]"), "{end}");
    // A password that is shown once makes them.
    client.ok(&format!("LOGIN {USER} \"{PASSWORD}\""));
    // A session for each look: those that are given up are errors, which are bounded.
    while salt(&mut server.connect()) == nobody {
        std::thread::yield_now();
    }
    let mut client = server.connect();
    let end = scram(&mut client, USER, PASSWORD);
    assert!(end.starts_with("OK [CAPABILITY "), "{end}");
    let mut client = server.connect();
    let end = scram(&mut client, USER, "wrong");
    assert!(end.contains("NO [AUTHENTICATIONFAILED]"), "{end}");
}

/// What a proof is of must still be good when it comes: a client may wait with it.
#[test]
fn a_password_changed_during_an_exchange() {
    let server = quick();
    let keys = |rounds: u32| Keys::derive(PASSWORD.as_bytes(), [rounds as u8; 16], rounds);
    let change = |keys: &Keys| {
        let write = Write::AccountSecret {
            account: server.account,
            secret: String::new(),
            scram: Some(stored(keys)),
        };
        submit(&server.store, write).expect("a password is changed");
    };
    change(&keys(7));
    for changes in [false, true] {
        let mut client = server.connect();
        let bare = format!("n={USER},r=a");
        let initial = base64(&format!("n,,{bare}"));
        let tag = client.begin(&format!("AUTHENTICATE SCRAM-SHA-256 {initial}"));
        let (last, _) = proof(&bare, &challenge(&client.line()), PASSWORD);
        if changes {
            change(&keys(8));
        }
        client.send(format!("{}\r\n", base64(&last)));
        client.line();
        client.send("\r\n");
        let end = client.until(&tag)[0].clone();
        let expected = match changes {
            true => "NO [AUTHENTICATIONFAILED]",
            false => "OK [CAPABILITY ",
        };
        assert!(end.starts_with(expected), "{end}");
    }
}

#[test]
fn app_passwords_open_what_they_are_for() {
    let server = quick();
    let add = |name: &str, scopes: u32| {
        let made = app_password::generate().expect("random octets");
        let outcome = submit(
            &server.store,
            Write::CredentialAdd {
                account: server.account,
                name: name.into(),
                scopes,
                secret: made.secret,
                scram: Some(stored(&made.keys)),
            },
        );
        assert!(matches!(outcome, Ok(Outcome::Credential(_))), "{outcome:?}");
        made.text
    };
    let (phone, printer) = (add("phone", scope::IMAP), add("printer", scope::SMTP));
    let plain = phone.replace('-', "").to_uppercase();
    for password in [&phone, &plain] {
        server.connect().ok(&format!("LOGIN {USER} \"{password}\""));
    }
    let end = scram(&mut server.connect(), &format!("{USER}/phone"), &phone);
    assert!(end.starts_with("OK"), "{end}");
    let mut client = server.connect();
    client.fails(
        &format!("LOGIN {USER} \"{printer}\""),
        "NO [AUTHENTICATIONFAILED] The app password is not for IMAP.",
    );
    // SCRAM has to be told which password is meant.
    let end = scram(&mut client, USER, &phone);
    assert!(end.contains("NO [AUTHENTICATIONFAILED]"), "{end}");
    let end = scram(&mut client, &format!("{USER}/printer"), &printer);
    assert!(end.contains("The app password is not for IMAP"), "{end}");
    client.ok(&format!("LOGIN {USER} \"{PASSWORD}\""));
}

#[test]
fn what_goes_wrong() {
    let server = quick();
    let mut client = server.connect();
    let greeting = client.greeting.clone();
    assert!(
        greeting.contains(" AUTH=SCRAM-SHA-256 AUTH=PLAIN AUTH=LOGIN] "),
        "{greeting}"
    );
    let long = base64(&"x".repeat(9_217));
    let cases: &[(&str, &str)] = &[
        ("CRAM-MD5", "NO [CANNOT]"),
        ("EXTERNAL", "NO [CANNOT]"),
        ("OAUTHBEARER", "NO [CANNOT]"),
        (
            "SCRAM-SHA-256-PLUS cD10bHMtZXhwb3J0ZXIsLG49YSxyPWI=",
            "NO [CANNOT]",
        ),
        // p=tls-exporter where there is no TLS.
        (
            "SCRAM-SHA-256 cD10bHMtZXhwb3J0ZXIsLG49YSxyPWI=",
            "NO [AUTHENTICATIONFAILED] The channel",
        ),
        // a=root
        (
            "SCRAM-SHA-256 bixhPXJvb3Qsbj1hLHI9Yg==",
            "NO [AUTHORIZATIONFAILED]",
        ),
        ("PLAIN cm9vdABhbGljZQB4", "NO [AUTHORIZATIONFAILED]"),
        ("PLAIN =", "BAD"),
        ("PLAIN ?", "BAD"),
        ("PLAIN AGE", "BAD"),
        ("PLAIN AGE=", "BAD"),
        // Two encodings, one behind the other, that would be name and password together.
        ("PLAIN AGE=AGE=", "BAD That is not base64."),
        ("PLAIN AGF=", "BAD That is not base64."),
        ("SCRAM-SHA-256 =", "BAD"),
        (&format!("PLAIN {long}"), "BAD The response is too long."),
    ];
    for (command, expected) in cases {
        client.fails(&format!("AUTHENTICATE {command}"), expected);
    }
    // RFC 4959 §3: "=" is for an initial response alone.
    let (_, end) = exchange(&mut client, "AUTHENTICATE PLAIN", &["="]);
    assert!(end.starts_with("BAD"), "{end}");
    // One who gives up may try again.
    let (_, end) = exchange(&mut client, "AUTHENTICATE LOGIN", &[&base64(USER), "*"]);
    assert!(end.starts_with("BAD"), "{end}");
    client.ok(&format!("LOGIN {USER} \"{PASSWORD}\""));
}
