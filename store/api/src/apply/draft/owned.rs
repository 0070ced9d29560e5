//! Account and mailbox rows that a write is changing: their fields, owned, and what is known of them besides.

use crate::Error;
use crate::row::Keywords;
use crate::table::{AccountRow, MailboxRow, Place};
use ringpost_types::{MailboxId, ModSeq, Uid};

/// An account row being changed.
pub struct Account {
    pub next_mailbox: MailboxId,
    pub mailboxes: u32,
    pub octets: u64,
    pub messages: u32,
    pub quota_octets: u64,
    pub quota_messages: u32,
    pub vanished: u32,
    pub trimmed: Place,
    pub disabled: bool,
    pub secret: String,
    pub name: String,
    pub modseq: ModSeq,
    /// Rows that this write adds to `vanished`.
    pub noted: u32,
    /// Whether `modseq` was taken by this write already.
    pub stamped: bool,
    pub removed: bool,
}

/// A mailbox row being changed.
pub struct Mailbox {
    pub uidvalidity: u32,
    pub uidnext: Uid,
    pub highest_modseq: ModSeq,
    pub messages: u32,
    pub unseen: u32,
    pub deleted: u32,
    pub recent_from: Uid,
    pub octets: u64,
    pub special: u32,
    pub trimmed: ModSeq,
    pub keywords: Vec<u8>,
    pub name: String,
    /// Whether listeners are to be told.
    pub changed: bool,
    pub removed: bool,
}

impl Account {
    pub fn of(row: &AccountRow<'_>) -> Self {
        Account {
            next_mailbox: row.next_mailbox,
            mailboxes: row.mailboxes,
            octets: row.octets,
            messages: row.messages,
            quota_octets: row.quota_octets,
            quota_messages: row.quota_messages,
            vanished: row.vanished,
            trimmed: row.trimmed,
            noted: 0,
            disabled: row.disabled,
            secret: row.secret.to_owned(),
            name: row.name.to_owned(),
            modseq: row.modseq,
            stamped: false,
            removed: false,
        }
    }

    pub fn row(&self) -> AccountRow<'_> {
        AccountRow {
            next_mailbox: self.next_mailbox,
            mailboxes: self.mailboxes,
            modseq: self.modseq,
            octets: self.octets,
            messages: self.messages,
            quota_octets: self.quota_octets,
            quota_messages: self.quota_messages,
            vanished: self.vanished,
            trimmed: self.trimmed,
            disabled: self.disabled,
            secret: &self.secret,
            name: &self.name,
        }
    }
}

impl Mailbox {
    /// An empty mailbox.
    pub fn new(name: &str, uidvalidity: u32, special: u32) -> Self {
        Mailbox {
            uidvalidity,
            uidnext: Uid(1),
            highest_modseq: ModSeq(0),
            messages: 0,
            unseen: 0,
            deleted: 0,
            recent_from: Uid(1),
            octets: 0,
            special,
            trimmed: ModSeq(0),
            keywords: Vec::new(),
            name: name.to_owned(),
            changed: false,
            removed: false,
        }
    }

    pub fn of(row: &MailboxRow<'_>) -> Self {
        Mailbox {
            uidvalidity: row.uidvalidity,
            uidnext: row.uidnext,
            highest_modseq: row.highest_modseq,
            messages: row.messages,
            unseen: row.unseen,
            deleted: row.deleted,
            recent_from: row.recent_from,
            octets: row.octets,
            special: row.special,
            trimmed: row.trimmed,
            keywords: row.keyword_octets.to_vec(),
            name: row.name.to_owned(),
            changed: false,
            removed: false,
        }
    }

    pub fn row(&self) -> MailboxRow<'_> {
        MailboxRow {
            uidvalidity: self.uidvalidity,
            uidnext: self.uidnext,
            highest_modseq: self.highest_modseq,
            messages: self.messages,
            unseen: self.unseen,
            deleted: self.deleted,
            recent_from: self.recent_from,
            octets: self.octets,
            special: self.special,
            trimmed: self.trimmed,
            keyword_octets: &self.keywords,
            name: &self.name,
        }
    }

    /// The bit of a keyword, if the mailbox has it. Keywords know no case. RFC 9051 §2.3.2.
    pub fn keyword(&self, keyword: &str) -> Option<u64> {
        let at =
            Keywords::over(&self.keywords).position(|own| own.eq_ignore_ascii_case(keyword))?;
        Some(1 << at)
    }

    /// The bit of a keyword, which the mailbox gets if it has it not and fewer than `keywords_max`.
    pub fn add_keyword(&mut self, keyword: &str, keywords_max: u64) -> Result<u64, Error> {
        if let Some(bit) = self.keyword(keyword) {
            return Ok(bit);
        }
        let length = u8::try_from(keyword.len()).unwrap_or(0);
        if length == 0 {
            return Err(Error::Cannot("a keyword has 1 to 255 octets"));
        }
        let count = Keywords::over(&self.keywords).count();
        if count as u64 >= keywords_max {
            return Err(Error::Limit("imap_keywords_max"));
        }
        self.keywords.push(length);
        self.keywords.extend_from_slice(keyword.as_bytes());
        Ok(1 << count)
    }
}
