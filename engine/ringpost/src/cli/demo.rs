//! `ringpost demo`: a whole server on loopback high ports, to play with. Ctrl-C drains and leaves.
//!
//! Without `--dir` everything is in a temporary folder that goes when the server ends. With it the mail stays; the
//! ports and the passwords are new at each start.

use super::exit::Failure;
use super::print;
use crate::control::client;
use crate::control::credential::Keys;
use crate::control::request::Request;
use crate::setup::{self, ListenerLine};
use crate::{config, serve};
use aws_lc_rs::rand;
use clap::Args;
use ringpost_directory::{Domains, secret};
use ringpost_types::Domain;
use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// First line of the configuration that the demo writes, by which it knows its own folder again.
const HEAD: &str = "Written by \"ringpost demo\" at each start.";
const DOMAIN: &str = "example.test";
const USERS: [&str; 2] = ["alice", "bob"];
/// Ports tried from each usual one on.
const PORTS_TRIED: u16 = 200;
/// Name, protocol, usual port, TLS.
const LISTENERS: [(&str, &str, u16, &str); 5] = [
    ("smtp", "smtp", 2525, "starttls"),
    ("submission", "submission", 2587, "required"),
    ("submissions", "submission", 2465, "implicit"),
    ("imap", "imap", 2143, "none"),
    ("imaps", "imap", 2993, "implicit"),
];

#[derive(Args)]
pub struct Demo {
    /// Keep everything in this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What is printed once the server is ready.
struct Shown {
    dir: PathBuf,
    ports: Vec<(&'static str, u16)>,
    passwords: Vec<(String, String)>,
}

impl Demo {
    /// Runs until Ctrl-C.
    pub fn run(self) -> Result<(), Failure> {
        let scratch = match &self.dir {
            Some(_) => None,
            None => Some(
                tempfile::Builder::new()
                    .prefix("ringpost-demo-")
                    .tempdir()
                    .map_err(|error| {
                        Failure::unreachable(format!("a temporary folder: {error}"))
                    })?,
            ),
        };
        let dir = match (&self.dir, &scratch) {
            // What is printed is for other terminals, which stand in other folders.
            (Some(dir), _) => std::path::absolute(dir).unwrap_or_else(|_| dir.clone()),
            (None, Some(scratch)) => scratch.path().to_owned(),
            (None, None) => unreachable!("one of the two is there"),
        };
        let ports = choose_ports()?;
        let text = configuration(&ports)?;
        let file = lay_out(&dir, &text)?;
        let config = config::load(&file, &text, &[])?;
        let passwords: Vec<(String, String)> = USERS
            .iter()
            .map(|user| Ok((format!("{user}@{DOMAIN}"), password()?)))
            .collect::<Result<_, Failure>>()?;
        let shown = Shown {
            dir,
            ports,
            passwords: passwords.clone(),
        };
        let hooks = serve::Hooks {
            overrides: Vec::new(),
            prepare: Box::new(move |store, domains| accounts(store, domains, &passwords)),
            ready: Box::new(move || print(&shown.text())),
        };
        serve::run(config, hooks)
    }
}

/// A free loopback port for each listener, the usual one if it can be had.
fn choose_ports() -> Result<Vec<(&'static str, u16)>, Failure> {
    let mut taken = HashSet::new();
    let mut chosen = Vec::with_capacity(LISTENERS.len());
    for (name, _, usual, _) in LISTENERS {
        let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
        let mut candidates = (usual..usual + PORTS_TRIED).filter(|port| !taken.contains(port));
        let port = candidates.find(free).ok_or_else(|| {
            Failure::not_well(format!(
                "no free port for {name} from {usual} to {}",
                usual + PORTS_TRIED - 1
            ))
        })?;
        if port != usual {
            super::tell(&format!("port {usual} is taken: {name} is at {port}"));
        }
        taken.insert(port);
        chosen.push((name, port));
    }
    Ok(chosen)
}

fn configuration(ports: &[(&'static str, u16)]) -> Result<String, Failure> {
    let mut listeners: Vec<ListenerLine> = LISTENERS
        .iter()
        .zip(ports)
        .map(|((_, protocol, _, tls), (_, port))| ListenerLine {
            protocol,
            bind: format!("127.0.0.1:{port}"),
            tls,
        })
        .collect();
    listeners.push(ListenerLine {
        protocol: "lmtp",
        bind: "unix:lmtp.sock".to_owned(),
        tls: "none",
    });
    let name = |text| Domain::parse(text).map_err(Failure::usage);
    Ok(setup::configuration(
        HEAD,
        &name("mx.example.test")?,
        &[name(DOMAIN)?],
        &listeners,
    ))
}

/// Lays the folder out, or writes the configuration of a folder that the demo made before.
fn lay_out(dir: &Path, text: &str) -> Result<PathBuf, Failure> {
    let file = dir.join("ringpost.toml");
    let socket = crate::control::socket(&dir.join("data"));
    if UnixStream::connect(&socket).is_ok() {
        return Err(Failure::unreachable(format!(
            "a server is running in {}; stop it, or choose another folder",
            dir.display()
        )));
    }
    match std::fs::read_to_string(&file) {
        // An empty one is of a start that was broken off.
        Ok(before) if before.is_empty() || before.starts_with(&format!("# {HEAD}")) => {
            std::fs::write(&file, text).map_err(|error| {
                Failure::not_well(format!("{} cannot be written: {error}", file.display()))
            })?;
        }
        Ok(_) => {
            return Err(Failure::not_well(format!(
                "{} is not of a demo; choose another folder, or use \"ringpost serve\"",
                file.display()
            )));
        }
        Err(_) => {
            let names = ["mx.example.test", DOMAIN, "localhost"];
            setup::lay_out(dir, text, &names)?;
        }
    }
    Ok(file)
}

/// A password that is easy to copy: 16 of 32 letters and digits, 80 bits.
fn password() -> Result<String, Failure> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut octets = [0; 16];
    rand::fill(&mut octets)
        .map_err(|_| Failure::unreachable("the machine gives no random octets"))?;
    let letters = octets.map(|octet| char::from(LETTERS[usize::from(octet % 32)]));
    Ok(letters.iter().collect())
}

/// The two accounts with today's passwords.
fn accounts(
    store: &dyn ringpost_api::Store,
    domains: &Domains,
    passwords: &[(String, String)],
) -> Result<(), Failure> {
    for (name, password) in passwords {
        let secrets = secret::derive(password.as_bytes()).map_err(Failure::unreachable)?;
        let known = ringpost_directory::directory::account(&*store.snapshot()?, name)?.is_some();
        let (name, keys) = (name.clone(), Some(Keys::from(&secrets.keys)));
        let secret = secrets.phc;
        let request = match known {
            true => Request::AccountPasswd { name, secret, keys },
            false => Request::AccountAdd { name, secret, keys },
        };
        client::perform(store, domains, &request)?;
    }
    Ok(())
}

impl Shown {
    fn port(&self, name: &str) -> u16 {
        let mut ports = self.ports.iter();
        ports
            .find(|(of, _)| *of == name)
            .map_or(0, |(_, port)| *port)
    }

    fn text(&self) -> String {
        let [smtp, submission, submissions, imap, imaps] =
            ["smtp", "submission", "submissions", "imap", "imaps"].map(|name| self.port(name));
        let (alice, alice_password) = &self.passwords[0];
        let (bob, bob_password) = &self.passwords[1];
        let dir = self.dir.display();
        format!(
            "
Ringpost runs for example.test. Files are in {dir}.

  smtp         127.0.0.1:{smtp}   mail in, STARTTLS offered
  submission   127.0.0.1:{submission}   mail of users, STARTTLS required
  submissions  127.0.0.1:{submissions}   the same, TLS at once
  imap         127.0.0.1:{imap}   mailboxes, in clear: this is loopback
  imaps        127.0.0.1:{imaps}   mailboxes, TLS at once
  lmtp         {dir}/lmtp.sock

  {alice}  password {alice_password}
  {bob}    password {bob_password}

Lines to try in another terminal (the certificate is self-signed):

  swaks --server 127.0.0.1:{smtp} --from you@example.org --to {alice}
  swaks --server 127.0.0.1:{submission} -tls --auth PLAIN --auth-user {alice} --auth-password {alice_password} --from {alice} --to {bob}
  swaks --server 127.0.0.1:{submissions} -tlsc --auth PLAIN --auth-user {bob} --auth-password {bob_password} --from {bob} --to {alice}
  swaks --protocol LMTP --socket {dir}/lmtp.sock --from you@example.org --to {bob}
  curl -s 'imap://127.0.0.1:{imap}/INBOX;MAILINDEX=1' -u {alice}:{alice_password}
  curl -sk 'imaps://127.0.0.1:{imaps}/INBOX?ALL' -u {bob}:{bob_password}
  openssl s_client -quiet -crlf -connect 127.0.0.1:{imaps}

Ctrl-C drains and leaves.
"
        )
    }
}
