//! `[[listener]]`: what is spoken where, and what a listener takes on trust.
//!
//! Without any, the standard ones stand, IPv4 and IPv6: 25 smtp, 587 submission, 465 submission, 143 imap, 993
//! imap, and lmtp on `DATA/lmtp.sock`.

use crate::config::build::Build;
use crate::config::key::{Key, key};
use crate::config::nearest::nearest;
use crate::config::read::{Place, Reader, Said, Value};
use ringpost_runtime::Bind;
use ringpost_types::Cidr;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use toml::de::DeValue;

pub const KEYS: &[Key] = &[
    key("", "listener", "tables, each begun with [[listener]]"),
    key(
        "listener",
        "protocol",
        "\"smtp\", \"submission\", \"lmtp\" or \"imap\"",
    ),
    key(
        "listener",
        "bind",
        "\"address:port\" such as \"[::]:25\", or \"unix:PATH\"",
    ),
    key(
        "listener",
        "tls",
        "\"none\", \"starttls\", \"required\" or \"implicit\"",
    ),
    key(
        "listener",
        "tag",
        "a word for rules to match such as \"inside\"; the protocol's name where nothing is said",
    ),
    key(
        "listener",
        "trust_local",
        "true or false: whether peers on this machine may relay",
    ),
    key(
        "listener",
        "mask_source",
        "true or false: whether Received is silent about the user's address",
    ),
    key(
        "listener",
        "defer",
        "true or false: whether every recipient is put off with 451",
    ),
    key(
        "listener",
        "greeting_delay_ms",
        "how long strangers wait for the greeting, from 0 to 30000 milliseconds",
    ),
    key(
        "listener",
        "proxy",
        "a list of networks that send a PROXY header such as [\"192.0.2.0/28\"]",
    ),
    key(
        "listener",
        "xclient",
        "a list of networks that may use XCLIENT such as [\"192.0.2.1\"]",
    ),
];

/// Protocols that the configuration knows and this version does not speak.
const PROTOCOLS_TO_COME: &[&str] = &["managesieve", "milter", "admin"];

/// Octets of a unix socket's path at most, as the kernel's address has room for.
pub const SOCKET_PATH_OCTETS_MAX: usize = 107;

/// How long a stranger waits for the greeting of an smtp listener that does not say: many a bot has sent its script by
/// then, and a host that sends mail does not feel it.
const GREETING_DELAY_MS: u64 = 200;
/// A tenth of what RFC 5321 §4.5.3.2.1 has senders wait.
const GREETING_DELAY_MS_MAX: u64 = 30_000;

/// What was said of one listener.
#[derive(Clone, Debug)]
pub struct Draft {
    place: Place,
    protocol: Option<Said<String>>,
    bind: Option<Said<String>>,
    tls: Option<Said<String>>,
    tag: Option<Said<String>>,
    trust_local: Option<Said<bool>>,
    mask_source: Option<Said<bool>>,
    defer: Option<Said<bool>>,
    greeting_delay_ms: Option<Said<u64>>,
    proxy: Vec<Said<String>>,
    xclient: Vec<Said<String>>,
}

/// One `[[listener]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What is spoken.
    pub protocol: Protocol,
    /// Where.
    pub bind: Bind,
    /// How TLS begins.
    pub tls: TlsMode,
    /// What rules call it.
    pub tag: String,
    /// Whether a peer on this machine may relay, and counts as `local` in rules.
    pub trust_local: bool,
    /// Whether Received is silent about the user's address.
    pub mask_source: bool,
    /// Whether every recipient is put off: a trap for those who try the last MX first.
    pub defer: bool,
    /// How long a stranger waits for the greeting: whoever speaks before it does not listen.
    pub greeting_delay_ms: u64,
    /// Who sends a PROXY header.
    pub proxy: Vec<Cidr>,
    /// Who may use XCLIENT.
    pub xclient: Vec<Cidr>,
}

impl Listener {
    /// A listener with nothing said but this.
    pub fn new(protocol: Protocol, bind: Bind, tls: TlsMode) -> Self {
        Listener {
            protocol,
            bind,
            tls,
            tag: protocol.name().to_owned(),
            trust_local: false,
            mask_source: protocol == Protocol::Submission,
            defer: false,
            greeting_delay_ms: match protocol {
                Protocol::Smtp => GREETING_DELAY_MS,
                _ => 0,
            },
            proxy: Vec::new(),
            xclient: Vec::new(),
        }
    }
}

/// What a listener speaks, of what this version has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Mail from other hosts. RFC 5321.
    Smtp,
    /// Mail from our users. RFC 6409.
    Submission,
    /// Mail from a local relay, answered for each recipient. RFC 2033.
    Lmtp,
    /// Mailboxes. RFC 9051.
    Imap,
}

impl Protocol {
    /// The word of the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Smtp => "smtp",
            Protocol::Submission => "submission",
            Protocol::Lmtp => "lmtp",
            Protocol::Imap => "imap",
        }
    }
}

/// How TLS begins on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// Never. For users' passwords on loopback and unix sockets alone.
    None,
    /// STARTTLS is offered.
    Starttls,
    /// STARTTLS comes before anything else.
    Required,
    /// With the first octet. RFC 8314 §3.
    Implicit,
}

/// Whether nobody outside this machine can reach `bind`.
pub fn is_local(bind: &Bind) -> bool {
    let Bind::Tcp(address) = bind else {
        return true;
    };
    match address.ip() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => {
            ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
        }
    }
}

/// Reads all of them.
pub fn read(reader: &mut Reader, value: Value<'_, '_>, drafts: &mut Vec<Draft>) {
    const AT: &str = "listener";
    *drafts = reader.tables(AT, value, |reader, place, table| {
        let mut draft = Draft {
            place,
            protocol: None,
            bind: None,
            tls: None,
            tag: None,
            trust_local: None,
            mask_source: None,
            defer: None,
            greeting_delay_ms: None,
            proxy: Vec::new(),
            xclient: Vec::new(),
        };
        for (name, value) in reader.known(AT, table) {
            match name {
                "protocol" => draft.protocol = reader.string(AT, name, value),
                "bind" => draft.bind = reader.string(AT, name, value),
                "tls" => draft.tls = reader.string(AT, name, value),
                "tag" => draft.tag = reader.string(AT, name, value),
                "trust_local" => draft.trust_local = reader.truth(AT, name, value),
                "mask_source" => draft.mask_source = reader.truth(AT, name, value),
                "defer" => draft.defer = reader.truth(AT, name, value),
                "greeting_delay_ms" => {
                    draft.greeting_delay_ms = delay(reader, value);
                }
                "proxy" => draft.proxy = reader.strings(AT, name, value),
                _ => draft.xclient = reader.strings(AT, name, value),
            }
        }
        draft
    });
}

/// `greeting_delay_ms`, which unlike other numbers may be 0.
fn delay(reader: &mut Reader, value: Value<'_, '_>) -> Option<Said<u64>> {
    if let DeValue::Integer(digits) = value.get_ref()
        && let Ok(ms) = u64::from_str_radix(digits.as_str(), digits.radix())
    {
        return Some(reader.said(ms, value));
    }
    reader.mistyped("listener", "greeting_delay_ms", value);
    None
}

/// The listeners, at least one.
pub fn build(build: &mut Build<'_>, drafts: Vec<Draft>, data_dir: &Path) -> Vec<Listener> {
    if drafts.is_empty() {
        return standard(data_dir);
    }
    let mut listeners = Vec::with_capacity(drafts.len());
    let mut seen = HashSet::new();
    for draft in drafts {
        let (Some(protocol), Some(said_bind)) = (&draft.protocol, &draft.bind) else {
            let what = "[[listener]] needs protocol and bind";
            build.problem(&draft.place, what.to_owned());
            continue;
        };
        let (protocol, bind) = (
            self::protocol(build, protocol),
            self::bind(build, said_bind),
        );
        let tls = draft.tls.as_ref().map(|said| tls(build, said));
        let (Some(protocol), Some(bind)) = (protocol, bind) else {
            continue;
        };
        let tls = match tls {
            Some(None) => continue,
            Some(Some(tls)) => tls,
            None => usual_tls(protocol, &bind),
        };
        if let Some(what) = disagreement(protocol, &bind, tls) {
            build.wrong(draft.tls.as_ref().unwrap_or(said_bind), what);
            continue;
        }
        let port_is_chosen = matches!(bind, Bind::Tcp(address) if address.port() == 0);
        if !port_is_chosen && !seen.insert(bind.to_string()) {
            build.wrong(said_bind, format!("two listeners at {bind}"));
            continue;
        }
        let mut listener = Listener::new(protocol, bind, tls);
        trust(build, draft, &mut listener);
        listeners.push(listener);
    }
    listeners
}

/// What a listener takes on trust, and from whom.
fn trust(build: &mut Build<'_>, draft: Draft, listener: &mut Listener) {
    use Protocol::{Imap, Lmtp, Smtp, Submission};
    let protocol = listener.protocol;
    let mut truth = |name: &str, said: Option<Said<bool>>, usual: bool, of: &[Protocol]| {
        let Some(said) = said else { return usual };
        if said.value && !of.contains(&protocol) {
            let of: Vec<_> = of.iter().map(|protocol| protocol.name()).collect();
            let (of, is) = (of.join(" and "), protocol.name());
            build.wrong(
                &said,
                format!("{name} is for {of}; this listener speaks {is}"),
            );
        }
        said.value
    };
    let mail = [Smtp, Submission, Lmtp];
    listener.trust_local = truth("trust_local", draft.trust_local, false, &mail);
    let mask_source = listener.mask_source;
    listener.mask_source = truth("mask_source", draft.mask_source, mask_source, &mail[..2]);
    listener.defer = truth("defer", draft.defer, false, &[Smtp]);
    if let Some(said) = draft.greeting_delay_ms {
        match (protocol, said.value) {
            (Smtp, 0..=GREETING_DELAY_MS_MAX) => listener.greeting_delay_ms = said.value,
            (Smtp, ms) => {
                let what = format!(
                    "{ms} ms is longer than senders wait; expected at most {GREETING_DELAY_MS_MAX}"
                );
                build.wrong(&said, what);
            }
            (_, _) => {
                let is = protocol.name();
                build.wrong(
                    &said,
                    format!("greeting_delay_ms is for smtp; this listener speaks {is}"),
                );
            }
        }
    }
    listener.proxy = build.networks("listener", "proxy", &draft.proxy);
    listener.xclient = build.networks("listener", "xclient", &draft.xclient);
    if let (Imap, Some(said)) = (protocol, draft.xclient.first()) {
        build.wrong(said, "xclient is not for imap".to_owned());
    }
    if let Some(said) = draft.tag {
        let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        match said.value.chars().all(inside) && !said.value.is_empty() {
            true => listener.tag = said.value,
            false => build.expected("listener", "tag", &said),
        }
    }
}

fn protocol(build: &mut Build<'_>, said: &Said<String>) -> Option<Protocol> {
    let known = [
        Protocol::Smtp,
        Protocol::Submission,
        Protocol::Lmtp,
        Protocol::Imap,
    ];
    let found = known.into_iter().find(|known| known.name() == said.value);
    if found.is_none() {
        let word = &said.value;
        if PROTOCOLS_TO_COME.contains(&word.as_str()) {
            let what = format!("protocol {word:?} is not available in this version");
            build.wrong(said, what);
        } else if let Some(near) = nearest(word, known.map(Protocol::name)) {
            let what = format!("unknown protocol {word:?}; did you mean {near:?}?");
            build.wrong(said, what);
        } else {
            build.expected("listener", "protocol", said);
        }
    }
    found
}

fn bind(build: &mut Build<'_>, said: &Said<String>) -> Option<Bind> {
    let Some(path) = said.value.strip_prefix("unix:") else {
        let address = said.value.parse().ok().map(Bind::Tcp);
        if address.is_none() {
            build.expected("listener", "bind", said);
        }
        return address;
    };
    if path.is_empty() {
        build.expected("listener", "bind", said);
        return None;
    }
    let path = build.relative(path);
    if path.as_os_str().len() > SOCKET_PATH_OCTETS_MAX {
        let what = format!(
            "the socket's path {} is over {SOCKET_PATH_OCTETS_MAX} octets, more than the kernel takes; choose a shorter one",
            path.display()
        );
        build.wrong(said, what);
        return None;
    }
    Some(Bind::Unix(path))
}

fn tls(build: &mut Build<'_>, said: &Said<String>) -> Option<TlsMode> {
    Some(match said.value.as_str() {
        "none" => TlsMode::None,
        "starttls" => TlsMode::Starttls,
        "required" => TlsMode::Required,
        "implicit" => TlsMode::Implicit,
        _ => {
            build.expected("listener", "tls", said);
            return None;
        }
    })
}

/// The listeners of a file that names none.
fn standard(data_dir: &Path) -> Vec<Listener> {
    let ports = [
        (Protocol::Smtp, 25, TlsMode::Starttls),
        (Protocol::Submission, 587, TlsMode::Required),
        (Protocol::Submission, 465, TlsMode::Implicit),
        (Protocol::Imap, 143, TlsMode::Required),
        (Protocol::Imap, 993, TlsMode::Implicit),
    ];
    let addresses = |port| {
        [
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        ]
    };
    let tcp = ports.into_iter().flat_map(|(protocol, port, tls)| {
        addresses(port).map(|address| Listener::new(protocol, Bind::Tcp(address), tls))
    });
    let lmtp = Bind::Unix(data_dir.join("lmtp.sock"));
    let lmtp = Listener::new(Protocol::Lmtp, lmtp, TlsMode::None);
    tcp.chain([lmtp]).collect()
}

/// TLS of a listener that does not say.
fn usual_tls(protocol: Protocol, bind: &Bind) -> TlsMode {
    match (protocol, bind) {
        (_, Bind::Tcp(address)) if matches!(address.port(), 465 | 993) => TlsMode::Implicit,
        (Protocol::Smtp, _) => TlsMode::Starttls,
        (Protocol::Lmtp, _) | (_, Bind::Unix(_)) => TlsMode::None,
        (Protocol::Submission | Protocol::Imap, Bind::Tcp(_)) => TlsMode::Required,
    }
}

/// Why a listener of this kind would be a mistake.
fn disagreement(protocol: Protocol, bind: &Bind, tls: TlsMode) -> Option<String> {
    let has_passwords = matches!(protocol, Protocol::Submission | Protocol::Imap);
    if has_passwords && tls == TlsMode::None && !is_local(bind) {
        return Some(format!(
            "passwords would cross the network in clear on {bind}; expected tls \"required\" or \"implicit\", or a loopback address"
        ));
    }
    // RFC 5321 §2.3.5 and RFC 3207 §4: a host on the public network must take mail without STARTTLS.
    if protocol == Protocol::Lmtp && !is_local(bind) {
        return Some(format!(
            "lmtp takes mail from whoever connects; {bind} is open to others: expected \"unix:PATH\" or a loopback address"
        ));
    }
    None
}
