//! A connection to the server under load, plain or TLS, and what can go wrong with it.
//!
//! In:  a [`Target`](crate::target::Target) and whether it is TLS at once.
//! Out: the runtime's [`Connection`], errors as [`Error`].
//!
//! Certificates are not checked: servers under test sign their own, and no secret but the test's own password
//! goes over the wire. It is loopback unless `--anywhere` was said.

use std::fmt;
use std::io;
use std::time::Duration;

use ringpost_runtime::{Connection, TlsClient};

use crate::target::{Target, Tls};

/// Why a session ended early.
#[derive(Debug)]
pub enum Error {
    /// No connection came about.
    Connect(io::Error),
    /// The connection broke.
    Broken(io::Error),
    /// The server closed it.
    Closed,
    /// Nothing came for so long that nothing will.
    Silence,
    /// What came is not the protocol.
    Malformed,
    /// The server said no where no is the end: greeting, login, a command that must work.
    Refused(String),
}

/// How long a reply may take. Longer than any group commit, and a test run shall end.
pub const PATIENCE: Duration = Duration::from_secs(60);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Connect(error) => write!(f, "cannot connect: {error}"),
            Error::Broken(error) => write!(f, "the connection broke: {error}"),
            Error::Closed => f.write_str("the server closed the connection"),
            Error::Silence => f.write_str("the server said nothing for too long"),
            Error::Malformed => f.write_str("the server's answer is not of the protocol"),
            Error::Refused(text) => write!(f, "refused: {text}"),
        }
    }
}

impl std::error::Error for Error {}

/// Connects, and with [`Tls::Implicit`] does the handshake.
pub async fn connect(target: &Target, tls: Tls, client: &TlsClient) -> Result<Connection, Error> {
    let mut connection = Connection::connect(&target.bind())
        .await
        .map_err(Error::Connect)?;
    connection.silence_max(PATIENCE);
    if tls == Tls::Implicit {
        start_tls(&mut connection, client).await?;
    }
    Ok(connection)
}

/// Makes an open connection TLS.
pub async fn start_tls(connection: &mut Connection, client: &TlsClient) -> Result<(), Error> {
    connection
        .start_tls_client(client, SERVER_NAME)
        .await
        .map_err(broken)
}

/// The name asked for; nothing hangs on it.
const SERVER_NAME: &str = "localhost";

/// Waits for more input; an error when none comes.
pub async fn more(connection: &mut Connection) -> Result<(), Error> {
    match connection.fill().await.map_err(broken)? {
        0 => Err(Error::Closed),
        _ => Ok(()),
    }
}

/// Sends what was written.
pub async fn flush(connection: &mut Connection) -> Result<(), Error> {
    connection.flush().await.map_err(broken)
}

fn broken(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::TimedOut => Error::Silence,
        _ => Error::Broken(error),
    }
}
