//! Byte kernels, each with a scalar twin.
//!
//! Reading order: [`line`] (line ends, delimiter lines), [`dot`] (SMTP transparency), [`canon`] (DKIM body forms),
//! [`ascii`] and [`search`] (case folding, case-blind search), [`base64`] and [`quoted`] (transfer encodings).
//!
//! A kernel is a free function of slices. On x86_64 with AVX2 the wide twin runs; the processor is asked once and the
//! answer is kept. Everywhere else, and for the last octets, the scalar twin runs. Where `memchr` has the kernel already, it is used.
//! The tests of each room run one table and random octets on both twins.

pub mod ascii;
pub mod base64;
pub mod canon;
pub mod dot;
pub mod line;
pub mod quoted;
pub mod search;

#[cfg(target_arch = "x86_64")]
mod wide;

/// Whether the AVX2 twins may run. The standard library asks the processor once and keeps the answer.
#[cfg(target_arch = "x86_64")]
#[inline]
fn avx2() -> bool {
    std::is_x86_feature_detected!("avx2")
}

#[cfg(all(test, target_arch = "x86_64"))]
mod twins;
