//! Letters to a shard: the one way in which another thread reaches it.
//!
//! In:  closures from any thread, run in order of posting on the shard.
//! Out: one wake of the shard's ring for however many letters lie there when it looks.
//!
//! Invariant: a letter posted is run, unless the shard has ended; `called` is true from the first letter until
//! the shard begins to take them, so a second poster does not wake again.

use crate::Shard;
use crossbeam::queue::SegQueue;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// What a letter says: something to do on the shard. It must be quick.
pub type Letter = Box<dyn FnOnce(&Rc<Shard>) + Send>;

/// The letter box of one shard.
#[derive(Default)]
pub struct Inbox {
    letters: SegQueue<Letter>,
    called: AtomicBool,
    reader: Mutex<Option<Waker>>,
}

impl Inbox {
    /// Drops a letter in, from any thread.
    pub fn post(&self, letter: Letter) {
        self.letters.push(letter);
        if self.called.swap(true, Ordering::AcqRel) {
            return;
        }
        let reader = self
            .reader
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Takes one letter, or leaves the waker to be called for the next.
    pub(crate) fn poll_take(&self, context: &mut Context<'_>) -> Poll<Letter> {
        if let Some(letter) = self.letters.pop() {
            return Poll::Ready(letter);
        }
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        self.called.swap(false, Ordering::AcqRel);
        // A letter that came between the look and the waker was not called out.
        match self.letters.pop() {
            Some(letter) => Poll::Ready(letter),
            None => Poll::Pending,
        }
    }
}
