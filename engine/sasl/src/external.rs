//! EXTERNAL: who it is was said before, by the certificate. RFC 4422 appendix A.

use crate::exchange::{Question, Refusal};
use crate::prep;

/// Reads a response: whom the client wants to be of those that its certificate names; empty: the certificate says.
/// RFC 4422 appendix A.1:
///
/// ```abnf
/// external     = authz-id-string
/// ```
pub fn response(octets: &[u8]) -> Result<Question, Refusal> {
    if octets.is_empty() {
        return Ok(Question::Certificate { identity: None });
    }
    let text = std::str::from_utf8(octets).map_err(|_| Refusal::Malformed)?;
    let identity = prep::name(text).ok_or(Refusal::Malformed)?;
    Ok(Question::Certificate {
        identity: Some(identity.into_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses() {
        let named = |name: &str| {
            Ok(Question::Certificate {
                identity: Some(name.into()),
            })
        };
        let cases: &[(&[u8], Result<Question, Refusal>)] = &[
            (b"", Ok(Question::Certificate { identity: None })),
            (b"fred@example.com", named("fred@example.com")),
            (b"fred\0", Err(Refusal::Malformed)),
            (b"\xff", Err(Refusal::Malformed)),
        ];
        for (octets, expected) in cases {
            assert_eq!(&response(octets), expected, "{}", octets.escape_ascii());
        }
    }
}
