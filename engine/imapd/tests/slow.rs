//! A client that asks for much and reads nothing: it costs a connection, and holds no state of the index.

mod server;

use server::Server;

/// Looks at who holds a snapshot until nobody does, many times in a row: a session that waited with one would be seen.
fn nobody_holds_a_snapshot(server: &Server) {
    let mut free = 0;
    for _ in 0..5_000_000 {
        free = match server.store.health().readers {
            0 => free + 1,
            _ => 0,
        };
        if free == 1_000 {
            return;
        }
        std::thread::yield_now();
    }
    panic!("a session waits for its client with a snapshot");
}

#[test]
fn it_holds_no_snapshot() {
    let server = Server::start();
    let mut client = server.login();
    let mail = [
        b"Subject: long\r\n\r\n".to_vec(),
        b"0123456789abcdef\r\n".repeat(60_000),
    ];
    client.append("INBOX", &mail.concat());
    client.ok("SELECT INBOX");
    // 4,096 messages of one mail.
    for _ in 0..12 {
        client.ok("COPY 1:* INBOX");
    }
    // What is made of rows, of digests, of bodies; far more than a socket takes.
    for asked in [
        "FETCH 1:* (FLAGS INTERNALDATE)",
        "FETCH 1:* (ENVELOPE BODYSTRUCTURE)",
        "FETCH 1:* BODY.PEEK[]",
        "UID SEARCH ALL",
    ] {
        let mut slow = server.login();
        slow.ok("SELECT INBOX");
        for number in 0..50 {
            slow.send(format!("s{number} {asked}\r\n"));
        }
        nobody_holds_a_snapshot(&server);
        // The shard serves others meanwhile, and the index goes on.
        client.ok("STORE 1 FLAGS (\\Seen)");
    }
}
