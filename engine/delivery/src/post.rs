//! One shard's way into the store: a mail becomes one record, durable, and goes on to the index in order.
//!
//! In:  [`Arrived`] and whom it is for. Out: that it is on disk; for APPEND also where the index put it.
//!
//! ```text
//! accept: budget, lag -> Record -> Log::append -> durable -> 250         the driver -> Store::submit, nobody waits
//! append: the same                              -> durable -> the index's answer -> OK [APPENDUID]
//! ```
//! Invariants: the driver hands records to the index in the order of the log. No snapshot is held here. What waits for
//! the index to catch up waits a bounded time.

use crate::ingest::{Arrived, Ingest, Inlet};
use crate::memory::Memory;
use crate::{Error, placed, trace};
use ringpost_api::item::Item;
use ringpost_api::write::{Missing, Placed, Position, Target};
use ringpost_api::{Outcome, Store};
pub use ringpost_log::Options as LogOptions;
use ringpost_log::{Log, LogError, Reader, Record};
use ringpost_runtime::file::RingFiles;
use ringpost_runtime::time::{Duration, Instant, sleep};
use ringpost_runtime::{Shard, spawn};
use ringpost_types::limit::Limits;
use ringpost_types::{AccountId, Address, BlobId, MailboxId};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

/// How long a mail waits for the index before it is refused for now.
const LAG_WAIT: Duration = Duration::from_secs(10);
/// How often it looks meanwhile. The index commits every few tens of milliseconds.
const LAG_LOOK: Duration = Duration::from_millis(5);

/// One for each shard.
pub struct Post {
    shard: Rc<Shard>,
    store: Arc<dyn Store>,
    limits: Arc<Limits>,
    inlet: Inlet,
    reader: Reader<RingFiles>,
}

/// Whom a mail is from and for.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'e> {
    /// `None` is `<>`.
    pub reverse_path: Option<&'e Address>,
    /// In the order of RCPT; an account that is named twice gets the mail once, for its first address.
    pub recipients: &'e [Recipient],
    /// Envelopes in which it leaves; with none of them and no recipients the mail is for nobody.
    pub queue: &'e [Item],
    /// INTERNALDATE, seconds since 1970 UTC.
    pub unix: u64,
}

/// A local recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// As RCPT gave it.
    pub address: Address,
    /// The account it leads to.
    pub account: AccountId,
}

/// Where an appended message goes. RFC 9051 §6.3.12.
#[derive(Clone, Debug)]
pub struct Append {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub mailbox: MailboxId,
    /// Bits of `api::table::flag`.
    pub flags: u32,
    /// Keywords by name.
    pub keywords: Vec<String>,
    /// INTERNALDATE, seconds since 1970 UTC.
    pub internal_date: u64,
}

impl Post {
    /// Opens the shard's log below `data`, to go on at `end` as recovery has found it, and runs it until the shard
    /// ends.
    pub async fn open(
        shard: &Rc<Shard>,
        store: Arc<dyn Store>,
        data: &Path,
        end: Position,
        options: LogOptions,
    ) -> Result<Rc<Post>, LogError> {
        let (log, driver) = Log::open(RingFiles, data, shard.id, end, options).await?;
        let index = store.clone();
        spawn(driver.run(move |write, reply| index.submit(write, reply)));
        let closing = log.clone();
        shard.at_end(async move { closing.close().await });
        Ok(Rc::new(Post {
            inlet: Inlet {
                limits: shard.limits.clone(),
                memory: Memory::new(shard.limits.message_memory_octets_max, shard.budget.clone()),
                log,
                files: RingFiles,
            },
            limits: shard.limits.clone(),
            reader: Reader::new(RingFiles, data),
            shard: shard.clone(),
            store,
        }))
    }

    /// A mail begins to arrive: `size` octets as announced, behind `head`, our own fields.
    pub fn ingest(&self, size: Option<u64>, head: &[u8]) -> Result<Ingest, Error> {
        self.inlet.ingest(size, head)
    }

    /// Whether a new mail of so many octets would find room now: in memory, and in an index that takes anything. Who asks
    /// before it comes saves its peer the sending.
    pub fn has_room_for(&self, octets: u64) -> Result<(), Error> {
        match self.inlet.memory.takes_new() && self.inlet.has_room_for(octets) {
            true => self.index_takes(),
            false => Err(Error::Memory),
        }
    }

    /// The shard's budget for mails.
    pub fn memory(&self) -> &Memory {
        &self.inlet.memory
    }

    /// Bodies of all shards' logs.
    pub fn reader(&self) -> &Reader<RingFiles> {
        &self.reader
    }

    /// Delivers a mail to the INBOX of each account, and puts it into the queue. When it is `Ok`, the mail is durable.
    pub async fn accept(&self, envelope: Envelope<'_>, arrived: Arrived) -> Result<BlobId, Error> {
        self.wait_for_index().await?;
        let Arrived {
            body,
            digest,
            text,
            charge,
            ..
        } = arrived;
        let record = Record {
            targets: targets(&envelope),
            items: envelope.queue.to_vec(),
            digest,
            // Nobody searches the queue.
            text: match envelope.recipients.is_empty() {
                true => Vec::new(),
                false => text,
            },
            body,
        };
        let durable = self.inlet.log.append(record, None).await;
        drop(charge);
        Ok(durable?.blob)
    }

    /// Puts a message into a mailbox. When it is `Ok`, the message is there, and its UID is told.
    pub async fn append(&self, append: Append, arrived: Arrived) -> Result<Placed, Error> {
        self.wait_for_index().await?;
        let Arrived {
            body,
            digest,
            text,
            charge,
            ..
        } = arrived;
        let target = Target {
            account: append.account,
            mailbox: append.mailbox,
            missing: Missing::Refuse,
            flags: append.flags,
            keywords: append.keywords,
            internal_date: append.internal_date,
            prefix: Vec::new(),
        };
        let record = Record {
            targets: vec![target],
            items: Vec::new(),
            digest,
            text,
            body,
        };
        let (reply, ticket) = self.shard.tickets.reserve();
        let durable = self.inlet.log.append(record, Some(reply.clone())).await;
        drop(charge);
        let durable = match durable {
            Ok(durable) => durable,
            Err(error) => {
                // The index never hears of it: the ticket's place is given back by an answer of our own.
                reply
                    .sink
                    .complete(vec![(reply.token, Err(ringpost_api::Error::Closed))]);
                return Err(error.into());
            }
        };
        match ticket.await? {
            Outcome::Delivered(placed) => match placed.first() {
                Some(&placed) => Ok(placed),
                None => Err(ringpost_api::Error::NoMailbox.into()),
            },
            // It was there before.
            _ => {
                let snapshot = self.store.snapshot()?;
                let (account, mailbox) = (append.account, append.mailbox);
                Ok(placed::find(&*snapshot, account, mailbox, durable.blob)?)
            }
        }
    }

    fn index_takes(&self) -> Result<(), Error> {
        self.store.accepts().map_err(|error| match error {
            ringpost_api::Error::Full => error.into(),
            _ => Error::Lag,
        })
    }

    /// Back-pressure: limit delivery_lag_octets_max. An index that cannot commit, or has too little room, is not waited for.
    async fn wait_for_index(&self) -> Result<(), Error> {
        self.index_takes()?;
        let is_behind = || self.store.lag_octets() > self.limits.delivery_lag_octets_max;
        let until = Instant::now() + LAG_WAIT;
        while is_behind() {
            if Instant::now() >= until {
                return Err(Error::Lag);
            }
            sleep(LAG_LOOK).await;
        }
        Ok(())
    }
}

/// One target for each account.
fn targets(envelope: &Envelope<'_>) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::with_capacity(envelope.recipients.len());
    let mut seen = std::collections::HashSet::new();
    for Recipient { address, account } in envelope.recipients {
        // Few recipients are the rule: no set is made for one.
        if envelope.recipients.len() > 1 && !seen.insert(*account) {
            continue;
        }
        targets.push(Target {
            account: *account,
            mailbox: MailboxId::INBOX,
            missing: Missing::Inbox,
            flags: 0,
            keywords: Vec::new(),
            internal_date: envelope.unix,
            prefix: trace::prefix(envelope.reverse_path, address),
        });
    }
    targets
}

#[cfg(test)]
mod tests;
