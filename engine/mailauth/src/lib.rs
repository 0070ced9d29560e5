//! Mail authentication: what the pass over DATA computes while the octets are in cache.
//!
//! Reading order: [`signature`] (the tags of a DKIM-Signature that say what to hash), [`body_hash`] (hash a body as
//! one or more signatures ask, and compare).
//!
//! DNS and key work are not here: a body hash that matches says that the body is as signed, not who signed it.
#![forbid(unsafe_code)]

pub mod body_hash;
pub mod signature;

pub use body_hash::{BodyHash, BodyHashes, BodyResult};
pub use signature::{BadSignature, Signature};
