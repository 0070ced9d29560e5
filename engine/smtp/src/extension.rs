//! What EHLO and LHLO offer: one table, from which the reply is made. RFC 5321 §4.1.1.1.

use crate::{Role, Tls};
use std::fmt::Write;

/// What decides whether an extension is offered.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// The listener's purpose.
    pub role: Role,
    /// How the session stands with TLS.
    pub tls: Tls,
    /// Announced in SIZE, in octets. RFC 1870 §4.
    pub message_octets_max: u64,
}

/// One line of the offer.
#[derive(Clone, Copy, Debug)]
pub struct Extension {
    /// EHLO keyword.
    pub keyword: &'static str,
    /// Where it is specified.
    pub rfc: u16,
    /// Whether it is offered.
    pub offered: fn(&Circumstances) -> bool,
    /// What follows the keyword.
    pub argument: Argument,
}

/// What follows a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Nothing.
    None,
    /// The largest message, in octets.
    Size,
    /// SASL mechanisms.
    Mechanisms(&'static str),
}

/// Every extension, in the order of the offer.
pub const TABLE: &[Extension] = &[
    Extension {
        keyword: "PIPELINING",
        rfc: 2920,
        offered: always,
        argument: Argument::None,
    },
    Extension {
        keyword: "SIZE",
        rfc: 1870,
        offered: always,
        argument: Argument::Size,
    },
    Extension {
        keyword: "8BITMIME",
        rfc: 6152,
        offered: always,
        argument: Argument::None,
    },
    Extension {
        keyword: "SMTPUTF8",
        rfc: 6531,
        offered: always,
        argument: Argument::None,
    },
    Extension {
        keyword: "ENHANCEDSTATUSCODES",
        rfc: 2034,
        offered: always,
        argument: Argument::None,
    },
    Extension {
        keyword: "CHUNKING",
        rfc: 3030,
        offered: always,
        argument: Argument::None,
    },
    Extension {
        keyword: "STARTTLS",
        rfc: 3207,
        offered: before_tls,
        argument: Argument::None,
    },
    Extension {
        keyword: "AUTH",
        rfc: 4954,
        offered: submission_in_tls,
        argument: Argument::Mechanisms("PLAIN"),
    },
];

fn always(_: &Circumstances) -> bool {
    true
}

/// Not again inside TLS. RFC 3207 §4.2.
fn before_tls(circumstances: &Circumstances) -> bool {
    matches!(circumstances.tls, Tls::Offered | Tls::Required)
}

/// A mechanism that shows the password is offered inside TLS alone. RFC 4954 §4.
fn submission_in_tls(circumstances: &Circumstances) -> bool {
    circumstances.role == Role::Submission && circumstances.tls == Tls::Active
}

/// The text of the 250 reply: host name, then a line for each extension. RFC 5321 §4.1.1.1.
pub fn offer(hostname: &str, circumstances: &Circumstances) -> String {
    let mut text = String::with_capacity(160);
    text.push_str(hostname);
    for extension in TABLE
        .iter()
        .filter(|extension| (extension.offered)(circumstances))
    {
        text.push('\n');
        text.push_str(extension.keyword);
        match extension.argument {
            Argument::None => {}
            Argument::Size => {
                write!(text, " {}", circumstances.message_octets_max)
                    .expect("a String takes every write");
            }
            Argument::Mechanisms(names) => {
                text.push(' ');
                text.push_str(names);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = "mx\nPIPELINING\nSIZE 7\n8BITMIME\nSMTPUTF8\nENHANCEDSTATUSCODES\nCHUNKING";
    const CASES: &[(Role, Tls, &str)] = &[
        (Role::Mx, Tls::Absent, ""),
        (Role::Mx, Tls::Offered, "\nSTARTTLS"),
        (Role::Mx, Tls::Active, ""),
        (Role::Submission, Tls::Required, "\nSTARTTLS"),
        (Role::Submission, Tls::Absent, ""),
        (Role::Submission, Tls::Active, "\nAUTH PLAIN"),
        (Role::Lmtp, Tls::Absent, ""),
    ];

    #[test]
    fn offers() {
        for &(role, tls, more) in CASES {
            let got = offer(
                "mx",
                &Circumstances {
                    role,
                    tls,
                    message_octets_max: 7,
                },
            );
            assert_eq!(got, format!("{ALL}{more}"), "{role:?} {tls:?}");
        }
    }
}
