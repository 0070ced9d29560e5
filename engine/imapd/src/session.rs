//! One client: its connection, who it is, what it has selected. What all commands need is here; what one command
//! does is in its own file.
//!
//! | state | entered by | left by |
//! |---|---|---|
//! | not authenticated | greeting | LOGIN, AUTHENTICATE |
//! | authenticated | a good login | SELECT, EXAMINE |
//! | selected | SELECT, EXAMINE | CLOSE, UNSELECT, another SELECT, DELETE of the mailbox |
//! | logout | LOGOUT, BYE, the peer gone | |
//!
//! RFC 3501 §3. The state is not stored: `login` and `view` are it.

use crate::context::Context;
use crate::outcome::{End, Refusal};
use crate::view::{Access, Progress, Renumber, View};
use ringpost_admission::Guard;
use ringpost_api::{Error, Outcome, Snapshot, Write, read};
use ringpost_directory::Login;
use ringpost_imap::parse::{self, Line};
use ringpost_runtime::Connection;
use ringpost_runtime::time::{self, Duration, First};
use ringpost_types::{AccountId, MailboxId, TraceId};
use std::rc::Rc;
use std::time::Instant;

/// Output beyond which a command that writes much flushes before it goes on.
pub(crate) const OUTPUT_OCTETS: usize = 56 * 1024;

/// See the head of this file.
pub(crate) struct Session {
    pub connection: Connection,
    pub context: Rc<Context>,
    pub trace: TraceId,
    pub login: Option<Login>,
    /// Counts it: by its address, and by its account once it has logged in; none where the listener counts nobody.
    pub guard: Option<Guard>,
    /// Boxed: most sessions of a mail client wait, and some have nothing selected.
    pub view: Option<Box<View>>,
    /// BAD answers so far.
    pub errors: u64,
    /// Refused logins so far.
    pub failures: u64,
    began: Instant,
}

impl Session {
    pub(crate) fn new(mut connection: Connection, context: Rc<Context>) -> Self {
        connection.silence_max(Duration::from_millis(context.limits.imap_preauth_idle_ms));
        let trace = context.shard.trace_id();
        let guard = connection.take_guard();
        Session {
            connection,
            context,
            trace,
            login: None,
            guard,
            view: None,
            errors: 0,
            failures: 0,
            began: Instant::now(),
        }
    }

    /// Where responses are written.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        self.connection.output()
    }

    /// The account; a bug's answer where nobody is logged in, which the dispatcher has excluded.
    pub(crate) fn account(&self) -> Result<AccountId, Refusal> {
        let login = self.login.as_ref();
        login
            .map(|login| login.account)
            .ok_or(Refusal::Bad("Log in first."))
    }

    /// Whether the account is still let in: the session may be older than what an operator said of it.
    pub(crate) fn is_welcome(&self) -> Result<(), Refusal> {
        let account = self.account()?;
        let snapshot = self.snapshot()?;
        match read::account(&*snapshot, account)? {
            Some(account) if !account.disabled => Ok(()),
            Some(_) | None => Err(End::Bye("The account is disabled.").into()),
        }
    }

    /// The selected mailbox.
    pub(crate) fn selected(&mut self) -> Result<&mut View, Refusal> {
        self.view
            .as_deref_mut()
            .ok_or(Refusal::Bad("Select a mailbox first."))
    }

    /// The selected mailbox, to be changed.
    pub(crate) fn writable(&mut self) -> Result<&mut View, Refusal> {
        let view = self.selected()?;
        match view.access {
            Access::ReadWrite => Ok(view),
            Access::ReadOnly => Err(Refusal::READ_ONLY),
        }
    }

    /// The store as of the last commit. Dropped before the next await.
    pub(crate) fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, Error> {
        self.context.store.snapshot()
    }

    /// The mailbox called `name`.
    pub(crate) fn mailbox(&self, name: &str) -> Result<Option<MailboxId>, Refusal> {
        let account = self.account()?;
        let snapshot = self.snapshot()?;
        Ok(read::mailbox_id(&*snapshot, account, name)?)
    }

    /// Hands over a write and waits until it is durable.
    pub(crate) async fn submit(&self, write: Write) -> Result<Outcome, Error> {
        let context = &self.context;
        context.shard.tickets.submit(&*context.store, write).await
    }

    /// Tells the client what changed in the selected mailbox.
    pub(crate) async fn news(&mut self, renumber: Renumber) -> Result<(), Refusal> {
        loop {
            let Some(view) = self.view.as_deref_mut() else {
                return Ok(());
            };
            let snapshot = self.context.store.snapshot()?;
            let synced = view.sync(&*snapshot, renumber, self.connection.output());
            drop(snapshot);
            let claim = view.unclaimed().then_some(Write::ClaimRecent {
                account: view.account,
                mailbox: view.mailbox,
            });
            // Nobody waits for it: should the claim get lost, a message is \Recent twice.
            claim
                .into_iter()
                .for_each(|claim| self.context.store.submit(claim, None));
            match synced {
                Ok(Progress::Done) => return Ok(()),
                Ok(Progress::More) => self.breathe().await?,
                // RFC 2180 §3.3: a session may be ended when another one deletes its mailbox.
                Err(Error::NoMailbox) => {
                    return Err(End::Bye("The selected mailbox was deleted.").into());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Lets others have the thread; flushes where much is written.
    pub(crate) async fn breathe(&mut self) -> Result<(), End> {
        if self.connection.output().len() >= OUTPUT_OCTETS {
            return self.flush().await;
        }
        time::turn().await;
        Ok(())
    }

    /// As [`Session::breathe`], but only where there is something to flush.
    pub(crate) async fn breathe_if_full(&mut self) -> Result<(), End> {
        match self.connection.output().len() >= OUTPUT_OCTETS {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    /// Sends what is written.
    pub(crate) async fn flush(&mut self) -> Result<(), End> {
        self.connection.flush().await.map_err(|_| End::Lost)
    }

    /// Before a wait: without a login the peer has only what is left of `imap_preauth_ms`, spent in silence or not.
    fn hurry(&mut self) -> Result<(), End> {
        if self.login.is_some() {
            return Ok(());
        }
        let limits = &self.context.limits;
        let whole = Duration::from_millis(limits.imap_preauth_ms);
        let left = whole.saturating_sub(self.began.elapsed());
        if left.is_zero() {
            return Err(End::Bye("Nobody has logged in."));
        }
        let silence = Duration::from_millis(limits.imap_preauth_idle_ms);
        if left < silence {
            self.connection.silence_max(left);
        }
        Ok(())
    }

    /// Waits for the next command, for as long as the peer may be silent, or until the server drains. What was answered
    /// is sent before the wait.
    pub(crate) async fn next_command(&mut self) -> Result<(), End> {
        if self.context.shard.draining() {
            return Err(End::DRAIN);
        }
        if !self.connection.input().is_empty() {
            return Ok(());
        }
        self.flush().await?;
        self.hurry()?;
        // Between two commands, and only there, a stranger may be sent away for want of memory.
        self.connection.spare(self.login.is_none());
        let input = time::first(self.connection.fill(), self.context.shard.drain());
        match input.await {
            First::A(filled) => came(filled),
            First::B(()) => Err(End::DRAIN),
        }
    }

    /// Has at least one octet of input afterwards: the rest of a command, which draining lets finish.
    pub(crate) async fn input(&mut self) -> Result<(), End> {
        if !self.connection.input().is_empty() {
            return Ok(());
        }
        self.flush().await?;
        self.hurry()?;
        self.connection.spare(false);
        came(self.connection.fill().await)
    }

    /// Moves the next piece of input, a line at most, over to `octets`. As a command ends with a line, nothing of the
    /// one after it comes along.
    pub(crate) async fn more(&mut self, octets: &mut Vec<u8>) -> Result<(), End> {
        self.input().await?;
        let input = self.connection.input();
        let end = memchr::memchr(b'\n', input).map_or(input.len(), |at| at + 1);
        octets.extend_from_slice(&input[..end]);
        self.connection.consume(end);
        Ok(())
    }

    /// Takes a line that is not a command, without its CRLF.
    pub(crate) async fn line(&mut self, octets_max: usize) -> Result<Vec<u8>, Refusal> {
        let mut octets = Vec::new();
        loop {
            self.more(&mut octets).await?;
            match parse::line(&octets, octets_max) {
                Line::NeedMore => {}
                Line::Whole { line, .. } => {
                    let length = line.len();
                    octets.truncate(length);
                    return Ok(octets);
                }
                Line::Bad => return Err(End::Bye("That line is too long, or no line.").into()),
            }
        }
    }
}

/// What became of a wait for octets.
fn came(filled: std::io::Result<usize>) -> Result<(), End> {
    match filled {
        Ok(0) => Err(End::Lost),
        Ok(_) => Ok(()),
        Err(error) => Err(End::of(&error)),
    }
}
