//! Turns a write into rows: the only place that knows how tables hang together.
//!
//! In:  the tables as they are, one write, [`Terms`]: the time and the limits in force.
//! Out: the outcome, and [`Edits`] that bring it about; the backend lands them in its transaction.
//!
//! Invariants:
//! - a function of its arguments: no clock, no chance, nothing is changed here. Another engine may run it on a
//!   snapshot and land the edits by compare-and-swap.
//! - a write that is refused has no edits, so its neighbours in the same commit stand; a refused delivery
//!   still moves the applied position.
//! - each write takes at most one MODSEQ of each account. RFC 7162 §3.1 asks for a strictly rising value.
//! - counters in account and mailbox rows, and references in blob rows, are what counting would give.
//! - a message that exists has one row in table change, its newest; what left has one until it is trimmed.
//! - one write touches a bounded number of rows besides those it names: what a mailbox leaves behind is swept, and what
//!   the change feed forgets is trimmed, a little with each write.

mod accounts;
mod aging;
mod credentials;
mod deliver;
mod draft;
mod filter;
mod mailboxes;
mod messages;
mod queue;
mod space;
mod sweep;
mod trim;

pub use crate::edits::{Edits, Extent, Rows};
pub(crate) use aging::Aging;
pub use aging::carry;

use crate::{Error, Outcome, Snapshot, Write};
use draft::Draft;
use ringpost_types::limit::Limits;

/// Keywords of one mailbox at most, whatever limit `imap_keywords_max` says: the bits of a message row.
pub const KEYWORDS_MAX: u64 = 64;
/// Messages that one EXPUNGE takes out: some fifty milliseconds, for which everybody else's writes wait.
pub const EXPUNGE_MAX: usize = 4_000;
/// Targets of one alias.
pub const ALIAS_TARGETS_MAX: usize = 1_000;
/// Aliases that one write puts: an imported table is all there or not at all.
pub const ALIASES_MAX: usize = 50_000;
/// Items of the queue that one write names.
pub const ITEMS_MAX: usize = 1_000;
/// Seconds that the last use of an app password may be behind: a client that logs in anew for every mailbox costs a commit
/// now and then, not one each.
pub const USED_EVERY: u64 = 300;

/// What a write is applied under.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'l> {
    /// Seconds since 1970.
    pub now: u64,
    /// Those in force. A row that a higher limit let in stays.
    pub limits: &'l Limits,
}

/// What `write` does to `rows`. `edits` is cleared first; an `Err` leaves nothing in it but, for a delivery,
/// the applied position and what became free.
pub fn plan(
    rows: &dyn Snapshot,
    write: &Write,
    terms: Terms<'_>,
    edits: &mut Edits,
) -> Result<Outcome, Error> {
    edits.clear();
    let mut draft = Draft::new(rows, edits, terms);
    let outcome = match write {
        Write::Deliver(deliver) => return deliver::deliver(rows, deliver, terms, draft.edits),
        Write::Relocate(relocate) => return space::relocate(rows, relocate, draft.edits),
        Write::Tidied { holes, segments } => space::tidied(&mut draft, holes, segments),
        Write::Store(store) => messages::store(&mut draft, store),
        Write::Expunge {
            account,
            mailbox,
            uids,
        } => messages::expunge(&mut draft, *account, *mailbox, uids.as_deref()),
        Write::Transfer {
            account,
            mailbox,
            uids,
            target,
            mode,
        } => messages::transfer(&mut draft, *account, *mailbox, uids, *target, *mode),
        Write::ClaimRecent { account, mailbox } => {
            messages::claim_recent(&mut draft, *account, *mailbox)
        }
        Write::MailboxCreate {
            account,
            name,
            special,
        } => mailboxes::create(&mut draft, *account, name, *special),
        Write::MailboxDelete { account, name } => mailboxes::delete(&mut draft, *account, name),
        Write::MailboxRename { account, from, to } => {
            mailboxes::rename(&mut draft, *account, from, to)
        }
        Write::Subscribe { account, name, on } => {
            mailboxes::subscribe(&mut draft, *account, name, *on)
        }
        Write::AccountCreate {
            name,
            secret,
            scram,
        } => accounts::create(&mut draft, name, secret, scram.as_ref()),
        Write::AccountRemove { account } => accounts::remove(&mut draft, *account),
        Write::AccountSecret {
            account,
            secret,
            scram,
        } => accounts::secret(&mut draft, *account, secret, scram.as_ref()),
        Write::CredentialAdd {
            account,
            name,
            scopes,
            secret,
            scram,
        } => credentials::add(&mut draft, *account, name, *scopes, secret, scram.as_ref()),
        Write::AccountKeys {
            account,
            secret,
            scram,
        } => credentials::keys(&mut draft, *account, secret, scram),
        Write::CredentialRemove { account, id } => credentials::remove(&mut draft, *account, *id),
        Write::CredentialUsed { account, id } => credentials::used(&mut draft, *account, *id),
        Write::Revalidate { account } => mailboxes::revalidate(&mut draft, *account),
        Write::Quota {
            account,
            octets,
            messages,
        } => accounts::quota(&mut draft, *account, *octets, *messages),
        Write::AccountDisable { account, disabled } => {
            accounts::disable(&mut draft, *account, *disabled)
        }
        Write::Trim { account, upto } => trim::trim(&mut draft, *account, *upto),
        Write::Sweep => sweep::sweep(&mut draft),
        Write::Text { blob, row } => filter::text(&mut draft, *blob, row),
        Write::Filter {
            account,
            mailbox,
            first,
            rows,
        } => filter::put(&mut draft, *account, *mailbox, *first, rows),
        Write::Unfilter { account, mailbox } => filter::drop(&mut draft, *account, *mailbox),
        Write::AliasPut { address, targets } => accounts::alias_put(&mut draft, address, targets),
        Write::AliasesPut { aliases } => accounts::aliases_put(&mut draft, aliases),
        Write::AliasRemove { address } => accounts::alias_remove(&mut draft, address),
        Write::QueueHold { items, why } => queue::hold(&mut draft, items, why),
        Write::QueueRelease { items } => queue::release(&mut draft, items),
        Write::QueueDrop { items } => queue::drop(&mut draft, items),
        Write::Transcript { trace, row } => aging::transcript(&mut draft, *trace, row),
        Write::Ban {
            network,
            until,
            reason,
        } => aging::ban(&mut draft, *network, *until, reason),
        Write::Unban { network } => aging::unban(&mut draft, *network),
        Write::Trap { kind, network } => aging::trap(&mut draft, *kind, *network),
        Write::Expire { now } => aging::expire(&mut draft, *now),
    };
    let outcome = outcome.and_then(|outcome| draft.finish().map(|()| outcome));
    outcome.inspect_err(|_| edits.clear())
}

/// [`plan`], and then [`Edits::land`]. The outer error is the engine's, and the transaction is to be given up; the
/// inner one is the write's own.
pub fn apply(
    rows: &mut dyn Rows,
    write: &Write,
    terms: Terms<'_>,
    edits: &mut Edits,
) -> Result<Result<Outcome, Error>, Error> {
    let outcome = plan(&*rows, write, terms, edits);
    // Rows that could not be read say nothing about the write: nobody may take it for done.
    if let Err(error @ (Error::Io(_) | Error::Full)) = outcome {
        return Err(error);
    }
    edits.land(rows)?;
    Ok(outcome)
}
