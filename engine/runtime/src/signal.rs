//! Something that happens once on a shard and that many tasks wait for.

use crate::slab::Slab;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Not given, then given for ever.
#[derive(Debug, Default)]
pub struct Signal {
    given: Cell<bool>,
    waiting: RefCell<Slab<Waker>>,
}

impl Signal {
    /// Gives the signal and wakes whoever waits.
    pub fn give(&self) {
        self.given.set(true);
        let waiting: Vec<Waker> = self.waiting.borrow_mut().drain().collect();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether it has been given.
    pub fn is_given(&self) -> bool {
        self.given.get()
    }

    /// Resolves once it is given. May be dropped and raced.
    pub fn wait(&self) -> Wait<'_> {
        Wait {
            signal: self,
            place: None,
        }
    }
}

/// See [`Signal::wait`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Wait<'s> {
    signal: &'s Signal,
    place: Option<usize>,
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.signal.is_given() {
            return Poll::Ready(());
        }
        let mut waiting = self.signal.waiting.borrow_mut();
        match self.place.and_then(|place| waiting.get_mut(place)) {
            Some(waker) => waker.clone_from(context.waker()),
            None => {
                let place = waiting.insert(context.waker().clone());
                drop(waiting);
                self.place = Some(place);
            }
        }
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        // Once given, the places are gone and may be another's.
        if let Some(place) = self.place
            && !self.signal.is_given()
        {
            self.signal.waiting.borrow_mut().remove(place);
        }
    }
}
