//! The rows a write is working on: owned copies of account, mailbox and blob rows, turned into edits at the end.
//!
//! In:  ids, and what is done to their rows.
//! Out: one put for each row that changed, however often, and none for one that did not: a commit without edits costs
//! no disk flush; [`Changed`] for each mailbox.

mod owned;

pub(super) use owned::{Account, Mailbox};

use super::space::Space;
use super::trim;
use crate::apply::{KEYWORDS_MAX, Terms};
use crate::edits::Edits;
use crate::table::{BlobRow, ChangeKind, MessageRow, Place, flag};
use crate::{Changed, Error, Snapshot, Table, key, read, text};
use ringpost_types::{AccountId, BlobId, ItemId, MailboxId, ModSeq, Uid};
use std::collections::BTreeMap;

pub(super) struct Draft<'d> {
    pub rows: &'d dyn Snapshot,
    pub edits: &'d mut Edits,
    pub terms: Terms<'d>,
    accounts: BTreeMap<AccountId, Account>,
    mailboxes: BTreeMap<(AccountId, MailboxId), Mailbox>,
    blobs: BTreeMap<BlobId, BlobRow>,
    space: Space,
    uidvalidity: Option<u32>,
    /// The next item's number, once one was given out.
    next_item: Option<ItemId>,
}

impl<'d> Draft<'d> {
    pub fn new(rows: &'d dyn Snapshot, edits: &'d mut Edits, terms: Terms<'d>) -> Self {
        Draft {
            rows,
            edits,
            terms,
            accounts: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
            blobs: BTreeMap::new(),
            space: Space::default(),
            uidvalidity: None,
            next_item: None,
        }
    }

    /// The account, to be changed.
    pub fn account(&mut self, id: AccountId) -> Result<&mut Account, Error> {
        if !self.accounts.contains_key(&id) {
            let row = read::account(self.rows, id)?.ok_or(Error::NoAccount)?;
            self.accounts.insert(id, Account::of(&row));
        }
        self.accounts
            .get_mut(&id)
            .filter(|account| !account.removed)
            .ok_or(Error::NoAccount)
    }

    /// Accounts being changed.
    pub fn accounts(&self) -> impl Iterator<Item = (AccountId, &Account)> {
        self.accounts.iter().map(|(&id, account)| (id, account))
    }

    /// The mailbox, to be changed.
    pub fn mailbox(&mut self, account: AccountId, id: MailboxId) -> Result<&mut Mailbox, Error> {
        if !self.mailboxes.contains_key(&(account, id)) {
            let row = read::mailbox(self.rows, account, id)?.ok_or(Error::NoMailbox)?;
            self.mailboxes.insert((account, id), Mailbox::of(&row));
        }
        let mailbox = self.mailboxes.get_mut(&(account, id));
        mailbox
            .filter(|mailbox| !mailbox.removed)
            .ok_or(Error::NoMailbox)
    }

    /// Puts a new account among the rows being changed.
    pub fn add_account(&mut self, id: AccountId, account: Account) {
        self.accounts.insert(id, account);
    }

    /// Puts a new mailbox among the rows being changed.
    pub fn add_mailbox(&mut self, account: AccountId, id: MailboxId, mailbox: Mailbox) {
        self.mailboxes.insert((account, id), mailbox);
    }

    /// The MODSEQ of this write in `account`.
    pub fn modseq(&mut self, id: AccountId) -> Result<ModSeq, Error> {
        let account = self.account(id)?;
        if !account.stamped {
            account.stamped = true;
            // RFC 7162 §7: a modification sequence has 63 bits. At a million writes a second that is 292,000 years.
            account.modseq.0 += 1;
        }
        Ok(account.modseq)
    }

    /// Marks the mailbox as changed by this write, and gives the write's MODSEQ.
    pub fn touch(&mut self, account: AccountId, id: MailboxId) -> Result<ModSeq, Error> {
        let modseq = self.modseq(account)?;
        let mailbox = self.mailbox(account, id)?;
        mailbox.highest_modseq = modseq;
        mailbox.changed = true;
        Ok(modseq)
    }

    /// [`Draft::touch`], and a row in table change for the mailbox itself.
    pub fn touch_mailbox(&mut self, account: AccountId, id: MailboxId) -> Result<(), Error> {
        let modseq = self.touch(account, id)?;
        self.note(account, modseq, id, Uid(0), ChangeKind::Mailbox)
    }

    /// A row in table change. One that no message keeps is counted.
    fn note(
        &mut self,
        account: AccountId,
        modseq: ModSeq,
        mailbox: MailboxId,
        uid: Uid,
        kind: ChangeKind,
    ) -> Result<(), Error> {
        if matches!(kind, ChangeKind::Vanished | ChangeKind::Mailbox) {
            let owner = self.account(account)?;
            owner.vanished = owner.vanished.saturating_add(1);
            owner.noted += 1;
        }
        let key = change(account, modseq, mailbox, uid);
        self.edits.put(Table::Change, &key, &[kind as u8]);
        Ok(())
    }

    /// Whether an account has more than it may: what is asked for, unlike what was accepted, is refused then.
    /// RFC 9208 §5.
    pub fn within_quota(&mut self, id: AccountId) -> Result<(), Error> {
        let account = self.account(id)?;
        let over = |most, is| most > 0 && is > most;
        match over(account.quota_octets, account.octets)
            || over(account.quota_messages.into(), account.messages.into())
        {
            true => Err(Error::Quota),
            false => Ok(()),
        }
    }

    /// Puts a message behind the mailbox's last one; its UID. The row's modseq is set here. The blob's
    /// references are the caller's to count.
    pub fn add_message(
        &mut self,
        account: AccountId,
        id: MailboxId,
        row: MessageRow,
        prefix: &[u8],
    ) -> Result<Uid, Error> {
        let modseq = self.touch(account, id)?;
        let mailbox = self.mailbox(account, id)?;
        let uid = mailbox.uidnext;
        if uid.0 == u32::MAX {
            return Err(Error::Limit("uid"));
        }
        mailbox.uidnext.0 += 1;
        mailbox.messages += 1;
        mailbox.unseen += u32::from(row.flags & flag::SEEN == 0);
        mailbox.deleted += u32::from(row.flags & flag::DELETED != 0);
        mailbox.octets += u64::from(row.octets);
        let owner = self.account(account)?;
        owner.octets += u64::from(row.octets);
        owner.messages += 1;
        let key = key::message(account, id, uid);
        self.edits
            .put(Table::Message, &key, &MessageRow { modseq, ..row }.encode());
        if !prefix.is_empty() {
            self.edits.put(Table::Prefix, &key, prefix);
        }
        self.note(account, modseq, id, uid, ChangeKind::Added)?;
        Ok(uid)
    }

    /// Replaces flags and keywords of a message.
    pub fn change_message(
        &mut self,
        account: AccountId,
        id: MailboxId,
        uid: Uid,
        old: &MessageRow,
        flags: u32,
        keywords: u64,
    ) -> Result<(), Error> {
        let modseq = self.touch(account, id)?;
        let mailbox = self.mailbox(account, id)?;
        let seen = |flags: u32| u32::from(flags & flag::SEEN == 0);
        let deleted = |flags: u32| u32::from(flags & flag::DELETED != 0);
        mailbox.unseen = less(mailbox.unseen, seen(old.flags))? + seen(flags);
        mailbox.deleted = less(mailbox.deleted, deleted(old.flags))? + deleted(flags);
        let row = MessageRow {
            modseq,
            flags,
            keywords,
            ..*old
        };
        self.edits.put(
            Table::Message,
            &key::message(account, id, uid),
            &row.encode(),
        );
        self.edits
            .delete(Table::Change, &change(account, old.modseq, id, uid));
        self.note(account, modseq, id, uid, ChangeKind::Flags)
    }

    /// Takes a message out of its mailbox, and lets go of its blob. Told through table change.
    pub fn remove_message(
        &mut self,
        account: AccountId,
        id: MailboxId,
        uid: Uid,
        row: &MessageRow,
    ) -> Result<(), Error> {
        let modseq = self.touch(account, id)?;
        let mailbox = self.mailbox(account, id)?;
        mailbox.messages = less(mailbox.messages, 1)?;
        mailbox.unseen = less(mailbox.unseen, u32::from(row.flags & flag::SEEN == 0))?;
        mailbox.deleted = less(mailbox.deleted, u32::from(row.flags & flag::DELETED != 0))?;
        mailbox.octets = mailbox.octets.saturating_sub(row.octets.into());
        let owner = self.account(account)?;
        owner.octets = owner.octets.saturating_sub(row.octets.into());
        owner.messages = less(owner.messages, 1)?;
        self.erase_message(account, id, uid, row)?;
        self.note(account, modseq, id, uid, ChangeKind::Vanished)
    }

    /// Deletes the rows of a message that no counter counts any more, and lets go of its blob.
    pub fn erase_message(
        &mut self,
        account: AccountId,
        id: MailboxId,
        uid: Uid,
        row: &MessageRow,
    ) -> Result<(), Error> {
        let key = key::message(account, id, uid);
        self.edits.delete(Table::Message, &key);
        if row.prefix_octets > 0 {
            self.edits.delete(Table::Prefix, &key);
        }
        self.edits
            .delete(Table::Change, &change(account, row.modseq, id, uid));
        self.release_blob(row.blob)
    }

    /// Takes a mailbox away from its account, with all it counts. Its messages are [`super::sweep`]'s to delete.
    pub fn remove_mailbox(&mut self, account: AccountId, id: MailboxId) -> Result<(), Error> {
        let mailbox = self.mailbox(account, id)?;
        let (messages, octets) = (mailbox.messages, mailbox.octets);
        mailbox.removed = true;
        let owner = self.account(account)?;
        owner.mailboxes = less(owner.mailboxes, 1)?;
        owner.messages = less(owner.messages, messages)?;
        owner.octets = owner.octets.saturating_sub(octets);
        Ok(())
    }

    /// The blob row, to be changed. Without references at the end of the write it goes, and its digest.
    pub fn blob(&mut self, id: BlobId) -> Result<&mut BlobRow, Error> {
        if !self.blobs.contains_key(&id) {
            let row = read::blob(self.rows, id)?
                .ok_or_else(|| Error::Damaged(format!("blob {id} is referred to and not there")))?;
            self.blobs.insert(id, row);
        }
        self.blobs
            .get_mut(&id)
            .ok_or_else(|| Error::Damaged(format!("blob {id}")))
    }

    /// Keywords that a mailbox may have: limit `imap_keywords_max`, as far as a message row has bits.
    pub fn keywords_max(&self) -> u64 {
        self.terms.limits.imap_keywords_max.min(KEYWORDS_MAX)
    }

    /// A UIDVALIDITY that no mailbox of this store ever had: the clock, or the last one and 1. RFC 9051 §2.3.1.1.
    pub fn uidvalidity(&mut self) -> Result<u32, Error> {
        let last = match self.uidvalidity {
            Some(last) => last,
            None => read::number(self.rows, "uidvalidity")?,
        };
        let clock = u32::try_from(self.terms.now).unwrap_or(u32::MAX);
        let next = clock.max(last.checked_add(1).ok_or(Error::Limit("uidvalidity"))?);
        self.uidvalidity = Some(next);
        Ok(next)
    }

    /// A number for an item of the queue. At a million a second they last 584,000 years.
    pub fn item(&mut self) -> Result<ItemId, Error> {
        let id = match self.next_item {
            Some(next) => next,
            None => read::next_item(self.rows)?,
        };
        self.next_item = Some(ItemId(id.0 + 1));
        Ok(id)
    }

    /// Lets go of a mail that something referred to.
    pub fn release_blob(&mut self, blob: BlobId) -> Result<(), Error> {
        // A mail that is not there, or that is counted too low, keeps nobody from removing what refers to it.
        match self.blob(blob) {
            Ok(blob) => blob.references = blob.references.saturating_sub(1),
            Err(Error::Damaged(_)) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Turns the rows that were worked on into edits.
    pub fn finish(mut self) -> Result<(), Error> {
        trim::keep_bounded(&mut self)?;
        let edits = self.edits;
        for (&id, account) in &self.accounts {
            if account.removed {
                edits.delete(Table::Account, &key::account(id));
            } else if read::account(self.rows, id)?.as_ref() != Some(&account.row()) {
                edits.put_with(Table::Account, &key::account(id), |out| {
                    account.row().encode(out)
                });
            }
        }
        for (&(account, id), mailbox) in &self.mailboxes {
            if mailbox.removed {
                edits.delete(Table::Mailbox, &key::mailbox(account, id));
            } else if read::mailbox(self.rows, account, id)?.as_ref() != Some(&mailbox.row()) {
                let row = mailbox.row();
                edits.put_with(Table::Mailbox, &key::mailbox(account, id), |out| {
                    row.encode(out)
                });
            }
            if mailbox.changed {
                let modseq = mailbox.highest_modseq;
                edits.changed.push(Changed {
                    account,
                    mailbox: id,
                    modseq,
                });
            }
        }
        for (&id, blob) in &self.blobs {
            let key = key::blob(id);
            if blob.references > 0 {
                edits.put(Table::Blob, &key, &blob.encode());
                continue;
            }
            edits.delete(Table::Blob, &key);
            edits.delete(Table::Digest, &key);
            text::delete(self.rows, edits, id)?;
            self.space.free(self.rows, edits, blob)?;
        }
        self.space.finish(edits);
        if let Some(last) = self.uidvalidity {
            edits.put(Table::Setting, b"uidvalidity", &last.to_le_bytes());
        }
        if let Some(next) = self.next_item {
            edits.put(Table::Setting, b"next_item", &next.0.to_le_bytes());
        }
        Ok(())
    }
}

/// The key of a row in table change.
fn change(account: AccountId, modseq: ModSeq, mailbox: MailboxId, uid: Uid) -> [u8; 20] {
    let place = Place {
        modseq,
        mailbox,
        uid,
    };
    key::change(account, place)
}

/// A counter less what left it.
fn less(counter: u32, by: u32) -> Result<u32, Error> {
    counter
        .checked_sub(by)
        .ok_or_else(|| Error::Damaged("a counter is below what it counts".into()))
}
