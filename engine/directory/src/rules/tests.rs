//! What rules decide.
