//! `[[rule]]`: what happens to a recipient, in order; the first that matches decides.
//!
//! ```toml
//! [[rule]]
//! listener = "submission"             # a tag or a list of tags
//! from_network = ["10.0.0.0/8", "!10.9.0.0/16"]
//! authenticated = true                # or false, or names of accounts
//! tls = true
//! helo = ".dialup.example"
//! sender = ["@example.org", "<>"]
//! recipient = "file:lists/blocked"    # one item a line, read again with the configuration
//! domain = "local"
//! action = "reject"                   # deliver, forward, relay, reject, discard, tag
//! text = "Not here"                   # reject: with code = 550 and enhanced = "5.7.1"
//! ```
//!
//! All that is said must hold; of a list one item, and none of those that begin with `!`. What an item may be:
//! [`ringpost_directory::rules::pattern`]. `from_network = "local"` is a peer on this machine, on a listener with
//! `trust_local = true` alone.

mod action;
mod conditions;

use crate::config::Listener;
use crate::config::build::Build;
use crate::config::key::{Key, key};
use crate::config::read::{Place, Reader, Said, Value};
use ringpost_directory::LocalDomain;
use ringpost_directory::rules::{Action, Route, Rule};
use ringpost_types::Domain;
use toml::de::DeValue;

const ADDRESSES: &str = "addresses such as \"alice@example.org\", \"@example.org\" or \".example.org\", \"local\", \"*\" or \"file:LIST\"";
const DOMAINS: &str =
    "domains such as \"example.org\" or \".example.org\", \"local\", \"*\" or \"file:LIST\"";

pub const KEYS: &[Key] = &[
    key("", "rule", "tables, each begun with [[rule]]"),
    key(
        "rule",
        "listener",
        "the tag of a listener, or a list of tags",
    ),
    key(
        "rule",
        "from_network",
        "networks such as \"192.0.2.0/24\", \"local\" or \"file:LIST\"",
    ),
    key(
        "rule",
        "authenticated",
        "true, false or names of accounts such as \"alice@example.org\"",
    ),
    key(
        "rule",
        "tls",
        "true or false: whether the session is inside TLS",
    ),
    key("rule", "helo", DOMAINS),
    key("rule", "sender", ADDRESSES),
    key("rule", "recipient", ADDRESSES),
    key("rule", "domain", DOMAINS),
    key(
        "rule",
        "action",
        "\"deliver\", \"forward\", \"relay\", \"reject\", \"discard\" or \"tag\"",
    ),
    key("rule", "to", "addresses such as \"alice@example.org\""),
    key("rule", "relay", "the name of a [[relay]]"),
    key(
        "rule",
        "text",
        "one line in ASCII of at most 400 octets, which the peer reads",
    ),
    key("rule", "code", "a number from 400 to 599"),
    key(
        "rule",
        "enhanced",
        "an enhanced status code of the code's class such as \"5.7.1\"",
    ),
    key("rule", "tag", "a word such as \"bulk\""),
];

/// `authenticated`.
#[derive(Clone, Debug)]
enum WhoDraft {
    Truth(Said<bool>),
    Names(Vec<Said<String>>),
}

/// What was said of one rule.
#[derive(Clone, Debug)]
pub struct Draft {
    place: Place,
    listener: Option<Vec<Said<String>>>,
    from_network: Option<Vec<Said<String>>>,
    authenticated: Option<WhoDraft>,
    tls: Option<Said<bool>>,
    helo: Option<Vec<Said<String>>>,
    sender: Option<Vec<Said<String>>>,
    recipient: Option<Vec<Said<String>>>,
    domain: Option<Vec<Said<String>>>,
    action: Option<Said<String>>,
    to: Option<Vec<Said<String>>>,
    relay: Option<Said<String>>,
    text: Option<Said<String>>,
    code: Option<Said<u64>>,
    enhanced: Option<Said<String>>,
    tag: Option<Said<String>>,
}

/// Reads all of them.
pub fn read(reader: &mut Reader, value: Value<'_, '_>, drafts: &mut Vec<Draft>) {
    const AT: &str = "rule";
    *drafts = reader.tables(AT, value, |reader, place, table| {
        let mut draft = Draft {
            place,
            listener: None,
            from_network: None,
            authenticated: None,
            tls: None,
            helo: None,
            sender: None,
            recipient: None,
            domain: None,
            action: None,
            to: None,
            relay: None,
            text: None,
            code: None,
            enhanced: None,
            tag: None,
        };
        for (name, value) in reader.known(AT, table) {
            match name {
                "listener" => draft.listener = reader.words(AT, name, value),
                "from_network" => draft.from_network = reader.words(AT, name, value),
                "authenticated" => {
                    draft.authenticated = match value.get_ref() {
                        DeValue::Boolean(_) => reader.truth(AT, name, value).map(WhoDraft::Truth),
                        _ => reader.words(AT, name, value).map(WhoDraft::Names),
                    }
                }
                "tls" => draft.tls = reader.truth(AT, name, value),
                "helo" => draft.helo = reader.words(AT, name, value),
                "sender" => draft.sender = reader.words(AT, name, value),
                "recipient" => draft.recipient = reader.words(AT, name, value),
                "domain" => draft.domain = reader.words(AT, name, value),
                "action" => draft.action = reader.string(AT, name, value),
                "to" => draft.to = reader.words(AT, name, value),
                "relay" => draft.relay = reader.string(AT, name, value),
                "text" => draft.text = reader.string(AT, name, value),
                "code" => draft.code = reader.number(AT, name, value),
                "enhanced" => draft.enhanced = reader.string(AT, name, value),
                _ => draft.tag = reader.string(AT, name, value),
            }
        }
        draft
    });
}

/// The rules, in their order.
pub fn build(
    build: &mut Build<'_>,
    drafts: Vec<Draft>,
    domains: &[LocalDomain],
    listeners: &[Listener],
    routes: &[Route],
) -> Vec<Rule> {
    let mut rules = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let conditions = conditions::build(build, &draft, listeners);
        if let Some(action) = action::build(build, &draft, routes) {
            if action == Action::Deliver {
                ours(build, &draft, domains);
            }
            rules.push(Rule {
                place: draft.place.line().into(),
                conditions,
                action,
            });
        }
    }
    rules
}

/// A rule that delivers is passed over for domains that are not local: who names one has forgotten to make it so.
fn ours(build: &mut Build<'_>, draft: &Draft, domains: &[LocalDomain]) {
    let recipients = draft.recipient.iter().flatten().filter_map(|said| {
        let (_, domain) = said.value.rsplit_once('@')?;
        Some((said, domain))
    });
    let named = draft.domain.iter().flatten();
    let named = named.map(|said| (said, said.value.as_str()));
    for (said, text) in named.chain(recipients) {
        let is_name = !text.starts_with(['.', '!', '*']) && !said.value.starts_with('!');
        let Ok(name) = Domain::parse(text) else {
            continue;
        };
        let local = text == "local" || name.ip().is_some();
        if is_name && !local && domains.iter().all(|domain| domain.name != name) {
            let what = format!(
                "{text} is not a local domain, and no mail for it is delivered here; add it as [[domain]], or relay it"
            );
            build.wrong(said, what);
        }
    }
}
