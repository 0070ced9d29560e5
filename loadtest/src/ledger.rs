//! What the server has promised: which mail was accepted for which account. And whether it kept it.
//!
//! In:  accepted and doubtful mails while the load runs; mails found afterwards.
//! Out: [`Audit`], the difference.
//!
//! A mail is *accepted* once its 250 has been read, *doubtful* when the connection ended between its last octet
//! and the reply: it may be there or not. RFC 5321 §4.5.3.2.6. A mail that was refused, or whose octets were
//! never all sent, must not be there.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::message::{Fault, Id, read_hex};

/// One mail for one account (its index in the run's accounts).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Entry {
    pub account: u32,
    pub number: u64,
}

/// Promises of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    pub run: u64,
    pub accepted: Vec<Entry>,
    pub doubtful: Vec<Entry>,
}

const TITLE: &str = "ringpost-load ledger 1";

impl Ledger {
    /// Takes over what another session has noted.
    pub fn merge(&mut self, other: Ledger) {
        self.accepted.extend(other.accepted);
        self.doubtful.extend(other.doubtful);
    }

    /// As text, accounts by name: a title line, then `accepted|doubtful ACCOUNT NUMBER` lines.
    pub fn write(&self, accounts: &[String]) -> String {
        let mut out = format!("{TITLE} {:016x}\n", self.run);
        for (word, entries) in [("accepted", &self.accepted), ("doubtful", &self.doubtful)] {
            for entry in entries {
                let account = &accounts[entry.account as usize];
                let _ = writeln!(out, "{word} {account} {}", entry.number);
            }
        }
        out
    }

    /// Reads what [`Ledger::write`] wrote; the accounts in the order in which they appear. `None` for anything else.
    pub fn read(text: &str) -> Option<(Ledger, Vec<String>)> {
        let mut lines = text.lines();
        let run = lines.next()?.strip_prefix(TITLE)?.trim_start();
        let mut ledger = Ledger {
            run: read_hex(run.as_bytes())?,
            ..Ledger::default()
        };
        let mut accounts: Vec<String> = Vec::new();
        let mut index: HashMap<&str, u32> = HashMap::new();
        for line in lines {
            let mut words = line.split(' ');
            let (word, account, number) = (words.next()?, words.next()?, words.next()?);
            let account = *index.entry(account).or_insert_with(|| {
                accounts.push(account.to_owned());
                accounts.len() as u32 - 1
            });
            let entry = Entry {
                account,
                number: number.parse().ok()?,
            };
            match word {
                "accepted" => ledger.accepted.push(entry),
                "doubtful" => ledger.doubtful.push(entry),
                _ => return None,
            }
        }
        Some((ledger, accounts))
    }
}

/// What one mail of the ledger has come to.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    accepted: bool,
    times: u32,
}

/// Compares the mailboxes with the ledger.
#[derive(Debug)]
pub struct Audit {
    run: u64,
    mails: HashMap<Entry, Found>,
    outcome: Outcome,
}

/// The difference. All is well when only the first two are not 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Accepted mails found, each counted once.
    pub found: u64,
    /// Mails whose octets were compared and are as sent.
    pub whole: u64,
    /// Accepted and not there.
    pub missing: u64,
    /// There more than once: copies too many.
    pub doubled: u64,
    /// There with other octets than were sent.
    pub altered: u64,
    /// Of this run, there, and neither accepted nor doubtful.
    pub unexpected: u64,
    /// The first few of those above, for a person.
    pub examples: Vec<String>,
}

const EXAMPLES_MAX: usize = 10;

impl Outcome {
    /// Whether every promise was kept.
    pub fn is_well(&self) -> bool {
        self.missing + self.doubled + self.altered + self.unexpected == 0
    }

    fn example(&mut self, what: &str, entry: Entry) {
        if self.examples.len() < EXAMPLES_MAX {
            let Entry { account, number } = entry;
            self.examples
                .push(format!("{what}: mail {number} of account {account}"));
        }
    }
}

impl Audit {
    /// Starts with nothing found.
    pub fn new(ledger: &Ledger) -> Self {
        let doubtful = ledger
            .doubtful
            .iter()
            .map(|entry| (*entry, Found::default()));
        let accepted = ledger.accepted.iter().map(|entry| {
            (
                *entry,
                Found {
                    accepted: true,
                    times: 0,
                },
            )
        });
        Audit {
            run: ledger.run,
            mails: doubtful.chain(accepted).collect(),
            outcome: Outcome::default(),
        }
    }

    /// Accepted mails of `account`.
    pub fn expected(&self, account: u32) -> u64 {
        let of_account =
            |(entry, found): (&Entry, &Found)| entry.account == account && found.accepted;
        self.mails.iter().filter(|pair| of_account(*pair)).count() as u64
    }

    /// A mail of identity `id` is in the mailbox of `account`. Returns whether it is one of this run.
    pub fn seen(&mut self, account: u32, id: Id) -> bool {
        if id.run != self.run {
            return false;
        }
        let entry = Entry {
            account,
            number: id.number,
        };
        match self.mails.get_mut(&entry) {
            None => {
                self.outcome.unexpected += 1;
                self.outcome.example("unexpected", entry);
            }
            Some(found) => {
                found.times += 1;
                if found.times > 1 {
                    self.outcome.doubled += 1;
                    self.outcome.example("doubled", entry);
                }
            }
        }
        true
    }

    /// The octets of a mail of this run were compared.
    pub fn compared(&mut self, account: u32, verdict: Result<Id, Fault>) {
        match verdict {
            Ok(_) => self.outcome.whole += 1,
            Err(fault) => {
                let number = match fault {
                    Fault::Altered(id) => id.number,
                    Fault::Stranger => u64::MAX,
                };
                self.outcome.altered += 1;
                self.outcome.example("altered", Entry { account, number });
            }
        }
    }

    /// The end: what was accepted and not seen is missing.
    pub fn finish(mut self) -> Outcome {
        let mut missing: Vec<Entry> = Vec::new();
        for (entry, found) in &self.mails {
            match (found.accepted, found.times) {
                (true, 0) => missing.push(*entry),
                (true, _) => self.outcome.found += 1,
                (false, _) => {}
            }
        }
        missing.sort();
        self.outcome.missing = missing.len() as u64;
        for entry in missing {
            self.outcome.example("missing", entry);
        }
        self.outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        let entry = |account, number| Entry { account, number };
        Ledger {
            run: 9,
            accepted: vec![entry(0, 0), entry(1, 1), entry(0, 2)],
            doubtful: vec![entry(1, 3)],
        }
    }

    fn audit(seen: &[(u32, u64)]) -> Outcome {
        let mut audit = Audit::new(&ledger());
        for &(account, number) in seen {
            assert!(audit.seen(account, Id { run: 9, number }));
        }
        audit.finish()
    }

    #[test]
    fn each_difference_shows() {
        let well = audit(&[(0, 0), (1, 1), (0, 2)]);
        assert!(well.is_well() && well.found == 3);
        assert!(
            audit(&[(0, 0), (1, 1), (0, 2), (1, 3)]).is_well(),
            "doubtful may be there"
        );
        let missing = audit(&[(0, 0), (0, 2)]);
        assert_eq!((missing.missing, missing.found), (1, 2));
        assert_eq!(missing.examples, ["missing: mail 1 of account 1"]);
        assert_eq!(audit(&[(0, 0), (1, 1), (0, 2), (0, 0)]).doubled, 1);
        assert_eq!(audit(&[(0, 0), (1, 1), (0, 2), (1, 3), (1, 3)]).doubled, 1);
        assert_eq!(
            audit(&[(0, 0), (1, 1), (0, 2), (0, 1)]).unexpected,
            1,
            "wrong account"
        );
    }

    #[test]
    fn altered_and_strangers() {
        let mut audit = Audit::new(&ledger());
        assert!(!audit.seen(0, Id { run: 8, number: 0 }), "another run");
        assert_eq!(audit.expected(0), 2);
        audit.compared(0, Err(Fault::Altered(Id { run: 9, number: 0 })));
        audit.compared(0, Ok(Id { run: 9, number: 2 }));
        let outcome = audit.finish();
        assert_eq!((outcome.altered, outcome.whole, outcome.missing), (1, 1, 3));
        assert!(!outcome.is_well());
    }

    #[test]
    fn text_and_back() {
        let accounts = ["a@x".to_owned(), "b@x".to_owned()];
        let text = ledger().write(&accounts);
        let (back, names) = Ledger::read(&text).unwrap();
        assert_eq!((back, names), (ledger(), accounts.to_vec()));
        for bad in [
            "",
            "x",
            "ringpost-load ledger 1 9",
            "ringpost-load ledger 1 0000000000000009\nlost a 1",
        ] {
            assert!(Ledger::read(bad).is_none(), "{bad:?}");
        }
    }
}
