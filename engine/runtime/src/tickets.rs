//! Writes handed to the store, and their answers: from the writer's thread to the task that waits.
//!
//! In:  `tickets.submit(store, write)` on a shard.
//! Out: a future of the outcome. All answers of one commit for this shard come in one letter, with one wake.
//!
//! Invariant: a place is freed by the answer, never before: a waiter that goes away leaves its place to the
//! answer that will still come.

use crate::inbox::Inbox;
use crate::slab::Slab;
use ringpost_api::{Error, Outcome, ReplyTo, Store, Write};
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

type Answer = Result<Outcome, Error>;

/// Where one write stands.
#[derive(Debug)]
enum Place {
    /// Submitted; the waker once somebody awaits it.
    Open(Option<Waker>),
    /// Answered, not yet taken.
    Answered(Answer),
    /// Nobody waits any more.
    Abandoned,
}

/// The writes of one shard that are under way.
pub struct Tickets {
    places: Rc<RefCell<Slab<Place>>>,
    sink: Arc<Sink>,
}

impl Tickets {
    pub(crate) fn new(inbox: Arc<Inbox>) -> Self {
        Tickets {
            places: Rc::default(),
            sink: Arc::new(Sink { inbox }),
        }
    }

    /// Hands `write` to the store at once, in the order of calls; the ticket resolves when it is durable or
    /// refused. Dropping the ticket does not take the write back.
    pub fn submit(&self, store: &dyn Store, write: Write) -> Ticket {
        let (reply, ticket) = self.reserve();
        store.submit(write, Some(reply));
        ticket
    }

    /// A ticket for a write that somebody else hands to the store, a mail log above all, and where the answer goes.
    /// The answer must come: whoever does not hand the write over answers it himself.
    pub fn reserve(&self) -> (ReplyTo, Ticket) {
        let place = self.places.borrow_mut().insert(Place::Open(None));
        let reply = ReplyTo {
            sink: self.sink.clone(),
            token: place as u64,
        };
        let ticket = Ticket {
            places: self.places.clone(),
            place: Some(place),
        };
        (reply, ticket)
    }

    /// Writes not answered yet.
    pub fn open(&self) -> usize {
        self.places.borrow().len()
    }

    fn answer(&self, token: u64, answer: Answer) {
        let mut places = self.places.borrow_mut();
        let Some(place) = places.get_mut(token as usize) else {
            debug_assert!(false, "an answer for a place that is free");
            return;
        };
        match std::mem::replace(place, Place::Answered(answer)) {
            Place::Open(waker) => {
                drop(places);
                waker.into_iter().for_each(Waker::wake);
            }
            Place::Abandoned | Place::Answered(_) => {
                places.remove(token as usize);
            }
        }
    }
}

/// A write under way. See [`Tickets::submit`].
#[must_use = "an outcome may be an error"]
pub struct Ticket {
    places: Rc<RefCell<Slab<Place>>>,
    place: Option<usize>,
}

impl Future for Ticket {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let at = self
            .place
            .expect("a ticket is not polled after its outcome");
        let mut places = self.places.borrow_mut();
        if let Some(Place::Open(waker)) = places.get_mut(at) {
            *waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        let answered = places.remove(at);
        drop(places);
        self.place = None;
        match answered {
            Some(Place::Answered(answer)) => Poll::Ready(answer),
            _ => Poll::Ready(Err(Error::Closed)),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(at) = self.place else { return };
        let mut places = self.places.borrow_mut();
        match places.get_mut(at) {
            Some(place @ Place::Open(_)) => *place = Place::Abandoned,
            _ => drop(places.remove(at)),
        }
    }
}

/// The store's side: carries a commit's answers over in one letter.
struct Sink {
    inbox: Arc<Inbox>,
}

impl ringpost_api::store::Sink for Sink {
    fn complete(&self, answers: Vec<(u64, Answer)>) {
        self.inbox.post(Box::new(move |shard| {
            for (token, answer) in answers {
                shard.tickets.answer(token, answer);
            }
        }));
    }
}
