//! One mail: its envelope, its octets on their way into the log, what becomes of it. RFC 5321 §3.3.
//!
//! In:  what the session decided. Out: the answers the session asks for.
//!
//! Invariant: whatever ends a transaction without delivery drops everything of it.

use crate::addressed::{Addressed, Case};
use crate::outgoing::{self, Wishes};
use crate::{Context, Role, author, refusal};
use ringpost_admission::memory::{Share, Use};
use ringpost_api::read;
use ringpost_delivery::{Arrived, Completion, Envelope, Ingest, Received, Sender};
use ringpost_directory::{Facts, Login, Rules};
use ringpost_runtime::{Endpoint, Shard, TlsInfo, event, time};
use ringpost_smtp::{Mail, Rcpt, Recipient, Session};
use ringpost_types::reply::Enhanced;
use ringpost_types::{Address, Reply, TraceId};
use std::fmt::Write as _;
use std::io::Write as _;

/// Up to this an envelope is within what a connection is charged for, in octets.
const ENVELOPE_OCTETS: u64 = 1024;

/// The mail that a session is about; empty between transactions.
pub(crate) struct Transaction {
    mail: Option<Mail>,
    addressed: Addressed,
    /// What a long envelope takes of the server's memory.
    held: Share,
    /// Names the mail in Received, in the reply and in events.
    id: TraceId,
    /// Apart: a session without a mail is smaller.
    ingest: Option<Box<Ingest>>,
    /// Our own fields; kept for its memory.
    head: Vec<u8>,
}

/// What a transaction is judged by, beside what it says itself.
pub(crate) struct Origin<'s> {
    pub session: &'s Session,
    pub peer: Endpoint,
    pub tls: Option<&'s TlsInfo>,
    pub login: Option<&'s Login>,
}

impl<'s> Origin<'s> {
    fn facts(&self, context: &'s Context, sender: Option<&'s Address>) -> Facts<'s> {
        let policy = &context.setup.policy;
        Facts {
            listener: &policy.tag,
            ip: self.peer.ip(),
            trust_local: policy.trust_local,
            login: self.login.map(|login| &*login.name),
            tls: self.tls.is_some(),
            helo: self.session.helo().unwrap_or_default(),
            sender,
        }
    }
}

/// What became of a mail.
pub(crate) struct Outcome {
    /// As many as the session wants.
    pub replies: Vec<Reply>,
    /// Somebody has it now, or its rules threw it away.
    pub taken: bool,
}

impl Transaction {
    pub(crate) fn new(shard: &Shard) -> Self {
        Transaction {
            mail: None,
            addressed: Addressed::default(),
            held: shard.budget.share(Use::Mails),
            id: TraceId(0),
            ingest: None,
            head: Vec::new(),
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.mail = None;
        self.addressed.clear();
        self.ingest = None;
        if self.held.octets() > 0 {
            self.held.set(0);
        }
    }

    /// MAIL. A user's reverse-path must lead to the user. RFC 6409 §6.1. After a refusal [`Transaction::mail_refused`].
    pub(crate) fn mail(
        &mut self,
        context: &Context,
        mail: Mail,
        origin: &Origin<'_>,
    ) -> Result<(), Reply> {
        self.clear();
        let mail = self.mail.insert(mail);
        let setup = &context.setup;
        let room = setup.post.has_room_for(mail.size.unwrap_or(0));
        room.map_err(|error| refusal::of_delivery(&error))?;
        if let Some(login) = origin.login {
            may_send(context, login, mail.reverse_path.as_ref())?;
        }
        let facts = origin.facts(context, mail.reverse_path.as_ref());
        let rules = setup.directory.rules();
        if let Some(decision) = rules.at_mail(&facts)
            && let ringpost_directory::Action::Reject(reply) = decision.action
        {
            return Err(reply.clone());
        }
        Ok(())
    }

    /// What MAIL had asked for; it is forgotten.
    pub(crate) fn mail_refused(&mut self) -> String {
        self.mail
            .take()
            .map_or(String::new(), |mail| mail.to_string())
    }

    /// RCPT.
    pub(crate) fn recipient(
        &mut self,
        context: &Context,
        rules: &Rules,
        rcpt: &Rcpt,
        origin: &Origin<'_>,
    ) -> Result<(), Reply> {
        let setup = &context.setup;
        let postmaster;
        let address = match &rcpt.path {
            Recipient::Mailbox(address) => address,
            Recipient::Postmaster => {
                postmaster = setup.directory.postmaster_address();
                postmaster.as_ref().ok_or(refusal::NO_SUCH_USER)?
            }
        };
        let mail = self.mail.as_ref().ok_or(refusal::TROUBLE)?;
        let case = Case {
            queue: setup.queue,
            facts: &origin.facts(context, mail.reverse_path.as_ref()),
            wishes: &Wishes {
                notify: rcpt.notify,
                orcpt: rcpt.orcpt.clone(),
            },
            octets: mail.size.unwrap_or(0),
            held: mail.hold.is_some(),
        };
        if !setup.shard.budget.has_room_for(ENVELOPE_OCTETS) {
            return Err(refusal::NO_ROOM);
        }
        let snapshot = setup.store.snapshot().map_err(|_| refusal::TROUBLE)?;
        self.addressed.add(&case, rules, &*snapshot, address)?;
        let octets = self.addressed.octets();
        if octets > ENVELOPE_OCTETS {
            self.held.set(octets);
        }
        Ok(())
    }

    /// A body begins: its first octets are our own fields.
    pub(crate) fn begin(
        &mut self,
        context: &Context,
        size: Option<u64>,
        origin: &Origin<'_>,
    ) -> Result<(), Reply> {
        let setup = &context.setup;
        self.id = setup.shard.trace_id();
        let unix = time::now_unix();
        self.head.clear();
        self.write_head(context, origin, unix);
        let ingest = setup.post.ingest(size, &self.head);
        let mut ingest = ingest.map_err(|error| refusal::of_delivery(&error))?;
        if setup.role == Role::Submission {
            ingest.complete_with(Completion {
                hostname: setup.hostname.clone(),
                id: self.id,
                unix,
            });
        }
        self.ingest = Some(Box::new(ingest));
        Ok(())
    }

    /// Received, and above it what our rules say: what stands below our Received is the sender's word.
    fn write_head(&mut self, context: &Context, origin: &Origin<'_>, unix: u64) {
        let setup = &context.setup;
        for tag in self.addressed.tags() {
            write!(self.head, "Ringpost-Tag: {tag}\r\n").expect("a Vec takes every write");
        }
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
        let received = Received {
            sender,
            hostname: &setup.hostname,
            protocol: origin.session.transport().keyword(),
            tls: origin.tls.map(|tls| (tls.version, tls.cipher)),
            id: self.id,
            recipient: self.addressed.only(),
            unix,
        };
        received.write(&mut self.head);
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
    ) -> Outcome {
        let (id, count) = (self.id, self.addressed.paths());
        let logged = self.log(context, login).await;
        let mail = self.mail.take();
        let from = mail.map_or(String::new(), |mail| mail.to_string());
        let outcome = match logged {
            Ok(Taken { refusals, told }) => {
                event!(
                    id,
                    "accepted from={from} recipients={count}{told} connection={connection}"
                );
                self.answers(context, refusals)
            }
            Err(reply) => {
                let (code, text) = (reply.code, &reply.text);
                event!(
                    id,
                    "refused from={from} recipients={count} connection={connection}: {code} {text}"
                );
                let count = if context.setup.role == Role::Lmtp {
                    count.max(1)
                } else {
                    1
                };
                Outcome {
                    replies: vec![reply; count],
                    taken: false,
                }
            }
        };
        self.clear();
        outcome
    }

    /// The answers to a mail that was taken: one, or in LMTP one for each path. RFC 2033 §4.2.
    fn answers(&self, context: &Context, refusals: Vec<Option<Reply>>) -> Outcome {
        let ok = Reply::with_text(250, Some(Enhanced(2, 0, 0)), format!("Ok, id {}", self.id));
        if context.setup.role != Role::Lmtp {
            return Outcome {
                replies: vec![ok],
                taken: true,
            };
        }
        let taken = refusals.iter().any(Option::is_none);
        let replies = refusals.into_iter();
        Outcome {
            replies: replies
                .map(|refused| refused.unwrap_or_else(|| ok.clone()))
                .collect(),
            taken,
        }
    }

    /// Puts the mail into the log, if it is for anybody. What there is to tell, once it is durable.
    async fn log(&mut self, context: &Context, login: Option<&Login>) -> Result<Taken, Reply> {
        let (id, setup) = (self.id, &context.setup);
        let told = |error| told(id, &error);
        let ingest = self.ingest.take().ok_or(refusal::TROUBLE)?;
        let mail = self.mail.as_ref().ok_or(refusal::TROUBLE)?;
        let arrived = ingest.finish().await.map_err(told)?;
        let refusals = check(&mut self.addressed, context, &arrived, login)?;
        let mut taken = Taken::new(&arrived, refusals);
        let now_ms = time::now_unix_ms();
        let items = match self.addressed.outgoing() {
            Some(outgoing) => outgoing.items(mail, id, now_ms),
            None => Vec::new(),
        };
        for item in &items {
            let (count, until) = (item.recipients.len(), outgoing::held_until(mail, now_ms));
            taken.tell(format_args!(" queued={count}"));
            if until > 0 {
                taken.tell(format_args!(" held-until={}", until / 1_000));
            }
        }
        for tag in self.addressed.tags() {
            taken.tell(format_args!(" tag={tag}"));
        }
        let envelope = Envelope {
            reverse_path: mail.reverse_path.as_ref(),
            recipients: self.addressed.locals(),
            queue: &items,
            unix: now_ms / 1_000,
        };
        if envelope.recipients.is_empty() && items.is_empty() {
            // Each recipient was one that a rule discards, or in LMTP one without room.
            taken.tell(format_args!(" kept=no"));
        } else {
            setup.post.accept(envelope, arrived).await.map_err(told)?;
        }
        Ok(taken)
    }
}

/// Whether a user may send now, and from this address. The session may be older than what an operator said of its account.
fn may_send(context: &Context, login: &Login, from: Option<&Address>) -> Result<(), Reply> {
    let setup = &context.setup;
    let snapshot = setup.store.snapshot().map_err(|_| refusal::TROUBLE)?;
    let account = read::account(&*snapshot, login.account).map_err(|_| refusal::TROUBLE)?;
    if account.is_none_or(|account| account.disabled) {
        return Err(refusal::DISABLED);
    }
    let Some(from) = from else { return Ok(()) };
    match setup.directory.may_send_as(&*snapshot, login.account, from) {
        Ok(true) => Ok(()),
        Ok(false) => Err(refusal::NOT_YOURS),
        Err(_) => Err(refusal::TROUBLE),
    }
}

/// What only the whole mail shows. In LMTP, whose answers are each recipient's own, also who has room for it.
fn check(
    addressed: &mut Addressed,
    context: &Context,
    arrived: &Arrived,
    login: Option<&Login>,
) -> Result<Vec<Option<Reply>>, Reply> {
    let setup = &context.setup;
    if u64::from(arrived.received) > setup.limits.message_received_max {
        return Err(refusal::LOOP);
    }
    if login.is_none() && setup.role != Role::Lmtp {
        return Ok(Vec::new());
    }
    let snapshot = setup.store.snapshot().map_err(|_| refusal::TROUBLE)?;
    if let Some(login) = login {
        let (directory, account) = (&setup.directory, login.account);
        author::check(directory, &*snapshot, account, arrived, &setup.limits)?;
    }
    match setup.role {
        Role::Lmtp => addressed.without_full(&*snapshot, arrived.octets()),
        Role::Mx | Role::Submission => Ok(Vec::new()),
    }
}

/// A mail in the log.
struct Taken {
    /// In LMTP, for each path.
    refusals: Vec<Option<Reply>>,
    /// Words for its event.
    told: String,
}

impl Taken {
    fn new(arrived: &Arrived, refusals: Vec<Option<Reply>>) -> Self {
        let mut taken = Taken {
            refusals,
            told: String::new(),
        };
        taken.tell(format_args!(" octets={}", arrived.octets()));
        for result in &arrived.signatures {
            taken.tell(format_args!(" dkim-body={}", result.name()));
        }
        taken
    }

    fn tell(&mut self, words: std::fmt::Arguments<'_>) {
        self.told
            .write_fmt(words)
            .expect("a String takes every write");
    }
}

/// An error of delivery, for the operator; and its reply.
fn told(id: TraceId, error: &ringpost_delivery::Error) -> Reply {
    event!(id, "delivery: {error}");
    refusal::of_delivery(error)
}
