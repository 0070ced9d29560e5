//! How a decision came about: every rule on the way, one by one, without the index.

use super::condition::Case;
use super::{Action, Decision, Facts, Failed, Rules};
use super::{By, Rule};
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

impl Failed {
    /// Why, in the words of the session.
    pub fn reason(self, rule: &Rule, facts: &Facts<'_>, recipient: &Address) -> String {
        let peer = match facts.ip {
            Some(ip) => ip.to_canonical().to_string(),
            None => "a unix socket".to_owned(),
        };
        match self {
            Failed::Listener => format!("the listener is {}", facts.listener),
            Failed::FromNetwork => match (facts.is_trusted(), facts.trust_local) {
                (false, false) => {
                    format!("{peer} is not in the list, and the listener trusts no local peers")
                }
                _ => format!("{peer} is not in the list"),
            },
            Failed::Authenticated => match facts.login {
                Some(login) => format!("{login} has logged in"),
                None => "nobody has logged in".to_owned(),
            },
            Failed::Tls => match facts.tls {
                true => "the session is inside TLS".to_owned(),
                false => "the session is in clear".to_owned(),
            },
            Failed::Helo => format!("the peer calls itself {:?}", facts.helo),
            Failed::Sender => match facts.sender {
                Some(sender) => format!("the sender is <{sender}>"),
                None => "the sender is <>".to_owned(),
            },
            Failed::Recipient => format!("the recipient is <{recipient}>"),
            Failed::Domain => format!("the domain is {}", recipient.domain()),
            Failed::Role => format!(
                "<{recipient}> takes mail from everybody; only a rule that names it or certain senders may {}",
                match rule.action {
                    Action::Discard => "discard that",
                    _ => "refuse that",
                }
            ),
            Failed::Deliver => format!(
                "it would {}, and {} is not a local domain",
                rule.action,
                recipient.domain()
            ),
        }
    }
}
