//! Backup and restore as an operator meets them: while a server runs and while none does, all of it and one mailbox.

mod house;

use house::{House, Server, expect, imap, run, smtp, text};
use serde_json::Value;
use std::fs;

const PASSWORD: &str = "correct horse";

fn begin() -> House {
    let house = House::new();
    let add = ["account", "add", "a@example.test", "--password-stdin"];
    expect(&house.run(&add, &format!("{PASSWORD}\n")), 0, "added", "");
    house
}

fn serve(house: &House) -> Server {
    Server::start(&["serve", "--config", &house.config])
}

fn deliver(house: &House, server: &Server, subject: &str, messages: u64) {
    let lines = [
        "EHLO client.example.test\r\n",
        "MAIL FROM:<b@example.net>\r\n",
        "RCPT TO:<a@example.test>\r\n",
        "DATA\r\n",
        &format!("Subject: {subject}\r\n\r\nThe text of {subject}.\r\n.\r\n"),
    ];
    let answers = smtp(server.address("smtp"), &lines);
    assert!(
        answers.iter().any(|line| line.starts_with("250 2.0.0")),
        "{answers:?}"
    );
    // Until it is in the index.
    let count = || {
        let usage = house.run(&["usage", "--json"], "");
        let usage: Value = serde_json::from_slice(&usage.stdout).expect("JSON");
        usage["messages"].as_u64()
    };
    while count() < Some(messages) {
        std::thread::yield_now();
    }
}

fn login() -> String {
    format!("a LOGIN a@example.test \"{PASSWORD}\"\r\n")
}

/// Of the mailbox that was selected.
fn uidvalidity(answers: &str) -> u32 {
    let (_, rest) = answers.split_once("UIDVALIDITY ").expect("selected");
    let (number, _) = rest.split_once(']').expect("a code");
    number.parse().expect("a number")
}

#[test]
fn all_of_it_and_one_mailbox() {
    let house = begin();
    let to = house.path("backup");
    let to = to.to_str().expect("UTF-8");
    let server = serve(&house);
    deliver(&house, &server, "first", 1);
    let flag = [
        &*login(),
        "a SELECT INBOX\r\n",
        "a STORE 1 +FLAGS (\\Flagged $Kept)\r\n",
    ];
    let before = uidvalidity(&imap(server.address("imap"), &flag).join("\n"));

    // Hot, with configuration and keys; the next generation is small.
    expect(
        &house.run(&["backup", "--to", to], ""),
        0,
        "generation 1: ",
        "",
    );
    let expunge = [
        &*login(),
        "a SELECT INBOX\r\n",
        "a STORE 1 +FLAGS (\\Deleted)\r\n",
        "a EXPUNGE\r\n",
    ];
    imap(server.address("imap"), &expunge);
    deliver(&house, &server, "second", 1);
    expect(
        &house.run(&["backup", "--to", to], ""),
        0,
        "generation 2: ",
        "",
    );
    expect(
        &house.run(&["backup", "--to", to, "--verify"], ""),
        0,
        "whole",
        "",
    );
    let list = house.run(&["backup", "--to", to, "--list", "--json"], "");
    let list: Value = serde_json::from_slice(&list.stdout).expect("JSON");
    assert_eq!(list.as_array().map(Vec::len), Some(2), "{list}");

    // What was expunged since comes back into a mailbox of its own, beside what is there.
    let mailbox = [
        "restore",
        "--from",
        to,
        "--generation",
        "1",
        "--account",
        "a@example.test",
    ];
    let into = ["--mailbox", "inbox", "--into", "Back"];
    let restored = house.run(&[&mailbox[..], &into].concat(), "");
    expect(&restored, 0, "1 mails", "");
    let again = house.run(&[&mailbox[..], &into].concat(), "");
    expect(&again, 1, "", "a mailbox Back already");
    let nobody = ["--mailbox", "Nowhere", "--into", "Other"];
    expect(
        &house.run(&[&mailbox[..], &nobody].concat(), ""),
        1,
        "",
        "no mailbox Nowhere",
    );
    let look = [
        &*login(),
        "a SELECT Back\r\n",
        "a FETCH 1:* (FLAGS BODY.PEEK[])\r\n",
    ];
    let back = imap(server.address("imap"), &look).join("\n");
    assert!(
        back.contains("\\Flagged") && back.contains("$Kept"),
        "{back}"
    );
    assert!(
        back.contains("The text of first.") && !back.contains("second"),
        "{back}"
    );
    server.stop();

    // All of it, in a new folder, as it was: served by its own configuration.
    let place = house.path("again");
    let place = place.to_str().expect("UTF-8");
    let whole = run(
        &["restore", "--from", to, "--generation", "1", "--to", place],
        "",
    );
    expect(&whole, 0, "generation 1 restored", "");
    let config = format!("{place}/ringpost.toml");
    expect(&run(&["verify", "--config", &config], ""), 0, "", "");
    let server = Server::start(&["serve", "--config", &config]);
    let look = [
        &*login(),
        "a SELECT INBOX\r\n",
        "a FETCH 1:* (FLAGS BODY.PEEK[])\r\n",
    ];
    let old = imap(server.address("imap"), &look).join("\n");
    // The message has been given UIDs since that clients know: they are to forget them.
    assert_ne!(uidvalidity(&old), before, "{old}");
    assert!(
        old.contains("The text of first.") && old.contains("\\Flagged"),
        "{old}"
    );
    server.stop();

    // Without a server, and into a folder that has something in it: no.
    expect(
        &house.run(&["backup", "--to", to], ""),
        0,
        "generation 3: ",
        "",
    );
    let whole = run(&["restore", "--from", to, "--to", place], "");
    expect(&whole, 1, "", "not empty");
    let whole = run(&["restore", "--from", "/nonexistent", "--to", place], "");
    expect(&whole, 1, "", "no whole generation");
    expect(&run(&["restore", "--from", to], ""), 2, "", "--to");
}

#[test]
fn a_damaged_backup_is_told() {
    let house = begin();
    let to = house.path("backup");
    let server = serve(&house);
    deliver(&house, &server, "only", 1);
    server.stop();
    let name = to.to_str().expect("UTF-8");
    expect(
        &house.run(&["backup", "--to", name], ""),
        0,
        "generation 1: ",
        "",
    );
    let pages = to.join("generation-000001/index.pages");
    let mut octets = fs::read(&pages).expect("there");
    octets[5_000] ^= 1;
    fs::write(&pages, octets).expect("written");
    let verify = house.run(&["backup", "--to", name, "--verify"], "");
    expect(&verify, 1, "", "damaged");
    assert!(text(&verify.stderr).contains("index.pages"));
    let place = house.path("again");
    let place = place.to_str().expect("UTF-8");
    expect(
        &run(&["restore", "--from", name, "--to", place], ""),
        1,
        "",
        "damaged",
    );
}
