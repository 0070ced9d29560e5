//! The traits a backend fulfils, and the ones its users fulfil to be told.

use crate::{Error, Outcome, Table, Write};
use ringpost_types::{AccountId, MailboxId, ModSeq};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A row as a snapshot lends it: key and value.
pub type Row<'t> = (&'t [u8], &'t [u8]);

/// What came of a write, under the token its owner gave it.
pub type Answer = (u64, Result<Outcome, Error>);

/// A consistent view of all tables. Lives for one command at most, and never across an await: an open one keeps
/// the pages it sees from being used again.
pub trait Snapshot {
    /// The value under `key`.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<&[u8]>, Error>;

    /// Shows rows to `visit` in ascending key order, from the first key not below `from`, while keys begin with
    /// `within`, until `visit` breaks.
    #[allow(clippy::type_complexity)] // A name for the visitor would only hide what it is shown.
    fn scan(
        &self,
        table: Table,
        within: &[u8],
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Error>;

    /// The last row whose key begins with `within`.
    fn last(&self, table: Table, within: &[u8]) -> Result<Option<Row<'_>>, Error>;
}

/// A store. Shared by all threads.
pub trait Store: Send + Sync {
    /// The store as of the last commit.
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, Error>;

    /// Hands over a write. It is applied in the order of submission of one thread, and answered through `reply`, if
    /// any, once it is durable or refused. Writes nobody waits for may wait for company, up to some tens of
    /// milliseconds.
    fn submit(&self, write: Write, reply: Option<ReplyTo>);

    /// Octets of mail submitted and not yet committed: what back-pressure looks at.
    fn lag_octets(&self) -> u64;

    /// Whether new mail may come: an error says that it is to be refused for now, before anything of it is kept.
    fn accepts(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Tells `feed` of every commit from now on. A feed that is gone is forgotten.
    fn subscribe(&self, feed: std::sync::Weak<dyn Feed>);
}

/// Where an answer goes: a sink, and the token by which its owner knows the write.
#[derive(Clone)]
pub struct ReplyTo {
    /// Whoever waits.
    pub sink: Arc<dyn Sink>,
    /// The waiter's own number for the write.
    pub token: u64,
}

/// Takes answers. Called on the writer's thread, once for each commit with all answers for this sink: it must be
/// quick and must not call back into the store.
pub trait Sink: Send + Sync {
    /// Writes that are durable, or refused.
    fn complete(&self, answers: Vec<Answer>);
}

/// Learns what changed. Called on the writer's thread after each commit; the same rules as for [`Sink`].
pub trait Feed: Send + Sync {
    /// Mailboxes that changed in one commit, each once.
    fn changed(&self, changes: &[Changed]);
}

/// One mailbox that a commit changed; its rows and its part of table `change` tell how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub mailbox: MailboxId,
    /// Its HIGHESTMODSEQ now.
    pub modseq: ModSeq,
}
