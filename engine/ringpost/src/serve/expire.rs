//! What is kept for a while goes when its time is over: transcripts, bans, reputations.
//!
//! The store drops a bounded number of rows with each write; while there are more the next one follows at once.

use ringpost_api::{Answer, Outcome, ReplyTo, Sink, Store, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;
use tokio::time::{Interval, interval};

/// How often. What has ended counts no more, whether it is gone or not.
const EVERY: Duration = Duration::from_secs(60);

/// Asks the store to drop what has expired, now and then.
pub struct Expiry {
    store: Arc<dyn Store>,
    clock: Interval,
    more: Arc<More>,
}

/// Hears whether there is more.
#[derive(Default)]
struct More(Notify);

impl Sink for More {
    fn complete(&self, answers: Vec<Answer>) {
        // A store that cannot do it now is asked again when it is time.
        let swept = |(_, outcome): &Answer| matches!(outcome, Ok(Outcome::Swept { more: true }));
        if answers.iter().any(swept) {
            self.0.notify_one();
        }
    }
}

impl Expiry {
    /// To be called on the control plane.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Expiry {
            store,
            clock: interval(EVERY),
            more: Arc::default(),
        }
    }

    /// Waits until it is time, and asks. May be dropped and raced.
    pub async fn turn(&mut self) {
        tokio::select! {
            _ = self.clock.tick() => {}
            () = self.more.0.notified() => {}
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since.map_or(0, |since| since.as_secs());
        let sink: Arc<dyn Sink> = self.more.clone();
        let reply = ReplyTo { sink, token: 0 };
        self.store.submit(Write::Expire { now }, Some(reply));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringpost_api::{Error, Feed, Snapshot};
    use std::sync::Mutex;
    use std::sync::Weak;

    /// Has more twice.
    #[derive(Default)]
    struct Full(Mutex<u32>);

    impl Store for Full {
        fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, Error> {
            Err(Error::Closed)
        }

        fn submit(&self, write: Write, reply: Option<ReplyTo>) {
            assert!(matches!(write, Write::Expire { .. }));
            let mut asked = self.0.lock().expect("no panic");
            *asked += 1;
            let more = *asked < 3;
            if let Some(ReplyTo { sink, token }) = reply {
                sink.complete(vec![(token, Ok(Outcome::Swept { more }))]);
            }
        }

        fn lag_octets(&self) -> u64 {
            0
        }

        fn subscribe(&self, _: Weak<dyn Feed>) {}
    }

    #[test]
    fn it_goes_on_while_there_is_more() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        let store = Arc::new(Full::default());
        runtime.block_on(async {
            let mut expiry = Expiry::new(store.clone());
            // The first at once, two because there was more; a fourth would wait for the clock.
            for _ in 0..3 {
                expiry.turn().await;
            }
            let fourth = std::pin::pin!(expiry.turn());
            let waker = std::task::Waker::noop();
            let mut context = std::task::Context::from_waker(waker);
            assert!(std::future::Future::poll(fourth, &mut context).is_pending());
        });
        assert_eq!(*store.0.lock().expect("no panic"), 3);
    }
}
