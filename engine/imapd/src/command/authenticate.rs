//! AUTHENTICATE: challenges and responses of a SASL exchange, a line each. RFC 3501 §6.2.2, RFC 4959.

use super::login;
use crate::outcome::{Answer, Refusal};
use crate::session::Session;
use data_encoding::BASE64;
use ringpost_imap::response;
use ringpost_login::{Mechanism, Next};

/// Octets of a response line. RFC 4954 §4 asks as much of SMTP.
const LINE_OCTETS_MAX: usize = 12_288;

/// AUTHENTICATE.
pub(super) async fn run(session: &mut Session, mechanism: &str, initial: Option<&[u8]>) -> Answer {
    let Some(mechanism) = Mechanism::parse(mechanism) else {
        return Err(login::refusal(ringpost_login::Refusal::NotOffered));
    };
    let initial = match initial {
        // RFC 4959 §3: `=` stands for an empty response.
        Some(b"=") => Some(Vec::new()),
        Some(initial) => Some(decode(initial)?),
        None => None,
    };
    let (door, caller) = (session.context.door.clone(), login::caller(session));
    let mut next = door.open(caller, mechanism, initial.as_deref()).await;
    loop {
        next = match next {
            Next::Done(login) => {
                return login::enter(session, login, "AUTHENTICATE completed.");
            }
            Next::Refused(refusal) => return Err(login::refused(session, refusal)),
            Next::Challenge(talk, challenge) => {
                response::continuation(session.out(), &BASE64.encode(&challenge));
                let line = session.line(LINE_OCTETS_MAX).await?;
                if line == b"*" {
                    return Err(Refusal::Bad("AUTHENTICATE was given up."));
                }
                talk.respond(&decode(&line)?).await
            }
        };
    }
}

/// Padding stands at the end alone: the library would take two encodings, one behind the other. RFC 3501 §9.
fn decode(line: &[u8]) -> Result<Vec<u8>, Refusal> {
    let unpadded = &line[..line.len().saturating_sub(2)];
    let decoded = match unpadded.contains(&b'=') {
        true => None,
        false => BASE64.decode(line).ok(),
    };
    decoded.ok_or(Refusal::Bad("That is not base64."))
}
