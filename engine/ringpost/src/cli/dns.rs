//! `ringpost dns records`: what to publish for a local domain. Only what this version does is named.

use super::exit::Failure;
use super::{Named, print};
use crate::config::{Bind, Config, Protocol, TlsMode, is_local};
use clap::Subcommand;
use ringpost_types::Domain;
use serde::Serialize;

#[derive(Subcommand)]
pub enum Dns {
    /// Print the records to publish for a local domain
    Records {
        /// One of the configuration's domains
        #[arg(value_name = "DOMAIN")]
        domain: String,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        named: Named,
    },
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub value: String,
}

impl Dns {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        let Dns::Records {
            domain,
            json,
            named,
        } = self;
        let config = named.open()?;
        let domain = Domain::parse(&domain)
            .map_err(|why| Failure::usage(format!("{domain:?} is not a domain: {why}")))?;
        if !config.domains.iter().any(|local| local.name == domain) {
            return Err(Failure::not_well(format!(
                "{domain} is not in {}; add it as [[domain]]",
                config.file.display()
            )));
        }
        let records = records(&config, &domain);
        print(&if json {
            super::json(&records)
        } else {
            text(&records)
        });
        Ok(())
    }
}

/// The records of `domain`, which is local.
pub fn records(config: &Config, domain: &Domain) -> Vec<Record> {
    let host = &config.hostname;
    let record = |name: String, kind, value| Record { name, kind, value };
    let mut records = vec![
        record(format!("{domain}."), "MX", format!("10 {host}.")),
        // RFC 7208 §5: mail of the domain comes from its MX hosts alone.
        record(format!("{domain}."), "TXT", "\"v=spf1 mx -all\"".to_owned()),
        // RFC 7489 §6.3: ask for reports first, before asking for refusals.
        record(
            format!("_dmarc.{domain}."),
            "TXT",
            format!("\"v=DMARC1; p=none; rua=mailto:postmaster@{domain}\""),
        ),
    ];
    let services = [
        ("_submission", Protocol::Submission, false),
        ("_submissions", Protocol::Submission, true),
        ("_imap", Protocol::Imap, false),
        ("_imaps", Protocol::Imap, true),
    ];
    for (service, protocol, implicit) in services {
        if let Some(port) = public_port(config, protocol, implicit) {
            // RFC 6186 §3.1, RFC 8314 §5.1: what the client should take first has the lower priority.
            let priority = if implicit { 0 } else { 10 };
            records.push(record(
                format!("{service}._tcp.{domain}."),
                "SRV",
                format!("{priority} 1 {port} {host}."),
            ));
        }
    }
    // RFC 6186 §3.4: a service that is not there is told by the root as its target.
    for service in ["_pop3", "_pop3s"] {
        let name = format!("{service}._tcp.{domain}.");
        records.push(record(name, "SRV", "0 0 0 .".to_owned()));
    }
    records
}

/// The port at which the world finds a service.
fn public_port(config: &Config, protocol: Protocol, implicit: bool) -> Option<u16> {
    let mut listeners = config.listeners.iter();
    listeners.find_map(|listener| match &listener.bind {
        Bind::Tcp(address)
            if listener.protocol == protocol
                && (listener.tls == TlsMode::Implicit) == implicit
                && !is_local(&listener.bind) =>
        {
            Some(address.port())
        }
        _ => None,
    })
}

/// In the form of a zone file.
pub fn text(records: &[Record]) -> String {
    let wide = records.iter().map(|record| record.name.chars().count());
    let wide = wide.max().unwrap_or(0);
    let mut text = String::new();
    for Record { name, kind, value } in records {
        text.push_str(&format!("{name:wide$}  {kind:4} {value}\n"));
    }
    text
}
