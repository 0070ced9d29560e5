//! How much of what: the bounds of one address, one network, one account, made from the limits.

use crate::Network;
use crate::bucket::Rate;
use ringpost_types::limit::Limits;
use std::net::IpAddr;

/// What is counted over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Connections begun.
    Connections,
    /// Mails taken.
    Messages,
    /// Recipients accepted.
    Recipients,
    /// Commands refused for good.
    Errors,
    /// Logins that failed.
    Logins,
}

impl Count {
    /// All, in the order of their numbers.
    pub const ALL: [Count; 5] = [
        Count::Connections,
        Count::Messages,
        Count::Recipients,
        Count::Errors,
        Count::Logins,
    ];

    /// In the plural, for replies.
    pub fn name(self) -> &'static str {
        match self {
            Count::Connections => "connections",
            Count::Messages => "messages",
            Count::Recipients => "recipients",
            Count::Errors => "errors",
            Count::Logins => "failed logins",
        }
    }
}

/// Bounds of one address, network or account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Connections open at once.
    pub open_max: u64,
    /// For each [`Count`]; `None`: not bounded here.
    pub rates: [Option<Rate>; 5],
}

impl Bounds {
    /// The rate of `count`.
    pub fn rate(&self, count: Count) -> Option<Rate> {
        self.rates[count as usize]
    }
}

/// Everything a verdict is made by. A reload swaps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Connections of all shards and services.
    pub open_max: u64,
    /// Of one address.
    pub address: Bounds,
    /// Of the network around it.
    pub network: Bounds,
    /// Of one account.
    pub account: Bounds,
    /// The slowest answer.
    pub slow_ms_max: u64,
    /// The first ban of an address lasts so long, each further one twice as long.
    pub ban_ms: u64,
    /// The longest.
    pub ban_ms_max: u64,
    /// Bans kept.
    pub bans_max: u64,
    /// Connections of one network that are many when memory is short.
    pub crowd: u64,
    /// Who is counted by account alone, and never banned. Loopback is exempt whatever stands here.
    pub exempt: Vec<Network>,
}

impl Policy {
    /// What the limits say.
    pub fn new(limits: &Limits, exempt: Vec<Network>) -> Policy {
        let minute = |count| Some(Rate::per_minute(count));
        let hour = |count| Some(Rate::per_hour(count));
        Policy {
            open_max: limits.admission_connections_max,
            address: Bounds {
                open_max: limits.admission_address_connections_max,
                rates: [
                    minute(limits.admission_address_connections_per_minute),
                    minute(limits.admission_address_messages_per_minute),
                    minute(limits.admission_address_recipients_per_minute),
                    hour(limits.admission_address_errors_per_hour),
                    hour(limits.admission_address_login_failures_per_hour),
                ],
            },
            network: Bounds {
                open_max: limits.admission_network_connections_max,
                rates: [
                    minute(limits.admission_network_connections_per_minute),
                    minute(limits.admission_network_messages_per_minute),
                    minute(limits.admission_network_recipients_per_minute),
                    hour(limits.admission_network_errors_per_hour),
                    hour(limits.admission_network_login_failures_per_hour),
                ],
            },
            account: Bounds {
                open_max: limits.admission_account_connections_max,
                rates: [
                    None,
                    hour(limits.admission_account_messages_per_hour),
                    hour(limits.admission_account_recipients_per_hour),
                    None,
                    hour(limits.admission_account_login_failures_per_hour),
                ],
            },
            slow_ms_max: limits.admission_slow_ms_max,
            ban_ms: limits.admission_ban_ms,
            ban_ms_max: limits.admission_ban_ms_max,
            bans_max: limits.admission_bans_max,
            crowd: limits.admission_crowd,
            exempt,
        }
    }

    /// Whether `address` is exempt.
    pub fn exempts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_loopback() || self.exempt.iter().any(|network| network.contains(address))
    }

    /// How long the next answer waits: nothing for a tenth of what is allowed, which mistyping takes, and then in
    /// proportion up to the longest at the bound.
    pub fn slowness(&self, level: u64, bound: u64) -> u64 {
        let free = bound / 10;
        let over = level.saturating_sub(free).min(bound - free);
        self.slow_ms_max * over / (bound - free).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_listed_networks_are_exempt() {
        let listed = vec!["192.0.2.0/24".parse().expect("a network")];
        let policy = Policy::new(&Limits::default(), listed);
        const CASES: &[(&str, bool)] = &[
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.0.2.200", true),
            ("192.0.3.1", false),
            ("2001:db8::1", false),
        ];
        for (address, expected) in CASES {
            let address = address.parse().expect("an address");
            assert_eq!(policy.exempts(address), *expected, "{address}");
        }
    }

    #[test]
    fn slowness_grows_to_the_bound() {
        let limits = Limits {
            admission_slow_ms_max: 9_000,
            ..Limits::default()
        };
        let policy = Policy::new(&limits, Vec::new());
        const CASES: &[(u64, u64, u64)] = &[
            (0, 30, 0),
            (3, 30, 0),
            (4, 30, 333),
            (12, 30, 3_000),
            (30, 30, 9_000),
            (31, 30, 9_000),
            (1, 1, 9_000),
            (0, 0, 0),
        ];
        for (level, bound, expected) in CASES {
            assert_eq!(
                policy.slowness(*level, *bound),
                *expected,
                "{level}/{bound}"
            );
        }
    }
}
