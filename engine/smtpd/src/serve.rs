//! One connection's life: octets to the session, its actions done, replies back.
//!
//! In:  a connection. Out: mails in the log; one event for the connection's end.
//!
//! Replies gather in the connection's output until the session needs more input: commands that came together are answered
//! together. RFC 2920 §3.2. When the server drains, a session between transactions is told 421 and closed; one in a
//! transaction may finish it. RFC 5321 §3.8.

use crate::context::{Context, TlsMode};
use crate::greeting::{self, Manners};
use crate::transaction::{Origin, Transaction};
use crate::{Role, answer, login, refusal, tarpit};
use ringpost_admission::{Count, Guard, Verdict};
use ringpost_directory::Login;
use ringpost_runtime::time::{self, Duration, First, first, sleep};
use ringpost_runtime::{Connection, Endpoint, event};
use ringpost_smtp::{Action, Session, auth, reply};
use ringpost_types::{Reply, TraceId};
use std::rc::Rc;
use std::{fmt, io};

/// How a connection ended, for its event.
enum End {
    /// QUIT, or a last reply of the session's own.
    Closed,
    /// The peer left without QUIT.
    Left,
    /// Nothing heard.
    Idle,
    /// Octets came, but too slowly.
    Slow,
    /// It spoke before the greeting.
    Early,
    /// It was refused once too often.
    Banned,
    /// The server drains.
    Drained,
    /// The connection broke.
    Broken(io::Error),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Closed => f.write_str("closed"),
            End::Left => f.write_str("left by the peer"),
            End::Idle => f.write_str("idle for too long"),
            End::Slow => f.write_str("too slow"),
            End::Early => f.write_str("spoke before the greeting"),
            End::Banned => f.write_str("banned"),
            End::Drained => f.write_str("drained"),
            End::Broken(error) => write!(f, "broken: {error}"),
        }
    }
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
    let now_ms = time::now_unix_ms();
    let entered = match connection.take_guard() {
        Some(guard) => Ok(guard),
        None => context.setup.admission.enter(peer.ip(), now_ms),
    };
    let guard = match entered {
        Ok(guard) => guard,
        Err(verdict) => {
            let refusal = verdict.greeting().unwrap_or(reply::BUSY);
            event!(trace, "connection from {peer} refused: {}", refusal.text);
            answer::write(&refusal, trace, connection.output());
            return connection.close().await;
        }
    };
    let mut dialogue = Dialogue {
        session: Session::new(context.options.clone(), context.tls_at_start()),
        transaction: Transaction::new(),
        login: None,
        mails: 0,
        refusals: 0,
        guard,
        is_banned: false,
        peer,
        trace,
        context,
    };
    let end = match dialogue.run(&mut connection).await {
        Ok(end) => end,
        Err(error) => End::Broken(error),
    };
    let mails = dialogue.mails;
    event!(trace, "connection from {peer} mails={mails} {end}");
    // What the session holds is not needed while the peer takes its last reply.
    drop(dialogue);
    let last = match end {
        End::Idle => Some(reply::IDLE_TOO_LONG),
        End::Slow => Some(refusal::TOO_SLOW),
        End::Early => Some(refusal::TALKED_EARLY),
        End::Banned => Some(reply::TOO_MANY_ERRORS),
        End::Drained => Some(reply::SHUTTING_DOWN),
        End::Closed | End::Left => None,
        End::Broken(_) => return,
    };
    if let Some(last) = last {
        answer::write(&last, trace, connection.output());
    }
    connection.close().await;
}

/// A session and what it is about.
struct Dialogue {
    context: Rc<Context>,
    session: Session,
    transaction: Transaction,
    login: Option<Login>,
    mails: u64,
    /// Permanent refusals so far.
    refusals: u32,
    /// Counts the client while it is here.
    guard: Guard,
    /// Its last refusal was one too many.
    is_banned: bool,
    peer: Endpoint,
    trace: TraceId,
}

impl Dialogue {
    async fn run(&mut self, connection: &mut Connection) -> io::Result<End> {
        connection.input_max(self.session.line_octets_max());
        let silence_ms = self.context.setup.limits.smtp_idle_ms;
        connection.silence_max(Duration::from_millis(silence_ms));
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
        match action {
            Action::Reply(reply) => self.reply(&reply, connection).await?,
            Action::More => {
                connection.flush().await?;
                return self.fill(connection).await;
            }
            Action::Body(_) => unreachable!("a detached action lends nothing"),
            Action::Mail(mail) => {
                let answer = self
                    .transaction
                    .mail(context, &mail, self.login.as_ref())
                    .and_then(|()| self.may(Count::Messages));
                self.answer(format_args!("MAIL {mail}"), answer);
            }
            Action::Recipient(recipient) => {
                let login = self.login.as_ref();
                let answer = match self.may(Count::Recipients) {
                    Ok(()) => self.transaction.recipient(context, &recipient.path, login),
                    refused => refused,
                };
                self.answer(format_args!("RCPT {}", recipient.path), answer);
            }
            Action::Begin { size } => {
                let origin = Origin {
                    session: &self.session,
                    peer: self.peer,
                    tls: connection.tls(),
                };
                let answer = self.transaction.begin(context, size, &origin);
                self.answer(format_args!("body"), answer);
            }
            Action::Abandon => self.transaction.abandon(),
            Action::Reset => self.transaction.clear(),
            Action::Deliver => {
                let outcome = {
                    let login = self.login.as_ref();
                    self.transaction.deliver(context, login, self.trace).await
                };
                if outcome.is_positive() {
                    self.mails += 1;
                    self.guard.good(self.peer.ip(), time::now_unix_ms());
                }
                self.session.finish(outcome);
            }
            Action::Authenticate { initial: None, .. } => self.session.challenge(b""),
            Action::Authenticate {
                initial: Some(response),
                ..
            }
            | Action::Response(response) => {
                let answer = match auth::plain(&response) {
                    Ok(credentials) => login::verify(context, credentials, self.trace).await,
                    Err(_) => Err(reply::AUTH_FAILED),
                };
                let answer = answer.and_then(|login| self.enter_as(login));
                self.session.answer(answer);
            }
            Action::StartTls => {
                self.start_tls(connection).await?;
                self.session.tls_started();
            }
            Action::Cancelled => {}
            Action::Client(_) => self.session.answer(Err(reply::XCLIENT_DENIED)),
            Action::Close => return Ok(Some(End::Closed)),
        }
        Ok(self.is_banned.then_some(End::Banned))
    }

    /// Counts one more of something, if it is not too many.
    fn may(&self, count: Count) -> Result<(), Reply> {
        let verdict = self.guard.count(count, 1, time::now_unix_ms());
        verdict.refusal().map_or(Ok(()), Err)
    }

    /// From now on the client counts by its account.
    fn enter_as(&mut self, login: Login) -> Result<(), Reply> {
        let verdict = self.guard.known_as(&login.name, time::now_unix_ms());
        if let Some(mut refusal) = verdict.refusal() {
            // RFC 4954 §6 knows one temporary refusal of AUTH.
            refusal.code = reply::AUTH_LATER.code;
            return Err(refusal);
        }
        self.login = Some(login);
        Ok(())
    }

    /// The moment before the greeting; the connection's end, if this is it.
    async fn listen_first(&self, connection: &mut Connection) -> Option<End> {
        let setup = &self.context.setup;
        let delay_ms = setup.policy.greeting_delay_ms;
        let waits = setup.role == Role::Mx && setup.tls_mode != TlsMode::Implicit;
        if delay_ms == 0 || !waits || !self.guard.is_stranger() {
            return None;
        }
        let waited = greeting::wait(connection, &setup.shard, delay_ms);
        match Box::pin(waited).await {
            Manners::Quiet => None,
            Manners::Talked => {
                self.guard.fail(
                    self.peer.ip(),
                    "spoke before the greeting",
                    time::now_unix_ms(),
                );
                Some(End::Early)
            }
            Manners::Left => Some(End::Left),
            Manners::Drained => Some(End::Drained),
        }
    }

    /// Writes a reply; the more refusals there were, the later the next one.
    async fn reply(&mut self, reply: &Reply, connection: &mut Connection) -> io::Result<()> {
        if reply.code >= 500 && self.guard.is_stranger() {
            let delay_ms = self.count_refusal();
            if delay_ms > 0 {
                Box::pin(self.hold_back(delay_ms, connection)).await?;
            }
        }
        answer::write(reply, self.trace, connection.output());
        Ok(())
    }

    /// One more permanent refusal of a stranger: how long its answer waits, in milliseconds.
    #[cold]
    fn count_refusal(&mut self) -> u64 {
        self.refusals = self.refusals.saturating_add(1);
        let in_session_ms = tarpit::delay_ms(self.refusals, &self.context.setup.limits);
        let now_ms = time::now_unix_ms();
        let verdict = self
            .guard
            .fail(self.peer.ip(), "too many refused commands", now_ms);
        match verdict {
            Verdict::Welcome => in_session_ms,
            Verdict::Slow(ms) => in_session_ms.max(ms),
            Verdict::Later(_) | Verdict::Refused(_) => {
                self.is_banned = true;
                in_session_ms
            }
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
        let filled = if self.session.is_idle() {
            match first(connection.fill(), self.context.setup.shard.drain()).await {
                First::A(filled) => filled,
                First::B(()) => return Ok(Some(End::Drained)),
            }
        } else {
            connection.fill().await
        };
        self.session.at(time::now_unix_ms());
        match filled {
            Ok(0) => Ok(Some(End::Left)),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(Some(End::Idle)),
            // Many leave TLS without a goodbye. A mail has its own end, so nothing can be cut off unseen.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Some(End::Left)),
            Err(error) => Err(error),
        }
    }

    /// A draining server does not wait for a handshake: no mail is under way in it.
    async fn start_tls(&mut self, connection: &mut Connection) -> io::Result<()> {
        let setup = &self.context.setup;
        let Some(tls) = &setup.tls else {
            return Err(io::Error::other("no certificate is configured"));
        };
        match Box::pin(first(connection.start_tls(tls), setup.shard.drain())).await {
            First::A(shaken) => shaken,
            First::B(()) => Err(io::Error::other("drained within the TLS handshake")),
        }
    }
}
