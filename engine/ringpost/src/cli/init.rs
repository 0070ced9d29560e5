//! `ringpost init`: a configuration, keys and a data folder; prints what to publish and what to do next.

use super::exit::Failure;
use super::{dns, print};
use crate::{config, setup};
use clap::Args;
use ringpost_types::Domain;
use std::path::PathBuf;

#[derive(Args)]
pub struct Init {
    /// The folder to lay out; made if it is not there
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// What the server calls itself, such as mx.example.org
    #[arg(long, value_name = "HOST", value_parser = domain)]
    hostname: Domain,
    /// A local domain, such as example.org; may be repeated
    #[arg(long = "domain", value_name = "DOMAIN", required = true, value_parser = domain)]
    domains: Vec<Domain>,
}

/// A name, not an address literal.
fn domain(text: &str) -> Result<Domain, String> {
    match Domain::parse(text) {
        Ok(domain) if domain.is_literal() => Err("expected a name such as example.org".to_owned()),
        Ok(domain) => Ok(domain),
        Err(why) => Err(why.to_string()),
    }
}

impl Init {
    /// Lays the folder out. Overwrites nothing.
    pub fn run(self) -> Result<(), Failure> {
        let head = "Without any [[listener]] the standard ports are opened. Accounts and aliases live in the store:\nringpost account add NAME@DOMAIN --config FILE";
        let mut domains = self.domains;
        let mut seen = std::collections::HashSet::new();
        domains.retain(|domain| seen.insert(domain.clone()));
        let text = setup::configuration(head, &self.hostname, &domains, &[]);
        let file = self.dir.join("ringpost.toml");
        // A host name that the configuration would refuse is refused before anything is written.
        let config = config::load(&file, &text, &[]).map_err(Failure::usage)?;
        setup::lay_out(&self.dir, &text, &[self.hostname.as_str()])?;
        let file = file.display();
        let mut said = format!(
            "{file} written, with a self-signed certificate in tls/: put a real one in its place.\n\nDNS records to publish:\n\n"
        );
        for domain in &domains {
            said.push_str(&dns::text(&dns::records(&config, domain)));
            said.push('\n');
        }
        said.push_str(&format!(
            "{} needs address records (A, AAAA), and its addresses a PTR record back to it.\n\nNext:\n  ringpost account add you@{} --config {file}\n  ringpost serve --config {file}\n",
            self.hostname, domains[0]
        ));
        print(&said);
        Ok(())
    }
}
