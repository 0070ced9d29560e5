//! Whom a mail is for: what RCPT is answered, and where its address leads. RFC 5321 §3.3, §7.9.
//!
//! In:  an address, who names it, the sender's wishes. Out: the answer; accounts, and what leaves.
//!
//! ```text
//! defer? trap? -> rules -> Deliver  -> directory: accounts, other hosts' addresses, or both
//!                          Forward  -> the same for each address in its place
//!                          Relay    -> the queue, by a route
//!                          Discard  -> taken, for nobody
//!                          Reject   -> as the rule says
//! ```
//! Without a queue whatever must leave is refused for now: nothing is taken that nobody would send.
//!
//! Invariant: a recipient that is refused leaves nothing behind, however far it had come.

use crate::outgoing::{Outgoing, Wishes};
use crate::refusal;
use ringpost_api::Snapshot;
use ringpost_api::read::{self, Room};
use ringpost_delivery::Recipient;
use ringpost_directory::resolve::resolve;
use ringpost_directory::{Action, Facts, Found, Rules};
use ringpost_types::{AccountId, Address, Reply};

/// Accounts and other hosts' addresses of one mail: a record counts each in 16 bits.
const ADDRESSES_MAX: usize = u16::MAX as usize;

/// See the head of this file.
#[derive(Default)]
pub(crate) struct Addressed {
    /// Local ones, those of each path behind each other: an alias may stand for several.
    locals: Vec<Recipient>,
    /// What leaves. Few mails have any.
    outgoing: Option<Box<Outgoing>>,
    /// How many of `locals` belong to the paths so far: one number for each path.
    ends: Vec<u16>,
    /// Words of the rules that marked it.
    tags: Vec<Box<str>>,
    /// About what `locals` take, in octets.
    octets: u64,
}

/// Room for so many local recipients is kept from one mail to the next: sessions wait for long, and each may have named
/// thousands once.
const KEPT: usize = 16;
/// What an allocation costs beside what is in it, in octets.
pub(crate) const ALLOCATION_OCTETS: usize = 16;

/// What a recipient is judged by.
pub(crate) struct Case<'c> {
    /// There is a queue.
    pub queue: bool,
    pub facts: &'c Facts<'c>,
    pub wishes: &'c Wishes,
    /// Octets of the mail as MAIL told them, else 0.
    pub octets: u64,
    /// The mail is held: for local recipients too it waits in the queue.
    pub held: bool,
}

impl Addressed {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.locals.clear();
        self.locals.shrink_to(KEPT);
        self.outgoing = None;
        self.ends.clear();
        self.ends.shrink_to(KEPT);
        self.tags.clear();
        self.octets = 0;
    }

    /// About what all of it takes of the server's memory, in octets.
    pub fn octets(&self) -> u64 {
        let leaving = self.outgoing.as_ref().map_or(0, |out| out.octets());
        self.octets + leaving
    }

    /// Accounts that get the mail.
    pub fn locals(&self) -> &[Recipient] {
        &self.locals
    }

    /// What leaves, if anything does.
    pub fn outgoing(&mut self) -> Option<&mut Outgoing> {
        self.outgoing.as_deref_mut()
    }

    /// Recipients that were accepted.
    pub fn paths(&self) -> usize {
        self.ends.len()
    }

    /// Words of the rules that marked it.
    pub fn tags(&self) -> &[Box<str>] {
        &self.tags
    }

    /// The address of the only recipient, if it is an account's.
    pub fn only(&self) -> Option<&Address> {
        match (&self.locals[..], self.ends.len()) {
            ([first, ..], 1) => Some(&first.address),
            _ => None,
        }
    }

    /// Takes the accounts out that have no room for a mail of `octets`; what each path is refused with, in the order of
    /// RCPT. Of a path with several accounts it is enough that one has room. RFC 2033 §4.2.
    pub fn without_full(
        &mut self,
        snapshot: &dyn Snapshot,
        octets: u64,
    ) -> Result<Vec<Option<Reply>>, Reply> {
        let mut refusals = Vec::with_capacity(self.ends.len());
        let mut kept = Vec::with_capacity(self.locals.len());
        let mut start = 0;
        for (path, end) in self.ends.iter_mut().enumerate() {
            let of_path = &self.locals[start..usize::from(*end)];
            start = usize::from(*end);
            let refused = match of_path {
                [] => None,
                _ => room(snapshot, of_path.iter().map(|to| to.account), octets).err(),
            };
            match refused {
                Some(refusal) if refusal.code == refusal::TROUBLE.code => return Err(refusal),
                None => kept.extend_from_slice(of_path),
                Some(_) => self.outgoing.iter_mut().for_each(|out| out.forget(path)),
            }
            *end = kept.len() as u16;
            refusals.push(refused);
        }
        self.locals = kept;
        Ok(refusals)
    }

    /// RCPT for `address`.
    pub fn add(
        &mut self,
        case: &Case<'_>,
        rules: &Rules,
        snapshot: &dyn Snapshot,
        address: &Address,
    ) -> Result<(), Reply> {
        let decision = rules.decide(case.facts, address);
        let mut plan = Plan::default();
        match decision.action {
            Action::Deliver => plan.resolve(case, rules, snapshot, address)?,
            Action::Forward(to) => to
                .iter()
                .try_for_each(|to| plan.resolve(case, rules, snapshot, to))?,
            Action::Relay(_) => plan.leave.push(address.clone()),
            Action::Reject(reply) => return Err(reply.clone()),
            // The rules go on behind a tag by themselves.
            Action::Discard | Action::Tag(_) => {}
        }
        if !plan.leave.is_empty() && !case.queue {
            return Err(refusal::NO_QUEUE);
        }
        let leaving = self.outgoing.as_ref().map_or(0, |out| out.count());
        let held = self.locals.len() + leaving + plan.accounts.len() + plan.leave.len();
        if held > ADDRESSES_MAX {
            return Err(refusal::TOO_MANY_ACCOUNTS);
        }
        let route = match decision.action {
            Action::Relay(Some(route)) => route,
            _ => "",
        };
        self.carry_out(case, plan, route, address);
        for tag in decision.tags {
            if !self.tags.iter().any(|known| **known == *tag) {
                self.tags.push(tag.into());
            }
        }
        self.ends.push(self.locals.len() as u16);
        Ok(())
    }

    /// What was decided is done; nothing of it can fail.
    fn carry_out(&mut self, case: &Case<'_>, plan: Plan, route: &str, address: &Address) {
        if !plan.accounts.is_empty() && case.wishes.notify.is_some() {
            let outgoing = self.outgoing.get_or_insert_default();
            outgoing.delivers(self.ends.len(), address, case.wishes);
        }
        for account in plan.accounts {
            let address = address.clone();
            let text = address.local().len() + address.domain().as_str().len();
            let held = size_of::<Recipient>() + text + 2 * ALLOCATION_OCTETS;
            self.octets += held as u64;
            self.locals.push(Recipient { address, account });
        }
        for to in plan.leave {
            let outgoing = self.outgoing.get_or_insert_default();
            match to == *address || case.wishes.orcpt.is_some() {
                true => outgoing.add(route, &to, case.wishes),
                false => outgoing.add(route, &to, &case.wishes.for_original(address)),
            }
        }
    }
}

/// Where one recipient's mail is to go.
#[derive(Default)]
struct Plan {
    accounts: Vec<AccountId>,
    leave: Vec<Address>,
}

impl Plan {
    /// Where `to` leads: the address that RCPT named, or one that a rule put in its place.
    fn resolve(
        &mut self,
        case: &Case<'_>,
        rules: &Rules,
        snapshot: &dyn Snapshot,
        to: &Address,
    ) -> Result<(), Reply> {
        let found = resolve(snapshot, rules.domains(), to, None);
        let targets = match found.map_err(|_| refusal::TROUBLE)? {
            Found::Local(targets) => targets,
            Found::NoSuchUser => return Err(refusal::NO_SUCH_USER),
            Found::Remote => {
                self.leave.push(to.clone());
                return Ok(());
            }
        };
        if !targets.accounts.is_empty() {
            room(snapshot, targets.accounts.iter().copied(), case.octets)?;
        }
        match case.held && !targets.accounts.is_empty() {
            // The queue looks again where the address leads, when its time has come.
            true => self.leave.push(to.clone()),
            false => {
                self.accounts.extend(targets.accounts);
                self.leave.extend(targets.remote);
            }
        }
        Ok(())
    }
}

/// Whether there is room for a mail of `octets` in one of these accounts: one that is full does not keep a list's mail
/// from the others, and then gets it too, for what is accepted is delivered. RFC 9208 §5.
fn room(
    snapshot: &dyn Snapshot,
    accounts: impl Iterator<Item = AccountId>,
    octets: u64,
) -> Result<(), Reply> {
    let mut refused = Ok(());
    for account in accounts {
        match read::room(snapshot, account, octets) {
            Ok(Room::Enough) => return Ok(()),
            Ok(Room::Full) => refused = Err(refusal::MAILBOX_FULL),
            Ok(Room::Never) => refused = refused.and(Err(refusal::MAILBOX_SMALL)),
            Err(_) => return Err(refusal::TROUBLE),
        }
    }
    refused
}
