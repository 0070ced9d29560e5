//! Words everyone speaks: ids, addresses, replies, limits. No I/O, no clock.
//!
//! Reading order: [`id`], [`address`], [`network`], [`reply`], [`limit`].
#![forbid(unsafe_code)]

pub mod address;
pub mod id;
pub mod limit;
pub mod network;
pub mod reply;

pub use address::{Address, Domain};
pub use id::{AccountId, BlobId, ItemId, MailboxId, ModSeq, TraceId, Uid};
pub use network::Cidr;
pub use reply::Reply;
