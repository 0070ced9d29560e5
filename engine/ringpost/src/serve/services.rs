//! What runs on one shard: its log, and a service on each listener.
//!
//! In:  what all shards share. Out: a [`Machine`] whose every shard serves, or the reason why one does not.
//!
//! A connection takes the settings in force when it comes; a reload makes new contexts for the connections after it
//! and changes nothing under a running session.

use super::files::Share;
use crate::cli::exit::Failure;
use crate::config::{self, Config, Protocol, TlsMode};
use ringpost_admission::Admission;
use ringpost_api::Store as _;
use ringpost_delivery::{LogOptions, Post};
use ringpost_directory::Directory;
use ringpost_lmdb::Lmdb;
use ringpost_login::Door;
use ringpost_login::door::Policy;
use ringpost_runtime::entrance::Refusal;
use ringpost_runtime::{Entrance, Listener, Machine, Options, Shard, Shared, TlsServer, spawn};
use ringpost_smtpd::Role;
use ringpost_types::limit::Limits;
use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, mpsc};

/// Whether anybody sends what the queue holds. Without, mail for other hosts is put off.
pub const QUEUE: bool = false;

/// Good logins that a shard remembers.
const LOGINS_MAX: usize = 65_536;

/// What a reload swaps for the connections that come after it.
pub struct Settings {
    pub limits: Arc<Limits>,
    pub logins: Arc<Policy>,
}

impl Settings {
    /// What the configuration says, as far as the process may open files.
    pub fn new(limits: &Limits, share: Share, logins: Arc<Policy>) -> Self {
        Settings {
            limits: Arc::new(share.bound(limits)),
            logins,
        }
    }
}

/// A listener of the configuration and its sockets.
pub struct Open {
    pub listener: config::Listener,
    pub socket: Listener,
}

/// What all shards share.
#[derive(Clone)]
pub struct Services {
    pub store: Arc<Lmdb>,
    pub directory: Arc<Directory>,
    pub settings: Arc<Shared<Settings>>,
    pub tls: Option<Arc<TlsServer>>,
    pub admission: Arc<Admission>,
    pub hostname: String,
    pub data_dir: PathBuf,
    pub listeners: Arc<[Open]>,
}

impl Services {
    /// Starts the shards, and waits until each has its log open and serves.
    pub fn start(self, config: &Config, shards: u16) -> Result<Machine, Failure> {
        let options = Options {
            shards: Some(shards),
            limits: config.limits.clone(),
            budget: self.admission.budget().clone(),
            ..Options::default()
        };
        let log = LogOptions {
            compress: config.compress,
            ..LogOptions::default()
        };
        let (said, says) = mpsc::channel();
        let machine = Machine::start(options, move |shard| {
            let (services, said) = (self.clone(), said.clone());
            spawn(async move {
                let _ = said.send(services.serve(shard, log).await);
            });
        })
        .map_err(Failure::unreachable)?;
        for _ in 0..machine.shards() {
            let served = says
                .recv()
                .unwrap_or_else(|_| Err(Failure::unreachable("a shard broke off at its start")));
            if let Err(failure) = served {
                machine.join(std::time::Duration::ZERO);
                return Err(failure);
            }
        }
        Ok(machine)
    }

    async fn serve(self, shard: Rc<Shard>, log: LogOptions) -> Result<(), Failure> {
        self.store.subscribe(shard.hub.feed());
        let end = self.store.log_end(shard.id);
        let post = Post::open(&shard, self.store.clone(), &self.data_dir, end, log)
            .await
            .map_err(|error| {
                Failure::unreachable(format!(
                    "mail log {} below {}: {error}",
                    shard.id,
                    self.data_dir.display()
                ))
            })?;
        let door = Door::new(ringpost_login::Setup {
            shard: shard.clone(),
            store: self.store.clone(),
            admission: self.admission.clone(),
            policy: self.settings.load().logins.clone(),
            entries_max: LOGINS_MAX,
        });
        let seat = Rc::new(Seat {
            services: self,
            door,
            shard,
            post,
            imap_open: Rc::default(),
            smtp_open: Rc::default(),
        });
        for open in seat.services.listeners.iter() {
            match open.listener.protocol {
                Protocol::Imap => seat.clone().imap(open),
                Protocol::Smtp => seat.clone().smtp(open, Role::Mx),
                Protocol::Submission => seat.clone().smtp(open, Role::Submission),
                Protocol::Lmtp => seat.clone().smtp(open, Role::Lmtp),
            }
        }
        Ok(())
    }
}

/// What the listeners of one shard share.
struct Seat {
    services: Services,
    shard: Rc<Shard>,
    post: Rc<Post>,
    door: Rc<Door>,
    imap_open: Rc<Cell<u64>>,
    smtp_open: Rc<Cell<u64>>,
}

/// A context and the settings it was made of.
struct Made<C> {
    settings: Arc<Settings>,
    context: Rc<C>,
}

/// Makes a context once for as long as the settings stay.
struct Maker<C, M> {
    settings: Arc<Shared<Settings>>,
    made: RefCell<Option<Made<C>>>,
    make: M,
}

impl<C, M: Fn(&Settings) -> Rc<C>> Maker<C, M> {
    fn new(settings: Arc<Shared<Settings>>, make: M) -> Self {
        Maker {
            settings,
            made: RefCell::default(),
            make,
        }
    }

    /// The context for a connection that comes now.
    fn context(&self) -> Rc<C> {
        let settings = self.settings.load();
        let mut made = self.made.borrow_mut();
        match &*made {
            Some(made) if Arc::ptr_eq(&made.settings, &settings) => made.context.clone(),
            _ => {
                let context = (self.make)(&settings);
                *made = Some(Made {
                    settings,
                    context: context.clone(),
                });
                context
            }
        }
    }
}

impl Seat {
    fn imap(self: Rc<Self>, open: &Open) {
        let seat = self.clone();
        let tls_mode = match open.listener.tls {
            TlsMode::None => ringpost_imapd::TlsMode::Absent,
            TlsMode::Starttls => ringpost_imapd::TlsMode::Offered,
            TlsMode::Required => ringpost_imapd::TlsMode::Required,
            TlsMode::Implicit => ringpost_imapd::TlsMode::Implicit,
        };
        let maker = Maker::new(self.services.settings.clone(), move |settings| {
            seat.door.set_policy(settings.logins.clone());
            ringpost_imapd::Context::new(ringpost_imapd::Setup {
                shard: seat.shard.clone(),
                store: seat.services.store.clone(),
                door: seat.door.clone(),
                post: seat.post.clone(),
                limits: settings.limits.clone(),
                tls_mode,
                tls: seat.services.tls.clone(),
                open: seat.imap_open.clone(),
            })
        });
        let entrance = super::door::imap(&self.services.admission, &open.listener);
        open.socket
            .serve_through(&self.shard, Some(entrance), move |connection| {
                ringpost_imapd::serve(connection, maker.context())
            });
    }

    fn smtp(self: Rc<Self>, open: &Open, role: Role) {
        let seat = self.clone();
        let tls_mode = match open.listener.tls {
            TlsMode::None => ringpost_smtpd::TlsMode::Absent,
            TlsMode::Starttls => ringpost_smtpd::TlsMode::Offered,
            TlsMode::Required => ringpost_smtpd::TlsMode::Required,
            TlsMode::Implicit => ringpost_smtpd::TlsMode::Implicit,
        };
        let policy = ringpost_smtpd::Policy {
            tag: open.listener.tag.as_str().into(),
            trust_local: open.listener.trust_local,
            xclient: open.listener.xclient.clone(),
            defer: open.listener.defer,
            mask_source: open.listener.mask_source,
            greeting_delay_ms: open.listener.greeting_delay_ms,
        };
        let maker = Maker::new(self.services.settings.clone(), move |settings| {
            seat.door.set_policy(settings.logins.clone());
            ringpost_smtpd::Context::new(ringpost_smtpd::Setup {
                shard: seat.shard.clone(),
                store: seat.services.store.clone(),
                directory: seat.services.directory.clone(),
                door: seat.door.clone(),
                post: seat.post.clone(),
                limits: settings.limits.clone(),
                hostname: seat.services.hostname.clone(),
                role,
                tls_mode,
                tls: seat.services.tls.clone(),
                open: seat.smtp_open.clone(),
                queue: QUEUE,
                policy: policy.clone(),
            })
        });
        let refusal: Refusal = match open.listener.tls {
            // Words in clear would be noise to a client that waits for TLS.
            TlsMode::Implicit => |_, _| (),
            _ => ringpost_smtpd::send_away,
        };
        let admission = self.services.admission.clone();
        let entrance = Entrance::new(admission, &open.listener.proxy, refusal);
        open.socket
            .serve_through(&self.shard, Some(entrance), move |connection| {
                ringpost_smtpd::serve(connection, maker.context())
            });
    }
}
