//! LOGIN, and the way of every login. RFC 3501 §6.2.3.

use super::capability;
use crate::outcome::{Answer, Done, DoneCode, End, Refusal};
use crate::session::Session;
use ringpost_directory::{Login, Start};
use ringpost_imap::Code;
use ringpost_runtime::event;
use ringpost_runtime::time::{self, Duration};

/// What a wrong password costs beside the hash: guessing one after the other is slow.
const FAILURE_PAUSE: Duration = Duration::from_millis(1_000);

/// LOGIN.
pub(super) async fn run(session: &mut Session, user: &[u8], password: &[u8]) -> Answer {
    permit(session)?;
    attempt(session, user, password, "LOGIN completed.").await
}

/// No password in clear, whatever the client thinks. RFC 5530 §3, PRIVACYREQUIRED.
pub(super) fn permit(session: &Session) -> Result<(), Refusal> {
    match capability::may_log_in(session) {
        true => Ok(()),
        false => Err(Refusal::No(
            Some(Code::PrivacyRequired),
            "Log in after STARTTLS.",
        )),
    }
}

/// Checks a password; one that is good makes the session authenticated. An unknown user, a disabled one and a wrong
/// password are answered alike and take the same time.
pub(super) async fn attempt(
    session: &mut Session,
    user: &[u8],
    password: &[u8],
    text: &'static str,
) -> Answer {
    let user = String::from_utf8_lossy(user);
    let Some(login) = check(session, &user, password).await? else {
        return Err(refuse(session, &user).await);
    };
    let (peer, tls) = (
        session.connection.peer(),
        session.connection.tls().is_some(),
    );
    event!(
        session.trace,
        "imap: login account={} peer={peer} tls={tls}",
        login.name
    );
    session.login = Some(login);
    let idle = Duration::from_millis(session.context.limits.imap_idle_ms);
    session.connection.silence_max(idle);
    // RFC 3501 §6.2.3: the client need not ask for what has changed.
    Ok(Done {
        code: DoneCode::Capability(capability::names(session)),
        text,
    })
}

/// Who it is; `None`: not with this password.
async fn check(session: &Session, user: &str, password: &[u8]) -> Result<Option<Login>, Refusal> {
    let context = &session.context;
    let now_ms = time::now_unix_ms();
    let start = {
        let snapshot = session.snapshot()?;
        context
            .logins
            .borrow()
            .start(&*snapshot, user, password, now_ms)?
    };
    let attempt = match start {
        Start::Known(login) => return Ok(Some(login)),
        Start::Verify(attempt) => attempt,
    };
    match context.shard.offload(move || attempt.verify()).await {
        Ok(verified) => Ok(context.logins.borrow_mut().settle(verified, now_ms)),
        Err(_) => Err(Refusal::No(
            Some(Code::Unavailable),
            "Too many logins at once; try again.",
        )),
    }
}

/// Tells, waits, and counts: `imap_login_failures_max` of them end the session.
async fn refuse(session: &mut Session, user: &str) -> Refusal {
    session.failures += 1;
    let user: String = user.chars().take(80).collect();
    let peer = session.connection.peer();
    event!(
        session.trace,
        "imap: login refused user={user} peer={peer} failures={}",
        session.failures
    );
    time::sleep(FAILURE_PAUSE).await;
    match session.failures < session.context.limits.imap_login_failures_max {
        true => Refusal::No(
            Some(Code::AuthenticationFailed),
            "The user or the password is wrong.",
        ),
        false => End::Bye("Too many failed logins.").into(),
    }
}
