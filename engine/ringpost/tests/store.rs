//! What keeps a store well, as its operator meets it: verify, usage, rebuild, with a server and without one.

mod house;

use house::{House, Server, expect, imap, smtp, text};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

const PASSWORD: &str = "correct horse";

/// A house with one account.
fn begin() -> House {
    let house = House::new();
    let add = ["account", "add", "a@example.test", "--password-stdin"];
    expect(&house.run(&add, &format!("{PASSWORD}\n")), 0, "added", "");
    house
}

fn serve(house: &House) -> Server {
    Server::start(&["serve", "--config", &house.config])
}

/// Delivers mails of these subjects.
fn deliver(server: &Server, subjects: &[&str]) {
    let mut lines = vec!["EHLO client.example.test\r\n".to_owned()];
    for subject in subjects {
        lines.extend([
            "MAIL FROM:<b@example.net>\r\n".to_owned(),
            "RCPT TO:<a@example.test>\r\n".to_owned(),
            "DATA\r\n".to_owned(),
            format!("Subject: {subject}\r\n\r\nThe text of {subject}.\r\n.\r\n"),
        ]);
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let answers = smtp(server.address("smtp"), &lines);
    let taken = answers.iter().filter(|line| line.starts_with("250 2.0.0"));
    assert!(taken.count() >= subjects.len(), "{answers:?}");
}

fn login() -> String {
    format!("a LOGIN a@example.test \"{PASSWORD}\"\r\n")
}

/// The octets of segments of records below the data folder, the largest first.
fn segments(house: &House) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in fs::read_dir(house.path("data")).expect("a data folder") {
        let folder = folder.expect("an entry").path();
        if folder.is_dir() {
            let files = fs::read_dir(folder).expect("a listing");
            found.extend(files.map(|file| file.expect("an entry").path()));
        }
    }
    found.retain(|path| path.extension().is_some_and(|end| end == "seg"));
    found
}

fn json(octets: &[u8]) -> Value {
    serde_json::from_slice(octets).expect("JSON")
}

/// What `usage` tells.
fn usage(house: &House) -> Value {
    let usage = house.run(&["usage", "--json"], "");
    expect(&usage, 0, "", "");
    json(&usage.stdout)
}

/// Waits until what was delivered is in the index.
fn settle(house: &House, messages: u64) {
    while usage(house)["messages"].as_u64() < Some(messages) {
        std::thread::yield_now();
    }
}

/// What the commands say of a store with two mails.
fn is_well(house: &House) {
    let verify = house.run(&["verify"], "");
    expect(
        &verify,
        0,
        "1 accounts, 6 mailboxes, 2 messages, 2 mails",
        "",
    );
    let verify = house.run(&["verify", "--quick", "--json"], "");
    expect(&verify, 0, "", "");
    let told = json(&verify.stdout);
    assert_eq!(told["findings"], Value::Array(vec![]));
    let shown = house.run(&["usage", "--segments"], "");
    expect(&shown, 0, "1 accounts, 2 messages", "");
    assert!(text(&shown.stdout).contains("a@example.test"));
    let usage = self::usage(house);
    assert_eq!(
        (&usage["mails"], &usage["messages"]),
        (&2.into(), &2.into())
    );
    let tables = usage["indexes"][0]["tables"].as_array().expect("a list");
    let blobs = tables.iter().find(|table| table["name"] == "blob");
    assert_eq!(blobs.expect("a table")["rows"], 2);
}

#[test]
fn a_store_that_is_well() {
    let house = begin();
    let server = serve(&house);
    deliver(&server, &["one", "two"]);
    settle(&house, 2);
    // Asked of the server, and then of the store itself.
    is_well(&house);
    expect(&house.run(&["rebuild"], ""), 3, "", "a running server");
    assert_eq!(server.stop(), Some(0));
    is_well(&house);
}

#[test]
fn a_mail_that_changed_is_told_and_the_others_are_served() {
    let house = begin();
    let server = serve(&house);
    deliver(&server, &["one", "two", "three"]);
    settle(&house, 3);
    let needle = b"The text of two";
    for path in segments(&house) {
        let octets = fs::read(&path).expect("readable");
        let at = octets
            .windows(needle.len())
            .position(|found| found == needle);
        if let Some(at) = at {
            let file = fs::OpenOptions::new().write(true).open(&path);
            let file = file.expect("writable");
            file.write_all_at(b"t", at as u64).expect("written");
        }
    }
    let verify = house.run(&["verify"], "");
    expect(
        &verify,
        1,
        "a@example.test, mailbox \"INBOX\", UID 2",
        "one thing is wrong",
    );
    expect(&verify, 1, "ringpost restore", "");
    let quick = house.run(&["verify", "--quick"], "");
    expect(&quick, 0, "3 messages", "");
    let login = login();
    let fetch = imap(
        server.address("imap"),
        &[
            &login,
            "a SELECT INBOX\r\n",
            "a FETCH 1 BODY[TEXT]\r\n",
            "a FETCH 3 BODY[TEXT]\r\n",
        ],
    );
    for told in ["The text of one", "The text of three"] {
        assert!(fetch.iter().any(|line| line.contains(told)), "{fetch:?}");
    }
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn an_index_that_is_lost_is_made_anew() {
    let house = begin();
    let server = serve(&house);
    deliver(&server, &["one", "two"]);
    assert_eq!(server.stop(), Some(0));

    // With the old index: the password too.
    let rebuild = house.run(&["rebuild"], "");
    expect(&rebuild, 0, "a@example.test: 2 messages", "");
    expect(&rebuild, 0, "kept as index.before-rebuild-1", "");
    let server = serve(&house);
    let login = login();
    let select = imap(server.address("imap"), &[&login, "a SELECT INBOX\r\n"]);
    assert!(
        select.iter().any(|line| line == "* 2 EXISTS\r\n"),
        "{select:?}"
    );
    expect(&house.run(&["verify"], ""), 0, "2 messages", "");
    assert_eq!(server.stop(), Some(0));

    // Without: an account that has no password yet.
    fs::remove_dir_all(house.path("data/index")).expect("removed");
    let rebuild = house.run(&["rebuild", "--json"], "");
    expect(&rebuild, 0, "", "");
    let told = json(&rebuild.stdout);
    let account = &told["accounts"][0];
    assert_eq!(account["name"], "recovered-1@example.test");
    assert_eq!(
        (&account["made"], &account["messages"]),
        (&true.into(), &2.into())
    );
    let passwd = [
        "account",
        "passwd",
        "recovered-1@example.test",
        "--password-stdin",
    ];
    expect(
        &house.run(&passwd, &format!("{PASSWORD}\n")),
        0,
        "changed",
        "",
    );
    let server = serve(&house);
    let login = login.replace("a@example.test", "recovered-1@example.test");
    let select = imap(server.address("imap"), &[&login, "a SELECT INBOX\r\n"]);
    assert!(
        select.iter().any(|line| line == "* 2 EXISTS\r\n"),
        "{select:?}"
    );
    assert_eq!(server.stop(), Some(0));
    expect(&house.run(&["verify"], ""), 0, "2 messages", "");
}

/// Expunged mail is given back while the server runs.
#[test]
fn space_is_given_back() {
    let house = begin();
    house.append("tidy_every_ms = 50\ntidy_grace_ms = 50\n");
    let server = serve(&house);
    let subjects: Vec<String> = (0..40).map(|number| format!("mail {number}")).collect();
    let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
    deliver(&server, &subjects);
    settle(&house, 40);
    let login = login();
    let lines = [
        &login,
        "a SELECT INBOX\r\n",
        "a STORE 1:30 +FLAGS.SILENT (\\Deleted)\r\n",
        "a EXPUNGE\r\n",
    ];
    imap(server.address("imap"), &lines);
    let dead = |key: &str| {
        let usage = self::usage(&house);
        let segments = usage["segments"].as_array().expect("a list").clone();
        segments
            .iter()
            .filter_map(|segment| segment[key].as_u64())
            .sum::<u64>()
    };
    assert!(dead("dead_octets") > 0);
    // What is near the tail waits until the log has gone on.
    let page = 4_096 * 2;
    while dead("waiting_octets") > 2 * page {
        std::thread::yield_now();
    }
    expect(&house.run(&["verify"], ""), 0, "10 messages", "");
    assert_eq!(server.stop(), Some(0));
}
