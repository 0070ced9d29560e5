//! Mail authentication: what the DATA pass hashes.
