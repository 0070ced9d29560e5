//! What every session of a listener on one shard shares.

use ringpost_api::Store;
use ringpost_delivery::Post;
use ringpost_directory::Logins;
use ringpost_runtime::{Shard, TlsServer};
use ringpost_types::limit::Limits;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// Whether a password may come over a connection without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClearLogin {
    /// A listener that has no TLS at all, which the configuration must ask for: loopback, demo.
    Allowed,
    /// LOGINDISABLED until STARTTLS. RFC 3501 §6.2.3, RFC 8314 §4.1.
    Refused,
}

/// One for each listener and shard.
pub struct Context {
    /// The thread.
    pub shard: Rc<Shard>,
    /// Mailboxes and messages.
    pub store: Arc<dyn Store>,
    /// Good logins of the last minutes; one for all listeners of the shard.
    pub logins: Rc<RefCell<Logins>>,
    /// Where APPEND goes to and bodies come from.
    pub post: Rc<Post>,
    /// Bounds in force.
    pub limits: Arc<Limits>,
    /// What STARTTLS offers; `None` where there is none, or where the listener speaks TLS from the start.
    pub tls: Option<Arc<TlsServer>>,
    /// Whether a password may come in clear.
    pub clear_login: ClearLogin,
    /// Sessions now; one count for all listeners of the shard.
    pub open: Rc<Cell<u64>>,
}

/// Counts a session while it lives.
pub(crate) struct Entered(Rc<Cell<u64>>);

impl Context {
    /// Counts a session in. `None`: `imap_connections_max` is reached.
    pub(crate) fn enter(&self) -> Option<Entered> {
        let open = self.open.get();
        (open < self.limits.imap_connections_max).then(|| {
            self.open.set(open + 1);
            Entered(self.open.clone())
        })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
