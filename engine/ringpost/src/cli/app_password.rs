//! `ringpost account app-password add|list|remove`.
//!
//! The password is made here, shown once, and never crosses the control socket: its hash and keys do.

use super::exit::Failure;
use super::{Named, print};
use crate::control::client;
use crate::control::credential::{Ask, Keys, Line};
use crate::control::request::{Answer, Request};
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use ringpost_directory::app_password;

#[derive(Subcommand)]
pub enum AppPassword {
    /// Make a password for one program of the account's owner, and show it once
    Add(Add),
    /// Take an app password away
    Remove {
        #[command(flatten)]
        one: One,
    },
    /// List the app passwords of an account
    List {
        /// The account's address
        #[arg(value_name = "NAME@DOMAIN")]
        account: String,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        named: Named,
    },
}

/// One app password.
#[derive(Args)]
pub struct One {
    /// The account's address
    #[arg(value_name = "NAME@DOMAIN")]
    account: String,
    /// What the program is called, such as "phone"
    #[arg(long, value_name = "NAME")]
    name: String,
    #[command(flatten)]
    named: Named,
}

#[derive(Args)]
pub struct Add {
    #[command(flatten)]
    one: One,
    /// What it opens; may be given more than once. Everything where nothing is said
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<Scope>,
}

/// What an app password opens.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scope {
    Smtp,
    Imap,
    Sieve,
}

impl Scope {
    fn word(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

impl AppPassword {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        match self {
            AppPassword::Add(add) => add.run(),
            AppPassword::Remove { one } => {
                let One {
                    account,
                    name,
                    named,
                } = one;
                let text = format!("app password {name} of {account} removed\n");
                ask(&named, Ask::Remove { account, name })?;
                print(&text);
                Ok(())
            }
            AppPassword::List {
                account,
                json,
                named,
            } => {
                if let Answer::AppPasswords(lines) = ask(&named, Ask::List { account })? {
                    print(&match json {
                        true => super::json(&lines),
                        false => list(&lines),
                    });
                }
                Ok(())
            }
        }
    }
}

impl Add {
    fn run(self) -> Result<(), Failure> {
        let One {
            account,
            name,
            named,
        } = self.one;
        let made = app_password::generate().map_err(Failure::not_well)?;
        let scopes = match &self.scope[..] {
            [] => Scope::value_variants(),
            some => some,
        };
        let add = Ask::Add {
            account: account.clone(),
            name: name.clone(),
            scopes: scopes.iter().map(|scope| scope.word()).collect(),
            secret: made.secret,
            keys: Keys::from(&made.keys),
        };
        ask(&named, add)?;
        // The first line alone for programs; the rest for people.
        print(&format!(
            "{}\n\nThis is shown once. Log in as {account}; with SCRAM as {account}/{name}.\n",
            made.text
        ));
        Ok(())
    }
}

fn ask(named: &Named, ask: Ask) -> Result<Answer, Failure> {
    client::ask(&named.open()?, Request::AppPassword(ask))
}

fn list(lines: &[Line]) -> String {
    let wide = lines.iter().map(|line| line.name.chars().count());
    let wide = wide.max().unwrap_or(0);
    let mut text = String::new();
    for line in lines {
        let (name, scopes) = (&line.name, line.scopes.join(" "));
        let (created, used) = (day(line.created), day(line.used));
        text.push_str(&format!(
            "{name:wide$}  {scopes:15}  created {created}  last used {used}\n"
        ));
    }
    text
}

/// The day of a time, UTC.
fn day(seconds: u64) -> String {
    let at = i64::try_from(seconds).ok().filter(|&seconds| seconds > 0);
    let at = at.and_then(|seconds| Timestamp::from_second(seconds).ok());
    at.map_or_else(|| "never".to_owned(), |at| at.strftime("%F").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::credential::SCOPES;

    #[test]
    fn scopes_are_those_of_the_store() {
        let words: Vec<String> = Scope::value_variants().iter().map(|s| s.word()).collect();
        assert_eq!(words, SCOPES.map(|(word, _)| word));
    }

    #[test]
    fn lines() {
        let line = |name: &str, used| Line {
            name: name.into(),
            scopes: vec!["smtp".into(), "imap".into()],
            created: 1_795_471_704,
            used,
        };
        assert_eq!(
            list(&[line("phone", 0), line("tablet", 1_795_571_704)]),
            "phone   smtp imap        created 2026-11-23  last used never\n\
             tablet  smtp imap        created 2026-11-23  last used 2026-11-25\n"
        );
    }
}
