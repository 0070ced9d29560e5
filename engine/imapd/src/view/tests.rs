use super::*;
use ringpost_api::behaviour::ask;
use ringpost_api::behaviour::model::Model;
use ringpost_api::write::{Deliver, FlagChange, Missing, Position, StoreFlags, Target};
use ringpost_api::{Outcome, Store, Write};
use ringpost_types::BlobId;
use std::collections::BTreeMap;

const ACCOUNT: AccountId = AccountId(1);
const INBOX: MailboxId = MailboxId::INBOX;

/// A store with one account, and how many mails it has taken.
struct House {
    store: Model,
    mails: u64,
}

impl House {
    fn new() -> Self {
        let store = Model::default();
        let (name, secret) = ("alice@example.test".into(), String::new());
        ask(
            &store,
            Write::AccountCreate {
                name,
                secret,
                scram: None,
            },
        )
        .expect("an account");
        House { store, mails: 0 }
    }

    fn deliver(&mut self, messages: usize) {
        self.mails += 1;
        let target = Target {
            account: ACCOUNT,
            mailbox: INBOX,
            missing: Missing::Inbox,
            flags: 0,
            keywords: vec![],
            internal_date: 0,
            prefix: vec![],
        };
        let write = Write::Deliver(Deliver {
            blob: BlobId::new(0, self.mails),
            targets: vec![target; messages],
            next: Position {
                sequence: self.mails + 1,
                ..Position::default()
            },
            ..Deliver::default()
        });
        ask(&self.store, write).expect("delivered");
    }

    fn flag(&self, uids: impl Iterator<Item = u32>, flags: u32) -> (ModSeq, Vec<Uid>) {
        let write = Write::Store(StoreFlags {
            account: ACCOUNT,
            mailbox: INBOX,
            uids: uids.map(Uid).collect(),
            change: FlagChange::Add,
            flags,
            keywords: vec![],
            unchanged_since: None,
        });
        match ask(&self.store, write) {
            Ok(Outcome::Stored {
                modseq, changed, ..
            }) => (modseq, changed),
            other => panic!("{other:?}"),
        }
    }

    /// Expunges, and forgets that it did.
    fn expunge(&self, uids: impl Iterator<Item = u32>) {
        self.flag(uids, ringpost_api::table::flag::DELETED);
        let expunge = Write::Expunge {
            account: ACCOUNT,
            mailbox: INBOX,
            uids: None,
        };
        let trim = Write::Trim {
            account: ACCOUNT,
            upto: ModSeq(u64::MAX),
        };
        while let Ok(Outcome::Expunged { more: true, .. }) = ask(&self.store, expunge.clone()) {}
        while ask(&self.store, trim.clone()) == Ok(Outcome::Trimmed { more: true }) {}
    }

    /// UIDs and whether they are flagged.
    fn messages(&self) -> Vec<(u32, bool)> {
        let (mut all, snapshot) = (Vec::new(), self.store.snapshot().expect("rows"));
        read::messages(&*snapshot, ACCOUNT, INBOX, Uid(0), |uid, row| {
            all.push((uid.0, row.flags & ringpost_api::table::flag::FLAGGED != 0));
            ControlFlow::Continue(())
        })
        .expect("rows");
        all
    }

    fn view(&self) -> View {
        let snapshot = self.store.snapshot().expect("rows");
        let mut view = View::open(&*snapshot, ACCOUNT, INBOX, Access::ReadOnly).expect("a view");
        while view.extend(&*snapshot).expect("rows") == Progress::More {}
        view
    }
}

/// What a client makes of the untagged responses: a number is a message, and flags are what it was last told.
#[derive(Default)]
struct Client {
    /// Whether it was told that the message is flagged; those it was never told of are not.
    messages: Vec<Option<(u32, bool)>>,
    expunged: usize,
    fetched: BTreeMap<u32, usize>,
}

impl Client {
    fn of(house: &House) -> Self {
        Client {
            messages: house.messages().into_iter().map(Some).collect(),
            ..Client::default()
        }
    }

    fn hear(&mut self, responses: &[u8]) {
        let responses = std::str::from_utf8(responses).expect("text");
        for line in responses.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let number = || words[1].parse::<usize>().expect("a number");
            match words[2] {
                "EXPUNGE" => {
                    self.messages.remove(number() - 1);
                    self.expunged += 1;
                }
                "EXISTS" => {
                    assert!(self.messages.len() <= number(), "only EXPUNGE takes away");
                    self.messages.resize(number(), None);
                }
                "RECENT" => {}
                "FETCH" => {
                    let uid = words[4].parse().expect("a UID");
                    let known = &mut self.messages[number() - 1];
                    assert!(known.is_none_or(|(known, _)| known == uid), "{line}");
                    *known = Some((uid, line.contains("\\Flagged")));
                    *self.fetched.entry(uid).or_default() += 1;
                }
                _ => panic!("{line}"),
            }
        }
    }

    /// Whether it knows what is there. Of a new message it need not have been told anything.
    fn knows(&self, house: &House) {
        let there = house.messages();
        assert_eq!(self.messages.len(), there.len());
        for (known, there) in self.messages.iter().zip(there) {
            assert!(
                known.is_none_or(|known| known == there),
                "{known:?} {there:?}"
            );
        }
    }
}

fn sync(house: &House, view: &mut View, client: &mut Client, renumber: Renumber) -> Progress {
    let (mut out, snapshot) = (Vec::new(), house.store.snapshot().expect("rows"));
    let progress = view.sync(&*snapshot, renumber, &mut out).expect("rows");
    client.hear(&out);
    progress
}

/// A STORE of what is so already has no change row; what the session remembers of it must still end.
#[test]
fn changes_that_were_none_are_forgotten() {
    let house = House::new();
    let (mut view, mut client) = (house.view(), Client::default());
    for _ in 0..3 {
        view.made(ModSeq(1), vec![Uid(1)]);
        assert_eq!(
            sync(&house, &mut view, &mut client, Renumber::Later),
            Progress::Done
        );
        assert!(view.own.is_empty());
    }
}

/// What was forgotten while the session slept is told all the same, exactly.
#[test]
fn a_session_sleeps_through_a_trim() {
    let mut house = House::new();
    house.deliver(20);
    let (mut view, mut client) = (house.view(), Client::of(&house));
    house.expunge([2, 3, 17].into_iter());
    house.flag([5].into_iter(), 4);
    house.deliver(3);
    house.expunge([21].into_iter());
    // Numbers stay while FETCH is answered; flags and new messages are told.
    assert_eq!(
        sync(&house, &mut view, &mut client, Renumber::Later),
        Progress::Done
    );
    assert_eq!((client.expunged, client.messages.len()), (0, 22));
    let own = house.flag([6].into_iter(), 4);
    view.made(own.0, own.1);
    client.messages[5] = Some((6, true));
    house.expunge([1].into_iter());
    assert_eq!(
        sync(&house, &mut view, &mut client, Renumber::Now),
        Progress::Done
    );
    client.knows(&house);
    // UID 21 came and left unseen.
    assert_eq!(client.expunged, 4);
    assert_eq!(client.fetched.into_iter().collect::<Vec<_>>(), [(5, 1)]);
    assert!(view.compare.is_none() && view.own.is_empty());
}

/// Rows are compared in rounds, and what happens between them is told as well: expunged, flagged or trimmed, in front of
/// where comparing stands and behind it.
#[test]
fn a_large_mailbox_is_compared_in_rounds() {
    let mut house = House::new();
    let count = 3 * ROWS as u32;
    house.deliver(count as usize);
    let (mut view, mut client) = (house.view(), Client::of(&house));
    house.expunge((1..=count).filter(|uid| uid % 7 == 0));
    house.flag((1..=count).filter(|uid| uid % 100 == 1), 4);
    house.deliver(ROWS + 5);
    let mut rounds = 0;
    while sync(&house, &mut view, &mut client, Renumber::Now) == Progress::More {
        rounds += 1;
        match rounds {
            1 => {
                let uids = [1, 2, count - 1, count + 3];
                house.flag([4, count - 3].into_iter(), 4);
                house.expunge(uids.into_iter());
            }
            2 => drop(house.flag([8, count - 4, count + 5].into_iter(), 4)),
            3 => house.expunge([9].into_iter()),
            _ => assert!(rounds < 20, "it ends"),
        }
    }
    client.knows(&house);
    assert!(rounds >= 4);
    let gone = count
        - house
            .messages()
            .iter()
            .filter(|(uid, _)| *uid <= count)
            .count() as u32;
    assert!((gone as usize..=gone as usize + 1).contains(&client.expunged));
    // A feed that forgets nothing is enough again.
    house.flag([10].into_iter(), 4);
    let before = client.fetched.clone();
    assert_eq!(
        sync(&house, &mut view, &mut client, Renumber::Now),
        Progress::Done
    );
    assert_eq!(client.fetched.len(), before.len() + 1);
    client.knows(&house);
}
