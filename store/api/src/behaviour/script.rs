//! Writes out of random numbers: few names, small ids, so that they meet.
//!
//! In:  numbers, for instance from a test that shrinks and prints them.
//! Out: one write for each few of them; the same for the same numbers.

use crate::table::{Encoding, Stretch, flag, special};
use crate::write::{
    AliasTarget, Deliver, FlagChange, Missing, Position, StoreFlags, Target, Transfer, Write,
};
use ringpost_types::{AccountId, BlobId, MailboxId, ModSeq, Uid};

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

/// Makes writes, and keeps count of what it put into which log.
pub struct Script<'n> {
    numbers: std::slice::Iter<'n, u32>,
    sequences: [u64; 2],
}

impl<'n> Script<'n> {
    /// Begins; the first two writes make accounts.
    pub fn new(numbers: &'n [u32]) -> Self {
        Script {
            numbers: numbers.iter(),
            sequences: [0; 2],
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
        Some(match self.pick(24)? {
            0..=6 => Write::Deliver(self.deliver()?),
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
            },
            22 => match self.pick(4)? {
                0 => Write::AccountRemove { account },
                _ => Write::AccountSecret {
                    account,
                    secret: "other".into(),
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
        let log = self.pick(2)? as u16;
        let again = self.pick(8)? == 0;
        let sequence = &mut self.sequences[usize::from(log)];
        *sequence += u64::from(!again || *sequence == 0);
        let sequence = *sequence;
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
        Some(Deliver {
            blob: BlobId::new(log, sequence),
            segment: 1,
            offset: sequence * 1000,
            octets: 100 + sequence,
            stored: 100 + sequence,
            encoding: Encoding::Raw,
            record: Stretch {
                segment: 1,
                offset: sequence * 1000,
                octets: 900,
            },
            checksum: sequence,
            digest: vec![sequence as u8; 3],
            text: vec![sequence as u8; (sequence % 2) as usize],
            targets,
            next: Position {
                segment: 1,
                offset: sequence * 1000 + 900,
                sequence: sequence + 1,
            },
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

/// Two accounts, for a script to begin with.
pub fn accounts() -> Vec<Write> {
    let create = |name: &str| Write::AccountCreate {
        name: name.into(),
        secret: String::new(),
    };
    ADDRESSES[..2].iter().map(|name| create(name)).collect()
}
