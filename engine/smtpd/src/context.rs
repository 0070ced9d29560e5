//! What every session of a listener on one shard shares.

use crate::kept::Quota;
use ringpost_api::Store;
use ringpost_delivery::Post;
use ringpost_directory::Directory;
use ringpost_login::{Door, Mechanism};
use ringpost_runtime::{Endpoint, Shard, TlsServer};
use ringpost_smtp::{Mechanisms, Options, Role, Tls};
use ringpost_types::Cidr;
use ringpost_types::limit::Limits;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// What a listener does with TLS. The configuration's `tls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// `none`.
    Absent,
    /// `starttls`: offered. RFC 3207.
    Offered,
    /// `required`: STARTTLS before anything else.
    Required,
    /// `implicit`: from the first octet on. RFC 8314 §3.3.
    Implicit,
}

/// What a [`Context`] is made of.
pub struct Setup {
    /// The thread.
    pub shard: Rc<Shard>,
    /// Where the directory looks.
    pub store: Arc<dyn Store>,
    /// Who is local.
    pub directory: Arc<Directory>,
    /// Where logins come in; one for all listeners of the shard.
    pub door: Rc<Door>,
    /// Where mail goes.
    pub post: Rc<Post>,
    /// Bounds in force.
    pub limits: Arc<Limits>,
    /// Our name.
    pub hostname: String,
    /// What the listener is for.
    pub role: Role,
    /// What it does with TLS.
    pub tls_mode: TlsMode,
    /// Certificate and key; a mode other than `Absent` needs them.
    pub tls: Option<Arc<TlsServer>>,
    /// Sessions now; one count for all listeners of the shard.
    pub open: Rc<Cell<u64>>,
    /// Whether there is an outbound queue: without it, nothing that must leave is taken.
    pub queue: bool,
    /// What the operator wants of this listener.
    pub policy: Policy,
}

/// What the operator wants of a listener, beside what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name in rules.
    pub tag: Box<str>,
    /// Peers on this machine may relay, and count as `local` in rules.
    pub trust_local: bool,
    /// Who may speak for others by XCLIENT.
    pub xclient: Vec<Cidr>,
    /// Takes no mail: each recipient of ours is answered 451. For the MX of highest number, which only those who
    /// send junk try first.
    pub defer: bool,
    /// Received does not tell a user's address.
    pub mask_source: bool,
    /// How long a stranger waits for the greeting, in milliseconds.
    pub greeting_delay_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            tag: "".into(),
            trust_local: false,
            xclient: Vec::new(),
            defer: false,
            mask_source: true,
            greeting_delay_ms: 0,
        }
    }
}

/// One for each listener and shard.
pub struct Context {
    pub(crate) setup: Setup,
    /// What the state machine needs of it.
    options: Rc<Options>,
    /// The same for peers that may speak for others.
    options_of_proxies: Rc<Options>,
    /// Sessions kept lately.
    pub(crate) kept: Quota,
}

impl Context {
    /// Puts it together.
    pub fn new(setup: Setup) -> Rc<Context> {
        let options = Options {
            role: setup.role,
            hostname: setup.hostname.as_str().into(),
            limits: Limits::clone(&setup.limits),
            queue: setup.queue,
            // In clear nothing is offered. What is offered in TLS each connection says for itself; this is for the refusal
            // before it.
            mechanisms: Mechanisms {
                clear: Vec::new(),
                tls: match setup.role {
                    Role::Submission => vec![Mechanism::Plain.name()],
                    Role::Mx | Role::Lmtp => Vec::new(),
                },
            },
            xclient: false,
        };
        let of_proxies = Options {
            xclient: true,
            ..options.clone()
        };
        Rc::new(Context {
            setup,
            options: Rc::new(options),
            options_of_proxies: Rc::new(of_proxies),
            kept: Quota::default(),
        })
    }

    /// What a session of this peer is made of.
    pub(crate) fn options_for(&self, peer: Endpoint) -> Rc<Options> {
        let lists = |ip| {
            let proxies = &self.setup.policy.xclient;
            proxies.iter().any(|network| network.contains(ip))
        };
        match peer.ip().is_some_and(lists) {
            true => self.options_of_proxies.clone(),
            false => self.options.clone(),
        }
    }

    /// How a new session stands with TLS, before its first octet.
    pub(crate) fn tls_at_start(&self) -> Tls {
        match (&self.setup.tls, self.setup.tls_mode) {
            (None, _) | (_, TlsMode::Absent) => Tls::Absent,
            (_, TlsMode::Offered) => Tls::Offered,
            (_, TlsMode::Required) => Tls::Required,
            (_, TlsMode::Implicit) => Tls::Active,
        }
    }

    /// Counts a session in. `None`: smtp_session_connections_max is reached.
    pub(crate) fn enter(&self) -> Option<Entered> {
        let open = self.setup.open.get();
        (open < self.setup.limits.smtp_session_connections_max).then(|| {
            self.setup.open.set(open + 1);
            Entered(self.setup.open.clone())
        })
    }
}

/// Counts a session while it lives.
pub(crate) struct Entered(Rc<Cell<u64>>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
