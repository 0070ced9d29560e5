//! Who asks to be let in, and over which channel.

use ringpost_api::credential::scope;
use ringpost_runtime::ClientCertificate;
use ringpost_runtime::TlsInfo;
use ringpost_sasl::Binding;
use ringpost_types::TraceId;
use std::net::IpAddr;
use std::rc::Rc;

/// What the login is for. An app password may be good for some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Smtp,
    Imap,
    Sieve,
}

impl Service {
    /// Its bit among the scopes of an app password.
    pub fn scope(self) -> u32 {
        match self {
            Service::Smtp => scope::SMTP,
            Service::Imap => scope::IMAP,
            Service::Sieve => scope::SIEVE,
        }
    }

    /// For events.
    pub fn name(self) -> &'static str {
        match self {
            Service::Smtp => "smtp",
            Service::Imap => "imap",
            Service::Sieve => "sieve",
        }
    }
}

/// One who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// For what.
    pub service: Service,
    /// From where; `None`: a unix socket of this host.
    pub ip: Option<IpAddr>,
    /// Over what.
    pub channel: Channel,
    /// The connection's name in events.
    pub trace: TraceId,
}

/// What protects a connection, and what of it a login can use.
#[derive(Clone, Debug, Default)]
pub struct Channel {
    /// Nobody can read along.
    pub private: bool,
    /// What SCRAM can bind to.
    pub binding: Binding,
    /// What the client has shown.
    pub certificate: Option<Rc<ClientCertificate>>,
}

impl Channel {
    /// The channel of a connection; `private_in_clear` where the operator says that one without TLS is private.
    pub fn of(tls: Option<&TlsInfo>, private_in_clear: bool) -> Channel {
        let Some(tls) = tls else {
            return Channel {
                private: private_in_clear,
                ..Channel::default()
            };
        };
        // Who binds in TLS 1.2 expects `tls-unique`, which our TLS does not tell; offered nothing to bind to, such a
        // client logs in by plain SCRAM. RFC 9266 §3.
        let binding = match tls.version {
            "TLSv1.3" => Binding {
                exporter: tls.exporter,
                end_point: tls.end_point.as_deref().map(Box::from),
            },
            _ => Binding::default(),
        };
        Channel {
            private: true,
            binding,
            certificate: tls.client.as_deref().cloned().map(Rc::new),
        }
    }
}
