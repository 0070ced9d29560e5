//! All slow sessions, on one thread without a ring: a turn of each every so often, spread evenly over that time.
//!
//! In:  how many, in which ways, from how many addresses, how often a turn.
//! Out: [`Held`], when they are told to leave.
//!
//! A turn is one read that takes what is there and one write of some octets, neither of which waits: 10,000 sessions
//! with a turn in 5 s are 4,000 system calls in a second. Whoever finds its connection closed comes again at once.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use serde::Serialize;

use super::way::{Envelope, Way, Words};
use crate::target::Target;

/// The least time worth sleeping.
const NAP: Duration = Duration::from_millis(2);
/// How often whoever waits for the crowd looks.
const LOOK: Duration = Duration::from_millis(20);

/// What the crowd is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    pub smtp: Target,
    /// For [`Way::Imap`].
    pub imap: Option<Target>,
    /// Taken in turn.
    pub ways: Vec<Way>,
    pub sessions: u64,
    pub every: Duration,
    /// Addresses that they come from; 0: the system chooses.
    pub spread: u16,
    /// Whether they say by a PROXY header that they come from elsewhere: this machine's own addresses are often exempt.
    pub with_proxy: bool,
    pub envelope: Envelope,
}

/// How the crowd did.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Held {
    /// Open at the end.
    pub open: u64,
    /// Connections in all.
    pub opened: u64,
    /// Closed by the server with its first words: not let in.
    pub refused: u64,
    /// Closed by the server later.
    pub cut: u64,
}

/// A crowd that trickles.
pub struct Crowd {
    turns: Arc<AtomicU64>,
    leaving: Arc<AtomicBool>,
    thread: JoinHandle<Held>,
}

impl Crowd {
    /// Begins; the first turn of each is its connect.
    pub fn start(plan: Plan) -> io::Result<Crowd> {
        let (turns, leaving) = <(Arc<AtomicU64>, Arc<AtomicBool>)>::default();
        let (said, ends) = (turns.clone(), leaving.clone());
        let work = move || Sessions::new(plan).run(&said, &ends);
        let thread = thread::Builder::new().name("crowd".into()).spawn(work)?;
        Ok(Crowd {
            turns,
            leaving,
            thread,
        })
    }

    /// Waits until each has had so many turns.
    pub fn settle(&self, turns: u64, until: Instant) {
        while self.turns.load(Relaxed) < turns
            && Instant::now() < until
            && !self.thread.is_finished()
        {
            thread::sleep(LOOK);
        }
    }

    /// Counts those that are still there, and closes them.
    pub fn leave(self) -> Held {
        self.leaving.store(true, Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

/// One slow session.
#[derive(Default)]
struct Session {
    socket: Option<TcpStream>,
    turn: u64,
    /// Whether a word of the server was read, and whether it was a refusal.
    greeted: Option<bool>,
}

struct Sessions {
    plan: Plan,
    all: Vec<Session>,
    held: Held,
}

impl Sessions {
    fn new(plan: Plan) -> Sessions {
        let all = (0..plan.sessions).map(|_| Session::default()).collect();
        Sessions {
            plan,
            all,
            held: Held::default(),
        }
    }

    fn run(mut self, turns: &AtomicU64, leaving: &AtomicBool) -> Held {
        let count = self.all.len() as u32;
        let mut start = Instant::now();
        'crowd: loop {
            for at in 0..count {
                let due = start + self.plan.every.mul_f64(f64::from(at) / f64::from(count));
                loop {
                    if leaving.load(Relaxed) {
                        break 'crowd;
                    }
                    match due.saturating_duration_since(Instant::now()) {
                        ahead if ahead >= NAP => thread::sleep(ahead.min(LOOK)),
                        _ => break,
                    }
                }
                self.turn(at as usize);
            }
            turns.fetch_add(1, Relaxed);
            // Whoever is late does not hurry: that would be another attack.
            start = (start + self.plan.every).max(Instant::now() - self.plan.every);
        }
        for at in 0..self.all.len() {
            if self.is_open(at) {
                self.held.open += 1;
            }
        }
        self.held
    }

    fn turn(&mut self, at: usize) {
        if !self.is_open(at) {
            let opened = self.open(at);
            self.held.opened += u64::from(opened.is_some());
            self.all[at] = Session {
                socket: opened,
                ..Session::default()
            };
            return;
        }
        let way = self.plan.ways[at % self.plan.ways.len()];
        let header = self.plan.with_proxy.then(|| header(self.guise(at)));
        let session = &mut self.all[at];
        let Some(mut socket) = session.socket.as_ref() else {
            return;
        };
        // The header is the turn before the first.
        let turn = session.turn.checked_sub(u64::from(header.is_some()));
        let wrote = match (turn, header) {
            (None, Some(header)) => socket.write(header.as_bytes()),
            (turn, _) => match way.words(turn.unwrap_or(0), &self.plan.envelope) {
                Words::Line(line) => socket.write(line.as_bytes()),
                Words::Named(verb, name) => socket.write(format!("{verb}:<{name}>\r\n").as_bytes()),
                Words::Octet(octet) => socket.write(&[octet]),
            },
        };
        // What did not go now goes in the next turn; a broken connection shows there, too.
        session.turn += u64::from(wrote.is_ok());
    }

    /// Takes what the server said; whether the connection is open. A closed one is counted once.
    fn is_open(&mut self, at: usize) -> bool {
        let session = &mut self.all[at];
        let Some(mut socket) = session.socket.as_ref() else {
            return false;
        };
        let mut words = [0; 1_024];
        loop {
            match socket.read(&mut words) {
                Ok(0) => break,
                Ok(octets) => {
                    let refusal = words[..octets].starts_with(b"4")
                        || words[..octets].starts_with(b"5")
                        || words[..octets].starts_with(b"* BYE");
                    session.greeted.get_or_insert(refusal);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        match session.greeted {
            Some(true) => self.held.refused += 1,
            _ => self.held.cut += 1,
        }
        session.socket = None;
        false
    }

    /// Begins to connect; the kernel goes on by itself.
    fn open(&self, at: usize) -> Option<TcpStream> {
        let way = self.plan.ways[at % self.plan.ways.len()];
        let target = match way {
            Way::Imap => self.plan.imap.as_ref()?,
            _ => &self.plan.smtp,
        };
        let Target::Tcp(target) = target else {
            return None;
        };
        let family = match target {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket: OwnedFd = socket_with(family, SocketType::STREAM, flags, None).ok()?;
        if let Some(source) = self.source(at)
            && target.is_ipv4()
        {
            bind(&socket, &SocketAddr::new(source, 0)).ok()?;
        }
        match connect(&socket, target) {
            Ok(()) | Err(Errno::INPROGRESS) => Some(TcpStream::from(socket)),
            Err(_) => None,
        }
    }

    /// An address of this machine, 127.0.1.1 and on: as many ports again, and none of the good sessions' own.
    fn source(&self, at: usize) -> Option<IpAddr> {
        let number = (at as u64).checked_rem(u64::from(self.plan.spread))?;
        let [high, low] = [1 + number / 250, 1 + number % 250].map(|octet| octet as u8);
        Some(Ipv4Addr::new(127, 0, high, low).into())
    }

    /// Whom a PROXY header speaks for: four addresses in each /24 of 198.18.0.0/15. RFC 2544 appendix C.2.2.
    fn guise(&self, at: usize) -> Ipv4Addr {
        let number = at as u64 % u64::from(self.plan.spread.max(1));
        let (network, host) = (number / 4, number % 4);
        let octets = [18 + (network / 256) % 2, network % 256, 1 + host];
        let [second, third, fourth] = octets.map(|octet| octet as u8);
        Ipv4Addr::new(198, second, third, fourth)
    }
}

/// A PROXY header, version 1.
fn header(client: Ipv4Addr) -> String {
    format!("PROXY TCP4 {client} 127.0.0.1 40000 25\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(spread: u16) -> Sessions {
        Sessions::new(Plan {
            smtp: "127.0.0.1:25".parse().expect("a target"),
            imap: None,
            ways: vec![Way::Command],
            sessions: 10,
            every: Duration::ZERO,
            spread,
            with_proxy: true,
            envelope: Envelope {
                reverse_path: String::new(),
                recipient: String::new(),
            },
        })
    }

    #[test]
    fn addresses_are_taken_in_turn() {
        let ip = |text: &str| Some(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(sessions(0).source(7), None);
        for (at, source, guise) in [
            (0, "127.0.1.1", "198.18.0.1"),
            (249, "127.0.1.250", "198.18.62.2"),
            (250, "127.0.2.1", "198.18.62.3"),
            (1_023, "127.0.5.24", "198.18.255.4"),
            (1_024, "127.0.5.25", "198.19.0.1"),
            (2_000, "127.0.1.1", "198.18.0.1"),
        ] {
            let crowd = sessions(2_000);
            assert_eq!(crowd.source(at), ip(source), "{at}");
            assert_eq!(Some(crowd.guise(at).into()), ip(guise), "{at}");
        }
    }

    #[test]
    fn a_header_for_whom_it_speaks() {
        assert_eq!(
            header(Ipv4Addr::new(198, 18, 0, 1)),
            "PROXY TCP4 198.18.0.1 127.0.0.1 40000 25\r\n"
        );
    }
}
