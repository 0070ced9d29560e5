//! The session of a question: which listener it comes to, and whether there can be such a session.

use super::{Peer, Question};
use crate::cli::exit::Failure;
use crate::config::nearest::nearest;
use crate::config::{Bind, Config, Listener, Protocol, TlsMode, is_local};

/// A session at its listener.
#[derive(Clone, Copy, Debug)]
pub struct Session<'c> {
    pub listener: &'c Listener,
    /// Whether it is inside TLS. Where TLS comes before all else, it is.
    pub tls: bool,
}

/// The listener that the question means.
pub fn find<'c>(config: &'c Config, question: &Question) -> Result<Session<'c>, Failure> {
    let listeners = match &question.listener {
        Some(tag) => tagged(config, tag)?,
        None => usual(config, question)?,
    };
    let first = listeners[0];
    let reached = listeners.into_iter().filter(|listener| {
        let unix = matches!(listener.bind, Bind::Unix(_));
        unix == (question.ip == Peer::Unix)
    });
    // The first of those that suit best. Others are reached too, by a proxy or with another greeting.
    let listener = reached.min_by_key(|listener| {
        let far = question.ip.ip().is_some_and(|ip| !ip.is_loopback());
        let hidden = far && is_local(&listener.bind);
        let clear = question.tls && listener.tls == TlsMode::None;
        (clear, hidden)
    });
    let Some(listener) = listener else {
        let (tag, bind) = (&first.tag, &first.bind);
        return Err(Failure::usage(match question.ip {
            Peer::Unix => format!("listener {tag} is at {bind}, and no unix socket: say --ip IP"),
            Peer::Ip(_) => format!("listener {tag} is at {bind}: say --ip unix"),
        }));
    };
    let (tag, protocol) = (&listener.tag, listener.protocol);
    if question.tls && listener.tls == TlsMode::None {
        return Err(Failure::usage(format!("listener {tag} has no TLS")));
    }
    if question.user.is_some() && protocol != Protocol::Submission {
        return Err(Failure::usage(format!(
            "nobody logs in on listener {tag}, which speaks {}; --user is for submission",
            protocol.name()
        )));
    }
    let always = matches!(listener.tls, TlsMode::Required | TlsMode::Implicit);
    let tls = question.tls || always;
    Ok(Session { listener, tls })
}

/// Those of a tag that take mail, at least one.
fn tagged<'c>(config: &'c Config, tag: &str) -> Result<Vec<&'c Listener>, Failure> {
    let all = config.listeners.iter();
    let of_tag: Vec<_> = all.filter(|listener| listener.tag == *tag).collect();
    let Some(first) = of_tag.first() else {
        let tags = config.listeners.iter().map(|listener| &*listener.tag);
        return Err(Failure::usage(match nearest(tag, tags.clone()) {
            Some(near) => format!("no listener has the tag {tag:?}; did you mean {near:?}?"),
            None => format!(
                "no listener has the tag {tag:?}; there are {}",
                each_once(tags)
            ),
        }));
    };
    let what = format!("listener {tag} speaks {}", first.protocol.name());
    let mail = of_tag.into_iter().filter(|listener| takes_mail(listener));
    let mail: Vec<_> = mail.collect();
    match mail.is_empty() {
        true => Err(Failure::usage(format!("{what}, and takes no mail"))),
        false => Ok(mail),
    }
}

/// Those that the question means without saying so, at least one.
fn usual<'c>(config: &'c Config, question: &Question) -> Result<Vec<&'c Listener>, Failure> {
    let wanted = match question.user {
        Some(_) => Protocol::Submission,
        None => Protocol::Smtp,
    };
    let all = config.listeners.iter();
    let usual: Vec<_> = all.filter(|listener| listener.protocol == wanted).collect();
    if !usual.is_empty() {
        return Ok(usual);
    }
    let mail = config.listeners.iter().filter(|at| takes_mail(at));
    let tags = each_once(mail.map(|listener| &*listener.tag));
    let wanted = wanted.name();
    Err(Failure::usage(match tags.is_empty() {
        true => "no listener takes mail".to_owned(),
        false => format!("no listener speaks {wanted}; say --listener with one of {tags}"),
    }))
}

fn takes_mail(listener: &Listener) -> bool {
    listener.protocol != Protocol::Imap
}

fn each_once<'t>(tags: impl Iterator<Item = &'t str>) -> String {
    let mut words = Vec::new();
    for tag in tags {
        if !words.contains(&tag) {
            words.push(tag);
        }
    }
    words.join(", ")
}
