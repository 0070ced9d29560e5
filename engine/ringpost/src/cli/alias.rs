//! `ringpost alias add|remove|list|import`.

use super::exit::Failure;
use super::{Named, print};
use crate::control::alias::{Import, Imported, TABLE_OCTETS_MAX};
use crate::control::client;
use crate::control::request::{Answer, Request};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Alias {
    /// Let an address lead to accounts, other aliases or other hosts, in place of what it led to
    Add {
        /// The alias; @DOMAIN for whatever of the domain has no address of its own
        #[arg(value_name = "NAME@DOMAIN")]
        name: String,
        /// Where mail to it goes
        #[arg(value_name = "TARGET@DOMAIN", required = true)]
        targets: Vec<String>,
        #[command(flatten)]
        named: Named,
    },
    /// Remove an alias
    Remove {
        /// The alias
        #[arg(value_name = "NAME@DOMAIN")]
        name: String,
        #[command(flatten)]
        named: Named,
    },
    /// List the aliases
    List {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        named: Named,
    },
    /// Take over a table of another server such as /etc/aliases: all of it or nothing
    Import(ImportFile),
}

#[derive(Args)]
pub struct ImportFile {
    /// The table
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The domain of names without one; the first of the configuration where none is given
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Tell what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    named: Named,
}

impl Alias {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        match self {
            Alias::Add {
                name,
                targets,
                named,
            } => {
                let text = format!("alias {name} leads to {}\n", targets.join(", "));
                client::ask(&named.open()?, Request::AliasAdd { name, targets })?;
                print(&text);
            }
            Alias::Remove { name, named } => {
                let text = format!("alias {name} removed\n");
                client::ask(&named.open()?, Request::AliasRemove { name })?;
                print(&text);
            }
            Alias::List { json, named } => {
                if let Answer::Aliases(aliases) = client::ask(&named.open()?, Request::AliasList)? {
                    if json {
                        print(&super::json(&aliases));
                    } else {
                        for alias in aliases {
                            print(&format!("{}  {}\n", alias.name, alias.targets.join(" ")));
                        }
                    }
                }
            }
            Alias::Import(file) => file.run()?,
        }
        Ok(())
    }
}

impl ImportFile {
    fn run(self) -> Result<(), Failure> {
        let config = self.named.open()?;
        let file = self.file.display().to_string();
        let text = std::fs::read_to_string(&self.file)
            .map_err(|error| Failure::not_well(format!("{file} cannot be read: {error}")))?;
        if text.len() > TABLE_OCTETS_MAX {
            let why = format!("{file} is over {TABLE_OCTETS_MAX} octets; cut it in parts");
            return Err(Failure::not_well(why));
        }
        let mut import = Import {
            file,
            text,
            domain: self.domain,
            dry_run: true,
        };
        let told = client::ask(&config, Request::AliasImport(import.clone()))?;
        let Answer::Report(report) = told else {
            return Err(Failure::unreachable("the server answered something else"));
        };
        if !self.dry_run {
            import.dry_run = false;
            client::ask(&config, Request::AliasImport(import))?;
        }
        if self.json {
            print(&super::json(&report));
            return Ok(());
        }
        let imported: Imported = serde_json::from_value(report).map_err(Failure::unreachable)?;
        for (word, aliases) in [
            ("new", &imported.added),
            ("other targets", &imported.replaced),
        ] {
            for (name, targets) in aliases {
                print(&format!("{name}  {}  ({word})\n", targets.join(" ")));
            }
        }
        print(&format!(
            "{} new, {} with other targets, {} as they were{}\n",
            imported.added.len(),
            imported.replaced.len(),
            imported.unchanged,
            match self.dry_run {
                true => "; nothing was done",
                false => "",
            }
        ));
        Ok(())
    }
}
