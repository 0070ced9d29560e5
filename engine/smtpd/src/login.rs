//! AUTH: a password is verified beside the shard, good ones are remembered for minutes. RFC 4954.

use crate::Context;
use ringpost_directory::{Login, Start};
use ringpost_runtime::{event, time};
use ringpost_smtp::{Credentials, reply};
use ringpost_types::{Reply, TraceId};

/// Characters of a stranger's name that an event shows.
const SHOWN_MAX: usize = 80;

/// Who it is, or what to answer.
pub(crate) async fn verify(
    context: &Context,
    credentials: Credentials,
    trace: TraceId,
) -> Result<Login, Reply> {
    let setup = &context.setup;
    let attempt = match begin(context, &credentials) {
        Ok(Start::Known(login)) => return Ok(login),
        Ok(Start::Verify(attempt)) => attempt,
        Err(error) => {
            event!(trace, "login: {error}");
            return Err(reply::AUTH_LATER);
        }
    };
    let Ok(verified) = setup.shard.offload(move || attempt.verify()).await else {
        event!(trace, "login: too many passwords wait to be verified");
        return Err(reply::AUTH_LATER);
    };
    let login = setup
        .logins
        .borrow_mut()
        .settle(verified, time::now_unix_ms());
    match login {
        Some(login) => {
            event!(trace, "login {}", login.name);
            Ok(login)
        }
        None => {
            let identity: String = credentials.identity.chars().take(SHOWN_MAX).collect();
            event!(trace, "login {identity:?} refused");
            Err(reply::AUTH_FAILED)
        }
    }
}

/// Asks cache and directory; the snapshot ends here.
fn begin(context: &Context, credentials: &Credentials) -> Result<Start, ringpost_api::Error> {
    let setup = &context.setup;
    let snapshot = setup.store.snapshot()?;
    let password = credentials.password.as_bytes();
    let logins = setup.logins.borrow();
    logins.start(
        &*snapshot,
        &credentials.identity,
        password,
        time::now_unix_ms(),
    )
}
