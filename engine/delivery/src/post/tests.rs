//! A post on a real shard, over a store that keeps what it is told.

use super::*;
use ringpost_api::Write;
use ringpost_api::store::{Feed, ReplyTo, Snapshot};
use ringpost_runtime::{Machine, Options};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Weak, mpsc};
use std::time::Duration;

/// Answers every delivery by placing its targets at UID 7; is behind for the first `behind` looks.
#[derive(Default)]
struct Kept {
    writes: Mutex<Vec<Write>>,
    behind: AtomicU64,
    /// Why nothing new is taken.
    refusal: Mutex<Option<ringpost_api::Error>>,
}

impl Store for Kept {
    fn accepts(&self) -> Result<(), ringpost_api::Error> {
        let refusal = self.refusal.lock().expect("no panic").clone();
        refusal.map_or(Ok(()), Err)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, ringpost_api::Error> {
        Err(ringpost_api::Error::Closed)
    }

    fn submit(&self, write: Write, reply: Option<ReplyTo>) {
        let placed = match &write {
            Write::Deliver(deliver) => deliver.targets.iter().map(placed).collect(),
            _ => Vec::new(),
        };
        if let Some(reply) = reply {
            reply
                .sink
                .complete(vec![(reply.token, Ok(Outcome::Delivered(placed)))]);
        }
        self.writes.lock().expect("no panic").push(write);
    }

    fn lag_octets(&self) -> u64 {
        let behind = self.behind.load(Ordering::Relaxed);
        self.behind
            .store(behind.saturating_sub(1), Ordering::Relaxed);
        if behind > 0 { u64::MAX } else { 0 }
    }

    fn subscribe(&self, _: Weak<dyn Feed>) {}
}

fn placed(target: &Target) -> Placed {
    Placed {
        account: target.account,
        mailbox: target.mailbox,
        uidvalidity: 1,
        uid: ringpost_types::Uid(7),
    }
}

/// Runs `test` on one shard with a post over `store`, in a scratch directory.
fn run<F, T>(store: Arc<Kept>, test: F)
where
    F: Fn(Rc<Shard>, Rc<Post>) -> T + Send + Sync + Clone + 'static,
    T: Future<Output = ()> + 'static,
{
    let data = tempfile::tempdir().expect("a directory");
    let path = data.path().to_owned();
    let (done, finished) = mpsc::channel();
    let options = Options {
        shards: Some(1),
        pin: false,
        ..Options::default()
    };
    let machine = Machine::start(options, move |shard| {
        let (path, store) = (path.clone(), store.clone());
        let (test, done) = (test.clone(), done.clone());
        spawn(async move {
            let post = Post::open(
                &shard,
                store,
                &path,
                Position::default(),
                LogOptions::default(),
            )
            .await;
            test(shard, post.expect("a log")).await;
            let _ = done.send(());
        });
    });
    let machine = machine.expect("a machine");
    finished
        .recv_timeout(Duration::from_secs(20))
        .expect("the test ends");
    machine.join(Duration::from_secs(1));
}

fn recipient(account: u32, address: &str) -> Recipient {
    let address = Address::parse(address).expect("an address");
    Recipient {
        address,
        account: AccountId(account),
    }
}

async fn arrived(post: &Post, mail: &[u8]) -> Arrived {
    let mut ingest = post.ingest(None, b"Received: here\r\n").expect("room");
    ingest.body(mail).await.expect("room");
    ingest.finish().await.expect("arrived")
}

#[test]
fn an_account_gets_a_mail_once() {
    let sender = Address::parse("s@example.net").expect("an address");
    let recipients = [
        recipient(1, "a@example.org"),
        recipient(2, "b@example.org"),
        recipient(1, "alias@example.org"),
    ];
    let envelope = Envelope {
        reverse_path: Some(&sender),
        recipients: &recipients,
        queue: &[],
        unix: 5,
    };
    let targets = targets(&envelope);
    let accounts: Vec<_> = targets.iter().map(|target| target.account.0).collect();
    assert_eq!(accounts, [1, 2]);
    let prefix = b"Return-Path: <s@example.net>\r\nDelivered-To: a@example.org\r\n";
    assert_eq!(targets[0].prefix, prefix);
    assert_eq!(
        (targets[0].mailbox, targets[0].internal_date),
        (MailboxId::INBOX, 5)
    );
}

#[test]
fn accepted_mail_reaches_the_index_in_order() {
    let store = Arc::new(Kept::default());
    run(store.clone(), |_, post| async move {
        for number in 0..20u32 {
            let recipients = [recipient(number + 1, "a@example.org")];
            let envelope = Envelope {
                reverse_path: None,
                recipients: &recipients,
                queue: &[],
                unix: 0,
            };
            let mail = arrived(&post, format!("Subject: {number}\r\n\r\n").as_bytes()).await;
            post.accept(envelope, mail).await.expect("taken");
        }
        assert_eq!(post.memory().taken(), 0);
    });
    let writes = store.writes.lock().expect("no panic");
    let accounts = writes.iter().map(|write| match write {
        Write::Deliver(deliver) => deliver.targets[0].account.0,
        other => panic!("{other:?}"),
    });
    assert!(accounts.eq(1..=20));
}

/// To an account here, to somebody elsewhere, to both: one record each. What only leaves has no text to be searched.
#[test]
fn a_mail_leaves_in_its_record() {
    let item = Item {
        sender: Some("s@example.net".into()),
        recipients: vec![ringpost_api::item::Recipient {
            address: "b@other.test".into(),
            ..Default::default()
        }],
        ..Item::default()
    };
    let (store, sent) = (Arc::new(Kept::default()), item.clone());
    run(store.clone(), move |_, post| {
        let item = sent.clone();
        async move {
            let (here, away) = ([recipient(1, "a@example.org")], [item]);
            let envelopes: [(&[Recipient], &[Item]); 3] =
                [(&here, &[]), (&[], &away), (&here, &away)];
            for (recipients, queue) in envelopes {
                let envelope = Envelope {
                    reverse_path: None,
                    recipients,
                    queue,
                    unix: 0,
                };
                let mail = arrived(&post, b"Subject: s\r\n\r\ntext\r\n").await;
                post.accept(envelope, mail).await.expect("taken");
            }
        }
    });
    let writes = store.writes.lock().expect("no panic");
    let told = writes.iter().map(|write| match write {
        Write::Deliver(deliver) => {
            assert!(deliver.items.iter().all(|leaving| *leaving == item));
            let text = !deliver.text.is_empty();
            (deliver.targets.len(), deliver.items.len(), text)
        }
        other => panic!("{other:?}"),
    });
    assert!(told.eq([(1, 0, true), (0, 1, false), (1, 1, true)]));
}

#[test]
fn an_append_waits_for_its_place() {
    run(Arc::default(), |shard, post| async move {
        let append = Append {
            account: AccountId(3),
            mailbox: MailboxId(4),
            flags: 1,
            keywords: vec!["$Forwarded".into()],
            internal_date: 9,
        };
        let mut ingest = post.ingest(Some(4), b"").expect("room");
        ingest.body(b"a\r\n\r\n").await.expect("room");
        let arrived = ingest.finish().await.expect("arrived");
        let placed = post.append(append, arrived).await.expect("placed");
        assert_eq!(
            (placed.account, placed.mailbox),
            (AccountId(3), MailboxId(4))
        );
        assert_eq!(placed.uid.0, 7);
        assert_eq!(shard.tickets.open(), 0);
    });
}

#[test]
fn an_append_to_a_closed_log_is_refused_and_leaves_no_ticket() {
    run(Arc::default(), |shard, post| async move {
        post.inlet.log.close().await;
        let append = Append {
            account: AccountId(3),
            mailbox: MailboxId(4),
            flags: 0,
            keywords: Vec::new(),
            internal_date: 0,
        };
        let mail = arrived(&post, b"a\r\n").await;
        let refused = post.append(append, mail).await;
        assert_eq!(refused, Err(Error::Log(LogError::Closed)));
        // The answer that frees the place comes as a letter, in a later turn.
        while shard.tickets.open() > 0 {
            ringpost_runtime::time::turn().await;
        }
    });
}

#[test]
fn mail_waits_while_the_index_is_behind() {
    let store = Arc::new(Kept::default());
    store.behind.store(3, Ordering::Relaxed);
    run(store.clone(), |_, post| async move {
        let recipients = [recipient(1, "a@example.org")];
        let envelope = Envelope {
            reverse_path: None,
            recipients: &recipients,
            queue: &[],
            unix: 0,
        };
        let mail = arrived(&post, b"a\r\n").await;
        post.accept(envelope, mail)
            .await
            .expect("taken after a while");
    });
    assert_eq!(store.writes.lock().expect("no panic").len(), 1);
}

/// An index that cannot commit is not waited for: it may take hours.
#[test]
fn mail_is_refused_at_once_while_the_index_takes_nothing() {
    use ringpost_api::Error::{Full, Io};
    for (why, told) in [(Full, Error::Store(Full)), (Io("EIO".into()), Error::Lag)] {
        let store = Arc::new(Kept::default());
        *store.refusal.lock().expect("no panic") = Some(why);
        run(store.clone(), move |_, post| {
            let told = told.clone();
            async move {
                let recipients = [recipient(1, "a@example.org")];
                let envelope = Envelope {
                    reverse_path: None,
                    recipients: &recipients,
                    queue: &[],
                    unix: 0,
                };
                assert_eq!(post.has_room_for(0), Err(told.clone()));
                let mail = arrived(&post, b"a\r\n").await;
                assert_eq!(post.accept(envelope, mail).await, Err(told));
                assert_eq!(post.memory().taken(), 0);
            }
        });
        assert!(store.writes.lock().expect("no panic").is_empty());
    }
}
