//! What an operator can ask of the outbound queue.
//!
//! In:  an [`Ask`], as a request of the control socket or from this process's own command line.
//! Out: lines of a list, a page at a time; all of one item; or one [`Write`].
//!
//! Invariant: whatever the queue holds, one answer has [`PAGE`] items, and of each in a list [`SHOWN`] recipients.

use super::request::{Answer, Plan};
use crate::cli::exit::Failure;
use ringpost_api::item::{Fate, ItemRow, Kind, RecipientRow, State, notify};
use ringpost_api::{Snapshot, Write, read};
use ringpost_types::ItemId;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// Items of one answer, and of one request.
pub const PAGE: usize = 500;
/// Recipients of an item in a list.
pub const SHOWN: usize = 3;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "queue", rename_all = "snake_case")]
pub enum Ask {
    /// Items from this number on, in the order in which they came: [`Answer::Queue`].
    List { from: u64 },
    /// All of one: [`Answer::QueueItem`].
    Show { item: u64 },
    /// Nobody tries them until they are released: [`Answer::Items`].
    Hold { items: Vec<u64>, why: String },
    /// Held ones go on: [`Answer::Items`].
    Release { items: Vec<u64> },
    /// They are gone, and nobody is told: [`Answer::Items`].
    Drop { items: Vec<u64> },
}

/// Items of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub items: Vec<Line>,
    /// Where the next page begins; none: that was the last one.
    pub next: Option<u64>,
}

/// One item. Times are milliseconds since 1970 UTC; 0: none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub item: u64,
    /// "mail" or "notice".
    pub kind: String,
    /// "queued", "deferred" or "held".
    pub state: String,
    /// Why it is held or put off.
    pub why: String,
    /// Empty: `<>`.
    pub sender: String,
    /// In a list the first [`SHOWN`].
    pub recipients: Vec<Recipient>,
    pub recipients_count: usize,
    /// Octets of the mail.
    pub octets: u64,
    pub created: u64,
    pub due: u64,
    pub expires: u64,
    pub attempts: u32,
    pub trace: String,
}

/// All of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    #[serde(flatten)]
    pub line: Line,
    pub blob: String,
    /// HOLDFOR or HOLDUNTIL.
    pub hold: u64,
    /// BY: when, and "return" or "notify".
    pub deliver_by: Option<(u64, String)>,
    pub priority: i8,
    /// "7bit", "8bitmime" or "binarymime".
    pub body: String,
    pub smtputf8: bool,
    pub require_tls: bool,
    /// "full" or "hdrs".
    pub ret: Option<String>,
    pub envid: Option<String>,
    /// Empty: by MX.
    pub route: String,
}

/// One recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    pub address: String,
    /// "waiting", "relayed", "delivered" or "failed".
    pub state: String,
    /// What the sender is to be told of; empty: nothing was said.
    pub notify: Vec<String>,
    /// `type;address`.
    pub orcpt: Option<String>,
    pub attempts: u16,
    pub due: u64,
    /// What the next hop last said.
    pub reply: String,
}

/// Looks it up.
pub fn plan(snapshot: &dyn Snapshot, ask: &Ask) -> Result<Plan, Failure> {
    let ids = |items: &[u64]| items.iter().map(|&item| ItemId(item)).collect();
    Ok(match ask {
        Ask::List { from } => Plan::Answer(Answer::Queue(page(snapshot, ItemId(*from))?)),
        Ask::Show { item } => {
            let id = ItemId(*item);
            let row = read::item(snapshot, id)?;
            let row = row.ok_or_else(|| Failure::not_well(format!("no such item: {item}")))?;
            let details = details(snapshot, id, &row)?;
            Plan::Answer(Answer::QueueItem(Box::new(details)))
        }
        Ask::Hold { items, why } => Plan::Write(Write::QueueHold {
            items: ids(items),
            why: why.clone(),
        }),
        Ask::Release { items } => Plan::Write(Write::QueueRelease { items: ids(items) }),
        Ask::Drop { items } => Plan::Write(Write::QueueDrop { items: ids(items) }),
    })
}

fn page(snapshot: &dyn Snapshot, from: ItemId) -> Result<Page, Failure> {
    let (mut page, mut failed) = (Page::default(), None);
    read::items(snapshot, from, |id, row| {
        if page.items.len() == PAGE {
            page.next = Some(id.0);
            return ControlFlow::Break(());
        }
        match line(snapshot, id, &row, SHOWN) {
            Ok(line) => page.items.push(line),
            Err(error) => failed = Some(error),
        }
        match failed {
            None => ControlFlow::Continue(()),
            Some(_) => ControlFlow::Break(()),
        }
    })?;
    failed.map_or(Ok(page), Err)
}

fn line(
    snapshot: &dyn Snapshot,
    id: ItemId,
    row: &ItemRow<'_>,
    most: usize,
) -> Result<Line, Failure> {
    let head = &row.head;
    let octets = read::blob(snapshot, head.blob)?.map_or(0, |blob| blob.octets);
    Ok(Line {
        item: id.0,
        kind: match head.kind {
            Kind::Mail => "mail",
            Kind::Notice => "notice",
        }
        .to_owned(),
        state: match head.state {
            State::Queued => "queued",
            State::Deferred => "deferred",
            State::Held => "held",
        }
        .to_owned(),
        why: row.why.to_owned(),
        sender: row.sender.unwrap_or_default().to_owned(),
        recipients: row.recipients().take(most).map(recipient).collect(),
        recipients_count: row.count(),
        octets,
        created: head.created,
        due: head.due,
        expires: head.expires,
        attempts: head.attempts,
        trace: head.trace.to_string(),
    })
}

fn details(snapshot: &dyn Snapshot, id: ItemId, row: &ItemRow<'_>) -> Result<Details, Failure> {
    use ringpost_api::item::{Body, Ret};
    let head = &row.head;
    let by = head.by.map(|by| {
        let mode = if by.notify { "notify" } else { "return" };
        (by.at, mode.to_owned())
    });
    Ok(Details {
        line: line(snapshot, id, row, usize::MAX)?,
        blob: head.blob.to_string(),
        hold: head.hold,
        deliver_by: by,
        priority: head.priority,
        body: match head.body {
            Body::SevenBit => "7bit",
            Body::EightBit => "8bitmime",
            Body::Binary => "binarymime",
        }
        .to_owned(),
        smtputf8: head.utf8,
        require_tls: head.require_tls,
        ret: head.ret.map(|ret| match ret {
            Ret::Full => "full".to_owned(),
            Ret::Headers => "hdrs".to_owned(),
        }),
        envid: row.envid.map(str::to_owned),
        route: row.route.to_owned(),
    })
}

fn recipient(row: RecipientRow<'_>) -> Recipient {
    const NOTIFY: [(u8, &str); 4] = [
        (notify::NEVER, "never"),
        (notify::SUCCESS, "success"),
        (notify::FAILURE, "failure"),
        (notify::DELAY, "delay"),
    ];
    let asked = NOTIFY.iter().filter(|(bit, _)| row.notify & bit != 0);
    Recipient {
        address: row.address.to_owned(),
        state: match row.fate {
            Fate::Waiting => "waiting",
            Fate::Relayed => "relayed",
            Fate::Delivered => "delivered",
            Fate::Failed => "failed",
        }
        .to_owned(),
        notify: asked.map(|(_, name)| (*name).to_owned()).collect(),
        orcpt: row.orcpt.map(|(kind, address)| format!("{kind};{address}")),
        attempts: row.attempts,
        due: row.due,
        reply: row.reply.to_owned(),
    }
}
