//! Which rules a recipient can meet at all.
//!
//! A rule that asks for names stands under each of them: the recipient's where it asks for those, else the sender's.
//! All others stand in one list that everybody walks. A recipient looks up its few keys and its sender's, and walks
//! the lists it finds side by side, in the order of the rules.
//!
//! Invariant: every rule that holds is among the candidates; that a candidate holds is for its conditions to say.

use super::condition::Case;
use super::pattern::Subject;
use super::{Action, Rule};
use std::collections::HashMap;

/// Rules by the names they ask for.
#[derive(Debug, Default)]
pub(super) struct Index {
    recipient: HashMap<Box<str>, Vec<u32>>,
    sender: HashMap<Box<str>, Vec<u32>>,
    others: Vec<u32>,
    /// Whether a rule rejects certain senders and does not ask for the recipient, before any that does.
    at_mail: bool,
    /// The first rule that asks for the recipient; their number where none does.
    asking: usize,
}

impl Index {
    pub fn new(rules: &[Rule]) -> Self {
        let asks = |rule: &Rule| rule.conditions.ask_recipient();
        let mut index = Index {
            asking: rules.iter().position(asks).unwrap_or(rules.len()),
            ..Index::default()
        };
        for (at, rule) in rules.iter().enumerate() {
            let conditions = &rule.conditions;
            let rejects = matches!(rule.action, Action::Reject(_)) && conditions.ask_sender();
            index.at_mail |= rejects && at < index.asking;
            let at = at as u32;
            let recipient = conditions.recipient.iter().chain(&conditions.domain);
            let recipient = recipient.map(|names| (true, names));
            let sender = conditions.sender.iter().map(|names| (false, names));
            let found = recipient.chain(sender).find_map(|(of_recipient, names)| {
                let named = names.of.as_ref()?;
                named.keys().map(|_| (of_recipient, named))
            });
            let Some((of_recipient, names)) = found else {
                index.others.push(at);
                continue;
            };
            let lists = match of_recipient {
                true => &mut index.recipient,
                false => &mut index.sender,
            };
            for key in names.keys().into_iter().flatten() {
                lists.entry(key.into()).or_default().push(at);
            }
        }
        index
    }

    /// Whether anything can be refused before there is a recipient.
    pub fn may_refuse_at_mail(&self) -> bool {
        self.at_mail
    }

    /// The first rule that asks for the recipient: from there on nothing is known at MAIL.
    pub fn asking(&self) -> usize {
        self.asking
    }

    /// The rules that may hold, in their order, each once.
    pub fn candidates<'i>(&'i self, case: &Case<'_>) -> Candidates<'i> {
        let mut lists = Vec::new();
        if !self.others.is_empty() {
            lists.push(&self.others[..]);
        }
        if !self.recipient.is_empty() {
            gather(&self.recipient, case.to(), &mut lists);
        }
        if !self.sender.is_empty() {
            gather(&self.sender, case.from(), &mut lists);
        }
        Candidates { lists }
    }
}

fn gather<'i>(
    by_name: &'i HashMap<Box<str>, Vec<u32>>,
    subject: &Subject,
    lists: &mut Vec<&'i [u32]>,
) {
    if let Subject::Named(named) = subject {
        let found = named.keys().filter_map(|key| by_name.get(key));
        lists.extend(found.map(Vec::as_slice));
    }
}

/// Several ascending lists as one.
pub(super) struct Candidates<'i> {
    lists: Vec<&'i [u32]>,
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let heads = self.lists.iter().filter_map(|list| list.first());
        let first = *heads.min()?;
        for list in &mut self.lists {
            if list.first() == Some(&first) {
                *list = &list[1..];
            }
        }
        Some(first as usize)
    }
}
