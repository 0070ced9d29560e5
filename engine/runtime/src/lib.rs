//! The machine: shard threads on io_uring, listeners, connections, TLS.
