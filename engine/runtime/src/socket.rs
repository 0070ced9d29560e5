//! Sockets: their operations on the ring, and their options and addresses as the kernel has them.
//!
//! Every connected socket is held as monoio's unix stream, TCP too: receive, send and poll are the same on any
//! descriptor, and one type serves all of them. Only accept and connect know families.

use monoio::BufResult;
use monoio::buf::{IoBuf, Slice};
use monoio::io::{AsyncWriteRent, CancelHandle, CancelableAsyncReadRent};
use monoio::net::{TcpListener, TcpStream as RingTcpStream, UnixListener, UnixStream};
use std::cell::UnsafeCell;
use std::io;
use std::mem::{ManuallyDrop, size_of};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::rc::Rc;

/// A connected socket, shared by the two directions of its connection. Closed with the last of them.
#[derive(Clone)]
pub struct Socket(Rc<UnsafeCell<UnixStream>>);

impl Socket {
    /// Takes an accepted or connected stream.
    pub fn new(stream: UnixStream) -> Socket {
        Socket(Rc::new(UnsafeCell::new(stream)))
    }

    /// Connects by TCP.
    pub async fn connect_tcp(address: SocketAddr) -> io::Result<Socket> {
        Self::from_tcp(RingTcpStream::connect_addr(address).await?)
    }

    fn from_tcp(stream: RingTcpStream) -> io::Result<Socket> {
        // SAFETY: the descriptor was taken out of its owner just now.
        let socket = unsafe { OwnedFd::from_raw_fd(stream.into_raw_fd()) };
        UnixStream::from_std(socket.into()).map(Socket::new)
    }

    /// Connects to a socket in the file system.
    pub async fn connect_unix(path: &Path) -> io::Result<Socket> {
        UnixStream::connect(path).await.map(Socket::new)
    }

    /// A descriptor that is readable at any time: polling it takes one turn of the ring.
    pub fn always_readable() -> io::Result<Socket> {
        // SAFETY: eventfd(2) takes no pointers.
        let fd = check(unsafe { libc::eventfd(1, libc::EFD_CLOEXEC) })?;
        // SAFETY: `fd` is a fresh descriptor that nobody else owns.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        UnixStream::from_std(socket.into()).map(Socket::new)
    }

    /// Receives into `buffer`, from its start.
    pub async fn read(&self, buffer: Vec<u8>, handle: CancelHandle) -> BufResult<usize, Vec<u8>> {
        // SAFETY: see `exclusive`.
        let stream = unsafe { self.exclusive() };
        stream.cancelable_read(buffer, handle).await
    }

    /// Sends what it can of `octets` beginning at `from`.
    pub async fn write(&self, octets: Vec<u8>, from: usize) -> BufResult<usize, Vec<u8>> {
        // SAFETY: see `exclusive`.
        let stream = unsafe { self.exclusive() };
        let (result, slice) = stream.write(octets.slice(from..)).await;
        (result, Slice::into_inner(slice))
    }

    /// Resolves when there is something to read, or an error or the end to be found by reading.
    pub async fn readable(&self) {
        // SAFETY: see `exclusive`.
        let stream = unsafe { self.exclusive() };
        // Whatever went wrong shows at the read.
        let _ = stream.readable(true).await;
    }

    /// # Safety
    /// The reference may be used for one operation of the stream, and one reading and one writing operation may
    /// be under way at once: an operation clones the descriptor when it begins and does not touch the stream
    /// again, which is what monoio's `Split` promises of this type. All clones are on one thread.
    #[allow(clippy::mut_from_ref)]
    unsafe fn exclusive(&self) -> &mut UnixStream {
        // SAFETY: the caller keeps to the above.
        unsafe { &mut *self.0.get() }
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        // SAFETY: reads one number; the reference ends here.
        unsafe { self.exclusive() }.as_raw_fd()
    }
}

/// A listening socket on the ring.
pub enum Door {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Door {
    /// Puts a listening socket on the ring of this thread.
    pub fn open(socket: OwnedFd, family: Family) -> io::Result<Door> {
        match family {
            Family::Tcp => TcpListener::from_std(socket.into()).map(Door::Tcp),
            Family::Unix => UnixListener::from_std(socket.into()).map(Door::Unix),
        }
    }

    /// The next connection and the peer's address. Never to be dropped before it is ready.
    pub async fn accept(&self) -> io::Result<(Socket, Option<SocketAddr>)> {
        match self {
            Door::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Socket::from_tcp(stream).map(|socket| (socket, Some(peer)))
            }
            Door::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Socket::new(stream), None))
            }
        }
    }

    /// Stops listening; the accept under way fails.
    pub fn close(&self) {
        shutdown(match self {
            Door::Tcp(listener) => listener.as_raw_fd(),
            Door::Unix(listener) => listener.as_raw_fd(),
        });
    }
}

/// What kind of socket a descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Tcp,
    Unix,
}

/// Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn.
const BACKLOG: i32 = 4096;

/// Whether several sockets may listen on one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    Alone,
    /// SO_REUSEPORT: one socket for each shard, the kernel spreads connections over them.
    Shared,
}

/// Binds a TCP socket. IPv6 sockets are IPv6 only, so `[::]:25` and `0.0.0.0:25` stand side by side.
pub fn bind_tcp(address: SocketAddr, sharing: Sharing) -> io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    };
    // SAFETY: socket(2) takes no pointers.
    let fd = check(unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: `fd` is a fresh descriptor that nobody else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    set_option(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR)?;
    if sharing == Sharing::Shared {
        set_option(&socket, libc::SOL_SOCKET, libc::SO_REUSEPORT)?;
    }
    match address {
        SocketAddr::V4(v4) => {
            let mut name = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(v4.ip().octets()),
                },
                sin_zero: [0; 8],
            };
            bind(&socket, &mut name)?;
        }
        SocketAddr::V6(v6) => {
            set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY)?;
            let mut name = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr {
                    s6_addr: v6.ip().octets(),
                },
                sin6_scope_id: v6.scope_id(),
            };
            bind(&socket, &mut name)?;
        }
    }
    Ok(socket)
}

fn bind<T>(socket: &OwnedFd, name: &mut T) -> io::Result<()> {
    let (name, octets) = ((name as *mut T).cast(), size_of::<T>() as libc::socklen_t);
    // SAFETY: `name` points to `octets` octets of a socket address that outlives the call.
    check(unsafe { libc::bind(socket.as_raw_fd(), name, octets) }).map(drop)
}

/// Begins to listen.
pub fn listen(socket: &OwnedFd) -> io::Result<()> {
    // SAFETY: listen(2) takes no pointers.
    check(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) }).map(drop)
}

fn set_option(socket: &OwnedFd, level: i32, name: i32) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the value is one int, and lives through the call.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    })
    .map(drop)
}

/// Ends both directions of a connection, or a listening socket's listening: whatever waits on it returns.
pub fn shutdown(fd: RawFd) {
    // SAFETY: shutdown(2) takes no pointers; a socket that is not connected answers with an error of no interest.
    unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
}

/// Sends what the kernel takes at once; what it does not take is lost.
pub fn send_now(fd: RawFd, octets: &[u8]) {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: `octets` lives through the call and is as long as we say.
    unsafe { libc::send(fd, octets.as_ptr().cast(), octets.len(), flags) };
}

/// Copies what has arrived without taking it, into the start of `buffer`; how many octets, 0 at the end or after an
/// error. `None`: nothing yet.
pub fn peek_now(fd: RawFd, buffer: &mut [u8]) -> Option<usize> {
    receive_now(fd, buffer, libc::MSG_PEEK)
}

/// Takes what has arrived, up to as many octets as `buffer` has. As [`peek_now`].
pub fn take_now(fd: RawFd, buffer: &mut [u8]) -> Option<usize> {
    receive_now(fd, buffer, 0)
}

fn receive_now(fd: RawFd, buffer: &mut [u8], flags: libc::c_int) -> Option<usize> {
    let flags = flags | libc::MSG_DONTWAIT;
    // SAFETY: `buffer` lives through the call, is ours to write, and is as long as we say.
    let got = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), flags) };
    match usize::try_from(got) {
        Ok(octets) => Some(octets),
        Err(_) => match io::Error::last_os_error().raw_os_error() {
            Some(libc::EAGAIN | libc::EINTR) => None,
            _ => Some(0),
        },
    }
}

/// Says that nothing more will be written.
pub fn shutdown_write(fd: RawFd) {
    // SAFETY: as above.
    unsafe { libc::shutdown(fd, libc::SHUT_WR) };
}

/// Our address; `None` on a socket that is not TCP.
pub fn local(fd: RawFd) -> Option<SocketAddr> {
    borrowed(fd).local_addr().ok()
}

/// Sends small writes at once: replies are written whole.
pub fn set_nodelay(fd: RawFd) {
    // A unix socket has no such option and needs none.
    let _ = borrowed(fd).set_nodelay(true);
}

/// The address that a bound socket has.
pub fn bound(socket: &OwnedFd) -> io::Result<SocketAddr> {
    borrowed(socket.as_raw_fd()).local_addr()
}

/// The descriptor as the standard library's type, not closed at the end.
fn borrowed(fd: RawFd) -> ManuallyDrop<TcpStream> {
    // SAFETY: the callers own `fd`, which stays open through the one call made on this; ManuallyDrop keeps it open
    // afterwards. The type says TCP; on another socket the calls made here return errors.
    ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(fd) })
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}
