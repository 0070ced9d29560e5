//! The shard's budget for octets of mails that are arriving or wait to be durable.
//!
//! In:  octets as they come. Out: whether they may stay.
//!
//! Invariant: what is charged is given back when the [`Charge`] is dropped, whatever became of the mail.

use crate::Error;
use std::cell::Cell;
use std::rc::Rc;

/// The budget. Clones share it.
#[derive(Clone, Debug)]
pub struct Memory {
    taken: Rc<Cell<u64>>,
    octets_max: u64,
}

impl Memory {
    /// A budget of so many octets: limit message_memory_octets_max.
    pub fn new(octets_max: u64) -> Self {
        Memory {
            taken: Rc::default(),
            octets_max,
        }
    }

    /// Octets in use.
    pub fn taken(&self) -> u64 {
        self.taken.get()
    }

    /// Whether a mail of so many octets would find room now. Nothing is reserved: what a stranger announces costs
    /// nobody anything.
    pub fn has_room_for(&self, octets: u64) -> bool {
        self.taken.get().saturating_add(octets) <= self.octets_max
    }

    /// Begins with nothing.
    pub fn charge(&self) -> Charge {
        Charge {
            memory: self.clone(),
            octets: 0,
        }
    }
}

/// What one mail takes of the budget.
#[derive(Debug)]
pub struct Charge {
    memory: Memory,
    octets: u64,
}

impl Charge {
    /// Takes more.
    pub fn add(&mut self, octets: usize) -> Result<(), Error> {
        let octets = octets as u64;
        if !self.memory.has_room_for(octets) {
            return Err(Error::Memory);
        }
        self.octets += octets;
        self.memory.taken.set(self.memory.taken.get() + octets);
        Ok(())
    }

    /// Octets taken.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Takes what is missing to so many octets in all.
    pub fn cover(&mut self, octets: usize) -> Result<(), Error> {
        let missing = (octets as u64).saturating_sub(self.octets);
        self.add(missing as usize)
    }

    /// Takes so many octets in all, no more and no less: what is held already, so there is no refusing it.
    pub fn set(&mut self, octets: usize) {
        let others = self.memory.taken.get() - self.octets;
        self.octets = octets as u64;
        self.memory.taken.set(others + self.octets);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.taken.set(self.memory.taken.get() - self.octets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_the_limit_and_one_above() {
        let memory = Memory::new(10);
        let (mut one, mut other) = (memory.charge(), memory.charge());
        assert_eq!(one.add(6), Ok(()));
        assert_eq!(other.add(4), Ok(()));
        assert_eq!(other.add(1), Err(Error::Memory));
        drop(one);
        assert_eq!(memory.taken(), 4);
        assert_eq!(other.add(6), Ok(()));
        assert!(!memory.has_room_for(1));
        other.set(25);
        assert_eq!((memory.taken(), other.octets()), (25, 25));
        assert_eq!(other.add(0), Err(Error::Memory));
        other.set(3);
        assert_eq!(memory.taken(), 3);
        drop(other);
        assert_eq!(memory.taken(), 0);
    }
}
