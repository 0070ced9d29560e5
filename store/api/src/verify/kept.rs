//! What accounts, senders and strangers leave: credentials, items of the queue, what ages.

use super::{Check, Subject, Wrong};
use crate::apply::Aging;
use crate::credential::{APP, CredentialRow, MAIN};
use crate::item::{ItemRow, State};
use crate::{Error, Table, key, read};
use ringpost_types::ItemId;

impl Check<'_> {
    /// Each is of an account that is there, and of a kind that is known.
    pub(super) fn credentials(&mut self) -> Result<(), Error> {
        let mut highest = 0;
        self.each(Table::Credential, &[], |check, key, value| {
            let row = CredentialRow::read(value)?;
            let (account, id) = (
                key.first_chunk::<4>(),
                key::u32_at(Table::Credential, key, 5)?,
            );
            let subject = || Subject::Row(Table::Credential, key.to_vec());
            if check
                .rows
                .get(Table::Account, account.map_or(&[], |account| account))?
                .is_none()
            {
                check.tell(subject(), Wrong::Stray);
            }
            match key[4] {
                MAIN if id == 0 && row.scram.is_some() => {}
                APP if id > 0 => highest = highest.max(id),
                _ => check.tell(subject(), Wrong::Contradicts("no such credential")),
            }
            Ok(())
        })?;
        self.above("next_credential", highest.into())
    }

    /// An item that is not held is due, and when it says; what is due is an item.
    pub(super) fn queue(&mut self) -> Result<(), Error> {
        let mut highest = 0;
        self.each(Table::Queue, &[], |check, key, value| {
            let id = ItemId(key::u64_at(Table::Queue, key, 0)?);
            highest = id.0;
            check.told.items += 1;
            let Some(row) = check.sound(ItemRow::read(value), Subject::Item(id))? else {
                return Ok(());
            };
            let due = key::due(row.head.due, id);
            let is_due = check.rows.get(Table::Due, &due)?.is_some();
            if !is_due && row.head.state != State::Held {
                check.tell(Subject::Item(id), Wrong::Missing("its row in table due"));
            }
            Ok(())
        })?;
        let next = read::next_item(self.rows);
        let next = self.sound(next, Subject::Setting("next_item"))?;
        if next.is_some_and(|next| next.0 <= highest) {
            let wrong = Wrong::Contradicts("it is below what was given out");
            self.tell(Subject::Setting("next_item"), wrong);
        }
        self.each(Table::Due, &[], |check, key, _| {
            let (due, id) = (
                key::u64_at(Table::Due, key, 0)?,
                ItemId(key::u64_at(Table::Due, key, 8)?),
            );
            let is_so = match read::item(check.rows, id) {
                Ok(Some(row)) => row.head.due == due && row.head.state != State::Held,
                Ok(None) => false,
                // Told of with its row.
                Err(Error::Damaged(_)) => true,
                Err(error) => return Err(error),
            };
            if !is_so {
                check.tell(Subject::Row(Table::Due, key.to_vec()), Wrong::Stray);
            }
            Ok(())
        })
    }

    /// Rows that age have their time, each time its row, and their number is known.
    pub(super) fn aging(&mut self) -> Result<(), Error> {
        for aging in Aging::ALL {
            let mut is = 0;
            self.each(aging.table(), &[], |check, key, value| {
                is += 1;
                aging.check(key, value)?;
                let expire = key::expire(aging as u8, aging.time(value)?, key);
                if check.rows.get(Table::Expire, &expire)?.is_none() {
                    let subject = Subject::Row(aging.table(), key.to_vec());
                    check.tell(subject, Wrong::Missing("its row in table expire"));
                }
                Ok(())
            })?;
            let own = Subject::Setting(aging.counter());
            let says = read::number(self.rows, aging.counter());
            if let Some(says) = self.sound(says, own.clone())? {
                self.expect(own, "the number of rows", says.into(), is);
            }
        }
        self.each(Table::Expire, &[], |check, key, _| {
            let time = key::u64_at(Table::Expire, key, 1)?;
            let own = &key[key::EXPIRE_HEAD..];
            let aging = Aging::ALL.into_iter().find(|&aging| aging as u8 == key[0]);
            let row = match aging {
                Some(aging) if !own.is_empty() => check.rows.get(aging.table(), own)?,
                _ => None,
            };
            let is_so = match (aging, row) {
                // One that cannot be read was told of.
                (Some(aging), Some(row)) => aging.time(row).map_or(true, |is| is == time),
                _ => false,
            };
            if !is_so {
                check.tell(Subject::Row(Table::Expire, key.to_vec()), Wrong::Stray);
            }
            Ok(())
        })
    }
}
