//! Who wants to know of changes in which mailbox: from the writer's thread to sessions in IDLE.
//!
//! In:  the store's change feed, one call for each commit, on the writer's thread.
//! Out: `watch.changed().await` on a shard; a shard that watches none of the changed mailboxes is not woken.
//!
//! Invariant: no change is lost: one that comes while nobody awaits is told at the next [`Watch::changed`].
//! Changes that come together are told once, with the highest MODSEQ.

use crate::inbox::Inbox;
use ringpost_api::{Changed, Feed};
use ringpost_types::{AccountId, MailboxId, ModSeq};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

type Key = (AccountId, MailboxId);

/// The watches of one shard.
pub struct Hub {
    watches: RefCell<HashMap<Key, Vec<Rc<Interest>>>>,
    ear: Arc<Ear>,
}

/// What a watch and the hub share.
#[derive(Default)]
struct Interest {
    news: Cell<Option<ModSeq>>,
    waker: Cell<Option<Waker>>,
}

impl Hub {
    pub(crate) fn new(inbox: Arc<Inbox>) -> Self {
        Hub {
            watches: RefCell::default(),
            ear: Arc::new(Ear {
                inbox,
                watched: Mutex::default(),
            }),
        }
    }

    /// What the store has to be told of: `store.subscribe(shard.hub.feed())`, once for each shard.
    pub fn feed(&self) -> std::sync::Weak<dyn Feed> {
        let ear: Arc<dyn Feed> = self.ear.clone();
        Arc::downgrade(&ear)
    }

    /// Watches a mailbox until the watch is dropped.
    pub fn watch(self: &Rc<Self>, account: AccountId, mailbox: MailboxId) -> Watch {
        let key = (account, mailbox);
        let interest = Rc::<Interest>::default();
        let mut watches = self.watches.borrow_mut();
        let watchers = watches.entry(key).or_default();
        watchers.push(interest.clone());
        if watchers.len() == 1 {
            self.ear.listen(key);
        }
        Watch {
            hub: self.clone(),
            key,
            interest,
        }
    }

    fn tell(&self, changes: &[Changed]) {
        let watches = self.watches.borrow();
        for change in changes {
            let watchers = watches.get(&(change.account, change.mailbox));
            for interest in watchers.into_iter().flatten() {
                interest
                    .news
                    .set(interest.news.get().max(Some(change.modseq)));
                interest.waker.take().into_iter().for_each(Waker::wake);
            }
        }
    }

    fn unwatch(&self, key: Key, interest: &Rc<Interest>) {
        let mut watches = self.watches.borrow_mut();
        let Some(watchers) = watches.get_mut(&key) else {
            return;
        };
        watchers.retain(|other| !Rc::ptr_eq(other, interest));
        if watchers.is_empty() {
            watches.remove(&key);
            self.ear.forget(key);
        }
    }
}

/// One session's interest in one mailbox.
pub struct Watch {
    hub: Rc<Hub>,
    key: Key,
    interest: Rc<Interest>,
}

impl Watch {
    /// Resolves when the mailbox has changed since the last time this was told, with its HIGHESTMODSEQ.
    /// May be dropped and raced: no change is lost.
    pub async fn changed(&mut self) -> ModSeq {
        std::future::poll_fn(|context| match self.interest.news.take() {
            Some(modseq) => Poll::Ready(modseq),
            None => {
                self.interest.waker.set(Some(context.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }

    /// Takes the news without waiting.
    pub fn news(&mut self) -> Option<ModSeq> {
        self.interest.news.take()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.hub.unwatch(self.key, &self.interest);
    }
}

/// The store's side: hears every commit and writes to the shard only of what it watches.
struct Ear {
    inbox: Arc<Inbox>,
    watched: Mutex<std::collections::HashSet<Key>>,
}

impl Ear {
    fn listen(&self, key: Key) {
        self.lock().insert(key);
    }

    fn forget(&self, key: Key) {
        self.lock().remove(&key);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, std::collections::HashSet<Key>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Feed for Ear {
    fn changed(&self, changes: &[Changed]) {
        let watched = self.lock();
        let news: Vec<Changed> = changes
            .iter()
            .filter(|change| watched.contains(&(change.account, change.mailbox)))
            .copied()
            .collect();
        drop(watched);
        if !news.is_empty() {
            self.inbox
                .post(Box::new(move |shard| shard.hub.tell(&news)));
        }
    }
}
