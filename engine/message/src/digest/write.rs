//! Writes digests.
