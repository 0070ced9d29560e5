use super::*;
use ringpost_types::limit::Limits;

fn door(change: impl FnOnce(&mut Limits)) -> Arc<Admission> {
    let mut limits = Limits::default();
    change(&mut limits);
    let policy = Policy::new(&limits, Vec::new());
    Admission::new(
        policy,
        limits.admission_entries_max,
        Budget::new(1_000),
        [1, 2],
    )
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().expect("an address"))
}

/// How many of `tries` come in from one address after the other; those who do stay.
fn come(door: &Arc<Admission>, addresses: &[&str], tries: usize) -> (Vec<Guard>, Option<Reason>) {
    let mut inside = Vec::new();
    let mut last = None;
    for n in 0..tries {
        match door.enter(ip(addresses[n % addresses.len()]), 1_000) {
            Ok(guard) => inside.push(guard),
            Err(verdict) => last = verdict.reason(),
        }
    }
    (inside, last)
}

#[test]
fn connections_at_the_limit_and_one_above() {
    let three = |limits: &mut Limits| limits.admission_address_connections_max = 3;
    let door_one = door(three);
    let (mut inside, reason) = come(&door_one, &["192.0.2.1"], 4);
    assert_eq!(inside.len(), 3);
    assert_eq!(reason, Some(Reason::Connections(Scope::Address)));
    inside.pop();
    assert!(
        door_one.enter(ip("192.0.2.1"), 1_000).is_ok(),
        "a place is free"
    );
    assert!(door_one.enter(ip("192.0.2.2"), 1_000).is_ok());

    let door_all = door(|limits| limits.admission_network_connections_max = 3);
    let (inside, reason) = come(&door_all, &["192.0.2.1", "192.0.2.2"], 4);
    assert_eq!(
        (inside.len(), reason),
        (3, Some(Reason::Connections(Scope::Network)))
    );
    assert!(door_all.enter(ip("192.0.3.1"), 1_000).is_ok());

    let door_six = door(|limits| limits.admission_network_connections_max = 3);
    let (inside, _) = come(
        &door_six,
        &["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"],
        9,
    );
    assert_eq!(inside.len(), 6, "two networks");

    let full = door(|limits| limits.admission_connections_max = 3);
    let (inside, reason) = come(&full, &["192.0.2.1", "127.0.0.1"], 4);
    assert_eq!(
        (inside.len(), reason),
        (3, Some(Reason::Connections(Scope::Server)))
    );
    drop(inside);
    assert_eq!(full.open(), 0);
}

#[test]
fn rates_at_the_limit_and_one_above() {
    let door = door(|limits| {
        limits.admission_address_connections_per_minute = 2;
        limits.admission_address_messages_per_minute = 4;
        limits.admission_network_recipients_per_minute = 5;
        limits.admission_account_messages_per_hour = 1;
    });
    let mut guard = door.enter(ip("192.0.2.1"), 0).expect("in");
    assert!(door.enter(ip("192.0.2.1"), 0).is_ok());
    let refused = door.enter(ip("192.0.2.1"), 0).err();
    let rate = |scope, count| Verdict::Later(Reason::Rate(scope, count));
    assert_eq!(refused, Some(rate(Scope::Address, Count::Connections)));
    assert!(
        door.enter(ip("192.0.2.1"), 30_000).is_ok(),
        "half a minute later"
    );

    assert_eq!(guard.count(Count::Messages, 4, 0), Verdict::Welcome);
    assert_eq!(
        guard.count(Count::Messages, 1, 0),
        rate(Scope::Address, Count::Messages)
    );
    assert_eq!(guard.count(Count::Recipients, 5, 0), Verdict::Welcome);
    assert_eq!(
        guard.count(Count::Recipients, 1, 0),
        rate(Scope::Network, Count::Recipients)
    );
    // After login it is the account that counts.
    assert_eq!(guard.known_as("alice@example.test", 0), Verdict::Welcome);
    assert_eq!(guard.count(Count::Recipients, 1, 0), Verdict::Welcome);
    assert_eq!(guard.count(Count::Messages, 1, 0), Verdict::Welcome);
    assert_eq!(
        guard.count(Count::Messages, 1, 0),
        rate(Scope::Account, Count::Messages)
    );
    assert_eq!(guard.count(Count::Messages, 1, 3_600_000), Verdict::Welcome);
}

#[test]
fn who_logged_in_counts_by_account() {
    let door = door(|limits| {
        limits.admission_address_connections_max = 2;
        limits.admission_account_connections_max = 3;
    });
    // An office: as many as like, two at a time on their way in, three of one account.
    let mut inside = Vec::new();
    for name in ["a", "b", "c", "a", "A", "d"] {
        let mut guard = door.enter(ip("192.0.2.1"), 0).expect("in");
        assert_eq!(guard.known_as(name, 0), Verdict::Welcome);
        inside.push(guard);
    }
    let mut fourth = door.enter(ip("192.0.2.1"), 0).expect("in");
    let reason = fourth.known_as("a", 0).reason();
    assert_eq!(reason, Some(Reason::Connections(Scope::Account)));
    // It still counts by address.
    let other = door.enter(ip("192.0.2.1"), 0).expect("in");
    assert!(door.enter(ip("192.0.2.1"), 0).is_err());
    drop((other, fourth, inside));
    assert_eq!(door.open(), 0);
    let (inside, _) = come(&door, &["192.0.2.1"], 3);
    assert_eq!(inside.len(), 2, "nothing was left behind");
}

#[test]
fn exempt_guests_are_counted_by_account_alone() {
    let policy = Policy::new(
        &Limits {
            admission_address_connections_max: 1,
            admission_account_messages_per_hour: 1,
            ..Limits::default()
        },
        vec!["198.51.100.0/24".parse().expect("a network")],
    );
    let door = Admission::new(policy, 100, Budget::new(1_000), [0; 2]);
    for address in [None, ip("127.0.0.1"), ip("198.51.100.7")] {
        let _one = door.enter(address, 0).expect("in");
        let mut guard = door.enter(address, 0).expect("in");
        for _ in 0..10_000 {
            assert_eq!(guard.fail(address, "test", 0), Verdict::Welcome);
        }
        assert_eq!(guard.count(Count::Messages, 1 << 40, 0), Verdict::Welcome);
        guard.known_as(&format!("{address:?}"), 0);
        assert_eq!(guard.count(Count::Messages, 1, 0), Verdict::Welcome);
        assert!(guard.count(Count::Messages, 1, 0).reason().is_some());
    }
}

#[test]
fn errors_slow_down_and_ban() {
    let door = door(|limits| limits.admission_address_errors_per_hour = 20);
    let guard = door.enter(ip("192.0.2.1"), 0).expect("in");
    let verdicts: Vec<Verdict> = (0..20)
        .map(|_| guard.fail(ip("192.0.2.1"), "test", 0))
        .collect();
    assert_eq!(verdicts[1], Verdict::Welcome, "a tenth is free");
    assert_eq!(verdicts[2], Verdict::Slow(10_000 / 18));
    assert_eq!(verdicts[18], Verdict::Slow(10_000 * 17 / 18));
    assert_eq!(verdicts[19], Verdict::Later(Reason::Banned));
    let refused = door.enter(ip("192.0.2.1"), 599_999).err();
    assert_eq!(refused, Some(Verdict::Later(Reason::Banned)));
    assert!(door.enter(ip("192.0.2.2"), 0).is_ok());
    assert!(door.enter(ip("192.0.2.1"), 600_000).is_ok(), "over");
    let news = door.news(0);
    assert_eq!(news.len(), 1);
    assert_eq!((&*news[0].reason, news[0].count), ("test", 1));
    assert_eq!(
        door.ban_on(ip("192.0.2.1").expect("some"), 1),
        news.first().cloned()
    );
    assert!(door.news(0).is_empty(), "told once");
}

#[test]
fn bans_grow_and_are_forgotten() {
    let door = door(|_| ());
    let network: Network = "192.0.2.1".parse().expect("a network");
    let day = Limits::default().admission_ban_ms_max;
    let mut now = 0;
    let mut lasted = Vec::new();
    for _ in 0..10 {
        door.ban(network, "test", now);
        let until = door.bans(now)[0].until_ms;
        lasted.push((until - now) / 60_000);
        now = until;
    }
    assert_eq!(lasted, [10, 20, 40, 80, 160, 320, 640, 1_280, 1_440, 1_440]);
    assert_eq!(door.news(now + day).len(), 10);
    door.ban(network, "test", now + day);
    assert_eq!(door.bans(now + day)[0].count, 11, "just remembered");
    let later = now + day + day;
    door.news(later + day + 1);
    door.ban(network, "test", later + day + 1);
    assert_eq!(door.bans(later + day + 1)[0].count, 1, "forgotten");
}

#[test]
fn bans_by_hand() {
    let door = door(|_| ());
    let ban = |network: &str, until_ms| Ban {
        network: network.parse().expect("a network"),
        since_ms: 0,
        until_ms,
        count: 1,
        reason: "spoken".into(),
    };
    door.put_bans([ban("192.0.2.0/24", u64::MAX), ban("2001:db8::/32", 50)]);
    let verdict = |address, now| door.enter(ip(address), now).err();
    assert_eq!(
        verdict("192.0.2.9", 0),
        Some(Verdict::Refused(Reason::Banned))
    );
    assert_eq!(
        verdict("2001:db8:7::1", 49),
        Some(Verdict::Later(Reason::Banned))
    );
    assert_eq!(verdict("2001:db8:7::1", 50), None);
    assert!(door.news(0).is_empty(), "whoever speaks one writes it down");
    assert!(door.unban(&"192.0.2.0/24".parse().expect("a network")));
    assert!(!door.unban(&"192.0.2.0/24".parse().expect("a network")));
    assert_eq!(verdict("192.0.2.9", 0), None);
}

#[test]
fn memory_shuts_the_door_step_by_step() {
    use crate::memory::Use;
    let door = door(|limits| limits.admission_crowd = 2);
    let budget = door.budget().clone();
    let _crowd = come(&door, &["192.0.2.1", "192.0.2.2"], 2).0;
    let guard = door.enter(ip("198.51.100.1"), 0).expect("in");
    guard.good(ip("198.51.100.1"), 0);
    let refused = |address| door.enter(ip(address), 1).err().and_then(|v| v.reason());
    let memory = |step| Some(Reason::Memory(step));
    use crate::Step;
    //             octets: crowd, stranger, known
    let cases = [
        (699, None, None, None),
        (700, memory(Step::Crowds), None, None),
        (799, memory(Step::Crowds), None, None),
        (800, memory(Step::Crowds), memory(Step::Strangers), None),
        (1_000, memory(Step::Crowds), memory(Step::Strangers), None),
    ];
    for (octets, crowd, stranger, known) in cases {
        budget.set(Use::Mails, octets);
        assert_eq!(refused("192.0.2.3"), crowd, "{octets}");
        assert_eq!(refused("203.0.113.1"), stranger, "{octets}");
        assert_eq!(refused("198.51.100.9"), known, "{octets}");
        assert_eq!(refused("127.0.0.1"), None, "exempt");
    }
    assert_eq!(door.open(), 3);
}

#[test]
fn logins() {
    let door = door(|limits| {
        limits.admission_account_login_failures_per_hour = 50;
        limits.admission_network_login_failures_per_hour = 60;
    });
    let (home, hostile) = (ip("192.0.2.1"), ip("198.51.100.1"));
    door.logged_in(home, "alice", 0);
    let at_home = |address, name| door.is_at_home(address, name, 0);
    assert!(at_home(ip("192.0.2.200"), "Alice") && at_home(None, "bob"));
    assert!(at_home(ip("127.0.0.1"), "bob") && !at_home(home, "bob"));
    assert!(!at_home(ip("192.0.3.1"), "alice"));
    // One address guesses: slower and slower, then banned.
    let verdicts: Vec<Verdict> = (0..30)
        .map(|_| door.log_in_failed(hostile, "alice", 0))
        .collect();
    assert_eq!(verdicts[2], Verdict::Welcome);
    assert_eq!(verdicts[3], Verdict::Slow(10_000 / 27));
    assert_eq!(verdicts[29], Verdict::Later(Reason::Banned));
    assert_eq!(
        door.may_log_in(hostile, "bob", 1),
        Verdict::Later(Reason::Banned)
    );
    assert_eq!(door.news(0)[0].network.to_string(), "198.51.100.1/32");
    // Many addresses guess: the name is shut for strangers and open for its owner.
    for n in 0..20 {
        door.log_in_failed(ip(&format!("203.0.{n}.1")), "Alice", 0);
    }
    let shut = Verdict::Later(Reason::Rate(Scope::Account, Count::Logins));
    assert_eq!(door.may_log_in(ip("203.0.113.9"), "alice", 0), shut);
    assert_eq!(
        door.may_log_in(ip("203.0.113.9"), "bob", 0),
        Verdict::Welcome
    );
    assert_eq!(
        door.may_log_in(ip("192.0.2.77"), "ALICE", 0),
        Verdict::Welcome
    );
    assert_eq!(door.may_log_in(None, "alice", 0), Verdict::Welcome);
    assert_eq!(
        door.may_log_in(ip("203.0.113.9"), "alice", 72_000),
        Verdict::Welcome
    );
    // Many addresses of one network guess many names: the network is banned.
    for n in 0..60 {
        door.log_in_failed(ip(&format!("192.88.99.{n}")), &format!("user{n}"), 0);
    }
    assert_eq!(door.news(0)[0].network.to_string(), "192.88.99.0/24");
}

/// Who names nobody is counted by where he comes from alone: strangers' bad tokens shut the door for no good one.
#[test]
fn logins_without_a_name() {
    let door = door(|limits| limits.admission_account_login_failures_per_hour = 50);
    for n in 0..200 {
        let address = ip(&format!("203.0.{n}.1"));
        assert_eq!(door.log_in_failed(address, "", 0), Verdict::Welcome);
    }
    assert_eq!(door.may_log_in(ip("192.0.2.1"), "", 0), Verdict::Welcome);
    let (hostile, banned) = (ip("198.51.100.1"), Verdict::Later(Reason::Banned));
    let verdicts: Vec<Verdict> = (0..30)
        .map(|_| door.log_in_failed(hostile, "", 0))
        .collect();
    assert_eq!(verdicts[29], banned);
    assert_eq!(door.may_log_in(hostile, "", 1), banned);
}

#[test]
fn names_fold_case_and_differ() {
    let door = door(|_| ());
    assert_eq!(
        door.name_key("Alice@Example.test"),
        door.name_key("alice@example.TEST")
    );
    let names = [
        "",
        "a",
        "b",
        "aa",
        "alice@example.test",
        "alice@example.tesu",
    ];
    for (n, one) in names.iter().enumerate() {
        for other in &names[n + 1..] {
            assert_ne!(door.name_key(one), door.name_key(other), "{one} {other}");
        }
    }
}

/// A guard is kept by every connection.
#[test]
fn a_guard_is_small() {
    assert!(size_of::<Guard>() <= 24, "{}", size_of::<Guard>());
}
