//! What a session would be answered, and why: the way of MAIL and RCPT through the service, step by step.
//!
//! ```text
//! MAIL  a login is needed? -> is the sender the user's own? -> a rule that rejects already
//! RCPT  the listener defers? -> a trap? -> rules -> where the address leads, room, the queue
//! ```
//!
//! In:  the configuration, a question, somebody to ask where addresses lead. Out: an [`Explained`].
//!
//! Invariant: replies are those of the service, from its own tables; a test has a server answer the same questions.

use super::session::{self, Session};
use super::told::{Explained, HopTold, ReplyTold, RouteTold, RuleTold, SessionTold};
use super::{Look, Path, Question};
use crate::cli::exit::Failure;
use crate::config::{Config, Protocol};
use crate::control::alias::{Looked, Lookup, Whereabouts};
use crate::serve::services::QUEUE;
use ringpost_directory::rules::{Explanation, Route, RouteTls};
use ringpost_directory::{Action, Facts, Rules};
use ringpost_smtpd::{refusal, reply};
use ringpost_types::{Address, Reply};

/// Tells what would become of the question's recipient.
pub fn judge(config: &Config, question: &Question, look: Look<'_>) -> Result<Explained, Failure> {
    let session = session::find(config, question)?;
    let rules = config.rules();
    let (to, helo) = (recipient(&rules, &question.to)?, question.helo());
    let from = match &question.from {
        Path::Mailbox(from) => Some(from),
        Path::Null | Path::Postmaster => None,
    };
    let login = question.user.as_ref().map(Address::to_string);
    let facts = Facts {
        listener: &session.listener.tag,
        ip: question.ip.ip(),
        trust_local: session.listener.trust_local,
        login: login.as_deref(),
        tls: session.tls,
        helo: &helo,
        sender: from,
    };
    let explanation = rules.explain(&facts, &to);
    let mut told = Explained {
        session: session_told(&session, &facts),
        sender: from.map_or(String::new(), Address::to_string),
        recipient: to.to_string(),
        ..Explained::default()
    };
    let looked = ask(&explanation, &to, &facts, look)?;
    told.notes.extend(stale(&rules, &looked));
    if let Err(refused) = mail(&session, &facts, &looked) {
        told.mail = refused.into();
        return Ok(told);
    }
    if let Some(Action::Reject(refused)) = rules.at_mail(&facts).map(|decision| decision.action) {
        rules_told(&mut told, &rules, &explanation, &facts, &to);
        told.mail = refused.clone().into();
        return Ok(told);
    }
    told.mail = reply::SENDER_OK.into();
    let before = before_rules(&mut told, &session, &rules, question);
    let answer = before.and_then(|()| {
        rules_told(&mut told, &rules, &explanation, &facts, &to);
        rcpt(&mut told, &rules, explanation.decision.action, &looked, &to)
    });
    told.rcpt = Some(answer.err().unwrap_or(reply::RECIPIENT_OK).into());
    Ok(told)
}

/// The recipient; `<postmaster>` is the first domain's.
fn recipient(rules: &Rules, path: &Path) -> Result<Address, Failure> {
    if let Path::Mailbox(address) = path {
        return Ok(address.clone());
    }
    let first = rules.domains().first();
    let postmaster =
        first.and_then(|first| Address::from_parts("postmaster", first.name.clone()).ok());
    postmaster.ok_or_else(|| Failure::usage("there is no local domain"))
}

fn session_told(session: &Session<'_>, facts: &Facts<'_>) -> SessionTold {
    SessionTold {
        listener: session.listener.tag.clone(),
        protocol: session.listener.protocol.name().to_owned(),
        bind: session.listener.bind.to_string(),
        peer: match facts.ip {
            Some(ip) => ip.to_string(),
            None => "unix".to_owned(),
        },
        trusted: facts.is_trusted(),
        tls: session.tls,
        helo: facts.helo.to_owned(),
        login: facts.login.map(str::to_owned),
    }
}

/// Asks the store what has to be known; often that is nothing.
fn ask(
    explanation: &Explanation<'_>,
    to: &Address,
    facts: &Facts<'_>,
    look: Look<'_>,
) -> Result<Looked, Failure> {
    let addresses = match explanation.decision.action {
        Action::Deliver => vec![to.to_string()],
        Action::Forward(to) => to.iter().map(Address::to_string).collect(),
        Action::Relay(_) | Action::Reject(_) | Action::Discard | Action::Tag(_) => Vec::new(),
    };
    let lookup = Lookup {
        addresses,
        login: facts.login.map(str::to_owned),
        sender: facts.sender.map(Address::to_string),
    };
    if lookup.addresses.is_empty() && lookup.login.is_none() {
        return Ok(Looked::default());
    }
    let looked = look(lookup)?;
    match (facts.login, looked.login_known) {
        (Some(login), Some(false)) => {
            Err(Failure::not_well(format!("there is no account {login}")))
        }
        _ => Ok(looked),
    }
}

/// A running server answers by the domains that it has in force, which may not be the file's.
fn stale(rules: &Rules, looked: &Looked) -> Option<String> {
    let differs = |about: &Whereabouts| {
        let address = Address::parse(&about.address).ok();
        let local = address.is_some_and(|address| rules.domains().is_local(address.domain()));
        local != (about.found != "remote")
    };
    let other = looked.addresses.iter().find(|about| differs(about))?;
    Some(format!(
        "the server that runs has other domains in force than the file, {} shows; reload it",
        other.address
    ))
}

fn rules_told(
    told: &mut Explained,
    rules: &Rules,
    explanation: &Explanation<'_>,
    facts: &Facts<'_>,
    to: &Address,
) {
    let decision = &explanation.decision;
    for &(at, failed) in &explanation.rules {
        let rule = &rules.list()[at];
        told.rules.push(RuleTold {
            rule: at + 1,
            place: rule.place.to_string(),
            action: rule.action.to_string(),
            failed: failed.map(|failed| failed.to_string()),
            why: failed.map(|failed| rules.reason(at, failed, facts, to)),
        });
    }
    told.by = Some(rules.name(decision.by));
    told.action = Some(decision.action.to_string());
    told.tags = decision.tags.iter().map(|&tag| tag.to_owned()).collect();
}

/// MAIL, before the rules.
fn mail(session: &Session<'_>, facts: &Facts<'_>, looked: &Looked) -> Result<(), Reply> {
    if session.listener.protocol == Protocol::Submission && facts.login.is_none() {
        return Err(reply::AUTH_FIRST);
    }
    match looked.may_send {
        Some(false) => Err(refusal::NOT_YOURS),
        _ => Ok(()),
    }
}

/// What RCPT meets before the rules.
fn before_rules(
    told: &mut Explained,
    session: &Session<'_>,
    rules: &Rules,
    question: &Question,
) -> Result<(), Reply> {
    let (refused, note) = match &question.to {
        _ if session.listener.defer => (
            refusal::DEFERRED,
            "the listener defers everybody, and the peer's network is remembered",
        ),
        Path::Mailbox(to) if question.user.is_none() && rules.domains().is_trap(to) => (
            refusal::NO_SUCH_USER,
            "that is a trap, and the peer's network is remembered",
        ),
        _ => return Ok(()),
    };
    told.notes.push(note.to_owned());
    Err(refused)
}

/// RCPT, by what the rules decide.
fn rcpt(
    told: &mut Explained,
    rules: &Rules,
    action: &Action,
    looked: &Looked,
    to: &Address,
) -> Result<(), Reply> {
    match action {
        Action::Reject(reply) => return Err(reply.clone()),
        Action::Discard | Action::Tag(_) => return Ok(()),
        Action::Relay(route) => {
            told.leaving.push(to.to_string());
            let route = route.as_deref().and_then(|name| rules.route(name));
            told.route = route.map(route_told);
        }
        Action::Deliver | Action::Forward(_) => {
            let leads = looked.addresses.iter();
            // What is told goes on where the answer is known.
            let answer = leads.map(|about| leads_to(told, about));
            if let Err(refused) = answer.fold(Ok(()), Result::and) {
                told.accounts.clear();
                told.leaving.clear();
                return Err(refused);
            }
        }
    }
    match told.leaving.is_empty() || QUEUE {
        true => Ok(()),
        false => Err(refusal::NO_QUEUE),
    }
}

/// Where one address leads, and what is answered if nobody is there to take it.
fn leads_to(told: &mut Explained, about: &Whereabouts) -> Result<(), Reply> {
    let trail = about.trail.iter();
    told.trail.extend(trail.map(|(address, how, to)| HopTold {
        address: address.clone(),
        how: how.clone(),
        to: to.clone(),
    }));
    for (list, more) in [
        (&mut told.accounts, &about.accounts),
        (&mut told.leaving, &about.remote),
    ] {
        for name in more {
            if !list.contains(name) {
                list.push(name.clone());
            }
        }
    }
    match about.found.as_str() {
        "unknown" => Err(refusal::NO_SUCH_USER),
        "too many" => Err(refusal::TROUBLE),
        "remote" => {
            told.leaving.push(about.address.clone());
            Ok(())
        }
        _ if about.full => Err(refusal::MAILBOX_FULL),
        _ => Ok(()),
    }
}

fn route_told(route: &Route) -> RouteTold {
    RouteTold {
        name: route.name.to_string(),
        host: route.host.to_string(),
        port: route.port,
        tls: match route.tls {
            RouteTls::None => "none",
            RouteTls::May => "may",
            RouteTls::Encrypt => "encrypt",
            RouteTls::Verify => "verify",
        }
        .to_owned(),
        user: route.login.as_ref().map(|(user, _)| user.to_string()),
    }
}

impl Explained {
    /// What RCPT is answered, if it comes to that, else MAIL.
    pub fn answer(&self) -> &ReplyTold {
        self.rcpt.as_ref().unwrap_or(&self.mail)
    }
}
