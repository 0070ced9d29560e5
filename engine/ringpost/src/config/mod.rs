//! `ringpost.toml`: what the operator says, read into types.
//!
//! In:  the file's text, and `--set key=value` overrides. Out: a [`Config`], or every [`Problem`] in it with file,
//! line, column and what was expected.
//!
//! Reading order: [`section`] (the tables, one room each: its keys, its reading, what becomes of it), [`key`], [`read`]
//! (text to values), [`build`] (values to a [`Config`]: defaults, and what must agree), [`world`] (what only the machine can tell: files, certificates),
//! [`problem`], [`nearest`].

pub mod build;
pub mod key;
pub mod nearest;
pub mod problem;
pub mod read;
pub mod section;
pub mod world;

pub use problem::{Problem, Problems};
pub use section::auth::Auth;
pub use section::listener::{Listener, Protocol, TlsMode, is_local};
pub use section::tls::TlsFiles;

use build::Lists;
use ringpost_directory::rules::Route;
use ringpost_directory::{Domains, LocalDomain, Rule, Rules};
pub use ringpost_runtime::Bind;
use ringpost_types::Cidr;
use ringpost_types::limit::Limits;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// What a running server is told. Paths are absolute or relative to the working directory: the file's folder is
/// already in front of those that were relative to the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file it came from.
    pub file: PathBuf,
    /// What the server calls itself in greetings and trace fields.
    pub hostname: String,
    /// Where logs, index and control socket are.
    pub data_dir: PathBuf,
    /// At least one.
    pub domains: Vec<LocalDomain>,
    /// At least one; the standard ones when the file names none.
    pub listeners: Vec<Listener>,
    /// What happens to recipients, in order.
    pub rules: Vec<Rule>,
    /// The smart hosts that rules name.
    pub routes: Vec<Route>,
    /// Files that the configuration names beside certificate and key: lists, passwords.
    pub files: Vec<PathBuf>,
    /// Certificate chain and key.
    pub tls: TlsFiles,
    /// How users log in.
    pub auth: Auth,
    /// Shard threads; `None`: as many as the process may use CPUs.
    pub shards: Option<u16>,
    /// Name servers; empty: the system's.
    pub dns_upstream: Vec<SocketAddr>,
    /// Octets the index may grow to; `None`: as the store thinks best.
    pub map_octets: Option<usize>,
    /// Whether mails that shrink are stored packed.
    pub compress: bool,
    /// Who is not counted at the door, beside loopback.
    pub exempt: Vec<Cidr>,
    /// The table's defaults with what `[limits]` says.
    pub limits: Limits,
}

impl Config {
    /// The rules with the domains they speak of.
    pub fn rules(&self) -> Rules {
        let domains = Domains::new(self.domains.clone());
        Rules::new(domains, self.rules.clone(), self.routes.clone())
    }
}

/// Reads and checks the text of a configuration file; asks nothing of the machine, and counts the lists that it
/// names as empty.
pub fn load(file: &Path, text: &str, overrides: &[String]) -> Result<Config, Problems> {
    let draft = read::draft(file, text, overrides)?;
    build::config(file, draft, Lists::Leave)
}

/// Reads a configuration file from disk, and the lists that it names.
pub fn open(file: &Path, overrides: &[String]) -> Result<Config, Problems> {
    match std::fs::read_to_string(file) {
        Ok(text) => build::config(file, read::draft(file, &text, overrides)?, Lists::Read),
        Err(error) => Err(Problem::of_file(
            file,
            format!(
                "cannot be read: {error}; name the configuration with --config FILE, or make one with \"ringpost init\""
            ),
        )
        .into()),
    }
}

#[cfg(test)]
mod tests;
