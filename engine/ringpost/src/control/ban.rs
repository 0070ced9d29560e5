//! Bans that the operator speaks, takes back and looks at.
//!
//! In:  requests about bans. Out: the store's write, or the list; and, in a running server, the ban in force at once.

use super::request::{Answer, Plan, Request};
use crate::cli::exit::Failure;
use crate::serve::door;
use ringpost_admission::Admission;
use ringpost_admission::ban::REASON_OCTETS_MAX;
use ringpost_api::{Snapshot, Write, read};
use ringpost_runtime::time;
use ringpost_types::Cidr;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::ops::ControlFlow;

/// One ban of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanLine {
    pub network: String,
    /// Seconds since 1970 UTC.
    pub since: u64,
    /// Seconds since 1970 UTC; none: for ever.
    pub until: Option<u64>,
    /// How many times by now.
    pub count: u32,
    pub reason: String,
}

/// What a request about bans needs.
pub fn plan(snapshot: &dyn Snapshot, request: &Request) -> Result<Plan, Failure> {
    Ok(Plan::Write(match request {
        Request::BanAdd {
            network,
            until,
            reason,
        } => {
            let network = parse(network)?;
            let loopback = ["127.0.0.1", "::1"].map(|text| text.parse::<IpAddr>());
            if loopback
                .into_iter()
                .flatten()
                .any(|ip| network.contains(ip))
            {
                return Err(Failure::usage(format!(
                    "{network} has loopback addresses in it, which are always let in"
                )));
            }
            if reason.len() > REASON_OCTETS_MAX || reason.contains(char::is_control) {
                return Err(Failure::usage(format!(
                    "a reason is one line of at most {REASON_OCTETS_MAX} octets"
                )));
            }
            Write::Ban {
                network,
                until: *until,
                reason: reason.clone(),
            }
        }
        Request::BanRemove { network } => {
            let network = parse(network)?;
            // What has ended and is not swept yet may be taken back too.
            if read::ban(snapshot, network, 0)?.is_none() {
                return Err(Failure::not_well(format!("{network} is not banned")));
            }
            Write::Unban { network }
        }
        _ => return list(snapshot),
    }))
}

fn list(snapshot: &dyn Snapshot) -> Result<Plan, Failure> {
    let mut lines = Vec::new();
    read::bans(snapshot, time::now_unix(), |network, row| {
        lines.push(BanLine {
            network: network.to_string(),
            since: row.since,
            until: (row.until != u64::MAX).then_some(row.until),
            count: row.count,
            reason: row.reason.to_owned(),
        });
        ControlFlow::Continue(())
    })?;
    Ok(Plan::Answer(Answer::Bans(lines)))
}

/// Puts what the store took in force.
pub fn heard(admission: &Admission, request: &Request) {
    match request {
        Request::BanAdd {
            network,
            until,
            reason,
        } => {
            if let Ok(network) = parse(network) {
                let since = time::now_unix();
                admission.put_bans([door::ban(network, since, *until, 1, reason)]);
            }
        }
        Request::BanRemove { network } => {
            if let Ok(network) = parse(network) {
                admission.unban(&network);
            }
        }
        _ => {}
    }
}

fn parse(network: &str) -> Result<Cidr, Failure> {
    network.parse().map_err(|error| {
        Failure::usage(format!(
            "{network:?} is no network: {error}; expected 192.0.2.0/24, 2001:db8::/32 or one address"
        ))
    })
}
