//! Writes out of random numbers: few names, small ids and quotas, several logs, so that they meet.
//!
//! In:  numbers, for instance from a test that shrinks and prints them.
//! Out: one write for each few of them; the same for the same numbers.

use super::NOW;
use crate::credential::{Scram, scope};
use crate::item::{Head, Item, Recipient, State};
use crate::network::Trap;
use crate::search::build::Builder;
use crate::table::{Encoding, Stretch, flag, special};
use crate::write::{
    AliasTarget, Deliver, FlagChange, Missing, Position, Relocate, StoreFlags, Target, Transfer,
    Write,
};
use crate::{text, transcript};
use ringpost_types::{AccountId, BlobId, Cidr, ItemId, MailboxId, ModSeq, TraceId, Uid};

const NAMES: [&str; 12] = [
    "INBOX", "inbox", "a", "a/b", "a/b/c", "b", "INBOX/x", "Sent", "Trash", "a/b/b", "", "ä*",
];
const KEYWORDS: [&str; 4] = ["$Forwarded", "$forwarded", "$Junk", ""];
const ADDRESSES: [&str; 6] = [
    "a@example.test",
    "B@example.test",
    "c@example.test",
    "d@example.test",
    "e@other.test",
    "x",
];

/// Logs that mails come from, and the one they are moved into, which is the last.
const LOGS: [u16; 4] = [0, 1, 65_535, 65_534];

/// Makes writes, and keeps count of what it put into which log.
pub struct Script<'n> {
    numbers: std::slice::Iter<'n, u32>,
    sequences: [u64; LOGS.len()],
}

impl<'n> Script<'n> {
    /// Begins; [`accounts`] makes those that it speaks of.
    pub fn new(numbers: &'n [u32]) -> Self {
        Script {
            numbers: numbers.iter(),
            sequences: [0; LOGS.len()],
        }
    }

    /// A number below `bound`; `None` when there are no more.
    fn pick(&mut self, bound: u32) -> Option<u32> {
        self.numbers.next().map(|number| number % bound)
    }

    fn account(&mut self) -> Option<AccountId> {
        Some(AccountId(1 + self.pick(3)?))
    }

    fn mailbox(&mut self) -> Option<MailboxId> {
        Some(MailboxId(1 + self.pick(9)?))
    }

    fn name(&mut self) -> Option<String> {
        Some(NAMES[self.pick(NAMES.len() as u32)? as usize].to_owned())
    }

    fn address(&mut self) -> Option<String> {
        Some(ADDRESSES[self.pick(ADDRESSES.len() as u32)? as usize].to_owned())
    }

    fn keywords(&mut self) -> Option<Vec<String>> {
        let bits = self.pick(16)?;
        let chosen = KEYWORDS
            .iter()
            .enumerate()
            .filter(|(at, _)| bits >> at & 1 == 1);
        Some(chosen.map(|(_, keyword)| (*keyword).to_owned()).collect())
    }

    /// UIDs, ascending.
    fn uids(&mut self) -> Option<Vec<Uid>> {
        let bits = self.pick(1 << 10)?;
        Some(
            (0..10)
                .filter(|at| bits >> at & 1 == 1)
                .map(|at| Uid(1 + at))
                .collect(),
        )
    }

    /// The next write; `None` when the numbers are used up.
    #[allow(clippy::should_implement_trait)] // It is no iterator: it lends nothing and is asked once a step.
    pub fn next(&mut self) -> Option<Write> {
        let account = self.account()?;
        Some(match self.pick(43)? {
            33..=42 => self.kept(account)?,
            0..=6 => Write::Deliver(self.deliver()?),
            24 | 25 => Write::Relocate(self.relocate()?),
            26 => self.tidied()?,
            27 => Write::Quota {
                account,
                octets: (self.pick(4)? * 500).into(),
                messages: self.pick(4)? * 3,
            },
            28 => Write::Trim {
                account,
                upto: ModSeq(self.pick(80)?.into()),
            },
            29 => Write::Sweep,
            30 => self.filter(account)?,
            32 => Write::Text {
                blob: BlobId::new(LOGS[self.pick(3)? as usize], self.pick(12)?.into()),
                row: text::encode(b"", b"some text", 0, 4),
            },
            31 => Write::Unfilter {
                account,
                mailbox: self.mailbox()?,
            },
            7..=9 => Write::Store(self.store(account)?),
            10 | 11 => Write::Expunge {
                account,
                mailbox: self.mailbox()?,
                uids: if self.pick(2)? == 0 {
                    None
                } else {
                    Some(self.uids()?)
                },
            },
            12..=14 => Write::Transfer {
                account,
                mailbox: self.mailbox()?,
                uids: self.uids()?,
                target: self.mailbox()?,
                mode: if self.pick(2)? == 0 {
                    Transfer::Copy
                } else {
                    Transfer::Move
                },
            },
            15 => Write::ClaimRecent {
                account,
                mailbox: self.mailbox()?,
            },
            16 => Write::MailboxCreate {
                account,
                name: self.name()?,
                special: special::JUNK,
            },
            17 => Write::MailboxDelete {
                account,
                name: self.name()?,
            },
            18 | 19 => Write::MailboxRename {
                account,
                from: self.name()?,
                to: self.name()?,
            },
            20 => Write::Subscribe {
                account,
                name: self.name()?,
                on: self.pick(2)? == 0,
            },
            21 => Write::AccountCreate {
                name: self.address()?,
                secret: "secret".into(),
                scram: self.scram()?,
            },
            22 => match self.pick(4)? {
                0 => Write::AccountRemove { account },
                _ => Write::AccountSecret {
                    account,
                    secret: "other".into(),
                    scram: self.scram()?,
                },
            },
            _ => match self.pick(3)? {
                0 => Write::AliasRemove {
                    address: self.address()?,
                },
                _ => Write::AliasPut {
                    address: self.address()?,
                    targets: vec![
                        AliasTarget::Account(account),
                        AliasTarget::Address(self.address()?),
                    ],
                },
            },
        })
    }

    fn deliver(&mut self) -> Option<Deliver> {
        let at = self.pick(3)? as usize;
        let (log, sequence) = (LOGS[at], self.sequence(at)?);
        let mut targets = Vec::new();
        for _ in 0..self.pick(4)? {
            targets.push(Target {
                account: self.account()?,
                mailbox: self.mailbox()?,
                missing: if self.pick(3)? == 0 {
                    Missing::Refuse
                } else {
                    Missing::Inbox
                },
                flags: self.pick(32)?,
                keywords: self.keywords()?,
                internal_date: 7,
                prefix: vec![b'p'; self.pick(3)? as usize],
            });
        }
        let place = self.place(sequence)?;
        Some(Deliver {
            blob: BlobId::new(log, sequence),
            segment: place.segment,
            offset: place.offset,
            octets: 100 + sequence,
            stored: place.stored,
            encoding: place.encoding,
            record: place.record,
            checksum: sequence,
            digest: vec![sequence as u8; 3],
            text: vec![sequence as u8; (sequence % 2) as usize],
            targets,
            items: self.items()?,
            next: place.next,
        })
    }

    /// Envelopes of a mail, mostly none.
    fn items(&mut self) -> Option<Vec<Item>> {
        let count = self.pick(8)?.saturating_sub(5);
        let mut items = Vec::new();
        for _ in 0..count {
            let due = u64::from(self.pick(100)?);
            let recipients = (0..1 + self.pick(2)?).map(|number| Recipient {
                address: format!("{number}@other.test"),
                due,
                ..Recipient::default()
            });
            items.push(Item {
                head: Head {
                    due,
                    attempts: self.pick(2)?,
                    state: [State::Queued, State::Held][self.pick(2)? as usize],
                    ..Head::default()
                },
                recipients: recipients.collect(),
                ..Item::default()
            });
        }
        Some(items)
    }

    fn item_ids(&mut self) -> Option<Vec<ItemId>> {
        let bits = self.pick(1 << 12)?;
        let chosen = (0..12).filter(|at| bits >> at & 1 == 1);
        Some(chosen.map(|at| ItemId(1 + at)).collect())
    }

    fn scram(&mut self) -> Option<Option<Scram>> {
        let keys = Scram {
            iterations: 1,
            salt: vec![1],
            stored_key: [2; 32],
            server_key: [3; 32],
        };
        Some((self.pick(2)? == 0).then_some(keys))
    }

    fn network(&mut self) -> Option<Cidr> {
        let address = [192, 0, 2, self.pick(4)? as u8].into();
        Some(Cidr::around(address, [24, 32][self.pick(2)? as usize]))
    }

    /// What is kept beside mail: credentials, the queue, what ages.
    fn kept(&mut self, account: AccountId) -> Option<Write> {
        Some(match self.pick(11)? {
            0 => Write::CredentialAdd {
                account,
                name: self.name()?,
                scopes: self.pick(scope::ALL + 2)?,
                secret: "app".into(),
                scram: self.scram()?,
            },
            1 => Write::CredentialRemove {
                account,
                id: self.pick(5)?,
            },
            2 => Write::CredentialUsed {
                account,
                id: self.pick(5)?,
            },
            3 => Write::QueueHold {
                items: self.item_ids()?,
                why: "wait".into(),
            },
            4 => Write::QueueRelease {
                items: self.item_ids()?,
            },
            5 => Write::QueueDrop {
                items: self.item_ids()?,
            },
            6 => Write::Transcript {
                trace: TraceId(self.pick(6)?.into()),
                row: transcript::encode(NOW + u64::from(self.pick(9)?), "S: 550 no"),
            },
            7 => Write::Ban {
                network: self.network()?,
                until: NOW + u64::from(self.pick(9)?),
                reason: "guessed".into(),
            },
            8 => Write::Unban {
                network: self.network()?,
            },
            9 => Write::Trap {
                kind: [Trap::Address, Trap::Defer][self.pick(2)? as usize],
                network: self.network()?,
            },
            // Days later, or soon.
            _ => Write::Expire {
                now: NOW + u64::from(self.pick(9)?) + [0, 7, 31][self.pick(3)? as usize] * 86_400,
            },
        })
    }

    /// The next record of a log, or now and then one that was there before.
    fn sequence(&mut self, log: usize) -> Option<u64> {
        let again = self.pick(8)? == 0;
        let last = self.sequences[log];
        if again && last > 0 {
            return Some(1 + u64::from(self.pick(u32::MAX)?) % last);
        }
        self.sequences[log] += 1;
        Some(self.sequences[log])
    }

    /// Where the record of that number is in any log: among others, or, a large mail, in a segment of its own. Two
    /// records to a segment.
    fn place(&mut self, sequence: u64) -> Option<Place> {
        let segment = 1 + (sequence / 2) as u32;
        let offset = 64 + (sequence % 2) * 1000;
        let own = self.pick(5)? == 0;
        let record = Stretch {
            segment,
            offset,
            octets: if own { 200 } else { 900 },
        };
        Some(Place {
            segment: if own {
                1_000 + sequence as u32
            } else {
                segment
            },
            offset: if own { 64 } else { offset + 100 },
            stored: 50 + sequence,
            encoding: if sequence.is_multiple_of(3) {
                Encoding::Zstd
            } else {
                Encoding::Raw
            },
            record,
            next: Position {
                segment,
                offset: offset + record.octets,
                sequence: sequence + 1,
            },
        })
    }

    /// A mail of some log, moved; its checksum may be another's.
    fn relocate(&mut self) -> Option<Relocate> {
        let from = self.pick(3)? as usize;
        let blob = 1 + self.pick(1 + self.sequences[from] as u32)?;
        let sequence = self.sequence(LOGS.len() - 1)?;
        let place = self.place(sequence)?;
        Some(Relocate {
            blob: BlobId::new(LOGS[from], blob.into()),
            log: LOGS[LOGS.len() - 1],
            segment: place.segment,
            offset: place.offset,
            stored: place.stored,
            encoding: place.encoding,
            checksum: if self.pick(8)? == 0 { 0 } else { blob.into() },
            record: place.record,
            next: place.next,
        })
    }

    /// A block of the search filter that may follow the last one, and may reach too far.
    fn filter(&mut self, account: AccountId) -> Option<Write> {
        let first = Uid(1 + self.pick(4)?);
        let mut builder = Builder::new(first);
        for uid in 0..self.pick(3)? {
            builder.add(Uid(first.0 + uid), Some([b"some text", b""]));
        }
        Some(Write::Filter {
            account,
            mailbox: self.mailbox()?,
            first,
            rows: builder.rows(),
        })
    }

    /// A stretch that may be free, and now and then a segment.
    fn tidied(&mut self) -> Option<Write> {
        let log = LOGS[self.pick(4)? as usize];
        let segment = 1 + self.pick(8)?;
        let hole = Stretch {
            segment,
            offset: 64 + u64::from(self.pick(2)?) * 1000,
            octets: 900,
        };
        let segments = match self.pick(4)? {
            0 => vec![(log, segment)],
            _ => Vec::new(),
        };
        Some(Write::Tidied {
            holes: vec![(log, hole)],
            segments,
        })
    }

    fn store(&mut self, account: AccountId) -> Option<StoreFlags> {
        Some(StoreFlags {
            account,
            mailbox: self.mailbox()?,
            uids: self.uids()?,
            change: match self.pick(3)? {
                0 => FlagChange::Replace,
                1 => FlagChange::Add,
                _ => FlagChange::Remove,
            },
            flags: self.pick(flag::ALL + 2)?,
            keywords: self.keywords()?,
            unchanged_since: match self.pick(4)? {
                0 => Some(ModSeq(self.pick(40)?.into())),
                _ => None,
            },
        })
    }
}

/// Where a record is, and what of it is the mail.
struct Place {
    segment: u32,
    offset: u64,
    stored: u64,
    encoding: Encoding,
    record: Stretch,
    next: Position,
}

/// Two accounts, for a script to begin with.
pub fn accounts() -> Vec<Write> {
    let create = |name: &str| Write::AccountCreate {
        name: name.into(),
        secret: String::new(),
        scram: None,
    };
    ADDRESSES[..2].iter().map(|name| create(name)).collect()
}
