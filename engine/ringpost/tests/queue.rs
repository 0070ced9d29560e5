//! What is on its way out, as its operator meets it: list, show, hold, release, drop, with a server and without one.

mod house;

use house::{House, Server, expect, text};
use ringpost_api::item::{Head, Item, Recipient};
use ringpost_api::{Store as _, read};
use ringpost_lmdb::{Lmdb, Options};
use ringpost_log::file::{Blocking, now};
use ringpost_log::{Body, Log, Record};
use ringpost_types::{ItemId, TraceId};
use serde_json::Value;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};

/// Far in the future: nobody tries it.
const DUE: u64 = 32_503_680_000_000;

/// Three mails to hosts elsewhere, in the log and in the index.
fn fill(house: &House) {
    let data = house.path("data");
    let lmdb = Lmdb::open(&data, Options::default()).expect("a store");
    let opened = now(Log::open(
        Blocking,
        &data,
        0,
        lmdb.log_end(0),
        ringpost_log::Options::default(),
    ));
    let (log, driver) = opened.expect("a log");
    let store = lmdb.clone();
    let mut driver = pin!(driver.run(move |write, reply| store.submit(write, reply)));
    let mut context = Context::from_waker(Waker::noop());
    for number in 1..=3 {
        let item = Item {
            head: Head {
                trace: TraceId(number),
                created: 1_000,
                due: DUE,
                require_tls: true,
                ..Head::default()
            },
            sender: Some("a@example.test".into()),
            recipients: vec![Recipient {
                address: format!("{number}@other.test"),
                ..Recipient::default()
            }],
            ..Item::default()
        };
        let record = Record {
            targets: vec![],
            items: vec![item],
            digest: vec![],
            text: vec![],
            body: Body::Whole(b"Subject: away\r\n\r\nText.\r\n".to_vec()),
        };
        let mut append = log.append(record, None);
        while Pin::new(&mut append).poll(&mut context).is_pending() {
            assert!(driver.as_mut().poll(&mut context).is_pending());
        }
    }
}

/// The index has them all.
fn is_filled(house: &House) {
    let lmdb = Lmdb::open(&house.path("data"), Options::default()).expect("a store");
    let next = read::next_item(&*lmdb.snapshot().expect("a snapshot"));
    assert_eq!(next, Ok(ItemId(4)));
    lmdb.close();
}

/// Numbers and states.
fn listed(house: &House) -> Vec<(u64, String)> {
    let list = house.run(&["queue", "list", "--json"], "");
    expect(&list, 0, "", "");
    let list: Value = serde_json::from_slice(&list.stdout).expect("JSON");
    let items = list.as_array().expect("a list").iter();
    let line = |item: &Value| {
        let state = item["state"].as_str().expect("a text").to_owned();
        (item["item"].as_u64().expect("a number"), state)
    };
    items.map(line).collect()
}

/// Items 1 to 3 are queued, and `gone` is dropped.
fn is_looked_after(house: &House, gone: &str) {
    let queued = |item| (item, "queued".to_owned());
    let held = |item| (item, "held".to_owned());
    let before = listed(house);
    let list = house.run(&["queue", "list"], "");
    expect(
        &list,
        0,
        "<a@example.test> to 3@other.test  queued, due in ",
        "",
    );
    let hold = ["queue", "hold", "3", "--why", "by law"];
    expect(&house.run(&hold, ""), 0, "1 item held\n", "");
    assert!(listed(house).contains(&held(3)));
    let list = house.run(&["queue", "list", "--held"], "");
    expect(&list, 0, "held: by law", "");
    assert_eq!(text(&list.stdout).lines().count(), 1);
    let show = house.run(&["queue", "show", "3"], "");
    expect(&show, 0, "why          by law\n", "");
    expect(&show, 0, "needs        requiretls\n", "");
    expect(&show, 0, "trace        0000000000000003\n", "");
    let show = house.run(&["queue", "show", "3", "--json"], "");
    expect(&show, 0, "\"require_tls\":true", "");
    let release = house.run(&["queue", "release", "--held"], "");
    expect(&release, 0, "1 item released\n", "");
    assert_eq!(listed(house), before);
    assert!(before.contains(&queued(3)));
    let wrong = house.run(&["queue", "release", "3", "77"], "");
    expect(
        &wrong,
        1,
        "0 items released\n",
        "not there or not held: 3, 77",
    );
    expect(
        &house.run(&["queue", "show", "77"], ""),
        1,
        "",
        "no such item",
    );
    expect(&house.run(&["queue", "drop"], ""), 2, "", "");
    expect(&house.run(&["queue", "drop", "3", "--all"], ""), 2, "", "");
    let drop = house.run(&["queue", "drop", gone], "");
    expect(&drop, 0, "1 item dropped\n", "");
    assert_eq!(listed(house).len(), before.len() - 1);
}

#[test]
fn it_is_looked_after() {
    let house = House::new();
    fill(&house);
    is_filled(&house);
    is_looked_after(&house, "1");
    let server = Server::start(&["serve", "--config", &house.config]);
    is_looked_after(&house, "2");
    let usage = house.run(&["usage"], "");
    expect(&usage, 0, "queue: 1 items, ", "");
    expect(&house.run(&["verify"], ""), 0, "", "");
    let drop = house.run(&["queue", "drop", "--all"], "");
    expect(&drop, 0, "1 item dropped\n", "");
    assert_eq!(listed(&house), []);
    assert_eq!(server.stop(), Some(0));
}

/// What a backup had in the queue was most likely sent since: nothing goes out before somebody has looked.
#[test]
fn what_was_brought_back_waits() {
    let house = House::new();
    fill(&house);
    is_filled(&house);
    let backup = house.path("backup");
    let backup = backup.to_str().expect("UTF-8");
    let made = house.run(&["backup", "--to", backup], "");
    expect(&made, 0, "", "");
    for (to, same, state) in [("new", false, "held"), ("moved", true, "queued")] {
        let folder = house.path(to);
        let folder = folder.to_str().expect("UTF-8");
        let mut line = vec!["restore", "--from", backup, "--to", folder];
        line.extend(same.then_some("--same-uids"));
        let restored = house.run(&line, "");
        let told = if same {
            ""
        } else {
            "3 items of the queue are held"
        };
        expect(&restored, 0, told, "");
        let config = format!("{folder}/ringpost.toml");
        let list = house::run(&["queue", "list", "--json", "--config", &config], "");
        expect(&list, 0, state, "");
        assert_eq!(text(&list.stdout).matches(state).count(), 3);
    }
    // Neither does what the logs alone tell.
    std::fs::remove_dir_all(house.path("data/index")).expect("removed");
    let rebuilt = house.run(&["rebuild"], "");
    expect(&rebuilt, 0, "3 items of the queue came back", "");
    expect(&rebuilt, 0, "3 of them are held", "");
    assert!(listed(&house).iter().all(|(_, state)| state == "held"));
}
