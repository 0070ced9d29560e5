//! The mechanisms, and which of them may be offered.
//!
//! | name | source | the password on the wire | needs |
//! |---|---|---|---|
//! | EXTERNAL | RFC 4422 appendix A | none | a client's certificate |
//! | SCRAM-SHA-256-PLUS | RFC 7677, 5802, 5929, 9266 | never | a channel that can be bound to |
//! | SCRAM-SHA-256 | RFC 7677, 5802 | never | |
//! | OAUTHBEARER | RFC 7628 | a token | somebody who knows tokens |
//! | XOAUTH2 | Google's, of 2012 | a token | the same |
//! | PLAIN | RFC 4616 | as it is | |
//! | LOGIN | draft-murchison-sasl-login-00 | as it is | |
//!
//! Invariant: where others can read along, nothing is offered. SCRAM would not show them the password, but its
//! messages let them guess at it for as long as they like, and they could take over the session after it.
//! RFC 5802 §9, RFC 8314 §3.

/// A mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mechanism {
    External,
    ScramSha256Plus,
    ScramSha256,
    OAuthBearer,
    XOAuth2,
    Plain,
    Login,
}

impl Mechanism {
    /// All, the strongest first: some clients take the first that they know.
    pub const ALL: [Mechanism; 7] = [
        Mechanism::External,
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha256,
        Mechanism::OAuthBearer,
        Mechanism::XOAuth2,
        Mechanism::Plain,
        Mechanism::Login,
    ];

    /// The registered name. RFC 4422 §3.1.
    pub const fn name(self) -> &'static str {
        match self {
            Mechanism::External => "EXTERNAL",
            Mechanism::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::OAuthBearer => "OAUTHBEARER",
            Mechanism::XOAuth2 => "XOAUTH2",
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
        }
    }

    /// The mechanism of a name in any case.
    pub fn parse(name: &str) -> Option<Mechanism> {
        let mut all = Mechanism::ALL.into_iter();
        all.find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    /// Whether it goes by a password, which can be guessed.
    pub const fn is_by_password(self) -> bool {
        match self {
            Mechanism::ScramSha256Plus
            | Mechanism::ScramSha256
            | Mechanism::Plain
            | Mechanism::Login => true,
            Mechanism::External | Mechanism::OAuthBearer | Mechanism::XOAuth2 => false,
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What decides which mechanisms are offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// Nobody can read along: TLS, or a socket that does not leave the machine where the operator wants it so.
    pub private: bool,
    /// TLS gave something to bind to.
    pub bound: bool,
    /// The client has shown a certificate that we trust and that names an account.
    pub certificate: bool,
    /// There is somebody to ask about tokens.
    pub bearer: bool,
}

/// A set of mechanisms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer(u8);

impl Offer {
    /// Every mechanism.
    pub const ALL: Offer = Offer(u8::MAX >> 1);

    /// The set of `mechanisms`.
    pub fn of(mechanisms: impl IntoIterator<Item = Mechanism>) -> Offer {
        let bits = mechanisms.into_iter().map(Mechanism::bit);
        Offer(bits.fold(0, |set, bit| set | bit))
    }

    /// Whether `mechanism` is in it.
    pub fn contains(self, mechanism: Mechanism) -> bool {
        self.0 & mechanism.bit() != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in both.
    pub fn only(self, allowed: Offer) -> Offer {
        Offer(self.0 & allowed.0)
    }

    /// Its mechanisms, the strongest first.
    pub fn iter(self) -> impl Iterator<Item = Mechanism> {
        let all = Mechanism::ALL.into_iter();
        all.filter(move |mechanism| self.contains(*mechanism))
    }
}

/// What may be offered.
pub fn offer(circumstances: &Circumstances) -> Offer {
    let Circumstances {
        private,
        bound,
        certificate,
        bearer,
    } = *circumstances;
    let all = Mechanism::ALL.into_iter();
    Offer::of(all.filter(|mechanism| {
        private
            && match mechanism {
                Mechanism::External => certificate,
                Mechanism::ScramSha256Plus => bound,
                Mechanism::OAuthBearer | Mechanism::XOAuth2 => bearer,
                Mechanism::ScramSha256 | Mechanism::Plain | Mechanism::Login => true,
            }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(circumstances: Circumstances) -> String {
        let offer = offer(&circumstances);
        let names: Vec<&str> = offer.iter().map(Mechanism::name).collect();
        names.join(" ")
    }

    #[test]
    fn offers() {
        let clear = Circumstances::default();
        let private = Circumstances {
            private: true,
            ..clear
        };
        let everything = Circumstances {
            private: true,
            bound: true,
            certificate: true,
            bearer: true,
        };
        let cases = [
            (clear, ""),
            (
                Circumstances {
                    private: false,
                    ..everything
                },
                "",
            ),
            (private, "SCRAM-SHA-256 PLAIN LOGIN"),
            (
                Circumstances {
                    bound: true,
                    ..private
                },
                "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN",
            ),
            (
                Circumstances {
                    bearer: true,
                    ..private
                },
                "SCRAM-SHA-256 OAUTHBEARER XOAUTH2 PLAIN LOGIN",
            ),
            (
                everything,
                "EXTERNAL SCRAM-SHA-256-PLUS SCRAM-SHA-256 OAUTHBEARER XOAUTH2 PLAIN LOGIN",
            ),
        ];
        for (circumstances, expected) in cases {
            assert_eq!(names(circumstances), expected, "{circumstances:?}");
        }
        assert_eq!(offer(&everything), Offer::ALL);
        assert!(offer(&clear).is_empty());
    }

    #[test]
    fn names_come_back() {
        for mechanism in Mechanism::ALL {
            assert_eq!(
                Mechanism::parse(&mechanism.name().to_lowercase()),
                Some(mechanism)
            );
        }
        for name in ["", "PLAIN ", "SCRAM-SHA-1", "ANONYMOUS", "CRAM-MD5"] {
            assert_eq!(Mechanism::parse(name), None, "{name}");
        }
    }
}
