//! Who may come in, in a running server: made at the start, with the bans that the store remembers, and looked after by
//! the control plane.
//!
//! ```text
//! start:         limits, [admission] -> Policy; the store's bans -> Admission; memory -> Budget
//! every second:  bans that were spoken since -> the store; what the store holds back -> Budget; a step of the order of
//!                load shedding that was reached or left -> a line for the operator
//! ```

use super::memory;
use crate::cli::exit::Failure;
use crate::cli::tell;
use crate::config::{Config, Listener, TlsMode};
use ringpost_admission::memory::Use;
use ringpost_admission::{Admission, Ban, Budget, Policy, Step, Verdict};
use ringpost_api::{Store, Write, read};
use ringpost_runtime::entrance::Refusal;
use ringpost_runtime::{Entrance, time};
use ringpost_types::Cidr;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// How often the control plane looks after it.
pub const EVERY: Duration = Duration::from_secs(1);

/// Makes it. The seed of its tables is drawn here.
pub fn open(config: &Config, store: &dyn Store) -> Result<Arc<Admission>, Failure> {
    let budget = Budget::new(memory::budget_octets(config.limits.memory));
    let draw = || RandomState::new().build_hasher().finish();
    let rows = config.limits.admission_entries_max;
    let admission = Admission::new(policy(config), rows, budget, [draw(), draw()]);
    let mut bans = Vec::new();
    let snapshot = store.snapshot()?;
    read::bans(&*snapshot, time::now_unix(), |network, row| {
        bans.push(ban(network, row.since, row.until, row.count, row.reason));
        ControlFlow::Continue(())
    })?;
    admission.put_bans(bans);
    Ok(admission)
}

/// The bounds that the configuration sets.
pub fn policy(config: &Config) -> Policy {
    Policy::new(&config.limits, config.exempt.clone())
}

/// A ban as the store has it: seconds since 1970, the greatest for ever.
pub fn ban(network: Cidr, since: u64, until: u64, count: u32, reason: &str) -> Ban {
    Ban {
        network,
        since_ms: since.saturating_mul(1_000),
        until_ms: until.saturating_mul(1_000),
        count,
        reason: reason.into(),
    }
}

/// How peers of an IMAP listener come in.
pub fn imap(admission: &Arc<Admission>, listener: &Listener) -> Entrance {
    let refusal: Refusal = match listener.tls {
        // Words in clear would be noise to a client that waits for TLS.
        TlsMode::Implicit => |_, _| (),
        _ => bye,
    };
    Entrance::new(admission.clone(), &listener.proxy, refusal)
}

/// RFC 9051 §7.1.5.
fn bye(verdict: &Verdict, out: &mut Vec<u8>) {
    if let Some(reason) = verdict.reason() {
        out.extend_from_slice(format!("* BYE {reason}.\r\n").as_bytes());
    }
}

/// Looks after it.
pub struct Keeper {
    admission: Arc<Admission>,
    store: Arc<ringpost_lmdb::Lmdb>,
    /// The step of the order of load shedding that the operator was told of.
    told: Option<Step>,
}

impl Keeper {
    pub fn new(admission: Arc<Admission>, store: Arc<ringpost_lmdb::Lmdb>) -> Keeper {
        Keeper {
            admission,
            store,
            told: None,
        }
    }

    /// Once each [`EVERY`].
    pub fn look(&mut self) {
        for ban in self.admission.news(time::now_unix_ms()) {
            tell(&format!(
                "banned {} for {} minutes: {}",
                ban.network,
                (ban.until_ms - ban.since_ms) / 60_000,
                ban.reason
            ));
            let write = Write::Ban {
                network: ban.network,
                until: ban.until_ms.div_ceil(1_000),
                reason: ban.reason.into(),
            };
            self.store.submit(write, None);
        }
        let budget = self.admission.budget();
        // Rows of what is on its way into the index, and the pages they change, are about as much as the mails.
        let lag = self.store.health().lag_octets;
        budget.set(Use::Store, lag.saturating_mul(2));
        let step = budget.step();
        if step != self.told {
            self.told = step;
            tell(&told(budget, step));
        }
    }
}

fn told(budget: &Budget, step: Option<Step>) -> String {
    let mib = |octets: u64| octets >> 20;
    let used = format!(
        "{} of {} MiB that peers may take are in use",
        mib(budget.taken()),
        mib(budget.octets_max())
    );
    match step {
        Some(step) => format!("{used}: {} give way", step.name()),
        None => format!("{used}: everybody is let in again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringpost_admission::Reason;

    #[test]
    fn a_refusal_says_why() {
        let mut out = Vec::new();
        bye(&Verdict::Later(Reason::Banned), &mut out);
        assert_eq!(out, b"* BYE Your address is banned for now.\r\n");
    }

    #[test]
    fn bans_of_the_store() {
        let network = "192.0.2.0/24".parse().expect("a network");
        let ban = ban(network, 5, u64::MAX, 2, "why");
        assert_eq!(
            (ban.since_ms, ban.until_ms, ban.count),
            (5_000, u64::MAX, 2)
        );
    }
}
