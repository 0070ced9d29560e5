//! Who may come in: connections and rates by address, network and account, bans, and what gives way when memory runs
//! short. One [`Admission`] for all shards.
//!
//! In:  addresses, account names, what they do, and the time. Out: a [`Verdict`] with its reason.
//!
//! Reading order: [`admission`] (a connection enters, counts, leaves), [`login`] (failed logins), [`verdict`], [`policy`]
//! (how much of what), [`bucket`], [`table`], [`ban`], [`network`]; then [`memory`] (the budget) and [`shed`] (who gives
//! way, in which order).
//!
//! No clock, no randomness, no I/O: the time is Unix milliseconds, handed in, and the seed of the tables comes from the
//! start. Whatever a stranger can fill is of fixed size, and what falls out of it is what would have been forgotten first.
//! Nothing is allocated for a connection: a set of a table is, once, when the first address falls into it.

#![forbid(unsafe_code)]

pub mod admission;
pub mod ban;
pub mod bucket;
pub mod login;
pub mod memory;
pub mod network;
pub mod policy;
pub mod shed;
pub mod table;
pub mod verdict;

pub use admission::{Admission, Guard};
pub use ban::Ban;
pub use memory::{Budget, Share};
pub use network::Network;
pub use policy::{Count, Policy};
pub use shed::Step;
pub use verdict::{Reason, Scope, Verdict};
