//! A peer's connection: octets in, octets out, in clear or in TLS, by TCP or unix socket.
//!
//! In:  [`Connection::input`] after [`Connection::fill`]; what was used is given back by [`Connection::consume`].
//! Out: what a session puts into [`Connection::output`] goes out by [`Connection::flush`].
//!
//! Waiting in [`Connection::fill`] or [`Connection::readable`] may be dropped and raced: nothing is lost. A
//! dropped [`Connection::flush`] leaves half a reply on the wire; the connection answers everything after it with
//! an error.
//!
//! An idle connection holds no buffer: not in `readable`, and in `fill` only for the first second or two. What
//! stays is the socket, this struct and its reader, and in TLS the session's keys.

use crate::listener::Bind;
use crate::pool::BUFFER_OCTETS;
use crate::reader::{Phase, Port, Reader, Want, reader};
use crate::session::Session;
use crate::socket::{self, Socket};
use crate::sweep::NEVER;
use crate::tls::{TlsClient, TlsInfo, TlsServer};
use crate::{Shard, shard, time};
use ringpost_admission::Guard;
use ringpost_admission::memory::Use;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem::take;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How large input may grow, until a session says otherwise.
const INPUT_OCTETS: usize = 64 * 1024;
/// How long a peer may take to accept a connection.
const CONNECT_MAX: Duration = Duration::from_secs(30);
/// How long a closed connection waits for the peer to take the last reply: closing at once, with octets of the
/// peer unread, would reset the connection and take the reply with it.
const LINGER_MAX: Duration = Duration::from_secs(2);
/// Octets read and thrown away meanwhile.
const LINGER_OCTETS: usize = 1 << 20;
/// What a connection costs without its buffers, measured with 5,000 idle ones: socket, task, reader and session.
const CONNECTION_OCTETS: u64 = 4 * 1024;
/// What TLS adds.
const TLS_OCTETS: u64 = 8 * 1024;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Address and port.
    Tcp(SocketAddr),
    /// A unix socket of this host.
    Unix,
}

impl Endpoint {
    /// The address, if it is TCP.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Endpoint::Tcp(address) => Some(address.ip()),
            Endpoint::Unix => None,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp(address) => address.fmt(f),
            Endpoint::Unix => f.write_str("unix"),
        }
    }
}

/// A connection. Closed when dropped, without goodbye; [`Connection::close`] says it.
pub struct Connection {
    shard: Rc<Shard>,
    socket: Socket,
    port: Rc<Port>,
    reader: Reader,
    peer: Endpoint,
    input: Vec<u8>,
    /// Where in `input` the octets not yet consumed begin.
    start: usize,
    output: Vec<u8>,
    tls: Option<Box<Session>>,
    input_max: usize,
    silence_max: Duration,
    /// The tick by which the peer must have done what it is waited for.
    deadline: u32,
    /// Octets by which its buffers are larger than the pool's.
    grown: usize,
    guard: Option<Guard>,
    /// A flush was dropped: what is on the wire is not whole.
    torn: bool,
}

impl Connection {
    pub(crate) fn new(
        socket: Socket,
        peer: Endpoint,
        guard: Option<Guard>,
        shard: &Rc<Shard>,
    ) -> Connection {
        let fd = socket.as_raw_fd();
        socket::set_nodelay(fd);
        let port = Port::new(fd, shard);
        shard.connections.set(shard.connections.get() + 1);
        shard.budget.add(Use::Connections, CONNECTION_OCTETS);
        Connection {
            reader: reader(socket.clone(), port.clone(), shard.clone()),
            shard: shard.clone(),
            socket,
            port,
            peer,
            input: Vec::new(),
            start: 0,
            output: Vec::new(),
            tls: None,
            input_max: INPUT_OCTETS,
            silence_max: Duration::from_millis(shard.limits.smtp_idle_ms),
            deadline: NEVER,
            grown: 0,
            guard,
            torn: false,
        }
    }

    /// Connects from this shard, bounded in time.
    pub async fn connect(to: &Bind) -> io::Result<Connection> {
        let shard = shard::current();
        let socket = async {
            match to {
                Bind::Tcp(address) => Socket::connect_tcp(*address).await,
                Bind::Unix(path) => Socket::connect_unix(path).await,
            }
        };
        let socket = time::timeout(CONNECT_MAX, socket)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let peer = to.tcp().map_or(Endpoint::Unix, Endpoint::Tcp);
        Ok(Self::new(socket, peer, None, &shard))
    }

    /// Octets that arrived and were not consumed.
    pub fn input(&self) -> &[u8] {
        &self.input[self.start..]
    }

    /// Gives the first `octets` of the input back.
    pub fn consume(&mut self, octets: usize) {
        self.start += octets;
        assert!(self.start <= self.input.len(), "consumed more than arrived");
        if self.start == self.input.len() {
            self.input.clear();
            self.start = 0;
        }
    }

    /// Bounds the input: at so many octets not consumed, [`Connection::fill`] fails with `QuotaExceeded` and the
    /// session decides. What one read brings may go over it.
    pub fn input_max(&mut self, octets: usize) {
        self.input_max = octets;
    }

    /// Bounds how long the peer may say nothing while it is waited for, sharp to about a second: counted from the
    /// first waiting since it last spoke, however often that is dropped and begun again. After it `fill` and
    /// `readable` fail with `TimedOut`; the connection can still be written to.
    pub fn silence_max(&mut self, duration: Duration) {
        self.silence_max = duration;
        self.port.silence_over();
    }

    /// Bounds all waiting from now on, in silence or not, sharp to about two seconds: octets that drip in end no silence, yet
    /// hold a connection. `None`: no bound. After it `fill` and `readable` fail with `TimedOut`.
    pub fn deadline(&mut self, duration: Option<Duration>) {
        let sweep = &self.shard.sweep;
        self.deadline = duration.map_or(NEVER, |duration| sweep.tick_after(duration));
        self.port.silence_over();
    }

    /// Whether the deadline has passed.
    pub fn is_late(&self) -> bool {
        self.deadline <= self.shard.sweep.tick()
    }

    /// Whether its session can be done without when memory is short. While it waits for long, `fill` and `readable` may
    /// then fail with `OutOfMemory`; the connection can still be written to.
    pub fn spare(&mut self, spare: bool) {
        self.port.spare.set(spare);
    }

    /// Waits for octets and puts them behind the input; tells how many came. 0: the peer ended properly. An end
    /// without close_notify in TLS is `UnexpectedEof`. May be dropped and raced.
    pub async fn fill(&mut self) -> io::Result<usize> {
        self.whole()?;
        if self.input().len() >= self.input_max {
            return Err(io::Error::from(io::ErrorKind::QuotaExceeded));
        }
        if self.is_late() {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        // The buffer that the session is done with is the one to read into.
        self.release_input();
        if self.tls.is_some() {
            let filled = self.fill_tls().await;
            self.weigh();
            return filled;
        }
        let octets = poll_fn(|context| self.poll_octets(context)).await?;
        let count = octets.len();
        if self.input.is_empty() {
            self.input = octets;
        } else {
            self.compact();
            self.input.extend_from_slice(&octets);
            self.shard.pool.give(octets);
            self.weigh();
        }
        Ok(count)
    }

    /// Waits until there is something to read, or the end; meanwhile the connection holds no buffer. In TLS it may
    /// turn out to be part of a record. May be dropped and raced.
    pub async fn readable(&mut self) -> io::Result<()> {
        self.whole()?;
        if !self.input().is_empty() || self.tls.as_ref().is_some_and(|tls| tls.ended()) {
            return Ok(());
        }
        if self.is_late() {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        poll_fn(|context| self.poll_readable(context)).await
    }

    /// What is to be sent; sessions put replies behind what is there.
    pub fn output(&mut self) -> &mut Vec<u8> {
        if self.output.capacity() == 0 {
            self.output = self.shard.pool.take();
        }
        &mut self.output
    }

    /// Sends the output. A peer that takes nothing for the bound `connection_stall_ms` is cut.
    pub async fn flush(&mut self) -> io::Result<()> {
        self.whole()?;
        if self.output.is_empty() {
            return Ok(());
        }
        self.weigh();
        if self.tls.is_some() {
            return self.flush_tls().await;
        }
        let output = take(&mut self.output);
        let output = self.send(output).await?;
        self.shard.pool.give(output);
        self.weigh();
        Ok(())
    }

    /// Sends what is queued (the reply to STARTTLS) and then begins TLS as the server. Octets that came in clear
    /// before are dropped: a man in the middle may have put commands there. RFC 3207 §6.
    pub async fn start_tls(&mut self, server: &TlsServer) -> io::Result<()> {
        self.discard();
        self.flush().await?;
        let session = Session::accept(server)?;
        // Kept apart: a handshake is rare and its future is large.
        Box::pin(self.handshake(session)).await
    }

    /// Begins TLS as the client, with a server called `name`.
    pub async fn start_tls_client(&mut self, client: &TlsClient, name: &str) -> io::Result<()> {
        self.discard();
        self.flush().await?;
        let session = Session::connect(client, name)?;
        Box::pin(self.handshake(session)).await
    }

    /// What was agreed on, if the connection is in TLS.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.tls.as_ref().and_then(|tls| tls.info())
    }

    /// The other end; behind a proxy the client for whom it connects.
    pub fn peer(&self) -> Endpoint {
        self.peer
    }

    /// Takes the guest over from the connection, which counts it until then: a session knows more of it. `None` where the
    /// listener asks nobody.
    pub fn take_guard(&mut self) -> Option<Guard> {
        self.guard.take()
    }

    /// Our end.
    pub fn local(&self) -> Endpoint {
        socket::local(self.port.fd()).map_or(Endpoint::Unix, Endpoint::Tcp)
    }

    /// The shard it lives on.
    pub fn shard(&self) -> &Rc<Shard> {
        &self.shard
    }

    /// Sends what is queued, says goodbye (close_notify in TLS), and gives the peer a moment to take it.
    pub async fn close(mut self) {
        if self.flush().await.is_ok() {
            Box::pin(self.goodbye()).await;
        }
    }

    /// Octets of the buffers it holds.
    #[cfg(test)]
    pub(crate) fn held_octets(&self) -> usize {
        let reading = self.port.phase.get() == Phase::Reading;
        let reading = usize::from(reading) * BUFFER_OCTETS;
        self.input.capacity() + self.output.capacity() + reading
    }

    fn whole(&self) -> io::Result<()> {
        match self.torn {
            true => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
            false => Ok(()),
        }
    }

    fn discard(&mut self) {
        drop(self.port.take());
        self.input.clear();
        self.start = 0;
    }

    /// Moves the input to the start of its buffer.
    fn compact(&mut self) {
        if self.start > 0 {
            self.input.drain(..self.start);
            self.start = 0;
        }
    }

    /// Octets of the wire, or an empty buffer at the end.
    fn poll_octets(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        if let Some(octets) = self.port.take() {
            self.port.silence_over();
            return Poll::Ready(octets);
        }
        self.port.want.set(Want::Octets);
        self.run_reader(context);
        if let Some(octets) = self.port.take() {
            self.port.silence_over();
            return Poll::Ready(octets);
        }
        self.still_waiting(context).map(Err)
    }

    fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.port.has_result() {
            return Poll::Ready(Ok(()));
        }
        if self.port.want.get() == Want::Nothing {
            self.port.want.set(Want::Ready);
        }
        self.run_reader(context);
        if self.port.want.get() == Want::Nothing {
            self.port.silence_over();
            return Poll::Ready(Ok(()));
        }
        self.still_waiting(context).map(Err)
    }

    fn run_reader(&mut self, context: &mut Context<'_>) {
        let reader = self.reader.as_mut().poll(context);
        debug_assert!(reader.is_pending(), "a reader does not end");
    }

    /// The peer has not spoken: gives the buffers back when parked, and minds the time.
    fn still_waiting(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if let Some(why) = self.port.take_expired() {
            return Poll::Ready(io::Error::from(why));
        }
        let sweep = &self.shard.sweep;
        let due = sweep.tick_after(self.silence_max).min(self.deadline);
        self.port.silence_from(sweep, due);
        if self.port.phase.get() == Phase::Parked {
            self.port.wait(context);
            self.release();
        }
        Poll::Pending
    }

    /// Tells the budget how far the buffers have outgrown the pool's.
    fn weigh(&mut self) {
        let over = |buffer: &Vec<u8>| buffer.capacity().saturating_sub(BUFFER_OCTETS);
        let grown = over(&self.input) + over(&self.output);
        if grown != self.grown {
            let budget = &self.shard.budget;
            budget.add(Use::Connections, grown as u64);
            budget.sub(Use::Connections, self.grown as u64);
            self.grown = grown;
        }
    }

    fn release_input(&mut self) {
        if self.input().is_empty() {
            self.start = 0;
            self.shard.pool.give(take(&mut self.input));
        }
    }

    /// Gives empty buffers back.
    fn release(&mut self) {
        self.release_input();
        if self.output.is_empty() {
            self.shard.pool.give(take(&mut self.output));
        }
    }

    /// Sends all of `octets` and gives the buffer back.
    async fn send(&mut self, mut octets: Vec<u8>) -> io::Result<Vec<u8>> {
        let stall_max = Duration::from_millis(self.shard.limits.connection_stall_ms);
        let mut sent = 0;
        // Until all is sent: who drops this future finds the connection torn.
        self.torn = true;
        while sent < octets.len() {
            let sweep = &self.shard.sweep;
            self.port.write_until(sweep, sweep.tick_after(stall_max));
            let (result, buffer) = self.socket.write(octets, sent).await;
            self.port.write_until(sweep, NEVER);
            octets = buffer;
            match result {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                Ok(count) => sent += count,
                Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN)) => {}
                Err(error) => return Err(error),
            }
        }
        self.torn = false;
        Ok(octets)
    }

    async fn fill_tls(&mut self) -> io::Result<usize> {
        loop {
            if self.tls.as_ref().is_some_and(|tls| tls.ended()) {
                return Ok(0);
            }
            let wire = poll_fn(|context| self.poll_octets(context)).await?;
            let opened = self.open(wire);
            // A key update is answered, and what cannot be opened gets its alert. RFC 8446 §4.6.3, §6.2.
            if self.tls.as_ref().is_some_and(|tls| tls.wants_write()) {
                Box::pin(self.send_sealed()).await?;
            }
            match opened? {
                0 => {}
                count => return Ok(count),
            }
        }
    }

    /// Opens octets of the wire into the input; tells how many plain ones came.
    fn open(&mut self, wire: Vec<u8>) -> io::Result<usize> {
        if wire.is_empty() {
            self.shard.pool.give(wire);
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        self.compact();
        if self.input.capacity() == 0 {
            self.input = self.shard.pool.take();
        }
        let before = self.input.len();
        let tls = self.tls.as_mut().expect("called in TLS only");
        let opened = tls.open(&wire, &mut self.input);
        self.shard.pool.give(wire);
        opened.map(|()| self.input.len() - before)
    }

    async fn flush_tls(&mut self) -> io::Result<()> {
        let output = take(&mut self.output);
        let mut sealed = 0;
        while sealed < output.len() {
            let tls = self.tls.as_mut().expect("called in TLS only");
            sealed += tls.seal(&output[sealed..])?;
            self.send_sealed().await?;
        }
        self.shard.pool.give(output);
        self.weigh();
        Ok(())
    }

    async fn send_sealed(&mut self) -> io::Result<()> {
        let mut wire = self.shard.pool.take();
        let tls = self.tls.as_mut().expect("called in TLS only");
        tls.pull(&mut wire)?;
        let wire = self.send(wire).await?;
        self.shard.pool.give(wire);
        Ok(())
    }

    async fn handshake(&mut self, session: Session) -> io::Result<()> {
        let silence_max = self.silence_max;
        let handshake_max = Duration::from_millis(self.shard.limits.tls_handshake_ms);
        self.silence_max(handshake_max);
        self.shard.budget.add(Use::Connections, TLS_OCTETS);
        self.tls = Some(Box::new(session));
        let result = self.shake_hands(Instant::now() + handshake_max).await;
        self.silence_max(silence_max);
        if result.is_err() {
            // The alert tells the peer why. RFC 8446 §6.2.
            let _ = self.send_sealed().await;
        }
        result
    }

    /// The silence is bounded by the sweep; here the whole, for a peer that sends octet by octet is never silent.
    async fn shake_hands(&mut self, until: Instant) -> io::Result<()> {
        loop {
            self.send_sealed().await?;
            if !self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
                return Ok(());
            }
            let wire = poll_fn(|context| self.poll_octets(context)).await?;
            if Instant::now() > until {
                return Err(io::Error::from(io::ErrorKind::TimedOut));
            }
            self.open(wire)?;
        }
    }

    async fn goodbye(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.end();
            if self.send_sealed().await.is_err() {
                return;
            }
        }
        socket::shutdown_write(self.port.fd());
        self.silence_max(LINGER_MAX);
        let mut thrown = 0;
        while thrown < LINGER_OCTETS {
            match poll_fn(|context| self.poll_octets(context)).await {
                Ok(octets) if !octets.is_empty() => {
                    thrown += octets.len();
                    self.shard.pool.give(octets);
                }
                _ => return,
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.port.leave(&self.shard.sweep);
        self.shard.pool.give(take(&mut self.input));
        self.shard.pool.give(take(&mut self.output));
        self.weigh();
        let tls = self.tls.as_ref().map_or(0, |_| TLS_OCTETS);
        let budget = &self.shard.budget;
        budget.sub(Use::Connections, CONNECTION_OCTETS + tls);
        self.shard.connections.set(self.shard.connections.get() - 1);
    }
}
