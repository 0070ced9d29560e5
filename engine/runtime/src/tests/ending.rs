//! Draining, cutting, and what must not end anything.

use super::*;
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn a_session_that_minds_the_drain_finishes() {
    let (machine, local) = serving(2, &loopback(), |mut connection| async move {
        connection.output().extend_from_slice(b"hello\n");
        connection.flush().await.expect("sent");
        let shard = connection.shard().clone();
        assert!(!shard.draining());
        shard.drain().await;
        connection.output().extend_from_slice(b"bye\n");
        connection.close().await;
    });
    let address = local.tcp().expect("TCP");
    let mut peers: Vec<_> = (0..8)
        .map(|_| TcpStream::connect(address).expect("connected"))
        .collect();
    for peer in &mut peers {
        let mut hello = [0; 6];
        peer.read_exact(&mut hello).expect("greeted");
    }
    machine.drain();
    for mut peer in peers {
        let mut rest = String::new();
        peer.read_to_string(&mut rest).expect("ended well");
        assert_eq!(rest, "bye\n");
    }
    finished(machine);
    assert!(TcpStream::connect(address).is_err(), "nobody listens");
}

#[test]
fn a_session_that_does_not_is_cut() {
    let (machine, local) = serving(1, &loopback(), |mut connection| async move {
        let _ = connection.fill().await;
    });
    let mut peer = TcpStream::connect(local.tcp().expect("TCP")).expect("connected");
    let (done, count) = channel();
    let open = |shard: Rc<Shard>| async move {
        while shard.connections() == 0 {
            crate::time::turn().await;
        }
    };
    run_on(&machine, 0, open, done);
    count.recv_timeout(PATIENCE).expect("accepted");
    assert_eq!(machine.join(Duration::ZERO), Ended::Cut(1));
    assert_eq!(peer.read(&mut [0]).ok(), Some(0));
}

#[test]
fn what_closes_at_the_end_runs_after_the_connections_and_last_first() {
    static STEP: AtomicUsize = AtomicUsize::new(0);
    let (machine, local) = serving(1, &loopback(), |mut connection| async move {
        let _ = connection.fill().await;
        assert_eq!(STEP.fetch_add(1, Ordering::SeqCst), 0);
    });
    let peer = TcpStream::connect(local.tcp().expect("TCP")).expect("connected");
    machine.handle().each(|shard| {
        shard.at_end(async { assert_eq!(STEP.fetch_add(1, Ordering::SeqCst), 2) });
        shard.at_end(async { assert_eq!(STEP.fetch_add(1, Ordering::SeqCst), 1) });
    });
    drop(peer);
    finished(machine);
    assert_eq!(STEP.load(Ordering::SeqCst), 3);
}

#[test]
fn a_panic_ends_one_task() {
    let (machine, local) = serving(1, &loopback(), |mut connection| async move {
        let octets = connection.fill().await.expect("octets");
        assert_ne!(octets, 3, "three octets are a panic in this test");
        say(&mut connection, b"fine").await;
    });
    let address = local.tcp().expect("TCP");
    let mut bad = TcpStream::connect(address).expect("connected");
    bad.write_all(b"123").expect("sent");
    assert!(matches!(bad.read(&mut [0]), Ok(0) | Err(_)));
    let mut good = TcpStream::connect(address).expect("connected");
    good.write_all(b"12").expect("sent");
    good.read_exact(&mut [0; 4]).expect("answered");
    finished(machine);
}

#[test]
fn a_shard_that_breaks_off_at_its_start_is_an_error() {
    let started = Machine::start(options(2), |shard| {
        assert_ne!(shard.id, 0, "asked for by this test");
    });
    assert!(matches!(started, Err(crate::machine::StartError::Main)));
}

#[test]
fn letters_to_a_machine_that_has_ended_are_dropped() {
    let machine = Machine::start(options(1), |_| {}).expect("a machine");
    let handle = machine.handle().clone();
    finished(machine);
    let (told, heard) = channel::<()>();
    for _ in 0..3 {
        let told = told.clone();
        handle.post(0, Box::new(move |_| drop(told)));
    }
    drop(told);
    drop(handle);
    assert!(heard.recv().is_err());
}

#[test]
fn trace_ids_name_their_shard() {
    let ids = on_shard(|shard| async move { (shard.trace_id().0, shard.trace_id().0) });
    assert_eq!(ids.0 >> 48, 0);
    assert!(ids.1 > ids.0);
    assert!(ids.0 >> 16 >= 1_700_000_000, "tells the second");
}

#[test]
fn a_signal_forgets_who_went_away() {
    on_shard(|shard| async move {
        let told = Rc::new(Cell::new(false));
        {
            let mut early = Box::pin(shard.drain());
            let gone = crate::time::first(early.as_mut(), crate::time::turn()).await;
            assert_eq!(gone, crate::time::First::B(()));
        }
        let (place, waiting) = (told.clone(), shard.clone());
        spawn(async move {
            waiting.drain().await;
            place.set(true);
        });
        crate::time::turn().await;
        shard.begin_drain();
        while !told.get() {
            crate::time::turn().await;
        }
        shard.drain().await;
    });
}
