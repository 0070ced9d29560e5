//! XCLIENT from a network that the configuration lists: dialogues, and what of it stands in the mails.

use ringpost_tests::client::Client;
use ringpost_tests::dialog::{Manner, listener, play_so};
use ringpost_tests::server::{Listen, PASSWORD, Server};
use std::path::Path;

const LISTENERS: &[Listen] = &[
    Listen {
        protocol: "smtp",
        tls: "starttls",
        bind: "127.0.0.1:0",
    },
    Listen {
        protocol: "submission",
        tls: "starttls",
        bind: "127.0.0.1:0",
    },
    Listen {
        protocol: "imap",
        tls: "none",
        bind: "127.0.0.1:0",
    },
];

/// A server whose neighbours on this machine may speak for others.
fn server() -> Server {
    let mut server = Server::prepare(LISTENERS, &["alice"], "");
    let text = std::fs::read_to_string(server.config()).expect("a configuration");
    let listed = text.replace("bind = ", "xclient = [\"127.0.0.1\"]\nbind = ");
    let listed = listed.replace(
        "xclient = [\"127.0.0.1\"]\nbind = \"127.0.0.1:0\"\ntls = \"none\"",
        "bind = \"127.0.0.1:0\"\ntls = \"none\"",
    );
    std::fs::write(server.config(), listed).expect("written");
    server.serve();
    server
}

#[test]
fn dialogues_however_they_come() {
    let server = server();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialog/xclient");
    let files = std::fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<_> = files.map(|entry| entry.expect("readable").path()).collect();
    paths.sort_unstable();
    assert!(!paths.is_empty());
    for path in paths {
        let script = std::fs::read_to_string(&path).expect("a script");
        let name = path.display().to_string();
        let (protocol, tls) = listener(&script).unwrap_or_else(|| panic!("{name}: no ON line"));
        for manner in Manner::ALL {
            let mut client = Client::connect(server.address(protocol, tls));
            play_so(manner, &name, &script, &mut client, &[]);
        }
    }
    // Each way in which the mail came tells the client that the proxy spoke for, and nothing else.
    let mut imap = Client::connect(server.address("imap", "none"));
    imap.line();
    imap.imap_ok(&format!("LOGIN alice@example.test \"{PASSWORD}\""));
    imap.imap_ok("SELECT INBOX");
    let received = "from client.example ([203.0.113.9])";
    let found = imap.imap_ok(&format!("SEARCH HEADER Received \"{received}\""));
    assert_eq!(found[0].trim_end(), "* SEARCH 1 2 3");
    let found = imap.imap_ok("SEARCH HEADER Received \"127.0.0.1\"");
    assert_eq!(found[0].trim_end(), "* SEARCH");
}
