//! AUTHENTICATE PLAIN. RFC 3501 §6.2.2, RFC 4616, RFC 4959.

use super::login;
use crate::outcome::{Answer, Refusal};
use crate::session::Session;
use data_encoding::BASE64;
use ringpost_imap::{Code, response};

/// Octets of a response line. RFC 4954 §4 asks as much of SMTP.
const LINE_OCTETS_MAX: usize = 12_288;

/// AUTHENTICATE.
pub(super) async fn run(session: &mut Session, mechanism: &str, initial: Option<&[u8]>) -> Answer {
    if !mechanism.eq_ignore_ascii_case("PLAIN") {
        return Err(Refusal::No(Some(Code::Cannot), "Only PLAIN is offered."));
    }
    login::permit(session)?;
    let message = match initial {
        Some(initial) => decode(initial)?,
        None => {
            response::continuation(session.out(), "");
            let line = session.line(LINE_OCTETS_MAX).await?;
            if line == b"*" {
                return Err(Refusal::Bad("AUTHENTICATE was given up."));
            }
            decode(&line)?
        }
    };
    let Some((user, password)) = plain(&message) else {
        return Err(Refusal::No(
            Some(Code::AuthorizationFailed),
            "The response is not PLAIN's, or acts for somebody else.",
        ));
    };
    login::attempt(session, user, password, "AUTHENTICATE completed.").await
}

/// RFC 4959 §3: `=` stands for an empty response.
fn decode(line: &[u8]) -> Result<Vec<u8>, Refusal> {
    match line {
        b"=" => Ok(Vec::new()),
        line => BASE64
            .decode(line)
            .map_err(|_| Refusal::Bad("That is not base64.")),
    }
}

/// `message = [authzid] UTF8NUL authcid UTF8NUL passwd`: user and password. Nobody may act for somebody else.
/// RFC 4616 §2.
fn plain(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = message.split(|&octet| octet == 0);
    let (act_for, user, password) = (fields.next()?, fields.next()?, fields.next()?);
    let alone = fields.next().is_none() && !user.is_empty();
    (alone && (act_for.is_empty() || act_for == user)).then_some((user, password))
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn plain_messages() {
        /// Message; user and password.
        type Case = (&'static [u8], Option<(&'static [u8], &'static [u8])>);
        const CASES: &[Case] = &[
            (
                b"\0tim\0tanstaaftanstaaf",
                Some((b"tim", b"tanstaaftanstaaf")),
            ),
            (b"tim\0tim\0pw", Some((b"tim", b"pw"))),
            (b"Ursel\0Kurt\0xipj3plmq", None),
            (b"\0tim\0", Some((b"tim", b""))),
            (b"\0\0pw", None),
            (b"\0tim", None),
            (b"\0tim\0pw\0more", None),
            (b"", None),
        ];
        for (message, expected) in CASES {
            assert_eq!(plain(message), *expected, "{message:?}");
        }
    }
}
