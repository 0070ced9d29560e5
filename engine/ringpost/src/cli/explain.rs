//! `ringpost config explain`: what would be done with a recipient, which rule decides, and why.
//!
//! In:  a session as the operator imagines it: who connects where, who has logged in, MAIL and RCPT. Out: an
//! [`Explained`], as text or JSON.
//!
//! The rules are those of the file that the command line names, whatever a running server has in force; where addresses
//! lead is asked of the store, through the server that runs on it or directly. Nothing is changed, and no name is looked
//! up in DNS.
//!
//! Reading order: [`session`] (the listener, and what a session there can be), [`judge`] (what is answered), [`told`].

pub mod judge;
pub mod session;
pub mod told;

use super::exit::Failure;
use super::{Named, print};
use crate::config::Config;
use crate::control::alias::{Looked, Lookup};
use crate::control::client;
use crate::control::request::{Answer, Request};
use clap::Args;
use ringpost_types::{Address, Domain};
use std::net::IpAddr;
use told::Explained;

/// Say which rule decides about a recipient, and why
///
/// Prints every rule that is looked at with the first of its conditions that does not hold, where the address leads, and
/// what MAIL and RCPT would be answered. The rules are those of the file; aliases and accounts are asked of the server
/// that runs, or of the store. Bans and rates of the peer are not looked at: they are not the recipient's.
#[derive(Args)]
pub struct Explain {
    #[command(flatten)]
    question: Question,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    named: Named,
}

/// A session, as far as its first recipient.
#[derive(Args, Clone, Debug)]
pub struct Question {
    /// The reverse-path; <> for the empty one
    #[arg(long, value_name = "ADDRESS", value_parser = reverse_path)]
    pub from: Path,
    /// The recipient; postmaster alone is the one without a domain
    #[arg(long, value_name = "ADDRESS", value_parser = forward_path)]
    pub to: Path,
    /// Where the peer is; unix for a peer on a unix socket
    #[arg(long, value_name = "IP", value_parser = peer)]
    pub ip: Peer,
    /// The tag of the listener; without it submission where somebody has logged in, else smtp
    #[arg(long, value_name = "TAG")]
    pub listener: Option<String>,
    /// Who has logged in
    #[arg(long, value_name = "NAME@DOMAIN", value_parser = address)]
    pub user: Option<Address>,
    /// What the peer calls itself; without it its address
    #[arg(long, value_name = "NAME")]
    pub helo: Option<String>,
    /// The session is inside TLS; said or not, it is where the listener requires it
    #[arg(long)]
    pub tls: bool,
}

/// What MAIL or RCPT names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// `<>`.
    Null,
    /// `<postmaster>`.
    Postmaster,
    Mailbox(Address),
}

/// Where a session comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Unix,
    Ip(IpAddr),
}

impl Peer {
    /// Its address; a unix socket has none.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Peer::Unix => None,
            Peer::Ip(ip) => Some(ip.to_canonical()),
        }
    }
}

impl Question {
    /// What the peer calls itself.
    fn helo(&self) -> String {
        match (&self.helo, self.ip.ip()) {
            (Some(helo), _) => helo.clone(),
            (None, Some(ip)) => Domain::of_ip(ip).to_string(),
            (None, None) => "localhost".to_owned(),
        }
    }
}

impl Explain {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        let config = self.named.open()?;
        let explained = explain(&config, &self.question)?;
        print(&match self.json {
            true => super::json(&explained),
            false => explained.to_string(),
        });
        Ok(())
    }
}

/// Answers the question, and asks whoever has the store.
pub fn explain(config: &Config, question: &Question) -> Result<Explained, Failure> {
    judge::judge(config, question, &mut |lookup: Lookup| match client::ask(
        config,
        Request::Look(lookup),
    )? {
        Answer::Report(looked) => serde_json::from_value(looked).map_err(Failure::unreachable),
        _ => Err(Failure::unreachable("the server answers another question")),
    })
}

/// Whoever can tell where addresses lead.
pub type Look<'l> = &'l mut dyn FnMut(Lookup) -> Result<Looked, Failure>;

fn address(text: &str) -> Result<Address, String> {
    let bare = text
        .strip_prefix('<')
        .and_then(|text| text.strip_suffix('>'));
    Address::parse(bare.unwrap_or(text)).map_err(|why| why.to_string())
}

fn reverse_path(text: &str) -> Result<Path, String> {
    match text {
        "" | "<>" => Ok(Path::Null),
        text => address(text).map(Path::Mailbox),
    }
}

fn forward_path(text: &str) -> Result<Path, String> {
    let bare = text.trim_start_matches('<').trim_end_matches('>');
    match bare.eq_ignore_ascii_case("postmaster") {
        true => Ok(Path::Postmaster),
        false => address(text).map(Path::Mailbox),
    }
}

fn peer(text: &str) -> Result<Peer, String> {
    match text {
        "unix" => Ok(Peer::Unix),
        text => text.parse().map(Peer::Ip).map_err(|_| {
            "expected an address such as 192.0.2.1 or 2001:db8::1, or unix".to_owned()
        }),
    }
}
