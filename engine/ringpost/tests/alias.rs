//! Circles of aliases as the operator meets them: refused when one would be made, told where one is there.

mod house;

use house::{House, Server, alone, expect, text};
use ringpost::config;
use ringpost::control::client;
use ringpost::control::request::Request;
use rustix::process::Signal;
use std::fs;

/// A house with an account, without a password.
fn house() -> House {
    let house = House::new();
    let config = config::open(house.config.as_ref(), &[]).expect("a good configuration");
    let request = Request::AccountAdd {
        name: "bob@example.test".to_owned(),
        secret: String::new(),
        keys: None,
    };
    client::ask(&config, request).expect("made");
    house
}

#[test]
fn circles_are_not_made() {
    let _alone = alone();
    let house = house();
    let add = |name: &str, target: &str| house.run(&["alias", "add", name, target], "");
    expect(&add("a@example.test", "bob@example.test"), 0, "", "");
    expect(&add("b@example.test", "a@example.test"), 0, "", "");
    let circle =
        "an alias leads back to itself: a@example.test -> b@example.test -> a@example.test";
    expect(&add("a@example.test", "b+x@example.test"), 1, "", circle);
    let itself = "an alias leads back to itself: c@example.test -> c@example.test";
    let both = [
        "alias",
        "add",
        "c@example.test",
        "bob@example.test",
        "c@example.test",
    ];
    expect(&house.run(&both, ""), 1, "", "c@example.test is neither");
    expect(&add("c@example.test", "bob@example.test"), 0, "", "");
    expect(&house.run(&both, ""), 1, "", itself);

    let table = house.path("aliases");
    fs::write(&table, "d: bob\na: d,\n   b\n").expect("writes");
    let file = table.to_str().expect("UTF-8");
    let import = house.run(&["alias", "import", file], "");
    expect(&import, 1, "", &format!("{file}:2: {circle}"));
    let list = house.run(&["alias", "list"], "");
    assert!(
        !text(&list.stdout).contains("d@example.test"),
        "all or none"
    );
}

/// What domains call a subaddress may change under an alias: nothing was put, and there is a circle.
#[test]
fn circles_that_are_there_are_told() {
    let _alone = alone();
    let house = house();
    let run = |words: &[&str]| expect(&house.run(words, ""), 0, "", "");
    run(&["alias", "add", "a-x@example.test", "bob@example.test"]);
    run(&["alias", "add", "a@example.test", "a-x@example.test"]);
    run(&["alias", "remove", "a-x@example.test"]);
    let check = |words: &[&str]| {
        let output = house.run(&[&["config", "check"], words].concat(), "");
        expect(&output, 0, "ringpost.toml: ok", "");
        text(&output.stdout)
    };
    let dangling = "note: alias a@example.test leads to a-x@example.test, which is not there";
    assert!(check(&["--store"]).contains(dangling));

    let before = fs::read_to_string(&house.config).expect("reads");
    let domain = "name = \"example.test\"\n";
    assert!(before.contains(domain));
    let after = before.replace(domain, &format!("{domain}subaddress = \"-\"\n"));
    fs::write(&house.config, &after).expect("writes");
    let circle = "an alias leads back to itself: a@example.test -> a@example.test";
    // Without a server a plain check leaves the store alone.
    assert!(!check(&[]).contains("alias"));
    assert!(check(&["--store"]).contains(&format!("note: {circle}")));

    let server = Server::start(&["serve", "--config", &house.config]);
    assert!(server.told.iter().any(|line| line.contains(circle)));
    assert!(check(&[]).contains(&format!("note: {circle}")));
    fs::write(&house.config, &before).expect("writes");
    server.signal(Signal::HUP);
    assert!(
        server
            .until("reloaded")
            .iter()
            .any(|line| line.contains(&dangling[6..]))
    );
    fs::write(&house.config, &after).expect("writes");
    server.signal(Signal::HUP);
    assert!(
        server
            .until("reloaded")
            .iter()
            .any(|line| line.contains(circle))
    );
    assert_eq!(server.stop(), Some(0));
}

/// Operators at once, each with one half of a circle: one of them is refused.
#[test]
fn two_at_once_make_no_circle() {
    let _alone = alone();
    let house = house();
    let server = Server::start(&["serve", "--config", &house.config]);
    let config = config::open(house.config.as_ref(), &[]).expect("a good configuration");
    let add = |name: &str, target: &str| {
        let request = Request::AliasAdd {
            name: name.to_owned(),
            targets: vec![target.to_owned()],
        };
        client::ask(&config, request).is_ok()
    };
    for round in 0..20 {
        let (a, b) = (
            format!("a{round}@example.test"),
            format!("b{round}@example.test"),
        );
        assert!(add(&a, "bob@example.test") && add(&b, "bob@example.test"));
        let (there, back) = std::thread::scope(|scope| {
            let there = scope.spawn(|| add(&a, &b));
            let back = scope.spawn(|| add(&b, &a));
            (there.join(), back.join())
        });
        let made = [there, back].map(|made| made.expect("asked"));
        assert_eq!(made.iter().filter(|made| **made).count(), 1, "{round}");
    }
    assert_eq!(server.stop(), Some(0));
}
