//! PLAIN: one message with everything. RFC 4616.

use crate::exchange::{PASSWORD_OCTETS_MAX, Question, Refusal};
use crate::{Secret, prep};

/// Reads a message. RFC 4616 §2:
///
/// ```abnf
/// message = [authzid] UTF8NUL authcid UTF8NUL passwd
/// ```
pub fn message(octets: &[u8]) -> Result<Question, Refusal> {
    let mut fields = octets.split(|&octet| octet == 0);
    let (Some(acts_for), Some(identity), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(Refusal::Malformed);
    };
    let text = |octets| std::str::from_utf8(octets).map_err(|_| Refusal::Malformed);
    credentials(text(acts_for)?, text(identity)?, password)
}

/// What PLAIN, LOGIN and the protocols' own commands ask in the end.
pub fn credentials(acts_for: &str, identity: &str, password: &[u8]) -> Result<Question, Refusal> {
    if password.is_empty() || password.len() > PASSWORD_OCTETS_MAX {
        return Err(Refusal::Malformed);
    }
    let identity = self_alone(acts_for, identity)?;
    Ok(Question::Password {
        identity,
        password: Secret::from(password),
    })
}

/// The prepared identity, where nobody else is to be acted for.
pub(crate) fn self_alone(acts_for: &str, identity: &str) -> Result<String, Refusal> {
    let identity = prep::name(identity).ok_or(Refusal::Malformed)?;
    if acts_for.is_empty() {
        return Ok(identity.into_owned());
    }
    let acts_for = prep::name(acts_for).ok_or(Refusal::Malformed)?;
    match acts_for.eq_ignore_ascii_case(&identity) {
        true => Ok(identity.into_owned()),
        false => Err(Refusal::Proxy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let tim = |password: &str| {
            Ok(Question::Password {
                identity: "tim".into(),
                password: password.into(),
            })
        };
        let cases: &[(&[u8], Result<Question, Refusal>)] = &[
            // RFC 4616 §4.
            (b"\0tim\0tanstaaftanstaaf", tim("tanstaaftanstaaf")),
            (b"Ursel\0Kurt\0xipj3plmq", Err(Refusal::Proxy)),
            (b"tim\0tim\0x", tim("x")),
            (b"TIM\0tim\0x", tim("x")),
            (b"\0ti\xc2\xadm\0x", tim("x")),
            (b"", Err(Refusal::Malformed)),
            (b"\0tim", Err(Refusal::Malformed)),
            (b"\0tim\0", Err(Refusal::Malformed)),
            (b"\0\0x", Err(Refusal::Malformed)),
            (b"\0tim\0x\0y", Err(Refusal::Malformed)),
            (b"\0t\xffm\0x", Err(Refusal::Malformed)),
            (b"\xff\0tim\0x", Err(Refusal::Malformed)),
            (b"\0t\x01m\0x", Err(Refusal::Malformed)),
            (b"\x01\0tim\0x", Err(Refusal::Malformed)),
        ];
        for (octets, expected) in cases {
            assert_eq!(&message(octets), expected, "{}", octets.escape_ascii());
        }
    }

    #[test]
    fn bounds() {
        let of = |octets: usize| message(&[b"\0tim\0", &vec![b'a'; octets][..]].concat());
        assert!(of(PASSWORD_OCTETS_MAX).is_ok());
        assert_eq!(of(PASSWORD_OCTETS_MAX + 1), Err(Refusal::Malformed));
    }

    #[test]
    fn the_password_is_not_shown() {
        let shown = format!("{:?}", message(b"\0tim\0tanstaaf"));
        assert!(
            shown.contains("tim") && !shown.contains("tanstaaf"),
            "{shown}"
        );
    }
}
