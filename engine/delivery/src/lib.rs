//! From an accepted message to one log record.
