//! A machine under test: real sockets on loopback, time moved by hand.

mod binding;
mod echo;
mod ending;
mod entering;
mod waiting;
mod waking;

use crate::machine::{Ended, Machine, Options};
use crate::shard::spawn;
use crate::{Bind, Connection, Listener, Shard, TlsServer};
use std::future::Future;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// Bound of everything a test waits for; it is not reached when all is well.
const PATIENCE: Duration = Duration::from_secs(20);

fn options(shards: u16) -> Options {
    Options {
        shards: Some(shards),
        pin: false,
        ..Options::default()
    }
}

/// Runs `what` as a task of a machine of one shard and hands out its result. A panic in it fails the test.
fn on_shard<T, F>(what: impl FnOnce(Rc<Shard>) -> F + Send + 'static) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + 'static,
{
    let machine = Machine::start(options(1), |_| {}).expect("a machine");
    let (done, result) = channel();
    run_on(&machine, 0, what, done);
    let result = result
        .recv_timeout(PATIENCE)
        .expect("the task came to its end");
    machine.join(PATIENCE);
    result
}

fn run_on<T, F>(
    machine: &Machine,
    shard: u16,
    what: impl FnOnce(Rc<Shard>) -> F + Send + 'static,
    done: Sender<T>,
) where
    T: Send + 'static,
    F: Future<Output = T> + 'static,
{
    let letter = move |shard: &Rc<Shard>| {
        let future = what(shard.clone());
        spawn(async move {
            let _ = done.send(future.await);
        });
    };
    machine.handle().post(shard, Box::new(letter));
}

/// A listener on `bind` whose connections run `handler` on every shard of a new machine.
fn serving<H, F>(shards: u16, bind: &Bind, handler: H) -> (Machine, Bind)
where
    H: Fn(Connection) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + 'static,
{
    let listener = Arc::new(Listener::bind(bind, usize::from(shards)).expect("bound"));
    let local = listener.local().clone();
    let machine = Machine::start(options(shards), move |shard| {
        listener.serve(&shard, handler.clone());
    });
    (machine.expect("a machine"), local)
}

fn loopback() -> Bind {
    Bind::Tcp(([127, 0, 0, 1], 0).into())
}

fn finished(machine: Machine) {
    assert_eq!(machine.join(PATIENCE), Ended::Finished);
}

/// Sends back whatever comes, until the end.
async fn echo(mut connection: Connection) {
    loop {
        match connection.fill().await {
            Ok(0) | Err(_) => break,
            Ok(_) => {
                let octets = connection.input().to_vec();
                connection.consume(octets.len());
                connection.output().extend_from_slice(&octets);
                if connection.flush().await.is_err() {
                    return;
                }
            }
        }
    }
    connection.close().await;
}

/// Reads exactly `octets` octets.
async fn take(connection: &mut Connection, octets: usize) -> Vec<u8> {
    let mut taken = Vec::new();
    while taken.len() < octets {
        if connection.input().is_empty() {
            assert_ne!(connection.fill().await.expect("octets"), 0, "an early end");
        }
        let count = connection.input().len().min(octets - taken.len());
        taken.extend_from_slice(&connection.input()[..count]);
        connection.consume(count);
    }
    taken
}

async fn say(connection: &mut Connection, octets: &[u8]) {
    connection.output().extend_from_slice(octets);
    connection.flush().await.expect("sent");
}

/// Writes a self-signed certificate and its key.
fn certificate(dir: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
    let (certificate, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    (certificate, key)
}

fn tls_server() -> TlsServer {
    let dir = tempfile::tempdir().expect("a directory");
    let (certificate, key) = self::certificate(dir.path());
    TlsServer::from_pem(&certificate, &key).expect("a good pair")
}

/// Numbers that look like chance, the same at each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}
