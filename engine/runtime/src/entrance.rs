//! Between accept and a session: whose connection it is, and whether it may come in.
//!
//! ```text
//! accept ─> peer is a listed proxy? ── no ──> enter ── yes ─> Connection ─> the handler's task
//!                 │ yes                        ▲  └── no ──> one send, closed: no task, no TLS, no buffer
//!                 └─> a task reads its header ─┘
//! ```
//! A header is peeked at and taken octet for octet, so that what follows it is still in the socket: TLS may begin there.
//! Refusals are told in the log once a second and listener, with how many there were.

use crate::connection::Endpoint;
use crate::proxy::{self, Header, ProxyError, Source};
use crate::socket::{self, Socket};
use crate::{Connection, Shard, event, time};
use ringpost_admission::{Admission, Network, Verdict};
use ringpost_types::TraceId;
use std::cell::Cell;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Writes what a refused peer is told, in the service's own words; nothing where TLS comes first.
pub type Refusal = fn(&Verdict, &mut Vec<u8>);

/// How a listener lets peers in.
pub struct Entrance {
    admission: Arc<Admission>,
    proxies: Box<[Network]>,
    refusal: Refusal,
    /// The tick of the last line about refusals, and how many there were since.
    told: Cell<(u32, u64)>,
}

impl Entrance {
    /// Asks `admission` about each peer; those of `proxies` must say for whom they come.
    pub fn new(admission: Arc<Admission>, proxies: &[Network], refusal: Refusal) -> Entrance {
        Entrance {
            admission,
            proxies: proxies.into(),
            refusal,
            told: Cell::new((u32::MAX, 0)),
        }
    }

    /// Whether a peer has to say for whom it comes.
    pub(crate) fn is_proxy(&self, peer: Endpoint) -> bool {
        let listed = |ip: IpAddr| self.proxies.iter().any(|network| network.contains(ip));
        peer.ip().is_some_and(listed)
    }

    /// Lets the peer in, or sends it away.
    pub(crate) fn enter(
        &self,
        socket: Socket,
        peer: Endpoint,
        shard: &Rc<Shard>,
    ) -> Option<Connection> {
        match self.admission.enter(peer.ip(), time::now_unix_ms()) {
            Ok(guard) => Some(Connection::new(socket, peer, Some(guard), shard)),
            Err(verdict) => {
                self.send_away(&socket, peer, &verdict, shard);
                None
            }
        }
    }

    /// As [`Entrance::enter`], for a listed proxy.
    pub(crate) async fn enter_by_proxy(
        &self,
        socket: Socket,
        proxy: Endpoint,
        shard: &Rc<Shard>,
    ) -> Option<Connection> {
        let patience = Duration::from_millis(shard.limits.proxy_header_ms);
        let why = match time::timeout(patience, read_header(&socket)).await {
            Ok(Ok(source)) => {
                let peer = match source {
                    Source::Proxy => proxy,
                    Source::Client(client) => Endpoint::Tcp(client),
                    Source::Unix => Endpoint::Unix,
                };
                return self.enter(socket, peer, shard);
            }
            Ok(Err(Failed::Broken)) => "it left".to_owned(),
            Ok(Err(Failed::Header(error))) => error.to_string(),
            Err(time::Elapsed) => "no PROXY header in time".to_owned(),
        };
        event!(TraceId(0), "connection from proxy {proxy} ended: {why}");
        None
    }

    /// The kernel takes the few octets at once or never: nobody waits for a peer that is not let in.
    fn send_away(&self, socket: &Socket, peer: Endpoint, verdict: &Verdict, shard: &Shard) {
        let mut words = shard.pool.take();
        (self.refusal)(verdict, &mut words);
        socket::send_now(socket.as_raw_fd(), &words);
        shard.pool.give(words);
        socket::shutdown_write(socket.as_raw_fd());
        let (tick, more) = self.told.get();
        if tick == shard.sweep.tick() {
            return self.told.set((tick, more + 1));
        }
        self.told.set((shard.sweep.tick(), 0));
        let reason = verdict.reason().map(|reason| reason.to_string());
        event!(
            TraceId(0),
            "connection from {peer} refused: {}; {more} more were since the last such line",
            reason.unwrap_or_default()
        );
    }
}

enum Failed {
    Broken,
    Header(ProxyError),
}

/// Takes exactly the header out of the socket.
async fn read_header(socket: &Socket) -> Result<Source, Failed> {
    let mut header = [0; proxy::OCTETS_MAX];
    let mut taken = 0;
    loop {
        socket.readable().await;
        let fd = socket.as_raw_fd();
        let peeked = match socket::peek_now(fd, &mut header[taken..]) {
            // Ready and yet nothing to read is for the next round; the time-out bounds them.
            None => continue,
            Some(0) => return Err(Failed::Broken),
            Some(peeked) => peeked,
        };
        let (octets, done) = match proxy::parse(&header[..taken + peeked]) {
            Ok(Header::More) => (peeked, None),
            Ok(Header::Whole(octets, source)) => (octets - taken, Some(source)),
            Err(error) => return Err(Failed::Header(error)),
        };
        if socket::take_now(fd, &mut header[taken..taken + octets]) != Some(octets) {
            return Err(Failed::Broken);
        }
        taken += octets;
        if let Some(source) = done {
            return Ok(source);
        }
    }
}
