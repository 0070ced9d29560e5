//! Where the load goes: a TCP address or a unix socket, on this machine unless told otherwise.
//!
//! In:  the text of `--target` and `--verify`.
//! Out: [`Target`], [`Service`].
//!
//! Invariant: a target that is not loopback is used only after `--anywhere`; a load generator pointed
//! at a stranger by a slip of the keyboard is an attack.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use ringpost_runtime::listener::Bind;

/// One end of a connection to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Target {
    /// Whether octets sent there stay on this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Target::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Target::Unix(_) => true,
        }
    }

    /// The same in the runtime's words.
    pub fn bind(&self) -> Bind {
        match self {
            Target::Tcp(address) => Bind::Tcp(*address),
            Target::Unix(path) => Bind::Unix(path.clone()),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err("unix: needs a path".into()),
                path => Ok(Target::Unix(path.into())),
            };
        }
        if let Ok(address) = text.parse() {
            return Ok(Target::Tcp(address));
        }
        match text.strip_prefix("localhost:").map(str::parse) {
            Some(Ok(port)) => Ok(Target::Tcp(SocketAddr::new(
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                port,
            ))),
            _ => Err("expected ADDRESS:PORT, localhost:PORT or unix:PATH".into()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Tcp(address) => address.fmt(f),
            Target::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// When a connection becomes TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Tls {
    None,
    Starttls,
    Implicit,
}

/// An IMAP server: `imap:TARGET`, `imaps:TARGET` (implicit TLS) or `imap+starttls:TARGET`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub target: Target,
    pub tls: Tls,
}

impl FromStr for Service {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const SCHEMES: [(&str, Tls); 3] = [
            ("imap:", Tls::None),
            ("imaps:", Tls::Implicit),
            ("imap+starttls:", Tls::Starttls),
        ];
        for (scheme, tls) in SCHEMES {
            if let Some(rest) = text.strip_prefix(scheme) {
                return Ok(Service {
                    target: rest.parse()?,
                    tls,
                });
            }
        }
        Err("expected imap:TARGET, imaps:TARGET or imap+starttls:TARGET".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_and_where_they_are() {
        for (text, local) in [
            ("127.0.0.1:25", true),
            ("127.9.9.9:25", true),
            ("[::1]:2525", true),
            ("[::ffff:127.0.0.1]:25", true),
            ("localhost:24", true),
            ("unix:/run/lmtp", true),
            ("192.0.2.1:25", false),
            ("[2001:db8::1]:25", false),
            ("0.0.0.0:25", false),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().is_local(), local, "{text}");
        }
        for text in [
            "",
            "25",
            "localhost",
            "mx.example.org:25",
            "unix:",
            "127.0.0.1",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn services() {
        let service: Service = "imaps:[::1]:993".parse().unwrap();
        assert_eq!(service.tls, Tls::Implicit);
        let service: Service = "imap:unix:/run/imap".parse().unwrap();
        assert_eq!(service.target, Target::Unix("/run/imap".into()));
        assert!("pop3:127.0.0.1:110".parse::<Service>().is_err());
    }
}
