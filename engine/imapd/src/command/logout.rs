//! LOGOUT: BYE, OK, the end. RFC 3501 §6.1.3.

use crate::outcome::{Answer, End};
use crate::session::Session;
use ringpost_imap::{Status, response};

/// LOGOUT. Writes its tagged answer itself: the order is BYE, then OK.
pub(super) fn run(session: &mut Session, tag: &str) -> Answer {
    response::untagged(session.out(), Status::Bye, None, "Until next time.");
    response::tagged(session.out(), tag, Status::Ok, None, "LOGOUT completed.");
    Err(End::Logout.into())
}
