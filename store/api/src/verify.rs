//! Counts again what rows say of other rows, in one snapshot of a store of any size.
//!
//! In:  a snapshot.
//! Out: a [`Finding`] for each thing that is not as counting gives it, as it is come by; what was looked at.
//!
//! ```text
//! accounts ---> mailboxes ---> messages ---> their change rows and prefixes    what an account owns, and its counters
//!          '--> names     '--> sweep
//! change, prefix, message, mailbox, mailbox_name, filter                       rows that nobody owns
//! blobs, a window at a time: all messages that point into it are counted       references, digest, text, octets
//! segments and free stretches, addresses, numbers that are given out
//! ```
//! Invariants: a row that cannot be read is a finding, and the next one is looked at; only the engine's own errors end
//! a check. Memory is 24 octets for each blob of a window, a million of them, and the keywords and names of one mailbox, whatever the store holds.

use crate::row::{AddressRow, AddressTarget};
use crate::table::{AccountRow, BlobRow, ChangeKind, MailboxRow, MessageRow, Place, Stretch, flag};
use crate::{Error, Snapshot, Table, key, read};
use ringpost_types::{AccountId, Address, BlobId, MailboxId, Uid};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow::{self, Continue};

/// Blobs whose references are counted in one pass over the messages.
const WINDOW: usize = 1 << 20;

/// Something that is not as it ought to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Of what.
    pub subject: Subject,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Account(AccountId),
    Mailbox(AccountId, MailboxId),
    Message(AccountId, MailboxId, Uid),
    Blob(BlobId),
    Segment {
        log: u16,
        segment: u32,
    },
    Address(String),
    Setting(&'static str),
    /// A row that tells of nothing known, and its key.
    Row(Table, Vec<u8>),
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// A counter says one number, and counting gives another.
    Counts {
        what: &'static str,
        says: u64,
        is: u64,
    },
    /// It refers to this, or cannot be without, and this is not there.
    Missing(&'static str),
    /// Nobody refers to it.
    Stray,
    /// Its rows contradict each other: in what.
    Contradicts(&'static str),
    /// Its row cannot be read: why.
    Damaged(String),
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub accounts: u64,
    pub mailboxes: u64,
    pub messages: u64,
    pub blobs: u64,
    /// Octets of all mails, each once.
    pub octets: u64,
    pub findings: u64,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Subject::Account(account) => write!(f, "account {account}: "),
            Subject::Mailbox(account, mailbox) => {
                write!(f, "account {account}, mailbox {mailbox}: ")
            }
            Subject::Message(account, mailbox, uid) => {
                write!(f, "account {account}, mailbox {mailbox}, UID {uid}: ")
            }
            Subject::Blob(blob) => write!(f, "mail {blob}: "),
            Subject::Segment { log, segment } => write!(f, "log {log}, segment {segment}: "),
            Subject::Address(address) => write!(f, "address {address}: "),
            Subject::Setting(name) => write!(f, "setting {name}: "),
            Subject::Row(table, key) => {
                write!(f, "table {}, key ", table.name())?;
                key.iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
                f.write_str(": ")
            }
        }?;
        match &self.wrong {
            Wrong::Counts { what, says, is } => write!(f, "{what} says {says}, counted {is}"),
            Wrong::Missing(what) => write!(f, "{what} is missing"),
            Wrong::Stray => f.write_str("nobody refers to it"),
            Wrong::Contradicts(what) => write!(f, "{what}"),
            Wrong::Damaged(why) => write!(f, "cannot be read: {why}"),
        }
    }
}

/// Goes through all of a store. An error is the engine's; damage is a finding.
pub fn check(snapshot: &dyn Snapshot, found: &mut dyn FnMut(Finding)) -> Result<Checked, Error> {
    let mut check = Check {
        rows: snapshot,
        found,
        told: Checked::default(),
        last_account: AccountId(0),
        last_uidvalidity: 0,
    };
    check.accounts()?;
    check.numbers()?;
    check.addresses()?;
    check.strays()?;
    check.blobs()?;
    check.space()?;
    Ok(check.told)
}

struct Check<'c> {
    rows: &'c dyn Snapshot,
    found: &'c mut dyn FnMut(Finding),
    told: Checked,
    last_account: AccountId,
    last_uidvalidity: u32,
}

/// What an account or a mailbox owns, counted.
#[derive(Clone, Copy, Default)]
struct Sums {
    messages: u64,
    unseen: u64,
    deleted: u64,
    octets: u64,
}

/// A blob, and what counting gave.
struct Counted {
    blob: BlobId,
    octets: u32,
    says: u32,
    is: u32,
}

impl Check<'_> {
    fn tell(&mut self, subject: Subject, wrong: Wrong) {
        self.told.findings += 1;
        (self.found)(Finding { subject, wrong });
    }

    fn expect(&mut self, subject: Subject, what: &'static str, says: u64, is: u64) {
        if says != is {
            self.tell(subject, Wrong::Counts { what, says, is });
        }
    }

    /// What was read; damage is told, as of `subject`.
    fn sound<T>(&mut self, read: Result<T, Error>, subject: Subject) -> Result<Option<T>, Error> {
        match read {
            Ok(row) => Ok(Some(row)),
            Err(Error::Damaged(why)) => {
                self.tell(subject, Wrong::Damaged(why));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Shows every row within `within`. A key that is too short for its table is told of by the caller's look at it.
    fn each(
        &mut self,
        table: Table,
        within: &[u8],
        mut visit: impl FnMut(&mut Self, &[u8], &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let rows = self.rows;
        read::scan(rows, table, within, &[], |key, value| {
            if key.len() > key::OCTETS_MAX {
                let subject = Subject::Row(table, key.to_vec());
                self.tell(subject, Wrong::Contradicts("the key is too long"));
            }
            match visit(self, key, value) {
                Err(Error::Damaged(why)) => {
                    self.tell(Subject::Row(table, key.to_vec()), Wrong::Damaged(why));
                    Ok(Continue(()))
                }
                visited => visited.map(Continue),
            }
        })
    }

    fn accounts(&mut self) -> Result<(), Error> {
        self.each(Table::Account, &[], |check, key, value| {
            let id = AccountId(key::u32_at(Table::Account, key, 0)?);
            check.told.accounts += 1;
            check.last_account = id;
            match check.sound(AccountRow::read(value), Subject::Account(id))? {
                Some(row) => check.account(id, &row),
                None => Ok(()),
            }
        })
    }

    fn account(&mut self, id: AccountId, row: &AccountRow<'_>) -> Result<(), Error> {
        let own = Subject::Account(id);
        let named = match Address::parse(row.name) {
            Ok(name) => read::account_by_address(self.rows, &name.key()),
            Err(_) => Ok(None),
        };
        let named = self.sound(named, own.clone())?.flatten();
        if named.is_none_or(|(named, _)| named != id) {
            self.tell(own.clone(), Wrong::Missing("its own address"));
        }
        let (mut sums, mut mailboxes) = (Sums::default(), 0);
        let mut inbox = false;
        self.each(Table::Mailbox, &key::account(id), |check, key, value| {
            let mailbox = MailboxId(key::u32_at(Table::Mailbox, key, 4)?);
            check.told.mailboxes += 1;
            mailboxes += 1;
            inbox |= mailbox == MailboxId::INBOX;
            let subject = Subject::Mailbox(id, mailbox);
            if let Some(found) = check.sound(MailboxRow::read(value), subject)? {
                let own = check.mailbox(id, row, mailbox, &found)?;
                sums.messages += own.messages;
                sums.octets += own.octets;
            }
            Ok(())
        })?;
        if !inbox {
            self.tell(own.clone(), Wrong::Missing("INBOX"));
        }
        self.names(id)?;
        let vanished = self.changes(id, row.trimmed)?;
        if row.trimmed.modseq > row.modseq {
            let wrong = "it has forgotten more than ever happened";
            self.tell(own.clone(), Wrong::Contradicts(wrong));
        }
        self.expect(own.clone(), "mailboxes", row.mailboxes.into(), mailboxes);
        self.expect(own.clone(), "messages", row.messages.into(), sums.messages);
        self.expect(own.clone(), "octets", row.octets, sums.octets);
        self.expect(own, "vanished", row.vanished.into(), vanished);
        Ok(())
    }

    fn mailbox(
        &mut self,
        account: AccountId,
        owner: &AccountRow<'_>,
        id: MailboxId,
        row: &MailboxRow<'_>,
    ) -> Result<Sums, Error> {
        let own = Subject::Mailbox(account, id);
        self.last_uidvalidity = self.last_uidvalidity.max(row.uidvalidity);
        if id >= owner.next_mailbox {
            self.tell(
                own.clone(),
                Wrong::Contradicts("its id was never given out"),
            );
        }
        if row.highest_modseq > owner.modseq || row.trimmed > owner.trimmed.modseq {
            let wrong = "it knows of changes that its account does not know of";
            self.tell(own.clone(), Wrong::Contradicts(wrong));
        }
        let name = self
            .rows
            .get(Table::MailboxName, &key::mailbox_name(account, row.name));
        if self.sound(
            name.and_then(|name| name.map_or(Ok(None), read::named)),
            own.clone(),
        )? != Some(Some(id))
        {
            self.tell(own.clone(), Wrong::Missing("its name"));
        }
        let keywords = row.keywords().count();
        let mut sums = Sums::default();
        self.each(
            Table::Message,
            &key::mailbox(account, id),
            |check, key, value| {
                let uid = Uid(key::u32_at(Table::Message, key, 8)?);
                check.told.messages += 1;
                let own = Subject::Message(account, id, uid);
                let Some(message) = check.sound(MessageRow::read(value), own.clone())? else {
                    return Ok(());
                };
                sums.messages += 1;
                sums.unseen += u64::from(message.flags & flag::SEEN == 0);
                sums.deleted += u64::from(message.flags & flag::DELETED != 0);
                sums.octets += u64::from(message.octets);
                if uid == Uid(0) || uid >= row.uidnext {
                    check.tell(
                        own.clone(),
                        Wrong::Contradicts("its UID was never given out"),
                    );
                }
                if message.modseq > row.highest_modseq {
                    let wrong = "it changed later than its mailbox";
                    check.tell(own.clone(), Wrong::Contradicts(wrong));
                }
                if keywords < 64 && message.keywords >> keywords != 0 {
                    let wrong = "it has keywords that its mailbox has not";
                    check.tell(own.clone(), Wrong::Contradicts(wrong));
                }
                if message.prefix_octets > 0 {
                    let prefix = read::prefix(check.rows, account, id, uid)?.len();
                    let says = message.prefix_octets.into();
                    check.expect(own.clone(), "prefix octets", says, prefix as u64);
                }
                let place = Place {
                    modseq: message.modseq,
                    mailbox: id,
                    uid,
                };
                let change = check
                    .rows
                    .get(Table::Change, &key::change(account, place))?;
                if change.is_none() {
                    check.tell(own, Wrong::Missing("its row in table change"));
                }
                Ok(())
            },
        )?;
        self.expect(own.clone(), "messages", row.messages.into(), sums.messages);
        self.expect(own.clone(), "unseen", row.unseen.into(), sums.unseen);
        self.expect(own.clone(), "deleted", row.deleted.into(), sums.deleted);
        self.expect(own, "octets", row.octets, sums.octets);
        Ok(sums)
    }

    /// Every name leads to a mailbox that has it.
    fn names(&mut self, account: AccountId) -> Result<(), Error> {
        self.each(
            Table::MailboxName,
            &key::account(account),
            |check, key, value| {
                let Some(id) = read::named(value)? else {
                    return Ok(());
                };
                let row = read::mailbox(check.rows, account, id);
                let row = check.sound(row, Subject::Mailbox(account, id))?;
                if row.is_some_and(|row| row.is_none_or(|row| row.name.as_bytes() != &key[4..])) {
                    let subject = Subject::Row(Table::MailboxName, key.to_vec());
                    check.tell(subject, Wrong::Missing("the mailbox of that name"));
                }
                Ok(())
            },
        )
    }

    /// Looks at an account's change rows; how many of them no message keeps.
    fn changes(&mut self, account: AccountId, trimmed: Place) -> Result<u64, Error> {
        let mut vanished = 0;
        self.each(
            Table::Change,
            &key::account(account),
            |check, key, value| {
                let place = key::place(key)?;
                let kind = read::kind(value)?;
                let own = Subject::Message(account, place.mailbox, place.uid);
                match (
                    kind,
                    read::message(check.rows, account, place.mailbox, place.uid),
                ) {
                    // Told of with its mailbox.
                    (_, Err(Error::Damaged(_))) => {}
                    (_, Err(error)) => return Err(error),
                    (ChangeKind::Added | ChangeKind::Flags, Ok(message))
                        if message.is_none_or(|row| row.modseq != place.modseq) =>
                    {
                        check.tell(Subject::Row(Table::Change, key.to_vec()), Wrong::Stray);
                    }
                    (ChangeKind::Vanished, Ok(Some(_))) => {
                        check.tell(own, Wrong::Contradicts("it is told to have left"));
                    }
                    _ => {}
                }
                if matches!(kind, ChangeKind::Vanished | ChangeKind::Mailbox) {
                    vanished += 1;
                    if place <= trimmed {
                        let wrong = "it is told to be forgotten";
                        check.tell(
                            Subject::Row(Table::Change, key.to_vec()),
                            Wrong::Contradicts(wrong),
                        );
                    }
                }
                Ok(())
            },
        )?;
        Ok(vanished)
    }

    /// Numbers that are given out are above all that were.
    fn numbers(&mut self) -> Result<(), Error> {
        let (account, uidvalidity) = (u64::from(self.last_account.0), self.last_uidvalidity);
        for (name, least) in [
            ("next_account", if account > 0 { account + 1 } else { 0 }),
            ("uidvalidity", uidvalidity.into()),
        ] {
            let number = read::number(self.rows, name);
            let number = self.sound(number, Subject::Setting(name))?;
            if number.is_some_and(|number| u64::from(number) < least) {
                let wrong = Wrong::Contradicts("it is below what was given out");
                self.tell(Subject::Setting(name), wrong);
            }
        }
        Ok(())
    }

    fn addresses(&mut self) -> Result<(), Error> {
        self.each(Table::Address, &[], |check, key, value| {
            for target in AddressRow::read(value)?.targets() {
                let AddressTarget::Account(account) = target else {
                    continue;
                };
                if check
                    .rows
                    .get(Table::Account, &key::account(account))?
                    .is_none()
                {
                    let address = String::from_utf8_lossy(key).into_owned();
                    let wrong = Wrong::Missing("an account that it leads to");
                    check.tell(Subject::Address(address), wrong);
                }
            }
            Ok(())
        })
    }

    /// Rows of accounts and mailboxes that are not there. Owners are skipped through, not rows.
    fn strays(&mut self) -> Result<(), Error> {
        for table in [Table::Mailbox, Table::MailboxName, Table::Change] {
            self.owners::<4>(table, |check, owner| {
                let swept = [&owner[..], &[0xff; 4]].concat();
                Ok(check.rows.get(Table::Account, owner)?.is_some()
                    || check.rows.get(Table::Sweep, &swept)?.is_some())
            })?;
        }
        for table in [Table::Message, Table::Filter] {
            self.owners::<8>(table, |check, owner| {
                Ok(check.rows.get(Table::Mailbox, owner)?.is_some()
                    || check.rows.get(Table::Sweep, owner)?.is_some())
            })?;
        }
        self.each(Table::Prefix, &[], |check, key, _| {
            let message = check.rows.get(Table::Message, key)?;
            if message
                .is_none_or(|row| MessageRow::read(row).is_ok_and(|row| row.prefix_octets == 0))
            {
                check.tell(Subject::Row(Table::Prefix, key.to_vec()), Wrong::Stray);
            }
            Ok(())
        })
    }

    /// Tells of the first row of each owner, `OCTETS` of a key, that is not there.
    fn owners<const OCTETS: usize>(
        &mut self,
        table: Table,
        is_there: impl Fn(&Self, &[u8; OCTETS]) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let mut from = Vec::new();
        loop {
            let mut first = None;
            read::scan(self.rows, table, &[], &from, |key, _| {
                first = Some(key.to_vec());
                Ok(ControlFlow::Break(()))
            })?;
            let Some(key) = first else { return Ok(()) };
            match key.first_chunk::<OCTETS>() {
                Some(owner) => {
                    if !is_there(self, owner)? {
                        self.tell(Subject::Row(table, key.clone()), Wrong::Stray);
                    }
                    from = owner.to_vec();
                    // The next owner: one more, as a number. After the last one there is none.
                    match from.iter().rposition(|&octet| octet < u8::MAX) {
                        Some(at) => {
                            from[at] += 1;
                            from[at + 1..].fill(0);
                        }
                        None => return Ok(()),
                    }
                }
                None => {
                    self.tell(Subject::Row(table, key.clone()), Wrong::Stray);
                    from = [&key[..], &[0]].concat();
                }
            }
        }
    }

    fn blobs(&mut self) -> Result<(), Error> {
        let mut from = Some(0);
        while let Some(first) = from {
            let (window, last) = self.window(BlobId(first))?;
            self.references(BlobId(first), last, window)?;
            from = last.0.checked_add(1);
        }
        for table in [Table::Digest, Table::Text] {
            let mut known = None;
            self.each(table, &[], |check, key, _| {
                let blob = key.get(..8).unwrap_or(key);
                if known.as_deref() != Some(blob) {
                    if check.rows.get(Table::Blob, blob)?.is_none() {
                        check.tell(Subject::Row(table, key.to_vec()), Wrong::Stray);
                    }
                    known = Some(blob.to_vec());
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Looks at blob rows from `first` on, [`WINDOW`] of them at most; up to which id there is no other.
    fn window(&mut self, first: BlobId) -> Result<(Vec<Counted>, BlobId), Error> {
        let mut window: Vec<Counted> = Vec::new();
        let mut last = BlobId(u64::MAX);
        let mut applied = BTreeMap::new();
        let rows = self.rows;
        read::scan(rows, Table::Blob, &[], &key::blob(first), |key, value| {
            let blob = BlobId(key::u64_at(Table::Blob, key, 0)?);
            self.told.blobs += 1;
            if let Some(row) = self.sound(BlobRow::read(value), Subject::Blob(blob))? {
                self.blob(blob, &row, &mut applied)?;
                window.push(Counted {
                    blob,
                    octets: u32::try_from(row.octets).unwrap_or(u32::MAX),
                    says: row.references,
                    is: 0,
                });
            }
            Ok(match window.len() < WINDOW {
                true => Continue(()),
                false => {
                    last = blob;
                    ControlFlow::Break(())
                }
            })
        })?;
        Ok((window, last))
    }

    /// What one blob row says of itself and of its neighbours.
    fn blob(
        &mut self,
        blob: BlobId,
        row: &BlobRow,
        applied: &mut BTreeMap<u16, u64>,
    ) -> Result<(), Error> {
        let own = Subject::Blob(blob);
        self.told.octets += row.octets;
        if self.rows.get(Table::Digest, &key::blob(blob))?.is_none() {
            self.tell(own.clone(), Wrong::Missing("its digest"));
        }
        let sequence = match applied.get(&blob.log()) {
            Some(&known) => known,
            None => {
                let position = read::applied(self.rows, blob.log());
                let position = self.sound(position, own.clone())?.unwrap_or_default();
                applied.insert(blob.log(), position.sequence);
                position.sequence
            }
        };
        if sequence <= blob.sequence() {
            let wrong = "its log is not applied so far";
            self.tell(own.clone(), Wrong::Contradicts(wrong));
        }
        let mail = Stretch {
            segment: row.segment,
            offset: row.offset,
            octets: row.stored,
        };
        for Stretch {
            segment,
            offset,
            octets,
        } in [row.record, mail]
        {
            let end = offset.saturating_add(octets);
            let (within, from) = (
                key::segment(row.log, segment),
                key::free(row.log, segment, offset),
            );
            let mut free = false;
            read::scan(self.rows, Table::Free, &within, &from, |key, _| {
                free = key::u64_at(Table::Free, key, 6)? < end;
                Ok(ControlFlow::Break(()))
            })?;
            if free {
                self.tell(own, Wrong::Contradicts("octets of it are told to be free"));
                break;
            }
        }
        Ok(())
    }

    /// Counts the messages that point at a blob of `window`, which has all from `first` to `last`.
    fn references(
        &mut self,
        first: BlobId,
        last: BlobId,
        mut window: Vec<Counted>,
    ) -> Result<(), Error> {
        self.each(Table::Message, &[], |check, key, value| {
            // Damaged rows and keys were told of with their mailbox.
            let Ok(message) = MessageRow::read(value) else {
                return Ok(());
            };
            if message.blob < first || last < message.blob {
                return Ok(());
            }
            let account = AccountId(key::u32_at(Table::Message, key, 0)?);
            let mailbox = MailboxId(key::u32_at(Table::Message, key, 4)?);
            let own = Subject::Message(account, mailbox, Uid(key::u32_at(Table::Message, key, 8)?));
            match window.binary_search_by_key(&message.blob, |counted| counted.blob) {
                Ok(at) => {
                    window[at].is = window[at].is.saturating_add(1);
                    let is = window[at]
                        .octets
                        .saturating_add(message.prefix_octets.into());
                    check.expect(own, "octets", message.octets.into(), is.into());
                }
                Err(_) => check.tell(own, Wrong::Missing("its mail")),
            }
            Ok(())
        })?;
        for counted in window {
            let (says, is) = (counted.says.into(), counted.is.into());
            self.expect(Subject::Blob(counted.blob), "references", says, is);
        }
        Ok(())
    }

    /// A free stretch lies alone, and its segment counts it.
    fn space(&mut self) -> Result<(), Error> {
        let mut sums: Option<(u16, u32, u64, u64, u64)> = None;
        self.each(Table::Free, &[], |check, key, value| {
            let log = (key::u32_at(Table::Free, key, 0)? >> 16) as u16;
            let segment = key::u32_at(Table::Free, key, 2)?;
            let offset = key::u64_at(Table::Free, key, 6)?;
            let octets = read::octets(value)?;
            match &mut sums {
                Some((of, at, end, sum, count)) if (*of, *at) == (log, segment) => {
                    if offset < *end {
                        let wrong = Wrong::Contradicts("it overlaps the stretch before it");
                        check.tell(Subject::Row(Table::Free, key.to_vec()), wrong);
                    }
                    (*end, *sum, *count) =
                        (offset.saturating_add(octets), *sum + octets, *count + 1);
                }
                _ => {
                    check.segment(sums)?;
                    sums = Some((log, segment, offset.saturating_add(octets), octets, 1));
                }
            }
            Ok(())
        })?;
        self.segment(sums)
    }

    fn segment(&mut self, sums: Option<(u16, u32, u64, u64, u64)>) -> Result<(), Error> {
        let Some((log, segment, _, octets, count)) = sums else {
            return Ok(());
        };
        let own = Subject::Segment { log, segment };
        let row = read::segment(self.rows, log, segment);
        // Stretches that were given back are still dead.
        if let Some(row) = self.sound(row, own.clone())?
            && (row.dead_octets < octets || u64::from(row.dead_records) < count)
        {
            self.tell(own, Wrong::Contradicts("it counts less than is free in it"));
        }
        Ok(())
    }
}
