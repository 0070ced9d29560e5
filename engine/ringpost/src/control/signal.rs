//! Signals as octets of a socket: SIGTERM and SIGINT to drain, SIGHUP to reload.
//!
//! A handler may do next to nothing; signal-hook's writes one octet into a socket that the control plane reads.
//! Registered before the first listener opens, so no signal finds the default action once the server is ready.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use tokio::io::AsyncReadExt;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Stop taking connections, finish, leave.
    Drain,
    /// Read the configuration again.
    Reload,
}

/// The receiving ends, until the control plane takes them.
pub struct Pipes {
    drain: UnixStream,
    reload: UnixStream,
}

/// Takes the signals over from their default actions.
pub fn register() -> io::Result<Pipes> {
    Ok(Pipes {
        drain: one_for(&[SIGTERM, SIGINT])?,
        reload: one_for(&[SIGHUP])?,
    })
}

fn one_for(signals: &[i32]) -> io::Result<UnixStream> {
    let (receiver, sender) = UnixStream::pair()?;
    for signal in signals {
        pipe::register(*signal, sender.try_clone()?)?;
    }
    receiver.set_nonblocking(true)?;
    Ok(receiver)
}

impl Pipes {
    /// Whether the server was told to leave before it began to serve. Never waits.
    pub fn told_to_leave(&mut self) -> bool {
        matches!(self.drain.read(&mut [0]), Ok(1))
    }
}

/// The signals on the control plane's thread.
pub struct Signals {
    drain: tokio::net::UnixStream,
    reload: tokio::net::UnixStream,
}

impl Pipes {
    /// Hands them to the thread's tokio context.
    pub fn listen(self) -> io::Result<Signals> {
        Ok(Signals {
            drain: tokio::net::UnixStream::from_std(self.drain)?,
            reload: tokio::net::UnixStream::from_std(self.reload)?,
        })
    }
}

impl Signals {
    /// The next signal. May be dropped and raced.
    pub async fn next(&mut self) -> Wish {
        tokio::select! {
            biased;
            () = one(&mut self.drain) => Wish::Drain,
            () = one(&mut self.reload) => Wish::Reload,
        }
    }
}

/// One octet; never resolves once the socket is broken, for then no signal can come.
async fn one(stream: &mut tokio::net::UnixStream) {
    if stream.read_u8().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use signal_hook::low_level::raise;

    #[test]
    fn a_signal_before_the_server_serves_is_not_lost() {
        let mut pipes = register().expect("registered");
        assert!(!pipes.told_to_leave());
        raise(SIGHUP).expect("raised");
        assert!(!pipes.told_to_leave());
        raise(SIGTERM).expect("raised");
        assert!(pipes.told_to_leave());
    }
}
