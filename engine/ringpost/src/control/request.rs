//! What an operator can ask of a store, over the socket or directly: one line of JSON each way.
//!
//! In:  a [`Request`]. Out: an [`Answer`] or an error text with its exit code. A request that changes something
//! becomes one [`Write`]; [`plan`] makes it, the caller submits it and waits as its thread allows.

use super::alias::{Import, Lookup};
use super::ban::{self, BanLine};
use super::credential::{self, Keys};
use super::operation::{Operation, Progress};
use super::queue::{self, Ask, Details, Page};
use super::status::Status;
use crate::cli::exit::{Exit, Failure};
use ringpost_api::{Error, Outcome, Snapshot, Write};
use ringpost_directory::{Domains, account, alias};
use ringpost_lmdb::Health;
use serde::{Deserialize, Serialize};

/// Octets of one request or answer line at most, but for lists.
pub const REQUEST_OCTETS_MAX: usize = 1 << 20;

/// One question. Passwords come as hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// Without keys SCRAM has to wait for the first login by another mechanism.
    AccountAdd {
        name: String,
        secret: String,
        keys: Option<Keys>,
    },
    AccountPasswd {
        name: String,
        secret: String,
        keys: Option<Keys>,
    },
    /// Something of app passwords.
    AppPassword(credential::Ask),
    /// What is not given stays as it is; 0: no bound.
    AccountQuota {
        name: String,
        octets: Option<u64>,
        messages: Option<u32>,
    },
    /// Whether its logins are refused.
    AccountDisable {
        name: String,
        disabled: bool,
    },
    AccountRemove {
        name: String,
    },
    AccountList,
    AliasAdd {
        name: String,
        targets: Vec<String>,
    },
    AliasRemove {
        name: String,
    },
    AliasList,
    /// What is wrong with them: [`Answer::Report`] of a list of texts.
    AliasFaults,
    /// Many aliases at once: all or none.
    AliasImport(Import),
    /// Where addresses lead: [`Answer::Report`] of a [`super::alias::Looked`].
    Look(Lookup),
    BanAdd {
        network: String,
        /// Seconds since 1970 UTC; the greatest: for ever.
        until: u64,
        reason: String,
    },
    BanRemove {
        network: String,
    },
    BanList,
    /// Something of the outbound queue.
    Queue(Ask),
    /// How the index is: [`Answer::Report`] of a [`Status`].
    StoreStatus,
    /// Work that takes long: any number of [`Answer::Progress`], then another answer.
    Operate(Operation),
}

/// One account of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountLine {
    pub id: u32,
    pub name: String,
    pub mailboxes: u32,
    pub messages: u32,
    pub octets: u64,
    /// 0: no bound.
    pub quota_messages: u32,
    pub quota_octets: u64,
    pub disabled: bool,
}

/// One alias of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasLine {
    pub name: String,
    pub targets: Vec<String>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "value", rename_all = "snake_case")]
pub enum Answer {
    Done,
    Accounts(Vec<AccountLine>),
    Aliases(Vec<AliasLine>),
    AppPasswords(Vec<credential::Line>),
    Bans(Vec<BanLine>),
    /// Items of the queue.
    Queue(Page),
    /// One of them.
    QueueItem(Box<Details>),
    /// To which of them it was done.
    Items(Vec<u64>),
    /// How far an operation is; not the last answer.
    Progress(Progress),
    /// What came of an operation.
    Report(serde_json::Value),
    Refused {
        code: u8,
        text: String,
    },
}

impl Answer {
    /// How the index is.
    pub fn status(health: &Health) -> Answer {
        let status = serde_json::to_value(Status::from(health));
        Answer::Report(status.expect("texts and numbers are JSON"))
    }

    /// Whether it tells something that is told only once.
    pub fn is_note(&self) -> bool {
        matches!(self, Answer::Progress(progress) if progress.note.is_some())
    }

    /// The answer, or the failure it tells of.
    pub fn into_result(self) -> Result<Answer, Failure> {
        match self {
            Answer::Refused { code, text } if code == Exit::Unreachable as u8 => {
                Err(Failure::unreachable(text))
            }
            Answer::Refused { text, .. } => Err(Failure::not_well(text)),
            answer => Ok(answer),
        }
    }
}

impl From<Result<Answer, Failure>> for Answer {
    fn from(result: Result<Answer, Failure>) -> Self {
        result.unwrap_or_else(|failure| Answer::Refused {
            code: failure.exit as u8,
            text: failure.text,
        })
    }
}

/// What a request needs.
pub enum Plan {
    /// Nothing more.
    Answer(Answer),
    /// This write; [`finish`] makes an answer of what comes of it.
    Write(Write),
}

/// Looks a request up in `snapshot`.
pub fn plan(
    snapshot: &dyn Snapshot,
    domains: &Domains,
    request: &Request,
) -> Result<Plan, Failure> {
    Ok(Plan::Write(match request {
        Request::AccountAdd { name, secret, keys } => {
            let scram = keys.as_ref().map(Keys::scram).transpose()?;
            account::create(snapshot, domains, name, secret.clone(), scram)?
        }
        Request::AccountPasswd { name, secret, keys } => {
            let scram = keys.as_ref().map(Keys::scram).transpose()?;
            account::change_secret(snapshot, name, secret.clone(), scram)?
        }
        Request::AppPassword(ask) => return credential::plan(snapshot, ask),
        Request::AccountQuota {
            name,
            octets,
            messages,
        } => account::change_quota(snapshot, name, *octets, *messages)?,
        Request::AccountDisable { name, disabled } => account::disable(snapshot, name, *disabled)?,
        Request::AccountRemove { name } => account::remove(snapshot, name)?,
        Request::AliasAdd { name, targets } => alias::put(snapshot, domains, name, targets)?,
        Request::AliasRemove { name } => alias::remove(snapshot, name)?,
        Request::AccountList => {
            let accounts = account::list(snapshot)?.into_iter();
            let lines = accounts.map(|account| AccountLine {
                id: account.id.0,
                name: account.name,
                mailboxes: account.mailboxes,
                messages: account.messages,
                octets: account.octets,
                quota_messages: account.quota_messages,
                quota_octets: account.quota_octets,
                disabled: account.disabled,
            });
            return Ok(Plan::Answer(Answer::Accounts(lines.collect())));
        }
        Request::BanAdd { .. } | Request::BanRemove { .. } | Request::BanList => {
            return ban::plan(snapshot, request);
        }
        Request::Queue(ask) => return queue::plan(snapshot, ask),
        Request::AliasImport(import) => return super::alias::import(snapshot, domains, import),
        Request::AliasFaults => {
            let faults = super::alias::faults(snapshot, domains)?;
            return Ok(Plan::Answer(Answer::Report(faults.into())));
        }
        Request::Look(lookup) => {
            return Ok(Plan::Answer(super::alias::look(snapshot, domains, lookup)?));
        }
        Request::StoreStatus => {
            return Err(Failure::usage("the status is not in the tables"));
        }
        Request::Operate(operation) => {
            let why = format!("a {} is no single write", operation.name());
            return Err(Failure::usage(why));
        }
        Request::AliasList => {
            let aliases = alias::list(snapshot)?.into_iter();
            let lines = aliases.map(|alias| AliasLine {
                name: alias.name,
                targets: alias.targets,
            });
            return Ok(Plan::Answer(Answer::Aliases(lines.collect())));
        }
    }))
}

/// The answer to a request whose write has ended.
pub fn finish(outcome: Result<Outcome, Error>) -> Result<Answer, Failure> {
    Ok(match outcome? {
        Outcome::Items(items) => Answer::Items(items.into_iter().map(|item| item.0).collect()),
        _ => Answer::Done,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back() {
        let request = Request::AliasAdd {
            name: "a@example.test".into(),
            targets: vec!["b@example.test".into()],
        };
        let line = serde_json::to_string(&request).expect("writes");
        assert_eq!(
            line,
            r#"{"ask":"alias_add","name":"a@example.test","targets":["b@example.test"]}"#
        );
        assert_eq!(serde_json::from_str::<Request>(&line).ok(), Some(request));
        let answers = [
            Answer::Done,
            Answer::Accounts(Vec::new()),
            Answer::Refused {
                code: 1,
                text: "no".into(),
            },
        ];
        for answer in answers {
            let line = serde_json::to_string(&answer).expect("writes");
            assert_eq!(serde_json::from_str::<Answer>(&line).ok(), Some(answer));
        }
    }
}
