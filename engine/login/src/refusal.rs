//! Why somebody is not let in. Each service has one function that makes a reply of it.

use ringpost_admission::Reason;
use std::fmt;

/// See the head of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such user, a disabled one, a wrong password, token or certificate: nobody is told which. Theirs, permanent.
    Credentials,
    /// The mechanism is not offered here and now. Theirs.
    NotOffered,
    /// Nothing is offered before TLS. Theirs.
    Clear,
    /// Not what the mechanism says. Theirs.
    Malformed,
    /// A response above the bound. Theirs.
    TooLong,
    /// Wants to act for somebody else. Theirs.
    Proxy,
    /// SCRAM bound to another channel: somebody may stand between. Theirs, or an attacker's.
    Binding,
    /// The app password is good, but not for this service. Theirs.
    Scope,
    /// Failed too often, or banned. Theirs, temporary.
    Later(Reason),
    /// Too much waits to be hashed or asked. Ours, temporary.
    Busy,
    /// The store, or whoever knows tokens, does not answer. Ours, temporary.
    Unavailable,
}

impl Refusal {
    /// Whether the same may go well later without the client doing anything else.
    pub fn is_temporary(self) -> bool {
        matches!(
            self,
            Refusal::Later(_) | Refusal::Busy | Refusal::Unavailable
        )
    }

    /// Whether it was a guess: admission counts those.
    pub(crate) fn is_guess(self) -> bool {
        matches!(self, Refusal::Credentials)
    }
}

impl From<ringpost_sasl::Refusal> for Refusal {
    fn from(refusal: ringpost_sasl::Refusal) -> Self {
        match refusal {
            ringpost_sasl::Refusal::Malformed => Refusal::Malformed,
            ringpost_sasl::Refusal::TooLong => Refusal::TooLong,
            ringpost_sasl::Refusal::Proxy => Refusal::Proxy,
            ringpost_sasl::Refusal::Binding => Refusal::Binding,
            ringpost_sasl::Refusal::Credentials => Refusal::Credentials,
        }
    }
}

/// One sentence for the client.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Credentials => "The user or the password is wrong",
            Refusal::NotOffered => "That mechanism is not offered",
            Refusal::Clear => "Log in after STARTTLS",
            Refusal::Malformed => "The response is not what the mechanism says",
            Refusal::TooLong => "The response is too long",
            Refusal::Proxy => "Nobody may act for somebody else",
            Refusal::Binding => "The channel binding is not of this connection",
            Refusal::Scope => "The app password is not for this service",
            Refusal::Later(reason) => return reason.fmt(f),
            Refusal::Busy => "Too many logins at once; try again later",
            Refusal::Unavailable => "Logins cannot be checked now; try again later",
        })
    }
}
