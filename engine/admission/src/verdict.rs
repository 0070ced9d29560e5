//! What a guest is told, and why. Every reason is a word here; replies are made in one place.

use crate::policy::Count;
use crate::shed::Step;
use ringpost_types::reply::{Enhanced, Reply};
use std::fmt;

/// What becomes of whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Welcome,
    /// Go on, but wait so many milliseconds with the answer.
    Slow(u64),
    /// Not now: a temporary refusal.
    Later(Reason),
    /// Not at all: a permanent refusal.
    Refused(Reason),
}

impl Verdict {
    /// The reason of a refusal.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Verdict::Welcome | Verdict::Slow(_) => None,
            Verdict::Later(reason) | Verdict::Refused(reason) => Some(*reason),
        }
    }

    /// What a refused connection is told in place of the greeting. RFC 5321 §3.1, §3.8.
    pub fn greeting(&self) -> Option<Reply> {
        match self {
            Verdict::Welcome | Verdict::Slow(_) => None,
            Verdict::Later(reason) => Some(reason.reply(421, 4)),
            Verdict::Refused(reason) => Some(reason.reply(554, 5)),
        }
    }

    /// What a refused command is told: 450, or 452 where it is a matter of room; 550.
    pub fn refusal(&self) -> Option<Reply> {
        match self {
            Verdict::Welcome | Verdict::Slow(_) => None,
            Verdict::Later(reason @ (Reason::Connections(Scope::Server) | Reason::Memory(_))) => {
                Some(reason.reply(452, 4))
            }
            Verdict::Later(reason) => Some(reason.reply(450, 4)),
            Verdict::Refused(reason) => Some(reason.reply(550, 5)),
        }
    }
}

/// Whom a bound is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One address.
    Address,
    /// A /24; in IPv6 a /64.
    Network,
    /// One account, or a name that somebody tried to log in with.
    Account,
    /// All of us.
    Server,
}

impl Scope {
    fn from(self) -> &'static str {
        match self {
            Scope::Address => "from your address",
            Scope::Network => "from your network",
            Scope::Account => "for this account",
            Scope::Server => "at this server",
        }
    }
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Too many connections are open.
    Connections(Scope),
    /// Too many of them in a short time.
    Rate(Scope, Count),
    /// A ban is in force.
    Banned,
    /// Memory is short.
    Memory(Step),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Connections(scope) => {
                write!(f, "Too many connections {}; try again later", scope.from())
            }
            Reason::Rate(scope, count) => write!(
                f,
                "Too many {} {} in a short time; try again later",
                count.name(),
                scope.from()
            ),
            Reason::Banned => f.write_str("Your address is banned for now"),
            Reason::Memory(_) => f.write_str("The server is short of memory; try again later"),
        }
    }
}

impl Reason {
    /// Subject and detail of the enhanced code. RFC 3463 §3.4, §3.8.
    fn detail(self) -> (u16, u16) {
        match self {
            Reason::Memory(_) | Reason::Connections(Scope::Server) => (3, 1),
            Reason::Connections(_) | Reason::Rate(..) => (7, 0),
            Reason::Banned => (7, 1),
        }
    }

    fn reply(self, code: u16, class: u8) -> Reply {
        let (subject, detail) = self.detail();
        let enhanced = Enhanced(class, subject, detail);
        Reply::with_text(code, Some(enhanced), self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies() {
        let crowd = Reason::Rate(Scope::Network, Count::Messages);
        let full = Reason::Connections(Scope::Server);
        let memory = Reason::Memory(Step::NewMails);
        let cases: &[(Verdict, Option<&str>, Option<&str>)] = &[
            (Verdict::Welcome, None, None),
            (Verdict::Slow(5), None, None),
            (
                Verdict::Later(crowd),
                Some(
                    "421 4.7.0 Too many messages from your network in a short time; try again later\r\n",
                ),
                Some(
                    "450 4.7.0 Too many messages from your network in a short time; try again later\r\n",
                ),
            ),
            (
                Verdict::Later(full),
                Some("421 4.3.1 Too many connections at this server; try again later\r\n"),
                Some("452 4.3.1 Too many connections at this server; try again later\r\n"),
            ),
            (
                Verdict::Later(memory),
                Some("421 4.3.1 The server is short of memory; try again later\r\n"),
                Some("452 4.3.1 The server is short of memory; try again later\r\n"),
            ),
            (
                Verdict::Refused(Reason::Banned),
                Some("554 5.7.1 Your address is banned for now\r\n"),
                Some("550 5.7.1 Your address is banned for now\r\n"),
            ),
        ];
        let wire = |reply: Option<Reply>| {
            reply.map(|reply| {
                let mut out = Vec::new();
                reply.write(&mut out);
                String::from_utf8(out).expect("ASCII")
            })
        };
        for (verdict, greeting, refusal) in cases {
            assert_eq!(wire(verdict.greeting()).as_deref(), *greeting);
            assert_eq!(wire(verdict.refusal()).as_deref(), *refusal);
        }
    }
}
