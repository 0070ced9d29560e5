//! The session as dialogues: each is played whole, cut once at every place of every turn, and octet by octet; the cut must
//! not show. [`played`] is the service they talk to and how a dialogue is written.

mod bodies;
mod bounds;
mod extensions;
mod lmtp;
mod logins;
mod played;
mod proxies;
mod smuggling;
mod spoken;
mod transactions;
