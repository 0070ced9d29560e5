//! A value that many threads read and one sometimes replaces: configuration, certificates.
//!
//! A reader takes the value once, at the start of its connection or command, and keeps what it took: a reload
//! never changes anything under a running session.

use std::sync::{Arc, PoisonError, RwLock};

/// The value in force.
#[derive(Debug, Default)]
pub struct Shared<T> {
    value: RwLock<Arc<T>>,
}

impl<T> Shared<T> {
    /// Starts with `value`.
    pub fn new(value: T) -> Self {
        Shared {
            value: RwLock::new(Arc::new(value)),
        }
    }

    /// The value as of now.
    pub fn load(&self) -> Arc<T> {
        // A writer only stores a pointer, so a poisoned lock still guards a whole value.
        Arc::clone(&self.value.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts `value` in force; who loaded the old one keeps it.
    pub fn store(&self, value: T) {
        *self.value.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_keeps_what_it_took() {
        let shared = Shared::new(1);
        let taken = shared.load();
        shared.store(2);
        assert_eq!((*taken, *shared.load()), (1, 2));
    }
}
