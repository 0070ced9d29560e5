//! How a decision came about: every rule on the way, one by one, without the index.

use super::condition::{Case, Either};
use super::network::Networks;
use super::pattern::{Names, Subject};
use super::{Action, By, Decision, Facts, Failed, Rules};
use ringpost_types::Address;

/// A decision and the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation<'r> {
    /// The rules looked at, by their place from 0, and the condition that passed each over; a rule without one
    /// has tagged or decided.
    pub rules: Vec<(usize, Option<Failed>)>,
    /// What came of it.
    pub decision: Decision<'r>,
}

impl Rules {
    /// Decides as [`Rules::decide`], and tells how.
    pub fn explain(&self, facts: &Facts<'_>, recipient: &Address) -> Explanation<'_> {
        let case = Case::new(self.domains(), facts, Some(recipient));
        let mut rules = Vec::new();
        let mut tags = Vec::new();
        for (at, rule) in self.list().iter().enumerate() {
            let failed = rule.failed(&case);
            rules.push((at, failed));
            match (&rule.action, failed) {
                (_, Some(_)) => {}
                (Action::Tag(word), None) => tags.push(&**word),
                (action, None) => {
                    let by = By::Rule(at);
                    let decision = Decision { action, by, tags };
                    return Explanation { rules, decision };
                }
            }
        }
        let (action, by) = self.last(facts, recipient);
        let decision = Decision { action, by, tags };
        Explanation { rules, decision }
    }
}

impl Rules {
    /// Why the rule of this place is passed over, in the words of the session.
    pub fn reason(
        &self,
        at: usize,
        failed: Failed,
        facts: &Facts<'_>,
        recipient: &Address,
    ) -> String {
        let (rule, case) = (
            &self.list()[at],
            Case::new(self.domains(), facts, Some(recipient)),
        );
        let asked = &rule.conditions;
        let excepted = |names: &Option<Either<Names>>, subject: &Subject| {
            let but = names.as_ref().map(|names| &names.but);
            match but.is_some_and(|but| but.holds(subject)) {
                true => ", an exception",
                false => "",
            }
        };
        match failed {
            Failed::Listener => format!("the listener is {}", facts.listener),
            Failed::FromNetwork => networks(asked.from_network.as_ref(), facts),
            Failed::Authenticated => match facts.login {
                Some(login) => format!("{login} has logged in"),
                None => "nobody has logged in".to_owned(),
            },
            Failed::Tls => match facts.tls {
                true => "the session is inside TLS".to_owned(),
                false => "the session is in clear".to_owned(),
            },
            Failed::Helo => {
                let excepted = excepted(&asked.helo, case.helo());
                format!("the peer calls itself {:?}{excepted}", facts.helo)
            }
            Failed::Sender => {
                let sender = facts.sender.map(Address::to_string).unwrap_or_default();
                let excepted = excepted(&asked.sender, case.from());
                format!("the sender is <{sender}>{excepted}")
            }
            Failed::Recipient => {
                let excepted = excepted(&asked.recipient, case.to());
                format!("the recipient is <{recipient}>{excepted}")
            }
            Failed::Domain => {
                let excepted = excepted(&asked.domain, case.to());
                format!("the domain is {}{excepted}", recipient.domain())
            }
            Failed::Role => format!(
                "<{recipient}> takes mail from everybody; only a rule that names it or certain senders may {}",
                match rule.action {
                    Action::Discard => "discard that",
                    _ => "refuse that",
                }
            ),
            Failed::Deliver => format!("{} is not a local domain", recipient.domain()),
        }
    }
}

fn networks(asked: Option<&Either<Networks>>, facts: &Facts<'_>) -> String {
    let peer = match facts.ip {
        Some(ip) => ip.to_canonical().to_string(),
        None => "a unix socket".to_owned(),
    };
    let trusted = Facts {
        trust_local: true,
        ..*facts
    };
    let asks = |list: fn(&Either<Networks>) -> Option<&Networks>, facts: &Facts<'_>| {
        let list = asked.and_then(list);
        list.is_some_and(|list| list.holds(facts))
    };
    if asks(|either| Some(&either.but), facts) {
        return format!("{peer} is an exception");
    }
    match asks(|either| either.of.as_ref(), &trusted) {
        true => format!("{peer} is on this machine, which the listener does not trust"),
        false => format!("{peer} is not in the list"),
    }
}
