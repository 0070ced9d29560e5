//! A log as its users see it, over blocking files with a switch that makes them fail, and a counter for what a batch
//! costs.

mod commit;
mod large;
mod moved;
mod packed;
mod recovery;
mod scene;
mod versions;
