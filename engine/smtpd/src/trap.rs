//! Traps: who writes to an address that nobody has, or to the host that never takes mail, is remembered by network.
//!
//! In:  a hit. Out: at most one write for each kind in a session, and nobody waits for it: a stranger makes no work of more
//! than his connections allow.

use crate::Context;
use ringpost_admission::network::around;
use ringpost_api::Write;
pub(crate) use ringpost_api::network::Trap;
use ringpost_runtime::event;
use ringpost_types::TraceId;
use std::net::IpAddr;

/// The hits of one session.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    address: bool,
    defer: bool,
}

impl Hits {
    /// The client at `ip` was caught.
    pub fn hit(&mut self, context: &Context, ip: Option<IpAddr>, kind: Trap, trace: TraceId) {
        let before = match kind {
            Trap::Address => std::mem::replace(&mut self.address, true),
            Trap::Defer => std::mem::replace(&mut self.defer, true),
        };
        let Some(ip) = ip.filter(|_| !before) else {
            return;
        };
        let network = around(ip);
        event!(trace, "caught {network}: {}", name(kind));
        let write = Write::Trap { kind, network };
        context.setup.store.submit(write, None);
    }
}

fn name(kind: Trap) -> &'static str {
    match kind {
        Trap::Address => "mail to a trap address",
        Trap::Defer => "mail to the listener that defers",
    }
}
