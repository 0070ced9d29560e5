//! Who is at the other end: the peer, or whom it speaks for by XCLIENT.
//!
//! In:  the peer; what a proxy says. Out: what rules, Received and counts go by.
//!
//! What a proxy says is believed: the operator has listed it. Only an account that there is may be logged in as.

use crate::{Context, refusal};
use ringpost_admission::{Count, Guard, Verdict};
use ringpost_directory::Login;
use ringpost_runtime::{Connection, Endpoint, time};
use ringpost_smtp::client::Attribute;
use ringpost_smtp::{Client, reply};
use ringpost_types::Reply;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// See the head of this file.
pub(crate) struct Visitor {
    pub peer: Endpoint,
    pub login: Option<Login>,
    /// Counts it; none where the listener counts nobody.
    guard: Option<Guard>,
}

impl Visitor {
    /// The peer itself.
    pub fn new(connection: &mut Connection) -> Self {
        Visitor {
            peer: connection.peer(),
            login: None,
            guard: connection.take_guard(),
        }
    }

    /// Whether it is counted by its address: neither exempt nor logged in.
    pub fn is_stranger(&self) -> bool {
        self.guard.as_ref().is_some_and(Guard::is_stranger)
    }

    /// Counts one more of something, if it is not too many.
    pub fn may(&self, count: Count) -> Result<(), Reply> {
        let Some(guard) = &self.guard else {
            return Ok(());
        };
        let verdict = guard.count(count, 1, time::now_unix_ms());
        verdict.refusal().map_or(Ok(()), Err)
    }

    /// Counts one more command refused for good.
    pub fn failed(&self, why: &str) -> Verdict {
        let guard = self.guard.as_ref();
        guard.map_or(Verdict::Welcome, |guard| {
            guard.fail(self.peer.ip(), why, time::now_unix_ms())
        })
    }

    /// A mail of it was taken.
    pub fn did_well(&self) {
        if let Some(guard) = &self.guard {
            guard.good(self.peer.ip(), time::now_unix_ms());
        }
    }

    /// From now on it counts by its account; or the verdict why not.
    pub fn enter_as(&mut self, login: Login) -> Result<(), Verdict> {
        if let Some(guard) = &mut self.guard {
            match guard.known_as(&login.name, time::now_unix_ms()) {
                Verdict::Welcome | Verdict::Slow(_) => {}
                refused => return Err(refused),
            }
        }
        self.login = Some(login);
        Ok(())
    }

    /// From now on the connection is that of `client`. Postfix's XCLIENT_README. One that is refused is told so in place of
    /// a greeting.
    pub fn become_client(&mut self, client: &Client, context: &Context) -> Result<(), Reply> {
        let login = match &client.login {
            Attribute::Unsaid => self.login.take(),
            Attribute::Unavailable | Attribute::Later => None,
            Attribute::Is(name) => Some(account(context, name)?),
        };
        let told = |verdict: Verdict| verdict.greeting().unwrap_or(reply::BUSY);
        self.peer = endpoint(self.peer, client);
        self.login = None;
        if let Some(guard) = &self.guard {
            let admission = guard.admission().clone();
            let entered = admission.enter(self.peer.ip(), time::now_unix_ms());
            self.guard = Some(entered.map_err(told)?);
        }
        match login {
            Some(login) => self.enter_as(login).map_err(told),
            None => Ok(()),
        }
    }
}

/// The address that is told; one that the proxy does not know is no local one.
fn endpoint(before: Endpoint, client: &Client) -> Endpoint {
    let (ip, port) = match before {
        Endpoint::Tcp(address) => (address.ip(), address.port()),
        Endpoint::Unix => (UNKNOWN, 0),
    };
    if matches!(
        (&client.addr, &client.port),
        (Attribute::Unsaid, Attribute::Unsaid)
    ) {
        return before;
    }
    let ip = match client.addr {
        Attribute::Unsaid => ip,
        Attribute::Unavailable | Attribute::Later => UNKNOWN,
        Attribute::Is(ip) => ip,
    };
    let port = match client.port {
        Attribute::Unsaid => port,
        Attribute::Unavailable | Attribute::Later => 0,
        Attribute::Is(port) => port,
    };
    Endpoint::Tcp(SocketAddr::new(ip, port))
}

const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

fn account(context: &Context, name: &str) -> Result<Login, Reply> {
    let setup = &context.setup;
    let snapshot = setup.store.snapshot().map_err(|_| refusal::TROUBLE)?;
    let found = setup.directory.account(&*snapshot, name);
    let found = found.map_err(|_| refusal::TROUBLE)?;
    match found.filter(|account| !account.disabled) {
        Some(account) => Ok(Login {
            account: account.id,
            name: account.name,
        }),
        None => Err(refusal::NO_SUCH_LOGIN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_proxy_speaks_for() {
        let proxy = Endpoint::Tcp(([127, 0, 0, 1], 9).into());
        let tcp = |ip: [u8; 4], port| Endpoint::Tcp((ip, port).into());
        let ip = Attribute::Is(IpAddr::from([192, 0, 2, 1]));
        let cases = [
            (Attribute::Unsaid, Attribute::Unsaid, proxy),
            (ip, Attribute::Unsaid, tcp([192, 0, 2, 1], 9)),
            (ip, Attribute::Is(7), tcp([192, 0, 2, 1], 7)),
            (Attribute::Unavailable, Attribute::Is(7), tcp([0; 4], 7)),
            (Attribute::Later, Attribute::Later, tcp([0; 4], 0)),
        ];
        for (addr, port, expected) in cases {
            let client = Client {
                addr,
                port,
                ..Client::default()
            };
            assert_eq!(endpoint(proxy, &client), expected, "{client:?}");
        }
    }
}
