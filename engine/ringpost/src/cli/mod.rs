//! The command line: what can be typed, and who does it. Exit codes are in [`exit`].
//!
//! The grammar is the doc comments and attributes here, help is made from them. Each command has its room, which
//! takes its arguments and returns how the process ends.

pub mod account;
pub mod alias;
pub mod app_password;
pub mod backup;
pub mod ban;
pub mod check;
pub mod demo;
pub mod dns;
pub mod exit;
pub mod explain;
pub mod export;
pub mod import;
pub mod init;
pub mod password;
pub mod progress;
pub mod queue;
pub mod rebuild;
pub mod restore;
pub mod store;
pub mod trace;
pub mod usage;
pub mod verify;

use clap::{Args, Parser, Subcommand};
use exit::{Exit, Failure};
use std::path::PathBuf;
use std::process::ExitCode;

/// A whole mail server in one binary.
#[derive(Parser)]
#[command(name = "ringpost", version, arg_required_else_help = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a server on loopback high ports with domain example.test and two accounts
    Demo(demo::Demo),
    /// Write a configuration, keys and a data folder, and print the DNS records to publish
    Init(init::Init),
    /// Run the server
    Serve(Named),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Add, change, remove and list accounts
    #[command(subcommand)]
    Account(account::Account),
    /// Add, remove and list aliases
    #[command(subcommand)]
    Alias(alias::Alias),
    /// Keep networks out, let them in again, and see who is out
    #[command(subcommand)]
    Ban(ban::Ban),
    Backup(backup::Backup),
    Restore(restore::Restore),
    #[command(subcommand)]
    Import(import::Import),
    #[command(subcommand)]
    Export(export::Export),
    /// Look at what is on its way to other hosts, hold it, let it go, drop it
    #[command(subcommand)]
    Queue(queue::Queue),
    /// How the store is
    #[command(subcommand)]
    Store(store::Store),
    Trace(trace::Trace),
    Verify(verify::Verify),
    Rebuild(rebuild::Rebuild),
    Usage(usage::UsageOf),
    /// DNS records of a local domain
    #[command(subcommand)]
    Dns(dns::Dns),
}

#[derive(Subcommand)]
enum ConfigCommand {
    Check(check::Check),
    Explain(explain::Explain),
}

/// Which configuration.
#[derive(Args, Clone, Debug)]
pub struct Named {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "ringpost.toml")]
    pub config: PathBuf,
    /// Override one key for this run, such as runtime.shards=2; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
}

impl Named {
    /// Reads it.
    pub fn open(&self) -> Result<crate::config::Config, Failure> {
        Ok(crate::config::open(&self.config, &self.overrides)?)
    }
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    // Clap ends the process itself for help (0) and for what it does not understand (2).
    let line = Line::parse();
    let done = match line.command {
        Command::Demo(demo) => demo.run(),
        Command::Init(init) => init.run(),
        Command::Serve(named) => serve(&named),
        Command::Config(ConfigCommand::Check(check)) => check.run(),
        Command::Config(ConfigCommand::Explain(explain)) => explain.run(),
        Command::Account(account) => account.run(),
        Command::Alias(alias) => alias.run(),
        Command::Ban(ban) => ban.run(),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::Import(import) => import.run(),
        Command::Export(export) => export.run(),
        Command::Queue(queue) => queue.run(),
        Command::Store(store) => store.run(),
        Command::Trace(trace) => trace.run(),
        Command::Verify(verify) => verify.run(),
        Command::Rebuild(rebuild) => rebuild.run(),
        Command::Usage(usage) => usage.run(),
        Command::Dns(dns) => dns.run(),
    };
    match done {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            tell(&failure.text);
            failure.exit.into()
        }
    }
}

fn serve(named: &Named) -> Result<(), Failure> {
    let config = named.open()?;
    crate::serve::run(config, crate::serve::Hooks::none(named.overrides.clone()))
}

/// Prints a failure, or any line for the operator, on stderr. A closed stderr is no reason to fail.
pub fn tell(text: &str) {
    use std::io::Write;
    let mut out = std::io::stderr().lock();
    for line in text.lines() {
        let _ = writeln!(out, "ringpost: {line}");
    }
}

/// Prints a result on stdout; a closed pipe ends the process quietly, as for any filter.
pub fn print(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    if out
        .write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_err()
    {
        std::process::exit(Exit::Done as i32);
    }
}

/// A list as JSON, one line.
pub fn json<T: serde::Serialize>(list: &T) -> String {
    let mut text = serde_json::to_string(list).expect("rows of strings and numbers are JSON");
    text.push('\n');
    text
}
