//! Whoever needs space to stay as it is holds it; the tidier works in steps between.
//!
//! ```text
//!                 hold: waits for the step under way
//!  (free) <--------------------------------------------> (held, any number)
//!    ^  '-- step --> (at work) --.
//!    '---------------------------'
//! ```
//! In:  a backup, a verification, a reader of segments by their numbers. Out: a [`Hold`].
//!
//! Invariant: while a hold lives no hole is punched, no segment removed, no mail moved.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Between the tidier and those who need it to rest.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    holds: usize,
    at_work: bool,
}

/// While it lives no space is given back. Made by `Lmdb::hold_space`.
#[derive(Debug)]
pub struct Hold(Arc<Gate>);

/// A step of the tidier; ended by its drop.
#[derive(Debug)]
pub(crate) struct Step<'g>(&'g Gate);

impl Gate {
    /// Holds space; waits until the step under way, a short one, has ended.
    pub fn hold(self: &Arc<Self>) -> Hold {
        let mut state = self.state();
        state.holds += 1;
        while state.at_work {
            state = self
                .ended
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        Hold(Arc::clone(self))
    }

    /// Begins a step; `None` while anyone holds. There is one tidier.
    pub fn step(&self) -> Option<Step<'_>> {
        let mut state = self.state();
        if state.holds > 0 {
            return None;
        }
        state.at_work = true;
        Some(Step(self))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.state().holds -= 1;
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.0.state().at_work = false;
        self.0.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_hold_waits_for_the_step_and_keeps_the_next_one_back() {
        let gate = Arc::new(Gate::default());
        let step = gate.step().expect("nobody holds");
        let (told, tells) = mpsc::channel();
        let holder = {
            let gate = Arc::clone(&gate);
            std::thread::spawn(move || {
                let hold = gate.hold();
                let _ = told.send(());
                hold
            })
        };
        // It has asked, or will: either way it has nothing while the step is under way.
        assert!(tells.try_recv().is_err());
        drop(step);
        tells.recv().expect("the hold is had");
        assert!(gate.step().is_none());
        let second = gate.hold();
        drop(holder.join().expect("no panic"));
        assert!(gate.step().is_none(), "two held");
        drop(second);
        assert!(gate.step().is_some());
    }
}
