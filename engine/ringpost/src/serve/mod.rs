//! A server from start to drain.
//!
//! ```text
//! start:  file limit -> io_uring probe -> certificate -> signals -> store (lock, replay) -> listeners, all or none
//!         -> shards: each opens its log, makes its services, serves -> control socket -> "ready"
//! reload: SIGHUP -> configuration and certificate read again -> all good: swapped; else the old ones stay
//!         SIGTERM during replay -> the store is closed, exit 0
//! drain:  SIGTERM, SIGINT -> listeners shut -> running transactions, at most drain_ms -> logs -> index -> exit 0
//!         a second one while draining, not its echo: exit at once
//! ```
//!
//! In:  a [`Config`]. Out: lines `listening PROTOCOL ADDRESS` and then `ready` on stderr, or a [`Failure`] that
//! names the remedy. What was opened before a failure is closed by its drop.
//!
//! The control plane runs on the thread that called [`run`]; the data plane on the shards' threads ([`services`]).

pub mod door;
pub mod expire;
pub mod files;
pub mod kernel;
pub mod logins;
pub mod memory;
pub mod reload;
pub mod services;
pub mod tidy;

use crate::cli::exit::{Exit, Failure};
use crate::cli::tell;
use crate::config::{Config, Listener, world};
use crate::control::operation::{Bench, World};
use crate::control::{self, client, server, signal};
use crate::oauth;
use door::Keeper;
use files::Share;
use logins::Roots;
use reload::Live;
use ringpost_api::Store;
use ringpost_directory::{Directory, Domains};
use ringpost_lmdb::Lmdb;
use ringpost_runtime::machine::{self, Ended};
use ringpost_runtime::{Machine, Shared, probe};
use services::{Services, Settings};
use signal::{Signals, Wish};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// A second signal so soon is the first one's echo: timeout(1) and terminals tell a process and then its group.
const ECHO: Duration = Duration::from_millis(500);

/// Puts what a server needs into its store before it serves.
pub type Prepare = dyn FnOnce(&dyn Store, &Domains) -> Result<(), Failure>;

/// What the caller does between the steps.
pub struct Hooks {
    /// Overrides of the command line, for reloads.
    pub overrides: Vec<String>,
    /// Called with the open store, before anyone can connect.
    pub prepare: Box<Prepare>,
    /// Called once the server is ready.
    pub ready: Box<dyn FnOnce()>,
}

impl Hooks {
    /// Nothing to do.
    pub fn none(overrides: Vec<String>) -> Self {
        Hooks {
            overrides,
            prepare: Box::new(|_, _| Ok(())),
            ready: Box::new(|| ()),
        }
    }
}

/// Runs a server until it is told to leave.
pub fn run(config: Config, hooks: Hooks) -> Result<(), Failure> {
    let files = files::raise();
    probe::probe().map_err(Failure::unreachable)?;
    let tls = match world::needs_certificate(&config) {
        true => Some(Arc::new(world::certificate(&config)?)),
        false => None,
    };
    let mut signals = signal::register()
        .map_err(|error| Failure::unreachable(format!("signals cannot be taken over: {error}")))?;
    let store = client::open(&config)?;
    tell_replay(&store);
    // A replay may take a while; who gave up on it meanwhile gets no server.
    if signals.told_to_leave() {
        store.close();
        return Ok(());
    }
    let tidier = tidy::start(&store, &config.limits)?;
    let directory = Arc::new(Directory::new(config.rules()));
    (hooks.prepare)(&*store, &directory.domains())?;
    for fault in aliases(&*store, &directory.domains()) {
        tell(&fault);
    }

    let shards = config
        .shards
        .unwrap_or_else(|| u16::try_from(machine::cpus()).unwrap_or(u16::MAX));
    let listeners = bind(&config.listeners, shards)?;
    let share = Share::of(files, shards, listeners.len());
    let (tokens, oauth) = oauth::open(&config)?.unzip();
    let logins = Roots::open(&config, tokens)?;
    let policy = logins.policy(&config);
    let settings = Settings::new(&config.limits, share, policy);
    let settings = Arc::new(Shared::new(settings));
    let admission = door::open(&config, &*store)?;
    for note in kernel::Kernel::here().notes(shards.into()) {
        tell(&note);
    }
    let services = Services {
        store: store.clone(),
        directory: directory.clone(),
        settings: settings.clone(),
        tls: tls.clone(),
        admission: admission.clone(),
        hostname: config.hostname.clone(),
        data_dir: config.data_dir.clone(),
        listeners: listeners.clone(),
    };
    let machine = services.start(&config, shards)?;
    let live = Live {
        config,
        overrides: hooks.overrides,
        store: store.clone(),
        directory: directory.clone(),
        admission: admission.clone(),
        settings,
        share,
        logins,
        tls,
    };
    let control = Control {
        machine,
        store: store.clone(),
        directory,
        live,
        listeners,
        signals,
        oauth,
        ready: hooks.ready,
    };
    let done = tokio_uring::start(control.run());
    tidier.stop();
    store.close();
    done
}

/// What is wrong with the aliases, where anything is. A backup may bring back what would be refused today, and domains
/// come and go.
fn aliases(store: &dyn Store, domains: &Domains) -> Vec<String> {
    let snapshot = store.snapshot().map_err(Failure::from);
    let faults = snapshot.and_then(|snapshot| control::alias::faults(&*snapshot, domains));
    faults
        .unwrap_or_else(|failure| vec![format!("the aliases were not looked at: {}", failure.text)])
}

/// What the start found in the logs, where that is worth a line.
fn tell_replay(store: &Lmdb) {
    let replay = store.replay();
    if replay.records > 0 {
        tell(&format!("{} mails replayed from the logs", replay.records));
    }
    for (log, octets) in &replay.cut {
        tell(&format!(
            "mail log {log}: {octets} octets of a batch that was being written were cut off; nobody was answered for them"
        ));
    }
    for (log, damage) in &replay.damages {
        tell(&format!(
            "mail log {log}: {} octets from {} of segment {} are damaged; mails in them are lost unless a backup has them",
            damage.octets, damage.offset, damage.segment
        ));
    }
}

/// Binds every listener, or says which one failed and lets go of the others.
fn bind(wanted: &[Listener], shards: u16) -> Result<Arc<[services::Open]>, Failure> {
    let mut open = Vec::with_capacity(wanted.len());
    for listener in wanted {
        let socket = ringpost_runtime::Listener::bind(&listener.bind, usize::from(shards))
            .map_err(|error| Failure::not_well(format!("{}: {error}", listener.protocol.name())))?;
        open.push(services::Open {
            listener: listener.clone(),
            socket,
        });
    }
    Ok(open.into())
}

/// The control plane of a running server.
struct Control {
    machine: Machine,
    store: Arc<Lmdb>,
    directory: Arc<Directory>,
    live: Live,
    listeners: Arc<[services::Open]>,
    signals: signal::Pipes,
    oauth: Option<oauth::Desk>,
    ready: Box<dyn FnOnce()>,
}

impl Control {
    async fn run(mut self) -> Result<(), Failure> {
        let path = control::socket(&self.live.config.data_dir);
        let opened = server::bind(&path).and_then(tokio::net::UnixListener::from_std);
        let socket = opened.map_err(|error| {
            Failure::unreachable(format!("control socket {}: {error}", path.display()))
        })?;
        let mut signals = self.signals.listen().map_err(|error| {
            Failure::unreachable(format!("signals cannot be listened for: {error}"))
        })?;
        let desk = server::Desk {
            store: self.store.clone(),
            directory: self.directory.clone(),
            admission: self.live.admission.clone(),
            world: World {
                store: self.store.clone(),
                config: Arc::new(self.live.config.clone()),
            },
            bench: Bench::default(),
            aliases: tokio::sync::Mutex::default(),
        };
        let desk = tokio::task::spawn_local(server::run(socket, Arc::new(desk)));
        if let Some(oauth) = self.oauth.take() {
            drop(tokio::task::spawn_local(oauth::run(oauth)));
        }
        for open in self.listeners.iter() {
            say(&format!(
                "listening {} {}",
                open.listener.protocol.name(),
                open.socket.local()
            ));
        }
        say("ready");
        (self.ready)();
        // Without systemd there is nobody to notify, and that is no error.
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        let mut breath = tokio::time::interval(memory::EVERY);
        let mut keeper = Keeper::new(self.live.admission.clone(), self.live.store.clone());
        let mut look = tokio::time::interval(door::EVERY);
        let mut expiry = expire::Expiry::new(self.store.clone());
        loop {
            tokio::select! {
                wish = signals.next() => match wish {
                    Wish::Drain => break,
                    Wish::Reload => reload(&mut self.live),
                },
                _ = breath.tick() => memory::give_back(),
                _ = look.tick() => keeper.look(),
                () = expiry.turn() => {}
            }
        }
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        desk.abort();
        let _ = std::fs::remove_file(&path);
        let within = Duration::from_millis(self.live.config.limits.drain_ms);
        drain(self.machine, within, signals).await
    }
}

/// Swaps what can be swapped, or says why not.
fn reload(live: &mut Live) {
    match live.reload() {
        Ok(notes) => {
            notes.iter().for_each(|note| tell(note));
            let faults = aliases(&*live.store, &live.directory.domains());
            faults.iter().for_each(|fault| tell(fault));
            say("reloaded");
        }
        Err(failure) => tell(&format!(
            "{}\nnot reloaded: the old configuration stays",
            failure.text
        )),
    }
}

/// Lets the shards finish. A second signal ends the process at once: what was answered is durable anyway.
async fn drain(machine: Machine, within: Duration, mut signals: Signals) -> Result<(), Failure> {
    say("draining");
    let begun = Instant::now();
    let (sender, mut ended) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = sender.send(machine.join(within));
    });
    loop {
        tokio::select! {
            ended = &mut ended => {
                return match ended {
                    Ok(Ended::Finished) => Ok(()),
                    Ok(Ended::Cut(connections)) => {
                        tell(&format!("{connections} connections were still open after {} ms and were cut", within.as_millis()));
                        Ok(())
                    }
                    Ok(Ended::Stuck) | Err(_) => {
                        Err(Failure::unreachable("a shard did not end; what was answered is durable"))
                    }
                };
            }
            wish = signals.next() => {
                if wish == Wish::Drain && begun.elapsed() > ECHO {
                    tell("told twice: leaving at once");
                    std::process::exit(Exit::NotWell as i32);
                }
            }
        }
    }
}

/// A line of the contract on stderr: bare, for programs that wait for it.
fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
