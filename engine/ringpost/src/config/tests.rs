//! What configuration files say, and what is said of bad ones.

use super::*;
use ringpost_directory::rules::RouteTls;
use ringpost_directory::{By, Facts};
use ringpost_types::Address;

const GOOD: &str = r#"
hostname = "mx.example.org"
data_dir = "data"

[[domain]]
name = "example.org"
postmaster = "alice@example.org"

[[domain]]
name = "Example.NET"
subaddress = "-+"
literals = ["192.0.2.1", "2001:db8::1"]
traps = ["fred@example.net"]

[[listener]]
protocol = "smtp"
bind = "127.0.0.1:2525"
tag = "outside"
trust_local = true
defer = true
proxy = ["192.0.2.0/28"]
xclient = ["127.0.0.1", "::1"]

[[listener]]
protocol = "imap"
bind = "[::1]:2993"
tls = "implicit"

[[listener]]
protocol = "lmtp"
bind = "unix:run/lmtp.sock"

[tls]
certificate = "/etc/tls/cert.pem"
key = "tls/key.pem"

[runtime]
shards = 2

[dns]
upstream = ["127.0.0.1:53", "[::1]:53"]

[store]
map_octets = 1073741824
compress = true

[limits]
smtp_recipients_max = 5
message_octets_max = 0x10_0000
"#;

fn read(text: &str, overrides: &[&str]) -> Result<Config, Problems> {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    load(Path::new("etc/ringpost.toml"), text, &overrides)
}

#[test]
fn every_key_is_read() {
    let config = read(GOOD, &[]).expect("a good file");
    assert_eq!(config.hostname, "mx.example.org");
    assert_eq!(config.data_dir, Path::new("etc/data"));
    let domains: Vec<_> = config
        .domains
        .iter()
        .map(|domain| domain.name.as_str())
        .collect();
    assert_eq!(domains, ["example.org", "example.net"]);
    assert!(config.domains[0].postmaster.is_some());
    let second = &config.domains[1];
    assert_eq!(
        (&*config.domains[0].subaddress, &*second.subaddress),
        ("+", "-+")
    );
    assert_eq!((second.literals.len(), second.traps.len()), (2, 1));
    let first = &config.listeners[0];
    assert_eq!(first.tag, "outside");
    assert_eq!(
        (first.trust_local, first.defer, first.mask_source),
        (true, true, false)
    );
    assert_eq!((first.proxy.len(), first.xclient.len()), (1, 2));
    assert_eq!(config.listeners[1].tag, "imap");
    let listeners: Vec<_> = config
        .listeners
        .iter()
        .map(|listener| (listener.protocol, listener.bind.to_string(), listener.tls))
        .collect();
    let expected = [
        (
            Protocol::Smtp,
            "127.0.0.1:2525".to_owned(),
            TlsMode::Starttls,
        ),
        (Protocol::Imap, "[::1]:2993".to_owned(), TlsMode::Implicit),
        (
            Protocol::Lmtp,
            "unix:etc/run/lmtp.sock".to_owned(),
            TlsMode::None,
        ),
    ];
    assert_eq!(listeners, expected);
    assert_eq!(config.tls.certificate, Path::new("/etc/tls/cert.pem"));
    assert_eq!(config.tls.key, Path::new("etc/tls/key.pem"));
    assert_eq!(config.shards, Some(2));
    assert_eq!((config.map_octets, config.compress), (Some(1 << 30), true));
    assert_eq!(config.dns_upstream.len(), 2);
    assert_eq!(config.limits.smtp_recipients_max, 5);
    assert_eq!(config.limits.message_octets_max, 1 << 20);
    assert_eq!(
        config.limits.smtp_errors_max,
        Limits::default().smtp_errors_max
    );
}

const SMALL: &str = "hostname = \"h.example\"\ndata_dir = \"d\"\n[[domain]]\nname = \"example\"\n";

#[test]
fn defaults() {
    let config = read(SMALL, &[]).expect("a good file");
    let listeners: Vec<_> = config
        .listeners
        .iter()
        .map(|listener| format!("{} {}", listener.protocol.name(), listener.bind))
        .collect();
    let expected = [
        "smtp 0.0.0.0:25",
        "smtp [::]:25",
        "submission 0.0.0.0:587",
        "submission [::]:587",
        "submission 0.0.0.0:465",
        "submission [::]:465",
        "imap 0.0.0.0:143",
        "imap [::]:143",
        "imap 0.0.0.0:993",
        "imap [::]:993",
        "lmtp unix:etc/d/lmtp.sock",
    ];
    assert_eq!(listeners, expected);
    assert_eq!(config.shards, None);
    assert_eq!((config.map_octets, config.compress), (None, false));
    assert_eq!(config.tls.certificate, Path::new("etc/tls/cert.pem"));
    assert_eq!(config.limits, Limits::default());
}

#[test]
fn overrides_win_over_the_file() {
    let overrides = [
        "hostname=other.example",
        "runtime.shards = 7",
        "limits.drain_ms=100",
        "data_dir=/var/lib/x y",
        "tls.key=k\"1.pem",
        "listener=[{protocol=\"smtp\",bind=\"127.0.0.1:0\"},{protocol=\"smtp\",bind=\"127.0.0.1:0\"}]",
    ];
    let config = read(GOOD, &overrides).expect("good overrides");
    assert_eq!(config.hostname, "other.example");
    assert_eq!(config.shards, Some(7));
    assert_eq!(config.limits.drain_ms, 100);
    assert_eq!(config.limits.smtp_recipients_max, 5, "others stay");
    assert_eq!(config.data_dir, Path::new("/var/lib/x y"));
    assert_eq!(config.tls.key, Path::new("etc/k\"1.pem"));
    assert_eq!(config.tls.certificate, Path::new("/etc/tls/cert.pem"));
    assert_eq!(config.listeners.len(), 2);
}

/// (what is appended to SMALL, or with `=` in front the whole file; the problems)
const BAD: &[(&str, &[&str])] = &[
    (
        "=",
        &[
            "f: hostname is missing; expected hostname = \"mx.example.org\"",
            "f: data_dir is missing; expected data_dir = \"data\"",
            "f: no domain; expected at least one [[domain]] with its name",
        ],
    ),
    (
        "=hostname = ",
        &["f:1:12: not TOML: string values must be quoted, expected literal string"],
    ),
    (
        "=hostnam = \"h\"\ndata_dir = 7\n[[domain]]\nnane = \"x\"\n",
        &[
            "f:1:1: unknown key \"hostnam\"; did you mean \"hostname\"?",
            "f:2:12: data_dir is an integer; expected a folder such as \"data\"",
            "f:4:1: unknown key \"nane\" in [domain]; did you mean \"name\"?",
        ],
    ),
    (
        "[limits]\nsmtp_recipient_max = 1\nsmtp_errors_max = 0\n",
        &[
            "f:6:1: unknown key \"smtp_recipient_max\" in [limits]; did you mean \"smtp_recipients_max\"?",
            "f:7:19: smtp_errors_max is an integer; expected a whole number, 1 or more",
        ],
    ),
    (
        "[runtime]\ncertificate = \"x\"\n",
        &["f:6:1: unknown key \"certificate\" in [runtime]; it belongs in [tls]"],
    ),
    (
        "[zebra]\n",
        &[
            "f:5:2: unknown key \"zebra\"; known are hostname, data_dir, domain, listener, rule, relay, tls, auth, runtime, dns, store, admission, limits",
        ],
    ),
    (
        "[runtime]\nshards = \"all\"\n",
        &["f:6:10: shards is a string; expected \"auto\" or a number from 1 to 256"],
    ),
    (
        "[store]\ncompress = \"yes\"\n",
        &[
            "f:6:12: compress is a string; expected true or false: whether mails that shrink are stored packed",
        ],
    ),
    (
        "[runtime]\nshards = 257\n",
        &["f:6:10: shards is 257; expected 1 to 256"],
    ),
    (
        "[store]\nmap_octets = 1073741823\n",
        &[
            "f:6:14: map_octets is 1073741823; expected what the index may grow to, from 1073741824 to 17592186044416 octets",
        ],
    ),
    (
        "[[listener]]\nprotocol = \"imap\"\nbind = \"0.0.0.0:143\"\ntls = \"none\"\n",
        &[
            "f:8:7: passwords would cross the network in clear on 0.0.0.0:143; expected tls \"required\" or \"implicit\", or a loopback address",
        ],
    ),
    (
        "[[listener]]\nprotocol = \"lmtp\"\nbind = \"0.0.0.0:24\"\n",
        &[
            "f:7:8: lmtp takes mail from whoever connects; 0.0.0.0:24 is open to others: expected \"unix:PATH\" or a loopback address",
        ],
    ),
    (
        "[[listener]]\nprotocol = \"managesieve\"\nbind = \"127.0.0.1:4190\"\n",
        &["f:6:12: protocol \"managesieve\" is not available in this version"],
    ),
    (
        "[[listener]]\nprotocol = \"smpt\"\nbind = \"127.0.0.1\"\n",
        &[
            "f:6:12: unknown protocol \"smpt\"; did you mean \"smtp\"?",
            "f:7:8: bind is \"127.0.0.1\"; expected \"address:port\" such as \"[::]:25\", or \"unix:PATH\"",
        ],
    ),
    (
        "[[listener]]\nprotocol = \"smtp\"\n",
        &["f:5:1: [[listener]] needs protocol and bind"],
    ),
    (
        "[[listener]]\nprotocol = \"smtp\"\nbind = \"127.0.0.1:25\"\n[[listener]]\nprotocol = \"imap\"\nbind = \"127.0.0.1:25\"\n",
        &["f:10:8: two listeners at 127.0.0.1:25"],
    ),
    (
        "[[domain]]\nname = \"EXAMPLE\"\n",
        &["f:6:8: domain example is here twice"],
    ),
    (
        "[[domain]]\nname = \"-\"\n",
        &["f:6:8: name is \"-\"; expected a domain such as \"example.org\""],
    ),
    (
        "postmaster = \"a@elsewhere.example\"\n",
        &[
            "f:5:14: postmaster is \"a@elsewhere.example\"; expected an address of a local domain such as \"alice@example.org\"",
        ],
    ),
    (
        "[dns]\nupstream = [\"127.0.0.1\"]\n",
        &[
            "f:6:13: upstream is \"127.0.0.1\"; expected a list of \"address:port\" such as [\"127.0.0.1:53\"]",
        ],
    ),
    (
        "subaddress = \"a\"\nliterals = [\"192.0.2.0/24\"]\ntraps = [\"a@b.example\"]\n",
        &[
            "f:5:14: subaddress is \"a\"; expected the characters that begin a subaddress such as \"+\" or \"+-\"; \"\" for none",
            "f:6:13: literals is \"192.0.2.0/24\"; expected addresses of this host that stand for the domain such as [\"192.0.2.1\"]",
            "f:7:10: traps is \"a@b.example\"; expected addresses of the domain that nobody uses such as [\"fred@example.org\"]",
        ],
    ),
    (
        "[[listener]]\nprotocol = \"imap\"\nbind = \"127.0.0.1:143\"\ndefer = true\ntrust_local = true\ntag = \"a b\"\nproxy = [\"192.0.2.1/24\", \"x\"]\n",
        &[
            "f:9:15: trust_local is for smtp and submission and lmtp; this listener speaks imap",
            "f:8:9: defer is for smtp; this listener speaks imap",
            "f:11:10: \"192.0.2.1/24\": bits are set behind the prefix",
            "f:11:26: proxy is \"x\"; expected a list of networks that send a PROXY header such as [\"192.0.2.0/28\"]",
            "f:10:7: tag is \"a b\"; expected a word for rules to match such as \"inside\"; the protocol's name where nothing is said",
        ],
    ),
    (
        "[[limits]]\n",
        &["f:5:1: limits is an array; expected a table, begun with [limits]"],
    ),
];

/// A file with rules, as an operator writes it.
const RULES: &str = r#"
[[listener]]
protocol = "smtp"
bind = "127.0.0.1:25"
trust_local = true

[[listener]]
protocol = "submission"
bind = "127.0.0.1:587"
tls = "none"

[[relay]]
name = "provider"
host = "Smtp.Provider.example"
user = "me"
password_file = "provider.password"

[[relay]]
name = "inner"
host = "192.0.2.7"

[[rule]]
sender = ["@bad.example", ".bad.example", "<>", "!good@bad.example"]
action = "reject"
code = 451
enhanced = "4.7.1"
text = "Later"

[[rule]]
listener = "submission"
authenticated = true
domain = "!local"
action = "relay"
relay = "provider"

[[rule]]
listener = ["smtp", "submission"]
from_network = ["local", "192.0.2.0/24"]
authenticated = ["alice@example"]
tls = false
helo = "*"
recipient = "file:lists/some"
domain = "file:lists/domains"
action = "forward"
to = ["a@example", "b@elsewhere.example"]

[[rule]]
action = "tag"
tag = "seen"
"#;

#[test]
fn rules_are_read() {
    let config = read(&format!("{SMALL}{RULES}"), &[]).expect("good rules");
    let actions: Vec<_> = config
        .rules
        .iter()
        .map(|rule| rule.action.to_string())
        .collect();
    let expected = [
        "reject with 451 4.7.1 Later",
        "relay through provider",
        "forward to a@example, b@elsewhere.example",
        "tag seen",
    ];
    assert_eq!(actions, expected);
    assert_eq!(&*config.rules[0].place, "etc/ringpost.toml:26");
    let routes: Vec<_> = config
        .routes
        .iter()
        .map(|route| (&*route.host, route.port, route.tls, route.login.is_some()))
        .collect();
    let expected = [
        ("smtp.provider.example", 587, RouteTls::Verify, true),
        ("192.0.2.7", 25, RouteTls::May, false),
    ];
    assert_eq!(routes, expected);
    let files = [
        "etc/provider.password",
        "etc/lists/some",
        "etc/lists/domains",
    ];
    assert_eq!(config.files, files.map(Path::new));
}

#[test]
fn lists_are_read_from_their_files() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("ringpost.toml");
    let rule = "[[rule]]\ndomain = \"file:list\"\naction = \"discard\"\n";
    std::fs::write(&file, format!("{SMALL}{rule}")).expect("written");
    let told = |problems: Problems| problems.to_string();
    let missing = open(&file, &[]).map_err(told).expect_err("no list");
    assert!(missing.contains("ringpost.toml:6:10: ") && missing.contains("list: cannot be read"));

    let list = dir.path().join("list");
    std::fs::write(
        &list,
        "# ours\n\n  one.example\n.two.example \n!x.two.example\n",
    )
    .expect("written");
    let rules = open(&file, &[]).map_err(told).expect("a good list").rules();
    let facts = Facts {
        listener: "smtp",
        ip: None,
        trust_local: false,
        login: None,
        tls: false,
        helo: "",
        sender: None,
    };
    for (text, by) in [
        ("a@one.example", By::Rule(0)),
        ("a@b.two.example", By::Rule(0)),
        ("a@x.two.example", By::Nothing),
        ("a@example", By::LocalDomain),
    ] {
        let recipient = Address::parse(text).expect(text);
        assert_eq!(rules.decide(&facts, &recipient).by, by, "{text}");
    }

    std::fs::write(&list, "one.example\n  a b\n").expect("written");
    let bad = open(&file, &[]).map_err(told).expect_err("a bad line");
    assert!(
        bad.contains("list:2:3: \"a b\" is no item for domain; expected domains such as"),
        "{bad}"
    );

    // Of a list of something else the first lines are told.
    std::fs::write(&list, "é b\n".repeat(1_021)).expect("written");
    let bad = open(&file, &[]).map_err(told).expect_err("bad lines");
    assert_eq!(bad.lines().count(), 21, "{bad}");
    assert!(bad.contains("list:20:1: \"é b\" is no item for domain"));
    assert!(
        bad.ends_with("list: 1001 more lines are no items for domain"),
        "{bad}"
    );

    // A list of exceptions has none of its own.
    let but = "[[rule]]\ndomain = [\"*\", \"!file:list\"]\naction = \"discard\"\n";
    let excepting = dir.path().join("excepting.toml");
    std::fs::write(&excepting, format!("{SMALL}{but}")).expect("written");
    std::fs::write(&list, "xn--srensen-90a.example\n").expect("written");
    let rules = open(&excepting, &[])
        .map_err(told)
        .expect("a good list")
        .rules();
    for (text, by) in [
        ("a@Sörensen.example", By::Nothing),
        ("a@x.example", By::Rule(0)),
    ] {
        let recipient = Address::parse(text).expect(text);
        assert_eq!(rules.decide(&facts, &recipient).by, by, "{text}");
    }
    std::fs::write(&list, "!one.example\n").expect("written");
    let bad = open(&excepting, &[]).map_err(told).expect_err("a bad line");
    assert!(bad.contains("list:1:1: \"!one.example\" is no item for domain"));

    // An empty list holds nothing: it must not become a rule for everybody.
    std::fs::write(&list, "").expect("written");
    let rules = open(&file, &[])
        .map_err(told)
        .expect("an empty list")
        .rules();
    let recipient = Address::parse("a@one.example").expect("an address");
    assert_eq!(rules.decide(&facts, &recipient).by, By::Nothing);
}

/// (one [[rule]] or [[relay]] after SMALL, from line 5 on; the problems)
const BAD_RULES: &[(&str, &[&str])] = &[
    (
        "[[rule]]\n",
        &["f:5:1: [[rule]] needs an action: deliver, forward, relay, reject, discard or tag"],
    ),
    (
        "[[rule]]\naction = \"rejekt\"\n",
        &["f:6:10: unknown action \"rejekt\"; did you mean \"reject\"?"],
    ),
    (
        "[[rule]]\naction = \"zzz\"\n",
        &[
            "f:6:10: action is \"zzz\"; expected \"deliver\", \"forward\", \"relay\", \"reject\", \"discard\" or \"tag\"",
        ],
    ),
    (
        "[[rule]]\ndomain = [\"example\", \".x\", \"!y\", \"local\", \"other.example\"]\nrecipient = [\"@example\", \"a@z\"]\naction = \"deliver\"\n",
        &[
            "f:6:43: other.example is not a local domain, and no mail for it is delivered here; add it as [[domain]], or relay it",
            "f:7:26: z is not a local domain, and no mail for it is delivered here; add it as [[domain]], or relay it",
        ],
    ),
    (
        "[[rule]]\naction = \"forward\"\n",
        &["f:5:1: action \"forward\" needs to = \"alice@example.org\""],
    ),
    (
        "[[rule]]\naction = \"forward\"\nto = \"x\"\n",
        &["f:7:6: to is \"x\"; expected addresses such as \"alice@example.org\""],
    ),
    (
        "[[rule]]\naction = \"discard\"\ntext = \"x\"\nrelay = \"y\"\n",
        &[
            "f:8:9: relay is for action \"relay\"; this rule's action is \"discard\"",
            "f:7:8: text is for action \"reject\"; this rule's action is \"discard\"",
        ],
    ),
    (
        "[[relay]]\nname = \"inner\"\nhost = \"h\"\n[[rule]]\naction = \"relay\"\nrelay = \"iner\"\n",
        &["f:10:9: unknown relay \"iner\"; did you mean \"inner\"?"],
    ),
    (
        "[[rule]]\naction = \"relay\"\nrelay = \"iner\"\n",
        &["f:7:9: unknown relay \"iner\"; expected the name of a [[relay]]"],
    ),
    (
        "[[rule]]\naction = \"reject\"\ncode = 250\n",
        &["f:7:8: code is 250; expected a number from 400 to 599"],
    ),
    (
        "[[rule]]\naction = \"reject\"\ncode = 450\nenhanced = \"5.7.1\"\n",
        &[
            "f:8:12: enhanced is \"5.7.1\"; expected an enhanced status code of the code's class such as \"5.7.1\"",
        ],
    ),
    (
        "[[rule]]\naction = \"reject\"\ntext = \"a\\r\\nb\"\n",
        &[
            "f:7:8: text is \"a\\r\\nb\"; expected one line in ASCII of at most 400 octets, which the peer reads",
        ],
    ),
    (
        "[[rule]]\naction = \"tag\"\n",
        &["f:5:1: action \"tag\" needs tag = \"WORD\""],
    ),
    (
        "[[rule]]\naction = \"tag\"\ntag = \"a b\"\n",
        &["f:7:7: tag is \"a b\"; expected a word such as \"bulk\""],
    ),
    (
        "[[rule]]\naction = \"discard\"\nlistener = \"smpt\"\n",
        &["f:7:12: no listener has the tag \"smpt\"; did you mean \"smtp\"?"],
    ),
    (
        "[[rule]]\naction = \"discard\"\nlistener = \"inside\"\n",
        &["f:7:12: no listener has the tag \"inside\"; there are smtp, submission, imap, lmtp"],
    ),
    (
        "[[rule]]\naction = \"discard\"\nfrom_network = \"local\"\n",
        &["f:7:16: \"local\" matches nobody: no listener of this rule says trust_local = true"],
    ),
    (
        "[[rule]]\naction = \"discard\"\nfrom_network = [\"10.0.0.0/33\"]\n",
        &[
            "f:7:17: from_network is \"10.0.0.0/33\"; expected networks such as \"192.0.2.0/24\", \"local\" or \"file:LIST\"",
        ],
    ),
    (
        "[[rule]]\naction = \"discard\"\nsender = []\n",
        &["f:5:1: sender is an empty list"],
    ),
    (
        "[[rule]]\naction = \"discard\"\nsender = [\"example.org\"]\nrecipient = \"<>\"\n",
        &[
            "f:7:11: sender is \"example.org\"; expected addresses such as \"alice@example.org\", \"@example.org\" or \".example.org\", \"local\", \"*\" or \"file:LIST\"",
            "f:8:13: recipient is \"<>\"; expected addresses such as \"alice@example.org\", \"@example.org\" or \".example.org\", \"local\", \"*\" or \"file:LIST\"",
        ],
    ),
    (
        "[[rule]]\naction = \"discard\"\ndomian = \"local\"\n",
        &["f:7:1: unknown key \"domian\" in [rule]; did you mean \"domain\"?"],
    ),
    (
        "[[relay]]\nname = \"a\"\n",
        &["f:5:1: [[relay]] needs name and host"],
    ),
    (
        "[[relay]]\nname = \"a\"\nhost = \"h\"\n[[relay]]\nname = \"a\"\nhost = \"i\"\n",
        &["f:9:8: relay a is here twice"],
    ),
    (
        "[[relay]]\nname = \"a\"\nhost = \"-\"\n",
        &["f:7:8: host is \"-\"; expected a name or an address such as \"smtp.example.net\""],
    ),
    (
        "[[relay]]\nname = \"a\"\nhost = \"h\"\nport = 65536\ntls = \"yes\"\nuser = \"u\"\n",
        &[
            "f:10:8: user and password_file go together: one is missing",
            "f:8:8: port is 65536; expected 1 to 65535",
            "f:9:7: tls is \"yes\"; expected \"none\", \"may\", \"encrypt\" or \"verify\"",
        ],
    ),
    (
        "[[relay]]\nname = \"a\"\nhost = \"h\"\ntls = \"may\"\nuser = \"u\"\npassword_file = \"p\"\n",
        &[
            "f:8:7: the password could cross the network in clear; expected tls \"verify\" or \"encrypt\"",
        ],
    ),
];

#[test]
fn bad_rules_are_told_by_line_and_column() {
    for (text, expected) in BAD_RULES {
        let problems = load(Path::new("f"), &format!("{SMALL}{text}"), &[]).expect_err(text);
        let got: Vec<String> = problems.0.iter().map(Problem::to_string).collect();
        assert_eq!(&got, expected, "{text}");
    }
}

#[test]
fn bad_files_are_told_by_line_and_column() {
    for (text, expected) in BAD {
        let text = match text.strip_prefix('=') {
            Some(whole) => whole.to_owned(),
            None => format!("{SMALL}{text}"),
        };
        let problems = load(Path::new("f"), &text, &[]).expect_err(&text);
        let got: Vec<String> = problems.0.iter().map(Problem::to_string).collect();
        assert_eq!(&got, expected, "{text}");
    }
}

#[test]
fn bad_overrides_are_told() {
    let cases = [
        (
            "hostname",
            "--set hostname: expected key=value, such as --set runtime.shards=2",
        ),
        (
            "=x",
            "--set =x: expected key=value, such as --set runtime.shards=2",
        ),
        (
            "runtime.shard=1",
            "--set runtime.shard=1:1:9: unknown key \"shard\" in [runtime]; did you mean \"shards\"?",
        ),
    ];
    for (text, expected) in cases {
        let problems = read(SMALL, &[text]).expect_err(text);
        assert_eq!(problems.to_string(), expected);
    }
}

#[test]
fn a_socket_path_has_its_bound() {
    let path = |octets: usize| {
        let listener = format!(
            "[[listener]]\nprotocol = \"lmtp\"\nbind = \"unix:/{}\"\n",
            "x".repeat(octets - 1)
        );
        load(Path::new("f"), &format!("{SMALL}{listener}"), &[])
    };
    assert!(path(section::listener::SOCKET_PATH_OCTETS_MAX).is_ok());
    assert!(path(section::listener::SOCKET_PATH_OCTETS_MAX + 1).is_err());
    let data = |octets: usize| {
        let data_dir = format!("data_dir=/{}", "x".repeat(octets - 1));
        load(Path::new("f"), SMALL, &[data_dir])
    };
    let room = section::listener::SOCKET_PATH_OCTETS_MAX - "/control.sock".len();
    assert!(data(room).is_ok());
    assert!(data(room + 1).is_err());
}

/// (listeners, literals of the first domain)
const OWN_LITERALS: &[(&str, &[&str])] = &[
    (
        "protocol = \"smtp\"\nbind = \"192.0.2.1:25\"",
        &["192.0.2.1"],
    ),
    (
        "protocol = \"smtp\"\nbind = \"[::ffff:192.0.2.1]:25\"",
        &["192.0.2.1"],
    ),
    (
        "protocol = \"smtp\"\nbind = \"[2001:db8::1]:25\"",
        &["2001:db8::1"],
    ),
    // Given to the second one by the file.
    ("protocol = \"smtp\"\nbind = \"192.0.2.2:25\"", &[]),
    // Nobody out there knows these, or there is no telling which they are.
    ("protocol = \"smtp\"\nbind = \"127.0.0.1:25\"", &[]),
    ("protocol = \"smtp\"\nbind = \"[::1]:25\"", &[]),
    ("protocol = \"smtp\"\nbind = \"0.0.0.0:25\"", &[]),
    ("protocol = \"smtp\"\nbind = \"[::]:25\"", &[]),
    (
        "protocol = \"smtp\"\nbind = \"unix:smtp\"\ntls = \"none\"",
        &[],
    ),
    ("protocol = \"submission\"\nbind = \"192.0.2.1:587\"", &[]),
];

#[test]
fn listeners_stand_for_the_first_domain() {
    let second = "[[domain]]\nname = \"second.example\"\nliterals = [\"192.0.2.2\"]\n";
    for (listener, expected) in OWN_LITERALS {
        let text = format!("{SMALL}{second}[[listener]]\n{listener}\n");
        let config = load(Path::new("f"), &text, &[]).expect(listener);
        let literals = config.domains[0].literals.iter();
        let literals: Vec<_> = literals.map(ToString::to_string).collect();
        assert_eq!(literals, *expected, "{listener}");
    }
}

#[test]
fn postmaster_is_no_trap() {
    for (trap, good) in [
        ("fred", true),
        ("postmaster", false),
        ("Abuse", false),
        ("abuses", true),
    ] {
        let traps =
            format!("[[domain]]\nname = \"second.example\"\ntraps = [\"{trap}@second.example\"]\n");
        let loaded = load(Path::new("f"), &format!("{SMALL}{traps}"), &[]);
        assert_eq!(loaded.is_ok(), good, "{trap}");
        if let Err(problems) = loaded {
            let told = problems.to_string();
            assert!(told.starts_with("f:7:10: everybody may write to"), "{told}");
        }
    }
}

/// 0 turns it off; nothing is the usual.
#[test]
fn greeting_delays() {
    let file = |delay: &str| {
        format!(
            "hostname = \"mx.example.org\"\ndata_dir = \"d\"\n[[domain]]\nname = \"example.org\"\n\
             [[listener]]\nprotocol = \"smtp\"\nbind = \"127.0.0.1:25\"\n{delay}\n\
             [[listener]]\nprotocol = \"lmtp\"\nbind = \"unix:lmtp\"\n"
        )
    };
    for (delay, expected) in [
        ("", 200),
        ("greeting_delay_ms = 0", 0),
        ("greeting_delay_ms = 30000", 30_000),
    ] {
        let config = read(&file(delay), &[]).expect("good");
        let delays = config.listeners.iter().map(|at| at.greeting_delay_ms);
        assert_eq!(delays.collect::<Vec<_>>(), [expected, 0], "{delay}");
    }
    for delay in ["greeting_delay_ms = 30001", "greeting_delay_ms = \"1s\""] {
        assert!(read(&file(delay), &[]).is_err(), "{delay}");
    }
}

/// What README shows is taken as it stands.
#[test]
fn the_examples_of_the_readme() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(dir.path().join("lists")).expect("made");
    std::fs::write(dir.path().join("lists/blocked"), "@spam.example\n").expect("written");
    let readme = include_str!("../../../../README.md");
    let examples = readme.split("```toml\n").skip(1);
    let examples: Vec<_> = examples
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(examples.len() >= 2, "README has lost its examples");
    let file = dir.path().join("ringpost.toml");
    std::fs::write(&file, SMALL.to_owned() + &examples.concat()).expect("written");
    let config = open(&file, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((config.listeners.len(), config.routes.len()), (1, 1));
}
