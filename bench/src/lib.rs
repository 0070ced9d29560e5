//! Criterion benches of the hot kernels, and the mails they run on.
//!
//! Reading order: [`corpus`]; then `benches/kernels.rs` (octets), `benches/commands.rs` (SMTP and IMAP lines),
//! `benches/messages.rs` (what one mail costs), `benches/store.rs` (what a batch of deliveries costs),
//! `benches/search.rs` on [`letters`] (what SEARCH TEXT costs, and what it costs a mail).
//!
//! `cargo bench -p ringpost-bench` measures, `cargo bench -p ringpost-bench -- --test` only runs each once.
#![forbid(unsafe_code)]

pub mod corpus;
pub mod letters;
