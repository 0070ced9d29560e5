//! NAMESPACE: one personal one, without a prefix. RFC 2342 §5.

use crate::outcome::{Answer, Done};
use crate::session::Session;

/// NAMESPACE.
pub(super) fn run(session: &mut Session) -> Answer {
    session
        .out()
        .extend_from_slice(b"* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
    Ok(Done::plain("NAMESPACE completed."))
}
