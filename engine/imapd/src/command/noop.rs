//! NOOP and CHECK: nothing but the news, which every command ends with. RFC 3501 §6.1.2, §6.4.1.

use crate::outcome::{Answer, Done};

/// NOOP, CHECK.
pub(super) fn run(text: &'static str) -> Answer {
    Ok(Done::plain(text))
}
