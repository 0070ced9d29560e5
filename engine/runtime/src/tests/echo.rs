//! What goes in comes out, on every kind of socket.

use super::*;
use crate::{Endpoint, TlsClient, TlsError, TlsFiles};
use std::io::{self, Read, Write};

/// 300 KB there and back: more than any buffer.
async fn round_trip(mut connection: Connection) -> bool {
    let octets: Vec<u8> = (0..300_000u32).map(|n| ((n * 7) >> 3) as u8).collect();
    let mut got = Vec::new();
    for piece in octets.chunks(40_000) {
        say(&mut connection, piece).await;
        got.extend(take(&mut connection, piece.len()).await);
    }
    connection.close().await;
    got == octets
}

#[test]
fn tcp_and_unix() {
    let dir = tempfile::tempdir().expect("a directory");
    let binds = [
        loopback(),
        Bind::Tcp((std::net::Ipv6Addr::LOCALHOST, 0).into()),
        Bind::Unix(dir.path().join("socket")),
    ];
    for bind in binds {
        let (machine, local) = serving(2, &bind, echo);
        for shard in 0..2 {
            let (done, result) = channel();
            let local = local.clone();
            let client = |_| async move {
                round_trip(Connection::connect(&local).await.expect("connected")).await
            };
            run_on(&machine, shard, client, done);
            assert_eq!(result.recv_timeout(PATIENCE), Ok(true), "{bind}");
        }
        finished(machine);
    }
    assert!(!dir.path().join("socket").exists(), "removed at drain");
}

#[test]
fn tls() {
    let server = Arc::new(tls_server());
    let (machine, local) = serving(1, &loopback(), move |mut connection| {
        let server = server.clone();
        async move {
            connection.start_tls(&server).await.expect("a handshake");
            let info = connection.tls().expect("in TLS").clone();
            assert_eq!(info.version, "TLSv1.3");
            assert_eq!(info.cipher, "TLS_AES_256_GCM_SHA384");
            assert_eq!(info.sni.as_deref(), Some("localhost"));
            echo(connection).await;
        }
    });
    let (done, result) = channel();
    let client = move |_| async move {
        let mut connection = Connection::connect(&local).await.expect("connected");
        let client = TlsClient::dangerous_accept_any();
        let hands = connection.start_tls_client(&client, "localhost");
        hands.await.expect("a handshake");
        round_trip(connection).await
    };
    run_on(&machine, 0, client, done);
    assert_eq!(result.recv_timeout(PATIENCE), Ok(true));
    finished(machine);
}

#[test]
fn one_octet_at_a_time() {
    let (machine, local) = serving(1, &loopback(), echo);
    let mut peer = std::net::TcpStream::connect(local.tcp().expect("TCP")).expect("connected");
    peer.set_nodelay(true).expect("set");
    for octet in b"EHLO example.org\r\nQUIT\r\n" {
        peer.write_all(&[*octet]).expect("sent");
        let mut back = [0];
        peer.read_exact(&mut back).expect("received");
        assert_eq!(back[0], *octet);
    }
    drop(peer);
    finished(machine);
}

#[test]
fn both_ends_are_known() {
    let (told, ends) = channel();
    let (machine, local) = serving(1, &loopback(), move |connection| {
        let _ = told.send((connection.peer(), connection.local()));
        async {}
    });
    let address = local.tcp().expect("TCP");
    let peer = std::net::TcpStream::connect(address).expect("connected");
    let expected = (
        Endpoint::Tcp(peer.local_addr().expect("bound")),
        Endpoint::Tcp(address),
    );
    assert_eq!(ends.recv_timeout(PATIENCE), Ok(expected));
    finished(machine);
}

/// RFC 3207 §6.
#[test]
fn clear_octets_before_tls_are_dropped() {
    let server = Arc::new(tls_server());
    let (told, heard) = channel();
    let (machine, local) = serving(1, &loopback(), move |mut connection| {
        let (server, told) = (server.clone(), told.clone());
        async move {
            while !connection.input().ends_with(b"RSET\r\n") {
                assert_ne!(connection.fill().await.expect("octets"), 0);
            }
            connection.consume(b"STARTTLS\r\n".len());
            connection.output().extend_from_slice(b"220 Go\r\n");
            connection.start_tls(&server).await.expect("a handshake");
            assert!(connection.input().is_empty());
            let _ = told.send(take(&mut connection, 6).await);
        }
    });
    let (done, result) = channel();
    let client = move |_| async move {
        let mut connection = Connection::connect(&local).await.expect("connected");
        say(&mut connection, b"STARTTLS\r\nRSET\r\n").await;
        assert_eq!(take(&mut connection, 8).await, b"220 Go\r\n");
        let client = TlsClient::dangerous_accept_any();
        let hands = connection.start_tls_client(&client, "localhost");
        hands.await.expect("a handshake");
        say(&mut connection, b"EHLO x").await;
    };
    run_on(&machine, 0, client, done);
    assert_eq!(result.recv_timeout(PATIENCE), Ok(()));
    assert_eq!(heard.recv_timeout(PATIENCE).as_deref(), Ok(&b"EHLO x"[..]));
    finished(machine);
}

/// RFC 8446 §6.1.
#[test]
fn a_cut_wire_is_no_goodbye() {
    let server = Arc::new(tls_server());
    let (told, ends) = channel();
    let (machine, local) = serving(1, &loopback(), move |mut connection| {
        let (server, told) = (server.clone(), told.clone());
        async move {
            connection.start_tls(&server).await.expect("a handshake");
            let end = connection.fill().await;
            let _ = told.send(end.map_err(|error| error.kind()));
        }
    });
    for (clean, expected) in [(true, Ok(0)), (false, Err(io::ErrorKind::UnexpectedEof))] {
        let (done, result) = channel();
        let local = local.clone();
        let client = move |_| async move {
            let mut connection = Connection::connect(&local).await.expect("connected");
            let client = TlsClient::dangerous_accept_any();
            let hands = connection.start_tls_client(&client, "localhost");
            hands.await.expect("a handshake");
            match clean {
                true => connection.close().await,
                false => drop(connection),
            }
        };
        run_on(&machine, 0, client, done);
        assert_eq!(result.recv_timeout(PATIENCE), Ok(()));
        assert_eq!(ends.recv_timeout(PATIENCE), Ok(expected));
    }
    finished(machine);
}

#[test]
fn what_is_no_tls_ends_the_handshake() {
    let server = Arc::new(tls_server());
    let (told, ends) = channel();
    let (machine, local) = serving(1, &loopback(), move |mut connection| {
        let (server, told) = (server.clone(), told.clone());
        async move {
            let end = connection.start_tls(&server).await;
            let _ = told.send(end.map_err(|error| error.kind()));
        }
    });
    let mut peer = std::net::TcpStream::connect(local.tcp().expect("TCP")).expect("connected");
    peer.write_all(b"EHLO example.org\r\n").expect("sent");
    let end = ends.recv_timeout(PATIENCE).expect("told");
    assert_eq!(end, Err(io::ErrorKind::InvalidData));
    // The alert: level fatal.
    let mut alert = Vec::new();
    let _ = peer.read_to_end(&mut alert);
    assert_eq!(alert.first(), Some(&21));
    finished(machine);
}

#[test]
fn pem_errors_name_the_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let (certificate, key) = super::certificate(dir.path());
    let (none, text) = (dir.path().join("none"), dir.path().join("text"));
    std::fs::write(&text, "no PEM").expect("written");
    let other = dir.path().join("other");
    std::fs::create_dir(&other).expect("made");
    let (_, other_key) = super::certificate(&other);
    let cases = [
        (&none, &key, &none, "cannot be read"),
        (&text, &key, &text, "no certificate"),
        (&key, &key, &key, "no certificate"),
        (&certificate, &certificate, &certificate, "no private key"),
        (&certificate, &other_key, &other_key, "does not belong"),
    ];
    for (certificate, key, file, what) in cases {
        let error = TlsServer::from_pem(certificate, key).err();
        let error: TlsError = error.expect("an error");
        assert_eq!(&error.file, file);
        assert!(error.to_string().contains(what), "{error}");
    }
    let server = TlsServer::from_pem(&certificate, &key).expect("a good pair");
    let before = Arc::as_ptr(&server.pair());
    let files = |key: &std::path::Path| TlsFiles {
        certificate: certificate.clone(),
        key: key.to_owned(),
        client_ca: None,
    };
    assert!(server.reload(&files(&other_key)).is_err());
    assert_eq!(Arc::as_ptr(&server.pair()), before, "the old one stays");
    assert!(server.reload(&files(&key)).is_ok());
    assert_ne!(Arc::as_ptr(&server.pair()), before);
    let no_ca = TlsFiles {
        client_ca: Some(text.clone()),
        ..files(&key)
    };
    let error = TlsServer::from_files(&no_ca).err().expect("no authority");
    assert_eq!(error.file, text);
}
