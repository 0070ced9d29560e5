//! ENABLE: says which extensions are on now. None of those offered needs to be. RFC 5161.

use crate::outcome::{Answer, Done};
use crate::session::Session;
use ringpost_imap::data;

/// ENABLE. Unknown names are passed over. RFC 5161 §3.1.
pub(super) fn run(session: &mut Session, _names: &[&str]) -> Answer {
    data::enabled(session.out(), []);
    Ok(Done::plain("ENABLE completed."))
}
