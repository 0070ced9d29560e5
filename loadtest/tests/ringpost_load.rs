//! The program as it is run: against a small server that keeps its promises, and one that breaks one of them.

mod small;

use std::process::{Command, Output};

use small::{Sin, Small, start};

fn load(arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringpost-load"));
    command
        .args(arguments.split_ascii_whitespace())
        .output()
        .expect("the program starts")
}

/// A password file that lives as long as the returned value.
fn password() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a scratch file");
    std::fs::write(file.path(), "secret\n").expect("it can be written");
    file
}

/// Runs `smtp` with an audit; exit code and report.
fn smtp(server: &Small, more: &str) -> (i32, serde_json::Value) {
    let (password, Small { smtp, imap }) = (password(), server);
    let output = load(&format!(
        "smtp --target {smtp} --to u%d@example.test --accounts 3 --messages 60 --sessions 4 --json \
         --verify imap:{imap} --verify-password-file {} {more}",
        password.path().display()
    ));
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code().expect("it ended by itself"), report)
}

#[test]
fn every_way_of_sending_is_whole_and_once() {
    for more in [
        "--size 2k",
        "--pipelining --size 600-200k",
        "--bdat --recipients 2",
        "--bdat --pipelining --per-connection 3",
        "--lmtp --pipelining --recipients 3",
        "--lmtp --threads 2",
    ] {
        let (code, report) = smtp(&start(Sin::None), more);
        assert_eq!(code, 0, "{more}: {report}");
        assert_eq!(report["done"], 60, "{more}");
        assert_eq!(report["latency"]["count"], 60, "{more}");
        let copies = more
            .split("--recipients ")
            .nth(1)
            .map_or(60, |count| 60 * count.parse::<u64>().unwrap());
        assert_eq!(report["audit"]["found"], copies, "{more}");
        assert_eq!(report["audit"]["whole"], copies, "{more}");
    }
}

#[test]
fn broken_promises_show() {
    for (sin, field) in [
        (Sin::Lose, "missing"),
        (Sin::Double, "doubled"),
        (Sin::Alter, "altered"),
    ] {
        // The missing one is waited for; the others are there at once.
        let (code, report) = smtp(&start(sin), "--pipelining --verify-wait 1");
        assert_eq!(code, 1, "{sin:?}");
        assert_eq!(report["audit"][field], 1, "{sin:?}: {report}");
    }
}

#[test]
fn refusals_are_told_and_not_looked_for() {
    let (code, report) = smtp(&start(Sin::Refuse), "");
    assert_eq!((code, &report["refused"]), (1, &1.into()));
    assert_eq!(report["done"], 59);
    assert_eq!(report["audit"]["missing"], 0);
    assert!(
        report["complaints"][0]
            .as_str()
            .unwrap()
            .contains("452 4.3.1 not now")
    );
}

#[test]
fn a_mail_without_an_answer_is_doubtful() {
    // It is there, and that is neither missing nor unexpected.
    let (code, report) = smtp(&start(Sin::Vanish), "--verify-wait 1");
    assert_eq!(code, 1);
    assert_eq!(report["audit"]["found"], report["done"]);
    assert_eq!(
        (&report["audit"]["missing"], &report["audit"]["unexpected"]),
        (&0.into(), &0.into())
    );
}

#[test]
fn a_ledger_is_verified_later() {
    let (server, dir, password) = (start(Sin::None), tempfile::tempdir().unwrap(), password());
    let (ledger, password) = (dir.path().join("ledger"), password.path().display());
    let output = load(&format!(
        "smtp --target {} --to a@example.test --messages 9 --ledger {} --no-progress",
        server.smtp,
        ledger.display()
    ));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("9 messages over 9 sessions"));
    let verify = |ledger: &std::path::Path| {
        let (imap, ledger) = (server.imap, ledger.display());
        load(&format!(
            "verify --ledger {ledger} --service imap:{imap} --wait 1 --password-file {password}"
        ))
    };
    assert_eq!(verify(&ledger).status.code(), Some(0));
    // A promise that nobody made to this server.
    let text = std::fs::read_to_string(&ledger).unwrap() + "accepted a@example.test 9\n";
    std::fs::write(&ledger, text).unwrap();
    assert_eq!(verify(&ledger).status.code(), Some(1));
    assert_eq!(verify(&dir.path().join("none")).status.code(), Some(2));
}

#[test]
fn idle_connections_are_pushed_to() {
    let (server, password) = (start(Sin::None), password());
    let output = load(&format!(
        "idle --target {} --user a@example.test --password-file {} --connections 40 --hold 0 --push --json",
        server.imap,
        password.path().display()
    ));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert_eq!(
        (&report["done"], &report["push"]["arrived"]),
        (&40.into(), &40.into())
    );
}

#[test]
fn commands_repeat_on_a_filled_mailbox() {
    let (server, password) = (start(Sin::None), password());
    let output = load(&format!(
        "imap --target {} --user a@example.test --password-file {} --repeat 10 --sessions 2 --json \
         --fill 100 --fill-target {}",
        server.imap,
        password.path().display(),
        server.smtp
    ));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert_eq!(
        (&report["done"], &report["latency"]["count"]),
        (&10.into(), &10.into())
    );
    // 100 lines, and a tagged one.
    assert!(report["octets"].as_u64().unwrap() > 10 * 100 * 20);
}

#[test]
fn nobody_there_is_3_and_nonsense_is_2() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let output = load(&format!(
        "smtp --target {nobody} --to a@example.test --messages 3"
    ));
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(
        load("smtp --target 192.0.2.1:25 --to a@example.test")
            .status
            .code(),
        Some(2)
    );
    assert_eq!(
        load("smtp --target nowhere --to a@example.test")
            .status
            .code(),
        Some(2)
    );
    let auth = format!("smtp --target {nobody} --to a@example.test --auth a");
    assert_eq!(load(&auth).status.code(), Some(2));
}
