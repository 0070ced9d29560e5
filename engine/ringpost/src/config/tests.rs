//! What configuration files say, and what is said of bad ones.

use super::*;

const GOOD: &str = r#"
hostname = "mx.example.org"
data_dir = "data"

[[domain]]
name = "example.org"
postmaster = "alice@example.org"

[[domain]]
name = "Example.NET"

[[listener]]
protocol = "smtp"
bind = "127.0.0.1:2525"

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
            "f:5:2: unknown key \"zebra\"; known are hostname, data_dir, domain, listener, tls, runtime, dns, store, limits",
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
        "[[limits]]\n",
        &["f:5:1: limits is an array; expected a table, begun with [limits]"],
    ),
];

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
