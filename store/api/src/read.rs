//! Typed look-ups in a snapshot.
