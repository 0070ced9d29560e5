//! One connection's life: octets to the session, its actions done, replies back.
//!
//! In:  a connection. Out: mails in the log; one event for the connection's end.
//!
//! Replies gather in the connection's output until the session needs more input: commands that came together are answered
//! together. RFC 2920 §3.2. When the server drains, a session between transactions is told 421 and closed; one in a
//! transaction may finish it. RFC 5321 §3.8.

use crate::client::Visitor;
use crate::context::{Context, TlsMode};
use crate::end::End;
use crate::greeting::{self, Manners};
use crate::login::{self, Progress};
use crate::patience::Waiting;
use crate::transaction::{Origin, Transaction};
use crate::trap::{Hits, Trap};
use crate::{Role, answer, kept, refusal, tarpit};
use ringpost_admission::memory::Use;
use ringpost_admission::{Count, Share, Verdict};
use ringpost_login::Talk;
use ringpost_runtime::time::{self, Duration, First, first, sleep};
use ringpost_runtime::{Connection, event};
use ringpost_smtp::{Action, Rcpt, Recipient, Session, reply};
use ringpost_types::{Reply, TraceId};
use std::rc::Rc;
use std::{fmt, io};

/// Says in place of a greeting why a peer is not let in.
pub fn send_away(verdict: &Verdict, out: &mut Vec<u8>) {
    verdict.greeting().unwrap_or(reply::BUSY).write(out);
}

/// Serves one connection to its end.
pub async fn serve(mut connection: Connection, context: Rc<Context>) {
    let trace = context.setup.shard.trace_id();
    let peer = connection.peer();
    let Some(_entered) = context.enter() else {
        event!(trace, "connection from {peer} refused: too many");
        answer::write(&reply::BUSY, trace, connection.output());
        return connection.close().await;
    };
    let options = context.options_for(peer);
    let mut dialogue = Dialogue {
        session: Session::new(options, context.tls_at_start()),
        transaction: Transaction::new(connection.shard()),
        visitor: Visitor::new(&mut connection),
        talk: None,
        waiting: Waiting::default(),
        mails: 0,
        refusals: 0,
        has_failed: false,
        hits: Hits::default(),
        remembered: connection.shard().budget.share(Use::Transcripts),
        trace,
        context,
    };
    let end = match dialogue.run(&mut connection).await {
        Ok(end) => end,
        Err(error) => End::Broken(error),
    };
    let mails = dialogue.mails;
    event!(trace, "connection from {peer} mails={mails} {end}");
    let last = end.reply();
    dialogue.keep(&connection, &end, last.as_ref());
    // What the session holds is not needed while the peer takes its last reply.
    drop(dialogue);
    if let Some(last) = last {
        answer::write(&last, trace, connection.output());
    }
    if !matches!(end, End::Broken(_)) {
        connection.close().await;
    }
}

/// A session and what it is about.
struct Dialogue {
    context: Rc<Context>,
    session: Session,
    transaction: Transaction,
    visitor: Visitor,
    /// A login under way.
    talk: Option<Box<Talk>>,
    waiting: Waiting,
    mails: u64,
    /// Permanent refusals of a stranger so far.
    refusals: u32,
    /// Something was refused, for good or for now.
    has_failed: bool,
    hits: Hits,
    /// What the transcript takes of the server's memory.
    remembered: Share,
    trace: TraceId,
}

impl Dialogue {
    async fn run(&mut self, connection: &mut Connection) -> io::Result<End> {
        connection.input_max(self.session.line_octets_max());
        if self.context.setup.tls_mode == TlsMode::Implicit {
            self.start_tls(connection).await?;
        }
        if let Some(end) = self.listen_first(connection).await {
            return Ok(end);
        }
        self.session.at(time::now_unix_ms());
        self.session.greeting().write(connection.output());
        loop {
            let (used, action) = self.session.step(connection.input());
            match action.detach() {
                Ok(action) => {
                    connection.consume(used);
                    if let Some(end) = self.act(action, connection).await? {
                        return Ok(end);
                    }
                }
                Err(body) => {
                    let taken = self.transaction.body(body).await;
                    connection.consume(used);
                    if let Err(refusal) = taken {
                        self.session.refuse_body(refusal);
                    }
                }
            }
        }
    }

    /// Does what the session asks; the connection's end, if this is it.
    async fn act(
        &mut self,
        action: Action<'static>,
        connection: &mut Connection,
    ) -> io::Result<Option<End>> {
        let context = &*self.context;
        let origin = Origin {
            session: &self.session,
            peer: self.visitor.peer,
            tls: connection.tls(),
            login: self.visitor.login.as_ref(),
        };
        match action {
            Action::Reply(reply) => return self.reply(&reply, connection).await,
            Action::More => {
                connection.flush().await?;
                return self.fill(connection).await;
            }
            Action::Body(_) => unreachable!("a detached action lends nothing"),
            Action::Mail(mail) => {
                let answer = match self.transaction.mail(context, mail, &origin) {
                    Ok(()) => self.visitor.may(Count::Messages),
                    refused => refused,
                };
                if let Err(reply) = &answer {
                    let asked = self.transaction.mail_refused();
                    event!(
                        self.trace,
                        "MAIL {asked} refused: {} {}",
                        reply.code,
                        reply.text
                    );
                }
                self.session.answer(answer);
            }
            Action::Recipient(rcpt) => {
                let answer = match self.visitor.may(Count::Recipients) {
                    Ok(()) => self.recipient(&rcpt, connection),
                    refused => refused,
                };
                self.answer(format_args!("RCPT {}", rcpt.path), answer);
            }
            Action::Begin { size } => {
                let answer = self.transaction.begin(context, size, &origin);
                self.answer(format_args!("body"), answer);
            }
            Action::Abandon => self.transaction.abandon(),
            Action::Reset => self.transaction.clear(),
            Action::Deliver => {
                let login = self.visitor.login.as_ref();
                // Apart, for its future is larger than all the rest of a session.
                let outcome = Box::pin(self.transaction.deliver(context, login, self.trace)).await;
                if outcome.taken {
                    self.mails += 1;
                    self.visitor.did_well();
                }
                self.session.finish_each(outcome.replies);
            }
            Action::Authenticate { mechanism, initial } => {
                let (peer, initial) = (self.visitor.peer, initial.as_deref());
                let begun = login::begin(context, connection, peer, self.trace, mechanism, initial);
                let progress = Box::pin(begun).await;
                self.log_in(progress);
            }
            Action::Response(response) => match self.talk.take() {
                Some(talk) => {
                    let progress = login::respond(talk, &response).await;
                    self.log_in(progress);
                }
                None => self.session.answer(Err(reply::AUTH_FAILED)),
            },
            Action::Cancelled => self.talk = None,
            Action::Client(client) => {
                let known = self.visitor.become_client(&client, context);
                let peer = self.visitor.peer;
                self.answer(format_args!("XCLIENT {peer}"), known);
            }
            Action::StartTls => {
                self.start_tls(connection).await?;
                self.session.tls_started();
            }
            Action::Close => return Ok(Some(End::Closed)),
        }
        Ok(None)
    }

    /// Judges a recipient; traps see it first.
    fn recipient(&mut self, rcpt: &Rcpt, connection: &Connection) -> Result<(), Reply> {
        let context = &*self.context;
        let ip = self.visitor.peer.ip();
        if context.setup.policy.defer {
            self.hits.hit(context, ip, Trap::Defer, self.trace);
            return Err(refusal::DEFERRED);
        }
        let rules = context.setup.directory.rules();
        if let Recipient::Mailbox(address) = &rcpt.path
            && self.visitor.login.is_none()
            && rules.domains().is_trap(address)
        {
            self.hits.hit(context, ip, Trap::Address, self.trace);
            return Err(refusal::NO_SUCH_USER);
        }
        let origin = Origin {
            session: &self.session,
            peer: self.visitor.peer,
            tls: connection.tls(),
            login: self.visitor.login.as_ref(),
        };
        self.transaction.recipient(context, &rules, rcpt, &origin)
    }

    /// Goes on with a login, or ends it.
    fn log_in(&mut self, progress: Progress) {
        let answer = match progress {
            Progress::Challenge(talk, octets) => {
                self.talk = Some(talk);
                return self.session.challenge(&octets);
            }
            Progress::Refused(reply) => Err(reply),
            Progress::Done(login) => self.visitor.enter_as(login).map_err(|verdict| {
                let mut refusal = verdict.refusal().unwrap_or(reply::AUTH_LATER);
                // RFC 4954 §6 knows one temporary refusal of AUTH.
                refusal.code = reply::AUTH_LATER.code;
                refusal
            }),
        };
        self.session.answer(answer);
    }

    /// The moment before the greeting; the connection's end, if this is it.
    async fn listen_first(&self, connection: &mut Connection) -> Option<End> {
        let setup = &self.context.setup;
        let delay_ms = setup.policy.greeting_delay_ms;
        let waits = setup.role == Role::Mx && setup.tls_mode != TlsMode::Implicit;
        if delay_ms == 0 || !waits || !self.visitor.is_stranger() {
            return None;
        }
        let waited = greeting::wait(connection, &setup.shard, delay_ms);
        match Box::pin(waited).await {
            Manners::Quiet => None,
            Manners::Talked => {
                self.visitor.failed("spoke before the greeting");
                Some(End::Early)
            }
            Manners::Left => Some(End::Left),
            Manners::Drained => Some(End::Drained),
        }
    }

    /// Writes a reply; the more refusals there were, the later the next one, until it is the last one.
    async fn reply(
        &mut self,
        reply: &Reply,
        connection: &mut Connection,
    ) -> io::Result<Option<End>> {
        self.waiting.done(self.session.phase_patience());
        let mut end = None;
        if !reply.is_positive() {
            self.has_failed = true;
            if reply.code >= 500 && self.visitor.is_stranger() {
                let (delay_ms, is_banned) = self.count_refusal();
                if delay_ms > 0 {
                    Box::pin(self.hold_back(delay_ms, connection)).await?;
                }
                end = is_banned.then_some(End::Banned);
            }
        }
        answer::write(reply, self.trace, connection.output());
        Ok(end)
    }

    /// One more permanent refusal of a stranger: how long its answer waits, in milliseconds, and whether it is banned now.
    #[cold]
    fn count_refusal(&mut self) -> (u64, bool) {
        self.refusals = self.refusals.saturating_add(1);
        let in_session_ms = tarpit::delay_ms(self.refusals, &self.context.setup.limits);
        match self.visitor.failed("too many refused commands") {
            Verdict::Welcome => (in_session_ms, false),
            Verdict::Slow(ms) => (in_session_ms.max(ms), false),
            Verdict::Later(_) | Verdict::Refused(_) => (in_session_ms, true),
        }
    }

    /// Waits without a buffer of replies. A draining server waits for nobody.
    async fn hold_back(&self, delay_ms: u64, connection: &mut Connection) -> io::Result<()> {
        connection.flush().await?;
        let pause = sleep(Duration::from_millis(delay_ms));
        first(pause, self.context.setup.shard.drain()).await;
        Ok(())
    }

    /// Passes the answer on; a refusal is told once.
    fn answer(&mut self, asked: fmt::Arguments<'_>, answer: Result<(), Reply>) {
        if let Err(reply) = &answer {
            event!(self.trace, "{asked} refused: {} {}", reply.code, reply.text);
        }
        self.session.answer(answer);
    }

    /// Waits for more input; what ends the wait otherwise ends the connection.
    async fn fill(&mut self, connection: &mut Connection) -> io::Result<Option<End>> {
        let setup = &self.context.setup;
        let (phase, begun) = (
            self.session.phase_patience(),
            !connection.input().is_empty(),
        );
        if let Some(bounds) = self.waiting.next(phase, begun, &setup.limits) {
            bounds.apply(connection);
        }
        let remembered = self.session.transcript_octets() as u64;
        if remembered != self.remembered.octets() {
            self.remembered.set(remembered);
        }
        let is_idle = self.session.is_idle();
        connection.spare(is_idle && self.visitor.login.is_none());
        let filled = if is_idle {
            match first(connection.fill(), setup.shard.drain()).await {
                First::A(filled) => filled,
                First::B(()) => return Ok(Some(End::Drained)),
            }
        } else {
            connection.fill().await
        };
        self.session.at(time::now_unix_ms());
        match filled {
            Ok(0) => Ok(Some(End::Left)),
            Ok(octets) => {
                self.waiting.came(octets as u64);
                Ok(None)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::TimedOut if connection.is_late() && self.waiting.has_begun() => {
                    Ok(Some(End::Slow))
                }
                io::ErrorKind::TimedOut => Ok(Some(End::Idle)),
                io::ErrorKind::OutOfMemory => Ok(Some(End::Spared)),
                // Many leave TLS without a goodbye. A mail has its own end, so nothing can be cut off unseen.
                io::ErrorKind::UnexpectedEof => Ok(Some(End::Left)),
                _ => Err(error),
            },
        }
    }

    /// A draining server does not wait for a handshake: no mail is under way in it.
    async fn start_tls(&mut self, connection: &mut Connection) -> io::Result<()> {
        let setup = &self.context.setup;
        let Some(tls) = &setup.tls else {
            return Err(io::Error::other("no certificate is configured"));
        };
        match Box::pin(first(connection.start_tls(tls), setup.shard.drain())).await {
            First::A(shaken) => shaken?,
            First::B(()) => return Err(io::Error::other("drained within the TLS handshake")),
        }
        // A user of before has to log in anew. RFC 3207 §4.2.
        self.visitor.login = None;
        self.talk = None;
        if let Some(names) = login::offer(&self.context, connection) {
            self.session.offer_mechanisms(names);
        }
        Ok(())
    }

    /// Keeps what was said, where something was refused or failed.
    fn keep(&mut self, connection: &Connection, end: &End, last: Option<&Reply>) {
        let in_mail =
            matches!(end, End::Left | End::Idle | End::Broken(_)) && !self.session.is_idle();
        if !(self.has_failed || in_mail || end.is_failure()) {
            return;
        }
        if let Some(last) = last {
            self.session.record(last);
        }
        let (setup, peer) = (&self.context.setup, self.visitor.peer);
        let tls = connection.tls().map_or("in clear", |tls| tls.version);
        let login = self.visitor.login.as_ref();
        let login = login.map_or(String::new(), |login| format!(" as {}", login.name));
        let (tag, mails) = (&setup.policy.tag, self.mails);
        kept::keep(
            &self.context,
            self.trace,
            time::now_unix(),
            format_args!("{peer} at {tag}, {tls}{login}"),
            &self.session.transcript(),
            format_args!("{end}; {mails} mails accepted"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets_of<A, B, F>(_: impl Fn(A, B) -> F) -> usize {
        std::mem::size_of::<F>()
    }

    /// Most sessions wait, and there are thousands: what only a mail needs is apart. It was 8,320 once.
    #[test]
    fn a_session_that_waits_is_small() {
        assert!(octets_of(serve) <= 2_560, "{}", octets_of(serve));
    }
}
