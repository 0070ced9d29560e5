//! What a store takes on disk, and whether all of it is there: the tidier, `verify`, `usage`, `rebuild`.
//!
//! Reading order: `yard` (a store with a log of its own, mails by number), then a room for each.

mod churn;
mod damage;
mod first;
mod killed;
mod queue;
mod rebuild;
mod room;
mod yard;
