//! One login under way. RFC 4422 §3.
//!
//! In:  the client's responses, decoded; the answers to what was asked. Out: [`Step`].
//!
//! | mechanism | client | [`Step`] | answered by |
//! |---|---|---|---|
//! | PLAIN | message | `Ask(Password)` | [`Exchange::answer`] |
//! | LOGIN | name; password | `Challenge`; `Ask(Password)` | `answer` |
//! | EXTERNAL | whom | `Ask(Certificate)` | `answer` |
//! | OAUTHBEARER, XOAUTH2 | message | `Ask(Bearer)` | `answer`: no, and a `Challenge` tells it before the end |
//! | SCRAM | first; final; empty | `Ask(Keys)`; `Challenge`; `Accepted` | [`Exchange::keys`] |
//!
//! Without an initial response each begins with a challenge, empty but for LOGIN. RFC 4954 §4, RFC 3501 §6.2.2.
//!
//! Invariants: what comes when it must not ends the exchange; an exchange that has ended stays so. [`Step::Accepted`] comes
//! once, after a good answer or a good proof, and from nowhere else.

use crate::bearer::{self, Flavor};
use crate::scram::{self, Binding, Keys};
use crate::{Mechanism, Secret, external, login, plain, prep};

/// Octets of one decoded response: what a base64 line of 12,288 octets holds, which RFC 4954 §4 wants taken. Tokens grow long.
pub const RESPONSE_OCTETS_MAX: usize = 9_216;

/// Octets of a password; what is longer is no password, and hashing it would be work for nothing.
pub const PASSWORD_OCTETS_MAX: usize = 1_024;

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send it; the answer goes to [`Exchange::respond`].
    Challenge(Vec<u8>),
    /// Look it up; then [`Exchange::answer`], or [`Exchange::keys`] for keys.
    Ask(Question),
    /// It is who was asked about last.
    Accepted,
    /// It is over.
    Refused(Refusal),
}

/// What only a directory knows. Identities are prepared, never empty, and not yet known to be anybody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether the password is this one's.
    Password { identity: String, password: Secret },
    /// The SCRAM keys of this one; of one whom nobody knows, [`Keys::nobody`].
    Keys { identity: String },
    /// Whose token it is, and whether that is this one, where one is named.
    Bearer {
        identity: Option<String>,
        token: Secret,
    },
    /// Whom the client's certificate names, and whether this one is among them, where one is named.
    Certificate { identity: Option<String> },
}

/// Why an exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not what the mechanism says.
    Malformed,
    /// Above [`RESPONSE_OCTETS_MAX`].
    TooLong,
    /// Wants to act for somebody else.
    Proxy,
    /// Bound to another channel than this, or led to think that there is none to bind to: somebody may stand between.
    Binding,
    /// Not the password, token or certificate of whom it says.
    Credentials,
}

/// What an exchange needs to know of its connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// What may be bound to.
    pub binding: Binding,
    /// Whether SCRAM-SHA-256-PLUS was among what was offered.
    pub plus: bool,
    /// Our half of SCRAM's nonce: new, random, printable, without commas.
    pub nonce: String,
}

/// See the head of this file.
#[derive(Debug)]
pub struct Exchange {
    setting: Setting,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Waits for the first response.
    First(Mechanism),
    /// LOGIN has its name.
    Named(String),
    /// Asked, and the answer decides.
    Asked,
    /// Asked about a token.
    AskedToken(Flavor),
    /// Asked for keys.
    AskedKeys(scram::First),
    /// Waits for a proof.
    Proof(Box<scram::Pending>),
    /// Waits for the empty response that ends a success. RFC 5802 §5 with RFC 4422 §5.
    Signed,
    /// Waits for the response that ends a failure. RFC 7628 §3.2.3.
    Failed,
    Ended,
}

impl Exchange {
    /// Begins. `initial` is the initial response, where the client sent one.
    pub fn begin(
        mechanism: Mechanism,
        setting: Setting,
        initial: Option<&[u8]>,
    ) -> (Exchange, Step) {
        let mut exchange = Exchange {
            setting,
            state: State::First(mechanism),
        };
        let step = match initial {
            Some(response) => exchange.respond(response),
            None if mechanism == Mechanism::Login => Step::Challenge(login::NAME.to_vec()),
            None => Step::Challenge(Vec::new()),
        };
        (exchange, step)
    }

    /// Takes the client's response to a challenge.
    pub fn respond(&mut self, response: &[u8]) -> Step {
        let state = std::mem::replace(&mut self.state, State::Ended);
        if response.len() > RESPONSE_OCTETS_MAX {
            return Step::Refused(Refusal::TooLong);
        }
        let taken = match state {
            State::First(mechanism) => self.first(mechanism, response),
            State::Named(name) => plain::credentials("", &name, response).map(|question| {
                self.state = State::Asked;
                Step::Ask(question)
            }),
            State::Proof(pending) => pending.finish(response).map(|signature| {
                self.state = State::Signed;
                Step::Challenge(signature)
            }),
            State::Signed if response.is_empty() => Ok(Step::Accepted),
            State::Failed => Err(Refusal::Credentials),
            State::Signed
            | State::Asked
            | State::AskedToken(_)
            | State::AskedKeys(_)
            | State::Ended => Err(Refusal::Malformed),
        };
        taken.unwrap_or_else(Step::Refused)
    }

    fn first(&mut self, mechanism: Mechanism, response: &[u8]) -> Result<Step, Refusal> {
        let (state, step) = match mechanism {
            Mechanism::Plain => (State::Asked, Step::Ask(plain::message(response)?)),
            Mechanism::External => (State::Asked, Step::Ask(external::response(response)?)),
            Mechanism::OAuthBearer => self.token(Flavor::OAuthBearer, response)?,
            Mechanism::XOAuth2 => self.token(Flavor::XOAuth2, response)?,
            Mechanism::Login => {
                let name = std::str::from_utf8(response).map_err(|_| Refusal::Malformed)?;
                let name = prep::name(name).ok_or(Refusal::Malformed)?.into_owned();
                (
                    State::Named(name),
                    Step::Challenge(login::PASSWORD.to_vec()),
                )
            }
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => {
                let Setting { binding, plus, .. } = &self.setting;
                let first = scram::first(mechanism, response, binding, *plus)?;
                let identity = first.identity.clone();
                (
                    State::AskedKeys(first),
                    Step::Ask(Question::Keys { identity }),
                )
            }
        };
        self.state = state;
        Ok(step)
    }

    fn token(&self, flavor: Flavor, response: &[u8]) -> Result<(State, Step), Refusal> {
        let question = bearer::message(flavor, response)?;
        Ok((State::AskedToken(flavor), Step::Ask(question)))
    }

    /// Takes the answer to a question about a password, a token or a certificate.
    pub fn answer(&mut self, good: bool) -> Step {
        match (std::mem::replace(&mut self.state, State::Ended), good) {
            (State::Asked | State::AskedToken(_), true) => Step::Accepted,
            (State::AskedToken(flavor), false) => {
                self.state = State::Failed;
                Step::Challenge(flavor.error().to_vec())
            }
            _ => Step::Refused(Refusal::Credentials),
        }
    }

    /// Takes the keys that were asked for.
    pub fn keys(&mut self, keys: Keys) -> Step {
        let State::AskedKeys(first) = std::mem::replace(&mut self.state, State::Ended) else {
            return Step::Refused(Refusal::Credentials);
        };
        let (challenge, pending) = scram::challenge(first, &self.setting.nonce, keys);
        self.state = State::Proof(Box::new(pending));
        Step::Challenge(challenge)
    }
}

#[cfg(test)]
mod tests;
