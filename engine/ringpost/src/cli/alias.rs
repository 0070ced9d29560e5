//! `ringpost alias add|remove|list`.

use super::exit::Failure;
use super::{Named, print};
use crate::control::client;
use crate::control::request::{Answer, Request};
use clap::Subcommand;

#[derive(Subcommand)]
pub enum Alias {
    /// Let an address lead to accounts or other aliases of this host, in place of what it led to
    Add {
        /// The alias
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
        }
        Ok(())
    }
}
