//! Where peers come in: one listening socket for each shard and address.
//!
//! In:  an address to bind, a handler. Out: one task of the shard for each connection.
//!
//! TCP addresses are shared by SO_REUSEPORT, one socket for each shard; a unix socket is one socket whose
//! descriptor every shard has. IPv6 sockets take IPv6 only: listen on `[::]:25` and `0.0.0.0:25` for both.
//!
//! Invariant: one accept loop for each socket, its accept never raced or cancelled; draining ends it by
//! shutdown(2) of the socket, which the accept answers with an error.

use crate::connection::{Connection, Endpoint};
use crate::entrance::Entrance;
use crate::shard::spawn;
use crate::socket::{self, Door, Family, Sharing, Socket};
use crate::{Shard, event, time};
use ringpost_types::TraceId;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io};

/// How long a port that is still taken is tried again: after `kill -9` the kernel keeps the sockets of a ring
/// for some 300 ms.
const TAKEN_MAX: Duration = Duration::from_millis(1500);
/// Pause after a failed accept. EMFILE does not go away by trying at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Mode of a unix socket: the server's user and group.
const UNIX_MODE: u32 = 0o660;

/// An address to listen on or to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Bind {
    /// `address:port`; port 0: any free one.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl Bind {
    /// The TCP address, if it is one.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Bind::Tcp(address) => Some(*address),
            Bind::Unix(_) => None,
        }
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bind::Tcp(address) => address.fmt(f),
            Bind::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl std::str::FromStr for Bind {
    type Err = String;

    /// `address:port` or `unix:PATH`.
    fn from_str(text: &str) -> Result<Bind, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.is_empty() {
                true => Err("unix: needs a path".to_owned()),
                false => Ok(Bind::Unix(path.into())),
            };
        }
        text.parse().map(Bind::Tcp).map_err(|_| {
            format!("{text:?} is not address:port, such as 0.0.0.0:25 or [::]:25, nor unix:PATH")
        })
    }
}

/// Why nothing can listen there.
#[derive(Debug)]
pub struct BindError {
    /// Where.
    pub bind: Bind,
    /// What the system said.
    pub error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.bind, self.error)?;
        match (self.error.kind(), &self.bind) {
            (io::ErrorKind::AddrInUse, Bind::Tcp(address)) => write!(
                f,
                "; another program has the port: find it with `ss -ltnp sport = :{}`, or choose another port",
                address.port()
            ),
            (io::ErrorKind::AddrInUse, Bind::Unix(_)) => {
                f.write_str("; another program listens on this socket, or the path is no socket")
            }
            (io::ErrorKind::PermissionDenied, Bind::Tcp(address)) if address.port() < 1024 => f.write_str(
                "; ports below 1024 need CAP_NET_BIND_SERVICE: AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, or a higher port",
            ),
            (io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound, Bind::Unix(_)) => {
                f.write_str("; the directory must be there and the server's user must be able to write in it")
            }
            (io::ErrorKind::AddrNotAvailable, _) => {
                f.write_str("; no interface of this host has the address")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for BindError {}

/// Open listening sockets of one address, one for each shard until it serves.
#[derive(Debug)]
pub struct Listener {
    local: Bind,
    sockets: Mutex<Vec<Option<OwnedFd>>>,
}

impl Listener {
    /// Binds and listens. Unix sockets get mode 0660.
    pub fn bind(bind: &Bind, shards: usize) -> Result<Listener, BindError> {
        Self::bind_with_mode(bind, shards, UNIX_MODE)
    }

    /// As [`Listener::bind`], a unix socket with `mode`.
    pub fn bind_with_mode(bind: &Bind, shards: usize, mode: u32) -> Result<Listener, BindError> {
        let opened = match bind {
            Bind::Tcp(address) => open_tcp(*address, shards),
            Bind::Unix(path) => open_unix(path, shards, mode),
        };
        let (local, sockets) = opened.map_err(|error| BindError {
            bind: bind.clone(),
            error,
        })?;
        Ok(Listener {
            local,
            sockets: Mutex::new(sockets.into_iter().map(Some).collect()),
        })
    }

    /// Where it listens, with the real port.
    pub fn local(&self) -> &Bind {
        &self.local
    }

    /// Accepts on `shard` until it drains; each connection is a task that runs `handler`. Once for each shard. Whoever
    /// comes is welcome.
    pub fn serve<H, F>(&self, shard: &Rc<Shard>, handler: H)
    where
        H: Fn(Connection) -> F + 'static,
        F: Future<Output = ()> + 'static,
    {
        self.serve_through(shard, None, handler);
    }

    /// As [`Listener::serve`], for those whom `entrance` lets in.
    pub fn serve_through<H, F>(&self, shard: &Rc<Shard>, entrance: Option<Entrance>, handler: H)
    where
        H: Fn(Connection) -> F + 'static,
        F: Future<Output = ()> + 'static,
    {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let socket = sockets
            .get_mut(usize::from(shard.id))
            .and_then(Option::take);
        drop(sockets);
        let Some(socket) = socket else {
            debug_assert!(false, "shard {} has no socket on {}", shard.id, self.local);
            return;
        };
        let family = match self.local {
            Bind::Tcp(_) => Family::Tcp,
            Bind::Unix(_) => Family::Unix,
        };
        match Door::open(socket, family) {
            Ok(door) => {
                let door = Rc::new(door);
                spawn(stop_at_drain(
                    shard.clone(),
                    door.clone(),
                    self.local.clone(),
                ));
                let (entrance, handler) = (Rc::new(entrance), Rc::new(handler));
                spawn(accept(shard.clone(), door, entrance, handler));
            }
            Err(error) => event!(TraceId(0), "{} cannot be served: {error}", self.local),
        }
    }
}

impl Drop for Listener {
    /// A socket that was never served leaves no file behind.
    fn drop(&mut self) {
        let sockets = self
            .sockets
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Bind::Unix(path) = &self.local
            && sockets.iter().all(Option::is_some)
        {
            let _ = fs::remove_file(path);
        }
    }
}

async fn accept<H, F>(
    shard: Rc<Shard>,
    door: Rc<Door>,
    entrance: Rc<Option<Entrance>>,
    handler: Rc<H>,
) where
    H: Fn(Connection) -> F + 'static,
    F: Future<Output = ()> + 'static,
{
    loop {
        match door.accept().await {
            Ok((socket, peer)) => {
                let peer = peer.map_or(Endpoint::Unix, Endpoint::Tcp);
                match &*entrance {
                    None => spawn(handler(Connection::new(socket, peer, None, &shard))),
                    Some(asked) if asked.is_proxy(peer) => {
                        let shard = shard.clone();
                        let (entrance, handler) = (entrance.clone(), handler.clone());
                        spawn(by_proxy(socket, peer, shard, entrance, handler));
                    }
                    Some(asked) => {
                        if let Some(connection) = asked.enter(socket, peer, &shard) {
                            spawn(handler(connection));
                        }
                    }
                }
            }
            Err(_) if shard.draining() => return,
            // It listens no more: a unix socket is all shards', and another one drains already.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return,
            Err(error) if error.raw_os_error() == Some(libc::ECONNABORTED) => {}
            Err(error) => {
                event!(TraceId(0), "accept: {error}");
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A connection that a proxy made: it says for whom, and the rest is as ever.
async fn by_proxy<H, F>(
    socket: Socket,
    proxy: Endpoint,
    shard: Rc<Shard>,
    entrance: Rc<Option<Entrance>>,
    handler: Rc<H>,
) where
    H: Fn(Connection) -> F + 'static,
    F: Future<Output = ()> + 'static,
{
    let Some(entrance) = &*entrance else { return };
    let entered = Box::pin(entrance.enter_by_proxy(socket, proxy, &shard)).await;
    if let Some(connection) = entered {
        spawn(handler(connection));
    }
}

async fn stop_at_drain(shard: Rc<Shard>, door: Rc<Door>, local: Bind) {
    shard.drain().await;
    if let Bind::Unix(path) = local {
        // All shards have the same socket; the file goes with the first.
        let _ = fs::remove_file(path);
    }
    door.close();
}

fn open_tcp(address: SocketAddr, shards: usize) -> io::Result<(Bind, Vec<OwnedFd>)> {
    if address.port() != 0 {
        wait_until_free(address)?;
    }
    let first = socket::bind_tcp(address, Sharing::Shared)?;
    let local = socket::bound(&first)?;
    let mut sockets = vec![first];
    while sockets.len() < shards {
        sockets.push(socket::bind_tcp(local, Sharing::Shared)?);
    }
    // Only now may peers come: to a socket without a listener behind it they would be refused.
    sockets.iter().try_for_each(socket::listen)?;
    Ok((Bind::Tcp(local), sockets))
}

/// SO_REUSEPORT would let a second server of the same user in unseen: a socket without it says whether someone
/// listens.
fn wait_until_free(address: SocketAddr) -> io::Result<()> {
    let until = Instant::now() + TAKEN_MAX;
    loop {
        match socket::bind_tcp(address, Sharing::Alone) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(error),
        }
    }
}

fn open_unix(path: &Path, shards: usize, mode: u32) -> io::Result<(Bind, Vec<OwnedFd>)> {
    remove_stale(path)?;
    let socket = std::os::unix::net::UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    let socket = OwnedFd::from(socket);
    let mut sockets = Vec::with_capacity(shards);
    while sockets.len() + 1 < shards {
        sockets.push(socket.try_clone()?);
    }
    sockets.push(socket);
    Ok((Bind::Unix(path.to_owned()), sockets))
}

/// Removes a socket file that a server left behind. A file that is no socket, or one that somebody listens on,
/// stays, and the bind says so.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if !is_socket {
        return Ok(());
    }
    match StdUnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        const CASES: &[(&str, Option<&str>)] = &[
            ("0.0.0.0:25", Some("0.0.0.0:25")),
            ("[::]:25", Some("[::]:25")),
            ("unix:/run/x", Some("unix:/run/x")),
            ("unix:", None),
            ("25", None),
            ("localhost:25", None),
        ];
        for (text, expected) in CASES {
            let got = text.parse::<Bind>().ok().map(|bind| bind.to_string());
            assert_eq!(got.as_deref(), *expected, "{text}");
        }
    }

    #[test]
    fn a_taken_port_is_an_error_with_a_remedy() {
        let any: Bind = "127.0.0.1:0".parse().expect("an address");
        let first = Listener::bind(&any, 2).expect("a free port");
        let error = Listener::bind(first.local(), 1).expect_err("taken");
        assert!(error.to_string().contains("ss -ltnp"), "{error}");
    }

    #[test]
    fn v4_and_v6_share_a_port() {
        let v6: Bind = "[::]:0".parse().expect("an address");
        let v6 = Listener::bind(&v6, 2).expect("a free port");
        let port = v6.local().tcp().expect("TCP").port();
        let v4 = Bind::Tcp(([0, 0, 0, 0], port).into());
        assert!(Listener::bind(&v4, 2).is_ok());
    }

    #[test]
    fn unix_files_come_and_go() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s");
        let bind = Bind::Unix(path.clone());
        // Left behind: a file, and nobody who listens.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bind"));
        let first = Listener::bind_with_mode(&bind, 2, 0o666).expect("the stale file is replaced");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o666);
        let error = Listener::bind(&bind, 1).expect_err("somebody listens");
        assert_eq!(error.error.kind(), io::ErrorKind::AddrInUse);
        drop(first);
        assert!(!path.exists());
        fs::write(&path, "precious").expect("write");
        assert!(Listener::bind(&bind, 1).is_err());
        assert_eq!(fs::read(&path).expect("read"), b"precious");
    }
}
