//! The shard's budget for octets of mails that are arriving or wait to be durable, within the budget of the server.
//!
//! In:  octets as they come. Out: whether they may stay.
//!
//! New mails give way before memory is gone; one that is being taken goes on for as long as it fits.
//!
//! Invariant: what is charged is given back when the [`Charge`] is dropped, whatever became of the mail.

use crate::Error;
use ringpost_admission::memory::Use;
use ringpost_admission::{Budget, Step};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// The budget. Clones share it.
#[derive(Clone, Debug)]
pub struct Memory {
    taken: Rc<Cell<u64>>,
    octets_max: u64,
    all: Arc<Budget>,
}

impl Memory {
    /// A budget of so many octets, limit message_memory_octets_max, of what `all` has.
    pub fn new(octets_max: u64, all: Arc<Budget>) -> Self {
        Memory {
            taken: Rc::default(),
            octets_max,
            all,
        }
    }

    /// Whether a mail may begin.
    pub fn takes_new(&self) -> bool {
        self.all.step() < Some(Step::NewMails)
    }

    /// Octets in use.
    pub fn taken(&self) -> u64 {
        self.taken.get()
    }

    /// Whether a mail of so many octets would find room now. Nothing is reserved: what a stranger announces costs
    /// nobody anything.
    pub fn has_room_for(&self, octets: u64) -> bool {
        let fits = self.taken.get().saturating_add(octets) <= self.octets_max;
        fits && self.all.has_room_for(octets)
    }

    fn set(&self, before: u64, after: u64) {
        self.taken.set(self.taken.get() - before + after);
        match after >= before {
            true => self.all.add(Use::Mails, after - before),
            false => self.all.sub(Use::Mails, before - after),
        }
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
        self.memory.set(self.octets, self.octets + octets);
        self.octets += octets;
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
        self.memory.set(self.octets, octets as u64);
        self.octets = octets as u64;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.set(self.octets, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_the_limit_and_one_above() {
        let all = Budget::new(100);
        let memory = Memory::new(10, all.clone());
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
        assert_eq!(all.taken(), 3);
        drop(other);
        assert_eq!((memory.taken(), all.taken()), (0, 0));
    }

    #[test]
    fn the_servers_budget_holds_for_every_shard() {
        let all = Budget::new(100);
        let (here, there) = (Memory::new(80, all.clone()), Memory::new(80, all.clone()));
        let (mut one, mut other) = (here.charge(), there.charge());
        assert_eq!(one.add(60), Ok(()));
        assert_eq!(other.add(29), Ok(()));
        assert!(here.takes_new(), "89 percent");
        assert_eq!(other.add(1), Ok(()));
        assert!(!here.takes_new(), "90 percent");
        // What is being taken goes on, up to the last octet.
        assert_eq!(other.add(10), Ok(()));
        assert_eq!(other.add(1), Err(Error::Memory));
        assert_eq!(one.add(1), Err(Error::Memory));
        drop(other);
        assert!(here.takes_new());
        assert_eq!(one.add(20), Ok(()));
        assert_eq!(one.add(1), Err(Error::Memory), "the shard's own");
    }
}
