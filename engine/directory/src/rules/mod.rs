//! What happens to a recipient: the ordered `[[rule]]` list of the configuration.
//!
//! In:  [`Facts`] of a session and a recipient. Out: a [`Decision`] that borrows from the rules, and for people an
//! [`Explanation`].
//!
//! The first rule of which every condition holds decides; a rule that tags goes on to the next. Where none decides:
//!
//! | | the last rules, which are always there |
//! |---|---|
//! | 1 | a recipient of a local domain: deliver |
//! | 2 | who has logged in, or a trusted peer on this machine: relay by MX |
//! | 3 | anything else: 550 5.7.1 |
//!
//! `postmaster` and `abuse` of a local domain are refused or thrown away only by a rule that names them as recipients or
//! that is about certain senders (`from_network`, `helo`, `sender`, users who have logged in): every other is passed over for
//! them. RFC 5321 §4.5.1, RFC 2142.
//!
//! [`pattern`] is what a list of names may say, [`network`] one of networks, [`condition`] puts them together,
//! [`index`] finds the few rules that a recipient can meet, [`explain`] walks through all of them.
//!
//! Invariants: a decision depends on facts and rules alone; what is answered at MAIL would be answered to every
//! recipient; ten thousand rules of one domain each cost a recipient no more look-ups than one rule of ten thousand.

mod condition;
mod explain;
mod index;
pub mod network;
pub mod pattern;

pub use condition::{Conditions, Either, Failed, Who};
pub use explain::Explanation;

use crate::domains::Domains;
use condition::Case;
use index::Index;
use ringpost_types::reply::Enhanced;
use ringpost_types::{Address, Reply};
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// What is known when a recipient is named.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'f> {
    /// The listener's tag.
    pub listener: &'f str,
    /// The peer; `None`: a unix socket.
    pub ip: Option<IpAddr>,
    /// Whether the listener trusts peers on this machine.
    pub trust_local: bool,
    /// The primary address of who has logged in.
    pub login: Option<&'f str>,
    /// Whether the session is inside TLS.
    pub tls: bool,
    /// What the peer called itself.
    pub helo: &'f str,
    /// The reverse-path; `None`: `<>`.
    pub sender: Option<&'f Address>,
}

impl Facts<'_> {
    /// Whether the peer is on this machine and the listener trusts those.
    pub fn is_trusted(&self) -> bool {
        let local = |ip: IpAddr| ip.to_canonical().is_loopback();
        self.trust_local && self.ip.is_none_or(local)
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Where it was said, such as `ringpost.toml:41`.
    pub place: Box<str>,
    /// All must hold.
    pub conditions: Conditions,
    /// What is done then.
    pub action: Action,
}

/// What is done with a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Into the mailboxes that its address leads to. Only for local domains: for others the rule is passed over.
    Deliver,
    /// To these addresses in its place, at least one, as if each had been named.
    Forward(Vec<Address>),
    /// To another host: the named route, or by MX.
    Relay(Option<Box<str>>),
    /// Refused with this.
    Reject(Reply),
    /// Answered 250 and thrown away.
    Discard,
    /// Marked, and on to the next rule. The word is for the mail's log line and its `Ringpost-Tag` field.
    Tag(Box<str>),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Deliver => f.write_str("deliver"),
            Action::Forward(to) => {
                let to: Vec<_> = to.iter().map(Address::to_string).collect();
                write!(f, "forward to {}", to.join(", "))
            }
            Action::Relay(Some(route)) => write!(f, "relay through {route}"),
            Action::Relay(None) => f.write_str("relay by MX"),
            Action::Reject(reply) => {
                write!(f, "reject with {}", reply.code)?;
                if let Some(Enhanced(class, subject, detail)) = reply.enhanced {
                    write!(f, " {class}.{subject}.{detail}")?;
                }
                write!(f, " {}", reply.text)
            }
            Action::Discard => f.write_str("discard"),
            Action::Tag(word) => write!(f, "tag {word}"),
        }
    }
}

static DELIVER: Action = Action::Deliver;
static RELAY: Action = Action::Relay(None);
static DENIED: Action = Action::Reject(Reply {
    code: 550,
    enhanced: Some(Enhanced(5, 7, 1)),
    text: Cow::Borrowed("Relaying denied: the domain is not ours and nobody has logged in"),
});

/// Who decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The rule of this place in the list, from 0.
    Rule(usize),
    /// No rule; the domain is ours.
    LocalDomain,
    /// No rule; somebody has logged in.
    Login,
    /// No rule; a trusted peer on this machine.
    TrustedPeer,
    /// No rule, and no reason to take it.
    Nothing,
}

/// What happens to a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<'r> {
    /// What is done; never [`Action::Tag`].
    pub action: &'r Action,
    /// Who says so.
    pub by: By,
    /// Words of the tagging rules it came by.
    pub tags: Vec<&'r str>,
}

/// A smart host by name: `[[relay]]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What rules call it.
    pub name: Box<str>,
    /// Name or address.
    pub host: Box<str>,
    /// Its port.
    pub port: u16,
    /// What TLS must be.
    pub tls: RouteTls,
    /// Who logs in there, and the file with the password.
    pub login: Option<(Box<str>, std::path::PathBuf)>,
}

/// What TLS to a smart host must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteTls {
    /// Never.
    None,
    /// Where it is offered.
    May,
    /// Always, whatever the certificate.
    Encrypt,
    /// Always, and the certificate names the host.
    Verify,
}

/// The rules in force, with the domains they speak of. Never changed in place: a reload makes new ones.
#[derive(Debug, Default)]
pub struct Rules {
    domains: Arc<Domains>,
    list: Vec<Rule>,
    routes: Vec<Route>,
    index: Index,
}

impl Rules {
    /// These rules in this order. Relays name one of `routes`, which the configuration sees to.
    pub fn new(domains: Domains, list: Vec<Rule>, routes: Vec<Route>) -> Self {
        Rules {
            domains: Arc::new(domains),
            index: Index::new(&list),
            list,
            routes,
        }
    }

    /// The domains that are local.
    pub fn domains(&self) -> &Arc<Domains> {
        &self.domains
    }

    /// The rules in their order.
    pub fn list(&self) -> &[Rule] {
        &self.list
    }

    /// The smart host of that name.
    pub fn route(&self, name: &str) -> Option<&Route> {
        self.routes.iter().find(|route| &*route.name == name)
    }

    /// What happens to `recipient`.
    pub fn decide(&self, facts: &Facts<'_>, recipient: &Address) -> Decision<'_> {
        let mut tags = Vec::new();
        if !self.list.is_empty() {
            let case = Case::new(&self.domains, facts, Some(recipient));
            for at in self.index.candidates(&case) {
                let rule = &self.list[at];
                match (&rule.action, rule.failed(&case)) {
                    (_, Some(_)) => {}
                    (Action::Tag(word), None) => tags.push(&**word),
                    (action, None) => {
                        let by = By::Rule(at);
                        return Decision { action, by, tags };
                    }
                }
            }
        }
        let (action, by) = self.last(facts, recipient);
        Decision { action, by, tags }
    }

    /// What every recipient would be answered, where that is a refusal and known at MAIL already.
    pub fn at_mail(&self, facts: &Facts<'_>) -> Option<Decision<'_>> {
        // Most lists refuse nobody before RCPT.
        if !self.index.may_refuse_at_mail() {
            return None;
        }
        let case = Case::new(&self.domains, facts, None);
        let known = |&at: &usize| at < self.index.asking();
        for at in self.index.candidates(&case).take_while(known) {
            let rule = &self.list[at];
            match (&rule.action, rule.failed(&case)) {
                (_, Some(_)) | (Action::Tag(_), None) => {}
                // Who rejects whoever comes still takes mail for postmaster.
                (action @ Action::Reject(_), None) if rule.conditions.ask_sender() => {
                    return Some(Decision {
                        action,
                        by: By::Rule(at),
                        tags: Vec::new(),
                    });
                }
                (_, None) => return None,
            }
        }
        None
    }

    /// Who decided, for a log line.
    pub fn name(&self, by: By) -> String {
        match by {
            By::Rule(at) => format!("rule {} ({})", at + 1, self.list[at].place),
            By::LocalDomain => "no rule: the domain is local".to_owned(),
            By::Login => "no rule: logged in".to_owned(),
            By::TrustedPeer => "no rule: a trusted peer on this machine".to_owned(),
            By::Nothing => "no rule: not a local domain, nobody logged in".to_owned(),
        }
    }

    fn last(&self, facts: &Facts<'_>, recipient: &Address) -> (&'static Action, By) {
        if self.domains.is_local(recipient.domain()) {
            (&DELIVER, By::LocalDomain)
        } else if facts.login.is_some() {
            (&RELAY, By::Login)
        } else if facts.is_trusted() {
            (&RELAY, By::TrustedPeer)
        } else {
            (&DENIED, By::Nothing)
        }
    }
}

impl From<Domains> for Rules {
    /// No rule but the last ones.
    fn from(domains: Domains) -> Self {
        Rules::new(domains, Vec::new(), Vec::new())
    }
}

#[cfg(test)]
mod tests;
