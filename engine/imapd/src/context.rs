//! What every session of a listener on one shard shares.

use ringpost_api::Store;
use ringpost_delivery::Post;
use ringpost_login::Door;
use ringpost_runtime::{Shard, TlsServer};
use ringpost_types::limit::Limits;
use ringpost_types::{AccountId, MailboxId};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// What a listener does with TLS. The configuration's `tls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// `none`: passwords come in clear. For loopback and the demo; the configuration has to ask for it.
    Absent,
    /// `starttls`: offered, and no login before it. RFC 3501 §6.2.3, RFC 8314 §4.1.
    Offered,
    /// `required`: the same, for IMAP does little before a login.
    Required,
    /// `implicit`: from the first octet on. RFC 8314 §3.2.
    Implicit,
}

/// What a [`Context`] is made of.
pub struct Setup {
    /// The thread.
    pub shard: Rc<Shard>,
    /// Mailboxes and messages.
    pub store: Arc<dyn Store>,
    /// Where logins come in; one for all listeners of the shard.
    pub door: Rc<Door>,
    /// Where APPEND goes to and bodies come from.
    pub post: Rc<Post>,
    /// Bounds in force.
    pub limits: Arc<Limits>,
    /// What the listener does with TLS.
    pub tls_mode: TlsMode,
    /// Certificate and key; a mode other than `Absent` needs them.
    pub tls: Option<Arc<TlsServer>>,
    /// Sessions now; one count for all listeners of the shard.
    pub open: Rc<Cell<u64>>,
}

/// One for each listener and shard.
pub struct Context {
    pub(crate) shard: Rc<Shard>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) door: Rc<Door>,
    pub(crate) post: Rc<Post>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) tls_mode: TlsMode,
    pub(crate) tls: Option<Arc<TlsServer>>,
    /// Mailboxes whose search filter is being made.
    pub(crate) filtering: RefCell<Vec<(AccountId, MailboxId)>>,
    open: Rc<Cell<u64>>,
}

impl Context {
    /// Puts it together.
    pub fn new(setup: Setup) -> Rc<Context> {
        Rc::new(Context {
            shard: setup.shard,
            store: setup.store,
            door: setup.door,
            post: setup.post,
            limits: setup.limits,
            tls_mode: setup.tls_mode,
            tls: setup.tls,
            filtering: RefCell::default(),
            open: setup.open,
        })
    }

    /// Counts a session in. `None`: `imap_connections_max` is reached.
    pub(crate) fn enter(&self) -> Option<Entered> {
        let open = self.open.get();
        (open < self.limits.imap_connections_max).then(|| {
            self.open.set(open + 1);
            Entered(self.open.clone())
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
