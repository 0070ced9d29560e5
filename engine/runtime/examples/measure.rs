//! What the machine itself costs: processor time of a mail-shaped dialogue, memory of idle connections.
//!
//! ```text
//! measure serve [tls]                     one shard; prints its address; each line on standard input has it print
//!                                         processor time, connections and memory since the last one
//! measure mails ADDRESS CONNECTIONS MAILS [tls]    5 short round trips, a body of 16 KiB, a reply; over and over
//! measure idle ADDRESS CONNECTIONS SECONDS [tls]   one round trip each, then silence
//! ```
//! Run server and client with `taskset` on CPUs of their own; `strace -c -f -p` counts the server's system calls.

use ringpost_runtime::{
    Bind, Connection, Listener, Machine, Options, TlsClient, TlsServer, spawn, time,
};
use std::cell::Cell;
use std::io::{self, BufRead};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

/// mimalloc is what the server runs on.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BODY_OCTETS: usize = 16 * 1024;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", ref rest @ ..] => serve(rest == ["tls"]),
        ["mails", address, connections, mails, ref rest @ ..] => {
            let (connections, mails) = (number(connections), number(mails));
            clients(
                address,
                connections,
                rest == ["tls"],
                Plan::Mails(mails / connections),
            );
        }
        ["idle", address, connections, seconds, ref rest @ ..] => {
            let seconds = Duration::from_secs(number(seconds) as u64);
            clients(
                address,
                number(connections),
                rest == ["tls"],
                Plan::Idle(seconds),
            );
        }
        _ => eprintln!("see the head of examples/measure.rs"),
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

fn options() -> Options {
    Options {
        shards: Some(1),
        ..Options::default()
    }
}

fn serve(tls: bool) {
    let bind = Bind::Tcp(([127, 0, 0, 1], 0).into());
    let listener = Arc::new(Listener::bind(&bind, 1).expect("bound"));
    println!("{}", listener.local());
    let server = tls.then(|| Arc::new(tls_server()));
    let machine = Machine::start(options(), move |shard| {
        let server = server.clone();
        listener.serve(&shard, move |connection| {
            session(connection, server.clone())
        });
    })
    .expect("a machine");
    let mut before = (cpu(), memory_kib());
    for _ in io::stdin().lock().lines() {
        let (told, count) = channel();
        let count_open = move |shard: &Rc<ringpost_runtime::Shard>| {
            let _ = told.send(shard.connections());
        };
        machine.handle().post(0, Box::new(count_open));
        let open = count.recv().expect("a shard");
        let now = (cpu(), memory_kib());
        println!(
            "cpu {} us, {open} connections, {} KiB (+{})",
            (now.0 - before.0).as_micros(),
            now.1,
            now.1.saturating_sub(before.1)
        );
        before.0 = now.0;
    }
    machine.join(Duration::ZERO);
}

/// Lines are answered one by one; the sixth is followed by the body.
async fn session(mut connection: Connection, tls: Option<Arc<TlsServer>>) {
    if let Some(tls) = tls
        && connection.start_tls(&tls).await.is_err()
    {
        return;
    }
    let mut body = 0;
    let mut lines = 0;
    loop {
        if connection.input().is_empty() {
            match connection.fill().await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        let octets = connection.input().len();
        if lines == 5 {
            body += octets;
            connection.consume(octets);
            if body < BODY_OCTETS {
                continue;
            }
            (body, lines) = (0, 0);
        } else if connection.input().ends_with(b"\r\n") {
            connection.consume(octets);
            lines += 1;
        } else {
            continue;
        }
        connection.output().extend_from_slice(b"250 2.0.0 OK\r\n");
        if connection.flush().await.is_err() {
            return;
        }
    }
}

#[derive(Clone, Copy)]
enum Plan {
    Mails(usize),
    Idle(Duration),
}

fn clients(address: &str, connections: usize, tls: bool, plan: Plan) {
    let bind: Bind = address.parse().expect("an address");
    let machine = Machine::start(options(), |_| {}).expect("a machine");
    let (done, ended) = channel();
    let begun = Instant::now();
    machine.handle().post(
        0,
        Box::new(move |_| {
            let connected = Rc::new(Cell::new(0));
            for _ in 0..connections {
                spawn(client(
                    bind.clone(),
                    tls,
                    plan,
                    connected.clone(),
                    done.clone(),
                ));
            }
        }),
    );
    let mut count = 0;
    while ended.recv().is_ok() {
        count += 1;
    }
    println!("{count} clients in {:.2} s", begun.elapsed().as_secs_f64());
    machine.join(Duration::ZERO);
}

async fn client(bind: Bind, tls: bool, plan: Plan, connected: Rc<Cell<usize>>, done: Sender<()>) {
    let mut connection = Connection::connect(&bind).await.expect("connected");
    if tls {
        let client = TlsClient::dangerous_accept_any();
        let hands = connection.start_tls_client(&client, "localhost");
        hands.await.expect("a handshake");
    }
    connected.set(connected.get() + 1);
    let body = [b'x'; BODY_OCTETS];
    match plan {
        Plan::Mails(mails) => {
            for _ in 0..mails {
                for _ in 0..5 {
                    ask(&mut connection, b"RCPT TO:<someone@example.org>\r\n").await;
                }
                ask(&mut connection, &body).await;
            }
        }
        Plan::Idle(duration) => {
            ask(&mut connection, b"RCPT TO:<someone@example.org>\r\n").await;
            time::sleep(duration).await;
        }
    }
    let _ = done.send(());
}

async fn ask(connection: &mut Connection, what: &[u8]) {
    connection.output().extend_from_slice(what);
    connection.flush().await.expect("sent");
    while !connection.input().ends_with(b"\n") {
        assert_ne!(connection.fill().await.expect("answered"), 0);
    }
    let octets = connection.input().len();
    connection.consume(octets);
}

fn tls_server() -> TlsServer {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
    let dir = tempfile::tempdir().expect("a directory");
    let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    TlsServer::from_pem(&certificate, &key).expect("a good pair")
}

/// Processor time of this process.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let main = stat.split(' ').next().and_then(|ns| ns.parse().ok());
    let mut total: u64 = main.unwrap_or(0);
    for task in std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten()
    {
        let stat = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let ns: Option<u64> = stat.split(' ').next().and_then(|ns| ns.parse().ok());
        total += ns.unwrap_or(0);
    }
    Duration::from_nanos(total - main.unwrap_or(0))
}

/// Proportional set size.
fn memory_kib() -> u64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|line| line.trim().split(' ').next());
    kib.and_then(|kib| kib.parse().ok()).unwrap_or(0)
}
