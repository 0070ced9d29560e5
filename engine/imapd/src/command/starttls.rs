//! STARTTLS: the handshake after its OK. RFC 3501 §6.2.1.

use super::capability;
use crate::outcome::{Answer, Done, End, Refusal};
use crate::session::Session;
use ringpost_imap::{Status, response};
use ringpost_runtime::event;

/// STARTTLS. Writes its tagged answer itself: what follows the OK is already TLS. Octets that came in clear behind
/// the command are dropped by the connection, so nobody can slip commands into the session. RFC 3501 §11.1.
pub(super) async fn run(session: &mut Session, tag: &str) -> Answer {
    if !capability::may_start_tls(session) {
        return Err(Refusal::Bad("STARTTLS is not offered."));
    }
    let Some(tls) = session.context.tls.clone() else {
        return Err(Refusal::Bad("STARTTLS is not offered."));
    };
    response::tagged(session.out(), tag, Status::Ok, None, "Begin TLS now.");
    session.flush().await?;
    match session.connection.start_tls(&tls).await {
        Ok(()) => Ok(Done::silent()),
        Err(error) => {
            event!(session.trace, "imap: TLS failed: {error}");
            Err(End::Lost.into())
        }
    }
}
