//! Criterion benches of the hot kernels.
