//! `ringpost config check`: what is wrong with the configuration, and what is worth knowing.

use super::exit::Failure;
use super::{Named, print};
use crate::config::{Config, world};
use crate::control::client;
use crate::control::request::{Answer, Request};
use crate::serve::kernel::Kernel;
use clap::Args;
use ringpost_runtime::machine;

/// Say what is wrong, with file, line and column
///
/// Reads the configuration, looks at the files that it names, and asks the server that runs about its aliases: those that
/// lead back to themselves, stand for too many addresses, or lead to an address that is not there. Changes nothing.
#[derive(Args)]
pub struct Check {
    /// Where no server runs, open its store for the aliases, as a command that changes them does
    #[arg(long)]
    store: bool,
    #[command(flatten)]
    named: Named,
}

impl Check {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        let config = self.named.open()?;
        for note in world::check(&config)? {
            print(&format!("note: {note}\n"));
        }
        let shards = config.shards.map_or_else(machine::cpus, usize::from);
        for note in Kernel::here().notes(shards as u64) {
            print(&format!("note: {note}\n"));
        }
        for note in self.aliases(&config) {
            print(&format!("note: {note}\n"));
        }
        print(&format!("{}: ok\n", config.file.display()));
        Ok(())
    }

    /// What is wrong with the aliases. They are no part of the configuration: whatever it is, the configuration is as good
    /// as it was.
    fn aliases(&self, config: &Config) -> Vec<String> {
        let asked = match self.store {
            true => Some(client::ask(config, Request::AliasFaults)),
            false => client::ask_server(config, &Request::AliasFaults).transpose(),
        };
        match asked {
            None => Vec::new(),
            Some(Ok(Answer::Report(faults))) => serde_json::from_value(faults).unwrap_or_default(),
            Some(Ok(_)) => vec!["the aliases were not looked at".to_owned()],
            Some(Err(failure)) => vec![format!("the aliases were not looked at: {}", failure.text)],
        }
    }
}
