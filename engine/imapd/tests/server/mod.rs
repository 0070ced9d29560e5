//! A server with one account on a free port of loopback, over a real ring and a real LMDB in a scratch directory; and
//! a client that speaks lines.

// Each test program uses its own part of it.
#![allow(dead_code)]

use ringpost_admission::Admission;
use ringpost_api::store::Sink;
use ringpost_api::{Error, Outcome, ReplyTo, Store, Write};
use ringpost_delivery::{Envelope, Post, Recipient};
use ringpost_directory::secret;
use ringpost_imapd::{Context, Setup, TlsMode, serve};
use ringpost_lmdb::Lmdb;
use ringpost_login::Door;
use ringpost_runtime::{Bind, Connection, Listener, Machine, Options, Shard, spawn, time};
use ringpost_types::limit::Limits;
use ringpost_types::{AccountId, Address};
use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::Duration;

pub const USER: &str = "alice@example.test";
pub const PASSWORD: &str = "open sesame";

thread_local! {
    static POST: RefCell<Option<Rc<Post>>> = const { RefCell::new(None) };
}

pub struct Server {
    machine: Option<Machine>,
    pub store: Arc<Lmdb>,
    pub address: SocketAddr,
    pub account: AccountId,
    _dir: tempfile::TempDir,
}

impl Server {
    pub fn start() -> Server {
        Server::with(Limits::default(), TlsMode::Absent)
    }

    pub fn with(limits: Limits, tls_mode: TlsMode) -> Server {
        let dir = tempfile::tempdir().expect("a scratch directory");
        let store = Lmdb::open(dir.path(), ringpost_lmdb::Options::default()).expect("a store");
        let secret = secret::hash(PASSWORD.as_bytes()).expect("a hash");
        let name = USER.into();
        let account = match submit(
            &store,
            Write::AccountCreate {
                name,
                secret,
                scram: None,
            },
        ) {
            Ok(Outcome::Account(account)) => account,
            other => panic!("no account: {other:?}"),
        };
        let listener = Listener::bind(&Bind::Tcp(([127, 0, 0, 1], 0).into()), 1).expect("a port");
        let address = listener.local().tcp().expect("TCP");
        let listener = Arc::new(listener);
        let options = Options {
            shards: Some(1),
            pin: false,
            limits: limits.clone(),
            ..Options::default()
        };
        let (index, data) = (store.clone(), dir.path().to_owned());
        let (ready, opened) = mpsc::channel();
        let machine = Machine::start(options, move |shard| {
            let (index, data, ready) = (index.clone(), data.clone(), ready.clone());
            let (listener, limits) = (listener.clone(), Arc::new(limits.clone()));
            spawn(async move {
                let end = index.log_end(shard.id);
                let post = Post::open(&shard, index.clone(), &data, end, Default::default())
                    .await
                    .expect("a log");
                POST.with_borrow_mut(|held| *held = Some(post.clone()));
                index.subscribe(shard.hub.feed());
                let context = context(&shard, index, post, limits, tls_mode);
                let handler = move |connection: Connection| serve(connection, context.clone());
                listener.serve(&shard, handler);
                let _ = ready.send(());
            });
        })
        .expect("a machine");
        opened
            .recv_timeout(Duration::from_secs(10))
            .expect("the shard is ready");
        Server {
            machine: Some(machine),
            store,
            address,
            account,
            _dir: dir,
        }
    }

    /// Delivers a mail to INBOX as SMTP would; durable when it returns.
    pub fn deliver(&self, mail: &'static [u8]) {
        let (done, told) = mpsc::channel();
        let account = self.account;
        let machine = self.machine.as_ref().expect("it runs");
        machine.handle().post(
            0,
            Box::new(move |_: &Rc<Shard>| {
                spawn(async move {
                    let post = POST.with_borrow(Clone::clone).expect("the post is open");
                    let mut ingest = post.ingest(None, b"").expect("room");
                    ingest.body(mail).await.expect("room");
                    let recipients = [Recipient {
                        address: Address::parse(USER).expect("an address"),
                        account,
                    }];
                    let envelope = Envelope {
                        reverse_path: None,
                        recipients: &recipients,
                        queue: &[],
                        unix: time::now_unix(),
                    };
                    let arrived = ingest.finish().await.expect("arrived");
                    post.accept(envelope, arrived).await.expect("accepted");
                    let _ = done.send(());
                });
            }),
        );
        told.recv_timeout(Duration::from_secs(10))
            .expect("delivered");
    }

    /// The same, and the index shows it.
    pub fn deliver_to_index(&self, mail: &'static [u8]) {
        self.deliver(mail);
        while self.store.lag_octets() > 0 {
            std::thread::yield_now();
        }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// A client that has logged in.
    pub fn login(&self) -> Client {
        let mut client = self.connect();
        client.ok(&format!("LOGIN {USER} \"{PASSWORD}\""));
        client
    }

    pub fn drain(&self) {
        self.machine.as_ref().expect("it runs").drain();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(machine) = self.machine.take() {
            machine.join(Duration::from_secs(5));
        }
        self.store.close();
    }
}

fn context(
    shard: &Rc<Shard>,
    store: Arc<Lmdb>,
    post: Rc<Post>,
    limits: Arc<Limits>,
    tls_mode: TlsMode,
) -> Rc<Context> {
    let door = Door::new(ringpost_login::Setup {
        shard: shard.clone(),
        store: store.clone(),
        admission: Admission::open_door(),
        policy: Default::default(),
        entries_max: 100,
    });
    Context::new(Setup {
        shard: shard.clone(),
        store,
        door,
        post,
        limits,
        tls_mode,
        tls: None,
        open: Rc::new(Cell::new(0)),
    })
}

struct Answers(mpsc::Sender<Result<Outcome, Error>>);

impl Sink for Answers {
    fn complete(&self, answers: Vec<(u64, Result<Outcome, Error>)>) {
        for (_, answer) in answers {
            let _ = self.0.send(answer);
        }
    }
}

/// Submits a write and waits for its outcome.
pub fn submit(store: &Lmdb, write: Write) -> Result<Outcome, Error> {
    let (sender, receiver) = mpsc::channel();
    let reply = ReplyTo {
        sink: Arc::new(Answers(sender)),
        token: 0,
    };
    store.submit(write, Some(reply));
    receiver
        .recv_timeout(Duration::from_secs(10))
        .expect("an answer")
}

pub struct Client {
    stream: BufReader<TcpStream>,
    commands: u32,
    pub greeting: String,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        let mut client = Client {
            stream: BufReader::new(stream),
            commands: 0,
            greeting: String::new(),
        };
        client.greeting = client.line();
        client
    }

    pub fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream
            .get_mut()
            .write_all(octets.as_ref())
            .expect("the server reads");
    }

    /// One response, its literals in place, without the last CRLF; empty at the end of the connection.
    pub fn line(&mut self) -> String {
        let mut whole = Vec::new();
        loop {
            let start = whole.len();
            let read = self
                .stream
                .read_until(b'\n', &mut whole)
                .expect("the server answers");
            if read == 0 {
                break;
            }
            let line = String::from_utf8_lossy(&whole[start..]).into_owned();
            let literal = line
                .strip_suffix("}\r\n")
                .and_then(|line| line.rsplit_once('{'));
            match literal.and_then(|(_, octets)| octets.parse::<usize>().ok()) {
                None => break,
                Some(octets) => {
                    let at = whole.len();
                    whole.resize(at + octets, 0);
                    self.stream
                        .read_exact(&mut whole[at..])
                        .expect("a whole literal");
                }
            }
        }
        let text = String::from_utf8_lossy(&whole).into_owned();
        text.strip_suffix("\r\n").map(str::to_owned).unwrap_or(text)
    }

    /// Sends a command; its responses, the tagged one last, without its tag.
    pub fn command(&mut self, command: &str) -> Vec<String> {
        let tag = self.begin(command);
        self.until(&tag)
    }

    /// Sends a command and returns its tag.
    pub fn begin(&mut self, command: &str) -> String {
        self.commands += 1;
        let tag = format!("a{}", self.commands);
        self.send(format!("{tag} {command}\r\n"));
        tag
    }

    /// Responses up to the tagged one.
    pub fn until(&mut self, tag: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "the connection ended after {lines:?}");
            if let Some(rest) = line
                .strip_prefix(tag)
                .and_then(|rest| rest.strip_prefix(' '))
            {
                lines.push(rest.to_owned());
                return lines;
            }
            lines.push(line);
        }
    }

    /// A command that must be OK; its untagged responses.
    pub fn ok(&mut self, command: &str) -> Vec<String> {
        let mut lines = self.command(command);
        let last = lines.pop().unwrap_or_default();
        assert!(last.starts_with("OK"), "{command}: {lines:?} {last}");
        lines
    }

    /// A command that must fail with what begins like this.
    pub fn fails(&mut self, command: &str, with: &str) {
        let lines = self.command(command);
        let last = lines.last().expect("a tagged answer");
        assert!(last.starts_with(with), "{command}: {last}");
    }

    /// Appends a message; the tagged answer.
    pub fn append(&mut self, arguments: &str, message: &[u8]) -> String {
        let tag = self.begin(&format!("APPEND {arguments} {{{}}}", message.len()));
        let line = self.line();
        if !line.starts_with('+') {
            return line[tag.len() + 1..].to_owned();
        }
        self.send(message);
        self.send("\r\n");
        self.until(&tag).pop().expect("a tagged answer")
    }
}
