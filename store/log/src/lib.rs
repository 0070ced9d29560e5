//! Mail segments: records, group commit, recovery.
