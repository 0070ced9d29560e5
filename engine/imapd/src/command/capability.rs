//! CAPABILITY: what is true now, and nothing else. RFC 3501 §6.1.1.

use crate::context::TlsMode;
use crate::outcome::{Answer, Done};
use crate::session::Session;
use ringpost_imap::data;

/// In every state.
const ALWAYS: &str = "IMAP4rev1 LITERAL+ SASL-IR ID ENABLE";
/// Once logged in; clients ask again then.
const LOGGED_IN: &str = " IDLE NAMESPACE CHILDREN UNSELECT UIDPLUS MOVE ESEARCH LIST-EXTENDED LIST-STATUS \
                         SPECIAL-USE CREATE-SPECIAL-USE STATUS=SIZE";

/// CAPABILITY.
pub(super) fn run(session: &mut Session) -> Answer {
    let names = names(session);
    data::capability(session.out(), &names);
    Ok(Done::plain("CAPABILITY completed."))
}

/// The capabilities of the session's state.
pub(crate) fn names(session: &Session) -> String {
    let mut names = String::from(ALWAYS);
    if session.login.is_some() {
        names.push_str(LOGGED_IN);
        names.push_str(&format!(
            " APPENDLIMIT={}",
            session.context.limits.imap_append_octets_max
        ));
        return names;
    }
    if may_start_tls(session) {
        names.push_str(" STARTTLS");
    }
    match may_log_in(session) {
        true => names.push_str(" AUTH=PLAIN"),
        false => names.push_str(" LOGINDISABLED"),
    }
    names
}

/// Whether STARTTLS would be taken.
pub(super) fn may_start_tls(session: &Session) -> bool {
    let offered = matches!(
        session.context.tls_mode,
        TlsMode::Offered | TlsMode::Required
    );
    offered && session.context.tls.is_some() && session.connection.tls().is_none()
}

/// Whether a password would be taken. RFC 3501 §6.2.3.
pub(super) fn may_log_in(session: &Session) -> bool {
    session.connection.tls().is_some() || session.context.tls_mode == TlsMode::Absent
}
