//! What a rule asks for, and which of it fails.

use super::network::Networks;
use super::pattern::{Names, Subject};
use super::{Action, Facts, Rule};
use crate::domains::Domains;
use crate::resolve::is_role;
use ringpost_types::Address;
use std::cell::OnceCell;
use std::collections::HashSet;
use std::fmt;

/// A list, and a list of exceptions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Either<T> {
    /// One of these; `None`: whatever is no exception. A list that happens to be empty holds nothing.
    pub of: Option<T>,
    /// None of these.
    pub but: T,
}

/// The conditions of a rule; `None` is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Tags of listeners.
    pub listener: Option<HashSet<Box<str>>>,
    /// Where the peer is.
    pub from_network: Option<Either<Networks>>,
    /// Who has logged in.
    pub authenticated: Option<Who>,
    /// Whether the session is inside TLS.
    pub tls: Option<bool>,
    /// What the peer called itself.
    pub helo: Option<Either<Names>>,
    /// The reverse-path.
    pub sender: Option<Either<Names>>,
    /// The recipient.
    pub recipient: Option<Either<Names>>,
    /// The recipient's domain.
    pub domain: Option<Either<Names>>,
}

impl Conditions {
    /// Whether the recipient matters.
    pub fn ask_recipient(&self) -> bool {
        self.recipient.is_some() || self.domain.is_some()
    }

    /// Whether the rule is about certain senders, and not about whoever comes.
    pub fn ask_sender(&self) -> bool {
        let logged_in = matches!(self.authenticated, Some(Who::Somebody | Who::One(_)));
        logged_in || self.from_network.is_some() || self.helo.is_some() || self.sender.is_some()
    }
}

/// Who must have logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Anybody.
    Somebody,
    /// Nobody may have.
    Nobody,
    /// One of these accounts.
    One(Either<Names>),
}

/// The condition that does not hold, the first in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    Listener,
    FromNetwork,
    Authenticated,
    Tls,
    Helo,
    Sender,
    Recipient,
    Domain,
    /// The rule delivers, and the domain is not ours.
    Deliver,
    /// The rule refuses, and the recipient is one that everybody reaches.
    Role,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failed::Listener => "listener",
            Failed::FromNetwork => "from_network",
            Failed::Authenticated => "authenticated",
            Failed::Tls => "tls",
            Failed::Helo => "helo",
            Failed::Sender => "sender",
            Failed::Recipient => "recipient",
            Failed::Domain => "domain",
            Failed::Deliver => "deliver",
            Failed::Role => "postmaster and abuse",
        })
    }
}

/// One recipient of one session, in the forms that lists are asked with; each made when first needed.
pub(super) struct Case<'c> {
    pub domains: &'c Domains,
    pub facts: &'c Facts<'c>,
    /// `None`: at MAIL, when conditions on it count as holding.
    pub recipient: Option<&'c Address>,
    to: OnceCell<Subject>,
    from: OnceCell<Subject>,
    helo: OnceCell<Subject>,
    login: OnceCell<Subject>,
}

impl<'c> Case<'c> {
    pub fn new(domains: &'c Domains, facts: &'c Facts<'c>, recipient: Option<&'c Address>) -> Self {
        Case {
            domains,
            facts,
            recipient,
            to: OnceCell::new(),
            from: OnceCell::new(),
            helo: OnceCell::new(),
            login: OnceCell::new(),
        }
    }

    /// The recipient.
    pub fn to(&self) -> &Subject {
        let make = || Subject::address(self.domains, self.recipient);
        self.to.get_or_init(make)
    }

    /// The reverse-path.
    pub fn from(&self) -> &Subject {
        let make = || Subject::address(self.domains, self.facts.sender);
        self.from.get_or_init(make)
    }

    /// What the peer calls itself.
    pub fn helo(&self) -> &Subject {
        let make = || Subject::domain(self.domains, self.facts.helo);
        self.helo.get_or_init(make)
    }

    fn login(&self) -> &Subject {
        let make = || match self.facts.login.map(Address::parse) {
            Some(Ok(name)) => Subject::address(self.domains, Some(&name)),
            Some(Err(_)) => Subject::Unknown,
            None => Subject::Null,
        };
        self.login.get_or_init(make)
    }
}

impl Either<Networks> {
    fn holds(&self, facts: &Facts<'_>) -> bool {
        self.of.as_ref().is_none_or(|of| of.holds(facts)) && !self.but.holds(facts)
    }
}

impl Either<Names> {
    fn holds(&self, subject: &Subject) -> bool {
        self.of.as_ref().is_none_or(|of| of.holds(subject)) && !self.but.holds(subject)
    }
}

impl Who {
    fn holds(&self, case: &Case<'_>) -> bool {
        let login = case.facts.login;
        match self {
            Who::Somebody => login.is_some(),
            Who::Nobody => login.is_none(),
            Who::One(names) => login.is_some() && names.holds(case.login()),
        }
    }
}

impl Rule {
    /// The first condition that does not hold; `None`: all hold.
    pub(super) fn failed(&self, case: &Case<'_>) -> Option<Failed> {
        let Conditions {
            listener,
            from_network,
            authenticated,
            tls,
            helo,
            sender,
            recipient,
            domain,
        } = &self.conditions;
        let facts = case.facts;
        let no = |holds: bool, failed: Failed| (!holds).then_some(failed);
        let about_session = || {
            None.or_else(|| {
                let tags = listener.as_ref()?;
                no(tags.contains(facts.listener), Failed::Listener)
            })
            .or_else(|| no(from_network.as_ref()?.holds(facts), Failed::FromNetwork))
            .or_else(|| no(authenticated.as_ref()?.holds(case), Failed::Authenticated))
            .or_else(|| no((*tls)? == facts.tls, Failed::Tls))
            .or_else(|| no(helo.as_ref()?.holds(case.helo()), Failed::Helo))
            .or_else(|| no(sender.as_ref()?.holds(case.from()), Failed::Sender))
        };
        let about_recipient = || {
            let address = case.recipient?;
            None.or_else(|| no(recipient.as_ref()?.holds(case.to()), Failed::Recipient))
                .or_else(|| no(domain.as_ref()?.holds(case.to()), Failed::Domain))
                .or_else(|| no(!self.shuts_out(case, address), Failed::Role))
                .or_else(|| {
                    let delivers = self.action == Action::Deliver;
                    let ours = !delivers || case.domains.is_local(address.domain());
                    no(ours, Failed::Deliver)
                })
        };
        about_session().or_else(about_recipient)
    }

    /// Whether the rule would refuse mail to postmaster or abuse of a local domain though it speaks neither of them nor of
    /// who sends. RFC 5321 §4.5.1 has these taken from everybody but for extreme cases, and those have a sender.
    fn shuts_out(&self, case: &Case<'_>, recipient: &Address) -> bool {
        self.refuses()
            && is_role(recipient)
            && case.domains.is_local(recipient.domain())
            && !self.conditions.ask_sender()
            && !self.names(case.to())
    }

    /// Whether nobody gets the mail.
    fn refuses(&self) -> bool {
        matches!(self.action, Action::Reject(_) | Action::Discard)
    }

    fn names(&self, recipient: &Subject) -> bool {
        let asked = self.conditions.recipient.as_ref();
        let named = asked.and_then(|names| names.of.as_ref());
        named.is_some_and(|names| names.names(recipient))
    }
}
