//! Mails by number: the same number, the same octets, in the run that wrote them and in the check that looks for them.

use crate::random::Random;
use ringpost_api::item::{Head, Item, Recipient};
use ringpost_api::write::{Missing, Target};
use ringpost_log::{Body, Record};
use ringpost_types::{AccountId, MailboxId};

/// Mails are this long at most, but for one in eight.
const SHORT_MAX: usize = 3_000;
/// Those are longer than a log copies at most: they take a way of their own through it.
const LONG_MAX: usize = 160_000;
/// From here on a mail is streamed, if it is streamed at all: every second one.
const STREAMED_MIN: usize = 20_000;

/// The octets of mail `number`.
pub fn octets(number: u64) -> Vec<u8> {
    let mut random = Random::new(number);
    let length = match random.once_in(8) {
        true => random.below(LONG_MAX),
        false => random.below(SHORT_MAX),
    };
    let mut octets = format!("Subject: mail {number}\r\n\r\n").into_bytes();
    // One in three shrinks when it is packed.
    let packs = number.is_multiple_of(3);
    while octets.len() < length {
        match packs {
            true => octets.extend_from_slice(b"And so on, line for line.\r\n"),
            false => octets.extend_from_slice(&random.bits().to_be_bytes()),
        }
    }
    octets
}

/// Whether mail `number` goes into the log while it arrives.
pub fn is_streamed(number: u64) -> bool {
    number.is_multiple_of(2) && octets(number).len() >= STREAMED_MIN
}

/// One in four leaves too, in one envelope or in two.
fn items(number: u64) -> Vec<Item> {
    let count = match number % 4 {
        1 => 1 + number / 4 % 2,
        _ => 0,
    };
    let item = |at: u64| Item {
        head: Head {
            created: number,
            due: number + at,
            ..Head::default()
        },
        sender: Some(format!("{number}@example.test")),
        recipients: vec![Recipient {
            address: format!("{at}@other.test"),
            ..Recipient::default()
        }],
        ..Item::default()
    };
    (0..count).map(item).collect()
}

/// Mail `number`, whose octets are `body`, into the INBOX of each of `accounts`: its INTERNALDATE is its number.
pub fn record(number: u64, accounts: &[AccountId], body: Body) -> Record {
    let targets = accounts.iter().map(|&account| Target {
        account,
        mailbox: MailboxId::INBOX,
        missing: Missing::Inbox,
        flags: 0,
        keywords: Vec::new(),
        internal_date: number,
        prefix: format!("Delivered-To: {account}\r\n").into_bytes(),
    });
    Record {
        targets: targets.collect(),
        items: items(number),
        digest: format!("digest of {number}").into_bytes(),
        text: format!("text of {number}").into_bytes(),
        body,
    }
}
