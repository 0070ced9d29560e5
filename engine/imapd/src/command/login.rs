//! LOGIN, and what every login ends in. RFC 3501 §6.2.3.

use super::capability;
use crate::outcome::{Answer, Done, DoneCode, End, Refusal};
use crate::session::Session;
use ringpost_admission::Verdict;
use ringpost_directory::Login;
use ringpost_imap::Code;
use ringpost_login::{Caller, Refusal as Why, Service};
use ringpost_runtime::time::{self, Duration};

/// LOGIN.
pub(super) async fn run(session: &mut Session, user: &[u8], password: &[u8]) -> Answer {
    let (door, caller) = (session.context.door.clone(), caller(session));
    match door.password(&caller, user, password).await {
        Ok(login) => enter(session, login, "LOGIN completed."),
        Err(why) => Err(refused(session, why)),
    }
}

/// Who asks to be let in.
pub(super) fn caller(session: &Session) -> Caller {
    Caller {
        service: Service::Imap,
        ip: session.connection.peer().ip(),
        channel: capability::channel(session),
        trace: session.trace,
    }
}

/// The session is authenticated, and counts by its account from now on: an office behind one address is many people.
pub(super) fn enter(session: &mut Session, login: Login, text: &'static str) -> Answer {
    if let Some(guard) = &mut session.guard {
        match guard.known_as(&login.name, time::now_unix_ms()) {
            Verdict::Welcome | Verdict::Slow(_) => {}
            Verdict::Later(_) | Verdict::Refused(_) => {
                let text = "Too many connections of this account; close some.";
                return Err(Refusal::No(Some(Code::Limit), text));
            }
        }
    }
    session.login = Some(login);
    let idle = Duration::from_millis(session.context.limits.imap_idle_ms);
    session.connection.silence_max(idle);
    // RFC 3501 §6.2.3: the client need not ask for what has changed.
    Ok(Done {
        code: DoneCode::Capability(capability::names(session)),
        text,
    })
}

/// Counts a refusal: `imap_login_failures_max` of them end the session.
pub(super) fn refused(session: &mut Session, why: Why) -> Refusal {
    if matches!(why, Why::Clear | Why::NotOffered | Why::Malformed) {
        return refusal(why);
    }
    session.failures += 1;
    match session.failures < session.context.limits.imap_login_failures_max {
        true => refusal(why),
        false => End::Bye("Too many failed logins.").into(),
    }
}

/// What a client is told. Codes of RFC 5530 §3.
pub(super) fn refusal(why: Why) -> Refusal {
    let (code, text) = match why {
        Why::Credentials => (
            Code::AuthenticationFailed,
            "The user or the password is wrong.",
        ),
        Why::Scope => (
            Code::AuthenticationFailed,
            "The app password is not for IMAP.",
        ),
        Why::Binding => (
            Code::AuthenticationFailed,
            "The channel binding is not of this connection.",
        ),
        Why::Proxy => (
            Code::AuthorizationFailed,
            "Nobody may act for somebody else.",
        ),
        Why::Clear => (Code::PrivacyRequired, "Log in after STARTTLS."),
        Why::NotOffered => (Code::Cannot, "That mechanism is not offered."),
        Why::Later(_) => (
            Code::Unavailable,
            "Too many failed logins; try again later.",
        ),
        Why::Busy => (Code::Unavailable, "Too many logins at once; try again."),
        Why::Unavailable => (
            Code::Unavailable,
            "Logins cannot be checked now; try again later.",
        ),
        // A client that writes what the mechanism does not know is wrong, not refused.
        Why::Malformed => return Refusal::Bad("The response is not what the mechanism says."),
        Why::TooLong => return Refusal::Bad("The response is too long."),
    };
    Refusal::No(Some(code), text)
}
