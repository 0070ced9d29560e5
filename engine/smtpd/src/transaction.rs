//! One mail: its envelope, the recipients' accounts, its octets on their way into the log. RFC 5321 §3.3.
//!
//! In:  what the session decided. Out: the answers the session asks for.
//!
//! Invariant: whatever ends a transaction without delivery drops everything of it.

use crate::{Context, Role, author, refusal};
use ringpost_api::Snapshot;
use ringpost_api::read::{self, Room};
use ringpost_delivery::{Completion, Envelope, Ingest, Received, Recipient, Sender};
use ringpost_directory::{Login, Recipient as Found};
use ringpost_runtime::{Endpoint, TlsInfo, event, time};
use ringpost_smtp::{Mail, Session};
use ringpost_types::reply::Enhanced;
use ringpost_types::{AccountId, Address, Domain, Reply, TraceId};

/// Accounts of one mail: a record counts them in 16 bits.
const ACCOUNTS_MAX: usize = u16::MAX as usize;

/// The mail that a session is about; empty between transactions.
pub(crate) struct Transaction {
    reverse_path: Option<Address>,
    recipients: Vec<Recipient>,
    /// Octets of the mail as MAIL told them, else 0.
    size: u64,
    /// RCPTs accepted: an alias may stand for several of `recipients`.
    paths: usize,
    /// Names the mail in Received, in the reply and in events.
    id: TraceId,
    ingest: Option<Ingest>,
    /// Our Received field; kept for its memory.
    head: Vec<u8>,
}

/// A mail in the log.
struct Taken {
    octets: u64,
    /// A word for each DKIM-Signature: what came of its body hash.
    dkim: String,
}

/// What a mail's Received field tells of the connection.
pub(crate) struct Origin<'s> {
    pub session: &'s Session,
    pub peer: Endpoint,
    pub tls: Option<&'s TlsInfo>,
}

impl Transaction {
    pub(crate) fn new() -> Self {
        Transaction {
            reverse_path: None,
            recipients: Vec::new(),
            size: 0,
            paths: 0,
            id: TraceId(0),
            ingest: None,
            head: Vec::new(),
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.reverse_path = None;
        self.recipients.clear();
        self.paths = 0;
        self.ingest = None;
    }

    /// MAIL. A user's reverse-path must lead to the user. RFC 6409 §6.1.
    pub(crate) fn mail(
        &mut self,
        context: &Context,
        mail: &Mail,
        login: Option<&Login>,
    ) -> Result<(), Reply> {
        self.clear();
        if !context.setup.post.has_room_for(mail.size.unwrap_or(0)) {
            return Err(refusal::NO_ROOM);
        }
        if let (Some(login), Some(address)) = (login, &mail.reverse_path) {
            let setup = &context.setup;
            let snapshot = setup.store.snapshot().map_err(|_| refusal::TROUBLE)?;
            match setup
                .directory
                .may_send_as(&*snapshot, login.account, address)
            {
                Ok(true) => {}
                Ok(false) => return Err(refusal::NOT_YOURS),
                Err(_) => return Err(refusal::TROUBLE),
            }
        }
        self.reverse_path.clone_from(&mail.reverse_path);
        self.size = mail.size.unwrap_or(0);
        Ok(())
    }

    /// RCPT. Local recipients alone, until mail can leave.
    pub(crate) fn recipient(
        &mut self,
        context: &Context,
        recipient: &ringpost_smtp::Recipient,
        login: Option<&Login>,
    ) -> Result<(), Reply> {
        let setup = &context.setup;
        if setup.policy.defer {
            return Err(refusal::DEFERRED);
        }
        let address = match recipient {
            ringpost_smtp::Recipient::Mailbox(address) => address.clone(),
            ringpost_smtp::Recipient::Postmaster => postmaster(context)?,
        };
        let snapshot = setup.store.snapshot().map_err(|_| refusal::TROUBLE)?;
        let found = setup.directory.recipient(&*snapshot, &address);
        let accounts = match found {
            Ok(Found::Local(accounts)) => accounts,
            Ok(Found::NoSuchUser) => return Err(refusal::NO_SUCH_USER),
            Ok(Found::Remote) if login.is_none() => return Err(refusal::RELAY_DENIED),
            Ok(Found::Remote | Found::Forward) => return Err(refusal::NO_QUEUE),
            Err(_) => return Err(refusal::TROUBLE),
        };
        room(&*snapshot, &accounts, self.size)?;
        if self.recipients.len() + accounts.len() > ACCOUNTS_MAX {
            return Err(refusal::TOO_MANY_ACCOUNTS);
        }
        self.paths += 1;
        for account in accounts {
            let address = address.clone();
            self.recipients.push(Recipient { address, account });
        }
        Ok(())
    }

    /// A body begins: its first octets are our Received field.
    pub(crate) fn begin(
        &mut self,
        context: &Context,
        size: Option<u64>,
        origin: &Origin<'_>,
    ) -> Result<(), Reply> {
        let setup = &context.setup;
        let transport = origin.session.transport();
        self.id = setup.shard.trace_id();
        let helo = origin.session.helo().unwrap_or("unknown");
        let masked = setup.role == Role::Submission && setup.policy.mask_source;
        let sender = match (masked, origin.peer.ip()) {
            (true, _) => Sender::User,
            (_, Some(ip)) => Sender::Host {
                helo,
                ip: ip.to_canonical(),
            },
            (_, None) => Sender::Local { helo },
        };
        let unix = time::now_unix();
        let received = Received {
            sender,
            hostname: &setup.hostname,
            protocol: transport.keyword(),
            tls: origin.tls.map(|tls| (tls.version, tls.cipher)),
            id: self.id,
            recipient: match &self.recipients[..] {
                [first, ..] if self.paths == 1 => Some(&first.address),
                _ => None,
            },
            unix,
        };
        self.head.clear();
        received.write(&mut self.head);
        let ingest = setup.post.ingest(size, &self.head);
        let mut ingest = ingest.map_err(|error| refusal::of_delivery(&error))?;
        if setup.role == Role::Submission {
            ingest.complete_with(Completion {
                hostname: setup.hostname.clone(),
                id: self.id,
                unix,
            });
        }
        self.ingest = Some(ingest);
        Ok(())
    }

    /// Octets of the body. A large one waits here for the disk, and its peer with it.
    pub(crate) async fn body(&mut self, run: &[u8]) -> Result<(), Reply> {
        let Some(ingest) = &mut self.ingest else {
            return Ok(());
        };
        let taken = ingest.body(run).await;
        taken.map_err(|error| {
            self.ingest = None;
            told(self.id, &error)
        })
    }

    /// The body will be refused: its octets go.
    pub(crate) fn abandon(&mut self) {
        self.ingest = None;
    }

    /// The mail is complete: into the log. What to answer.
    pub(crate) async fn deliver(
        &mut self,
        context: &Context,
        login: Option<&Login>,
        connection: TraceId,
    ) -> Reply {
        let id = self.id;
        let outcome = self.log(context, login).await;
        let from = self.reverse_path.take();
        let from = from.as_ref().map_or(String::new(), Address::to_string);
        let count = self.paths;
        self.clear();
        match outcome {
            Ok(Taken { octets, dkim }) => {
                event!(
                    id,
                    "accepted from=<{from}> recipients={count} octets={octets}{dkim} connection={connection}"
                );
                Reply::with_text(250, Some(Enhanced(2, 0, 0)), format!("Ok, id {id}"))
            }
            Err(reply) => {
                let (code, text) = (reply.code, &reply.text);
                event!(
                    id,
                    "refused from=<{from}> recipients={count} connection={connection}: {code} {text}"
                );
                reply
            }
        }
    }

    /// What there is to tell of the mail, once it is durable.
    async fn log(&mut self, context: &Context, login: Option<&Login>) -> Result<Taken, Reply> {
        let (id, setup) = (self.id, &context.setup);
        let told = |error| told(id, &error);
        let ingest = self.ingest.take().ok_or(refusal::TROUBLE)?;
        let arrived = ingest.finish().await.map_err(told)?;
        if u64::from(arrived.received) > setup.limits.message_received_max {
            return Err(refusal::LOOP);
        }
        if let Some(login) = login {
            let snapshot = setup.store.snapshot().map_err(|_| refusal::TROUBLE)?;
            let (directory, account) = (&setup.directory, login.account);
            author::check(
                directory,
                &*snapshot,
                account,
                &arrived.digest,
                &setup.limits,
            )?;
        }
        let mut taken = Taken {
            octets: arrived.octets(),
            dkim: String::new(),
        };
        for result in &arrived.signatures {
            taken.dkim.push_str(" dkim-body=");
            taken.dkim.push_str(result.name());
        }
        let envelope = Envelope {
            reverse_path: self.reverse_path.as_ref(),
            recipients: &self.recipients,
            queue: &[],
            unix: time::now_unix(),
        };
        setup.post.accept(envelope, arrived).await.map_err(told)?;
        Ok(taken)
    }
}

/// An error of delivery, for the operator; and its reply.
fn told(id: TraceId, error: &ringpost_delivery::Error) -> Reply {
    event!(id, "delivery: {error}");
    refusal::of_delivery(error)
}

/// Whether there is room for a mail of `octets` in one of these accounts: one that is full does not keep a list's mail
/// from the others, and then gets it too, for what is accepted is delivered. RFC 9208 §5.
fn room(snapshot: &dyn Snapshot, accounts: &[AccountId], octets: u64) -> Result<(), Reply> {
    let mut refused = Ok(());
    for &account in accounts {
        match read::room(snapshot, account, octets) {
            Ok(Room::Enough) => return Ok(()),
            Ok(Room::Full) => refused = Err(refusal::MAILBOX_FULL),
            Ok(Room::Never) => refused = refused.and(Err(refusal::MAILBOX_SMALL)),
            Err(_) => return Err(refusal::TROUBLE),
        }
    }
    refused
}

/// `<postmaster>` is the one of the first domain. RFC 5321 §4.5.1.
fn postmaster(context: &Context) -> Result<Address, Reply> {
    let domains = context.setup.directory.domains();
    let domain: &Domain = match domains.first() {
        Some(first) => &first.name,
        None => return Err(refusal::NO_SUCH_USER),
    };
    Address::from_parts("postmaster", domain.clone()).map_err(|_| refusal::NO_SUCH_USER)
}
