//! One mailbox as it was when a backup was taken, into a new mailbox of an account as it is now.
//!
//! In:  an [`Order`] and the past, which lends rows and mails. Out: a [`Report`]; a mail that cannot be read is told, and
//!      the run goes on.
//!
//! A mail comes back with its flags, keywords and INTERNALDATE; what its recipient's own header lines were is part of
//! it from then on. UIDs are new. The mailbox is a new one, so nothing that is there now is mixed with it.

use crate::error::Error;
use crate::import::Place;
use crate::mailboxes;
use crate::operations::{Mail, Writer, perform};
use crate::{Tell, Told, Trouble};
use ringpost_api::table::{BlobRow, MessageRow};
use ringpost_api::{Outcome, Snapshot, Write, read};
use ringpost_log::LogError;
use ringpost_message::Scanner;
use ringpost_types::{AccountId, Address, MailboxId, Uid};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Mails of one batch.
const MAILS: usize = 256;
/// Octets of one batch, about.
const OCTETS: usize = 8 * 1024 * 1024;

/// An earlier state of a store.
pub trait Past {
    /// Its rows.
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, Error>;
    /// A mail's octets, checked.
    fn mail(&self, blob: &BlobRow) -> Result<Vec<u8>, LogError>;
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The account's address, then and now.
    pub account: String,
    /// The mailbox as it was called then.
    pub mailbox: String,
    /// The new mailbox's name.
    pub into: String,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Mails that came back.
    pub mails: u64,
    /// Their octets.
    pub octets: u64,
    /// Mails that could not be read.
    pub failed: u64,
}

/// A message row of then, with what else is wanted of it.
struct Found {
    row: MessageRow,
    blob: BlobRow,
    prefix: Vec<u8>,
    keywords: Vec<String>,
}

/// Brings it back.
pub fn run(
    place: &Place<'_>,
    past: &dyn Past,
    order: &Order,
    tell: Tell<'_>,
) -> Result<Report, Error> {
    let account = mailboxes::account(place.store, &order.account)?;
    let (then, mailbox, total) = find(past, order)?;
    let create = Write::MailboxCreate {
        account,
        name: ringpost_api::name::check(&order.into, place.limits)?,
        special: 0,
    };
    let into = match perform(place.store, create) {
        Ok(Outcome::Mailbox(id)) => id,
        Err(ringpost_api::Error::Exists) => {
            let why = format!("there is a mailbox {} already; name a new one", order.into);
            return Err(Error::Asked(why));
        }
        Ok(other) => return Err(Error::Asked(format!("making it came to {other:?}"))),
        Err(error) => return Err(error.into()),
    };
    let mut writer = Writer::open(place, account)?;
    let mut report = Report::default();
    let mut from = Uid(0);
    // No two runs have the same keys: what was expunged since is wanted again.
    let stamp = SystemTime::now().duration_since(UNIX_EPOCH);
    let stamp = stamp.map_or(0, |since| since.as_nanos()) << 32;
    loop {
        let page = page(past, then, mailbox, from)?;
        let Some(&(last, _)) = page.last() else {
            break;
        };
        let mut batch = Vec::new();
        for (uid, found) in page {
            match past.mail(&found.blob) {
                Ok(octets) => {
                    let mail = prepare(stamp | u128::from(uid.0), into, found, octets, place);
                    report.mails += 1;
                    report.octets += mail.octets.len() as u64;
                    batch.push(mail);
                }
                Err(error) => {
                    report.failed += 1;
                    let name = format!("{} UID {}", order.mailbox, uid.0);
                    told(tell(Told::Trouble(Trouble::new(Path::new(&name), error))))?;
                }
            }
        }
        let progress = |tell: &mut dyn FnMut(Told) -> ControlFlow<()>| {
            tell(Told::Progress {
                done: report.mails + report.failed,
                total,
                unit: "mails",
            })
        };
        if !batch.is_empty() {
            writer.write(batch, || progress(tell))?;
        }
        told(progress(tell))?;
        from = Uid(last.0.saturating_add(1));
    }
    let (done, unit) = (report.mails + report.failed, "mails");
    writer.finish(|| tell(Told::Progress { done, total, unit }))?;
    Ok(report)
}

fn told(flow: ControlFlow<()>) -> Result<(), Error> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Ended),
    }
}

/// The mailbox then, and how many messages it had.
fn find(past: &dyn Past, order: &Order) -> Result<(AccountId, MailboxId, u64), Error> {
    let address = Address::parse(&order.account)
        .map_err(|why| Error::Asked(format!("{:?} is not an address: {why}", order.account)))?;
    let snapshot = past.snapshot()?;
    let account = read::account_by_address(&*snapshot, &address.key())?;
    let (account, _) = account
        .ok_or_else(|| Error::Asked(format!("the backup has no account {}", order.account)))?;
    match read::mailbox_by_name(&*snapshot, account, &order.mailbox)? {
        Some((id, row)) => Ok((account, id, row.messages.into())),
        None => Err(Error::Asked(format!(
            "{} has no mailbox {} in the backup",
            order.account, order.mailbox
        ))),
    }
}

/// Some messages from UID `from` on.
fn page(
    past: &dyn Past,
    account: AccountId,
    mailbox: MailboxId,
    from: Uid,
) -> Result<Vec<(Uid, Found)>, Error> {
    let snapshot = past.snapshot()?;
    let rows = &*snapshot;
    let row = read::mailbox(rows, account, mailbox)?;
    let names: Vec<String> =
        row.map_or_else(Vec::new, |row| row.keywords().map(str::to_owned).collect());
    let (mut found, mut octets, mut failed) = (Vec::new(), 0, None);
    read::messages(rows, account, mailbox, from, |uid, row| {
        let one = || {
            let blob = read::blob(rows, row.blob)?.ok_or_else(|| {
                ringpost_api::Error::Damaged(format!("blob {} is not there", row.blob))
            })?;
            let prefix = read::prefix(rows, account, mailbox, uid)?.to_vec();
            let set = |(bit, name): (usize, &String)| {
                (row.keywords >> bit & 1 == 1).then(|| name.clone())
            };
            let keywords = names.iter().enumerate().filter_map(set).collect();
            Ok(Found {
                row,
                blob,
                prefix,
                keywords,
            })
        };
        match one() {
            Ok(one) => found.push((uid, one)),
            Err(error) => failed = Some(error),
        }
        octets += row.octets as usize;
        match failed.is_none() && found.len() < MAILS && octets < OCTETS {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    match failed {
        Some(error) => Err(Error::Store(error)),
        None => Ok(found),
    }
}

fn prepare(
    key: u128,
    mailbox: MailboxId,
    found: Found,
    shared: Vec<u8>,
    place: &Place<'_>,
) -> Mail {
    let octets = match found.prefix.is_empty() {
        true => shared,
        false => [found.prefix, shared].concat(),
    };
    Mail {
        key,
        mailbox,
        flags: found.row.flags,
        keywords: found.keywords,
        date: found.row.internal_date,
        digest: Scanner::scan(place.limits, &octets),
        octets,
    }
}
