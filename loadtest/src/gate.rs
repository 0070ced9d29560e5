//! Waiting for many tasks of one thread without polling them.
//!
//! In:  [`Gate::enter`] before a task starts; its [`Pass`] goes when the task does.
//! Out: [`Gate::empty`] resolves when no pass is left.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Counts the tasks that have not ended.
#[derive(Clone, Default)]
pub struct Gate(Rc<Inside>);

#[derive(Default)]
struct Inside {
    passes: Cell<usize>,
    waiting: RefCell<Option<Waker>>,
}

/// Held by a task; its drop is the task's end.
pub struct Pass(Gate);

impl Gate {
    /// One more task.
    pub fn enter(&self) -> Pass {
        self.0.passes.set(self.0.passes.get() + 1);
        Pass(self.clone())
    }

    /// Resolves when all tasks have ended. One waiter at a time.
    pub async fn empty(&self) {
        poll_fn(|context| match self.0.passes.get() {
            0 => Poll::Ready(()),
            _ => {
                *self.0.waiting.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let inside = &self.0.0;
        inside.passes.set(inside.passes.get() - 1);
        if inside.passes.get() == 0
            && let Some(waker) = inside.waiting.borrow_mut().take()
        {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::Context;

    #[test]
    fn opens_with_the_last_pass() {
        let gate = Gate::default();
        let mut context = Context::from_waker(Waker::noop());
        let passes = [gate.enter(), gate.enter()];
        let mut empty = pin!(gate.empty());
        for pass in passes {
            assert!(empty.as_mut().poll(&mut context).is_pending());
            drop(pass);
        }
        assert!(empty.as_mut().poll(&mut context).is_ready());
    }
}
