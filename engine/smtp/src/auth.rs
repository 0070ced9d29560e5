//! SASL PLAIN. RFC 4616; its SMTP profile is RFC 4954.
//!
//! In:  one response, base64 undone.
//! Out: who wants in, and the password. It is looked at by the directory and never shown.

use std::fmt;

/// What a client says to be let in.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Authentication identity: the name of an account.
    pub identity: String,
    /// The password, as the client sent it.
    pub password: String,
}

impl fmt::Debug for Credentials {
    /// The password is not shown. Invariant 9 of the architecture.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// Why a response is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadResponse {
    /// Not base64, or not a PLAIN message: 501 5.5.2.
    Syntax,
    /// Asks to act for somebody else, which we allow nobody: 535 5.7.8.
    Proxy,
}

/// Reads a response.
pub fn plain(message: &[u8]) -> Result<Credentials, BadResponse> {
    let message = std::str::from_utf8(message).map_err(|_| BadResponse::Syntax)?;
    // message = [authzid] UTF8NUL authcid UTF8NUL passwd. RFC 4616 §2.
    let mut parts = message.split('\0');
    let (Some(acts_as), Some(identity), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(BadResponse::Syntax);
    };
    if identity.is_empty() || password.is_empty() {
        return Err(BadResponse::Syntax);
    }
    if !acts_as.is_empty() && acts_as != identity {
        return Err(BadResponse::Proxy);
    }
    Ok(Credentials {
        identity: identity.into(),
        password: password.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let tim = |password: &str| {
            Ok(Credentials {
                identity: "tim".into(),
                password: password.into(),
            })
        };
        let cases: &[(&str, Result<Credentials, BadResponse>)] = &[
            // RFC 4616 §4.
            ("\0tim\0tanstaaftanstaaf", tim("tanstaaftanstaaf")),
            ("Ursel\0Kurt\0xipj3plmq", Err(BadResponse::Proxy)),
            ("tim\0tim\0x", tim("x")),
            ("\0tim", Err(BadResponse::Syntax)),
            ("\0tim\0", Err(BadResponse::Syntax)),
            ("\0\0x", Err(BadResponse::Syntax)),
            ("\0tim\0x\0y", Err(BadResponse::Syntax)),
        ];
        for (message, expected) in cases {
            assert_eq!(&plain(message.as_bytes()), expected, "{message:?}");
        }
        assert_eq!(plain(b"\0tim\0\xff"), Err(BadResponse::Syntax));
    }

    #[test]
    fn the_password_is_not_shown() {
        let shown = format!("{:?}", plain(b"\0tim\0tanstaaf").expect("a PLAIN message"));
        assert!(
            shown.contains("tim") && !shown.contains("tanstaaf"),
            "{shown}"
        );
    }
}
