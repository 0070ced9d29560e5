//! OAUTHBEARER and XOAUTH2: a token of somebody whom we trust. RFC 7628, RFC 6750; XOAUTH2 is Google's.
//!
//! In:  the client's only message. Out: the token and, where it says so, whose account it is meant for; after a refusal
//! a JSON challenge, which the client answers before the exchange fails. RFC 7628 §3.2.2.

use crate::exchange::{Question, Refusal};
use crate::{Secret, prep};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    OAuthBearer,
    XOAuth2,
}

impl Flavor {
    /// What is said of a token that is no good. RFC 7628 §3.2.2; XOAUTH2 knows an HTTP status.
    pub fn error(self) -> &'static [u8] {
        match self {
            Flavor::OAuthBearer => br#"{"status":"invalid_token"}"#,
            Flavor::XOAuth2 => br#"{"status":"401","schemes":"Bearer"}"#,
        }
    }
}

/// Reads the client's message.
pub fn message(flavor: Flavor, octets: &[u8]) -> Result<Question, Refusal> {
    let text = std::str::from_utf8(octets).map_err(|_| Refusal::Malformed)?;
    match flavor {
        Flavor::OAuthBearer => oauthbearer(text),
        Flavor::XOAuth2 => xoauth2(text),
    }
}

/// RFC 7628 §3.1:
///
/// ```abnf
/// client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep
/// kvpair      = key "=" value kvsep
/// kvsep       = %x01
/// gs2-header  = ("n" / "y") "," ["a=" saslname] ","
/// ```
///
/// Its `host` and `port` are what the client thinks that it talks to; the certificate has told it better.
fn oauthbearer(text: &str) -> Result<Question, Refusal> {
    let (header, pairs) = text.split_once('\x01').ok_or(Refusal::Malformed)?;
    let fields: Vec<&str> = header.splitn(4, ',').collect();
    let &[flag, acts_for, ""] = &fields[..] else {
        return Err(Refusal::Malformed);
    };
    match flag {
        "n" | "y" => {}
        // There is no OAUTHBEARER-PLUS.
        _ if flag.starts_with("p=") => return Err(Refusal::Binding),
        _ => return Err(Refusal::Malformed),
    }
    let identity = match acts_for {
        "" => None,
        acts_for => {
            let name = acts_for.strip_prefix("a=").ok_or(Refusal::Malformed)?;
            let name = crate::scram::saslname(name).ok_or(Refusal::Malformed)?;
            Some(prep::name(&name).ok_or(Refusal::Malformed)?.into_owned())
        }
    };
    Ok(Question::Bearer {
        identity,
        token: token(pairs)?,
    })
}

/// `user=` name ^A `auth=Bearer ` token ^A ^A
fn xoauth2(text: &str) -> Result<Question, Refusal> {
    let (user, pairs) = text.split_once('\x01').ok_or(Refusal::Malformed)?;
    let user = user.strip_prefix("user=").ok_or(Refusal::Malformed)?;
    let user = prep::name(user).ok_or(Refusal::Malformed)?;
    Ok(Question::Bearer {
        identity: Some(user.into_owned()),
        token: token(pairs)?,
    })
}

/// The one `auth` among the pairs. RFC 6750 §2.1:
///
/// ```abnf
/// b64token    = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
/// credentials = "Bearer" 1*SP b64token
/// ```
fn token(pairs: &str) -> Result<Secret, Refusal> {
    let pairs = pairs.strip_suffix("\x01\x01").ok_or(Refusal::Malformed)?;
    let mut found = None;
    for pair in pairs.split('\x01') {
        let (key, value) = pair.split_once('=').ok_or(Refusal::Malformed)?;
        if key.is_empty() || !key.bytes().all(|octet| octet.is_ascii_alphabetic()) {
            return Err(Refusal::Malformed);
        }
        if key != "auth" {
            continue;
        }
        if found.is_some() {
            return Err(Refusal::Malformed);
        }
        let (scheme, token) = value.split_once(' ').ok_or(Refusal::Malformed)?;
        if !scheme.eq_ignore_ascii_case("Bearer") {
            return Err(Refusal::Malformed);
        }
        let token = token.trim_start_matches(' ');
        let body = token.trim_end_matches('=');
        let is_token = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~+/".contains(&octet);
        if body.is_empty() || !body.bytes().all(is_token) {
            return Err(Refusal::Malformed);
        }
        found = Some(Secret::from(token));
    }
    found.ok_or(Refusal::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(identity: Option<&str>, token: &str) -> Result<Question, Refusal> {
        Ok(Question::Bearer {
            identity: identity.map(str::to_owned),
            token: token.into(),
        })
    }

    #[test]
    fn oauthbearer_messages() {
        let cases: &[(&str, Result<Question, Refusal>)] = &[
            // RFC 7628 §4.1.
            (
                "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01",
                asks(
                    Some("user@example.com"),
                    "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==",
                ),
            ),
            ("n,,\x01auth=Bearer t\x01\x01", asks(None, "t")),
            ("y,,\x01auth=bearer  t\x01\x01", asks(None, "t")),
            (
                "n,a=a=2Cb=3Dc,\x01auth=Bearer t\x01\x01",
                asks(Some("a,b=c"), "t"),
            ),
            // RFC 7628 §4.3 answers an empty token; nobody can know one.
            ("n,,\x01auth=\x01\x01", Err(Refusal::Malformed)),
            ("n,,\x01host=x\x01\x01", Err(Refusal::Malformed)),
            ("n,,\x01\x01", Err(Refusal::Malformed)),
            ("\x01", Err(Refusal::Malformed)),
            ("", Err(Refusal::Malformed)),
            (
                "p=tls-exporter,,\x01auth=Bearer t\x01\x01",
                Err(Refusal::Binding),
            ),
            ("x,,\x01auth=Bearer t\x01\x01", Err(Refusal::Malformed)),
            ("n,b=c,\x01auth=Bearer t\x01\x01", Err(Refusal::Malformed)),
            ("n,a=x=,\x01auth=Bearer t\x01\x01", Err(Refusal::Malformed)),
            ("n,a=,\x01auth=Bearer t\x01\x01", Err(Refusal::Malformed)),
            ("n,,,\x01auth=Bearer t\x01\x01", Err(Refusal::Malformed)),
            ("n,\x01auth=Bearer t\x01\x01", Err(Refusal::Malformed)),
            ("n,,\x01auth=Bearer t\x01", Err(Refusal::Malformed)),
            ("n,,\x01auth=Bearer t\x01\x01\x01", Err(Refusal::Malformed)),
            ("n,,\x01auth=Basic t\x01\x01", Err(Refusal::Malformed)),
            ("n,,\x01auth=Bearer t&u=1\x01\x01", Err(Refusal::Malformed)),
            ("n,,\x01auth=Bearer t t\x01\x01", Err(Refusal::Malformed)),
            ("n,,\x01auth=Bearer =\x01\x01", Err(Refusal::Malformed)),
            (
                "n,,\x01auth=Bearer t\x01auth=Bearer u\x01\x01",
                Err(Refusal::Malformed),
            ),
            (
                "n,,\x01=x\x01auth=Bearer t\x01\x01",
                Err(Refusal::Malformed),
            ),
        ];
        for (text, expected) in cases {
            let got = message(Flavor::OAuthBearer, text.as_bytes());
            assert_eq!(&got, expected, "{text:?}");
        }
    }

    #[test]
    fn xoauth2_messages() {
        let cases: &[(&str, Result<Question, Refusal>)] = &[
            (
                "user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01",
                asks(
                    Some("someuser@example.com"),
                    "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg",
                ),
            ),
            ("user=\x01auth=Bearer t\x01\x01", Err(Refusal::Malformed)),
            ("auth=Bearer t\x01\x01", Err(Refusal::Malformed)),
            ("user=a\x01auth=Bearer t\x01", Err(Refusal::Malformed)),
            ("user=a\x01\x01", Err(Refusal::Malformed)),
            ("", Err(Refusal::Malformed)),
        ];
        for (text, expected) in cases {
            let got = message(Flavor::XOAuth2, text.as_bytes());
            assert_eq!(&got, expected, "{text:?}");
        }
        assert_eq!(
            message(Flavor::XOAuth2, b"user=\xff"),
            Err(Refusal::Malformed)
        );
    }
}
