//! What a rule asks for.

use super::{Draft, WhoDraft};
use crate::config::Listener;
use crate::config::build::Build;
use crate::config::nearest::nearest;
use crate::config::read::Said;
use ringpost_directory::rules::network::Networks;
use ringpost_directory::rules::pattern::{Kind, Names};
use ringpost_directory::rules::{Conditions, Either, Who};
use std::collections::HashSet;

/// The conditions of one rule; what is wrong becomes a problem and is left out.
pub fn build(build: &mut Build<'_>, draft: &Draft, listeners: &[Listener]) -> Conditions {
    let mut names = |name: &str, kind: Kind, said: &Option<Vec<Said<String>>>| {
        let said = said.as_ref()?;
        let mut either = either::<Names>(build, draft, name, said);
        build.list("rule", name, said, &mut |item| {
            let (list, item) = side(&mut either, item);
            list.add(kind, item)
        });
        Some(either)
    };
    let helo = names("helo", Kind::Domain, &draft.helo);
    let sender = names("sender", Kind::Sender, &draft.sender);
    let recipient = names("recipient", Kind::Address, &draft.recipient);
    let domain = names("domain", Kind::Domain, &draft.domain);
    let authenticated = match &draft.authenticated {
        None => None,
        Some(WhoDraft::Truth(said)) if said.value => Some(Who::Somebody),
        Some(WhoDraft::Truth(_)) => Some(Who::Nobody),
        Some(WhoDraft::Names(said)) => {
            let accounts = Some(said.clone());
            names("authenticated", Kind::Address, &accounts).map(Who::One)
        }
    };
    let from_network = draft.from_network.as_ref().map(|said| {
        let mut either = either::<Networks>(build, draft, "from_network", said);
        build.list("rule", "from_network", said, &mut |item| {
            let (list, item) = side(&mut either, item);
            list.add(item)
        });
        either
    });
    trusted(build, draft, listeners);
    Conditions {
        listener: tags(build, draft, listeners),
        from_network,
        authenticated,
        tls: draft.tls.as_ref().map(|said| said.value),
        helo,
        sender,
        recipient,
        domain,
    }
}

/// The list that an item is for: `!` makes an exception of it.
fn side<'e, 'i, T: Default>(either: &'e mut Either<T>, item: &'i str) -> (&'e mut T, &'i str) {
    match item.strip_prefix('!') {
        Some(item) => (&mut either.but, item),
        None => (either.of.get_or_insert_default(), item),
    }
}

/// An empty list that only has exceptions where nothing else was said; a file may be empty today.
fn either<T: Default>(
    build: &mut Build<'_>,
    draft: &Draft,
    name: &str,
    said: &[Said<String>],
) -> Either<T> {
    if said.is_empty() {
        build.problem(&draft.place, format!("{name} is an empty list"));
    }
    let wanted = said.iter().any(|said| !said.value.starts_with('!'));
    Either {
        of: wanted.then(T::default),
        but: T::default(),
    }
}

fn tags(build: &mut Build<'_>, draft: &Draft, listeners: &[Listener]) -> Option<HashSet<Box<str>>> {
    let said = draft.listener.as_ref()?;
    if said.is_empty() {
        build.problem(&draft.place, "listener is an empty list".to_owned());
    }
    for said in said {
        let tag = &said.value;
        let mut known = listeners.iter().map(|listener| &*listener.tag);
        if known.clone().any(|known| known == tag) {
            continue;
        }
        let what = match nearest(tag, known.clone()) {
            Some(near) => format!("no listener has the tag {tag:?}; did you mean {near:?}?"),
            None => {
                let mut words = Vec::new();
                known.by_ref().for_each(|word| {
                    if !words.contains(&word) {
                        words.push(word);
                    }
                });
                let words = words.join(", ");
                format!("no listener has the tag {tag:?}; there are {words}")
            }
        };
        build.wrong(said, what);
    }
    let tags = said.iter().map(|said| said.value.as_str().into());
    Some(tags.collect())
}

/// `local` where no listener trusts local peers would be a rule that silently never matches.
fn trusted(build: &mut Build<'_>, draft: &Draft, listeners: &[Listener]) {
    let networks = draft.from_network.iter().flatten();
    let Some(said) = networks.into_iter().find(|said| said.value == "local") else {
        return;
    };
    let tags = draft.listener.as_ref();
    let asked = |listener: &&Listener| {
        tags.is_none_or(|tags| tags.iter().any(|said| said.value == listener.tag))
    };
    let mut listeners = listeners.iter().filter(asked);
    if !listeners.any(|listener| listener.trust_local) {
        let what = "\"local\" matches nobody: no listener of this rule says trust_local = true";
        build.wrong(said, what.to_owned());
    }
}
