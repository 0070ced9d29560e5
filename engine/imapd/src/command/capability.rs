//! CAPABILITY: what is true now, and nothing else. RFC 3501 §6.1.1.

use crate::context::TlsMode;
use crate::outcome::{Answer, Done};
use crate::session::Session;
use ringpost_imap::data;
use ringpost_login::{Channel, Mechanism};

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
    let offer = session.context.door.offer(&channel(session));
    for mechanism in offer.iter() {
        names.push_str(" AUTH=");
        names.push_str(mechanism.name());
    }
    // LOGIN is PLAIN in other words. RFC 3501 §6.2.3.
    if !offer.contains(Mechanism::Plain) {
        names.push_str(" LOGINDISABLED");
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

/// What a login of this session goes over. Without TLS it is private where the operator says so.
pub(super) fn channel(session: &Session) -> Channel {
    let private_in_clear = session.context.tls_mode == TlsMode::Absent;
    Channel::of(session.connection.tls(), private_in_clear)
}
