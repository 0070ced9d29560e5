//! Messages of a mailbox: flags, expunge, copy and move, `\Recent`.
//!
//! In:  a mailbox and UIDs; UIDs that are gone are passed over. RFC 9051 §6.4.9.
//! Out: rows, one MODSEQ for all of them, and what a client is told.

use super::EXPUNGE_MAX;
use super::draft::{Draft, Mailbox};
use crate::table::{MessageRow, flag};
use crate::write::{FlagChange, StoreFlags, Transfer};
use crate::{Error, Outcome, read};
use ringpost_types::{AccountId, MailboxId, Uid};
use std::ops::ControlFlow;

/// STORE. A message that is as asked for already keeps its MODSEQ. RFC 7162 §3.1.3.
pub(super) fn store(draft: &mut Draft<'_>, store: &StoreFlags) -> Result<Outcome, Error> {
    let StoreFlags {
        account,
        mailbox: id,
        ..
    } = *store;
    let mut modseq = mailbox_of(draft, account, id)?.highest_modseq;
    let keywords_max = draft.keywords_max();
    let keywords = keyword_bits(draft.mailbox(account, id)?, store, keywords_max)?;
    let flags = store.flags & flag::ALL;
    let (mut changed, mut modified) = (Vec::new(), Vec::new());
    let mut touched = false;
    for &uid in &store.uids {
        let Some(row) = read::message(draft.rows, account, id, uid)? else {
            continue;
        };
        if store
            .unchanged_since
            .is_some_and(|since| row.modseq > since)
        {
            modified.push(uid);
            continue;
        }
        let (new_flags, new_keywords) = match store.change {
            FlagChange::Replace => (flags, keywords),
            FlagChange::Add => (row.flags | flags, row.keywords | keywords),
            FlagChange::Remove => (row.flags & !flags, row.keywords & !keywords),
        };
        changed.push(uid);
        if (new_flags, new_keywords) != (row.flags, row.keywords) {
            draft.change_message(account, id, uid, &row, new_flags, new_keywords)?;
            touched = true;
        }
    }
    if touched {
        modseq = draft.modseq(account)?;
    }
    Ok(Outcome::Stored {
        modseq,
        changed,
        modified,
    })
}

/// The bits of the keywords a STORE names. What is to be removed and was never there has none.
fn keyword_bits(
    mailbox: &mut Mailbox,
    store: &StoreFlags,
    keywords_max: u64,
) -> Result<u64, Error> {
    let mut bits = 0;
    for keyword in &store.keywords {
        bits |= match store.change {
            FlagChange::Remove => mailbox.keyword(keyword).unwrap_or(0),
            FlagChange::Replace | FlagChange::Add => mailbox.add_keyword(keyword, keywords_max)?,
        };
    }
    Ok(bits)
}

/// EXPUNGE, and UID EXPUNGE with `uids`.
pub(super) fn expunge(
    draft: &mut Draft<'_>,
    account: AccountId,
    id: MailboxId,
    uids: Option<&[Uid]>,
) -> Result<Outcome, Error> {
    let mailbox = mailbox_of(draft, account, id)?;
    let (mut modseq, deleted) = (mailbox.highest_modseq, mailbox.deleted);
    let (mut gone, mut more) = (Vec::new(), false);
    let mut take = |uid, row: MessageRow| {
        if row.flags & flag::DELETED == 0 {
            return ControlFlow::Continue(());
        }
        more = gone.len() == EXPUNGE_MAX;
        if more {
            return ControlFlow::Break(());
        }
        gone.push((uid, row));
        ControlFlow::Continue(())
    };
    match uids {
        _ if deleted == 0 => {}
        None => read::messages(draft.rows, account, id, Uid(1), take)?,
        Some(uids) => {
            for &uid in uids {
                let row = read::message(draft.rows, account, id, uid)?;
                if row.is_some_and(|row| take(uid, row).is_break()) {
                    break;
                }
            }
        }
    }
    for (uid, row) in &gone {
        draft.remove_message(account, id, *uid, row)?;
    }
    if !gone.is_empty() {
        modseq = draft.modseq(account)?;
    }
    Ok(Outcome::Expunged {
        modseq,
        uids: gone.into_iter().map(|(uid, _)| uid).collect(),
        more,
    })
}

/// COPY and MOVE. Flags, keywords, INTERNALDATE and prefix go along. RFC 9051 §6.4.7, §6.4.8.
pub(super) fn transfer(
    draft: &mut Draft<'_>,
    account: AccountId,
    id: MailboxId,
    uids: &[Uid],
    target: MailboxId,
    mode: Transfer,
) -> Result<Outcome, Error> {
    mailbox_of(draft, account, id)?;
    let uidvalidity = draft.mailbox(account, target)?.uidvalidity;
    copy_fits(draft, uids.len())?;
    let mut bits = KeywordMap::default();
    let mut pairs = Vec::with_capacity(uids.len());
    for &uid in uids {
        let Some(row) = read::message(draft.rows, account, id, uid)? else {
            continue;
        };
        let keywords = if target == id {
            row.keywords
        } else {
            bits.map(draft, account, id, target, row.keywords)?
        };
        let placed = copy(
            draft,
            account,
            id,
            uid,
            &MessageRow { keywords, ..row },
            target,
        )?;
        if mode == Transfer::Move {
            draft.remove_message(account, id, uid, &row)?;
        }
        pairs.push((uid, placed));
    }
    // What moves was there before.
    if mode == Transfer::Copy && !pairs.is_empty() {
        draft.within_quota(account)?;
    }
    Ok(Outcome::Transferred { uidvalidity, pairs })
}

/// Whether so many messages may be copied or moved in one write.
pub(super) fn copy_fits(draft: &Draft<'_>, messages: usize) -> Result<(), Error> {
    match messages as u64 <= draft.terms.limits.imap_copy_messages_max {
        true => Ok(()),
        false => Err(Error::Limit("imap_copy_messages_max")),
    }
}

/// Puts one more message for the same mail behind those of `target`; its UID there.
pub(super) fn copy(
    draft: &mut Draft<'_>,
    account: AccountId,
    id: MailboxId,
    uid: Uid,
    row: &MessageRow,
    target: MailboxId,
) -> Result<Uid, Error> {
    let blob = draft.blob(row.blob)?;
    blob.references = blob
        .references
        .checked_add(1)
        .ok_or(Error::Limit("references"))?;
    let rows = draft.rows;
    let prefix = match row.prefix_octets {
        0 => &[],
        _ => read::prefix(rows, account, id, uid)?,
    };
    draft.add_message(account, target, *row, prefix)
}

/// Keyword bits of one mailbox as bits of another. What was looked up once is kept.
#[derive(Default)]
struct KeywordMap {
    known: u64,
    to: Vec<(u64, u64)>,
}

impl KeywordMap {
    fn map(
        &mut self,
        draft: &mut Draft<'_>,
        account: AccountId,
        source: MailboxId,
        target: MailboxId,
        bits: u64,
    ) -> Result<u64, Error> {
        if bits & !self.known != 0 {
            let keywords_max = draft.keywords_max();
            let keywords = read::mailbox(draft.rows, account, source)?.ok_or(Error::NoMailbox)?;
            for (at, keyword) in keywords.keywords().enumerate().take(64) {
                let bit = 1 << at;
                if bits & bit & !self.known != 0 {
                    // Beyond the target's limit a keyword is left behind: COPY should keep flags, and must keep mail.
                    let to = draft
                        .mailbox(account, target)?
                        .add_keyword(keyword, keywords_max)
                        .unwrap_or(0);
                    self.to.push((bit, to));
                }
            }
            self.known |= bits;
        }
        let set = self.to.iter().filter(|(from, _)| bits & from != 0);
        Ok(set.fold(0, |all, (_, to)| all | to))
    }
}

/// A selecting session takes the `\Recent` ones. RFC 3501 §2.3.2.
pub(super) fn claim_recent(
    draft: &mut Draft<'_>,
    account: AccountId,
    id: MailboxId,
) -> Result<Outcome, Error> {
    let mailbox = mailbox_of(draft, account, id)?;
    let from = std::mem::replace(&mut mailbox.recent_from, mailbox.uidnext);
    Ok(Outcome::Recent {
        from,
        to: mailbox.uidnext,
    })
}

/// The mailbox; which of the two is missing, it or its account.
fn mailbox_of<'m>(
    draft: &'m mut Draft<'_>,
    account: AccountId,
    id: MailboxId,
) -> Result<&'m mut Mailbox, Error> {
    draft.account(account)?;
    draft.mailbox(account, id)
}
