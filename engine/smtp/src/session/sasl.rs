//! AUTH: who may begin an exchange, and its lines; what is in them is the service's to judge. RFC 4954.
//!
//! In:  the command, response lines, the service's challenges. Out: decoded octets, replies.
//!
//! Invariant: each `Authenticate` ends in one answer or in one `Cancelled`.

use super::{Action, Phase, Question, Session};
use crate::line::Line;
use crate::{Tls, reply};
use data_encoding::BASE64;
use ringpost_types::Reply;

impl Session {
    /// `AUTH mechanism [initial-response]`. RFC 4954 §4.
    pub(super) fn auth<'i>(&mut self, mechanism: &str, initial: Option<&str>) -> Action<'i> {
        let mechanism = match self.admitted(mechanism) {
            Ok(mechanism) => mechanism,
            Err(refusal) => return self.say(refusal),
        };
        let Ok(initial) = initial.map(str::as_bytes).map(decode).transpose() else {
            return self.say(reply::BAD_AUTH_RESPONSE);
        };
        self.ask(Question::Login, Action::Authenticate { mechanism, initial })
    }

    /// The mechanism, where it may be used now.
    fn admitted(&self, mechanism: &str) -> Result<&'static str, Reply> {
        let named = |names: &[&'static str]| {
            let found = names
                .iter()
                .find(|name| name.eq_ignore_ascii_case(mechanism));
            found.copied()
        };
        let offered = self.circumstances().mechanisms;
        let in_tls = &self.options.mechanisms.tls;
        let hidden = self.tls != Tls::Active && (offered.is_empty() || named(offered).is_none());
        if hidden && (named(in_tls).is_some() || offered.is_empty() && !in_tls.is_empty()) {
            return Err(match self.tls {
                Tls::Absent => reply::ENCRYPTION_REQUIRED,
                _ => reply::TLS_FIRST,
            });
        }
        if offered.is_empty() {
            return Err(reply::NOT_OFFERED);
        }
        if self.helo.is_none() {
            return Err(reply::HELLO_FIRST);
        }
        if self.authenticated || self.transaction.open {
            return Err(reply::AUTH_OUT_OF_PLACE);
        }
        named(offered).ok_or(reply::UNKNOWN_MECHANISM)
    }

    /// The exchange needs another response.
    pub fn challenge(&mut self, octets: &[u8]) {
        debug_assert!(matches!(self.phase, Phase::Answer(Question::Login)));
        self.phase = Phase::Response;
        let text = BASE64.encode(octets);
        self.queued = Some(Reply::with_text(334, None, text));
    }

    /// A line that answers a challenge. RFC 4954 §4.
    pub(super) fn response<'i>(&mut self, input: &'i [u8]) -> (usize, Action<'i>) {
        let octets_max = self.options.limits.smtp_auth_octets_max;
        let (used, line) = self.lines.next(input, octets_max as usize);
        let action = match line {
            Line::More => Action::More,
            Line::Whole(b"*") => {
                self.transcript.command(b"*");
                self.cancel(reply::AUTH_CANCELLED)
            }
            Line::Whole(response) => {
                self.transcript.secret(b"", response.len());
                match decode(response) {
                    Ok(octets) => self.ask(Question::Login, Action::Response(octets)),
                    Err(BadBase64) => self.cancel(reply::BAD_AUTH_RESPONSE),
                }
            }
            Line::TooLong => {
                self.transcript.note("C: a line that is too long");
                self.cancel(reply::AUTH_LINE_TOO_LONG)
            }
        };
        (used, action)
    }

    fn cancel<'i>(&mut self, refusal: Reply) -> Action<'i> {
        self.phase = Phase::Command;
        self.queue(refusal);
        Action::Cancelled
    }

    /// Guessing is bounded: the last of smtp_login_failures_max refusals ends the session. A temporary one counts too: it
    /// says nothing of the password, but whoever asks again and again before a shut door costs an event each time.
    pub(super) fn refuse_login(&mut self, refusal: Reply) {
        self.login_failures += 1;
        if self.login_failures >= self.options.limits.smtp_login_failures_max {
            return self.end(reply::TOO_MANY_LOGINS);
        }
        self.queue(refusal);
    }
}

struct BadBase64;

/// `initial-response = base64 / "="`: an equals sign alone is an empty response, and so is an empty line. RFC 4954 §4.
/// Padding stands at the end alone: the library would take two encodings, one behind the other. RFC 4954 §8.
fn decode(base64: &[u8]) -> Result<Vec<u8>, BadBase64> {
    if base64 == b"=" {
        return Ok(Vec::new());
    }
    let unpadded = &base64[..base64.len().saturating_sub(2)];
    if unpadded.contains(&b'=') {
        return Err(BadBase64);
    }
    BASE64.decode(base64).map_err(|_| BadBase64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64() {
        const CASES: &[(&str, Option<&str>)] = &[
            ("", Some("")),
            ("=", Some("")),
            ("YQ==", Some("a")),
            ("YWI=", Some("ab")),
            ("YWJj", Some("abc")),
            ("YQ", None),
            ("YQ=", None),
            ("YR==", None),
            ("YQ==YQ==", None),
            ("YWI=YWI=", None),
            ("YQ==YWJj", None),
            ("====", None),
            ("==", None),
            ("YWJj=", None),
            ("YW Jj", None),
            ("YWJj ", None),
            ("YW\r\nJj", None),
            ("YW-_", None),
            ("YWJj!", None),
        ];
        for (text, expected) in CASES {
            let got = decode(text.as_bytes()).ok();
            assert_eq!(got.as_deref(), expected.map(str::as_bytes), "{text:?}");
        }
    }
}
