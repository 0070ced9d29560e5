//! Recovery.
pub struct Recovery;
