//! From what was said to a [`Config`]: defaults, parsed addresses, and what must agree with what.
//!
//! In:  a [`Draft`]. Out: a [`Config`] or all [`Problems`]. Asks nothing of the machine.
//!
//! Without any `[[listener]]` the standard ones stand, IPv4 and IPv6: 25 smtp, 587 submission, 465 submission,
//! 143 imap, 993 imap, and lmtp on `DATA/lmtp.sock`.

use super::key::{self, PROTOCOLS_TO_COME, SHARDS_MAX};
use super::nearest::nearest;
use super::problem::{Problem, Problems};
use super::read::{DomainDraft, Draft, ListenerDraft, Said, Shards};
use super::{Bind, Config, Listener, Protocol, TlsFiles, TlsMode, is_local};
use ringpost_directory::LocalDomain;
use ringpost_types::limit::Limits;
use ringpost_types::{Address, Domain};
use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Octets of a unix socket's path at most, as the kernel's address has room for.
pub const SOCKET_PATH_OCTETS_MAX: usize = 107;

/// What `[store] map_octets` may be: enough to begin with, and what a process has addresses for.
const MAP_OCTETS: std::ops::RangeInclusive<u64> = 1 << 30..=1 << 44;

/// Builds the configuration of `file`.
pub fn config(file: &Path, draft: Draft) -> Result<Config, Problems> {
    let mut build = Build {
        file,
        problems: Vec::new(),
    };
    let hostname = build.hostname(draft.hostname);
    let data_dir = build.data_dir(draft.data_dir);
    let domains = build.domains(draft.domains);
    let listeners = build.listeners(draft.listeners, &data_dir);
    let path = |said: Option<Said<String>>, default: &str| {
        relative(file, said.as_ref().map_or(default, |said| &said.value))
    };
    let config = Config {
        file: file.to_owned(),
        tls: TlsFiles {
            certificate: path(draft.certificate, "tls/cert.pem"),
            key: path(draft.key, "tls/key.pem"),
        },
        shards: build.shards(draft.shards),
        dns_upstream: build.upstream(draft.upstream),
        map_octets: build.map_octets(draft.map_octets),
        compress: draft.compress.is_some_and(|said| said.value),
        limits: build.limits(draft.limits),
        hostname,
        data_dir,
        domains,
        listeners,
    };
    match build.problems.is_empty() {
        true => Ok(config),
        false => Err(Problems(build.problems)),
    }
}

/// `path` as seen from the folder of `file`.
fn relative(file: &Path, path: &str) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(path)
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
    let mut listeners: Vec<Listener> = ports
        .into_iter()
        .flat_map(|(protocol, port, tls)| {
            addresses(port).map(|address| Listener {
                protocol,
                bind: Bind::Tcp(address),
                tls,
            })
        })
        .collect();
    listeners.push(Listener {
        protocol: Protocol::Lmtp,
        bind: Bind::Unix(data_dir.join("lmtp.sock")),
        tls: TlsMode::None,
    });
    listeners
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

struct Build<'f> {
    file: &'f Path,
    problems: Vec<Problem>,
}

impl Build<'_> {
    fn wrong<T>(&mut self, said: &Said<T>, what: String) {
        self.problems.push(said.place.problem(what));
    }

    fn missing(&mut self, what: String) {
        self.problems.push(Problem::of_file(self.file, what));
    }

    fn expected(&mut self, section: &str, name: &str, said: &Said<String>) {
        let expected = key::expected(section, name).unwrap_or("something else");
        let what = format!("{name} is {:?}; expected {expected}", said.value);
        self.wrong(said, what);
    }

    fn hostname(&mut self, said: Option<Said<String>>) -> String {
        let Some(said) = said else {
            self.missing("hostname is missing; expected hostname = \"mx.example.org\"".to_owned());
            return String::new();
        };
        match Domain::parse(&said.value) {
            Ok(name) if name.as_str().is_ascii() && !name.is_literal() => name.to_string(),
            _ => {
                self.expected("", "hostname", &said);
                String::new()
            }
        }
    }

    fn data_dir(&mut self, said: Option<Said<String>>) -> PathBuf {
        match said {
            Some(said) if !said.value.is_empty() => {
                let data_dir = relative(self.file, &said.value);
                let socket = crate::control::socket(&data_dir);
                if socket.as_os_str().len() > SOCKET_PATH_OCTETS_MAX {
                    let what = format!(
                        "the control socket's path {} is over {SOCKET_PATH_OCTETS_MAX} octets, more than the kernel takes; choose a shorter data_dir",
                        socket.display()
                    );
                    self.wrong(&said, what);
                }
                data_dir
            }
            Some(said) => {
                self.expected("", "data_dir", &said);
                PathBuf::new()
            }
            None => {
                self.missing("data_dir is missing; expected data_dir = \"data\"".to_owned());
                PathBuf::new()
            }
        }
    }

    fn domains(&mut self, drafts: Vec<DomainDraft>) -> Vec<LocalDomain> {
        if drafts.is_empty() {
            self.missing("no domain; expected at least one [[domain]] with its name".to_owned());
        }
        let mut domains: Vec<LocalDomain> = Vec::with_capacity(drafts.len());
        let mut postmasters = Vec::new();
        for draft in drafts {
            let Some(said) = draft.name else {
                let what = "[[domain]] without a name; expected name = \"example.org\"";
                self.problems.push(draft.place.problem(what.to_owned()));
                continue;
            };
            let name = match Domain::parse(&said.value) {
                Ok(name) if !name.is_literal() => name,
                _ => {
                    self.expected("domain", "name", &said);
                    continue;
                }
            };
            if domains.iter().any(|domain| domain.name == name) {
                self.wrong(&said, format!("domain {name} is here twice"));
                continue;
            }
            let postmaster = draft
                .postmaster
                .and_then(|said| match Address::parse(&said.value) {
                    Ok(address) => {
                        postmasters.push((said, address.clone()));
                        Some(address)
                    }
                    Err(_) => {
                        self.expected("domain", "postmaster", &said);
                        None
                    }
                });
            domains.push(LocalDomain { name, postmaster });
        }
        for (said, address) in postmasters {
            if !domains
                .iter()
                .any(|domain| &domain.name == address.domain())
            {
                self.expected("domain", "postmaster", &said);
            }
        }
        domains
    }

    fn listeners(&mut self, drafts: Vec<ListenerDraft>, data_dir: &Path) -> Vec<Listener> {
        if drafts.is_empty() {
            return standard(data_dir);
        }
        let mut listeners = Vec::with_capacity(drafts.len());
        let mut seen = HashSet::new();
        for draft in drafts {
            let (Some(protocol), Some(bind)) = (&draft.protocol, &draft.bind) else {
                let what = "[[listener]] needs protocol and bind";
                self.problems.push(draft.place.problem(what.to_owned()));
                continue;
            };
            let said_bind = bind.clone();
            let (protocol, bind) = (self.protocol(protocol), self.bind(bind));
            let tls = draft.tls.as_ref().map(|said| self.tls(said));
            let (Some(protocol), Some(bind)) = (protocol, bind) else {
                continue;
            };
            let tls = match tls {
                Some(None) => continue,
                Some(Some(tls)) => tls,
                None => usual_tls(protocol, &bind),
            };
            if let Some(what) = disagreement(protocol, &bind, tls) {
                match &draft.tls {
                    Some(said) => self.wrong(said, what),
                    None => self.wrong(&said_bind, what),
                }
                continue;
            }
            let port_is_chosen = matches!(bind, Bind::Tcp(address) if address.port() == 0);
            if !port_is_chosen && !seen.insert(bind.to_string()) {
                self.wrong(&said_bind, format!("two listeners at {bind}"));
                continue;
            }
            listeners.push(Listener {
                protocol,
                bind,
                tls,
            });
        }
        listeners
    }

    fn protocol(&mut self, said: &Said<String>) -> Option<Protocol> {
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
                self.wrong(said, what);
            } else if let Some(near) = nearest(word, known.map(Protocol::name)) {
                let what = format!("unknown protocol {word:?}; did you mean {near:?}?");
                self.wrong(said, what);
            } else {
                self.expected("listener", "protocol", said);
            }
        }
        found
    }

    fn bind(&mut self, said: &Said<String>) -> Option<Bind> {
        let Some(path) = said.value.strip_prefix("unix:") else {
            let address = said.value.parse().ok().map(Bind::Tcp);
            if address.is_none() {
                self.expected("listener", "bind", said);
            }
            return address;
        };
        if path.is_empty() {
            self.expected("listener", "bind", said);
            return None;
        }
        let path = relative(self.file, path);
        if path.as_os_str().len() > SOCKET_PATH_OCTETS_MAX {
            let what = format!(
                "the socket's path {} is over {SOCKET_PATH_OCTETS_MAX} octets, more than the kernel takes; choose a shorter one",
                path.display()
            );
            self.wrong(said, what);
            return None;
        }
        Some(Bind::Unix(path))
    }

    fn tls(&mut self, said: &Said<String>) -> Option<TlsMode> {
        Some(match said.value.as_str() {
            "none" => TlsMode::None,
            "starttls" => TlsMode::Starttls,
            "required" => TlsMode::Required,
            "implicit" => TlsMode::Implicit,
            _ => {
                self.expected("listener", "tls", said);
                return None;
            }
        })
    }

    fn shards(&mut self, said: Option<Said<Shards>>) -> Option<u16> {
        let said = said?;
        match said.value {
            Shards::Auto => None,
            Shards::Number(number) => match u16::try_from(number) {
                Ok(number) if number <= SHARDS_MAX => Some(number),
                _ => {
                    let what = format!("shards is {number}; expected 1 to {SHARDS_MAX}");
                    self.wrong(&said, what);
                    None
                }
            },
        }
    }

    fn upstream(&mut self, said: Vec<Said<String>>) -> Vec<SocketAddr> {
        let mut servers = Vec::with_capacity(said.len());
        for said in said {
            match said.value.parse() {
                Ok(address) => servers.push(address),
                Err(_) => self.expected("dns", "upstream", &said),
            }
        }
        servers
    }

    fn map_octets(&mut self, said: Option<Said<u64>>) -> Option<usize> {
        let said = said?;
        if !MAP_OCTETS.contains(&said.value) {
            let expected = key::expected("store", "map_octets").unwrap_or_default();
            let what = format!("map_octets is {}; expected {expected}", said.value);
            self.wrong(&said, what);
            return None;
        }
        // Whole pages, also where those have 64 KiB.
        Some(said.value as usize & !0xffff)
    }

    fn limits(&mut self, said: Vec<Said<(String, u64)>>) -> Limits {
        let mut limits = Limits::default();
        for said in said {
            let (name, value) = &said.value;
            // A mail's length stands in 32 bits of its rows.
            if name.ends_with("_octets_max") && *value > u64::from(u32::MAX) / 2 {
                let what = format!("{name} is {value}; expected at most {}", u32::MAX / 2);
                self.wrong(&said, what);
                continue;
            }
            limits
                .set(name, *value)
                .expect("the reader lets only known limits through");
        }
        limits
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
