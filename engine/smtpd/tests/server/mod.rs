#![allow(dead_code)]
//! A whole server for tests: one shard, LMDB in a scratch directory, all roles on loopback; and a plain client.

use ringpost_admission::{Admission, Budget};
use ringpost_api::item::Item;
use ringpost_api::store::{Changed, Feed};
use ringpost_api::table::{BlobRow, MessageRow};
use ringpost_api::write::AliasTarget;
use ringpost_api::{Outcome, Snapshot, Store, Write, read};
use ringpost_delivery::Post;
use ringpost_directory::{Directory, Domains, LocalDomain, Rule, Rules, secret};
use ringpost_lmdb::Lmdb;
use ringpost_log::file::{Blocking, now};
use ringpost_login::Door;
use ringpost_runtime::{Bind, Entrance, Listener, Machine, Options, TlsServer, spawn};
use ringpost_smtpd::{Context, Policy, Role, Setup, TlsMode, send_away, serve};
use ringpost_types::limit::Limits;
use ringpost_types::{AccountId, Cidr, Domain, ItemId, MailboxId, Uid};
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Server {
    machine: Option<Machine>,
    store: Arc<Lmdb>,
    commits: Arc<Commits>,
    pub mx: SocketAddr,
    /// STARTTLS required.
    pub submission: SocketAddr,
    /// TLS from the start.
    pub submissions: SocketAddr,
    pub lmtp: PathBuf,
    pub alice: AccountId,
    pub bob: AccountId,
    data: tempfile::TempDir,
}

/// Wakes whoever waits for the index.
#[derive(Default)]
struct Commits {
    count: Mutex<u64>,
    more: Condvar,
}

impl Feed for Commits {
    fn changed(&self, _: &[Changed]) {
        *self.count.lock().expect("no panic") += 1;
        self.more.notify_all();
    }
}

/// One message as the store has it.
pub struct Stored {
    pub row: MessageRow,
    pub blob: BlobRow,
    pub prefix: String,
    pub octets: Vec<u8>,
}

/// What a server is made of beside the usual.
#[derive(Default)]
pub struct Wanted {
    pub limits: Limits,
    /// For all listeners.
    pub policy: Policy,
    /// There is an outbound queue.
    pub queue: bool,
    pub rules: Vec<Rule>,
    /// Who is counted and bounded, of those that are not on loopback: nobody, unless this is so.
    pub counted: bool,
    /// A proxy in front of every listener.
    pub proxied: bool,
    /// Memory; without a bound where nothing is said.
    pub budget: Option<Arc<Budget>>,
}

impl Server {
    /// alice and bob at example.org, alias both@ for the two; the password of both is `secret`.
    pub fn start(limits: Limits) -> Server {
        Server::with(limits, Policy::default())
    }

    /// The same with a policy for all listeners.
    pub fn with(limits: Limits, policy: Policy) -> Server {
        Server::of(Wanted {
            limits,
            policy,
            ..Wanted::default()
        })
    }

    /// The same with rules, a queue, bounds. `far@` leads to another host, `mixed@` to alice and another host.
    pub fn of(wanted: Wanted) -> Server {
        let Wanted {
            limits,
            policy,
            queue,
            rules,
            counted,
            proxied,
            budget,
        } = wanted;
        let data = tempfile::tempdir().expect("a directory");
        let store = Lmdb::open(data.path(), ringpost_lmdb::Options::default()).expect("a store");
        let commits = Arc::new(Commits::default());
        let feed: Arc<dyn Feed> = commits.clone();
        store.subscribe(Arc::downgrade(&feed));
        let tls = Arc::new(certificate(&data));
        let any: Bind = "127.0.0.1:0".parse().expect("an address");
        let lmtp = data.path().join("lmtp");
        let roles = [
            (Role::Mx, TlsMode::Offered, any.clone()),
            (Role::Submission, TlsMode::Required, any.clone()),
            (Role::Submission, TlsMode::Implicit, any),
            (Role::Lmtp, TlsMode::Absent, Bind::Unix(lmtp.clone())),
        ];
        let listeners: Vec<_> = roles
            .into_iter()
            .map(|(role, mode, bind)| (role, mode, Listener::bind(&bind, 1).expect("a port")))
            .collect();
        let port = |at: usize| {
            listeners[at]
                .2
                .local()
                .tcp()
                .unwrap_or_else(|| ([0; 4], 0).into())
        };
        let (mx, submission, submissions) = (port(0), port(1), port(2));
        let mut domain = LocalDomain::new(Domain::parse("example.org").expect("a domain"));
        domain.traps = vec!["trap@example.org".parse().expect("an address")];
        let domains = Domains::new(vec![domain]);
        let directory = Directory::new(Rules::new(domains, rules, Vec::new()));
        let (directory, path) = (Arc::new(directory), data.path().to_owned());
        let admission = match counted {
            true => {
                let policy = ringpost_admission::Policy::new(&limits, Vec::new());
                Admission::new(policy, 1_024, Budget::unbounded(), [1, 2])
            }
            false => Admission::open_door(),
        };
        let proxies: Vec<Cidr> = match proxied {
            true => vec!["127.0.0.1".parse().expect("a network")],
            false => Vec::new(),
        };
        let options = Options {
            shards: Some(1),
            pin: false,
            limits,
            budget: budget.unwrap_or_else(Budget::unbounded),
        };
        let (shard_store, listeners) = (store.clone(), Arc::new(listeners));
        let (ready, is_ready) = mpsc::channel();
        let machine = Machine::start(options, move |shard| {
            let (store, path, listeners) = (shard_store.clone(), path.clone(), listeners.clone());
            let (directory, tls, ready) = (directory.clone(), tls.clone(), ready.clone());
            let (policy, admission, proxies) = (policy.clone(), admission.clone(), proxies.clone());
            spawn(async move {
                let end = store.log_end(shard.id);
                let post = Post::open(&shard, store.clone(), &path, end, Default::default())
                    .await
                    .expect("a log");
                let open = Rc::default();
                let door = Door::new(ringpost_login::Setup {
                    shard: shard.clone(),
                    store: store.clone(),
                    admission: admission.clone(),
                    policy: Arc::default(),
                    entries_max: 100,
                });
                for (role, tls_mode, listener) in listeners.iter() {
                    let context = Context::new(Setup {
                        shard: shard.clone(),
                        store: store.clone(),
                        directory: directory.clone(),
                        door: door.clone(),
                        post: post.clone(),
                        limits: shard.limits.clone(),
                        hostname: "mx.example.org".into(),
                        role: *role,
                        tls_mode: *tls_mode,
                        tls: Some(tls.clone()),
                        open: Rc::clone(&open),
                        queue,
                        policy: policy.clone(),
                    });
                    let entrance = Entrance::new(admission.clone(), &proxies, send_away);
                    listener.serve_through(&shard, Some(entrance), move |connection| {
                        serve(connection, context.clone())
                    });
                }
                let _ = ready.send(());
            });
        });
        let machine = machine.expect("a machine");
        is_ready.recv_timeout(PATIENCE).expect("the shard serves");
        let password = secret::hash(b"secret").expect("a hash");
        let account = |name: &str| match write(
            &*store,
            Write::AccountCreate {
                name: name.into(),
                secret: password.clone(),
                scram: None,
            },
        ) {
            Outcome::Account(id) => id,
            other => panic!("{other:?}"),
        };
        let (alice, bob) = (account("alice@example.org"), account("bob@example.org"));
        let remote = || AliasTarget::Address("x@elsewhere.example".into());
        for (name, targets) in [
            (
                "both",
                vec![AliasTarget::Account(alice), AliasTarget::Account(bob)],
            ),
            ("far", vec![remote()]),
            ("mixed", vec![AliasTarget::Account(alice), remote()]),
        ] {
            let address = format!("{name}@example.org");
            write(&*store, Write::AliasPut { address, targets });
        }
        let machine = Some(machine);
        Server {
            machine,
            store,
            commits,
            mx,
            submission,
            submissions,
            lmtp,
            alice,
            bob,
            data,
        }
    }

    /// The messages of an account's INBOX, once there are `count`.
    pub fn inbox(&self, account: AccountId, count: usize) -> Vec<Stored> {
        let mut guard = self.commits.count.lock().expect("no panic");
        while self.uids(account).len() < count {
            let (next, late) = self
                .commits
                .more
                .wait_timeout(guard, PATIENCE)
                .expect("no panic");
            guard = next;
            assert!(!late.timed_out(), "{count} messages did not come");
        }
        drop(guard);
        let uids = self.uids(account);
        assert_eq!(uids.len(), count);
        uids.into_iter()
            .map(|uid| self.stored(account, uid))
            .collect()
    }

    /// What `look` finds in the store, once it is there.
    pub fn found<T>(&self, look: impl Fn(&dyn Snapshot) -> Option<T>) -> T {
        let mut guard = self.commits.count.lock().expect("no panic");
        loop {
            let snapshot = self.store.snapshot().expect("a snapshot");
            if let Some(found) = look(&*snapshot) {
                return found;
            }
            drop(snapshot);
            // Not every write is in the change feed.
            let pace = Duration::from_millis(20);
            guard = self
                .commits
                .more
                .wait_timeout(guard, pace)
                .expect("no panic")
                .0;
        }
    }

    /// Items of the queue, once there are `count`.
    pub fn queue(&self, count: usize) -> Vec<Item> {
        self.found(|snapshot| {
            let mut items = Vec::new();
            read::items(snapshot, ItemId(1), |_, row| {
                items.push(row.to_item());
                ControlFlow::Continue(())
            })
            .expect("items");
            (items.len() >= count).then_some(items)
        })
    }

    fn uids(&self, account: AccountId) -> Vec<Uid> {
        let snapshot = self.store.snapshot().expect("a snapshot");
        let mut uids = Vec::new();
        read::messages(&*snapshot, account, MailboxId::INBOX, Uid(1), |uid, _| {
            uids.push(uid);
            ControlFlow::Continue(())
        })
        .expect("messages");
        uids
    }

    fn stored(&self, account: AccountId, uid: Uid) -> Stored {
        let snapshot = self.store.snapshot().expect("a snapshot");
        let row = read::message(&*snapshot, account, MailboxId::INBOX, uid);
        let row = row.expect("readable").expect("there");
        let blob = read::blob(&*snapshot, row.blob)
            .expect("readable")
            .expect("there");
        let prefix = read::prefix(&*snapshot, account, MailboxId::INBOX, uid).expect("readable");
        let reader = ringpost_log::Reader::new(Blocking, self.data.path());
        Stored {
            row,
            blob,
            prefix: String::from_utf8(prefix.to_vec()).expect("text"),
            octets: now(reader.whole(&blob)).expect("whole"),
        }
    }

    /// What an account may have, in octets.
    pub fn quota(&self, account: AccountId, octets: u64) {
        let write = Write::Quota {
            account,
            octets,
            messages: 0,
        };
        self::write(&*self.store, write);
    }

    /// Tells the shard that the server leaves.
    pub fn drain(&self) {
        self.machine.as_ref().expect("running").drain();
    }

    /// Ends the machine and the store.
    pub fn stop(mut self) -> ringpost_runtime::machine::Ended {
        let ended = self.machine.take().expect("running").join(PATIENCE);
        self.store.close();
        ended
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(machine) = self.machine.take() {
            machine.join(Duration::ZERO);
        }
        self.store.close();
    }
}

/// Waits for a write's outcome.
fn write(store: &dyn Store, write: Write) -> Outcome {
    struct Sink(Mutex<mpsc::Sender<Result<Outcome, ringpost_api::Error>>>);
    impl ringpost_api::Sink for Sink {
        fn complete(&self, answers: Vec<(u64, Result<Outcome, ringpost_api::Error>)>) {
            for (_, answer) in answers {
                let _ = self.0.lock().expect("no panic").send(answer);
            }
        }
    }
    let (sender, answers) = mpsc::channel();
    let sink = Arc::new(Sink(Mutex::new(sender)));
    store.submit(write, Some(ringpost_api::ReplyTo { sink, token: 0 }));
    answers
        .recv_timeout(PATIENCE)
        .expect("an answer")
        .expect("done")
}

fn certificate(data: &tempfile::TempDir) -> TlsServer {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
    let (certificate, key) = (data.path().join("cert.pem"), data.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    TlsServer::from_pem(&certificate, &key).expect("a certificate")
}

/// A byte stream with a timeout.
pub trait Stream: Read + std::io::Write {}
impl<S: Read + std::io::Write> Stream for S {}

/// A client that sends what it is told and shows what comes back.
pub struct Client {
    stream: BufReader<Box<dyn Stream>>,
}

impl Client {
    /// Connects and takes the greeting.
    pub fn connect(to: SocketAddr) -> Client {
        let mut client = Client::of(tcp(to));
        assert_eq!(client.reply(), "220 mx.example.org ESMTP Ringpost\r\n");
        client
    }

    /// Connects by a proxy that says whom it speaks for.
    pub fn proxied(to: SocketAddr, ip: &str) -> Client {
        let mut client = Client::of(tcp(to));
        client.send(format!("PROXY TCP4 {ip} 127.0.0.1 1025 25\r\n"));
        client
    }

    /// Connects to LMTP.
    pub fn lmtp(server: &Server) -> Client {
        let stream = UnixStream::connect(&server.lmtp).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut client = Client::of(stream);
        assert_eq!(client.reply(), "220 mx.example.org LMTP Ringpost\r\n");
        client
    }

    /// Connects with TLS from the start.
    pub fn tls(to: SocketAddr) -> Client {
        let mut client = Client::of(shake_hands(tcp(to)));
        assert_eq!(client.reply(), "220 mx.example.org ESMTP Ringpost\r\n");
        client
    }

    /// Connects, says EHLO and STARTTLS with `behind` in the same write, and goes on in TLS.
    pub fn starttls(to: SocketAddr, behind: &str) -> Client {
        let mut stream = tcp(to);
        let mut lines = BufReader::new(stream.try_clone().expect("a clone"));
        assert!(reply(&mut lines).starts_with("220 "));
        stream.write_all(b"EHLO c\r\n").expect("sent");
        assert!(reply(&mut lines).contains("STARTTLS"));
        stream
            .write_all(format!("STARTTLS\r\n{behind}").as_bytes())
            .expect("sent");
        assert!(reply(&mut lines).starts_with("220 2.0.0"));
        Client::of(shake_hands(stream))
    }

    fn of(stream: impl Stream + 'static) -> Client {
        Client {
            stream: BufReader::new(Box::new(stream)),
        }
    }

    /// Sends octets as they are.
    pub fn send(&mut self, octets: impl AsRef<[u8]>) {
        let stream = self.stream.get_mut();
        stream.write_all(octets.as_ref()).expect("sent");
        stream.flush().expect("sent");
    }

    /// The next reply, all its lines.
    pub fn reply(&mut self) -> String {
        reply(&mut self.stream)
    }

    /// Sends a line, takes a reply.
    pub fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n"));
        self.reply()
    }

    /// Says each line and checks how its reply begins.
    pub fn talk(&mut self, lines: &[(&str, &str)]) {
        for (line, expected) in lines {
            let got = self.say(line);
            assert!(got.starts_with(expected), "{line:?}: {got:?}");
        }
    }

    /// Whether the server has closed.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.stream.fill_buf(), Ok([]))
    }
}

fn reply(lines: &mut impl BufRead) -> String {
    let mut reply = String::new();
    loop {
        let before = reply.len();
        lines.read_line(&mut reply).expect("a reply line");
        if reply.as_bytes().get(before + 3) != Some(&b'-') {
            return reply;
        }
    }
}

fn tcp(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_nodelay(true).expect("an option");
    stream
}

fn shake_hands(stream: TcpStream) -> impl Stream {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
        .with_no_client_auth();
    let name = "localhost".try_into().expect("a name");
    let session = rustls::ClientConnection::new(Arc::new(config), name).expect("a session");
    rustls::StreamOwned::new(session, stream)
}

/// The certificate is not what is tested here.
#[derive(Debug)]
struct AcceptAny(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
