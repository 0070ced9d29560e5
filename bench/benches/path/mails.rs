//! The mails of these figures: made once, the same in every run, with digest and text as delivery makes them.

use ringpost_api::write::{Missing, Target};
use ringpost_bench::corpus;
use ringpost_delivery::text;
use ringpost_log::{Body, Record};
use ringpost_message::Scanner;
use ringpost_types::limit::Limits;
use ringpost_types::{AccountId, MailboxId};
use std::sync::Arc;

/// Different mails; they are sent over and over.
const COUNT: usize = 512;
/// Accounts that get mail.
pub const ACCOUNTS: u32 = 1_000;

/// One mail, ready to be appended.
pub struct Mail {
    pub octets: Vec<u8>,
    pub digest: Vec<u8>,
    pub text: Vec<u8>,
}

/// Numbers that look random, the same in every run: SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// Between 0 and 1, not 0.
    fn fraction(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Of the normal distribution: Box and Muller.
    fn normal(&mut self) -> f64 {
        let (radius, angle) = (self.fraction(), self.fraction());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}

/// 1 to 400 KiB, log-normal, about 30 KiB in the mean: texts, and from 8 KiB on with HTML and an attachment.
pub fn mixed() -> Arc<[Mail]> {
    const SPREAD: f64 = 1.2;
    let middle = (30.0 * 1024.0_f64).ln() - SPREAD * SPREAD / 2.0;
    let mut random = Random(30);
    let sizes = (0..COUNT).map(move |_| {
        let size = (middle + SPREAD * random.normal()).exp();
        size.clamp(1024.0, 400.0 * 1024.0) as usize
    });
    sizes.map(mail).collect()
}

/// 2 KiB each.
pub fn short() -> Arc<[Mail]> {
    (0..COUNT).map(|_| mail(2 * 1024)).collect()
}

fn mail(size: usize) -> Mail {
    let octets = match size {
        0..8192 => corpus::plain(size),
        _ => corpus::multipart(size),
    };
    Mail::new(octets)
}

impl Mail {
    /// With what delivery makes of it while it arrives.
    pub fn new(octets: Vec<u8>) -> Self {
        let limits = Limits::default();
        let digest = Scanner::new(&limits).finish(&octets, 0);
        let text = text::row(&digest, &octets, &limits);
        Mail {
            octets,
            digest,
            text,
        }
    }

    /// A record as delivery makes it for one recipient.
    pub fn record(&self, account: AccountId) -> Record {
        let target = Target {
            account,
            mailbox: MailboxId::INBOX,
            missing: Missing::Inbox,
            flags: 0,
            keywords: Vec::new(),
            internal_date: 1_795_000_000,
            prefix: b"Return-Path: <alice@example.net>\r\nDelivered-To: bob@example.org\r\n"
                .to_vec(),
        };
        Record {
            targets: vec![target],
            items: Vec::new(),
            digest: self.digest.clone(),
            text: self.text.clone(),
            body: Body::Whole(self.octets.clone()),
        }
    }
}
