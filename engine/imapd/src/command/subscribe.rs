//! SUBSCRIBE and UNSUBSCRIBE. RFC 3501 §6.3.6, §6.3.7.

use crate::outcome::{Answer, Done};
use crate::session::Session;
use ringpost_api::Write;

/// Puts `name` on the list of subscriptions, or takes it off.
pub(super) async fn run(session: &mut Session, name: &str, on: bool) -> Answer {
    let account = session.account()?;
    let write = Write::Subscribe {
        account,
        name: name.into(),
        on,
    };
    session.submit(write).await?;
    Ok(Done::plain(match on {
        true => "SUBSCRIBE completed.",
        false => "UNSUBSCRIBE completed.",
    }))
}
