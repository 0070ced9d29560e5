//! RFC 5322 and MIME, borrowed from the octets. Never fails on mail: what is wrong with it is a [`Faults`].
//!
//! Reading order: [`scanner`] (one pass over a message while it arrives, gives the digest), [`digest`] (what was
//! found, as a view), [`header`] (walk and select header fields), [`parameter`] and [`address`] (the two grammars
//! of structured fields), [`text`] and [`word`] (decode for people), [`searchable`] (what SEARCH looks through, by way of
//! [`html`] and [`fold`]), [`date`].
//!
//! Section octets for IMAP, with `d` a [`Digest`] and `p = d.find(path)`:
//! `[HEADER]` `d.header()`, `[TEXT]` `d.body()`, `[1.2]` `p.body`, `[1.2.MIME]` `p.header`, `[1.2.HEADER]` and
//! `[1.2.TEXT]` `d.nested(p.index)`'s `header` and `body`, `[HEADER.FIELDS (…)]` those header octets through
//! [`header::select`].
#![forbid(unsafe_code)]

pub mod address;
mod boundary;
pub mod date;
mod describe;
pub mod digest;
mod fault;
pub mod fold;
pub mod header;
pub mod html;
mod lex;
pub mod parameter;
pub mod scanner;
pub mod searchable;
mod span;
pub mod text;
pub mod word;

pub use digest::{Damaged, Digest};
pub use fault::Faults;
pub use scanner::Scanner;
pub use span::Span;
