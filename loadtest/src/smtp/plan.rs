//! What is to be sent, and how; shared by all threads.
//!
//! Mails are numbered from 0. A session that is free takes the next number; the number decides template and
//! recipients, so that two runs of one seed send the same, whatever the timing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ringpost_runtime::TlsClient;

use crate::message::{Corpus, Form};
use crate::target::{Target, Tls};

/// How replies are waited for. RFC 2920.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Each command waits for its reply.
    Stepwise,
    /// The envelope goes in one piece.
    Pipelined,
}

/// Which greeting, and how many replies at the end. RFC 2033 §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Smtp,
    Lmtp,
}

/// Everything a session needs to know.
pub struct Plan {
    pub target: Target,
    pub tls: Tls,
    pub tls_client: TlsClient,
    pub dialect: Dialect,
    pub pace: Pace,
    pub form: Form,
    /// User and password, for AUTH PLAIN.
    pub login: Option<(String, String)>,
    pub reverse_path: String,
    pub accounts: Vec<String>,
    pub recipients_per_message: usize,
    pub corpus: Corpus,
    pub run: u64,
    pub sessions: u64,
    pub messages: u64,
    pub messages_per_connection: u64,
    /// No mail is begun after this.
    pub until: Instant,
    /// How long the server may go on working after its last reply before it is measured.
    pub rest: Duration,
    pub counts: Counts,
}

/// What a server may take to come to rest: a queue takes its time.
pub const REST: Duration = Duration::from_secs(60);

/// How far the run is, for all threads to add to and for the progress bar to read.
#[derive(Debug, Default)]
pub struct Counts {
    taken: AtomicU64,
    pub accepted: AtomicU64,
    pub refused: AtomicU64,
    pub octets: AtomicU64,
    /// Sessions that were greeted at least once.
    pub greeted: AtomicU64,
}

impl Plan {
    /// The number of the next mail; `None` when all are taken or the time is over.
    pub fn next(&self) -> Option<u64> {
        if Instant::now() >= self.until {
            return None;
        }
        let number = self.counts.taken.fetch_add(1, Ordering::Relaxed);
        (number < self.messages).then_some(number)
    }

    /// Indices of the accounts that mail `number` goes to: neighbours, each at most once.
    pub fn recipients(&self, number: u64) -> impl Iterator<Item = u32> {
        let (count, each) = (
            self.accounts.len() as u64,
            self.recipients_per_message as u64,
        );
        let first = number.wrapping_mul(each);
        (0..each.min(count)).map(move |place| (first.wrapping_add(place) % count) as u32)
    }
}
