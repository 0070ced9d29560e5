//! What EHLO and LHLO offer: one table, from which the reply is made and the parameters are judged. RFC 5321 §4.1.1.1.
//!
//! In:  how a session stands. Out: which extensions it has.
//!
//! What is offered is there: what needs a queue of mail that leaves is not offered without one.
//! BURL (RFC 4468) is left out: it lets the server fetch from IMAP servers what a stranger names.

use crate::{Role, Tls};
use ringpost_types::limit::Limits;
use std::fmt::Write;

/// What decides whether an extension is offered, and with what argument.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'s> {
    /// The listener's purpose.
    pub role: Role,
    /// How the session stands with TLS.
    pub tls: Tls,
    /// Mail can leave this host.
    pub queue: bool,
    /// The client may speak for another one.
    pub xclient: bool,
    /// SASL mechanisms that may be used as things stand.
    pub mechanisms: &'s [&'static str],
    /// The bounds in force.
    pub limits: &'s Limits,
    /// Now, in seconds since 1970.
    pub unix: u64,
}

/// One line of the offer.
#[derive(Clone, Copy, Debug)]
pub struct Extension {
    /// EHLO keyword.
    pub keyword: &'static str,
    /// Where it is specified; 0: not in an RFC.
    pub rfc: u16,
    /// What it does.
    pub what: &'static str,
    /// Listeners that may have it.
    pub roles: &'static [Role],
    /// What else must be so.
    pub condition: fn(&Circumstances<'_>) -> bool,
    /// What follows the keyword.
    pub argument: Argument,
}

/// What follows a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Nothing.
    None,
    /// The largest message, in octets. RFC 1870 §4.
    Size,
    /// SASL mechanisms. RFC 4954 §3.
    Mechanisms,
    /// `MAILMAX` and `RCPTMAX`. RFC 9422 §4.
    Limits,
    /// The longest hold in seconds, and the date it ends at. RFC 4865 §4.
    Hold,
    /// Names of attributes.
    Text(&'static str),
}

const ALL: &[Role] = &[Role::Mx, Role::Submission, Role::Lmtp];
const SUBMISSION: &[Role] = &[Role::Submission];

macro_rules! table {
    ($($keyword:literal $rfc:literal $roles:ident $condition:ident $argument:expr, $what:literal;)*) => {
        /// Every extension, in the order of the offer.
        pub const TABLE: &[Extension] = &[$(Extension {
            keyword: $keyword,
            rfc: $rfc,
            what: $what,
            roles: $roles,
            condition: $condition,
            argument: $argument,
        }),*];
    };
}

table! {
    "PIPELINING" 2920 ALL always Argument::None, "commands may come before the answer to the last one";
    "SIZE" 1870 ALL always Argument::Size, "MAIL says how large the mail is, and hears at once whether that is too much";
    "8BITMIME" 6152 ALL always Argument::None, "lines of octets";
    "BINARYMIME" 3030 ALL always Argument::None, "any octets, by BDAT";
    "CHUNKING" 3030 ALL always Argument::None, "BDAT: counted octets, no dots";
    "SMTPUTF8" 6531 ALL always Argument::None, "addresses and headers in UTF-8";
    "ENHANCEDSTATUSCODES" 2034 ALL always Argument::None, "every reply says more exactly what it means";
    "LIMITS" 9422 ALL always Argument::Limits, "how many mails a session may bring, and recipients a mail";
    "DSN" 3461 ALL queue Argument::None, "the sender says which notices it wants";
    "DELIVERBY" 2852 ALL queue Argument::None, "the sender says how long the mail is of use";
    "FUTURERELEASE" 4865 SUBMISSION queue Argument::Hold, "the user says when the mail may leave";
    "MT-PRIORITY" 6710 SUBMISSION queue Argument::None, "the user says what goes first";
    "STARTTLS" 3207 ALL before_tls Argument::None, "TLS from the next octet on";
    "REQUIRETLS" 8689 ALL queue_in_tls Argument::None, "the mail travels through verified TLS or not at all";
    "AUTH" 4954 ALL mechanisms Argument::Mechanisms, "who sends";
    "XCLIENT" 0 ALL xclient Argument::Text(crate::client::ATTRIBUTES), "a proxy says whom it speaks for";
}

fn always(_: &Circumstances<'_>) -> bool {
    true
}

fn queue(circumstances: &Circumstances<'_>) -> bool {
    circumstances.queue
}

/// Not again inside TLS. RFC 3207 §4.2.
fn before_tls(circumstances: &Circumstances<'_>) -> bool {
    matches!(circumstances.tls, Tls::Offered | Tls::Required)
}

/// RFC 8689 §2: after STARTTLS alone.
fn queue_in_tls(circumstances: &Circumstances<'_>) -> bool {
    circumstances.queue && circumstances.tls == Tls::Active
}

/// Which mechanisms may be had in clear is the service's to say: none that shows a password. RFC 4954 §4.
fn mechanisms(circumstances: &Circumstances<'_>) -> bool {
    !circumstances.mechanisms.is_empty()
}

fn xclient(circumstances: &Circumstances<'_>) -> bool {
    circumstances.xclient
}

impl Extension {
    /// Whether it is there as things stand.
    pub fn is_offered(&self, circumstances: &Circumstances<'_>) -> bool {
        self.roles.contains(&circumstances.role) && (self.condition)(circumstances)
    }
}

/// Whether the extension called `keyword` is there as things stand.
pub fn is_offered(keyword: &str, circumstances: &Circumstances<'_>) -> bool {
    let extension = TABLE.iter().find(|extension| extension.keyword == keyword);
    extension.is_some_and(|extension| extension.is_offered(circumstances))
}

/// The text of the 250 reply: host name, then a line for each extension. RFC 5321 §4.1.1.1.
pub fn offer(hostname: &str, circumstances: &Circumstances<'_>) -> String {
    let mut text = String::with_capacity(256);
    text.push_str(hostname);
    for extension in TABLE {
        if extension.is_offered(circumstances) {
            text.push('\n');
            text.push_str(extension.keyword);
            argument(extension.argument, circumstances, &mut text);
        }
    }
    text
}

fn argument(argument: Argument, circumstances: &Circumstances<'_>, text: &mut String) {
    let limits = circumstances.limits;
    let written = match argument {
        Argument::None => Ok(()),
        Argument::Size => write!(text, " {}", limits.message_octets_max),
        Argument::Text(words) => write!(text, " {words}"),
        Argument::Limits => {
            let (mails, recipients) = (limits.smtp_transactions_max, limits.smtp_recipients_max);
            write!(text, " MAILMAX={mails} RCPTMAX={recipients}")
        }
        Argument::Hold => {
            let seconds = limits.smtp_hold_seconds_max;
            let until = crate::parameter::date(circumstances.unix.saturating_add(seconds));
            write!(text, " {seconds} {until}")
        }
        Argument::Mechanisms => {
            let mut names = circumstances.mechanisms.iter();
            names.try_for_each(|name| write!(text, " {name}"))
        }
    };
    written.expect("a String takes every write");
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALWAYS: &str = "mx\nPIPELINING\nSIZE 7\n8BITMIME\nBINARYMIME\nCHUNKING\nSMTPUTF8\nENHANCEDSTATUSCODES\nLIMITS MAILMAX=5 RCPTMAX=3";
    const QUEUE: &str = "\nDSN\nDELIVERBY";
    const SUBMITTED: &str = "\nDSN\nDELIVERBY\nFUTURERELEASE 60 1970-01-02T00:00:00Z\nMT-PRIORITY";
    const PLAIN: &[&str] = &["PLAIN"];
    const BOTH: &[&str] = &["SCRAM-SHA-256", "PLAIN"];

    type Case = (
        Role,
        Tls,
        bool,
        bool,
        &'static [&'static str],
        &'static [&'static str],
    );

    /// Role, TLS, queue, XCLIENT, mechanisms; what is offered beside what always is.
    const CASES: &[Case] = &[
        (Role::Mx, Tls::Absent, false, false, &[], &[]),
        (Role::Mx, Tls::Offered, false, false, &[], &["\nSTARTTLS"]),
        (Role::Mx, Tls::Required, false, false, &[], &["\nSTARTTLS"]),
        (Role::Mx, Tls::Active, false, false, &[], &[]),
        (Role::Mx, Tls::Absent, true, false, &[], &[QUEUE]),
        (
            Role::Mx,
            Tls::Offered,
            true,
            false,
            &[],
            &[QUEUE, "\nSTARTTLS"],
        ),
        (
            Role::Mx,
            Tls::Active,
            true,
            false,
            &[],
            &[QUEUE, "\nREQUIRETLS"],
        ),
        (
            Role::Submission,
            Tls::Required,
            false,
            false,
            &[],
            &["\nSTARTTLS"],
        ),
        (
            Role::Submission,
            Tls::Active,
            false,
            false,
            PLAIN,
            &["\nAUTH PLAIN"],
        ),
        (
            Role::Submission,
            Tls::Active,
            true,
            false,
            BOTH,
            &[SUBMITTED, "\nREQUIRETLS", "\nAUTH SCRAM-SHA-256 PLAIN"],
        ),
        (Role::Lmtp, Tls::Absent, false, false, &[], &[]),
        (Role::Lmtp, Tls::Absent, true, false, &[], &[QUEUE]),
        (
            Role::Mx,
            Tls::Absent,
            false,
            true,
            &[],
            &["\nXCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"],
        ),
    ];

    #[test]
    fn offers() {
        let limits = Limits {
            message_octets_max: 7,
            smtp_transactions_max: 5,
            smtp_recipients_max: 3,
            smtp_hold_seconds_max: 60,
            ..Limits::default()
        };
        for &(role, tls, queue, xclient, mechanisms, more) in CASES {
            let circumstances = Circumstances {
                role,
                tls,
                queue,
                xclient,
                mechanisms,
                limits: &limits,
                unix: 86_340,
            };
            let expected = format!("{ALWAYS}{}", more.concat());
            assert_eq!(offer("mx", &circumstances), expected, "{role:?} {tls:?}");
        }
    }

    #[test]
    fn keywords_are_told_apart() {
        for (at, extension) in TABLE.iter().enumerate() {
            assert!(!extension.what.is_empty());
            let same = TABLE[..at]
                .iter()
                .any(|other| other.keyword == extension.keyword);
            assert!(!same, "{}", extension.keyword);
        }
    }
}
