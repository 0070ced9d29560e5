//! What accounts own: mailboxes, names, messages, their change rows and prefixes; counters of all of them. And rows that
//! nobody owns.

use super::{Check, Subject, Wrong};
use crate::row::{AddressRow, AddressTarget};
use crate::table::{AccountRow, ChangeKind, MailboxRow, MessageRow, Place, flag};
use crate::{Error, Table, key, read};
use ringpost_types::{AccountId, Address, MailboxId, Uid};
use std::ops::ControlFlow;

/// What an account or a mailbox owns, counted.
#[derive(Clone, Copy, Default)]
struct Sums {
    messages: u64,
    unseen: u64,
    deleted: u64,
    octets: u64,
}

impl Check<'_> {
    pub(super) fn accounts(&mut self) -> Result<(), Error> {
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
    pub(super) fn numbers(&mut self) -> Result<(), Error> {
        let (account, uidvalidity) = (u64::from(self.last_account.0), self.last_uidvalidity);
        self.above("next_account", account)?;
        // It is the last one given, and not the next.
        self.above("uidvalidity", u64::from(uidvalidity).saturating_sub(1))
    }

    /// The number `name` is above `given`, the highest that was given out; 0: none was.
    pub(super) fn above(&mut self, name: &'static str, given: u64) -> Result<(), Error> {
        let number = read::number(self.rows, name);
        let number = self.sound(number, Subject::Setting(name))?;
        if number.is_some_and(|number| u64::from(number) <= given && given > 0) {
            let wrong = Wrong::Contradicts("it is below what was given out");
            self.tell(Subject::Setting(name), wrong);
        }
        Ok(())
    }

    pub(super) fn addresses(&mut self) -> Result<(), Error> {
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
    pub(super) fn strays(&mut self) -> Result<(), Error> {
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
}
