//! Timers of the shard, and the two clocks: monotonic for waiting, the wall's for headers and INTERNALDATE.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

pub use std::time::{Duration, Instant};

/// The time ran out before the future was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time ran out")
    }
}

impl std::error::Error for Elapsed {}

/// Resolves after `duration`.
pub async fn sleep(duration: Duration) {
    monoio::time::sleep(duration).await;
}

/// Waits for `future`, but not longer than `duration`. The future is dropped when the time runs out: everything
/// of [`crate::Connection`] that may be dropped says so.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    monoio::time::timeout(duration, future)
        .await
        .map_err(|_| Elapsed)
}

/// Lets the shard take one turn: the other tasks run, what has completed on the ring is seen. For loops that
/// could hold the shard for long.
pub async fn turn() {
    crate::shard::current().turn().await;
}

/// Seconds since 1970 UTC.
pub fn now_unix() -> u64 {
    since_1970().as_secs()
}

/// Milliseconds since 1970 UTC.
pub fn now_unix_ms() -> u64 {
    u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX)
}

fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// What came first of two futures; see [`first`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First<A, B> {
    /// The first future was ready.
    A(A),
    /// The second future was ready.
    B(B),
}

/// Waits for whichever is ready first, asks the first one first, and drops the other. Both must be safe to drop.
pub async fn first<A: Future, B: Future>(a: A, b: B) -> First<A::Output, B::Output> {
    let mut a = std::pin::pin!(a);
    let mut b = std::pin::pin!(b);
    std::future::poll_fn(move |context: &mut Context<'_>| {
        if let Poll::Ready(output) = Pin::as_mut(&mut a).poll(context) {
            return Poll::Ready(First::A(output));
        }
        Pin::as_mut(&mut b).poll(context).map(First::B)
    })
    .await
}
