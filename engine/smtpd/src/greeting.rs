//! Before the greeting: a moment in which a client that does not listen shows itself. RFC 5321 §4.3.1.
//!
//! In:  a connection that has not been greeted. Out: whether its peer kept quiet.
//!
//! A mail host waits for the greeting; many a bot sends its script at once and never reads. Whoever is exempt from
//! admission's bounds does not wait, nor does a user, nor whoever begins with TLS: there the client speaks first.

use ringpost_runtime::time::{Duration, First, first, sleep};
use ringpost_runtime::{Connection, Shard};
use std::io;

/// What the peer did meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manners {
    /// It waited.
    Quiet,
    /// It spoke.
    Talked,
    /// It went away.
    Left,
    /// The server leaves.
    Drained,
}

/// Waits for `delay_ms`, without a buffer as long as nothing comes.
pub(crate) async fn wait(connection: &mut Connection, shard: &Shard, delay_ms: u64) -> Manners {
    let pause = first(sleep(Duration::from_millis(delay_ms)), shard.drain());
    match first(connection.fill(), pause).await {
        First::A(filled) => judge(filled),
        First::B(First::A(())) => Manners::Quiet,
        First::B(First::B(())) => Manners::Drained,
    }
}

/// What octets, or their end, before the greeting mean.
fn judge(filled: io::Result<usize>) -> Manners {
    match filled {
        Ok(0) | Err(_) => Manners::Left,
        Ok(_) => Manners::Talked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_the_greeting() {
        assert_eq!(judge(Ok(0)), Manners::Left);
        assert_eq!(judge(Ok(6)), Manners::Talked);
        let broken = io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(judge(Err(broken)), Manners::Left);
    }
}
