//! One at a time: the streams of a log take turns at making their octets durable.
//!
//! In:  whoever wants its turn. Out: [`Held`], when it has come; the next one's comes when it is dropped. First come, first
//! served; whoever stops waiting is passed over.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// What is waited for.
#[derive(Default)]
pub(crate) struct Turn {
    taken: Cell<bool>,
    waiting: RefCell<VecDeque<Rc<Ticket>>>,
}

#[derive(Default)]
struct Ticket {
    called: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// It is someone's turn.
pub(crate) struct Held<'t>(&'t Turn);

impl Turn {
    /// Waits for it.
    pub async fn take(&self) -> Held<'_> {
        if !self.taken.replace(true) {
            return Held(self);
        }
        let mut place = Place {
            turn: self,
            ticket: Rc::default(),
            is_waiting: true,
        };
        self.waiting.borrow_mut().push_back(place.ticket.clone());
        poll_fn(|context| {
            if place.ticket.called.get() {
                return Poll::Ready(());
            }
            place.ticket.waker.replace(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
        place.is_waiting = false;
        Held(self)
    }

    /// Calls the next one.
    fn pass(&self) {
        let next = self.waiting.borrow_mut().pop_front();
        self.taken.set(next.is_some());
        if let Some(next) = next {
            next.called.set(true);
            next.waker.take().into_iter().for_each(Waker::wake);
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.pass();
    }
}

/// A place in the queue.
struct Place<'t> {
    turn: &'t Turn,
    ticket: Rc<Ticket>,
    is_waiting: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.is_waiting {
            return;
        }
        if self.ticket.called.get() {
            self.turn.pass();
        } else {
            let mut waiting = self.turn.waiting.borrow_mut();
            waiting.retain(|ticket| !Rc::ptr_eq(ticket, &self.ticket));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::Context;

    #[test]
    fn one_at_a_time_in_order_and_past_who_left() {
        let turn = Turn::default();
        let mut context = Context::from_waker(Waker::noop());
        let (mut first, mut second) = (pin!(turn.take()), pin!(turn.take()));
        let Poll::Ready(held) = first.as_mut().poll(&mut context) else {
            panic!("nobody has it");
        };
        assert!(second.as_mut().poll(&mut context).is_pending());
        let mut third = Box::pin(turn.take());
        let mut fourth = Box::pin(turn.take());
        assert!(third.as_mut().poll(&mut context).is_pending());
        assert!(fourth.as_mut().poll(&mut context).is_pending());
        drop(third);
        drop(held);
        assert!(fourth.as_mut().poll(&mut context).is_pending());
        let Poll::Ready(held) = second.as_mut().poll(&mut context) else {
            panic!("it was called");
        };
        drop(held);
        // Called, and gone before it looked.
        drop(fourth);
        assert!(pin!(turn.take()).poll(&mut context).is_ready());
    }
}
