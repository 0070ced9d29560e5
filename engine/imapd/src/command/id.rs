//! ID: who speaks, for the one who reads the log. RFC 2971.

use crate::outcome::{Answer, Done};
use crate::session::Session;
use ringpost_runtime::event;

/// Octets of a client's name that are told.
const NAME_OCTETS: usize = 64;

/// ID. The version stays untold: it would help a guesser more than a client (RFC 2971 §5).
pub(super) fn run(session: &mut Session, fields: &[(&[u8], Option<&[u8]>)]) -> Answer {
    let name = fields
        .iter()
        .find(|(field, _)| field.eq_ignore_ascii_case(b"name"));
    if let Some((_, Some(name))) = name {
        let name = String::from_utf8_lossy(&name[..name.len().min(NAME_OCTETS)]);
        event!(session.trace, "imap: client name={name}");
    }
    session
        .out()
        .extend_from_slice(b"* ID (\"name\" \"Ringpost\")\r\n");
    Ok(Done::plain("ID completed."))
}
