//! A thousand connections, opened and dropped in every way, leave no descriptor behind. Alone in its process:
//! descriptors are counted for the whole of it.

use ringpost_runtime::{Bind, Connection, Listener, Machine, Options, spawn};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("procfs").count()
}

/// Greets, reads once, and goes away: by goodbye or without a word.
async fn session(mut connection: Connection) {
    connection.output().push(b'+');
    if connection.flush().await.is_err() || connection.fill().await.is_err() {
        return;
    }
    if connection.input().first() == Some(&b'q') {
        connection.close().await;
    }
}

#[test]
fn none_is_left() {
    let before = descriptors();
    let options = Options {
        shards: Some(2),
        pin: false,
        ..Options::default()
    };
    let bind = Bind::Tcp(([127, 0, 0, 1], 0).into());
    let listener = Arc::new(Listener::bind(&bind, 2).expect("bound"));
    let address = listener.local().tcp().expect("TCP");
    let machine = Machine::start(options, move |shard| listener.serve(&shard, session));
    let machine = machine.expect("a machine");
    for round in 0..1_000 {
        let mut peer = TcpStream::connect(address).expect("connected");
        match round % 4 {
            0 => drop(peer),
            1 => peer.write_all(b"q").expect("sent"),
            2 => {
                peer.read_exact(&mut [0]).expect("greeted");
                peer.write_all(b"q").expect("sent");
                let _ = peer.read(&mut [0]);
            }
            _ => {
                peer.read_exact(&mut [0]).expect("greeted");
                peer.write_all(b"x").expect("sent");
            }
        }
    }
    for id in 0..2 {
        let (done, quiet) = channel();
        machine.handle().post(
            id,
            Box::new(move |shard| {
                let shard = shard.clone();
                spawn(async move {
                    while shard.connections() > 0 {
                        ringpost_runtime::time::turn().await;
                    }
                    let _ = done.send(());
                });
            }),
        );
        quiet.recv_timeout(PATIENCE).expect("all sessions ended");
    }
    assert_eq!(
        machine.join(PATIENCE),
        ringpost_runtime::machine::Ended::Finished
    );
    assert_eq!(descriptors(), before);
}
