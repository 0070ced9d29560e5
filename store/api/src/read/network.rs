//! What is known of networks and sessions: bans, reputations, transcripts.
//!
//! In:  a snapshot; a network or a trace; the time, where something may have ended.
//! Out: rows. What has ended and is not swept yet is not shown.

use crate::network::{self, BanRow, ReputationRow, Trap, no_network};
use crate::{Error, Snapshot, Table, key, read, transcript as rows};
use ringpost_types::{Cidr, TraceId};
use std::ops::ControlFlow;

/// The ban of exactly this network, if it has one at `now`, in seconds since 1970 UTC. An address may be banned with a
/// network around it: whoever asks asks for each size that bans have.
pub fn ban<'t>(
    snapshot: &'t (dyn Snapshot + 't),
    network: Cidr,
    now: u64,
) -> Result<Option<BanRow<'t>>, Error> {
    let row = snapshot.get(Table::Ban, &network::key(network))?;
    let row = row.map(BanRow::read).transpose()?;
    Ok(row.filter(|row| row.until > now))
}

/// Every ban at `now`, by network.
pub fn bans(
    snapshot: &dyn Snapshot,
    now: u64,
    mut visit: impl FnMut(Cidr, BanRow<'_>) -> ControlFlow<()>,
) -> Result<(), Error> {
    read::scan(snapshot, Table::Ban, &[], &[], |key, value| {
        let network = network::read(key).ok_or_else(|| no_network(Table::Ban))?;
        let row = BanRow::read(value)?;
        Ok(match row.until > now {
            true => visit(network, row),
            false => ControlFlow::Continue(()),
        })
    })
}

/// How often a network was caught.
pub fn reputation(
    snapshot: &dyn Snapshot,
    kind: Trap,
    network: Cidr,
) -> Result<Option<ReputationRow>, Error> {
    snapshot
        .get(Table::Reputation, &kind.key(network))?
        .map(ReputationRow::read)
        .transpose()
}

/// Every network that was caught, by kind and network.
pub fn reputations(
    snapshot: &dyn Snapshot,
    mut visit: impl FnMut(Trap, Cidr, ReputationRow) -> ControlFlow<()>,
) -> Result<(), Error> {
    read::scan(snapshot, Table::Reputation, &[], &[], |key, value| {
        let (kind, network) = Trap::read(key).ok_or_else(|| no_network(Table::Reputation))?;
        Ok(visit(kind, network, ReputationRow::read(value)?))
    })
}

/// When a session ended, in seconds since 1970 UTC, and what it said.
pub fn transcript(snapshot: &dyn Snapshot, trace: TraceId) -> Result<Option<(u64, String)>, Error> {
    snapshot
        .get(Table::Transcript, &key::trace(trace))?
        .map(rows::read)
        .transpose()
}
