//! Byte kernels, each with a scalar twin.
