//! `kill -9` at random moments, again and again on one directory: what was answered is there, once and whole.
//!
//! A child of this executable works on a store and tells on its standard output what it is about to ask for and what was
//! answered. It is killed after a random number of lines, the store is opened, and each account must be as its answered
//! requests make it, or as those and the one it was at make it. Then the next child goes on.
//!
//! `RINGPOST_KILLS` sets how many are killed: 30 unless it says otherwise, 500 is a long test.

use crate::alone;
use crate::mail;
use crate::random::Random;
use crate::scratch;
use crate::story::{self, Shard};
use crate::trace::Watch;
use ringpost_api::behaviour::{ask, sound, tables};
use ringpost_api::table::flag;
use ringpost_api::write::{FlagChange, StoreFlags, Transfer};
use ringpost_api::{Outcome, Store, Write, read};
use ringpost_lmdb::Lmdb;
use ringpost_log::Reader;
use ringpost_log::file::{Blocking, now};
use ringpost_types::{AccountId, MailboxId, Uid};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

const SEED: u64 = 0x4111;
/// Clients at once, each with a log and an account of its own.
const CLIENTS: u16 = 3;
/// Lines after which a child is killed, at most.
const LINES_MAX: usize = 120;
/// Requests of one client in the life of a child, at most: it is killed long before.
const REQUESTS_MAX: u64 = 10_000;
const BOXES: [&str; 4] = ["INBOX", "Trash", "Archive", "Sent"];
/// Directory and seed of a child.
const CHILD: &str = "RINGPOST_CRASH_CHILD";

/// What a client asks for. Told as words, so that the other side of a pipe can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ask {
    /// Mails of these numbers into INBOX; each is answered for itself.
    Deliver(Vec<u64>),
    /// Flags for a mail, besides those it has.
    Flag(usize, u64, u32),
    /// Copy or move a mail to another mailbox.
    Copy(usize, u64, usize),
    Move(usize, u64, usize),
    /// Remove it, where it has `\Deleted`.
    Expunge(usize, u64),
}

impl Ask {
    fn words(&self) -> String {
        let words = match self {
            Ask::Deliver(numbers) => [&[0], &numbers[..]].concat(),
            Ask::Flag(from, number, flags) => vec![1, *from as u64, *number, u64::from(*flags)],
            Ask::Copy(from, number, to) => vec![2, *from as u64, *number, *to as u64],
            Ask::Move(from, number, to) => vec![3, *from as u64, *number, *to as u64],
            Ask::Expunge(from, number) => vec![4, *from as u64, *number],
        };
        let words: Vec<String> = words.iter().map(u64::to_string).collect();
        words.join(" ")
    }

    fn read(words: &[u64]) -> Ask {
        match *words {
            [0, ref numbers @ ..] => Ask::Deliver(numbers.to_vec()),
            [1, from, number, flags] => Ask::Flag(from as usize, number, flags as u32),
            [2, from, number, to] => Ask::Copy(from as usize, number, to as usize),
            [3, from, number, to] => Ask::Move(from as usize, number, to as usize),
            [4, from, number] => Ask::Expunge(from as usize, number),
            _ => panic!("a child said {words:?}"),
        }
    }
}

/// An account: how many copies of which mail with which flags are in which mailbox.
type State = BTreeMap<(usize, u64, u32), usize>;

/// What `ask` makes of an account.
fn after(state: &State, ask: &Ask) -> State {
    let mut next = state.clone();
    let (from, number) = match *ask {
        Ask::Deliver(ref numbers) => {
            for &number in numbers {
                *next.entry((0, number, 0)).or_default() += 1;
            }
            return next;
        }
        Ask::Flag(from, number, _)
        | Ask::Copy(from, number, _)
        | Ask::Move(from, number, _)
        | Ask::Expunge(from, number) => (from, number),
    };
    let copies = state.range((from, number, 0)..=(from, number, u32::MAX));
    for (&(_, _, flags), &count) in copies {
        let place = match *ask {
            Ask::Flag(_, _, more) => Some((from, number, flags | more)),
            Ask::Copy(_, _, to) | Ask::Move(_, _, to) => Some((to, number, flags)),
            _ if flags & flag::DELETED != 0 => None,
            _ => continue,
        };
        if !matches!(ask, Ask::Copy(..)) {
            let left = next
                .get(&(from, number, flags))
                .map_or(0, |now| now - count);
            match left {
                0 => _ = next.remove(&(from, number, flags)),
                left => _ = next.insert((from, number, flags), left),
            }
        }
        if let Some(place) = place {
            *next.entry(place).or_default() += count;
        }
    }
    next
}

/// Accounts as they are found.
fn states(lmdb: &Lmdb) -> Vec<State> {
    sound(lmdb);
    let snapshot = lmdb.snapshot().expect("a snapshot");
    let accounts = (1..=u32::from(CLIENTS)).map(AccountId);
    let state = |account| {
        let mut state = State::new();
        for (place, name) in BOXES.iter().enumerate() {
            let mailbox = read::mailbox_id(&*snapshot, account, name).expect("readable");
            let mailbox = mailbox.expect("every account has it");
            read::messages(&*snapshot, account, mailbox, Uid(0), |_, row| {
                *state
                    .entry((place, row.internal_date, row.flags))
                    .or_default() += 1;
                ControlFlow::Continue(())
            })
            .expect("readable");
        }
        state
    };
    accounts.map(state).collect()
}

/// Every mail that a message stands for has its octets.
fn check_octets(lmdb: &Lmdb, data: &Path) {
    let snapshot = lmdb.snapshot().expect("a snapshot");
    let reader = Reader::new(Blocking, data);
    for account in (1..=u32::from(CLIENTS)).map(AccountId) {
        for name in BOXES {
            let mailbox = read::mailbox_id(&*snapshot, account, name).expect("readable");
            let mailbox = mailbox.expect("every account has it");
            read::messages(&*snapshot, account, mailbox, Uid(0), |_, row| {
                let blob = read::blob(&*snapshot, row.blob).expect("readable");
                let octets = now(reader.whole(&blob.expect("its mail is known")));
                let octets = octets.expect("its mail is sound");
                assert!(octets == mail::octets(row.internal_date), "another mail");
                ControlFlow::Continue(())
            })
            .expect("readable");
        }
    }
}

#[test]
fn what_was_answered_survives_being_killed() {
    let _alone = alone();
    let kills = std::env::var("RINGPOST_KILLS").ok();
    let kills = kills.map_or(30, |kills| kills.parse().expect("a number of kills"));
    println!("seed {SEED:#x}, {kills} kills");
    let mut random = Random::new(SEED);
    let data = match kills {
        0..=30 => scratch(),
        // What so many leave behind may be too much for memory.
        _ => tempfile::tempdir().expect("a scratch directory"),
    };
    let _unsynced = Watch::unsynced(data.path());
    let mut expected = begin(data.path());
    let (mut answered, mut replayed) = (0, 0);
    for kill in 0..kills {
        let lines = live_and_die(data.path(), random.bits(), random.below(LINES_MAX));
        let lmdb = open(data.path());
        replayed += lmdb.replay().records;
        let found = states(&lmdb);
        for (client, (state, found)) in expected.iter_mut().zip(found).enumerate() {
            let of_client = lines.iter().filter(|line| line[0] == client as u64);
            let lines: Vec<&[u64]> = of_client.map(|line| &line[1..]).collect();
            answered += lines.iter().filter(|line| line[0] == 1).count();
            settle(state, found, &lines)
                .unwrap_or_else(|what| panic!("kill {kill}, client {client}: {what}"));
        }
        check_octets(&lmdb, data.path());
        let before = tables(&*lmdb);
        drop(lmdb);
        let again = open(data.path());
        assert_eq!(again.replay().records, 0, "opening again replays nothing");
        assert!(before == tables(&*again), "opening again changes nothing");
    }
    println!("{answered} answers kept, {replayed} records replayed");
    assert!(
        answered > kills as usize && replayed > 0,
        "the load was one"
    );
}

fn open(data: &Path) -> Arc<Lmdb> {
    Lmdb::open(data, story::options()).expect("a store opens after a kill")
}

/// A store with an account for each client; what is in them.
fn begin(data: &Path) -> Vec<State> {
    let lmdb = open(data);
    for account in 1..=CLIENTS {
        let (name, secret) = (format!("{account}@example.test"), String::new());
        let made = ask(
            &*lmdb,
            Write::AccountCreate {
                name,
                secret,
                scram: None,
            },
        );
        assert_eq!(made, Ok(Outcome::Account(AccountId(account.into()))));
    }
    states(&lmdb)
}

/// Brings `state` to what was found, if the lines of its client allow it: [1, n]: n of what was asked for are answered,
/// and [0, ...]: this is asked for.
fn settle(state: &mut State, found: State, lines: &[&[u64]]) -> Result<(), String> {
    let mut asked = None;
    for line in lines {
        match line {
            [0, words @ ..] => asked = Some(Ask::read(words)),
            _ => *state = after(state, &asked.take().ok_or("an answer to nothing")?),
        }
    }
    // Of a batch that was not answered the first few may be there.
    let may = match &asked {
        None => vec![],
        Some(Ask::Deliver(numbers)) => (1..=numbers.len())
            .map(|count| Ask::Deliver(numbers[..count].to_vec()))
            .collect(),
        Some(ask) => vec![ask.clone()],
    };
    let mut all = std::iter::once(state.clone()).chain(may.iter().map(|ask| after(state, ask)));
    if !all.any(|expected| expected == found) {
        let lost = state
            .iter()
            .filter(|(key, count)| found.get(key) != Some(count));
        let more = found
            .iter()
            .filter(|(key, count)| state.get(key) != Some(count));
        return Err(format!(
            "at {asked:?}: expected {:?}, found {:?}",
            lost.collect::<Vec<_>>(),
            more.collect::<Vec<_>>()
        ));
    }
    *state = found;
    Ok(())
}

/// A child at work until it has told so many lines; all that it told: client, and what `settle` says.
fn live_and_die(data: &Path, seed: u64, lines: usize) -> Vec<Vec<u64>> {
    let child = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "--nocapture", "kill::the_one_that_is_killed"])
        .env(CHILD, format!("{seed} {}", data.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut child: Child = child.expect("this executable runs");
    let mut told = Vec::new();
    let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    // A line without an end was cut off by the kill: the request it tells of may not have been sent.
    while output.read_line(&mut line).is_ok_and(|count| count > 0) && line.ends_with('\n') {
        if let Some(words) = line.trim_end().strip_prefix('@') {
            let words = words.split(' ').map(|word| word.parse().expect("a number"));
            told.push(words.collect());
            if told.len() == lines + 1 {
                child.kill().expect("it is ours");
            }
        }
        line.clear();
    }
    let status = child.wait().expect("it is ours");
    assert_eq!(
        status.code(),
        None,
        "it was killed, and did not end by itself"
    );
    told
}

/// The child. Without a directory to work on it has nothing to do.
#[test]
fn the_one_that_is_killed() {
    let Ok(words) = std::env::var(CHILD) else {
        return;
    };
    let (seed, data) = words.split_once(' ').expect("two words");
    let (seed, data) = (seed.parse::<u64>().expect("a number"), Path::new(data));
    // What is not synced outlives a process all the same.
    let _unsynced = Watch::unsynced(data);
    let lmdb = open(data);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let lmdb = lmdb.clone();
            scope.spawn(move || Client::new(lmdb, data, client, seed).work());
        }
    });
    panic!("a child is killed before it is done");
}

struct Client {
    lmdb: Arc<Lmdb>,
    shard: Shard,
    number: u16,
    account: AccountId,
    random: Random,
    next: u64,
}

impl Client {
    fn new(lmdb: Arc<Lmdb>, data: &Path, number: u16, seed: u64) -> Self {
        let index = lmdb.clone();
        let shard = Shard::open(&lmdb, data, number, move |write| index.submit(write, None));
        let mut random = Random::new(seed ^ u64::from(number));
        Client {
            // No two children and no two clients share numbers, but for a chance of nothing.
            next: random.bits() >> 8,
            lmdb,
            shard,
            number,
            account: AccountId(u32::from(number) + 1),
            random,
        }
    }

    fn work(mut self) {
        for _ in 0..REQUESTS_MAX {
            let request = match self.random.below(3) {
                0 => self.deliver(),
                _ => self.change().unwrap_or_else(|| self.deliver()),
            };
            self.tell(&format!("0 {}", request.words()));
            self.do_it(&request);
            self.tell("1");
        }
    }

    /// One line, in one write.
    fn tell(&self, words: &str) {
        let line = format!("@{} {words}\n", self.number);
        let told = std::io::stdout().lock().write_all(line.as_bytes());
        told.expect("the one who kills us listens");
    }

    fn deliver(&mut self) -> Ask {
        let first = self.next;
        self.next += 1 + self.random.below(4) as u64;
        Ask::Deliver((first..self.next).collect())
    }

    /// Something about one of the mails that are there.
    fn change(&mut self) -> Option<Ask> {
        let from = self.random.below(BOXES.len());
        let mut numbers = Vec::new();
        self.messages(from, |_, number| numbers.push(number));
        if numbers.is_empty() {
            return None;
        }
        let number = numbers[self.random.below(numbers.len())];
        let to = (from + 1 + self.random.below(BOXES.len() - 1)) % BOXES.len();
        Some(match self.random.below(8) {
            0 => Ask::Flag(from, number, flag::FLAGGED),
            1 => Ask::Flag(from, number, flag::DELETED),
            2 => Ask::Copy(from, number, to),
            3 => Ask::Move(from, number, to),
            _ => Ask::Expunge(from, number),
        })
    }

    /// Shows UID and number of each message of a mailbox, whose id is returned.
    fn messages(&self, place: usize, mut visit: impl FnMut(Uid, u64)) -> MailboxId {
        let snapshot = self.lmdb.snapshot().expect("a snapshot");
        let mailbox = read::mailbox_id(&*snapshot, self.account, BOXES[place]).expect("readable");
        let mailbox = mailbox.expect("every account has it");
        read::messages(&*snapshot, self.account, mailbox, Uid(0), |uid, row| {
            visit(uid, row.internal_date);
            ControlFlow::Continue(())
        })
        .expect("readable");
        mailbox
    }

    fn do_it(&mut self, request: &Ask) {
        let account = self.account;
        let (from, number) = match *request {
            Ask::Deliver(ref numbers) => return self.append(numbers),
            Ask::Flag(from, number, _)
            | Ask::Copy(from, number, _)
            | Ask::Move(from, number, _)
            | Ask::Expunge(from, number) => (from, number),
        };
        let mut uids = Vec::new();
        let mailbox = self.messages(from, |uid, found| {
            if found == number {
                uids.push(uid);
            }
        });
        let write = match *request {
            Ask::Deliver(_) => return,
            Ask::Flag(_, _, flags) => Write::Store(StoreFlags {
                account,
                mailbox,
                uids,
                change: FlagChange::Add,
                flags,
                keywords: Vec::new(),
                unchanged_since: None,
            }),
            Ask::Copy(_, _, to) | Ask::Move(_, _, to) => Write::Transfer {
                account,
                mailbox,
                uids,
                target: self.messages(to, |_, _| {}),
                mode: match request {
                    Ask::Copy(..) => Transfer::Copy,
                    _ => Transfer::Move,
                },
            },
            Ask::Expunge(..) => Write::Expunge {
                account,
                mailbox,
                uids: Some(uids),
            },
        };
        ask(&*self.lmdb, write).expect("what is there can be changed");
    }

    fn append(&mut self, numbers: &[u64]) {
        let mut appends = Vec::new();
        for &number in numbers {
            appends.push(self.shard.append(number, &[self.account]));
        }
        self.shard.turn();
        for mut append in appends {
            let mut context = Context::from_waker(Waker::noop());
            match Pin::new(&mut append).poll(&mut context) {
                Poll::Ready(durable) => _ = durable.expect("the disk is not full"),
                Poll::Pending => panic!("a blocking file answers at once"),
            }
        }
    }
}
