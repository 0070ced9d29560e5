//! `ringpost account add|passwd|quota|disable|enable|remove|list|app-password`.

use super::app_password::AppPassword;
use super::exit::Failure;
use super::{Named, password, print};
use crate::control::client;
use crate::control::credential::Keys;
use crate::control::request::{AccountLine, Answer, Request};
use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub enum Account {
    /// Make an account with INBOX, Drafts, Sent, Junk, Trash and Archive
    Add(One),
    /// Give an account another password
    Passwd(One),
    /// Bound what an account may hold
    Quota(Quota),
    /// Refuse an account's logins and what it sends; its mail comes in all the same
    Disable {
        /// The account's address
        #[arg(value_name = "NAME@DOMAIN")]
        name: String,
        #[command(flatten)]
        named: Named,
    },
    /// Let an account in again
    Enable {
        /// The account's address
        #[arg(value_name = "NAME@DOMAIN")]
        name: String,
        #[command(flatten)]
        named: Named,
    },
    /// Remove an account and all its mail
    Remove {
        /// The account's address
        #[arg(value_name = "NAME@DOMAIN")]
        name: String,
        #[command(flatten)]
        named: Named,
    },
    /// List the accounts
    List {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        named: Named,
    },
    /// Passwords for single programs of an account's owner
    #[command(subcommand)]
    AppPassword(AppPassword),
}

#[derive(Args)]
pub struct One {
    /// The account's address
    #[arg(value_name = "NAME@DOMAIN")]
    name: String,
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    named: Named,
}

#[derive(Args)]
pub struct Quota {
    /// The account's address
    #[arg(value_name = "NAME@DOMAIN")]
    name: String,
    /// Octets of all its messages; 0: no bound
    #[arg(long, value_name = "N", required_unless_present = "messages")]
    octets: Option<u64>,
    /// Its messages; 0: no bound
    #[arg(long, value_name = "N")]
    messages: Option<u32>,
    #[command(flatten)]
    named: Named,
}

impl Account {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        match self {
            Account::AppPassword(app_password) => app_password.run()?,
            Account::Add(one) => {
                let (name, named) = (one.name.clone(), one.named.clone());
                let request = one.with_secret(|name, secret, keys| Request::AccountAdd {
                    name,
                    secret,
                    keys: Some(keys),
                });
                client::ask(&named.open()?, request?)?;
                print(&format!("account {name} added\n"));
            }
            Account::Passwd(one) => {
                let (name, named) = (one.name.clone(), one.named.clone());
                let request = one.with_secret(|name, secret, keys| Request::AccountPasswd {
                    name,
                    secret,
                    keys: Some(keys),
                });
                client::ask(&named.open()?, request?)?;
                print(&format!("password of {name} changed\n"));
            }
            Account::Quota(Quota {
                name,
                octets,
                messages,
                named,
            }) => {
                let request = Request::AccountQuota {
                    name: name.clone(),
                    octets,
                    messages,
                };
                client::ask(&named.open()?, request)?;
                print(&format!("quota of {name} changed\n"));
            }
            Account::Disable { name, named } => disable(name, &named, true)?,
            Account::Enable { name, named } => disable(name, &named, false)?,
            Account::Remove { name, named } => {
                let request = Request::AccountRemove { name: name.clone() };
                client::ask(&named.open()?, request)?;
                print(&format!("account {name} removed\n"));
            }
            Account::List { json, named } => {
                if let Answer::Accounts(accounts) =
                    client::ask(&named.open()?, Request::AccountList)?
                {
                    print(&list(&accounts, json));
                }
            }
        }
        Ok(())
    }
}

fn disable(name: String, named: &Named, disabled: bool) -> Result<(), Failure> {
    let done = if disabled { "disabled" } else { "enabled" };
    let text = format!("account {name} {done}\n");
    client::ask(&named.open()?, Request::AccountDisable { name, disabled })?;
    print(&text);
    Ok(())
}

impl One {
    /// Hashes the password here, so that it never crosses the control socket.
    fn with_secret(
        self,
        request: impl FnOnce(String, String, Keys) -> Request,
    ) -> Result<Request, Failure> {
        self.named.open()?;
        ringpost_types::Address::parse(&self.name)
            .map_err(|why| Failure::usage(format!("{:?} is not an address: {why}", self.name)))?;
        let password = password::read(&self.name, self.password_stdin)?;
        let secrets = ringpost_directory::secret::derive(&password).map_err(Failure::not_well)?;
        let keys = Keys::from(&secrets.keys);
        Ok(request(self.name, secrets.phc, keys))
    }
}

fn list(accounts: &[AccountLine], json: bool) -> String {
    if json {
        return super::json(&accounts);
    }
    let wide = accounts.iter().map(|account| account.name.chars().count());
    let wide = wide.max().unwrap_or(0);
    let mut text = String::new();
    for account in accounts {
        let of = |quota: u64| match quota {
            0 => String::new(),
            quota => format!(" of {quota}"),
        };
        let (name, disabled) = (
            &account.name,
            if account.disabled { "  disabled" } else { "" },
        );
        text.push_str(&format!(
            "{name:wide$}  {:>4} mailboxes  {:>8} messages{}  {:>12} octets{}{disabled}\n",
            account.mailboxes,
            account.messages,
            of(account.quota_messages.into()),
            account.octets,
            of(account.quota_octets),
        ));
    }
    text
}
