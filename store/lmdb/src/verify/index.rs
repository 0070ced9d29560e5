//! The tables compared with each other: what `ringpost_api::verify` finds, and what to do about it.

use super::{Finding, Report};
use crate::env::{Env, View};
use crate::open::Lmdb;
use ringpost_api::verify::{self, Subject, Wrong};
use ringpost_api::{Error, Row, Snapshot, Table};
use std::ops::ControlFlow;

/// What to do about rows that cannot be put right one by one.
const REBUILD: &str = "restore the store from a backup, or stop the server and run ringpost rebuild: it makes the index anew from the logs, without flags, moves and expunges";
const COUNTER: &str = "the mail itself is whole; until ringpost rebuild has made the index anew, STATUS and quota tell a wrong number";
const STRAY: &str =
    "nothing is lost and nobody sees it; ringpost rebuild makes an index without it";
const NAME: &str =
    "rename or make the mailbox with an IMAP client; if that is refused, run ringpost rebuild";
const ADDRESS: &str = "mail to it is refused: give it another target with ringpost alias add, or remove it with ringpost alias remove";
const QUEUE: &str =
    "it is not sent, and nothing else is harmed: take it out with ringpost queue drop";
const AGE: &str = "transcripts, bans or reputations go sooner or later than they should; ringpost rebuild counts them anew";
const SPACE: &str =
    "the space is not given back, and nothing else is harmed; ringpost rebuild counts it anew";

/// Checks every environment.
pub(super) fn check(store: &Lmdb, report: &mut Report) -> Result<(), Error> {
    for (_, env) in store.environments() {
        let rows = Patient {
            env,
            view: env.long_snapshot()?,
        };
        let checked = verify::check(&rows, &mut |found| {
            report.tell(finding(&found));
        })?;
        report.checked(&checked);
    }
    Ok(())
}

fn finding(found: &verify::Finding) -> Finding {
    // It tells "where: what".
    let line = found.to_string();
    let (place, what) = line.split_once(": ").unwrap_or(("the index", &line));
    Finding {
        what: what.to_owned(),
        place: place.to_owned(),
        remedy: remedy(found).to_owned(),
    }
}

fn remedy(found: &verify::Finding) -> &'static str {
    match (&found.subject, &found.wrong) {
        (_, Wrong::Damaged(_)) => REBUILD,
        (Subject::Segment { .. }, _) | (Subject::Row(Table::Free, _), _) => SPACE,
        (Subject::Address(_), _) => ADDRESS,
        (Subject::Item(_), _) => QUEUE,
        (_, Wrong::Stray) => STRAY,
        (Subject::Setting(_), Wrong::Counts { .. }) => AGE,
        (Subject::Row(Table::Transcript | Table::Ban | Table::Reputation, _), _) => AGE,
        (_, Wrong::Counts { .. }) => COUNTER,
        (Subject::Mailbox(..) | Subject::Row(Table::MailboxName, _), Wrong::Missing(_)) => NAME,
        _ => REBUILD,
    }
}

/// A snapshot that ends, with an error, when the index is to be opened again: it must not be waited for.
struct Patient<'e> {
    env: &'e Env,
    view: View<'e>,
}

impl Patient<'_> {
    fn is_wanted(&self) -> Result<(), Error> {
        match self.env.is_wanted() {
            true => Err(Error::Io(
                "the index had to be opened again; try again soon".into(),
            )),
            false => Ok(()),
        }
    }
}

impl Snapshot for Patient<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<&[u8]>, Error> {
        self.is_wanted()?;
        self.view.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        within: &[u8],
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.is_wanted()?;
        self.view.scan(table, within, from, visit)
    }

    fn last(&self, table: Table, within: &[u8]) -> Result<Option<Row<'_>>, Error> {
        self.is_wanted()?;
        self.view.last(table, within)
    }
}
