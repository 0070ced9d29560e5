//! The index in LMDB: rows, the one writer, snapshots.
