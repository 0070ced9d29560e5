//! Whose a bearer token is. Told by the control plane, for it takes HTTP; remembered for as long as the token lives,
//! ten minutes at most, for a token can be taken back.
//!
//! In:  a token. Out, some day, on the asking shard: its [`Holder`], or why there is none.

use crate::cache::Aging;
use aws_lc_rs::digest;
use ringpost_sasl::Secret;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

/// How long what a token meant is believed, in milliseconds.
const AGE_MS: u64 = 10 * 60 * 1_000;

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The claim that names the account: an address.
    pub name: String,
    /// When the token ends, in milliseconds since 1970 UTC.
    pub until_ms: u64,
}

/// Why a token is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// Not a token, not for us, over, or taken back. Theirs, permanent.
    Invalid,
    /// Nobody can be asked just now. Ours, temporary.
    Unavailable,
}

/// Somebody who knows tokens, on a thread of their own.
pub trait Tokens: Send + Sync {
    /// Asks. Returns at once; the answer is given later, from any thread, or dropped.
    fn ask(&self, token: Secret, answer: Answer);
}

/// Where an answer goes. Dropped without one, it is [`TokenError::Unavailable`].
pub struct Answer(Arc<Mutex<Desk>>);

#[derive(Default)]
struct Desk {
    state: State,
    waker: Option<Waker>,
}

#[derive(Default)]
enum State {
    #[default]
    Waiting,
    Told(Result<Holder, TokenError>),
}

impl Answer {
    /// Gives it.
    pub fn give(self, answer: Result<Holder, TokenError>) {
        self.tell(answer);
    }

    fn tell(&self, answer: Result<Holder, TokenError>) {
        let mut desk = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Waiting = desk.state {
            desk.state = State::Told(answer);
            let waker = desk.waker.take();
            drop(desk);
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.tell(Err(TokenError::Unavailable));
    }
}

/// A question's answer and the place where it will be given. The future may be dropped.
pub fn question() -> (Answer, impl Future<Output = Result<Holder, TokenError>>) {
    let desk = Arc::<Mutex<Desk>>::default();
    let answer = Answer(desk.clone());
    let waiting = poll_fn(move |context| {
        let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
        match &desk.state {
            State::Told(answer) => Poll::Ready(answer.clone()),
            State::Waiting => {
                desk.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    });
    (answer, waiting)
}

/// Tokens of the last minutes, by their hash.
pub struct Known(Aging<[u8; 32], String>);

impl Known {
    /// At most `entries_max`.
    pub fn new(entries_max: usize) -> Known {
        Known(Aging::new(entries_max))
    }

    /// Whose it is, where that was told lately.
    pub fn find(&self, token: &Secret, now_ms: u64) -> Option<String> {
        self.0.find(&hash(token), now_ms).cloned()
    }

    /// Remembers whose it is until it ends.
    pub fn remember(&mut self, token: &Secret, holder: &Holder, now_ms: u64) {
        let until_ms = holder.until_ms.min(now_ms.saturating_add(AGE_MS));
        self.0.put(hash(token), holder.name.clone(), until_ms);
    }
}

fn hash(token: &Secret) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, token.expose());
    digest.as_ref().try_into().expect("SHA-256 has 32 octets")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Wake};

    #[derive(Default)]
    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    fn holder(until_ms: u64) -> Holder {
        Holder {
            name: "a@x.test".into(),
            until_ms,
        }
    }

    #[test]
    fn an_answer_wakes_and_a_dropped_one_too() {
        for given in [Some(Ok(holder(1))), None] {
            let flag = Arc::<Flag>::default();
            let waker = flag.clone().into();
            let mut context = Context::from_waker(&waker);
            let (answer, waiting) = question();
            let mut waiting = pin!(waiting);
            assert!(waiting.as_mut().poll(&mut context).is_pending());
            assert!(!flag.0.load(Ordering::SeqCst));
            match given.clone() {
                Some(given) => answer.give(given),
                None => drop(answer),
            }
            assert!(flag.0.load(Ordering::SeqCst));
            let expected = given.unwrap_or(Err(TokenError::Unavailable));
            assert_eq!(waiting.poll(&mut context), Poll::Ready(expected));
        }
    }

    #[test]
    fn known_until_it_ends_and_for_minutes() {
        let (mut known, token) = (Known::new(4), Secret::from("token"));
        known.remember(&token, &holder(5_000), 1_000);
        assert_eq!(known.find(&token, 4_999).as_deref(), Some("a@x.test"));
        assert_eq!(known.find(&token, 5_000), None);
        assert_eq!(known.find(&Secret::from("tokem"), 2_000), None);
        known.remember(&token, &holder(u64::MAX), 1_000);
        assert!(known.find(&token, 1_000 + AGE_MS - 1).is_some());
        assert!(known.find(&token, 1_000 + AGE_MS).is_none());
    }
}
