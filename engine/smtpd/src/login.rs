//! AUTH: a SASL exchange through the door of all services. RFC 4954.
//!
//! In:  what the client begins, its responses. Out: a challenge, a login, or what a refusal is answered.
//!
//! What is offered depends on the connection: a certificate that the client has shown, a channel that can be bound to.

use crate::{Context, Role};
use ringpost_directory::Login;
use ringpost_login::caller::Channel;
use ringpost_login::{Caller, Mechanism, Next, Refusal, Service, Talk};
use ringpost_runtime::{Connection, Endpoint};
use ringpost_smtp::reply;
use ringpost_types::{Reply, TraceId};
use std::rc::Rc;

/// How far a login is.
pub(crate) enum Progress {
    /// To be sent; the rest of the exchange waits for its response.
    Challenge(Box<Talk>, Vec<u8>),
    Done(Login),
    Refused(Reply),
}

/// Begins an exchange.
pub(crate) async fn begin(
    context: &Context,
    connection: &Connection,
    peer: Endpoint,
    trace: TraceId,
    mechanism: &str,
    initial: Option<&[u8]>,
) -> Progress {
    let Some(mechanism) = Mechanism::parse(mechanism) else {
        return Progress::Refused(reply::UNKNOWN_MECHANISM);
    };
    let caller = Caller {
        service: Service::Smtp,
        ip: peer.ip(),
        channel: channel(connection),
        trace,
    };
    let door = context.setup.door.clone();
    Progress::of(Box::pin(door.open(caller, mechanism, initial)).await)
}

/// Goes on with it.
pub(crate) async fn respond(talk: Box<Talk>, response: &[u8]) -> Progress {
    Progress::of(Box::pin(talk.respond(response)).await)
}

impl Progress {
    fn of(next: Next) -> Self {
        match next {
            Next::Challenge(talk, octets) => Progress::Challenge(talk, octets),
            Next::Done(login) => Progress::Done(login),
            Next::Refused(refusal) => Progress::Refused(answer(refusal)),
        }
    }
}

/// The mechanisms of this connection, where users may log in; in clear there is none.
pub(crate) fn offer(context: &Context, connection: &Connection) -> Option<Rc<[&'static str]>> {
    let is_for_users = context.setup.role == Role::Submission;
    let offer = context.setup.door.offer(&channel(connection));
    is_for_users.then(|| offer.iter().map(Mechanism::name).collect())
}

fn channel(connection: &Connection) -> Channel {
    Channel::of(connection.tls(), false)
}

/// What a refusal is answered. RFC 4954 §4, §6.
fn answer(refusal: Refusal) -> Reply {
    let (usual, says_more) = match refusal {
        Refusal::Credentials => (reply::AUTH_FAILED, false),
        Refusal::Proxy | Refusal::Binding | Refusal::Scope => (reply::AUTH_FAILED, true),
        Refusal::NotOffered => (reply::UNKNOWN_MECHANISM, false),
        Refusal::Clear => (reply::ENCRYPTION_REQUIRED, false),
        Refusal::Malformed => (reply::BAD_AUTH_RESPONSE, false),
        Refusal::TooLong => (reply::AUTH_LINE_TOO_LONG, false),
        Refusal::Later(_) | Refusal::Busy | Refusal::Unavailable => (reply::AUTH_LATER, true),
    };
    match says_more {
        true => Reply::with_text(usual.code, usual.enhanced, refusal.to_string()),
        false => usual,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringpost_admission::{Count, Reason, Scope};

    #[test]
    fn what_a_refusal_is_answered() {
        let later = Refusal::Later(Reason::Rate(Scope::Account, Count::Logins));
        let cases = [
            (
                Refusal::Credentials,
                "535 5.7.8 Authentication credentials invalid",
            ),
            (
                Refusal::Scope,
                "535 5.7.8 The app password is not for this service",
            ),
            (
                Refusal::Binding,
                "535 5.7.8 The channel binding is not of this connection",
            ),
            (Refusal::Malformed, "501 5.5.2 Cannot read that response"),
            (
                Refusal::Busy,
                "454 4.7.0 Too many logins at once; try again later",
            ),
            (
                later,
                "454 4.7.0 Too many failed logins for this account in a short time; try again later",
            ),
        ];
        for (refusal, expected) in cases {
            let mut out = Vec::new();
            answer(refusal).write(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), format!("{expected}\r\n"));
        }
    }
}
