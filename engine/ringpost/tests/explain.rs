//! `ringpost config explain`: what it says is what a server answers, one question for each way a recipient can go; and the
//! configurations of `tests/config`, each with its answers beside it.

mod house;

use clap::Parser;
use house::{PATIENCE, Server, alone, expect, run, smtp};
use ringpost::cli::exit::{Exit, Failure};
use ringpost::cli::explain::told::Explained;
use ringpost::cli::explain::{Peer, Question, explain};
use ringpost::config::{self, Config};
use ringpost::control::client;
use ringpost::control::request::{Answer, Request};
use rustix::process::Signal;
use std::fs;
use std::path::Path;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    question: Question,
}

fn question(text: &str) -> Question {
    let words = text.split_whitespace();
    let line = Line::try_parse_from(["explain"].into_iter().chain(words));
    line.unwrap_or_else(|error| panic!("{text}: {error}"))
        .question
}

fn ask(config: &Config, request: Request) -> Answer {
    client::ask(config, request).expect("the store answers")
}

fn add_account(config: &Config, name: &str) {
    let request = Request::AccountAdd {
        name: name.to_owned(),
        secret: String::new(),
        keys: None,
    };
    ask(config, request);
}

fn add_alias(config: &Config, name: &str, targets: &[&str]) {
    let request = Request::AliasAdd {
        name: name.to_owned(),
        targets: targets.iter().map(|target| (*target).to_owned()).collect(),
    };
    ask(config, request);
}

const CONFIG: &str = r#"
hostname = "mx.example.test"
data_dir = "data"

[[domain]]
name = "example.test"
traps = ["fred@example.test"]
literals = ["192.0.2.1"]

[[domain]]
name = "closed.test"

[[listener]]
protocol = "smtp"
tag = "mx"
bind = "127.0.0.1:0"
tls = "none"
trust_local = true
greeting_delay_ms = 0
xclient = ["127.0.0.1"]

[[listener]]
protocol = "submission"
bind = "127.0.0.1:0"
tls = "none"
xclient = ["127.0.0.1"]

[[listener]]
protocol = "smtp"
tag = "last"
bind = "127.0.0.1:0"
tls = "none"
defer = true
greeting_delay_ms = 0
xclient = ["127.0.0.1"]

[[listener]]
protocol = "lmtp"
bind = "unix:lmtp.sock"

[[listener]]
protocol = "imap"
bind = "127.0.0.1:0"
tls = "none"

[runtime]
shards = 1

[[relay]]
name = "inside"
host = "192.0.2.25"
port = 2525
tls = "encrypt"

[[rule]]
sender = ["@bad.example", ".bad.example"]
action = "reject"
code = 554
text = "Go away"

[[rule]]
helo = "known.example"
action = "tag"
tag = "known"

[[rule]]
recipient = "old@example.test"
action = "forward"
to = ["alice@example.test", "x@elsewhere.example"]

[[rule]]
recipient = "new@example.test"
action = "forward"
to = ["alice@example.test", "sales@example.test"]

[[rule]]
recipient = "wrong@example.test"
action = "forward"
to = ["alice@example.test", "nobody@example.test"]

[[rule]]
domain = "partner.example"
action = "relay"
relay = "inside"

[[rule]]
recipient = "hole@example.test"
action = "discard"

[[rule]]
domain = "closed.test"
action = "reject"
code = 450
enhanced = "4.7.1"
text = "Later"
"#;

/// (question, who decides, what is done, what the answer to the last command begins with)
const OUTCOMES: &[(&str, &str, &str, &str)] = &[
    // Delivered.
    (
        "--from a@x.example --to alice@example.test --ip 198.51.100.1",
        "no rule: the domain is local",
        "deliver",
        "250 2.1.5",
    ),
    (
        "--from <> --to Alice+tag@Example.Test. --ip 2001:db8::1",
        "no rule: the domain is local",
        "deliver",
        "250 2.1.5",
    ),
    (
        "--from a@x.example --to sales@example.test --ip 198.51.100.2",
        "no rule: the domain is local",
        "deliver",
        "250 2.1.5",
    ),
    (
        "--from a@x.example --to alice@[192.0.2.1] --ip 198.51.100.3",
        "no rule: the domain is local",
        "deliver",
        "250 2.1.5",
    ),
    (
        "--from a@x.example --to <Postmaster> --ip 198.51.100.4",
        "no rule: the domain is local",
        "deliver",
        "250 2.1.5",
    ),
    (
        "--from a@x.example --to abuse@closed.test --ip 198.51.100.5",
        "no rule: the domain is local",
        "deliver",
        "250 2.1.5",
    ),
    // Not there, or no room.
    (
        "--from a@x.example --to nobody@example.test --ip 198.51.100.6",
        "no rule: the domain is local",
        "deliver",
        "550 5.1.1",
    ),
    (
        "--from a@x.example --to full@example.test --ip 198.51.100.7",
        "no rule: the domain is local",
        "deliver",
        "452 4.2.2",
    ),
    // An alias that leaves.
    (
        "--from a@x.example --to away@example.test --ip 198.51.100.8",
        "no rule: the domain is local",
        "deliver",
        "451 4.3.2",
    ),
    // Forwarded: to nobody but ours, to others too, to somebody who is not there.
    (
        "--from a@x.example --to new@example.test --ip 198.51.100.9",
        "rule 4",
        "forward to alice@example.test, sales@example.test",
        "250 2.1.5",
    ),
    (
        "--from a@x.example --to old@example.test --ip 198.51.101.1",
        "rule 3",
        "forward to alice@example.test, x@elsewhere.example",
        "451 4.3.2",
    ),
    (
        "--from a@x.example --to wrong@example.test --ip 198.51.101.2",
        "rule 5",
        "forward to alice@example.test, nobody@example.test",
        "550 5.1.1",
    ),
    // Relayed: by name, for who has logged in, for a trusted peer.
    (
        "--from a@x.example --to b@partner.example --ip 198.51.101.3",
        "rule 6",
        "relay through inside",
        "451 4.3.2",
    ),
    (
        "--from alice@example.test --to b@far.example --ip 198.51.101.4 --user alice@example.test",
        "no rule: logged in",
        "relay by MX",
        "451 4.3.2",
    ),
    (
        "--from a@x.example --to b@far.example --ip 127.0.0.1",
        "no rule: a trusted peer on this machine",
        "relay by MX",
        "451 4.3.2",
    ),
    // Refused: by a rule, by the last one, at MAIL.
    (
        "--from a@x.example --to b@closed.test --ip 198.51.101.5",
        "rule 8",
        "reject with 450 4.7.1 Later",
        "450 4.7.1 Later",
    ),
    (
        "--from a@x.example --to b@far.example --ip 198.51.101.6",
        "no rule: not a local domain, nobody logged in",
        "reject with 550 5.7.1 Relaying denied: the domain is not ours and nobody has logged in",
        "550 5.7.1",
    ),
    (
        "--from a@x.bad.example --to alice@example.test --ip 198.51.101.7",
        "rule 1",
        "reject with 554 5.7.1 Go away",
        "554 5.7.1 Go away",
    ),
    (
        "--from bob@example.test --to alice@example.test --ip 198.51.101.8 --user alice@example.test",
        "",
        "",
        "553 5.7.1",
    ),
    (
        "--from bob@example.test --to alice@example.test --ip 198.51.101.9 --listener submission",
        "",
        "",
        "530 5.7.0",
    ),
    // Taken for nobody.
    (
        "--from a@x.example --to hole@example.test --ip 198.51.102.1",
        "rule 7",
        "discard",
        "250 2.1.5",
    ),
    // Marked on the way.
    (
        "--from a@x.example --to alice@example.test --ip 198.51.102.2 --helo known.example",
        "no rule: the domain is local",
        "deliver",
        "250 2.1.5",
    ),
    // Before the rules.
    (
        "--from a@x.example --to fred+x@example.test --ip 198.51.102.3",
        "",
        "",
        "550 5.1.1",
    ),
    (
        "--from a@x.example --to alice@example.test --ip 198.51.102.4 --listener last",
        "",
        "",
        "451 4.7.1",
    ),
];

/// A folder with the configuration and what the questions need in its store.
fn furnished() -> (tempfile::TempDir, Config) {
    let dir = tempfile::tempdir().expect("a scratch folder");
    let file = dir.path().join("ringpost.toml");
    fs::write(&file, CONFIG).expect("writes");
    let config = config::open(&file, &[]).expect("a good configuration");
    for name in ["alice", "bob", "full"] {
        add_account(&config, &format!("{name}@example.test"));
    }
    add_alias(
        &config,
        "sales@example.test",
        &["alice@example.test", "bob@example.test"],
    );
    add_alias(
        &config,
        "away@example.test",
        &["bob@example.test", "y@elsewhere.example"],
    );
    (dir, config)
}

/// One mail for full@, and room for no other.
fn fill(config: &Config, address: &str) {
    let lines = [
        "EHLO x.example\r\n",
        "MAIL FROM:<>\r\n",
        "RCPT TO:<full@example.test>\r\n",
        "DATA\r\n",
        "a\r\n.\r\n",
    ];
    let answers = smtp(address, &lines);
    let last = answers.last().expect("an answer");
    assert!(last.starts_with("250 2.0.0 Ok"), "{answers:?}");
    let quota = Request::AccountQuota {
        name: "full@example.test".to_owned(),
        octets: None,
        messages: Some(1),
    };
    // The mail is there as soon as the index has it.
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        let Answer::Accounts(accounts) = ask(config, Request::AccountList) else {
            panic!("no accounts");
        };
        if accounts.iter().any(|account| account.messages == 1) {
            break;
        }
        assert!(std::time::Instant::now() < end, "the index stands still");
        std::thread::yield_now();
    }
    ask(config, quota);
}

/// The answer of the server to the last of MAIL and RCPT that it hears, without its trace.
fn answered(server: &Server, question: &Question, text: &str) -> String {
    let tag = match (&question.listener, &question.user) {
        (Some(tag), _) => tag.as_str(),
        (None, Some(_)) => "submission",
        (None, None) => "mx",
    };
    // In the order of the configuration.
    let at = ["mx", "submission", "last"]
        .iter()
        .position(|known| *known == tag);
    let (_, address) = &server.listening[at.expect("a listener")];
    let word = |name: &str| {
        let mut words = text.split_whitespace();
        words.find(|word| *word == name);
        words.next().unwrap_or_default().to_owned()
    };
    let client = match question.ip {
        Peer::Ip(std::net::IpAddr::V6(ip)) => format!("IPV6:{ip}"),
        Peer::Ip(ip) => ip.to_string(),
        Peer::Unix => panic!("not by XCLIENT"),
    };
    let login = match &question.user {
        Some(user) => format!(" LOGIN={user}"),
        None => String::new(),
    };
    let helo = question.helo.as_deref().unwrap_or("x.example");
    let bare = |path: String| path.trim_matches(['<', '>']).to_owned();
    let lines = [
        "EHLO proxy.example\r\n".to_owned(),
        format!("XCLIENT ADDR={client}{login}\r\n"),
        format!("EHLO {helo}\r\n"),
        format!("MAIL FROM:<{}>\r\n", bare(word("--from"))),
        format!("RCPT TO:<{}>\r\n", bare(word("--to"))),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let answers = smtp(address, &lines);
    let (rcpt, mail) = (&answers[answers.len() - 1], &answers[answers.len() - 2]);
    let last = if mail.starts_with('2') { rcpt } else { mail };
    let last = last.trim_end();
    let (answer, _) = last.split_once(" (trace ").unwrap_or((last, ""));
    answer.to_owned()
}

/// Through the server and on the store alone the same is told, and it is what the server answers.
#[test]
fn what_is_explained_is_what_is_answered() {
    let _alone = alone();
    let (dir, config) = furnished();
    let file = dir.path().join("ringpost.toml");
    let server = Server::start(&["serve", "--config", file.to_str().expect("UTF-8")]);
    fill(&config, &server.listening[0].1);
    let mut through = Vec::new();
    for (text, by, action, answer) in OUTCOMES {
        let question = question(text);
        let told = explain(&config, &question).unwrap_or_else(|failure| panic!("{failure:?}"));
        assert_eq!(
            told.action.as_deref().unwrap_or_default(),
            *action,
            "{text}"
        );
        let decider = told.by.clone().unwrap_or_default();
        assert!(
            decider.starts_with(by) && decider.is_empty() == by.is_empty(),
            "{text}: {decider}"
        );
        let said = told.answer().to_string();
        assert!(said.starts_with(answer), "{text}: {said}");
        assert_eq!(answered(&server, &question, text), said, "{text}");
        through.push(told);
    }
    assert_eq!(server.stop(), Some(0));
    for ((text, ..), told) in OUTCOMES.iter().zip(through) {
        assert_eq!(explain(&config, &question(text)), Ok(told), "{text}");
    }
}

fn told(config: &Config, text: &str) -> Explained {
    explain(config, &question(text)).unwrap_or_else(|failure| panic!("{text}: {failure:?}"))
}

#[test]
fn the_whole_way_is_told() {
    let _alone = alone();
    let (_dir, config) = furnished();
    let text = told(
        &config,
        "--from a@x.example --to old@example.test --ip 127.0.0.1 --helo known.example",
    )
    .to_string();
    let text = text.replace(&config.file.display().to_string(), "ringpost.toml");
    let expected = "\
session    127.0.0.1 at listener mx (smtp at 127.0.0.1:0), in clear, trusted, says \"known.example\", nobody has logged in
sender     <a@x.example>
recipient  <old@example.test>
rule       1 (ringpost.toml:55) reject with 554 5.7.1 Go away: passed over, sender: the sender is <a@x.example>
rule       2 (ringpost.toml:61) tag known: all of it holds
rule       3 (ringpost.toml:66) forward to alice@example.test, x@elsewhere.example: all of it holds
decision   forward to alice@example.test, x@elsewhere.example, by rule 3 (ringpost.toml:66)
tags       known
address    alice@example.test (known) -> account alice@example.test
accounts   alice@example.test
leaves     x@elsewhere.example
through    the MX of the domain
MAIL       250 2.1.0 Sender ok
RCPT       451 4.3.2 Outbound queue not running
";
    assert_eq!(text, expected);
    let relayed = told(
        &config,
        "--from <> --to a@partner.example --ip unix --listener lmtp",
    );
    let route = relayed.route.expect("a route");
    assert_eq!(
        route.to_string(),
        "inside: 192.0.2.25 port 2525, TLS encrypt, no login"
    );
}

/// (question, what is said, exit code)
const BAD: &[(&str, &str, Exit)] = &[
    (
        "--from <> --to a@b.example --ip 192.0.2.9 --listener mxx",
        "no listener has the tag \"mxx\"; did you mean \"mx\"?",
        Exit::Usage,
    ),
    (
        "--from <> --to a@b.example --ip 192.0.2.9 --listener elsewhere",
        "no listener has the tag \"elsewhere\"; there are mx, submission, last, lmtp, imap",
        Exit::Usage,
    ),
    (
        "--from <> --to a@b.example --ip 192.0.2.9 --listener imap",
        "listener imap speaks imap, and takes no mail",
        Exit::Usage,
    ),
    (
        "--from <> --to a@b.example --ip 192.0.2.9 --listener lmtp",
        "listener lmtp is at unix:",
        Exit::Usage,
    ),
    (
        "--from <> --to a@b.example --ip unix",
        "listener mx is at 127.0.0.1:0, and no unix socket: say --ip IP",
        Exit::Usage,
    ),
    (
        "--from <> --to a@b.example --ip 192.0.2.9 --tls",
        "listener mx has no TLS",
        Exit::Usage,
    ),
    (
        "--from <> --to a@b.example --ip 192.0.2.9 --listener mx --user alice@example.test",
        "nobody logs in on listener mx, which speaks smtp; --user is for submission",
        Exit::Usage,
    ),
    (
        "--from <> --to a@b.example --ip 192.0.2.9 --user nobody@example.test",
        "there is no account nobody@example.test",
        Exit::NotWell,
    ),
    (
        "--from <> --to a@b.example --ip 192.0.2.9 --user sales@example.test",
        "there is no account sales@example.test",
        Exit::NotWell,
    ),
];

#[test]
fn a_session_that_cannot_be_is_told() {
    let _alone = alone();
    let (_dir, config) = furnished();
    for (text, what, exit) in BAD {
        let failure: Failure = explain(&config, &question(text)).expect_err(text);
        assert!(failure.text.starts_with(what), "{text}: {}", failure.text);
        assert_eq!(failure.exit, *exit, "{text}");
    }
}

#[test]
fn the_command_line() {
    let _alone = alone();
    let (_dir, config) = furnished();
    let file = config.file.to_str().expect("UTF-8");
    let asked = |words: &[&str]| {
        let command = ["config", "explain", "--config", file];
        run(&[&command, words].concat(), "")
    };
    let good = [
        "--from",
        "",
        "--to",
        "alice@example.test",
        "--ip",
        "192.0.2.9",
    ];
    expect(&asked(&good), 0, "RCPT       250 2.1.5 Recipient ok\n", "");
    let json = asked(&[&good[..], &["--json"]].concat());
    expect(&json, 0, "\"accounts\":[\"alice@example.test\"]", "");
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(value["rcpt"]["code"], 250);
    for (at, bad, what) in [
        (1, "nobody", "an address is local-part@domain"),
        (3, "@example.test", "an address is local-part@domain"),
        (3, "a@b..c", "is not a domain"),
        (5, "example.test", "expected an address such as 192.0.2.1"),
        (5, "192.0.2.0/24", "expected an address such as 192.0.2.1"),
    ] {
        let mut words = good;
        words[at] = bad;
        expect(&asked(&words), 2, "", what);
    }
    expect(&asked(&good[..4]), 2, "", "--ip");
    expect(
        &asked(&[&good[..], &["--listener", "x"]].concat()),
        2,
        "",
        "no listener has the tag",
    );
    expect(
        &asked(&[&good[..], &["--set", "hostnam=\"x\""]].concat()),
        1,
        "",
        "unknown key",
    );
}

/// Each configuration of `tests/config` with what is said of it beside it; `RINGPOST_GOLDEN=write` writes that anew.
#[test]
fn other_servers_said_in_ours() {
    let _alone = alone();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/config");
    let write = std::env::var_os("RINGPOST_GOLDEN").is_some_and(|value| value == "write");
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("the folder") {
        let file = entry.expect("an entry").path();
        if file.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        count += 1;
        let golden = file.with_extension("txt");
        let before = fs::read_to_string(&golden).expect("what is said of it");
        let after = answers(&file, &before);
        if write {
            fs::write(&golden, &after).expect("writes");
            continue;
        }
        let name = golden.display();
        assert_eq!(before, after, "{name}: RINGPOST_GOLDEN=write makes it");
    }
    assert_eq!(count, 4);
}

/// The text with its questions answered: what comes before the first question is put into a store.
fn answers(file: &Path, text: &str) -> String {
    let data = tempfile::tempdir().expect("a scratch folder");
    let data_dir = format!("data_dir={:?}", data.path());
    let config = config::open(file, &[data_dir]).unwrap_or_else(|problems| panic!("{problems}"));
    let mut after = String::new();
    let mut questions = false;
    for line in text.lines() {
        if let Some(asked) = line.strip_prefix("$ ") {
            if questions {
                after.push('\n');
            }
            questions = true;
            let folder = file.parent().expect("a folder").display().to_string();
            let told = told(&config, asked).to_string();
            let told = told.replace(&format!("{folder}/"), "");
            after.push_str(&format!("{line}\n{told}"));
        } else if !questions {
            after.push_str(&format!("{line}\n"));
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["account", name] => add_account(&config, name),
                ["alias", name, ref targets @ ..] => add_alias(&config, name, targets),
                _ => assert!(words.is_empty() || words[0] == "#", "{line}"),
            }
        }
    }
    after
}

/// What a list says is in force after a reload, for the server as for who explains.
#[test]
fn a_long_list_is_read_again() {
    let _alone = alone();
    let (dir, config) = furnished();
    let file = dir.path().join("ringpost.toml");
    let list = |domains: std::ops::Range<u32>| {
        let domains = domains.map(|n| format!("D{n}.customer.example\n"));
        fs::write(dir.path().join("list"), domains.collect::<String>()).expect("writes");
    };
    list(0..10_000);
    let rule = "[[rule]]\nsender = \"<>\"\ndomain = \"file:list\"\naction = \"discard\"\n";
    fs::write(&file, format!("{CONFIG}\n{rule}")).expect("writes");
    let server = Server::start(&["serve", "--config", file.to_str().expect("UTF-8")]);
    let agree = |text: &str, expected: &str| {
        let now = config::open(&config.file, &[]).expect("a good configuration");
        let said = told(&now, text).answer().to_string();
        assert!(said.starts_with(expected), "{text}: {said}");
        assert_eq!(answered(&server, &question(text), text), said, "{text}");
    };
    let last = "--from <> --to a@d9999.customer.example --ip 198.51.100.1";
    let next = "--from <> --to a@d10000.customer.example --ip 198.51.101.1";
    agree(last, "250 2.1.5");
    agree(next, "550 5.7.1");
    list(1..10_001);
    server.signal(Signal::HUP);
    server.until("reloaded");
    agree(last, "250 2.1.5");
    agree(next, "250 2.1.5");
    // One that cannot be read changes nothing.
    fs::write(dir.path().join("list"), "a b\n").expect("writes");
    server.signal(Signal::HUP);
    let said = server.until("not reloaded").join("\n");
    assert!(
        said.contains("list:1:1: \"a b\" is no item for domain"),
        "{said}"
    );
    assert_eq!(
        answered(&server, &question(next), next),
        "250 2.1.5 Recipient ok"
    );
    assert_eq!(server.stop(), Some(0));
}
