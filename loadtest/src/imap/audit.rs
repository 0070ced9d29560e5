//! Looks into the mailboxes after a run: is every accepted mail there, whole and once?
//!
//! In:  a [`Ledger`], the accounts' names, an IMAP service.
//! Out: [`Outcome`].
//!
//! Two passes over each INBOX: the identity lines of all mails tell which are there and how often; then all octets
//! of those of this run (or of some) are fetched and compared. A mail that the server has accepted but
//! not yet shown is waited for, up to [`Look::wait`].

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringpost_runtime::{TlsClient, time};

use crate::drive::{Threads, drive};
use crate::imap::client::{Client, Login};
use crate::imap::response::{Piece, number_after};
use crate::ledger::{Audit, Ledger, Outcome};
use crate::message;
use crate::target::Service;
use crate::wire::Error;

/// Pause between looks.
const PAUSE: Duration = Duration::from_millis(50);
/// UIDs of one FETCH: bounds the command's length.
const RANGES_MAX: usize = 200;
/// Mails compared of each account with [`Bodies::Sample`].
const SAMPLE: usize = 100;

/// Of which mails all octets are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Bodies {
    All,
    Sample,
    None,
}

/// Where to look and how closely.
#[derive(Clone)]
pub struct Look {
    pub service: Service,
    pub tls_client: Arc<TlsClient>,
    pub accounts: Vec<String>,
    pub password: String,
    pub bodies: Bodies,
    /// How long an accepted mail may take to appear.
    pub wait: Duration,
}

/// Looks into all accounts, one after the other, on a thread of its own.
pub fn audit(look: Look, ledger: Ledger, threads: &Threads) -> io::Result<Result<Outcome, Error>> {
    let (look, ledger) = (Arc::new(look), Arc::new(ledger));
    let one = Threads {
        count: 1,
        ..threads.clone()
    };
    let work = move |_: Rc<_>| {
        let (look, ledger) = (look.clone(), ledger.clone());
        async move { all_accounts(&look, &ledger).await }
    };
    let result = drive(&one, work, || ())?.results.pop();
    result.ok_or_else(|| io::Error::other("the audit did not run"))
}

async fn all_accounts(look: &Look, ledger: &Ledger) -> Result<Outcome, Error> {
    let mut audit = Audit::new(ledger);
    for (account, name) in look.accounts.iter().enumerate() {
        one_account(look, &mut audit, account as u32, name).await?;
    }
    Ok(audit.finish())
}

async fn one_account(
    look: &Look,
    audit: &mut Audit,
    account: u32,
    name: &str,
) -> Result<(), Error> {
    let mut client = Client::open(&look.service, &look.tls_client).await?;
    let login = Login {
        user: name.to_owned(),
        password: look.password.clone(),
        mailbox: "INBOX".to_owned(),
    };
    client.enter(&login).await?;
    let expected = audit.expected(account);
    let until = Instant::now() + look.wait;
    let (mut uids, mut next) = (Vec::new(), 1);
    loop {
        next = identities(&mut client, audit, account, next, &mut uids).await?;
        if uids.len() as u64 >= expected || Instant::now() > until {
            break;
        }
        time::sleep(PAUSE).await;
        client.command("NOOP", |_| ()).await?;
    }
    let step = match look.bodies {
        Bodies::All => 1,
        Bodies::Sample => uids.len().div_ceil(SAMPLE).max(1),
        Bodies::None => uids.len().max(1),
    };
    let chosen: Vec<u64> = match look.bodies {
        Bodies::None => Vec::new(),
        _ => uids.into_iter().step_by(step).collect(),
    };
    for set in sets(&chosen) {
        bodies(&mut client, audit, account, &set).await?;
    }
    client.logout().await;
    Ok(())
}

/// Reads the identities of mails from UID `next` on; UIDs of this run's go to `uids`. Returns the next UID to ask for.
async fn identities(
    client: &mut Client,
    audit: &mut Audit,
    account: u32,
    next: u64,
    uids: &mut Vec<u64>,
) -> Result<u64, Error> {
    let mut highest = next;
    let command = format!("UID FETCH {next}:* (UID BODY.PEEK[HEADER.FIELDS (X-Ringpost-Load)])");
    collect(client, &command, |uid, header| {
        // `n:*` always names the last mail, even one below n. RFC 9051 §9, seq-range.
        if uid < next {
            return;
        }
        highest = highest.max(uid + 1);
        let ours = message::identity_of_header(header).is_some_and(|id| audit.seen(account, id));
        if ours {
            uids.push(uid);
        }
    })
    .await?;
    Ok(highest)
}

async fn bodies(
    client: &mut Client,
    audit: &mut Audit,
    account: u32,
    set: &str,
) -> Result<(), Error> {
    let command = format!("UID FETCH {set} (UID BODY.PEEK[])");
    collect(client, &command, |_, mail| {
        audit.compared(account, message::inspect(mail))
    })
    .await
}

/// Runs a FETCH of one literal and hands on the UID and the literal of each mail.
async fn collect(
    client: &mut Client,
    command: &str,
    mut take: impl FnMut(u64, &[u8]),
) -> Result<(), Error> {
    let (mut uid, mut literal) = (None, Vec::new());
    client
        .command(command, |piece| {
            let (text, is_last) = match piece {
                Piece::Literal(octets, _) => return literal.extend_from_slice(octets),
                Piece::Before(text, _) => (text, false),
                Piece::Last(text) => (text, true),
            };
            uid = uid.or_else(|| number_after(text, b"UID"));
            if is_last {
                if let Some(uid) = uid.take() {
                    take(uid, &literal);
                }
                literal.clear();
            }
        })
        .await
}

/// Sequence sets that together name `uids`, runs joined: `1:3,7`.
fn sets(uids: &[u64]) -> Vec<String> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &uid in uids {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == uid => *last = uid,
            _ => ranges.push((uid, uid)),
        }
    }
    let spell = |(first, last): &(u64, u64)| match first == last {
        true => first.to_string(),
        false => format!("{first}:{last}"),
    };
    let set = |chunk: &[(u64, u64)]| chunk.iter().map(spell).collect::<Vec<_>>().join(",");
    ranges.chunks(RANGES_MAX).map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_join_to_ranges() {
        assert_eq!(sets(&[]), Vec::<String>::new());
        assert_eq!(sets(&[4]), ["4"]);
        assert_eq!(sets(&[1, 2, 3, 7, 9, 10]), ["1:3,7,9:10"]);
        let odd: Vec<u64> = (0..RANGES_MAX as u64 * 2 + 2).step_by(2).collect();
        assert_eq!(sets(&odd).len(), 2);
    }
}
