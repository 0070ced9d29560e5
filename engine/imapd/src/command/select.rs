//! SELECT and EXAMINE. RFC 3501 §6.3.1, §6.3.2.

use crate::outcome::{Answer, Done, Refusal};
use crate::session::Session;
use crate::view::{Access, Progress, View};
use ringpost_api::{Outcome, Write, read};
use ringpost_imap::{Code, Status, data, response};

/// SELECT, EXAMINE. Whatever was selected is so no more, even where this fails.
pub(super) async fn run(session: &mut Session, name: &str, access: Access) -> Answer {
    if session.view.take().is_some() {
        // RFC 7162 §3.2.11: from here on responses are about the other mailbox.
        let text = "The mailbox selected before is closed.";
        response::untagged(session.out(), Status::Ok, Some(Code::Closed), text);
    }
    let account = session.account()?;
    let mut view = {
        let snapshot = session.snapshot()?;
        let id = read::mailbox_id(&*snapshot, account, name)?.ok_or(Refusal::NO_MAILBOX)?;
        Box::new(View::open(&*snapshot, account, id, access)?)
    };
    while view.extend(&*session.snapshot()?)? == Progress::More {
        session.breathe().await?;
    }
    claim(session, &mut view).await?;
    describe(session, &view)?;
    session.view = Some(view);
    Ok(match access {
        Access::ReadWrite => Done::coded(Code::ReadWrite, "SELECT completed."),
        Access::ReadOnly => Done::coded(Code::ReadOnly, "EXAMINE completed."),
    })
}

/// Makes the messages nobody has seen come `\Recent` to this session; to this one only, unless it looks on.
/// RFC 3501 §2.3.2, §6.3.2.
async fn claim(session: &Session, view: &mut View) -> Result<(), Refusal> {
    let (account, mailbox) = (view.account, view.mailbox);
    let (from, to) = {
        let snapshot = session.snapshot()?;
        let row = read::mailbox(&*snapshot, account, mailbox)?.ok_or(Refusal::NO_MAILBOX)?;
        (row.recent_from, row.uidnext)
    };
    if from >= to || view.access == Access::ReadOnly {
        view.claim(from, to);
        return Ok(());
    }
    let claim = Write::ClaimRecent { account, mailbox };
    if let Outcome::Recent { from, to } = session.submit(claim).await? {
        view.claim(from, to);
    }
    Ok(())
}

/// What RFC 3501 §6.3.1 requires, and UNSEEN.
fn describe(session: &mut Session, view: &View) -> Result<(), Refusal> {
    let snapshot = session.context.store.snapshot()?;
    let row = read::mailbox(&*snapshot, view.account, view.mailbox)?.ok_or(Refusal::NO_MAILBOX)?;
    let out = session.connection.output();
    let keywords: Vec<&str> = row.keywords().take(view.keywords()).collect();
    data::exists(out, view.messages());
    data::recent(out, view.recent());
    view.applicable(&keywords, out);
    let codes = [
        view.first_unseen().map(Code::Unseen),
        Some(Code::UidValidity(view.uidvalidity)),
        Some(Code::UidNext(view.uidnext())),
    ];
    for code in codes.into_iter().flatten() {
        response::untagged(out, Status::Ok, Some(code), "As it is now.");
    }
    Ok(())
}
