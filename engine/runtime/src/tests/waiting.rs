//! Reads that are raced, cancelled and parked lose nothing; peers that are silent or deaf are noticed.

use super::*;
use crate::time::{First, first};
use std::io::{self, ErrorKind};

/// Two ends of one connection on one shard.
async fn pair(shard: &Rc<Shard>) -> (Connection, Connection) {
    let listener = Listener::bind(&loopback(), 1).expect("bound");
    let accepted = Rc::new(std::cell::RefCell::new(None));
    let place = accepted.clone();
    listener.serve(shard, move |connection| {
        *place.borrow_mut() = Some(connection);
        async {}
    });
    let client = Connection::connect(listener.local())
        .await
        .expect("connected");
    loop {
        if let Some(server) = accepted.borrow_mut().take() {
            return (client, server);
        }
        crate::time::turn().await;
    }
}

/// Moves the slow clock.
fn tick(shard: &Shard, times: usize) {
    (0..times).for_each(|_| shard.sweep.step());
}

/// Random pieces, the clock moved and the waiting dropped at random: every octet comes once and in order.
fn nothing_is_lost(tls: bool) {
    for seed in 0..4 {
        let octets = on_shard(move |shard| async move {
            let (mut client, mut server) = pair(&shard).await;
            let (told, heard) = channel();
            let tls_server = tls.then(tls_server);
            let mind = shard.clone();
            spawn(async move {
                if let Some(tls) = &tls_server {
                    server.start_tls(tls).await.expect("a handshake");
                }
                let mut dice = Dice(seed + 100);
                let mut got = Vec::new();
                loop {
                    if dice.roll(3) == 0 {
                        let raced = first(server.readable(), hesitate(dice.roll(4))).await;
                        assert!(!matches!(raced, First::A(Err(_))));
                    }
                    match first(server.fill(), hesitate(dice.roll(6))).await {
                        First::A(Ok(0)) => break,
                        First::A(Ok(_)) => {}
                        First::A(Err(error)) => panic!("{error}"),
                        First::B(()) => {
                            tick(&mind, dice.roll(4));
                            continue;
                        }
                    }
                    let some = dice.roll(server.input().len() + 1);
                    got.extend_from_slice(&server.input()[..some]);
                    server.consume(some);
                }
                got.extend_from_slice(server.input());
                let _ = told.send(got);
            });
            if tls {
                let tls = crate::TlsClient::dangerous_accept_any();
                let hands = client.start_tls_client(&tls, "localhost");
                hands.await.expect("a handshake");
            }
            let mut dice = Dice(seed);
            let mut sent = Vec::new();
            for _ in 0..300 {
                let piece: Vec<u8> = (0..1 + dice.roll(700))
                    .map(|_| dice.roll(256) as u8)
                    .collect();
                say(&mut client, &piece).await;
                sent.extend(piece);
                hesitate(dice.roll(4)).await;
                tick(&shard, dice.roll(3));
            }
            client.close().await;
            loop {
                if let Ok(got) = heard.try_recv() {
                    return (got, sent);
                }
                crate::time::turn().await;
            }
        });
        assert!(
            octets.0 == octets.1,
            "seed {seed}: {} of {} octets",
            octets.0.len(),
            octets.1.len()
        );
    }
}

/// A few turns of the ring.
async fn hesitate(turns: usize) {
    for _ in 0..turns {
        crate::time::turn().await;
    }
}

#[test]
fn nothing_is_lost_in_clear() {
    nothing_is_lost(false);
}

#[test]
fn nothing_is_lost_in_tls() {
    nothing_is_lost(true);
}

#[test]
fn a_long_wait_holds_no_buffer() {
    on_shard(|shard| async move {
        let (mut client, mut server) = pair(&shard).await;
        say(&mut client, b"a").await;
        assert_eq!(take(&mut server, 1).await, b"a");
        say(&mut server, b"b").await;
        // Waiting in fill: first with a buffer, after two ticks without.
        assert!(matches!(
            first(server.fill(), hesitate(3)).await,
            First::B(())
        ));
        assert_eq!(server.held_octets(), crate::pool::BUFFER_OCTETS);
        tick(&shard, 3);
        assert!(matches!(
            first(server.fill(), hesitate(3)).await,
            First::B(())
        ));
        assert_eq!(server.held_octets(), 0);
        say(&mut client, b"c").await;
        assert_eq!(take(&mut server, 1).await, b"c");
        // Waiting in readable: none at once.
        assert!(matches!(
            first(server.readable(), hesitate(3)).await,
            First::B(())
        ));
        assert_eq!(server.held_octets(), 0);
        say(&mut client, b"d").await;
        server.readable().await.expect("readable");
        assert_eq!(take(&mut server, 1).await, b"d");
    });
}

#[test]
fn silence_is_bounded_and_survived() {
    on_shard(|shard| async move {
        let (mut client, mut server) = pair(&shard).await;
        server.silence_max(Duration::from_secs(3));
        for wait in ["fill", "readable"] {
            for ticks in [3, 1] {
                let more = match wait {
                    "fill" => first(fill(&mut server), hesitate(3)).await,
                    _ => first(server.readable(), hesitate(3)).await,
                };
                assert!(matches!(more, First::B(())), "{wait}");
                tick(&shard, ticks);
            }
            let end = match wait {
                "fill" => fill(&mut server).await,
                _ => server.readable().await,
            };
            assert_eq!(
                end.map_err(|error| error.kind()),
                Err(ErrorKind::TimedOut),
                "{wait}"
            );
        }
        say(&mut client, b"late").await;
        assert_eq!(take(&mut server, 4).await, b"late");
        say(&mut server, b"421").await;
        assert_eq!(take(&mut client, 3).await, b"421");
    });
}

async fn fill(connection: &mut Connection) -> io::Result<()> {
    connection.fill().await.map(drop)
}

/// A peer that lets octets drip is never silent, and yet has to come to an end.
#[test]
fn a_deadline_holds_through_drips() {
    on_shard(|shard| async move {
        let (mut client, mut server) = pair(&shard).await;
        server.silence_max(Duration::from_secs(3));
        server.deadline(Some(Duration::from_secs(5)));
        let mut ticks = 0;
        let end = loop {
            say(&mut client, b"x").await;
            match server.fill().await {
                Ok(octets) => server.consume(octets),
                Err(error) => break error.kind(),
            }
            assert!(ticks < 6, "at the sixth tick it is over");
            tick(&shard, 1);
            ticks += 1;
        };
        assert_eq!(
            (end, ticks, server.is_late()),
            (ErrorKind::TimedOut, 6, true)
        );
        let readable = server.readable().await.map_err(|error| error.kind());
        assert_eq!(readable, Err(ErrorKind::TimedOut));
        // The next command has a time of its own, and in it silence is bounded as ever.
        server.deadline(Some(Duration::from_secs(100)));
        assert_ne!(
            server.fill().await.expect("the octet that came too late"),
            0
        );
        server.consume(1);
        assert!(matches!(
            first(server.fill(), hesitate(3)).await,
            First::B(())
        ));
        tick(&shard, 4);
        let silent = fill(&mut server).await.map_err(|error| error.kind());
        assert_eq!(
            (silent, server.is_late()),
            (Err(ErrorKind::TimedOut), false)
        );
        server.deadline(None);
        tick(&shard, 200);
        assert!(!server.is_late());
    });
}

#[test]
fn idle_sessions_give_way_when_memory_is_short() {
    on_shard(|shard| async move {
        let (mut client, mut server) = pair(&shard).await;
        server.spare(true);
        assert!(matches!(
            first(server.fill(), hesitate(3)).await,
            First::B(())
        ));
        assert_eq!(shard.sweep.shed(), 0, "not yet idle");
        tick(&shard, 3);
        assert!(matches!(
            first(server.fill(), hesitate(3)).await,
            First::B(())
        ));
        server.spare(false);
        assert_eq!(shard.sweep.shed(), 0, "not to be spared");
        server.spare(true);
        assert_eq!(shard.sweep.shed(), 1);
        let end = fill(&mut server).await.map_err(|error| error.kind());
        assert_eq!(end, Err(ErrorKind::OutOfMemory));
        say(&mut server, b"421").await;
        assert_eq!(take(&mut client, 3).await, b"421");
    });
}

/// What connections take of the budget comes back.
#[test]
fn memory_comes_back() {
    let left = on_shard(|shard| async move {
        let before = shard.budget.taken();
        let (mut client, mut server) = pair(&shard).await;
        let two = shard.budget.taken();
        assert!(two >= before + 2 * 4_096, "{two}");
        server.input_max(1 << 20);
        for _ in 0..10 {
            say(&mut client, &[b'x'; 20_000]).await;
        }
        while server.input().len() < 200_000 {
            server.fill().await.expect("octets");
        }
        assert!(shard.budget.taken() > two + 180_000, "grown");
        server.consume(200_000);
        server.output().resize(100_000, b'y');
        let (mut taken, mut sent) = (0, false);
        while taken < 100_000 {
            if !sent {
                server.flush().await.expect("sent");
                sent = true;
            }
            taken += client.fill().await.expect("octets");
            client.consume(client.input().len());
        }
        drop((client, server));
        hesitate(3).await;
        let kept = shard.budget.taken();
        // Buffers of the pool stay for the next; nothing else does.
        (
            kept % crate::pool::BUFFER_OCTETS as u64,
            kept < two + 200_000,
        )
    });
    assert_eq!(left, (0, true));
}

#[test]
fn a_deaf_peer_is_cut() {
    on_shard(|shard| async move {
        let (client, mut server) = pair(&shard).await;
        server.output().resize(64 << 20, b'x');
        let sent = std::rc::Rc::new(std::cell::Cell::new(None));
        let place = sent.clone();
        spawn(async move { place.set(Some(server.flush().await.is_err())) });
        while sent.get().is_none() {
            hesitate(3).await;
            tick(&shard, 1);
        }
        assert_eq!(sent.get(), Some(true));
        drop(client);
    });
}

#[test]
fn a_dropped_flush_is_not_forgotten() {
    on_shard(|shard| async move {
        let (_client, mut server) = pair(&shard).await;
        server.output().resize(64 << 20, b'x');
        assert!(matches!(
            first(server.flush(), hesitate(3)).await,
            First::B(())
        ));
        let error = server.fill().await.expect_err("torn");
        assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
    });
}

#[test]
fn input_is_bounded() {
    on_shard(|shard| async move {
        let (mut client, mut server) = pair(&shard).await;
        server.input_max(10);
        say(&mut client, b"123456789").await;
        while server.input().len() < 9 {
            server.fill().await.expect("below the bound");
        }
        say(&mut client, b"0").await;
        assert_eq!(server.fill().await.expect("at one below"), 1);
        let error = server.fill().await.expect_err("at the bound");
        assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
        server.consume(1);
        say(&mut client, b"1").await;
        assert_eq!(server.fill().await.expect("below again"), 1);
        assert_eq!(server.input(), b"2345678901");
    });
}
