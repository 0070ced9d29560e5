//! Typed look-ups in a snapshot: what consumers call instead of naming keys and octets.
//!
//! In:  a snapshot (or the rows of a write that is being applied) and ids.
//! Out: rows that borrow from the snapshot; `None` where there is none; [`Error::Damaged`] never as a panic.
//!
//! Invariant: iteration allocates nothing for each row. A visitor that breaks ends the scan.

mod credential;
mod feed;
mod network;
mod queue;

pub use credential::{app_password, app_passwords, main_keys};
pub(crate) use feed::kind;
pub use feed::{Change, Since, changes, changes_since, since, vanished_since};
pub use network::{ban, bans, reputation, reputations, transcript};
pub use queue::{due, item, items, next_item};

use crate::row::AddressRow;
use crate::table::{AccountRow, BlobRow, MailboxRow, MessageRow, SegmentRow};
use crate::write::Position;
use crate::{Error, Snapshot, Table, key, name};
use ringpost_types::{AccountId, Address, BlobId, MailboxId, Uid};
use std::ops::ControlFlow;

/// The account `id`.
pub fn account<'t>(
    snapshot: &'t (dyn Snapshot + 't),
    id: AccountId,
) -> Result<Option<AccountRow<'t>>, Error> {
    snapshot
        .get(Table::Account, &key::account(id))?
        .map(AccountRow::read)
        .transpose()
}

/// Every account, by id.
pub fn accounts(
    snapshot: &dyn Snapshot,
    mut visit: impl FnMut(AccountId, AccountRow<'_>) -> ControlFlow<()>,
) -> Result<(), Error> {
    scan(snapshot, Table::Account, &[], &[], |key, value| {
        let id = AccountId(key::u32_at(Table::Account, key, 0)?);
        Ok(visit(id, AccountRow::read(value)?))
    })
}

/// Where an address leads; `address` as `Address::key` writes it.
pub fn address<'t>(
    snapshot: &'t (dyn Snapshot + 't),
    address: &str,
) -> Result<Option<AddressRow<'t>>, Error> {
    if address.is_empty() || address.len() > key::OCTETS_MAX {
        return Ok(None);
    }
    snapshot
        .get(Table::Address, address.as_bytes())?
        .map(AddressRow::read)
        .transpose()
}

/// Every address, primary or alias, in the order of its octets.
pub fn addresses(
    snapshot: &dyn Snapshot,
    mut visit: impl FnMut(&str, AddressRow<'_>) -> ControlFlow<()>,
) -> Result<(), Error> {
    scan(snapshot, Table::Address, &[], &[], |key, value| {
        Ok(visit(utf8(Table::Address, key)?, AddressRow::read(value)?))
    })
}

/// The account whose primary address has this key. An alias, even to one account alone, is not its name.
pub fn account_by_address<'t>(
    snapshot: &'t (dyn Snapshot + 't),
    key: &str,
) -> Result<Option<(AccountId, AccountRow<'t>)>, Error> {
    let Some(row) = address(snapshot, key)? else {
        return Ok(None);
    };
    for target in row.targets() {
        let crate::row::AddressTarget::Account(id) = target else {
            continue;
        };
        if let Some(row) = account(snapshot, id)?
            && Address::parse(row.name).is_ok_and(|name| name.key() == key)
        {
            return Ok(Some((id, row)));
        }
    }
    Ok(None)
}

/// The mailbox `id`.
pub fn mailbox<'t>(
    snapshot: &'t (dyn Snapshot + 't),
    account: AccountId,
    id: MailboxId,
) -> Result<Option<MailboxRow<'t>>, Error> {
    snapshot
        .get(Table::Mailbox, &key::mailbox(account, id))?
        .map(MailboxRow::read)
        .transpose()
}

/// The id behind a mailbox name; INBOX in any case. RFC 9051 §5.1.
pub fn mailbox_id(
    snapshot: &dyn Snapshot,
    account: AccountId,
    name: &str,
) -> Result<Option<MailboxId>, Error> {
    if name.len() > name::OCTETS_MAX {
        return Ok(None);
    }
    let key = key::mailbox_name(account, &name::canonical(name));
    match snapshot.get(Table::MailboxName, &key)? {
        Some(value) => named(value),
        None => Ok(None),
    }
}

/// The mailbox of that name; INBOX in any case. RFC 9051 §5.1.
pub fn mailbox_by_name<'t>(
    snapshot: &'t (dyn Snapshot + 't),
    account: AccountId,
    name: &str,
) -> Result<Option<(MailboxId, MailboxRow<'t>)>, Error> {
    let Some(id) = mailbox_id(snapshot, account, name)? else {
        return Ok(None);
    };
    match mailbox(snapshot, account, id)? {
        Some(row) => Ok(Some((id, row))),
        None => Err(nameless(account, id)),
    }
}

/// Every mailbox name of an account in the order of its octets: with its mailbox, or without where the name is
/// only subscribed. RFC 9051 §6.3.9.
pub fn mailboxes(
    snapshot: &dyn Snapshot,
    account: AccountId,
    mut visit: impl FnMut(&str, Option<(MailboxId, MailboxRow<'_>)>) -> ControlFlow<()>,
) -> Result<(), Error> {
    scan(
        snapshot,
        Table::MailboxName,
        &key::account(account),
        &[],
        |key, value| {
            let name = utf8(Table::MailboxName, key.get(4..).unwrap_or_default())?;
            let Some(id) = named(value)? else {
                return Ok(visit(name, None));
            };
            let row = mailbox(snapshot, account, id)?.ok_or_else(|| nameless(account, id))?;
            Ok(visit(name, Some((id, row))))
        },
    )
}

/// One message of a mailbox.
pub fn message(
    snapshot: &dyn Snapshot,
    account: AccountId,
    mailbox: MailboxId,
    uid: Uid,
) -> Result<Option<MessageRow>, Error> {
    let key = key::message(account, mailbox, uid);
    snapshot
        .get(Table::Message, &key)?
        .map(MessageRow::read)
        .transpose()
}

/// Messages of a mailbox from UID `from` on, ascending. What a visitor does not look at is not decoded, once this
/// is inlined into it.
#[inline]
pub fn messages(
    snapshot: &dyn Snapshot,
    account: AccountId,
    mailbox: MailboxId,
    from: Uid,
    mut visit: impl FnMut(Uid, MessageRow) -> ControlFlow<()>,
) -> Result<(), Error> {
    let within = key::mailbox(account, mailbox);
    let from = key::message(account, mailbox, from);
    let mut failed = None;
    // What [`scan`] does, without a result carried through two closures: 29 instructions for a row instead of 41.
    snapshot.scan(Table::Message, &within, &from, &mut |key, value| match (
        key.get(8..12),
        MessageRow::read(value),
    ) {
        (Some(&[a, b, c, d]), Ok(row)) => visit(Uid(u32::from_be_bytes([a, b, c, d])), row),
        (_, read) => {
            failed = Some(
                read.err()
                    .unwrap_or_else(|| key::short(Table::Message, key)),
            );
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(()), Err)
}

/// The header octets that stand in front of the shared mail for this message alone; empty where there are none.
pub fn prefix<'t>(
    snapshot: &'t (dyn Snapshot + 't),
    account: AccountId,
    mailbox: MailboxId,
    uid: Uid,
) -> Result<&'t [u8], Error> {
    let key = key::message(account, mailbox, uid);
    Ok(snapshot.get(Table::Prefix, &key)?.unwrap_or_default())
}

/// Where a mail's octets are.
pub fn blob(snapshot: &dyn Snapshot, blob: BlobId) -> Result<Option<BlobRow>, Error> {
    snapshot
        .get(Table::Blob, &key::blob(blob))?
        .map(BlobRow::read)
        .transpose()
}

/// What of a segment is dead.
pub fn segment(snapshot: &dyn Snapshot, log: u16, segment: u32) -> Result<SegmentRow, Error> {
    let row = snapshot.get(Table::Segment, &key::segment(log, segment))?;
    row.map_or(Ok(SegmentRow::default()), SegmentRow::read)
}

/// A mail's digest, as `message::digest` wrote it.
pub fn digest<'t>(
    snapshot: &'t (dyn Snapshot + 't),
    blob: BlobId,
) -> Result<Option<&'t [u8]>, Error> {
    snapshot.get(Table::Digest, &key::blob(blob))
}

/// Whether an account has room for one more message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It has.
    Enough,
    /// Not now.
    Full,
    /// Not even if it were empty.
    Never,
}

/// Whether `account` has room for a message of `octets`. RFC 9208 §5.
pub fn room(snapshot: &dyn Snapshot, account: AccountId, octets: u64) -> Result<Room, Error> {
    let row = self::account(snapshot, account)?.ok_or(Error::NoAccount)?;
    let most = match row.quota_octets {
        0 => u64::MAX,
        quota => quota,
    };
    Ok(match row.octets.saturating_add(octets) {
        _ if octets > most => Room::Never,
        all if all > most => Room::Full,
        _ if row.quota_messages > 0 && row.messages >= row.quota_messages => Room::Full,
        _ => Room::Enough,
    })
}

/// The first mailbox that is gone and has rows still to be deleted; see [`Table::Sweep`].
pub fn sweep(snapshot: &dyn Snapshot) -> Result<Option<(AccountId, MailboxId)>, Error> {
    let mut first = None;
    scan(snapshot, Table::Sweep, &[], &[], |key, _| {
        let account = AccountId(key::u32_at(Table::Sweep, key, 0)?);
        first = Some((account, MailboxId(key::u32_at(Table::Sweep, key, 4)?)));
        Ok(ControlFlow::Break(()))
    })?;
    Ok(first)
}

/// How far a log has been applied; the default where nothing of it ever was.
pub fn applied(snapshot: &dyn Snapshot, log: u16) -> Result<Position, Error> {
    match snapshot.get(Table::Applied, &key::log(log))? {
        Some(value) => Position::read(value),
        None => Ok(Position::default()),
    }
}

/// A setting that is a number; 0 where it was never put.
pub fn number(snapshot: &dyn Snapshot, setting: &str) -> Result<u32, Error> {
    match snapshot.get(Table::Setting, setting.as_bytes())? {
        None => Ok(0),
        Some(value) => match <[u8; 4]>::try_from(value) {
            Ok(octets) => Ok(u32::from_le_bytes(octets)),
            Err(_) => Err(Error::Damaged(format!(
                "setting {setting} is not four octets"
            ))),
        },
    }
}

/// A scan whose visitor may fail: the first failure ends it.
pub(crate) fn scan(
    snapshot: &dyn Snapshot,
    table: Table,
    within: &[u8],
    from: &[u8],
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    let mut failed = None;
    snapshot.scan(
        table,
        within,
        from,
        &mut |key, value| match visit(key, value) {
            Ok(flow) => flow,
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        },
    )?;
    failed.map_or(Ok(()), Err)
}

/// The value of a row of table mailbox_name.
pub(crate) fn named(value: &[u8]) -> Result<Option<MailboxId>, Error> {
    match value.len() {
        0 => Ok(None),
        4 => Ok(Some(MailboxId(u32::from_le_bytes([
            value[0], value[1], value[2], value[3],
        ])))),
        _ => Err(Error::Damaged(
            "table mailbox_name: row is not four octets".into(),
        )),
    }
}

/// The value of a row of table free.
pub(crate) fn octets(value: &[u8]) -> Result<u64, Error> {
    match <[u8; 8]>::try_from(value) {
        Ok(octets) => Ok(u64::from_le_bytes(octets)),
        Err(_) => Err(Error::Damaged("table free: row is not eight octets".into())),
    }
}

fn utf8(table: Table, octets: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(octets)
        .map_err(|_| Error::Damaged(format!("table {}: a key is not UTF-8", table.name())))
}

#[cold]
fn nameless(account: AccountId, mailbox: MailboxId) -> Error {
    Error::Damaged(format!(
        "account {account}: a name leads to mailbox {mailbox}, which is not there"
    ))
}
