//! The word behind `with` in a Received field. RFC 3848, RFC 6531 §4.3.

use crate::Role;

/// How a mail came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport {
    /// The listener's purpose.
    pub role: Role,
    /// EHLO, not HELO.
    pub extended: bool,
    /// The transaction said SMTPUTF8.
    pub utf8: bool,
    /// Through TLS.
    pub tls: bool,
    /// After AUTH.
    pub authenticated: bool,
}

impl Transport {
    /// The registered keyword.
    pub fn keyword(&self) -> &'static str {
        const ESMTP: [&str; 4] = ["ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA"];
        const LMTP: [&str; 4] = ["LMTP", "LMTPA", "LMTPS", "LMTPSA"];
        const UTF8SMTP: [&str; 4] = ["UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA"];
        const UTF8LMTP: [&str; 4] = ["UTF8LMTP", "UTF8LMTPA", "UTF8LMTPS", "UTF8LMTPSA"];
        let family = match (self.role, self.utf8) {
            (Role::Lmtp, true) => UTF8LMTP,
            (Role::Lmtp, false) => LMTP,
            (_, true) => UTF8SMTP,
            (_, false) if self.extended => ESMTP,
            // RFC 3848 registers no plain SMTP with TLS or AUTH: both need EHLO.
            (_, false) => return "SMTP",
        };
        family[usize::from(self.tls) * 2 + usize::from(self.authenticated)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords() {
        let plain = Transport {
            role: Role::Mx,
            extended: true,
            utf8: false,
            tls: false,
            authenticated: false,
        };
        let cases: &[(Transport, &str)] = &[
            (
                Transport {
                    extended: false,
                    ..plain
                },
                "SMTP",
            ),
            (plain, "ESMTP"),
            (Transport { tls: true, ..plain }, "ESMTPS"),
            (
                Transport {
                    role: Role::Submission,
                    tls: true,
                    authenticated: true,
                    ..plain
                },
                "ESMTPSA",
            ),
            (
                Transport {
                    utf8: true,
                    ..plain
                },
                "UTF8SMTP",
            ),
            (
                Transport {
                    role: Role::Lmtp,
                    ..plain
                },
                "LMTP",
            ),
            (
                Transport {
                    role: Role::Lmtp,
                    utf8: true,
                    ..plain
                },
                "UTF8LMTP",
            ),
        ];
        for (transport, expected) in cases {
            assert_eq!(transport.keyword(), *expected);
        }
    }
}
