//! Where an appended message is, when the index has said no more than that it had it before.
//!
//! It says so after a commit that the disk told as failed and that stands all the same: what that one answered is not known
//! any more. The message is one of the last of its mailbox, so they are looked through from the end.
//!
//! In:  the mailbox and the mail's name. Out: its place; an error where it is not there, refused then or expunged since.

use ringpost_api::write::Placed;
use ringpost_api::{Error, Snapshot, read};
use ringpost_types::{AccountId, BlobId, MailboxId, Uid};
use std::ops::ControlFlow;

/// UIDs that are looked through first; then all.
const LAST: u32 = 4_096;

/// Looks the message up.
pub(crate) fn find(
    snapshot: &dyn Snapshot,
    account: AccountId,
    mailbox: MailboxId,
    blob: BlobId,
) -> Result<Placed, Error> {
    let row = read::mailbox(snapshot, account, mailbox)?.ok_or(Error::NoMailbox)?;
    let mut found = None;
    for from in [row.uidnext.0.saturating_sub(LAST), 0] {
        read::messages(snapshot, account, mailbox, Uid(from), |uid, message| {
            if message.blob != blob {
                return ControlFlow::Continue(());
            }
            found = Some(uid);
            ControlFlow::Break(())
        })?;
        if found.is_some() || from == 0 {
            break;
        }
    }
    let gone = || Error::Io("an appended message is not where it was to be".into());
    Ok(Placed {
        account,
        mailbox,
        uidvalidity: row.uidvalidity,
        uid: found.ok_or_else(gone)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringpost_api::behaviour::{ask, model::Model};
    use ringpost_api::write::{Deliver, Missing, Position, Target};
    use ringpost_api::{Outcome, Store, Write};

    #[test]
    fn it_is_found_among_the_last_and_among_all() {
        let model = Model::default();
        let create = Write::AccountCreate {
            name: "a@example.test".into(),
            secret: String::new(),
            scram: None,
        };
        assert_eq!(ask(&model, create), Ok(Outcome::Account(AccountId(1))));
        let count = u64::from(LAST) + 2;
        for number in 1..=count {
            let target = Target {
                account: AccountId(1),
                mailbox: MailboxId::INBOX,
                missing: Missing::Refuse,
                flags: 0,
                keywords: Vec::new(),
                internal_date: 0,
                prefix: Vec::new(),
            };
            let deliver = Write::Deliver(Deliver {
                blob: BlobId::new(0, number),
                targets: vec![target],
                next: Position {
                    sequence: number + 1,
                    ..Position::default()
                },
                ..Deliver::default()
            });
            assert!(ask(&model, deliver).is_ok());
        }
        let snapshot = model.snapshot().expect("a model lends one");
        let look = |mailbox, number| {
            find(
                &*snapshot,
                AccountId(1),
                MailboxId(mailbox),
                BlobId::new(0, number),
            )
        };
        let inbox = MailboxId::INBOX.0;
        for number in [1, 2, 3, count - 1, count] {
            let placed = look(inbox, number).expect("it is there");
            assert_eq!(u64::from(placed.uid.0), number);
            assert_eq!(placed.mailbox, MailboxId::INBOX);
        }
        assert!(matches!(look(inbox, count + 1), Err(Error::Io(_))));
        assert_eq!(look(99, 1), Err(Error::NoMailbox));
    }
}
