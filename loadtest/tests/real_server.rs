//! The load generator against the server of this workspace: everything accepted is kept, and the figures are there.

use std::process::{Command, Output};

use ringpost_tests::server::{PASSWORD, Server, USUAL};
use serde_json::Value;

const ACCOUNTS: &[&str] = &["u1", "u2", "u3"];

/// Runs the generator on `server`; the password goes by a file in the server's directory.
fn load(server: &Server, arguments: &str) -> (Option<i32>, Value) {
    let password = server.path("password");
    std::fs::write(&password, PASSWORD).expect("the directory is the test's own");
    let password = password.display();
    run(server, &format!("{arguments} --password-file {password}"))
}

/// The same without a password.
fn run(server: &Server, arguments: &str) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringpost-load"));
    command.args(arguments.split_ascii_whitespace());
    command.args(["--json", "--server-pid", &server.pid().to_string()]);
    let output: Output = command.output().expect("the program starts");
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code(), report)
}

#[test]
fn mails_by_every_door_are_whole_and_once() {
    let server = Server::start(USUAL, ACCOUNTS);
    let imap = server.bound("imap", "none");
    let smtp = server.bound("smtp", "starttls");
    let submission = server.bound("submission", "required");
    let implicit = server.bound("submission", "implicit");
    let lmtp = server.path("host/lmtp.sock");
    for way in [
        smtp.to_owned(),
        format!("{smtp} --tls starttls --pipelining --recipients 3"),
        format!("{smtp} --bdat --pipelining --size 1k-300k"),
        format!("{submission} --tls starttls --auth u1@example.test"),
        format!("{implicit} --tls implicit --auth u1@example.test"),
        format!("unix:{} --lmtp --pipelining --recipients 2", lmtp.display()),
    ] {
        let (code, report) = load(
            &server,
            &format!(
                "smtp --target {way} --from u1@example.test --to u%d@example.test --accounts 3 \
                 --messages 90 --sessions 6 --verify imap:{imap}"
            ),
        );
        assert_eq!(code, Some(0), "{way}: {report}");
        assert_eq!(report["done"], 90, "{way}");
        assert_eq!(report["audit"]["found"], report["audit"]["whole"], "{way}");
        assert!(
            report["server"]["cpu_us_per_unit"].as_f64().unwrap() > 0.0,
            "{way}"
        );
    }
}

#[test]
fn idle_connections_are_told_and_cost_little() {
    let server = Server::start(USUAL, ACCOUNTS);
    for way in [
        format!("{} --tls none", server.bound("imap", "none")),
        format!("{} --tls implicit", server.bound("imap", "implicit")),
    ] {
        let (code, report) = load(
            &server,
            &format!("idle --target {way} --user u1@example.test --connections 60 --hold 0 --push"),
        );
        assert_eq!(code, Some(0), "{way}: {report}");
        assert_eq!(report["push"]["arrived"], 60, "{way}");
        assert!(
            report["server"]["pss_kib_after"].as_u64().unwrap() > 0,
            "{way}"
        );
    }
}

#[test]
fn a_filled_mailbox_is_listed_again_and_again() {
    let server = Server::start(USUAL, ACCOUNTS);
    let (imap, smtp) = (
        server.bound("imap", "none"),
        server.bound("smtp", "starttls"),
    );
    let (code, report) = load(
        &server,
        &format!(
            "imap --target {imap} --user u3@example.test --repeat 5 --fill 300 --fill-target {smtp}"
        ),
    );
    assert_eq!((code, &report["done"]), (Some(0), &5.into()), "{report}");
}

#[test]
fn slow_sessions_are_held_and_nobody_loses_a_mail() {
    let server = Server::start(USUAL, ACCOUNTS);
    let (smtp, imap) = (
        server.bound("smtp", "starttls"),
        server.bound("imap", "none"),
    );
    let (code, report) = run(
        &server,
        &format!(
            "slow --target {smtp} --imap {imap} --to u1@example.test --slow 50 --spread 5 --every 20 \
             --sessions 4 --messages 40 --rounds 2"
        ),
    );
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["rounds"].as_array().map(Vec::len), Some(2));
    for round in report["rounds"].as_array().into_iter().flatten() {
        assert_eq!(round["without"]["done"], 40, "{round}");
        assert_eq!(round["with"]["done"], 40, "{round}");
        let held = &round["held"];
        assert_eq!(held["open"], 50, "{round}");
        assert_eq!(held["refused"], 0, "{round}");
    }
    // Without a target there is nothing to be slow at.
    let nonsense = format!("slow --target {smtp} --to u1@example.test --ways imap");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringpost-load"));
    command.args(nonsense.split_ascii_whitespace());
    let output = command.output().expect("the program starts");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
