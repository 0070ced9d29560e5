//! STORE and UID STORE. RFC 3501 §6.4.6.

use crate::outcome::{Answer, Done, DoneCode, Refusal};
use crate::session::Session;
use crate::view::{Renumber, named};
use ringpost_api::write::{FlagChange, StoreFlags};
use ringpost_api::{Outcome, Write, read};
use ringpost_imap::command::{self, Numbers};
use ringpost_imap::{Code, data};
use ringpost_types::{ModSeq, Uid};
use std::ops::ControlFlow;

/// STORE. What others did before is told first, so that nothing of theirs hides behind this session's own change.
pub(super) async fn run(session: &mut Session, store: &command::Store<'_>) -> Answer {
    let limits = session.context.limits.clone();
    let view = session.writable()?;
    let uids = view
        .chosen(&store.set, store.numbers)
        .ok_or(Refusal::Bad("There is no message of that number."))?;
    let asked = uids.len();
    if uids.is_empty() {
        return Ok(Done::plain("STORE completed."));
    }
    if store.flags.keywords.len() as u64 > limits.imap_keywords_max {
        return Err(Refusal::No(Some(Code::Limit), "Too many keywords."));
    }
    let mut flags = StoreFlags {
        account: view.account,
        mailbox: view.mailbox,
        uids: Vec::new(),
        change: match store.change {
            command::FlagChange::Replace => FlagChange::Replace,
            command::FlagChange::Add => FlagChange::Add,
            command::FlagChange::Remove => FlagChange::Remove,
        },
        flags: store.flags.system,
        keywords: store
            .flags
            .keywords
            .iter()
            .map(|&keyword| keyword.into())
            .collect(),
        unchanged_since: store.unchanged_since.map(ModSeq),
    };
    session.news(Renumber::Later).await?;
    let (mut done, mut modified) = (0, Vec::new());
    for some in uids.chunks(STORE_MAX) {
        flags.uids = some.to_vec();
        let outcome = session.submit(Write::Store(flags.clone())).await?;
        let Outcome::Stored {
            modseq,
            changed,
            modified: left_out,
        } = outcome
        else {
            continue;
        };
        done += changed.len();
        modified.extend(left_out);
        if !store.silent {
            tell(session, &changed, store.numbers).await?;
        }
        session.selected()?.made(modseq, changed);
    }
    let complete = done == asked;
    if !modified.is_empty() {
        return Ok(Done {
            code: DoneCode::Modified(modified),
            text: "Some messages had changed.",
        });
    }
    // RFC 2180 §4.2.2: a message that another session expunged meanwhile.
    if !complete && store.numbers == Numbers::Sequence {
        return Err(Refusal::No(
            Some(Code::ExpungeIssued),
            "Some of the messages are gone.",
        ));
    }
    Ok(Done::plain("STORE completed."))
}

/// Messages that one write changes, so that others write in between. RFC 3501 §6.4.6 does not ask for all at once.
const STORE_MAX: usize = 4_000;

/// FETCH responses with the flags as they are now, in rounds.
async fn tell(session: &mut Session, changed: &[Uid], numbers: Numbers) -> Result<(), Refusal> {
    for round in changed.chunks(ROUND) {
        flags(session, round, numbers)?;
        session.breathe().await?;
    }
    Ok(())
}

/// Messages told of under one snapshot.
const ROUND: usize = 1_024;

fn flags(session: &mut Session, uids: &[Uid], numbers: Numbers) -> Result<(), Refusal> {
    let Some(view) = session.view.as_deref_mut() else {
        return Ok(());
    };
    let snapshot = session.context.store.snapshot()?;
    let row = read::mailbox(&*snapshot, view.account, view.mailbox)?.ok_or(Refusal::NO_MAILBOX)?;
    let keywords: Vec<&str> = row.keywords().collect();
    let out = session.connection.output();
    // A keyword is made known before it is used. RFC 3501 §7.2.6.
    view.announce(&keywords, out);
    let mut wanted = uids.iter().peekable();
    let Some(&&first) = wanted.peek() else {
        return Ok(());
    };
    read::messages(
        &*snapshot,
        view.account,
        view.mailbox,
        first,
        |uid, message| {
            while wanted.next_if(|&&next| next < uid).is_some() {}
            match wanted.peek() {
                None => return ControlFlow::Break(()),
                Some(&&next) if next > uid => return ControlFlow::Continue(()),
                Some(_) => {}
            }
            if let Ok(place) = view.uids().binary_search(&uid.0) {
                data::fetch(out, place as u32 + 1);
                if numbers == Numbers::Uid {
                    data::item_uid(out, uid.0);
                }
                data::item_flags(
                    out,
                    view.flags(uid.0, &message),
                    named(&keywords, message.keywords),
                );
                data::fetch_end(out);
            }
            ControlFlow::Continue(())
        },
    )?;
    Ok(())
}
