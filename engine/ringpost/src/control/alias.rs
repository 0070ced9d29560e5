//! What an operator can ask about addresses: a table of another server to be taken over, and where addresses lead.

use super::request::{Answer, Plan};
use crate::cli::exit::Failure;
use ringpost_api::read::{self, Room};
use ringpost_api::{Error, Snapshot};
use ringpost_directory::alias::{self, Report};
use ringpost_directory::alias_file::{self, Fault};
use ringpost_directory::directory::account;
use ringpost_directory::resolve::{How, Trail, resolve};
use ringpost_directory::{Directory, Domains, Found};
use ringpost_types::{Address, Domain};
use serde::{Deserialize, Serialize};

/// Octets of a table: as a line of JSON it stays below [`super::request::REQUEST_OCTETS_MAX`], whatever is in it.
pub const TABLE_OCTETS_MAX: usize = 1 << 19;

/// Faults of aliases that are told at once: the operator begins with the first.
const FAULTS_MAX: usize = 20;

/// A table of another server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// What the operator calls it, for what is said of its lines.
    pub file: String,
    /// What is in it.
    pub text: String,
    /// Of which names without a domain are; the first of the configuration where none is given.
    pub domain: Option<String>,
    /// Whether to tell only what would be done: [`Answer::Report`] of an [`Imported`].
    pub dry_run: bool,
}

/// What an import does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    pub added: Vec<(String, Vec<String>)>,
    pub replaced: Vec<(String, Vec<String>)>,
    pub unchanged: usize,
}

impl From<Report> for Imported {
    fn from(report: Report) -> Self {
        let lines = |aliases: Vec<alias::Alias>| {
            let lines = aliases.into_iter();
            lines.map(|alias| (alias.name, alias.targets)).collect()
        };
        Imported {
            added: lines(report.added),
            replaced: lines(report.replaced),
            unchanged: report.unchanged,
        }
    }
}

/// Looks a table over, and puts it unless this is for show.
pub fn import(
    snapshot: &dyn Snapshot,
    domains: &Domains,
    import: &Import,
) -> Result<Plan, Failure> {
    let told = |faults: Vec<Fault>| {
        let lines: Vec<String> = faults
            .iter()
            .map(|fault| format!("{}:{fault}", import.file))
            .collect();
        Failure::not_well(lines.join("\n"))
    };
    let domain = match &import.domain {
        Some(name) => Domain::parse(name).map_err(Failure::usage)?,
        None => match domains.first() {
            Some(first) => first.name.clone(),
            None => return Err(Failure::usage("there is no local domain")),
        },
    };
    if !domains.is_local(&domain) {
        let why = format!("{domain} is not a local domain; add it to the configuration");
        return Err(Failure::usage(why));
    }
    let entries = alias_file::parse(&import.text).map_err(told)?;
    let (write, report) = alias::import(snapshot, domains, &domain, &entries).map_err(told)?;
    if import.dry_run {
        let report = serde_json::to_value(Imported::from(report));
        let report = report.expect("texts and numbers are JSON");
        return Ok(Plan::Answer(Answer::Report(report)));
    }
    Ok(Plan::Write(write))
}

/// Where addresses lead, and whether a user may send as one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookup {
    /// Recipients.
    pub addresses: Vec<String>,
    /// The primary address of who has logged in.
    pub login: Option<String>,
    /// The reverse-path.
    pub sender: Option<String>,
}

/// What is known of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// One for each address asked for.
    pub addresses: Vec<Whereabouts>,
    /// Whether there is an account of that login; `None`: none was given.
    pub login_known: Option<bool>,
    /// Whether it may send as the sender; `None`: nobody has logged in, or the sender is `<>`.
    pub may_send: Option<bool>,
}

/// Where one address leads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whereabouts {
    pub address: String,
    /// `local`, `unknown`, `remote` or `too many`.
    pub found: String,
    /// Whether there are accounts, and none has room for another mail.
    pub full: bool,
    /// Names of accounts here.
    pub accounts: Vec<String>,
    /// Addresses of other hosts.
    pub remote: Vec<String>,
    /// Each step: address, how it was found, where it leads.
    pub trail: Vec<(String, String, Vec<String>)>,
}

/// Looks addresses up.
pub fn look(
    snapshot: &dyn Snapshot,
    domains: &Domains,
    lookup: &Lookup,
) -> Result<Answer, Failure> {
    let mut looked = Looked::default();
    for text in &lookup.addresses {
        let address = Address::parse(text).map_err(Failure::usage)?;
        looked
            .addresses
            .push(whereabouts(snapshot, domains, &address)?);
    }
    if let Some(login) = &lookup.login {
        let known = account(snapshot, login)?;
        looked.login_known = Some(known.is_some());
        if let (Some(sender), Some(known)) = (&lookup.sender, known) {
            let sender = Address::parse(sender).map_err(Failure::usage)?;
            let directory = Directory::new(domains.clone());
            let may = directory.may_send_as(snapshot, known.id, &sender)?;
            looked.may_send = Some(may);
        }
    }
    let looked = serde_json::to_value(looked).expect("texts are JSON");
    Ok(Answer::Report(looked))
}

/// What is wrong with the aliases there are: the first faults, for people, and how many more there are.
pub fn faults(snapshot: &dyn Snapshot, domains: &Domains) -> Result<Vec<String>, Failure> {
    let faults = alias::faults(snapshot, domains)?;
    let mut told: Vec<_> = faults.iter().map(ToString::to_string).collect();
    if let Some(more @ 1..) = told.len().checked_sub(FAULTS_MAX) {
        told.truncate(FAULTS_MAX);
        told.push(format!("and {more} more faults of aliases"));
    }
    Ok(told)
}

fn whereabouts(
    snapshot: &dyn Snapshot,
    domains: &Domains,
    address: &Address,
) -> Result<Whereabouts, Failure> {
    let mut trail = Trail::new();
    let found = resolve(snapshot, domains, address, Some(&mut trail));
    let mut about = Whereabouts {
        address: address.to_string(),
        trail: trail
            .into_iter()
            .map(|hop| (hop.from, how(hop.how).to_owned(), hop.to))
            .collect(),
        ..Whereabouts::default()
    };
    about.found = match found {
        Err(Error::Limit(_)) => "too many",
        Err(error) => return Err(error.into()),
        Ok(Found::Remote) => "remote",
        Ok(Found::NoSuchUser) => "unknown",
        Ok(Found::Local(targets)) => {
            about.full = !targets.accounts.is_empty();
            for id in targets.accounts {
                let row = read::account(snapshot, id)?;
                about.accounts.extend(row.map(|row| row.name.to_owned()));
                about.full &= read::room(snapshot, id, 0)? != Room::Enough;
            }
            about.remote = targets.remote.iter().map(Address::to_string).collect();
            "local"
        }
    }
    .to_owned();
    Ok(about)
}

fn how(how: How) -> &'static str {
    match how {
        How::Exact => "known",
        How::Subaddress => "without its subaddress",
        How::Role => "postmaster of the configuration",
        How::CatchAll => "catch-all",
        How::FirstAccount => "somebody must read it: the first account",
        How::Nothing => "not known",
    }
}
