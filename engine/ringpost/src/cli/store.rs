//! `ringpost store status`.

use super::exit::Failure;
use super::{Named, print};
use crate::control::client;
use crate::control::request::{Answer, Request};
use crate::control::status::Status;
use clap::Subcommand;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Subcommand)]
pub enum Store {
    /// Say whether the index does all it should; exit 1 if it does not
    Status {
        /// Print a JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        named: Named,
    },
}

impl Store {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        let Store::Status { json, named } = self;
        let Answer::Report(report) = client::ask(&named.open()?, Request::StoreStatus)? else {
            return Err(Failure::unreachable("the server answers another question"));
        };
        let status: Status = serde_json::from_value(report).map_err(Failure::unreachable)?;
        print(&match json {
            true => super::json(&status),
            false => status.text(now()),
        });
        match status.reason {
            None => Ok(()),
            Some(reason) => Err(Failure::not_well(format!(
                "the index is degraded: {reason}"
            ))),
        }
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
