//! Who comes in, who is sent away, and for whom a proxy speaks.

use super::*;
use crate::{Endpoint, Entrance, TlsClient};
use ringpost_admission::{Admission, Ban, Budget, Policy, Verdict};
use ringpost_types::limit::Limits;
use std::io::{Read, Write};
use std::net::TcpStream;

/// Tells each connection's peer; in TLS if asked to.
fn told(
    entrance: impl Fn() -> Entrance + Send + Sync + 'static,
    tls: bool,
) -> (
    Machine,
    std::net::SocketAddr,
    std::sync::mpsc::Receiver<Endpoint>,
) {
    let listener = Listener::bind(&loopback(), 1).expect("bound");
    let local = listener.local().tcp().expect("TCP");
    let (tell, told) = channel();
    let server = Arc::new(tls_server());
    let machine = Machine::start(options(1), move |shard| {
        let (tell, server) = (tell.clone(), server.clone());
        listener.serve_through(&shard, Some(entrance()), move |mut connection| {
            let (tell, server) = (tell.clone(), server.clone());
            async move {
                if tls {
                    connection.start_tls(&server).await.expect("a handshake");
                }
                let _ = tell.send(connection.peer());
                say(&mut connection, b"220 hello\r\n").await;
                echo(connection).await;
            }
        });
    });
    (machine.expect("a machine"), local, told)
}

fn refusal(verdict: &Verdict, out: &mut Vec<u8>) {
    if let Some(reply) = verdict.greeting() {
        reply.write(out);
    }
}

/// Everybody may come, and the loopback addresses are proxies.
fn proxies() -> Entrance {
    let loopback = "127.0.0.0/8".parse().expect("a network");
    Entrance::new(Admission::open_door(), &[loopback], refusal)
}

fn read_line(peer: &mut TcpStream) -> String {
    let mut line = Vec::new();
    let mut octet = [0];
    while !line.ends_with(b"\n") && peer.read(&mut octet).unwrap_or(0) == 1 {
        line.push(octet[0]);
    }
    String::from_utf8_lossy(&line).into_owned()
}

#[test]
fn a_proxy_says_for_whom_it_comes() {
    let (machine, local, told) = told(proxies, false);
    let lines: &[(&[u8], &str)] = &[
        (
            b"PROXY TCP4 192.0.2.7 198.51.100.1 4000 25\r\n",
            "192.0.2.7:4000",
        ),
        (
            b"PROXY TCP6 2001:db8::7 2001:db8::1 4000 25\r\n",
            "[2001:db8::7]:4000",
        ),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\x0f\xa0\0\x19",
            "192.0.2.7:4000",
        ),
    ];
    for (header, expected) in lines {
        for pieces in [header.len(), 1, 7] {
            let mut peer = TcpStream::connect(local).expect("connected");
            peer.set_nodelay(true).expect("set");
            for piece in header.chunks(pieces) {
                peer.write_all(piece).expect("sent");
            }
            let client = told.recv_timeout(PATIENCE).expect("told");
            assert_eq!(client.to_string(), *expected);
            assert_eq!(read_line(&mut peer), "220 hello\r\n");
        }
    }
    // The proxy's own look at our health: its own address.
    let mut peer = TcpStream::connect(local).expect("connected");
    peer.write_all(b"PROXY UNKNOWN\r\nNOOP\r\n").expect("sent");
    let own = Endpoint::Tcp(peer.local_addr().expect("bound"));
    assert_eq!(told.recv_timeout(PATIENCE), Ok(own));
    assert_eq!(read_line(&mut peer), "220 hello\r\n");
    assert_eq!(
        read_line(&mut peer),
        "NOOP\r\n",
        "what follows is the session's"
    );
    drop(peer);
    // What is no header is nobody's.
    for wrong in [&b"EHLO proxy.example\r\n"[..], &[b'x'; 600], b""] {
        let mut peer = TcpStream::connect(local).expect("connected");
        peer.write_all(wrong).expect("sent");
        let _ = peer.shutdown(std::net::Shutdown::Write);
        assert_eq!(read_line(&mut peer), "");
    }
    assert!(told.try_recv().is_err());
    finished(machine);
}

/// The hello of TLS comes right behind the header, in one segment.
#[test]
fn a_proxy_before_tls() {
    let (machine, local, told) = told(proxies, true);
    let (done, result) = channel();
    let client = move |_| async move {
        let bind = Bind::Tcp(local);
        let mut connection = Connection::connect(&bind).await.expect("connected");
        let line = b"PROXY TCP4 192.0.2.7 198.51.100.1 4000 25\r\n";
        connection.output().extend_from_slice(line);
        let client = TlsClient::dangerous_accept_any();
        let hands = connection.start_tls_client(&client, "localhost");
        hands.await.expect("a handshake");
        take(&mut connection, 11).await
    };
    run_on(&machine, 0, client, done);
    assert_eq!(
        result.recv_timeout(PATIENCE).as_deref(),
        Ok(&b"220 hello\r\n"[..])
    );
    let client = told.recv_timeout(PATIENCE).expect("told");
    assert_eq!(client.to_string(), "192.0.2.7:4000");
    finished(machine);
}

/// A proxy's clients are counted, not the proxy; a banned one hears why.
#[test]
fn clients_behind_a_proxy_are_counted_and_refused() {
    let limits = Limits {
        admission_address_connections_max: 1,
        ..Limits::default()
    };
    let policy = Policy::new(&limits, Vec::new());
    let admission = Admission::new(policy, 1_024, Budget::unbounded(), [5, 6]);
    admission.put_bans([Ban {
        network: "198.51.100.0/24".parse().expect("a network"),
        since_ms: 0,
        until_ms: u64::MAX,
        count: 1,
        reason: "test".into(),
    }]);
    let asked = admission.clone();
    let loopback = "127.0.0.1".parse().expect("a network");
    let entrance = move || Entrance::new(asked.clone(), &[loopback], refusal);
    let (machine, local, told) = told(entrance, false);
    let connect = |address: &str| {
        let mut peer = TcpStream::connect(local).expect("connected");
        let header = format!("PROXY TCP4 {address} 192.0.2.1 4000 25\r\n");
        peer.write_all(header.as_bytes()).expect("sent");
        let line = read_line(&mut peer);
        (peer, line)
    };
    let (one, line) = connect("203.0.113.1");
    assert_eq!(line, "220 hello\r\n");
    let (two, line) = connect("203.0.113.2");
    assert_eq!(line, "220 hello\r\n");
    let (_, line) = connect("203.0.113.1");
    assert!(line.starts_with("421 4.7.0 Too many connections"), "{line}");
    let (_, line) = connect("198.51.100.9");
    assert!(line.starts_with("554 5.7.1 "), "{line}");
    assert_eq!(told.iter().take(2).count(), 2);
    assert_eq!(admission.open(), 2);
    drop(one);
    while admission.open() > 1 {
        std::thread::yield_now();
    }
    assert_eq!(connect("203.0.113.1").1, "220 hello\r\n");
    drop(two);
    finished(machine);
}
