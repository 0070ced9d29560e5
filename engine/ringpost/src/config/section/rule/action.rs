//! What a rule does.

use super::Draft;
use crate::config::build::Build;
use crate::config::nearest::nearest;
use crate::config::read::Said;
use crate::config::section::relay;
use ringpost_directory::rules::{Action, Route};
use ringpost_types::reply::Enhanced;
use ringpost_types::{Address, Reply};

/// The actions, and the keys that belong to each.
const ACTIONS: &[(&str, &[&str])] = &[
    ("deliver", &[]),
    ("forward", &["to"]),
    ("relay", &["relay"]),
    ("reject", &["text", "code", "enhanced"]),
    ("discard", &[]),
    ("tag", &["tag"]),
];

/// Octets of a text at most: with code and trace id it fits a reply line. RFC 5321 §4.5.3.1.5.
const TEXT_OCTETS_MAX: usize = 400;

/// The action of one rule; `None`: a problem was told.
pub fn build(build: &mut Build<'_>, draft: &Draft, routes: &[Route]) -> Option<Action> {
    let Some(said) = &draft.action else {
        let what = "[[rule]] needs an action: deliver, forward, relay, reject, discard or tag";
        build.problem(&draft.place, what.to_owned());
        return None;
    };
    let word = said.value.as_str();
    let Some((word, keys)) = ACTIONS.iter().find(|(known, _)| *known == word) else {
        match nearest(word, ACTIONS.iter().map(|(known, _)| *known)) {
            Some(near) => {
                let what = format!("unknown action {word:?}; did you mean {near:?}?");
                build.wrong(said, what);
            }
            None => build.expected("rule", "action", said),
        }
        return None;
    };
    strangers(build, draft, word, keys);
    Some(match *word {
        "deliver" => Action::Deliver,
        "forward" => Action::Forward(forward(build, draft)?),
        "relay" => {
            if let Some(name) = &draft.relay {
                relay::known(build, routes, name);
            }
            let name = draft.relay.as_ref();
            Action::Relay(name.map(|said| said.value.as_str().into()))
        }
        "reject" => Action::Reject(reject(build, draft)?),
        "discard" => Action::Discard,
        _ => Action::Tag(tag(build, draft)?),
    })
}

/// Keys that belong to other actions.
fn strangers(build: &mut Build<'_>, draft: &Draft, word: &str, keys: &[&str]) {
    let to = draft.to.as_ref().and_then(|said| said.first());
    let said = [
        ("to", to.map(|said| &said.place)),
        ("relay", draft.relay.as_ref().map(|said| &said.place)),
        ("text", draft.text.as_ref().map(|said| &said.place)),
        ("code", draft.code.as_ref().map(|said| &said.place)),
        ("enhanced", draft.enhanced.as_ref().map(|said| &said.place)),
        ("tag", draft.tag.as_ref().map(|said| &said.place)),
    ];
    for (name, place) in said {
        let Some(place) = place.filter(|_| !keys.contains(&name)) else {
            continue;
        };
        let of = ACTIONS.iter().find(|(_, keys)| keys.contains(&name));
        let of = of.map_or("", |(action, _)| action);
        let what = format!("{name} is for action \"{of}\"; this rule's action is {word:?}");
        build.problem(place, what);
    }
}

fn forward(build: &mut Build<'_>, draft: &Draft) -> Option<Vec<Address>> {
    let said = draft.to.as_deref().unwrap_or_default();
    if said.is_empty() {
        let what = "action \"forward\" needs to = \"alice@example.org\"";
        build.problem(&draft.place, what.to_owned());
        return None;
    }
    let mut to = Vec::with_capacity(said.len());
    for said in said {
        match Address::parse(&said.value) {
            Ok(address) => to.push(address),
            Err(_) => build.expected("rule", "to", said),
        }
    }
    Some(to)
}

fn reject(build: &mut Build<'_>, draft: &Draft) -> Option<Reply> {
    let code = match &draft.code {
        None => 550,
        Some(said) if (400..600).contains(&said.value) => said.value as u16,
        Some(said) => {
            let what = format!("code is {}; expected a number from 400 to 599", said.value);
            build.wrong(said, what);
            return None;
        }
    };
    let class = (code / 100) as u8;
    let enhanced = match &draft.enhanced {
        None => Enhanced(class, 7, 1),
        Some(said) => match enhanced(&said.value).filter(|code| code.0 == class) {
            Some(enhanced) => enhanced,
            None => {
                build.expected("rule", "enhanced", said);
                return None;
            }
        },
    };
    let text = match &draft.text {
        None => "Refused by a rule of this host".to_owned(),
        Some(said) => {
            text(build, said)?;
            said.value.clone()
        }
    };
    Some(Reply::with_text(code, Some(enhanced), text))
}

fn text(build: &mut Build<'_>, said: &Said<String>) -> Option<()> {
    let printable = |octet: u8| octet == b' ' || octet.is_ascii_graphic();
    let good =
        (1..=TEXT_OCTETS_MAX).contains(&said.value.len()) && said.value.bytes().all(printable);
    if !good {
        build.expected("rule", "text", said);
    }
    good.then_some(())
}

/// class.subject.detail. RFC 3463 §2.
fn enhanced(text: &str) -> Option<Enhanced> {
    let mut parts = text.split('.').map(|digits| {
        let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|d| d.is_ascii_digit());
        plain.then(|| digits.parse::<u16>().ok()).flatten()
    });
    let mut part = || parts.next().flatten();
    let (class, subject, detail) = (part()?, part()?, part()?);
    let class = u8::try_from(class).ok()?;
    parts
        .next()
        .is_none()
        .then_some(Enhanced(class, subject, detail))
}

fn tag(build: &mut Build<'_>, draft: &Draft) -> Option<Box<str>> {
    let Some(said) = &draft.tag else {
        let what = "action \"tag\" needs tag = \"WORD\"";
        build.problem(&draft.place, what.to_owned());
        return None;
    };
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good = (1..=64).contains(&said.value.len()) && said.value.chars().all(inside);
    if !good {
        build.expected("rule", "tag", said);
    }
    good.then(|| said.value.as_str().into())
}
