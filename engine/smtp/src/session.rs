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
//! | Command, in TLS | AUTH with a response | `Authenticate` | Answer |
//! | Command, in TLS | AUTH alone | `Reply` 334 | Response |
//! | Command | STARTTLS | `Reply` 220 | StartTls |
//! | Command | QUIT, 421, 521 | `Reply` | Ended |
//! | Answer | [`Session::answer`] | `Reply`, or none before a chunk | as the question says |
//! | Response | a line | `Authenticate`, or `Reply` | Answer, Command |
//! | StartTls | | `StartTls`, everything received is consumed | Command, after [`Session::tls_started`] |
//! | Data | CRLF . CRLF | `Body` for each run, then `Deliver` | Deliver |
//! | Chunk | its last octet | `Body` for each run, then `Reply`; after LAST `Deliver` | Command, Deliver |
//! | Data, Chunk, refused | the same | `Abandon` at once; at the end `Reset` and `Reply` | Command |
//! | Deliver | [`Session::finish`] | `Reply`; for LMTP one for each recipient | Command |
//! | Ended | | `Close` | Ended |
//!
//! Invariants: replies come in the order of commands, however the octets were cut. A chunk announced by BDAT is
//! swallowed whatever it is answered. What came in clear before STARTTLS is dropped. RFC 3207 §4.2.
//!
//! The service writes replies into its output and flushes when it gets [`Action::More`], `StartTls` or `Close`: commands
//! pipelined in one chunk are answered in one write. RFC 2920 §3.2.

mod body;
mod execute;

use crate::auth::Credentials;
use crate::chunk::LineEnds;
use crate::dot::Undot;
use crate::line::{Line, Lines};
use crate::{Role, Tls, auth, reply};
use ringpost_types::limit::Limits;
use ringpost_types::{Address, Reply};
use std::fmt;
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
    Recipient(Recipient),
    /// A mail of about this many octets arrives: make room for it; then [`Session::answer`].
    Begin { size: Option<u64> },
    /// Octets of the mail.
    Body(&'i [u8]),
    /// The mail that arrives will be refused: let go of it. The transaction stands until `Reset`.
    Abandon,
    /// The mail is complete: deliver it; then [`Session::finish`].
    Deliver,
    /// The transaction is over without a delivery: forget the envelope, and the mail if one is arriving.
    Reset,
    /// Flush, drop all input, start TLS; then [`Session::tls_started`].
    StartTls,
    /// Verify the password; then [`Session::answer`].
    Authenticate(Credentials),
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
            Action::Authenticate(credentials) => Action::Authenticate(credentials),
            Action::Close => Action::Close,
        })
    }
}

/// A transaction's beginning. RFC 5321 §3.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// `None` is `<>`.
    pub reverse_path: Option<Address>,
    /// What the client says the message will take, in octets.
    pub size: Option<u64>,
    /// The client said SMTPUTF8.
    pub utf8: bool,
}

/// Whom a mail is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// An address.
    Mailbox(Address),
    /// `<postmaster>` of this host. RFC 5321 §4.1.1.3.
    Postmaster,
}

impl fmt::Display for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reverse_path {
            Some(address) => write!(f, "<{address}>"),
            None => f.write_str("<>"),
        }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Recipient::Mailbox(address) => write!(f, "<{address}>"),
            Recipient::Postmaster => f.write_str("<postmaster>"),
        }
    }
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
    Credentials,
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
    size: Option<u64>,
    recipients: u32,
    refused: u32,
    /// A BDAT was accepted.
    chunking: bool,
    line_ends: LineEnds,
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
    /// The client's name, after EHLO, HELO or LHLO.
    helo: Option<Box<str>>,
    extended: bool,
    authenticated: bool,
    phase: Phase,
    lines: Lines,
    transaction: Transaction,
    /// A reply to be written before anything else, and how many times.
    queued: Option<(Reply, u32)>,
    errors: u64,
    login_failures: u64,
    transactions: u64,
}

impl Session {
    /// Starts behind the greeting.
    pub fn new(options: Rc<Options>, tls: Tls) -> Self {
        Session {
            options,
            tls,
            helo: None,
            extended: false,
            authenticated: false,
            phase: Phase::Command,
            lines: Lines::default(),
            transaction: Transaction::default(),
            queued: None,
            errors: 0,
            login_failures: 0,
            transactions: 0,
        }
    }

    /// The greeting of this host, or the one of LMTP. RFC 5321 §4.2, RFC 2033 §4.
    pub fn greeting(&self) -> Reply {
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

    /// The answer to `Mail`, `Recipient`, `Begin` or `Authenticate`.
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
            (Question::Chunk(chunk), answer) => {
                self.transaction.refusal = answer.err();
                self.phase = Phase::Chunk(chunk);
            }
            (Question::Credentials, Ok(())) => {
                self.authenticated = true;
                self.queue(reply::AUTHENTICATED);
            }
            (Question::Credentials, Err(refusal)) => self.refuse_login(refusal),
            (Question::Data, Err(refusal)) => self.queue(refusal),
        }
    }

    /// The mail that is arriving cannot be taken: its octets are still read, then it is answered `refusal`.
    pub fn refuse_body(&mut self, refusal: Reply) {
        debug_assert!(matches!(self.phase, Phase::Data(_) | Phase::Chunk(_)));
        self.transaction.refusal.get_or_insert(refusal);
    }

    /// What became of the mail after `Deliver`. RFC 2033 §4.2: LMTP answers for each recipient.
    pub fn finish(&mut self, outcome: Reply) {
        debug_assert!(matches!(self.phase, Phase::Deliver));
        self.transactions += 1;
        self.end_body(outcome);
    }

    /// The handshake is done: the session starts anew. RFC 3207 §4.2.
    pub fn tls_started(&mut self) {
        debug_assert!(matches!(self.phase, Phase::StartTls));
        self.tls = Tls::Active;
        self.phase = Phase::Command;
        self.lines = Lines::default();
        self.helo = None;
        self.extended = false;
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
            Line::TooLong => self.say(reply::LINE_TOO_LONG),
        };
        // The octets of a chunk stand right behind its BDAT.
        if let (Action::More, Phase::Chunk(chunk)) = (&action, self.phase) {
            let (of_chunk, action) = self.chunk(chunk, &input[used..]);
            return (used + of_chunk, action);
        }
        (used, action)
    }

    /// A line that answers a challenge. RFC 4954 §4.
    fn response<'i>(&mut self, input: &'i [u8]) -> (usize, Action<'i>) {
        let octets_max = self.options.limits.smtp_auth_octets_max;
        let (used, line) = self.lines.next(input, octets_max as usize);
        let action = match line {
            Line::More => return (used, Action::More),
            Line::Whole(b"*") => self.say(reply::AUTH_CANCELLED),
            Line::Whole(response) => self.authenticate(response),
            Line::TooLong => self.say(reply::AUTH_LINE_TOO_LONG),
        };
        if matches!(self.phase, Phase::Response) {
            self.phase = Phase::Command;
        }
        (used, action)
    }

    /// Reads a SASL response and asks for the password to be verified.
    fn authenticate<'i>(&mut self, response: &[u8]) -> Action<'i> {
        match auth::plain(response) {
            Ok(credentials) => self.ask(Question::Credentials, Action::Authenticate(credentials)),
            Err(bad) => self.say(reply::of_response(bad)),
        }
    }

    fn ask<'i>(&mut self, question: Question, action: Action<'i>) -> Action<'i> {
        self.phase = Phase::Answer(question);
        action
    }

    /// Queues a reply and takes it at once.
    fn say<'i>(&mut self, reply: Reply) -> Action<'i> {
        self.queue(reply);
        self.next_reply().map_or(Action::More, Action::Reply)
    }

    /// Ends the transaction, if there is one, and says `reply`.
    fn reset<'i>(&mut self, reply: Reply) -> Action<'i> {
        if !self.transaction.open {
            return self.say(reply);
        }
        self.transaction = Transaction::default();
        self.queue(reply);
        Action::Reset
    }

    /// Guessing is bounded: the last of smtp_login_failures_max wrong passwords ends the session. A temporary refusal
    /// says nothing of the password.
    fn refuse_login(&mut self, refusal: Reply) {
        self.login_failures += u64::from(refusal.code >= 500);
        if self.login_failures >= self.options.limits.smtp_login_failures_max {
            return self.end(reply::TOO_MANY_LOGINS);
        }
        self.queue(refusal);
    }

    fn queue(&mut self, reply: Reply) {
        self.queue_times(reply, 1);
    }

    /// Permanent refusals count: after smtp_errors_max of them the next one ends the session. Temporary ones are our
    /// own weather, and a sender that meets smtp_recipients_max goes on with the recipients it has. RFC 5321 §4.5.3.1.10.
    fn queue_times(&mut self, reply: Reply, times: u32) {
        debug_assert!(self.queued.is_none(), "one reply at a time");
        if reply.code >= 500 {
            self.errors += 1;
        }
        if self.errors > self.options.limits.smtp_errors_max {
            return self.end(reply::TOO_MANY_ERRORS);
        }
        self.queued = Some((reply, times));
    }

    /// Says a last reply.
    fn end(&mut self, reply: Reply) {
        self.queued = Some((reply, 1));
        self.phase = Phase::Ended;
    }

    fn next_reply(&mut self) -> Option<Reply> {
        match self.queued.take()? {
            (reply, 1) => Some(reply),
            (reply, times) => {
                self.queued = Some((reply.clone(), times - 1));
                Some(reply)
            }
        }
    }
}

#[cfg(test)]
mod tests;
