//! The server's side of a session: octets and answers in, actions out. RFC 5321 §4.1.4.
//!
//! In:  [`Session::step`] with the octets not yet consumed; the service's answers to what an action asks.
//! Out: one [`Action`], and how many octets it used up. The service does it, consumes the octets and steps again.
//!
//! | phase | what ends it | action | then |
//! |---|---|---|---|
//! | Command | a line | `Reply`; `Reset` before it where a transaction ends | Command |
//! | Command | EHLO, HELO, LHLO | `Reply` | Command, greeted |
//! | Command, greeted | MAIL | `Mail` | Answer |
//! | Command, transaction | RCPT | `Recipient` | Answer |
//! | Command, recipients | DATA | `Begin` | Answer, then Data |
//! | Command, recipients | BDAT | `Begin` before the first chunk | Answer, then Chunk |
//! | Command, greeted | AUTH | `Authenticate` | Answer |
//! | Command, no transaction | XCLIENT | `Client` | Answer; then the session starts anew |
//! | Command | STARTTLS | `Reply` 220 | StartTls |
//! | Command | QUIT, 421, 521 | `Reply` | Ended |
//! | Command, DATA was refused | a line that is no command | `Reply` 521 | Ended |
//! | Answer | [`Session::answer`] | `Reply`, or none before a chunk | as the question says |
//! | Answer, of AUTH | [`Session::challenge`] | `Reply` 334 | Response |
//! | Response | a line | `Response`, or `Cancelled` and then `Reply` | Answer, Command |
//! | StartTls | | `StartTls`, everything received is consumed | Command, after [`Session::tls_started`] |
//! | Data | CRLF . CRLF | `Body` for each run, then `Deliver` | Deliver |
//! | Chunk | its last octet | `Body` for each run, then `Reply`; after LAST `Deliver` | Command, Deliver |
//! | Data, Chunk, refused | the same | `Abandon` at once; at the end `Reset` and `Reply` | Command |
//! | Deliver | [`Session::finish`], [`Session::finish_each`] | `Reply`; for LMTP one for each recipient | Command |
//! | Ended | | `Close` | Ended |
//!
//! Invariants: replies come in the order of commands, however the octets were cut. A chunk announced by BDAT is
//! swallowed whatever it is answered. What came in clear before STARTTLS is dropped. RFC 3207 §4.2. A reply of 421 is the
//! last one, whoever gave it. RFC 5321 §3.8.
//!
//! The service writes replies into its output and flushes when it gets [`Action::More`], `StartTls` or `Close`: commands
//! pipelined in one chunk are answered in one write. RFC 2920 §3.2.

mod body;
mod execute;
mod proxy;
mod replies;
mod sasl;

use crate::chunk::LineEnds;
use crate::client::Client;
use crate::dot::Undot;
use crate::envelope::{Body, Mail, Rcpt};
use crate::extension::Circumstances;
use crate::line::{Line, Lines};
use crate::nul::NulLines;
use crate::transcript::Transcript;
use crate::{Role, Tls, reply};
use ringpost_types::Reply;
use ringpost_types::limit::Limits;
use std::rc::Rc;

/// What sessions of one listener have in common.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the listener is for.
    pub role: Role,
    /// The name we greet with. RFC 5321 §4.2.
    pub hostname: Box<str>,
    /// The bounds in force.
    pub limits: Limits,
    /// Mail can leave this host: what needs that is offered.
    pub queue: bool,
    /// How users may say who they are; without any, AUTH is not offered.
    pub mechanisms: Mechanisms,
    /// Clients may speak for others by XCLIENT. Where only some networks may, a listener has two of these `Options`, and
    /// each session gets the one that its peer's address asks for.
    pub xclient: bool,
}

/// SASL mechanisms, by their registered names, the preferred one first. RFC 4954 §3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mechanisms {
    /// Before TLS, or without any: none that shows a password. RFC 4954 §4.
    pub clear: Vec<&'static str>,
    /// Inside TLS.
    pub tls: Vec<&'static str>,
}

/// What the service is to do.
#[derive(Debug)]
pub enum Action<'i> {
    /// Flush, then bring more input.
    More,
    /// Write it.
    Reply(Reply),
    /// Judge the sender; then [`Session::answer`].
    Mail(Mail),
    /// Judge the recipient; then [`Session::answer`].
    Recipient(Rcpt),
    /// A mail of about this many octets arrives: make room for it; then [`Session::answer`].
    Begin { size: Option<u64> },
    /// Octets of the mail.
    Body(&'i [u8]),
    /// The mail that arrives will be refused: let go of it. The transaction stands until `Reset`.
    Abandon,
    /// The mail is complete: deliver it; then [`Session::finish`] or [`Session::finish_each`].
    Deliver,
    /// The transaction is over without a delivery: forget the envelope, and the mail if one is arriving.
    Reset,
    /// Flush, drop all input, start TLS; then [`Session::tls_started`].
    StartTls,
    /// A SASL exchange begins, by a mechanism that was offered; then [`Session::challenge`] or [`Session::answer`].
    Authenticate {
        /// As the service named it.
        mechanism: &'static str,
        /// Base64 undone; there may be one that is empty. RFC 4954 §4.
        initial: Option<Vec<u8>>,
    },
    /// It goes on, base64 undone; then the same two.
    Response(Vec<u8>),
    /// It is over without an outcome: forget it. The session says why.
    Cancelled,
    /// Let this be the client; then [`Session::answer`].
    Client(Box<Client>),
    /// Flush and close.
    Close,
}

impl<'i> Action<'i> {
    /// The action apart from the input, or the octets it lends: the service can consume the input then.
    pub fn detach(self) -> Result<Action<'static>, &'i [u8]> {
        Ok(match self {
            Action::Body(octets) => return Err(octets),
            Action::More => Action::More,
            Action::Reply(reply) => Action::Reply(reply),
            Action::Mail(mail) => Action::Mail(mail),
            Action::Recipient(recipient) => Action::Recipient(recipient),
            Action::Begin { size } => Action::Begin { size },
            Action::Abandon => Action::Abandon,
            Action::Deliver => Action::Deliver,
            Action::Reset => Action::Reset,
            Action::StartTls => Action::StartTls,
            Action::Authenticate { mechanism, initial } => {
                Action::Authenticate { mechanism, initial }
            }
            Action::Response(octets) => Action::Response(octets),
            Action::Cancelled => Action::Cancelled,
            Action::Client(client) => Action::Client(client),
            Action::Close => Action::Close,
        })
    }
}

/// What a session waits for from its client: each has its own time. RFC 5321 §4.5.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// The first greeting.
    Hello,
    /// A command.
    Command,
    /// The answer to a challenge.
    Response,
    /// Octets of a mail.
    Block,
}

/// What the next octets are, and what they wait for; the table above.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Command,
    Answer(Question),
    Response,
    StartTls,
    Data(Undot),
    Chunk(Chunk),
    Deliver,
    Ended,
}

/// What the service was asked.
#[derive(Clone, Copy, Debug)]
enum Question {
    Mail,
    Recipient,
    Data,
    Chunk(Chunk),
    Login,
    Client,
}

/// A chunk of BDAT that is arriving.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    octets_left: u64,
    last: bool,
}

/// What is known of a transaction. Its addresses are the service's.
#[derive(Debug, Default)]
struct Transaction {
    /// MAIL was accepted.
    open: bool,
    utf8: bool,
    body: Body,
    size: Option<u64>,
    recipients: u32,
    refused: u32,
    /// A BDAT was accepted.
    chunking: bool,
    line_ends: LineEnds,
    nul_lines: NulLines,
    /// Of the body so far.
    octets: u64,
    /// What the body will be answered, come what may.
    refusal: Option<Reply>,
}

/// One session.
#[derive(Debug)]
pub struct Session {
    options: Rc<Options>,
    tls: Tls,
    /// Mechanisms of this connection, where they are not those of all.
    mechanisms: Option<Rc<[&'static str]>>,
    /// The client's name, after EHLO, HELO or LHLO.
    helo: Option<Box<str>>,
    extended: bool,
    authenticated: bool,
    phase: Phase,
    lines: Lines,
    transaction: Transaction,
    /// A reply to be written before anything else.
    queued: Option<Reply>,
    /// Those behind it, the last one first.
    queued_more: Vec<Reply>,
    /// What XCLIENT said that outlives its session, and what it says while the service is asked.
    proxied: Option<Box<proxy::Proxied>>,
    /// A chunk in the middle was refused; those that the client had sent behind it are no errors of their own.
    chunk_refused: bool,
    /// The last command was DATA, refused: what comes next may be a mail of a client that does not wait.
    data_refused: bool,
    errors: u64,
    /// Temporary refusals since the last mail that was taken.
    deferrals: u64,
    login_failures: u64,
    transactions: u64,
    /// Commands since the last mail that bring none nearer.
    idle_commands: u64,
    transcript: Transcript,
}

impl Session {
    /// Starts behind the greeting.
    pub fn new(options: Rc<Options>, tls: Tls) -> Self {
        let transcript = Transcript::new(options.limits.smtp_transcript_octets_max);
        Session {
            options,
            tls,
            mechanisms: None,
            helo: None,
            extended: false,
            authenticated: false,
            phase: Phase::Command,
            lines: Lines::default(),
            transaction: Transaction::default(),
            queued: None,
            queued_more: Vec::new(),
            proxied: None,
            chunk_refused: false,
            data_refused: false,
            errors: 0,
            deferrals: 0,
            login_failures: 0,
            transactions: 0,
            idle_commands: 0,
            transcript,
        }
    }

    /// What time it is, in milliseconds since 1970; to be told before the greeting and whenever octets came.
    pub fn at(&mut self, unix_ms: u64) {
        self.transcript.at(unix_ms);
    }

    /// The greeting of this host, or the one of LMTP. RFC 5321 §4.2, RFC 2033 §4.
    pub fn greeting(&mut self) -> Reply {
        let greeting = self.welcome();
        self.transcript.reply(&greeting);
        greeting
    }

    fn welcome(&self) -> Reply {
        let protocol = if self.options.role == Role::Lmtp {
            "LMTP"
        } else {
            "ESMTP"
        };
        let text = format!("{} {protocol} Ringpost", self.options.hostname);
        Reply::with_text(220, None, text)
    }

    /// The next action, and the octets of `input` it used up.
    pub fn step<'i>(&mut self, input: &'i [u8]) -> (usize, Action<'i>) {
        if let Some(reply) = self.next_reply() {
            return (0, Action::Reply(reply));
        }
        match self.phase {
            Phase::Command => self.command(input),
            Phase::Response => self.response(input),
            Phase::Data(undot) => self.data(undot, input),
            Phase::Chunk(chunk) => self.chunk(chunk, input),
            Phase::StartTls => (input.len(), Action::StartTls),
            Phase::Ended => (input.len(), Action::Close),
            Phase::Answer(_) | Phase::Deliver => {
                debug_assert!(false, "the last action still waits for its answer");
                (0, Action::More)
            }
        }
    }

    /// The answer to `Mail`, `Recipient`, `Begin`, `Client`, or the end of what `Authenticate` began.
    pub fn answer(&mut self, answer: Result<(), Reply>) {
        let Phase::Answer(question) = self.phase else {
            debug_assert!(false, "nothing was asked");
            return;
        };
        self.phase = Phase::Command;
        match (question, answer) {
            (Question::Mail, Ok(())) => {
                self.transaction.open = true;
                self.queue(reply::SENDER_OK);
            }
            (Question::Mail, Err(refusal)) => {
                self.transaction = Transaction::default();
                self.queue(refusal);
            }
            (Question::Recipient, Ok(())) => {
                self.transaction.recipients += 1;
                self.queue(reply::RECIPIENT_OK);
            }
            (Question::Recipient, Err(refusal)) => {
                self.transaction.refused = self.transaction.refused.saturating_add(1);
                self.queue(refusal);
            }
            (Question::Data, Ok(())) => {
                self.phase = Phase::Data(Undot::new());
                self.queue(reply::START_MAIL_INPUT);
            }
            (Question::Data, Err(refusal)) => {
                self.data_refused = true;
                self.queue(refusal);
            }
            (Question::Chunk(chunk), answer) => {
                self.transaction.refusal = answer.err();
                self.phase = Phase::Chunk(chunk);
            }
            (Question::Login, Ok(())) => {
                self.authenticated = true;
                self.queue(reply::AUTHENTICATED);
            }
            (Question::Login, Err(refusal)) => self.refuse_login(refusal),
            (Question::Client, answer) => self.settle_client(answer),
        }
    }

    /// The mail that is arriving cannot be taken: its octets are still read, then it is answered `refusal`.
    pub fn refuse_body(&mut self, refusal: Reply) {
        debug_assert!(matches!(self.phase, Phase::Data(_) | Phase::Chunk(_)));
        self.transaction.refusal.get_or_insert(refusal);
    }

    /// What became of the mail after `Deliver`, one answer for all. RFC 2033 §4.2: LMTP says it for each recipient.
    pub fn finish(&mut self, outcome: Reply) {
        let more = repeated(&outcome, self.outcomes() - 1);
        self.settle(outcome, more);
    }

    /// What became of the mail after `Deliver`: as many as [`Session::outcomes`], in the order of RCPT.
    pub fn finish_each(&mut self, mut outcomes: Vec<Reply>) {
        debug_assert_eq!(outcomes.len(), self.outcomes());
        outcomes.reverse();
        let first = outcomes.pop().unwrap_or(reply::NO_OUTCOME);
        self.settle(first, outcomes);
    }

    /// The first outcome, and the others with the last one in front.
    fn settle(&mut self, first: Reply, more: Vec<Reply>) {
        debug_assert!(matches!(self.phase, Phase::Deliver));
        self.transactions += 1;
        if first.is_positive() || more.iter().any(Reply::is_positive) {
            self.idle_commands = 0;
            self.deferrals = 0;
        }
        self.end_body(first, more);
    }

    /// How many outcomes a mail has: in LMTP one for each recipient that was accepted, else one.
    pub fn outcomes(&self) -> usize {
        match self.options.role {
            Role::Lmtp => self.transaction.recipients.max(1) as usize,
            Role::Mx | Role::Submission => 1,
        }
    }

    /// The handshake is done: the session starts anew. RFC 3207 §4.2.
    pub fn tls_started(&mut self) {
        debug_assert!(matches!(self.phase, Phase::StartTls));
        self.transcript.note("TLS");
        self.tls = Tls::Active;
        self.phase = Phase::Command;
        self.lines = Lines::default();
        self.proxied = None;
        self.helo = None;
        self.extended = false;
        self.authenticated = false;
    }

    /// What this connection may log in by, as long as TLS stands as it does: a client certificate or a channel to bind to
    /// decide it. Without this call it is what [`Options::mechanisms`] says.
    pub fn offer_mechanisms(&mut self, names: Rc<[&'static str]>) {
        self.mechanisms = Some(names);
    }

    /// How large the input may have to grow for one line, in octets.
    pub fn line_octets_max(&self) -> usize {
        let limits = &self.options.limits;
        limits
            .smtp_command_octets_max
            .max(limits.smtp_auth_octets_max) as usize
    }

    /// Between transactions, with nothing asked: a draining server may end the session here.
    pub fn is_idle(&self) -> bool {
        let between = matches!(self.phase, Phase::Command | Phase::Response);
        between && !self.transaction.open && self.queued.is_none()
    }

    /// What is waited for, after [`Action::More`].
    pub fn phase_patience(&self) -> Patience {
        match self.phase {
            Phase::Data(_) | Phase::Chunk(_) => Patience::Block,
            // Between chunks a mail is under way.
            Phase::Command if self.transaction.chunking || self.chunk_refused => Patience::Block,
            Phase::Response => Patience::Response,
            _ if self.helo.is_none() => Patience::Hello,
            _ => Patience::Command,
        }
    }

    /// The name the client gave, if it greeted.
    pub fn helo(&self) -> Option<&str> {
        self.helo.as_deref()
    }

    /// How the mail of this transaction comes in.
    pub fn transport(&self) -> crate::protocol::Transport {
        crate::protocol::Transport {
            role: self.options.role,
            extended: self.extended,
            utf8: self.transaction.utf8,
            tls: self.tls == Tls::Active,
            authenticated: self.authenticated,
        }
    }

    /// What was said, secrets and mails left out; of a mail that is arriving, how much came.
    pub fn transcript(&self) -> String {
        let mut text = self.transcript.to_string();
        if matches!(self.phase, Phase::Data(_) | Phase::Chunk(_)) {
            let octets = self.transaction.octets;
            text.push_str(&format!("         … {octets} octets of a mail so far\n"));
        }
        text
    }

    /// Octets of memory that the transcript takes.
    pub fn transcript_octets(&self) -> usize {
        self.transcript.held_octets()
    }

    /// A reply that the service gives by itself, for the transcript.
    pub fn record(&mut self, reply: &Reply) {
        self.transcript.reply(reply);
    }

    /// How things stand, for what is offered.
    fn circumstances(&self) -> Circumstances<'_> {
        let mechanisms = &self.options.mechanisms;
        let mechanisms = match (&self.mechanisms, self.tls) {
            (Some(own), _) => own,
            (None, Tls::Active) => &mechanisms.tls[..],
            (None, _) => &mechanisms.clear,
        };
        Circumstances {
            role: self.options.role,
            tls: self.tls,
            queue: self.options.queue,
            xclient: self.options.xclient,
            mechanisms,
            limits: &self.options.limits,
            unix: self.transcript.unix_ms() / 1_000,
        }
    }

    /// Cuts a line and executes it.
    fn command<'i>(&mut self, input: &'i [u8]) -> (usize, Action<'i>) {
        // A SASL response may stand in the command line. RFC 4954 §4.
        let is_auth = input
            .get(..5)
            .is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
        let octets_max = if is_auth {
            self.options.limits.smtp_auth_octets_max
        } else {
            self.options.limits.smtp_command_octets_max
        };
        let (used, line) = self.lines.next(input, octets_max as usize);
        let action = match line {
            Line::Whole(line) => self.execute(line),
            Line::More => Action::More,
            Line::TooLong => self.too_long(),
        };
        // The octets of a chunk stand right behind its BDAT.
        if let (Action::More, Phase::Chunk(chunk)) = (&action, self.phase) {
            let (of_chunk, action) = self.chunk(chunk, &input[used..]);
            return (used + of_chunk, action);
        }
        (used, action)
    }

    fn ask<'i>(&mut self, question: Question, action: Action<'i>) -> Action<'i> {
        self.phase = Phase::Answer(question);
        action
    }
}

/// The same reply for the others of a mail; mostly there are none.
fn repeated(reply: &Reply, times: usize) -> Vec<Reply> {
    match times {
        0 => Vec::new(),
        times => vec![reply.clone(); times],
    }
}

#[cfg(test)]
mod tests;
