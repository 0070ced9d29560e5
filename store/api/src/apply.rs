//! Turns a write into rows: the only place that knows how tables hang together.
